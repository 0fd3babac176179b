"""Exchanging the addresses of a packet, in step with every checksum that covers them."""

from typing import NamedTuple, Protocol

from voxpath.nappt.checksum import HOP_DELTA, adjust
from voxpath.nappt.packet import (
    ADDRESS,
    CHECKSUM_AT,
    DESTINATION_AT,
    ECHO_IDENTIFIER_AT,
    FRAGMENT_OFFSET,
    ICMP,
    ICMP_CHECKSUM_AT,
    SOURCE_AT,
    TRANSPORT_CHECKSUM_AT,
    TTL_AT,
    UDP,
    WORD,
    Header,
)


class NewAddress(Protocol):
    """What an address becomes."""

    @property
    def address(self) -> int:
        """The new one."""

    @property
    def delta(self) -> int:
        """What that does to a checksum."""


class NewPorts(NamedTuple):
    """What the ports become; 0: that one stays, as all ports of blocks do."""

    source: int = 0
    destination: int = 0


UNCHANGED = NewPorts()


def rewritten(
    packet: bytes, header: Header, source: NewAddress | None, destination: NewAddress | None, ports: NewPorts = UNCHANGED
) -> bytearray:
    """One hop further with the addresses exchanged; octets behind the IP total length are cut.

    :param source: the new source address; ``None``: it stays.
    """
    octets = bytearray(packet[: header.total])
    change = exchange(octets, 0, source, destination)
    octets[TTL_AT] -= 1
    adjust_at(octets, CHECKSUM_AT, change + HOP_DELTA)
    # Only the first fragment has a transport's header; its checksum covers the addresses for all of them.
    if not header.fragment & FRAGMENT_OFFSET:
        if ports is not UNCHANGED:
            change = exchange_ports(octets, header.length, header.protocol, ports, change)
        adjust_transport(octets, header.length, header.protocol, change)
    return octets


def exchange_ports(octets: bytearray, begins: int, protocol: int, ports: NewPorts, change: int) -> int:
    """Put new ports into a transport's header, or a new identifier into an ICMP echo; give what the checksum has to follow.

    :param change: what it has to follow already, for addresses, which the checksum of ICMP does not cover.
    """
    if protocol == ICMP:
        identifier = ports.source or ports.destination
        before = _put(octets, begins + ECHO_IDENTIFIER_AT, identifier)
        adjust_at(octets, begins + ICMP_CHECKSUM_AT, word_delta(before, identifier))
        return change
    for offset, port in ((0, ports.source), (2, ports.destination)):
        if port:
            change += word_delta(_put(octets, begins + offset, port), port)
    return change


def _put(octets: bytearray, at: int, word: int) -> int:
    """Put a word in; give the one before."""
    before: int = WORD.unpack_from(octets, at)[0]
    WORD.pack_into(octets, at, word)
    return before


def exchange(octets: bytearray, at: int, source: NewAddress | None, destination: NewAddress | None) -> int:
    """Put new addresses into the IP header that begins there; give what that does to checksums."""
    change = 0
    if source is not None:
        ADDRESS.pack_into(octets, at + SOURCE_AT, source.address)
        change += source.delta
    if destination is not None:
        ADDRESS.pack_into(octets, at + DESTINATION_AT, destination.address)
        change += destination.delta
    return change


def adjust_transport(octets: bytearray, begins: int, protocol: int, change: int) -> None:
    """Adjust the checksum of a transport that covers the addresses, if it is there."""
    offset = TRANSPORT_CHECKSUM_AT.get(protocol)
    if offset is None or begins + offset + 2 > len(octets):
        return
    at = begins + offset
    # A UDP checksum of zero says that there is none (RFC 768).
    if protocol == UDP and not octets[at] and not octets[at + 1]:
        return
    # Zero has a second form, which is the only one that UDP may send; the kernel writes it for TCP too.
    WORD.pack_into(octets, at, adjust(WORD.unpack_from(octets, at)[0], change) or 0xFFFF)


def adjust_at(octets: bytearray, at: int, change: int) -> None:
    """Adjust a checksum."""
    WORD.pack_into(octets, at, adjust(WORD.unpack_from(octets, at)[0], change))


def word_delta(old: int, new: int) -> int:
    """What exchanging one 16-bit word adds to a complemented checksum."""
    return (~old & 0xFFFF) + new
