"""The builder of crafted packets, right and wrong ones, and the site that they are made for."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from voxpath.model.ports import Mapping, PortBlock
from voxpath.nappt.verdict import Reason

PHONE1, PHONE2, PHONE3, PHONE4, PHONE5, PHONE6 = (f"10.0.0.{number}" for number in range(11, 17))
STRANGER = "10.0.0.99"
PUBLIC1, PUBLIC2, UNUSED_PUBLIC = "203.0.113.1", "203.0.113.2", "203.0.113.3"
FAR = "198.51.100.2"
PREFIX = "10.0.0.0/24"


def mapping(private: str, public: str, first: int, size: int) -> Mapping:
    """A mapping by texts."""
    return Mapping(IPv4Address(private), PortBlock(IPv4Address(public), first, size))


MAPPINGS = (
    mapping(PHONE1, PUBLIC1, 2048, 64),
    mapping(PHONE2, PUBLIC1, 2112, 64),
    mapping(PHONE3, PUBLIC2, 2048, 64),
    mapping(PHONE4, PUBLIC1, 4096, 256),
    mapping(PHONE5, PUBLIC2, 3000, 8),
    mapping(PHONE6, PUBLIC2, 5001, 1),
)


def checksum(octets: bytes) -> int:
    """The Internet checksum, computed afresh and slowly."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(
    source: str,
    destination: str,
    payload: bytes,
    protocol: int = 17,
    *,
    ttl: int = 64,
    tos: int = 0xB8,
    fragment: int = 0x4000,
    options: bytes = b"",
    version: int = 4,
    words: int | None = None,
    length: int | None = None,
    damage: int = 0,
) -> bytes:
    """An IP packet; the later arguments make it wrong on purpose."""
    words = 5 + len(options) // 4 if words is None else words
    length = 20 + len(options) + len(payload) if length is None else length
    header = struct.pack(
        "!BBHHHBBH4s4s", version << 4 | words, tos, length, 0x1234, fragment, ttl, protocol, 0,
        IPv4Address(source).packed, IPv4Address(destination).packed,
    ) + options  # fmt: skip
    return header[:10] + struct.pack("!H", checksum(header) ^ damage) + header[12:] + payload


def _pseudo(source: str, destination: str, protocol: int, length: int) -> bytes:
    return IPv4Address(source).packed + IPv4Address(destination).packed + struct.pack("!BBH", 0, protocol, length)


def udp(
    source: str, port: int, destination: str, to: int, payload: bytes = b"voxpath", *, sum_: int | None = None, **more: Any
) -> bytes:
    """A UDP packet; ``sum_`` overrides its checksum."""
    length = 8 + len(payload)
    body = struct.pack("!HHHH", port, to, length, 0) + payload
    if sum_ is None:
        sum_ = checksum(_pseudo(source, destination, 17, length) + body) or 0xFFFF
    return ip(source, destination, body[:6] + struct.pack("!H", sum_) + body[8:], **more)


def tcp(source: str, port: int, destination: str, to: int, payload: bytes = b"", **more: Any) -> bytes:
    """A TCP SYN."""
    body = struct.pack("!HHIIBBHHH", port, to, 1, 0, 0x50, 2, 1000, 0, 0) + payload
    sum_ = checksum(_pseudo(source, destination, 6, len(body)) + body)
    return ip(source, destination, body[:16] + struct.pack("!H", sum_) + body[18:], 6, **more)


def announcing(source: str, port: int, destination: str, to: int, options: bytes, flags: int = 2) -> bytes:
    """A TCP packet with options, by default a SYN."""
    plain = tcp(source, port, destination, to, options)
    body = bytearray(plain[20:])
    body[12], body[13], body[16:18] = (20 + len(options)) // 4 << 4, flags, b"\0\0"
    body[16:18] = checksum(_pseudo(source, destination, 6, len(body)) + bytes(body)).to_bytes(2, "big")
    return plain[:20] + bytes(body)


def sctp(source: str, port: int, destination: str, to: int, **more: Any) -> bytes:
    """An SCTP packet; its checksum does not cover the addresses, so any value shows that it is left alone."""
    return ip(source, destination, struct.pack("!HHII", port, to, 0x11223344, 0x55667788), 132, **more)


def icmp(source: str, destination: str, kind: int, code: int, rest: bytes, data: bytes, sum_: int = 0, **more: Any) -> bytes:
    """An ICMP message; ``sum_`` damages its checksum."""
    body = struct.pack("!BBH", kind, code, 0) + rest + data
    return ip(source, destination, body[:2] + struct.pack("!H", (checksum(body) + sum_) % 0xFFFF) + body[4:], 1, **more)


def ping(source: str, destination: str, identifier: int, data: bytes = b"voxpath", **more: Any) -> bytes:
    """An echo request."""
    return icmp(source, destination, 8, 0, struct.pack("!HH", identifier, 1), data, **more)


