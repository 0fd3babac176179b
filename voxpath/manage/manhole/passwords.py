"""The telnet manhole's passwords: a file of ``USER:ENTRY`` lines, each entry made by scrypt (RFC 7914).

``voxpath manhole-password USER`` makes a line.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from voxpath.core.errors import LocalError
from voxpath.manage.manhole import files
from voxpath.model.event import printable

SCHEME = "scrypt"

COST = (1 << 15, 8, 1)
"""Work factor, block size and parallelism of new entries: 32 MiB of memory, some 0.1 s."""

LARGEST_MEMORY = 128 * 1024 * 1024
BLOCK_SIZES = range(1, 33)
PARALLELISM = range(1, 17)
"""What an entry of the file may ask for at most; memory in octets."""

SALT_OCTETS = 16
HASH_OCTETS = 32

PASSWORD_LIMIT = 128
SHORTEST_PASSWORD = 12
"""Characters of a password."""

USERS_LIMIT = 64
"""Lines of one file."""


class Entry(NamedTuple):
    """What is kept of a password.

    :ivar cost: work factor, block size and parallelism.
    """

    cost: tuple[int, int, int]
    salt: bytes
    hashed: bytes

    def __str__(self) -> str:
        return "$".join((SCHEME, *map(str, self.cost), b64encode(self.salt).decode(), b64encode(self.hashed).decode()))

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Read it; raise :class:`ValueError` for anything else."""
        scheme, n, r, p, salt, hashed = text.split("$")
        cost = int(n), int(r), int(p)
        if scheme != SCHEME or not _is_sane(*cost):
            raise ValueError("cost")
        try:
            made = cls(cost, b64decode(salt, validate=True), b64decode(hashed, validate=True))
        except Base64Error as error:
            raise ValueError(str(error)) from None
        if len(made.salt) < SALT_OCTETS or len(made.hashed) != HASH_OCTETS:
            raise ValueError("length")
        return made

    @classmethod
    def of(cls, password: str, salt: bytes) -> "Entry":
        """Make the entry of a password; it takes as long as a look at a guess is to take."""
        return cls(COST, salt, _hash(password, salt, COST))

    def fits(self, password: str) -> bool:
        """Whether this is the password; takes some 0.1 s, so do not call it on the reactor thread."""
        return hmac.compare_digest(_hash(password, self.salt, self.cost), self.hashed)


def read_passwords(path: Path) -> Mapping[str, Entry]:
    """Read the file, by user.

    :raises LocalError: the file or one of its lines is not to be trusted; then nobody is admitted.
    """
    found: dict[str, Entry] = {}
    text = files.read(path, files.SECRET).decode(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, _, entry = line.strip().partition(":")
        try:
            if not is_user(user):
                raise ValueError("user")
            made = Entry.parse(entry)
        except ValueError:
            raise LocalError(f"{path}, line {number}: is no entry; make one by voxpath manhole-password USER") from None
        if user in found:
            raise LocalError(f"{path}, line {number}: {user} has a line already; keep one")
        found[user] = made
    if not found:
        raise LocalError(f"{path} has no entry; make one by voxpath manhole-password USER")
    if len(found) > USERS_LIMIT:
        raise LocalError(f"{path} has more than {USERS_LIMIT} entries; shorten it")
    return found


def check(path: Path, user: str, password: str) -> None:
    """Check a login; takes some 0.1 s.

    :raises LocalError: the user or the password is wrong, or the file cannot be trusted.
    """
    entries = read_passwords(path)
    # A guess for a user that does not exist takes as long as for one that does.
    stranger = Entry(next(iter(entries.values())).cost, bytes(SALT_OCTETS), bytes(HASH_OCTETS))
    if not entries.get(user, stranger).fits(password):
        raise LocalError("wrong user or password")


def line_of(user: str, password: str, salt: bytes) -> str:
    """Make a line of the file.

    :raises LocalError: the user's name or the password cannot be used.
    """
    if not is_user(user):
        raise LocalError(f"{printable(user, 40)!r} is no user name; write 1 to 32 of a-z, A-Z, 0-9, _ and -")
    if not SHORTEST_PASSWORD <= len(password) <= PASSWORD_LIMIT or not password.isprintable():
        raise LocalError(f"the password cannot be used; choose {SHORTEST_PASSWORD} to {PASSWORD_LIMIT} printable characters")
    return f"{user}:{Entry.of(password, salt)}"


def is_user(name: str) -> bool:
    """Whether a text can be a user's name."""
    return 0 < len(name) <= 32 and name.isascii() and name.replace("_", "a").replace("-", "a").isalnum()


def _is_sane(n: int, r: int, p: int) -> bool:
    power_of_two = n >= 2 and not n & (n - 1)
    return power_of_two and r in BLOCK_SIZES and p in PARALLELISM and 128 * n * r <= LARGEST_MEMORY


def _hash(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    # OpenSSL refuses what needs more memory than this.
    memory = 128 * r * (n + p + 2) + 1024 * 1024
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=HASH_OCTETS)
