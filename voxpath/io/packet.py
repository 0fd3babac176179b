"""An IPv4 and UDP packet made by hand, for a client that has no address yet."""

import struct
from ipaddress import IPv4Address

from voxpath.model.address import Endpoint

TTL = 64
UDP = 17


def udp_packet(payload: bytes, source: Endpoint, destination: Endpoint) -> bytes:
    """Build the whole IPv4 packet, checksums included (RFC 791, RFC 768)."""
    length = 8 + len(payload)
    addresses = IPv4Address(source.host).packed + IPv4Address(destination.host).packed
    udp = struct.pack("!HHHH", source.port, destination.port, length, 0)
    # The checksum covers a pseudo header; a computed 0 is sent as 0xffff, since 0 means "none".
    total = _sum(addresses + struct.pack("!BBH", 0, UDP, length) + udp + payload)
    udp = struct.pack("!HHHH", source.port, destination.port, length, total or 0xFFFF)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, TTL, UDP, 0)
    checksum = _sum(header + addresses)
    return header[:10] + checksum.to_bytes(2, "big") + addresses + udp + payload


def _sum(octets: bytes) -> int:
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
