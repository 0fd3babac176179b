"""The translation: a packet and the table in, a verdict out (NAP-1 to NAP-6, NAP-11).

The port is never touched, nor anything behind the UDP or TCP header (GEN-11); nothing is remembered of a packet (NAP-4).
What the table does not allow is dropped, with a reason.
The UDP header's own length is the receiver's business: it is not read.
"""

from struct import Struct
from typing import NamedTuple

from voxpath.nappt.checksum import HOP_DELTA, adjust, total
from voxpath.nappt.table import Row, Table
from voxpath.nappt.verdict import Drop, Local, Reason, Translated, Verdict

ICMP = 1
TCP = 6
UDP = 17

SHORTEST_HEADER = 20
FRAGMENT_BITS = 0x3FFF
"""More fragments, and the fragment's offset: a whole packet has neither."""

CHECKSUM_AT = 10
SOURCE_AT = 12
DESTINATION_AT = 16

HEADER_LENGTH = {TCP: 20, UDP: 8}
"""The part of the UDP and TCP header that every packet has."""
TRANSPORT_CHECKSUM_AT = {TCP: 16, UDP: 6}

SOURCE_ROUTES = (131, 137)
"""Loose and strict source route (RFC 791 section 3.1)."""

_IP = Struct("!BxHxxHBBxxII")
_PORTS = Struct("!HH")
_WORD = Struct("!H")
_ADDRESS = Struct("!I")


class _Header(NamedTuple):
    length: int
    total: int
    fragment: int
    ttl: int
    protocol: int
    source: int
    destination: int


def outbound(table: Table, packet: bytes) -> Verdict:
    """Translate a packet that leaves: the inside source address becomes the public one of the phone's block."""
    header = _header(packet)
    if isinstance(header, Drop):
        return header
    if not table.is_inside(header.source) or not _is_unicast(header.destination):
        return Drop(Reason.BOGON)
    ports = _ports(packet, header)
    if isinstance(ports, Drop):
        return ports
    row = _leaving(table, header, ports[0])
    return row if isinstance(row, Drop) else Translated(_rewritten(packet, header, source=row))


def inbound(table: Table, packet: bytes) -> Verdict:
    """Translate a packet that arrives: the public destination address becomes the inside one that holds the port."""
    header = _header(packet)
    if isinstance(header, Drop):
        return header
    source = header.source
    if table.is_inside(source) or table.is_public(source) or not _is_unicast(source) or table.is_inside(header.destination):
        return Drop(Reason.BOGON)
    if not table.is_public(header.destination):
        return Drop(Reason.NOT_OURS)
    ports = _ports(packet, header)
    if isinstance(ports, Drop):
        return ports
    if table.is_service(header.destination, ports[1]):
        return Local()
    row = table.by_public(header.destination, ports[1])
    return Drop(Reason.UNLEASED_PORT) if row is None else Translated(_rewritten(packet, header, destination=row))


def hairpin(table: Table, packet: bytes) -> Verdict:
    """Translate a packet from a phone to a public address of ours: both addresses, in one hop (RFC 4787 REQ-9)."""
    header = _header(packet)
    if isinstance(header, Drop):
        return header
    if not table.is_inside(header.source):
        return Drop(Reason.BOGON)
    if not table.is_public(header.destination):
        return Drop(Reason.NOT_OURS)
    ports = _ports(packet, header)
    if isinstance(ports, Drop):
        return ports
    if table.is_service(header.destination, ports[1]):
        return Local()
    destination = table.by_public(header.destination, ports[1])
    if destination is None:
        return Drop(Reason.UNLEASED_PORT)
    source = _leaving(table, header, ports[0])
    return source if isinstance(source, Drop) else Translated(_rewritten(packet, header, source, destination))


def _header(packet: bytes) -> _Header | Drop:
    """Read and check the IP header as RFC 1812 section 5.2.2 wants it."""
    if len(packet) < SHORTEST_HEADER:
        return Drop(Reason.TRUNCATED)
    version, announced, fragment, ttl, protocol, source, destination = _IP.unpack_from(packet)
    length = (version & 0x0F) * 4
    if version >> 4 != 4 or not SHORTEST_HEADER <= length <= announced:
        return Drop(Reason.BAD_HEADER)
    if len(packet) < announced:
        return Drop(Reason.TRUNCATED)
    if total(packet[:length]) != 0xFFFF:
        return Drop(Reason.BAD_HEADER)
    if length > SHORTEST_HEADER and not _options_are_right(packet[SHORTEST_HEADER:length]):
        return Drop(Reason.BAD_OPTIONS)
    return _Header(length, announced, fragment & FRAGMENT_BITS, ttl, protocol, source, destination)


def _options_are_right(options: bytes) -> bool:
    """Walk the options (RFC 791 section 3.1): well formed, and no source route among them."""
    position = 0
    while position < len(options) and options[position] != 0:
        if options[position] == 1:
            position += 1
            continue
        left = options[position + 1 :]
        if options[position] in SOURCE_ROUTES or not left or not 2 <= left[0] <= len(left) + 1:
            return False
        position += left[0]
    return True


def _ports(packet: bytes, header: _Header) -> tuple[int, int] | Drop:
    """The two ports of a packet that may be translated."""
    if header.fragment:
        return Drop(Reason.FRAGMENT)
    if header.ttl <= 1:
        return Drop(Reason.TTL_EXPIRED)
    needed = HEADER_LENGTH.get(header.protocol)
    if needed is None:
        return Drop(Reason.ICMP if header.protocol == ICMP else Reason.UNKNOWN_PROTOCOL)
    if header.total - header.length < needed:
        return Drop(Reason.TRUNCATED)
    source, destination = _PORTS.unpack_from(packet, header.length)
    return source, destination


def _leaving(table: Table, header: _Header, port: int) -> Row | Drop:
    """Look up the source; that it is found is the source-port check (NAP-5)."""
    row = table.by_private(header.source, port)
    if row is not None:
        return row
    return Drop(Reason.SPOOFED_PORT if table.is_phone(header.source) else Reason.UNKNOWN_PHONE)


def _rewritten(packet: bytes, header: _Header, source: Row | None = None, destination: Row | None = None) -> bytes:
    """One hop further with the addresses exchanged; octets behind the IP total length are padding of the link and are cut."""
    octets = bytearray(packet[: header.total])
    change = 0
    if source is not None:
        _ADDRESS.pack_into(octets, SOURCE_AT, source.address)
        change += source.delta
    if destination is not None:
        _ADDRESS.pack_into(octets, DESTINATION_AT, destination.address)
        change += destination.delta
    octets[8] -= 1
    _adjust_at(octets, CHECKSUM_AT, change + HOP_DELTA)
    at = header.length + TRANSPORT_CHECKSUM_AT[header.protocol]
    # A UDP checksum of zero says that there is none (RFC 768).
    if header.protocol != UDP or octets[at] or octets[at + 1]:
        _adjust_at(octets, at, change)
        if not octets[at] and not octets[at + 1]:
            # Zero has a second form, which is the only one that UDP may send; the kernel writes it for TCP too.
            _WORD.pack_into(octets, at, 0xFFFF)
    return bytes(octets)


def _adjust_at(octets: bytearray, at: int, change: int) -> None:
    _WORD.pack_into(octets, at, adjust(_WORD.unpack_from(octets, at)[0], change))


def _is_unicast(address: int) -> bool:
    """Whether a packet to or from this address may cross a gateway: no "this network", loopback, multicast or reserved one."""
    first = address >> 24
    return 0 < first < 0xE0 and first != 0x7F
