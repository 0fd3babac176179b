"""IPv4 and UDP packets made and read by hand, for clients that have no address yet."""

import struct
from ipaddress import IPv4Address
from socket import inet_aton
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.nappt.checksum import total

TTL = 64
UDP = 17
_IPV4_HEADER, _UDP_HEADER = 20, 8
_PACKET = struct.Struct("!BBHHHBBH4s4sHHHH")
_FIXED = 0x4500 + (TTL << 8 | UDP)
"""The words of an IPv4 header that are the same in all of ours."""


def udp_packet(payload: bytes, source: Endpoint, destination: Endpoint) -> bytes:
    """Build the whole IPv4 packet, checksums included (RFC 791, RFC 768)."""
    length = _UDP_HEADER + len(payload)
    source_address, destination_address = inet_aton(source.host), inet_aton(destination.host)
    # A number and the sum of its 16-bit words leave the same remainder, so whole fields are added.
    addresses = int.from_bytes(source_address, "big") + int.from_bytes(destination_address, "big")
    # The checksum of UDP covers a pseudo header; a computed 0 is sent as 0xffff, since 0 means "none".
    covered = addresses + UDP + length + source.port + destination.port + length + total(payload)
    header = _FIXED + _IPV4_HEADER + length + addresses
    return _PACKET.pack(
        0x45, 0, _IPV4_HEADER + length, 0, 0, TTL, UDP, _checksum(header), source_address, destination_address,
        source.port, destination.port, length, _checksum(covered) or 0xFFFF,
    ) + payload  # fmt: skip


def _checksum(words: int) -> int:
    """The complement of a sum of words that is not 0."""
    return ~(words % 0xFFFF or 0xFFFF) & 0xFFFF


class UdpPacket(NamedTuple):
    """What an IPv4 packet carried."""

    source: Endpoint
    destination: Endpoint
    payload: bytes


def read_udp(packet: bytes) -> UdpPacket | None:
    """Read a whole IPv4 and UDP packet; ``None``: it is another kind of packet, or a fragment.

    Checksums are not looked at: the driver of a virtual interface leaves them open, and the Ethernet frame has one.

    :raises RemoteError: it is cut off.
    """
    if len(packet) < _IPV4_HEADER:
        raise RemoteError(f"an IPv4 packet of {len(packet)} octets", offset=len(packet), section="RFC 791 section 3.1")
    header, fragment = (packet[0] & 15) * 4, int.from_bytes(packet[6:8], "big") & 0x3FFF
    if packet[0] >> 4 != 4 or packet[9] != UDP or fragment:
        return None
    if header < _IPV4_HEADER or len(packet) < header + _UDP_HEADER:
        raise RemoteError("an IPv4 packet without its UDP header", offset=len(packet), section="RFC 768")
    source, destination, length = struct.unpack_from("!HHH", packet, header)
    if not _UDP_HEADER <= length <= len(packet) - header:
        raise RemoteError(f"a UDP length of {length}", offset=header + 4, section="RFC 768")
    hosts = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
    payload = packet[header + _UDP_HEADER : header + length]
    return UdpPacket(Endpoint(next(hosts), source), Endpoint(next(hosts), destination), payload)
