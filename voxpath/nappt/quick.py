"""The translation of most packets, made for speed: whole UDP and TCP packets without IP options, between a phone and the outside.

It says the same as :mod:`voxpath.nappt.translator` of every packet that it takes, and leaves all others to that.
The IP header has been checked by who gives the packet: a kernel that routed it here.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from voxpath.nappt.checksum import HOP_DELTA
from voxpath.nappt.mss import SYN
from voxpath.nappt.packet import FRAGMENT_BITS, HEADER_LENGTH, TCP, UDP
from voxpath.nappt.table import Row, Table

Quick: TypeAlias = Callable[[bytes], "bytearray | None"]
"""The translated packet; ``None``: the whole translation has to look at it."""


class Hop(NamedTuple):
    """What becomes of the TTL.

    :ivar least: of a packet that may pass; likewise ``most``.
    :ivar step: what is added to it, and ``delta`` to the checksum.
    """

    least: int
    most: int
    step: int
    delta: int


ALONE: Final = Hop(2, 255, -1, HOP_DELTA)
"""The translation is the hop."""
BETWEEN: Final = Hop(1, 254, 1, 0x0100)
"""A kernel has lowered the TTL before it, and will once more behind it."""

PLAIN = 0x45
"""Version 4, and a header of five words."""
LEAST, NEVER = 24, 0x10000
"""Octets up to the ports, and more than a packet has."""

_PACKET = Struct("!BxHxxHBBxxIIHH")
_ADDRESS = Struct("!I")
_WORD = Struct("!H")
_FLAGS_AT = 33
_TRANSPORT_SUM_AT = {UDP: 26, TCP: 36}
_SHORTEST = {protocol: 20 + length for protocol, length in HEADER_LENGTH.items() if protocol in _TRANSPORT_SUM_AT}


def quick_outbound(table: Table, hop: Hop = ALONE, *, clamped: bool = False) -> Quick:
    """A function that translates what leaves by a table, which may change meanwhile.

    :param clamped: whether the segments that a TCP SYN announces are limited: it is left to the whole translation then.
    """
    find, is_public, unpack = table.by_private, table.is_public, _PACKET.unpack_from
    least, most = hop.least, hop.most

    def translate(packet: bytes) -> bytearray | None:
        if len(packet) < LEAST:
            return None
        version, total, fragment, ttl, protocol, source, destination, port, _ = unpack(packet)
        if (
            version != PLAIN
            or fragment & FRAGMENT_BITS
            or not least <= ttl <= most
            or total != len(packet)
            or total < _SHORTEST.get(protocol, NEVER)
        ):
            return None
        if clamped and protocol == TCP and packet[_FLAGS_AT] & SYN:
            return None
        first = destination >> 24
        if not 0 < first < 0xE0 or first == 0x7F or is_public(destination):
            return None
        row = find(source, port)
        return None if row is None else _exchanged(packet, 12, row, protocol, hop)

    return translate


def quick_inbound(table: Table, hop: Hop = ALONE, *, clamped: bool = False) -> Quick:
    """A function that translates what comes in by a table, as :func:`quick_outbound`."""
    find, unpack = table.by_public, _PACKET.unpack_from
    least, most = hop.least, hop.most
    is_inside, is_public, is_service = table.is_inside, table.is_public, table.is_service
    pinholes = table.pinholes

    def translate(packet: bytes) -> bytearray | None:
        if len(packet) < LEAST:
            return None
        version, total, fragment, ttl, protocol, source, destination, _, port = unpack(packet)
        if (
            version != PLAIN
            or fragment & FRAGMENT_BITS
            or not least <= ttl <= most
            or total != len(packet)
            or total < _SHORTEST.get(protocol, NEVER)
        ):
            return None
        if clamped and protocol == TCP and packet[_FLAGS_AT] & SYN:
            return None
        first = source >> 24
        if not 0 < first < 0xE0 or first == 0x7F or is_inside(source) or is_public(source) or is_service(destination, port):
            return None
        if pinholes is not None and not pinholes.admits(destination, port, source):
            return None
        row = find(destination, port)
        return None if row is None else _exchanged(packet, 16, row, protocol, hop)

    return translate


def _exchanged(packet: bytes, at: int, row: Row, protocol: int, hop: Hop) -> bytearray:
    """One hop further, with one address exchanged."""
    octets = bytearray(packet)
    _ADDRESS.pack_into(octets, at, row.address)
    change = row.delta
    octets[8] += hop.step
    total = (~(octets[10] << 8 | octets[11]) & 0xFFFF) + change + hop.delta
    total = (total & 0xFFFF) + (total >> 16)
    _WORD.pack_into(octets, 10, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    place = _TRANSPORT_SUM_AT[protocol]
    before = octets[place] << 8 | octets[place + 1]
    if before or protocol == TCP:
        total = (~before & 0xFFFF) + change
        total = (total & 0xFFFF) + (total >> 16)
        _WORD.pack_into(octets, place, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF or 0xFFFF)
    return octets
