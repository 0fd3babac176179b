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


def udp_packet(payload: bytes, source: Endpoint, destination: Endpoint) -> bytes:
    """Build the whole IPv4 packet, checksums included (RFC 791, RFC 768)."""
    length = 8 + len(payload)
    addresses = inet_aton(source.host) + inet_aton(destination.host)
    udp = struct.pack("!HHHH", source.port, destination.port, length, 0)
    # The checksum covers a pseudo header; a computed 0 is sent as 0xffff, since 0 means "none".
    checksum = total(addresses + struct.pack("!BBH", 0, UDP, length) + udp + payload) ^ 0xFFFF
    udp = struct.pack("!HHHH", source.port, destination.port, length, checksum or 0xFFFF)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, TTL, UDP, 0)
    checksum = total(header + addresses) ^ 0xFFFF
    return header[:10] + checksum.to_bytes(2, "big") + addresses + udp + payload


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
