"""The manhole over telnet (RFC 854): for loopback alone, since passwords and everything else go unencrypted.

Conch raises whatever a malformed command leads to, and asks for options in a way that a plain TCP client never answers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.conch.telnet import ECHO, NAWS, SGA, TelnetProtocol, TelnetTransport
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError, RemoteError
from voxpath.manage.manhole import passwords
from voxpath.manage.manhole.gate import Gate, Visit
from voxpath.manage.manhole.python import Names
from voxpath.manage.manhole.screen import SILENT, Keyboard, Screen
from voxpath.model.event import printable

ANSWER_LIMIT = 128
"""Octets of a user name or a password."""

SUBNEGOTIATION_LIMIT = 256
"""Octets of one subnegotiation (RFC 855)."""

WAY = "telnet"

Check = Callable[[str, str], "Deferred[None]"]
"""Checks user and password elsewhere than on the reactor thread; fails with :class:`LocalError`."""

log = Logger()


class Transport(TelnetTransport):
    """One connection: telnet commands taken out of what is typed."""

    _log = SILENT
    _MAX_SUBNEGOTIATION_LENGTH = SUBNEGOTIATION_LIMIT
    transport: Any
    protocol: Any

    def __init__(self, visit: Visit, check: Check, names: Names) -> None:
        super().__init__(Dialogue, visit, check, names)
        self.visit = visit

    def connectionMade(self) -> None:
        """Begin."""
        self.visit.drop = self.transport.abortConnection
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Take octets; what is no telnet ends the connection and is told in one line."""
        if not self.visit.over:
            with self.visit.guarded():
                self.visit.heard(len(data))
                super().dataReceived(data)

    def write(self, data: bytes) -> None:
        """Send a text; conch makes CR LF of each LF, and the screen has done so already."""
        super().write(data.replace(b"\r\n", b"\n"))

    def _subnegotiationLengthExceeded(self) -> None:
        raise RemoteError(f"more than {SUBNEGOTIATION_LIMIT} octets of a subnegotiation")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.visit.left()
        super().connectionLost(reason)


class Dialogue(TelnetProtocol):
    """Asks for user and password, then hands what is typed to a screen."""

    transport: Any

    def __init__(self, visit: Visit, check: Check, names: Names) -> None:
        self._visit = visit
        self._check = check
        self._names = names
        self._typed = bytearray()
        self._ahead = bytearray()
        self._user: str | None = None
        self._checking = False
        self._screen: Keyboard | None = None

    def connectionMade(self) -> None:
        """Agree on single characters and on who echoes, as far as the client can."""
        for asked in (self.transport.will(SGA), self.transport.do(SGA), self.transport.do(NAWS)):
            asked.addErrback(lambda _: None)
        self.transport.negotiationMap[NAWS] = self._resized
        self.transport.write(b"voxpath manhole\nuser: ")

    def enableLocal(self, option: bytes) -> bool:
        """What the client may ask us to do."""
        return option in {ECHO, SGA}

    def enableRemote(self, option: bytes) -> bool:
        """What the client may do."""
        return option in {SGA, NAWS}

    def disableLocal(self, option: bytes) -> None:
        """The client does not want it any more; the rest works without."""

    def disableRemote(self, option: bytes) -> None:
        """The client does not do it any more; the rest works without."""

    def dataReceived(self, data: bytes) -> None:
        """Take what is typed, telnet's commands taken out.

        :raises RemoteError: an answer is too long.
        """
        for at, octet in enumerate(data):
            if self._screen is not None:
                self._visit.typed()
                self._screen.dataReceived(data[at:])
                return
            if self._checking:
                self._ahead += data[at:]
                return
            if octet in b"\r\n":
                self._answered()
            elif octet in b"\b\x7f":
                del self._typed[-1:]
            elif octet != 0:
                self._typed.append(octet)
                if len(self._typed) > ANSWER_LIMIT:
                    raise RemoteError(f"more than {ANSWER_LIMIT} octets as user or password")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        if self._screen is not None:
            self._screen.connectionLost(reason)

    def _answered(self) -> None:
        answer = self._typed.decode(errors="backslashreplace")
        self._typed.clear()
        if self._user is None:
            if answer:
                self._user = answer
                # The client must not show the password; from here on the echo is ours.
                self.transport.will(ECHO).addErrback(lambda _: None)
            self.transport.write(b"password: " if answer else b"user: ")
            return
        self._checking = True
        self._check(self._user, answer).addCallbacks(self._admitted, self._refused).addErrback(self._broken)

    def _admitted(self, _: None) -> None:
        self._checking = False
        if not self._visit.over:
            self._visit.entered(self._user or "")
            self.transport.write(b"\n")
            self._screen = Screen.on(self.transport, self._visit, self._names, self._leave)
            self._go_on()

    def _refused(self, failure: Failure) -> None:
        failure.trap(LocalError)
        self._checking = False
        if not self._visit.over:
            user, self._user = self._user or "", None
            self._visit.failed(user, printable(failure.getErrorMessage()))
        if not self._visit.over:
            self.transport.wont(ECHO).addErrback(lambda _: None)
            self.transport.write(b"\nnot admitted\nuser: ")
            self._go_on()

    def _go_on(self) -> None:
        """Take what was typed while the password was checked."""
        ahead = bytes(self._ahead)
        self._ahead.clear()
        with self._visit.guarded():
            self.dataReceived(ahead)

    def _broken(self, failure: Failure) -> None:
        log.failure("a login to the manhole failed", failure)
        self._visit.end("the login failed inside voxpath; see its log")

    def _leave(self, status: int) -> None:
        self.transport.loseConnection()

    def _resized(self, octets: list[bytes]) -> None:
        if self._screen is not None and len(octets) == 4:
            columns, rows = int.from_bytes(b"".join(octets[:2]), "big"), int.from_bytes(b"".join(octets[2:]), "big")
            self._screen.resize(columns, rows)


class Factory(ServerFactory):
    """Accepts connections.

    :param run: runs a function elsewhere than on the reactor thread.
    :param path: the file of the passwords.
    """

    noisy = False

    def __init__(self, gate: Gate, run: Callable[[Callable[[], None]], "Deferred[None]"], path: Path, names: Names) -> None:
        self._gate = gate
        self._run = run
        self._path = path
        self._names = names

    def buildProtocol(self, addr: IAddress | None) -> Transport | None:
        """Accept a connection; ``None`` closes it."""
        host, port = getattr(addr, "host", "?"), getattr(addr, "port", 0)
        visit = self._gate.admit(WAY, f"{host}:{port}")
        return None if visit is None else Transport(visit, self._checked, self._names)

    def _checked(self, user: str, password: str) -> "Deferred[None]":
        return self._run(lambda: passwords.check(self._path, user, password))
