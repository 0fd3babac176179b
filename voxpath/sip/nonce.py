"""Nonces of digest challenges (RFC 7616 sections 3.3 and 5.4): signed instead of kept, and counted once they succeeded.

The signature is keyed BLAKE2 (RFC 7693 section 2.9), which is a message authentication code as HMAC is, at a third of its cost.
"""

from collections import OrderedDict
from enum import Enum
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

MOST_COUNTS: Final = 65_536
"""Nonces whose last use is remembered."""

REPEATED_S: Final = 32.0
"""For how long a message counts as a retransmission: a client gives up after 64*T1 (RFC 3261 section 17.1.2.2)."""

_TIME_OCTETS: Final = 6
_NUMBER_OCTETS: Final = 4
_MAC_OCTETS: Final = 14
_STATED: Final = _TIME_OCTETS + _NUMBER_OCTETS
_LENGTH: Final = 2 * (_STATED + _MAC_OCTETS)
_PER_SECOND: Final = 1000
_KEY_LIMIT: Final = 64
"""Octets of a BLAKE2 key."""


class Nonces:
    """Makes nonces and knows them again.

    A nonce states when it was made, and a number that makes it different from all others of that moment: phones behind one NAT
    have one address, and each counts its own requests.
    It holds for one realm and one host; the port is left out, since a NAT may change it between two requests.

    :param secret: nobody else may know it.
    :param life_s: how long a nonce is taken.
    """

    def __init__(self, secret: bytes, life_s: float) -> None:
        self._key = blake2b(secret, digest_size=_KEY_LIMIT, person=b"voxpath nonce").digest()
        self._life_s = life_s
        self._number = 0

    def make(self, realm: str, host: str, now: float) -> str:
        """Make a nonce for a host."""
        self._number = (self._number + 1) % (1 << 8 * _NUMBER_OCTETS)
        stated = int(now * _PER_SECOND).to_bytes(_TIME_OCTETS, "big") + self._number.to_bytes(_NUMBER_OCTETS, "big")
        return (stated + self._mac(stated, realm, host)).hex()

    def made_at(self, nonce: str, realm: str, host: str, now: float) -> float | None:
        """When a nonce was made; ``None``: not by us for this host and realm, or too long ago."""
        if len(nonce) != _LENGTH:
            return None
        try:
            octets = bytes.fromhex(nonce)
        except ValueError:
            return None
        stated = octets[:_STATED]
        if not compare_digest(octets[_STATED:], self._mac(stated, realm, host)):
            return None
        made = int.from_bytes(stated[:_TIME_OCTETS], "big") / _PER_SECOND
        return made if made <= now < made + self._life_s else None

    def _mac(self, stated: bytes, realm: str, host: str) -> bytes:
        message = stated + f"{host}\n{realm}".encode("utf-8", "surrogateescape")
        return blake2b(message, digest_size=_MAC_OCTETS, key=self._key).digest()


class Use(Enum):
    """What a use of a nonce is worth."""

    NEW = "new"
    REPEATED = "repeated"
    """The same message again, from where it came before: it is answered, and must change nothing."""
    REFUSED = "refused"
    """The count was used before, or may have been."""


class _Use(NamedTuple):
    """The last use of a nonce.

    :ivar nc: its nonce count; 0 when none was given (RFC 2069).
    :ivar message: a hash of the message that it came in, and of where that came from.
    :ivar at: when its first copy came.
    """

    made: float
    nc: int
    message: bytes
    at: float


class NonceCounts:
    """Refuses replays: the count of a nonce has to grow, and a nonce without a count serves once.

    Only the same message again passes, octet by octet, from the same port and soon: that is a retransmission.
    Later it is a replay, which must not bring back what its owner has removed meanwhile.
    The table is bounded without a hole: when it forgets a nonce that still lives, nonces that are as old and that it does not
    know are not taken any more, and their owners are given new ones.
    """

    def __init__(self, life_s: float, most: int = MOST_COUNTS) -> None:
        self._life_s = life_s
        self._most = most
        self._uses: OrderedDict[str, _Use] = OrderedDict()
        self._forgotten = -1.0

    def __len__(self) -> int:
        return len(self._uses)

    def take(self, nonce: str, made: float, nc: int, message: bytes, now: float) -> Use:
        """Take a use of a nonce by credentials that were right; tell whether it is one that was seen before."""
        last = self._uses.get(nonce)
        if last is None:
            if made <= self._forgotten:
                return Use.REFUSED
            self._forget(now)
        elif message == last.message:
            return Use.REPEATED if now < last.at + REPEATED_S else Use.REFUSED
        elif nc <= last.nc:
            return Use.REFUSED
        self._uses[nonce] = _Use(made, nc, message, now)
        return Use.NEW

    def _forget(self, now: float) -> None:
        """Make room for one more; the table is in the order of first use, which is nearly that of age."""
        uses = self._uses
        while uses:
            nonce, use = next(iter(uses.items()))
            if use.made + self._life_s > now:
                if len(uses) < self._most:
                    return
                self._forgotten = max(self._forgotten, use.made)
            del uses[nonce]
