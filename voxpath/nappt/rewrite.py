"""Exchanging the addresses of a packet, in step with every checksum that covers them."""

from voxpath.nappt.checksum import HOP_DELTA, adjust
from voxpath.nappt.packet import (
    ADDRESS,
    CHECKSUM_AT,
    DESTINATION_AT,
    FRAGMENT_OFFSET,
    SOURCE_AT,
    TRANSPORT_CHECKSUM_AT,
    TTL_AT,
    UDP,
    WORD,
    Header,
)
from voxpath.nappt.table import Row


def rewritten(packet: bytes, header: Header, source: Row | None, destination: Row | None) -> bytearray:
    """One hop further with the addresses exchanged; octets behind the IP total length are cut.

    :param source: where the new source address is found; ``None``: it stays.
    """
    octets = bytearray(packet[: header.total])
    change = exchange(octets, 0, source, destination)
    octets[TTL_AT] -= 1
    adjust_at(octets, CHECKSUM_AT, change + HOP_DELTA)
    # Only the first fragment has a transport's header; its checksum covers the addresses for all of them.
    if not header.fragment & FRAGMENT_OFFSET:
        adjust_transport(octets, header.length, header.protocol, change)
    return octets


def exchange(octets: bytearray, at: int, source: Row | None, destination: Row | None) -> int:
    """Put new addresses into the IP header that begins there; give what that does to checksums."""
    change = 0
    if source is not None:
        ADDRESS.pack_into(octets, at + SOURCE_AT, source.address)
        change += source.delta
    if destination is not None:
        ADDRESS.pack_into(octets, at + DESTINATION_AT, destination.address)
        change += destination.delta
    return change


def adjust_transport(octets: bytearray, begins: int, protocol: int, change: int) -> int:
    """Adjust the checksum of a transport that covers the addresses, if it is there; give what that does to a sum over it."""
    offset = TRANSPORT_CHECKSUM_AT.get(protocol)
    if offset is None or begins + offset + 2 > len(octets):
        return 0
    at = begins + offset
    # A UDP checksum of zero says that there is none (RFC 768).
    if protocol == UDP and not octets[at] and not octets[at + 1]:
        return 0
    before = WORD.unpack_from(octets, at)[0]
    # Zero has a second form, which is the only one that UDP may send; the kernel writes it for TCP too.
    after = adjust(before, change) or 0xFFFF
    WORD.pack_into(octets, at, after)
    return word_delta(before, after)


def adjust_at(octets: bytearray, at: int, change: int) -> int:
    """Adjust a checksum; give what that does to a sum over it."""
    before = WORD.unpack_from(octets, at)[0]
    after = adjust(before, change)
    WORD.pack_into(octets, at, after)
    return word_delta(before, after)


def word_delta(old: int, new: int) -> int:
    """What exchanging one 16-bit word adds to a complemented checksum."""
    return (~old & 0xFFFF) + new
