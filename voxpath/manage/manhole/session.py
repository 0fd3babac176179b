"""What a visitor may do over SSH: open a few sessions, each a terminal, the lines of a script, or one command (RFC 4254, 6)."""

import struct
from collections.abc import Callable
from typing import Any

from twisted.conch.avatar import ConchUser
from twisted.conch.error import ConchError
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.connection import OPEN_ADMINISTRATIVELY_PROHIBITED, OPEN_RESOURCE_SHORTAGE, SSHConnection
from twisted.conch.ssh.session import parseRequest_pty_req, parseRequest_window_change
from twisted.cred.portal import IRealm
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from zope.interface import implementer

from voxpath.manage.manhole.gate import Visit
from voxpath.manage.manhole.python import Names
from voxpath.manage.manhole.screen import SILENT, Keyboard, Lines, Screen

CHANNELS_LIMIT = 4
"""Sessions on one connection."""


class Visitor(ConchUser):
    """Somebody who is logged in.

    :ivar name: his key's name.
    :ivar conn: the connection service, set by conch.
    """

    _log = SILENT
    conn: Any = None

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def lookupChannel(self, channelType: bytes, windowSize: int, maxPacket: int, data: bytes) -> SSHChannel:
        """Open a channel; raise :class:`ConchError` for all but a few sessions: nothing is forwarded."""
        if channelType != b"session":
            raise ConchError(OPEN_ADMINISTRATIVELY_PROHIBITED, "only sessions")
        if len(self.conn.channels) >= CHANNELS_LIMIT:
            raise ConchError(OPEN_RESOURCE_SHORTAGE, "too many sessions")
        return Session(remoteWindow=windowSize, remoteMaxPacket=maxPacket, data=data, avatar=self)

    def gotGlobalRequest(self, requestType: bytes, data: bytes) -> int:
        """Refuse: no port is forwarded."""
        return 0


@implementer(IRealm)
class Realm:
    """Everybody who is admitted is a visitor."""

    def requestAvatar(
        self, avatarId: "bytes | tuple[()]", mind: object, *interfaces: Any
    ) -> tuple[Any, Visitor, Callable[[], None]]:
        """Make a visitor."""
        return IConchUser, Visitor(bytes(avatarId).decode()), lambda: None


class Connection(SSHConnection):
    """The connection service (RFC 4254)."""

    _log = SILENT


class Session(SSHChannel):
    """One session."""

    _log = SILENT
    name = b"session"
    conn: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._has_terminal = False
        self._ends: Keyboard | Lines | None = None
        self._timer: IDelayedCall | None = None
        self._over = False

    def request_pty_req(self, data: bytes) -> int:
        """The client has a terminal."""
        parseRequest_pty_req(data)
        self._has_terminal = True
        return 1

    def request_window_change(self, data: bytes) -> int:
        """The terminal has another size now."""
        rows, columns, _, _ = parseRequest_window_change(data)
        if isinstance(self._ends, Keyboard):
            self._ends.resize(columns, rows)
        return 1

    def request_shell(self, data: bytes) -> int:
        """Begin to read lines."""
        if self._ends is None:
            if self._has_terminal:
                self._ends = Screen.on(self, self._visit, self._names, self._leave)
            else:
                self._ends = self._lines()
            return 1
        return 0

    def request_exec(self, data: bytes) -> int:
        """Run one command, once the client was told that it is begun."""
        if self._ends is not None:
            return 0
        self._ends = lines = self._lines()
        command = getNS(data)[0]

        def run() -> None:
            lines.dataReceived(command)
            lines.end()

        self._timer = self._visit.soon(run)
        return 1

    def dataReceived(self, data: bytes) -> None:
        """Take what was typed; what comes before a shell, or beside a command, nobody wants."""
        self._visit.typed()
        if self._ends is not None and self._timer is None:
            self._ends.dataReceived(data)

    def eofReceived(self) -> None:
        """The client sends no more."""
        if isinstance(self._ends, Lines) and self._timer is None:
            self._ends.end()
        elif self._ends is None:
            self.loseConnection()

    def closed(self) -> None:
        """The channel is gone."""
        self._over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if isinstance(self._ends, Keyboard):
            self._ends.connectionLost(connectionDone)

    @property
    def _visit(self) -> Visit:
        visit: Visit = self.conn.transport.visit
        return visit

    @property
    def _names(self) -> Names:
        names: Names = self.conn.transport.factory.names
        return names

    def _lines(self) -> Lines:
        return Lines(self.write, self._visit, self._names, self._leave)

    def _leave(self, status: int) -> None:
        if not self._over:
            self._over = True
            self.conn.sendRequest(self, b"exit-status", struct.pack(">L", status))
            self.loseConnection()
