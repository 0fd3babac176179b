"""An IPv4 packet as far as the translation reads it: the IP header, and the ports of what it carries.

Every length is checked before anything is read behind it; a packet that lies about one is refused.
"""

from struct import Struct
from typing import NamedTuple

from voxpath.nappt.checksum import total
from voxpath.nappt.verdict import Drop, Reason

ICMP = 1
TCP = 6
UDP = 17
SCTP = 132

SHORTEST_HEADER = 20
MORE_FRAGMENTS = 0x2000
FRAGMENT_OFFSET = 0x1FFF
FRAGMENT_BITS = MORE_FRAGMENTS | FRAGMENT_OFFSET
"""A whole packet has none of them."""

IDENTIFICATION_AT = 4
FLAGS_AT = 6
TTL_AT = 8
CHECKSUM_AT = 10
SOURCE_AT = 12
DESTINATION_AT = 16

HEADER_LENGTH = {TCP: 20, UDP: 8, SCTP: 12, ICMP: 8}
"""The part of a transport's header that every packet has."""
TRANSPORT_CHECKSUM_AT = {TCP: 16, UDP: 6}
"""Where the checksum is that covers the addresses; those of SCTP and ICMP do not."""

ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED, PARAMETER_PROBLEM = 0, 3, 8, 11, 12
ICMP_CHECKSUM_AT, ECHO_IDENTIFIER_AT = 2, 4
ERRORS = frozenset({UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM})
"""ICMP messages about a packet, which they carry; source quench is not sent any more (RFC 6633), a redirect is never passed on."""

LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE = 131, 137
END_OF_OPTIONS, NO_OPERATION = 0, 1

IP = Struct("!BxHHHBBxxII")
PORTS = Struct("!HH")
WORD = Struct("!H")
ADDRESS = Struct("!I")


class Header(NamedTuple):
    """The IP header.

    :ivar length: octets of the header, with its options.
    :ivar total: octets of the packet; what lies behind them is padding of the link.
    :ivar fragment: :data:`FRAGMENT_BITS` of its word.
    """

    length: int
    total: int
    identification: int
    fragment: int
    ttl: int
    protocol: int
    source: int
    destination: int


class Ports(NamedTuple):
    """The two ports; 0, which nobody holds: that side has none.

    The identifier of an ICMP query is the port of the host that asks (RFC 5508 section 3.1).
    """

    source: int
    destination: int


def header_of(packet: bytes) -> Header | Drop:
    """Read and check the IP header as RFC 1812 section 5.2.2 wants it."""
    if len(packet) < SHORTEST_HEADER:
        return Drop(Reason.TRUNCATED)
    version, announced, identification, fragment, ttl, protocol, source, destination = IP.unpack_from(packet)
    length = (version & 0x0F) * 4
    if version >> 4 != 4 or not SHORTEST_HEADER <= length <= announced:
        return Drop(Reason.BAD_HEADER)
    if len(packet) < announced:
        return Drop(Reason.TRUNCATED)
    if total(packet[:length]) != 0xFFFF:
        return Drop(Reason.BAD_HEADER)
    if length > SHORTEST_HEADER and not _options_are_right(packet[SHORTEST_HEADER:length]):
        return Drop(Reason.BAD_OPTIONS)
    return Header(length, announced, identification, fragment & FRAGMENT_BITS, ttl, protocol, source, destination)


def ports_of(packet: bytes, header: Header, echo: int) -> Ports | Drop:
    """The ports of a whole packet or of a first fragment, which has to hold all of the transport's header (RFC 1858).

    :param echo: the only ICMP message that has any: a request on the way out, a reply on the way in.
    """
    needed = HEADER_LENGTH.get(header.protocol)
    if needed is None:
        return Drop(Reason.UNKNOWN_PROTOCOL)
    if header.total - header.length < needed:
        return Drop(Reason.TRUNCATED)
    if header.protocol == ICMP and packet[header.length] != echo:
        return Drop(Reason.ICMP)
    return ports_at(packet, header.length, header.protocol) or Drop(Reason.ICMP)


def ports_at(packet: bytes, at: int, protocol: int) -> Ports | None:
    """The ports in a transport's header, eight octets of which are there; ``None``: an ICMP message that is no echo."""
    if protocol != ICMP:
        return Ports(*PORTS.unpack_from(packet, at))
    if packet[at] == ECHO_REQUEST:
        return Ports(WORD.unpack_from(packet, at + ECHO_IDENTIFIER_AT)[0], 0)
    if packet[at] == ECHO_REPLY:
        return Ports(0, WORD.unpack_from(packet, at + ECHO_IDENTIFIER_AT)[0])
    return None


def is_error(packet: bytes, header: Header) -> bool:
    """Whether it is an ICMP message about another packet."""
    return header.protocol == ICMP and header.total > header.length and packet[header.length] in ERRORS


def is_unicast(address: int) -> bool:
    """Whether a packet to or from this address may cross a gateway: no "this network", loopback, multicast or reserved one."""
    first = address >> 24
    return 0 < first < 0xE0 and first != 0x7F


def _options_are_right(options: bytes) -> bool:
    """Walk the options (RFC 791 section 3.1): well formed, and no source route among them, which would lead round the table."""
    position = 0
    while position < len(options) and options[position] != END_OF_OPTIONS:
        kind = options[position]
        if kind == NO_OPERATION:
            position += 1
            continue
        left = options[position + 1 :]
        if kind in (LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE) or not left or not 2 <= left[0] <= len(left) + 1:
            return False
        position += left[0]
    return True
