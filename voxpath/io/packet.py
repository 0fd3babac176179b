"""An IPv4 and UDP packet made by hand, for a client that has no address yet."""

import struct
from ipaddress import IPv4Address

from voxpath.model.address import Endpoint
from voxpath.nappt.checksum import total

TTL = 64
UDP = 17


def udp_packet(payload: bytes, source: Endpoint, destination: Endpoint) -> bytes:
    """Build the whole IPv4 packet, checksums included (RFC 791, RFC 768)."""
    length = 8 + len(payload)
    addresses = IPv4Address(source.host).packed + IPv4Address(destination.host).packed
    udp = struct.pack("!HHHH", source.port, destination.port, length, 0)
    # The checksum covers a pseudo header; a computed 0 is sent as 0xffff, since 0 means "none".
    checksum = total(addresses + struct.pack("!BBH", 0, UDP, length) + udp + payload) ^ 0xFFFF
    udp = struct.pack("!HHHH", source.port, destination.port, length, checksum or 0xFFFF)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, TTL, UDP, 0)
    checksum = total(header + addresses) ^ 0xFFFF
    return header[:10] + checksum.to_bytes(2, "big") + addresses + udp + payload
