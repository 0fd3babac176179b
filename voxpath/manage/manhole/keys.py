"""SSH keys: the server's own one, made at the first start, and those that admit people."""

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, FingerprintFormats, Key

from voxpath.core.errors import LocalError
from voxpath.manage.manhole import files
from voxpath.model.event import printable

SHORTEST_RSA = 2048
"""Bits of an RSA key at least (RFC 9142 asks for as many)."""

KEYS_LIMIT = 256
"""Keys of one file."""

COMMENT_LIMIT = 80
"""Characters of a key's comment that are shown."""

_NO_KEY = (BadKeyError, EncryptedKeyError, UnsupportedAlgorithm, struct.error, ValueError, LookupError, TypeError, AttributeError)
"""What reading something that is no key may raise."""


class AuthorizedKey(NamedTuple):
    """A key that admits whoever has its private half.

    :ivar comment: what stands behind it in the file.
    """

    key: Key
    comment: str

    @property
    def name(self) -> str:
        """How the audit names whoever has it."""
        return f"{fingerprint(self.key)} {self.comment}".rstrip()


def fingerprint(key: Key) -> str:
    """The key's fingerprint as ``ssh-keygen -l`` tells it."""
    return "SHA256:" + str(key.fingerprint(FingerprintFormats.SHA256_BASE64)).rstrip("=")


def read_authorized(path: Path) -> Mapping[bytes, AuthorizedKey]:
    """Read the keys that admit people, by their blobs (RFC 4253, 6.6).

    It is read at each login, so that a key that was taken out admits nobody any more.

    :raises LocalError: the file or one of its lines is not to be trusted; then nobody is admitted.
    """
    found: dict[bytes, AuthorizedKey] = {}
    for number, line in enumerate(files.read(path, files.TRUSTED).splitlines(), 1):
        text = line.strip()
        if text and not text.startswith(b"#"):
            entry = _authorized(text, f"{path}, line {number}")
            found[entry.key.blob()] = entry
    if not found:
        raise LocalError(f"{path} has no key; add a line of an OpenSSH public key file (id_ed25519.pub)")
    if len(found) > KEYS_LIMIT:
        raise LocalError(f"{path} has more than {KEYS_LIMIT} keys; shorten it")
    return found


def _authorized(line: bytes, where: str) -> AuthorizedKey:
    words = line.split(None, 2)
    if not words[0].startswith((b"ssh-", b"ecdsa-")):
        raise LocalError(f"{where}: begins with no kind of key; options before a key are not supported")
    try:
        key = Key.fromString(b" ".join(words[:2]), type="public_openssh")
    except _NO_KEY:
        raise LocalError(f"{where}: is no public key; copy the whole line of the .pub file") from None
    _check(key, where)
    comment = words[2].decode(errors="backslashreplace") if len(words) > 2 else ""
    return AuthorizedKey(key, printable(comment, COMMENT_LIMIT))


def host_key(path: Path) -> Key:
    """Read the server's own key; make one (Ed25519) if there is none yet.

    :raises LocalError: it is no key, others may read it, or it cannot be made.
    """
    if not os.path.lexists(path):
        made: Key = Key(Ed25519PrivateKey.generate())
        files.make(path, made.toString("OPENSSH"))
    return read_host_key(path)


def read_host_key(path: Path) -> Key:
    """Read the server's own key; raise :class:`LocalError` unless it is a private key that nobody else can read."""
    content = files.read(path, files.SECRET)
    try:
        key: Key = Key.fromString(content)
    except _NO_KEY:
        raise LocalError(f"{path} is no private key without a passphrase; remove it and a new one is made") from None
    if key.isPublic():
        raise LocalError(f"{path} is a public key; remove it and a private one is made")
    _check(key, str(path))
    return key


def _check(key: Key, where: str) -> None:
    if key.type() == "DSA" or key.isSecurityKey():
        raise LocalError(f"{where}: this kind of key is not supported; use ssh-ed25519, ecdsa-sha2 or ssh-rsa")
    if key.type() == "RSA" and key.size() < SHORTEST_RSA:
        raise LocalError(f"{where}: an RSA key of {key.size()} bits; use {SHORTEST_RSA} or more, or ssh-ed25519")
