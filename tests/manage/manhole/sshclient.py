"""A client of the manhole over SSH, in memory: conch's own client at the other end of a wire."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh import common, connection, keys, transport, userauth
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.session import packRequest_pty_req
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.manage.manhole.ground import Ground
from voxpath.manage.manhole.ssh import Factory


def new_key() -> keys.Key:
    return keys.Key(Ed25519PrivateKey.generate())


def public_line(key: keys.Key, comment: str) -> str:
    return bytes(key.public().toString("OPENSSH")).decode().rstrip() + f" {comment}\n"


class Wire(StringTransport):
    """One end of a connection."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True


class Auth(userauth.SSHUserAuthClient):
    """Offers keys, then passwords."""

    def __init__(self, user: bytes, own: list[keys.Key], password: bytes | None, service: Any) -> None:
        super().__init__(user, service)
        self._own = own
        self._offered: keys.Key | None = None
        self._password = password

    def getPublicKey(self) -> Any:
        self._offered = self._own.pop(0) if self._own else None
        return self._offered.public() if self._offered is not None else None

    def getPrivateKey(self) -> Any:
        return succeed(self._offered)

    def getPassword(self, prompt: Any = None) -> Any:
        return None if self._password is None else succeed(self._password)


class Channel(SSHChannel):
    """A session."""

    name = b"session"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.seen = b""
        self.status: int | None = None
        self.is_open = False
        self.is_refused = False

    def channelOpen(self, specificData: bytes) -> None:
        self.is_open = True

    def openFailed(self, reason: Any) -> None:
        self.is_refused = True

    def dataReceived(self, data: bytes) -> None:
        self.seen += data

    def request_exit_status(self, data: bytes) -> None:
        self.status = int.from_bytes(data, "big")


class ClientTransport(transport.SSHClientTransport):
    """A client that trusts whatever server there is."""

    def __init__(self, auth: Auth | None) -> None:
        self.auth = auth
        self.fingerprint = b""
        self.is_in = False
        self.errors: list[Any] = []

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> Deferred[int]:
        self.fingerprint = fingerprint
        return succeed(1)

    def connectionSecure(self) -> None:
        if self.auth is not None:
            self.requestService(self.auth)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        self.errors.append(description)


class Connection(connection.SSHConnection):
    """The connection service, once the login is done."""

    def __init__(self) -> None:
        super().__init__()
        self.is_started = False

    def serviceStarted(self) -> None:
        self.is_started = True


class Client:
    """A client connected to a manhole of its own.

    :param own: the keys that it offers.
    """

    def __init__(
        self,
        ground: Ground,
        factory: Factory,
        *own: keys.Key,
        user: bytes = b"op",
        password: bytes | None = None,
    ) -> None:
        self.ground = ground
        self.service = Connection()
        self.transport = ClientTransport(Auth(user, list(own), password, self.service))
        self.near, self.far = Wire(), Wire()
        made = factory.buildProtocol(None)
        assert made is not None
        self.server: Any = made
        self.server.makeConnection(self.far)
        self.transport.makeConnection(self.near)
        self.flush()

    @property
    def is_in(self) -> bool:
        return self.service.is_started

    def flush(self) -> None:
        """Carry octets both ways until there are none."""
        while True:
            self.ground.reactor.advance(0)
            there, back = self.near.value(), self.far.value()
            self.near.clear()
            self.far.clear()
            if not there and not back:
                return
            if there:
                self.server.dataReceived(there)
            if back:
                self.transport.dataReceived(back)

    def opens(self, channel: Channel | None = None) -> Channel:
        made = channel or Channel(conn=self.service)
        self.service.openChannel(made)
        self.flush()
        return made

    def asks(self, channel: Channel, request: bytes, data: bytes = b"") -> bool:
        """Send a request; tell whether it was granted."""
        outcome: list[bool] = []
        self.service.sendRequest(channel, request, data, wantReply=True).addCallbacks(
            lambda _: outcome.append(True), lambda _: outcome.append(False)
        )
        self.flush()
        return outcome == [True]

    def runs(self, command: bytes) -> Channel:
        channel = self.opens()
        assert self.asks(channel, b"exec", common.NS(command))
        return channel

    def shell(self, has_terminal: bool = True) -> Channel:
        channel = self.opens()
        if has_terminal:
            assert self.asks(channel, b"pty-req", packRequest_pty_req(b"xterm", (24, 80, 0, 0), b""))
        assert self.asks(channel, b"shell")
        return channel

    def types(self, channel: Channel, octets: bytes) -> bytes:
        channel.seen = b""
        channel.write(octets)
        self.flush()
        return channel.seen

    def leaves(self) -> None:
        self.server.connectionLost(Failure(ConnectionDone()))
        self.transport.connectionLost(Failure(ConnectionDone()))


class House:
    """A manhole with the keys that it admits."""

    def __init__(self, directory: Path, names: Mapping[str, object] | None = None) -> None:
        self.ground = Ground()
        self.key = new_key()
        self.host = new_key()
        self.authorized = directory / "authorized_keys"
        self.authorized.write_text(public_line(self.key, "op@desk"))
        self.names = dict(names or {})
        self.factory = Factory(self.ground.reactor, self.ground.gate, self.host, self.authorized, lambda: self.names)
        self.factory.startFactory()

    def client(self, *own: keys.Key, **named: Any) -> Client:
        return Client(self.ground, self.factory, *(own or (self.key,)), **named)

    def stranger(self) -> tuple[Any, Wire]:
        """A connection on which nothing was said yet."""
        wire = Wire()
        made: Any = self.factory.buildProtocol(None)
        assert made is not None
        made.makeConnection(wire)
        return made, wire
