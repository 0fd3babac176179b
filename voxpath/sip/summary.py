"""Messages in a few words, for ladders."""

from voxpath.model.event import printable
from voxpath.sip.message import Message, Request, Response

MOST_WORDS = 160
"""Characters of a summary."""
_VERSION_OCTETS = len("SIP/2.0 ")
_WITH_CONTACTS = frozenset({"200", "302"})


def of_message(message: Message) -> str:
    """Summarise a message that was received, such as ``INVITE sip:b1@voip.example``."""
    match message:
        case Request(method=method, uri=uri):
            if method == "REGISTER":
                return printable(f"REGISTER {message.value('to')}{_bindings(message)}", MOST_WORDS)
            return printable(f"{method} {uri}", MOST_WORDS)
        case Response(status=status, reason=reason):
            return printable(f"{status} {reason}", MOST_WORDS)
    return ""


def of_answer(payload: bytes, method: str) -> str:
    """Summarise an answer as it is sent, such as ``302 Moved Temporarily (INVITE) <sip:b1@203.0.113.2:2048>``."""
    head = payload[_VERSION_OCTETS : payload.index(b"\r\n")].decode("utf-8", "surrogateescape")
    words = f"{head} ({method})"
    if head[:3] in _WITH_CONTACTS:
        at = payload.find(b"\r\nContact: ")
        if at >= 0:
            contact = payload[at + 11 : payload.index(b"\r\n", at + 11)]
            words += " " + contact.decode("utf-8", "surrogateescape")
    return printable(words, MOST_WORDS)


def _bindings(request: Request) -> str:
    """What a REGISTER binds, and for how long."""
    contacts = ", ".join(request.values("contact"))
    expires = request.value("expires")
    return (f" at {contacts}" if contacts else "") + (f" for {expires} s" if expires else "")
