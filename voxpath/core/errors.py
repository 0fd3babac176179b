"""The two kinds of errors: a peer broke its protocol, or we broke our own rules."""


class VoxpathError(Exception):
    """The base of all errors that voxpath raises on purpose."""


class RemoteError(VoxpathError):
    """A peer's message is wrong; raised by ``wire`` modules, never a traceback in a log.

    :ivar reason: what is wrong, in one line, without text from the wire that was not escaped.
    :ivar offset: where in the message, in octets (binary protocols) or characters (text protocols); -1 when unknown.
    :ivar code: the protocol's own error code, for the reply to the peer; ``None`` when the protocol has none for it.
    :ivar section: the RFC section that it breaks.
    """

    def __init__(self, reason: str, *, offset: int = -1, code: int | None = None, section: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.code = code
        self.section = section

    def __str__(self) -> str:
        where = f" at {self.offset}" if self.offset >= 0 else ""
        rule = f" ({self.section})" if self.section else ""
        return f"{self.reason}{where}{rule}"


class LocalError(VoxpathError):
    """Our own code or configuration is wrong: loud, and with what to do about it."""
