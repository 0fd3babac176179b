"""The manhole over SSH: few algorithms, and nothing that a stranger could make large, long or loud.

Conch raises whatever a malformed packet leads to, decompresses before a login, and knows no limits of time and size of its own.
"""

from pathlib import Path
from typing import Any

from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from voxpath.core.errors import RemoteError
from voxpath.manage.manhole.gate import Gate, Visit
from voxpath.manage.manhole.login import WEAK, KeyChecker, Login
from voxpath.manage.manhole.python import Names
from voxpath.manage.manhole.screen import SILENT
from voxpath.manage.manhole.session import Connection, Realm
from voxpath.model.event import printable

VERSION = b"SSH-2.0-voxpath"
"""What a stranger is told of the server (RFC 4253, 4.2)."""

KEY_EXCHANGES = (b"mlkem768x25519-sha256", b"curve25519-sha256", b"curve25519-sha256@libssh.org", b"ecdh-sha2-nistp256")
CIPHERS = [b"aes256-ctr", b"aes192-ctr", b"aes128-ctr"]
MACS = [b"hmac-sha2-512", b"hmac-sha2-256"]
"""What is agreed to, as far as this machine has it."""

SIGNATURES = (
    b"ssh-ed25519",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
)
"""How clients may sign (RFC 8308, 3.1)."""

WAY = "SSH"


class Transport(SSHServerTransport):
    """One connection, from its first octet."""

    _log = SILENT
    transport: Any
    ourVersionString = VERSION
    supportedCiphers = CIPHERS
    supportedMACs = MACS
    # A small packet would become a large one before anybody is known.
    supportedCompressions = [b"none"]  # noqa: RUF012 - as in conch

    def __init__(self, visit: Visit) -> None:
        self.visit = visit

    def connectionMade(self) -> None:
        """Begin."""
        self.visit.drop = self.transport.abortConnection
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Take octets; what is no SSH ends the connection and is told in one line."""
        if not self.visit.over:
            with self.visit.guarded():
                self.visit.heard(len(data))
                super().dataReceived(data)

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        """Take one message; those behind one that ended the connection are not looked at."""
        if not self.visit.over:
            super().dispatchMessage(messageNum, payload)

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """Begin a service, but not in the clear (RFC 4253, 10): conch would take a login before keys are agreed on.

        :raises RemoteError: no keys are in use yet.
        """
        if not self.isEncrypted("both"):
            raise RemoteError("a service was asked for before keys were agreed on")
        super().ssh_SERVICE_REQUEST(packet)

    def sendExtInfo(self, extensions: object) -> None:
        """Tell how clients may sign; conch would tell them how the server's own key does."""
        super().sendExtInfo([(b"server-sig-algs", b",".join(SIGNATURES))])

    def sendDisconnect(self, reason: int, desc: bytes | str) -> None:
        """End the connection, and say why."""
        text = desc.decode(errors="backslashreplace") if isinstance(desc, bytes) else desc
        super().sendDisconnect(reason, text.encode())
        self.visit.left(printable(text))

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The connection is gone."""
        self.visit.left()
        super().connectionLost(reason)


class Factory(SSHFactory):
    """Accepts connections.

    :param key: the server's own key.
    :param authorized: the file of the keys that admit.
    :ivar names: what visitors find.
    """

    noisy = False
    _log = SILENT
    primes = None
    services = {b"ssh-userauth": Login, b"ssh-connection": Connection}  # noqa: RUF012 - as in conch

    def __init__(self, reactor: Any, gate: Gate, key: Key, authorized: Path, names: Names) -> None:
        self.reactor = reactor
        self.names = names
        self.portal = Portal(Realm(), [KeyChecker(authorized)])
        self.publicKeys = {key.sshType(): key.public()}
        self.privateKeys = {key.sshType(): key}
        self._gate = gate

    def buildProtocol(self, addr: IAddress | None) -> SSHServerTransport | None:  # type: ignore[override]  # conch refuses nobody at this point
        """Accept a connection; ``None`` closes it."""
        host, port = getattr(addr, "host", "?"), getattr(addr, "port", 0)
        visit = self._gate.admit(WAY, f"{host}:{port}")
        if visit is None:
            return None
        self.protocol = lambda: Transport(visit)
        made = super().buildProtocol(addr)
        made.supportedKeyExchanges = [name for name in KEY_EXCHANGES if name in made.supportedKeyExchanges]
        made.supportedPublicKeys = [name for name in made.supportedPublicKeys if name not in WEAK]
        return made