def pong(source: str, destination: str, identifier: int, data: bytes = b"voxpath", **more: Any) -> bytes:
    """An echo reply."""
    return icmp(source, destination, 0, 0, struct.pack("!HH", identifier, 1), data, **more)


def error(source: str, destination: str, about: bytes, kind: int = 3, code: int = 3, rest: bytes = bytes(4), **more: Any) -> bytes:
    """An ICMP error about a packet, with as much of that as RFC 1812 section 4.3.2.3 lets it have."""
    return icmp(source, destination, kind, code, rest, about[:548], **more)


def checksums_hold(packet: bytes) -> bool:
    """Recompute the IP checksum, and that of UDP, TCP or ICMP (a UDP checksum of zero holds)."""
    size = (packet[0] & 15) * 4
    body = packet[size:]
    if packet[9] == 1:
        return checksum(packet[:size]) == checksum(body) == 0
    if packet[9] == 17 and body[6:8] == b"\0\0":
        return checksum(packet[:size]) == 0
    pseudo = packet[12:20] + struct.pack("!BBH", 0, packet[9], len(body))
    return checksum(packet[:size]) == 0 and checksum(pseudo + body) == 0


def zeroing(source: str, port: int, destination: str, to: int, *, behind: tuple[str, str]) -> bytes:
    """A UDP packet whose checksum would come out as zero; ``behind``: its source and destination behind the gateway."""
    body = struct.pack("!HHHH", port, to, 10, 0)
    rest = checksum(_pseudo(*behind, 17, 10) + body)
    return udp(source, port, destination, to, struct.pack("!H", rest))


def changed(packet: bytes, at: int, octets: bytes) -> bytes:
    """A packet with some octets behind its IP header exchanged, whatever its checksums say then."""
    at += (packet[0] & 15) * 4
    return packet[:at] + octets + packet[at + len(octets) :]


@dataclass(frozen=True)
class Case:
    """A packet, where it comes from, and what becomes of it: the source and destination it leaves with, or the reason.

    :ivar becomes: all octets of it behind the gateway, where addresses in its payload change; empty: those stay.
    :ivar counted: whether the kernel's table counts the drop; wrong headers are the kernel's own business.
    """

    name: str
    from_inside: bool
    packet: bytes
    reason: Reason | None = None
    leaves: tuple[str, str] = ("", "")
    counted: bool = True
    becomes: bytes = b""


def passes(name: str, packet: bytes, source: str, destination: str) -> Case:
    """A packet that goes on with these addresses."""
    return Case(name, packet[12:15] == bytes((10, 0, 0)), packet, leaves=(source, destination))


def becomes(name: str, packet: bytes, behind: bytes) -> Case:
    """A packet that goes on as this one."""
    addresses = (str(IPv4Address(behind[12:16])), str(IPv4Address(behind[16:20])))
    return Case(name, packet[12:15] == bytes((10, 0, 0)), packet, leaves=addresses, becomes=behind)


def out(name: str, packet: bytes, reason: Reason, *, counted: bool = True) -> Case:
    """A packet from inside that is dropped."""
    return Case(name, True, packet, reason, counted=counted)


def into(name: str, packet: bytes, reason: Reason, *, counted: bool = True) -> Case:
    """A packet from outside that is dropped."""
    return Case(name, False, packet, reason, counted=counted)


NOPS = b"\x01\x01\x01\x00"
SOURCE_ROUTE = b"\x83\x07\x04\xc0\x00\x02\x01\x00"
BAD_OPTION = b"\x44\x09\x05\x00"

SENT = udp(PHONE1, 2048, FAR, 9, ttl=60)
"""A packet of a phone, as it shows it; and below as the outside saw it, one hop further."""
SEEN = udp(PUBLIC1, 2048, FAR, 9, ttl=60)
CAME = udp(FAR, 9, PUBLIC1, 2048, ttl=60)
GOT = udp(FAR, 9, PHONE1, 2048, ttl=60)
ROUTER, INNER_ROUTER = "192.0.2.9", "10.0.0.3"
MTU_1400 = struct.pack("!HH", 0, 1400)
LONG = bytes(range(256)) * 12


def cut(packet: bytes, size: int = 1200, identification: int = 0x1234) -> list[bytes]:
    """A packet in fragments of so many octets."""
    header, body = packet[:20], packet[20:]
    parts = []
    for at in range(0, len(body), size):
        more = 0x2000 if at + size < len(body) else 0
        words = header[:2] + struct.pack("!HHH", 20 + len(body[at : at + size]), identification, at // 8 | more)
        words += header[8:10] + b"\0\0" + header[12:20]
        parts.append(words[:10] + struct.pack("!H", checksum(words)) + words[12:] + body[at : at + size])
    return parts
