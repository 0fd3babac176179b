"""Vendor-identifying options 124 and 125: data under enterprise numbers (RFC 3925).

One option holds the data of any number of vendors, each after its enterprise number and a length of one octet.
RFC 3925 section 4 divides the data of option 125 into sub-options; some vendors, Mitel for one, write plain text instead.
So this module keeps the data as octets, and :func:`sub_options` divides them for those who follow the RFC.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from voxpath.core.cursor import Reader
from voxpath.core.errors import LocalError, RemoteError

MAX_DATA = 255
"""Octets of one vendor's data: its length is a single octet."""
MAX_PARTS = 64
"""Enterprise numbers that are read from one option; more are an attack, not a phone."""
MAX_KNOWN = 256
"""Values of option 125 that are kept in parts: there is one for each phone class and scope."""

Part = tuple[int, bytes]
"""An enterprise number and its data."""


def read_parts(data: bytes) -> tuple[Part, ...]:
    """Read option 124 or 125.

    :raises RemoteError: a part runs over the end, or there are too many.
    """
    parts: list[Part] = []
    fields = Reader(data)
    while fields.remaining:
        if len(parts) == MAX_PARTS:
            raise RemoteError(f"more than {MAX_PARTS} enterprise numbers", offset=fields.offset)
        enterprise = fields.u32()
        parts.append((enterprise, fields.take(fields.u8())))
    return tuple(parts)


known_parts = lru_cache(MAX_KNOWN)(read_parts)
"""The same for values of our own configuration, which are read once."""


def write_parts(parts: Iterable[Part]) -> bytes:
    """Write option 124 or 125.

    :raises LocalError: one part has more than 255 octets.
    """
    written = bytearray()
    for enterprise, data in parts:
        if len(data) > MAX_DATA:
            raise LocalError(f"{len(data)} octets for enterprise {enterprise}: {MAX_DATA} are possible (RFC 3925)")
        written += enterprise.to_bytes(4, "big") + bytes((len(data),)) + data
    return bytes(written)


def sub_options(data: bytes) -> dict[int, bytes]:
    """Divide one vendor's data into its sub-options; a code that repeats replaces the one before.

    :raises RemoteError: one runs over the end.
    """
    found: dict[int, bytes] = {}
    fields = Reader(data)
    while fields.remaining:
        code = fields.u8()
        found[code] = fields.take(fields.u8())
    return found


def pack_sub_options(subs: Mapping[int, bytes]) -> bytes:
    """Write sub-options: code, length, data, as in option 43 without pad and end (RFC 2132 section 8.4).

    :raises LocalError: one has more than 255 octets.
    """
    packed = bytearray()
    for code, data in subs.items():
        if len(data) > MAX_DATA:
            raise LocalError(f"sub-option {code} has {len(data)} octets, {MAX_DATA} are possible")
        packed += bytes((code, len(data))) + data
    return bytes(packed)


def named_by(octets: Iterable[bytes | None]) -> frozenset[int]:
    """The enterprise numbers that a client names in its options 124 and 125, if it sent them well-formed."""
    named: set[int] = set()
    for data in octets:
        if data:
            try:
                named.update(enterprise for enterprise, _ in read_parts(data))
            except RemoteError:
                continue
    return frozenset(named)
