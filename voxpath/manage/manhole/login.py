"""The login to the manhole over SSH: public keys of one file, and each failure goes to the audit (RFC 4252)."""

from pathlib import Path
from typing import Any

from twisted.conch.error import IgnoreAuthentication, ValidPublicKey
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import BadKeyError, Key
from twisted.conch.ssh.userauth import SSHUserAuthServer
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from voxpath.core.errors import LocalError
from voxpath.manage.manhole.gate import LOGIN_S, Visit
from voxpath.manage.manhole.keys import fingerprint, read_authorized
from voxpath.manage.manhole.screen import SILENT
from voxpath.model.event import printable

WEAK = (b"ssh-rsa", b"ssh-dss")
"""Signatures made with SHA-1 (RFC 8332, RFC 9142)."""

NAME_LIMIT = 32
"""Characters that are told of what a client says to be its user name."""


@implementer(ICredentialsChecker)
class KeyChecker:
    """Admits whoever has the private half of a key of the file; the file is read anew each time."""

    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, path: Path) -> None:
        self._path = path

    def requestAvatarId(self, credentials: Any) -> "Deferred[bytes | tuple[()]]":
        """Check a key; give its name for the audit.

        :raises UnauthorizedLogin: the key admits nobody, or the signature is not its own.
        :raises ValidPublicKey: the key would admit, if the client signs with it (RFC 4252, 7).
        """
        try:
            entry = read_authorized(self._path).get(credentials.blob)
        except LocalError as error:
            raise UnauthorizedLogin(str(error)) from None
        if entry is None:
            raise UnauthorizedLogin("the key is not among the authorized ones")
        if not credentials.signature:
            raise ValidPublicKey
        if getNS(credentials.signature)[0] in WEAK or not entry.key.verify(credentials.signature, credentials.sigData):
            raise UnauthorizedLogin("the signature is wrong, or made with SHA-1")
        return succeed(entry.name.encode())


class Login(SSHUserAuthServer):
    """The login of one connection."""

    _log = SILENT
    loginTimeout = int(LOGIN_S)
    interfaceToMethod = {ISSHPrivateKey: b"publickey"}  # noqa: RUF012 - as in conch

    def serviceStarted(self) -> None:
        """Begin."""
        self._offered = ""
        self.clock = self._front.factory.reactor
        super().serviceStarted()

    def auth_publickey(self, packet: bytes) -> Any:
        """Check a key that the client offers."""
        try:
            self._offered = fingerprint(Key.fromString(getNS(packet[1:], 2)[1]))
        except BadKeyError:
            self._offered = "a key of a kind that is not supported"
        return super().auth_publickey(packet)

    @property
    def _front(self) -> Any:
        return self.transport

    @property
    def _visit(self) -> Visit:
        visit: Visit = self._front.visit
        return visit

    def _cbFinishedAuth(self, result: Any) -> None:
        self._visit.entered(f"{_shown(self.user)} ({result[1].name})")
        super()._cbFinishedAuth(result)

    def _ebBadAuth(self, reason: Failure) -> None:
        if not reason.check(IgnoreAuthentication) and self.method != b"none":
            self._audit(reason)
        super()._ebBadAuth(reason)

    def _audit(self, reason: Failure) -> None:
        user, method = _shown(self.user), _shown(self.method)
        if method != "publickey":
            self._visit.failed(user, f"login by {method} is off: public keys only")
        elif reason.check(UnauthorizedLogin):
            self._visit.failed(f"{user} ({self._offered})", reason.getErrorMessage())
        else:
            self._visit.failed(f"{user} ({self._offered})", f"the login is broken: {type(reason.value).__name__}")


def _shown(octets: bytes | None) -> str:
    return printable((octets or b"").decode(errors="backslashreplace"), NAME_LIMIT)
