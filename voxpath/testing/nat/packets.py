"""Crafted packets: one table of cases that every NAT back end has to answer alike, and the builder that makes them."""

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


def ping(source: str, destination: str, identifier: int, **more: Any) -> bytes:
    """An echo request."""
    return icmp(source, destination, 8, 0, struct.pack("!HH", identifier, 1), b"voxpath", **more)


def pong(source: str, destination: str, identifier: int, **more: Any) -> bytes:
    """An echo reply."""
    return icmp(source, destination, 0, 0, struct.pack("!HH", identifier, 1), b"voxpath", **more)


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


def zeroing(source: str, port: int, public: str, destination: str, to: int) -> bytes:
    """A UDP packet whose checksum would come out as zero after its source is translated."""
    body = struct.pack("!HHHH", port, to, 10, 0)
    rest = checksum(_pseudo(public, destination, 17, 10) + body)
    return udp(source, port, destination, to, struct.pack("!H", rest))


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
R = Reason

SENT = udp(PHONE1, 2048, FAR, 9, ttl=60)
"""A packet of a phone, as it shows it; and below as the outside saw it, one hop further."""
SEEN = udp(PUBLIC1, 2048, FAR, 9, ttl=60)
CAME = udp(FAR, 9, PUBLIC1, 2048, ttl=60)
GOT = udp(FAR, 9, PHONE1, 2048, ttl=60)
ROUTER, INNER_ROUTER = "192.0.2.9", "10.0.0.3"
MTU_1400 = struct.pack("!HH", 0, 1400)

ICMP_CASES = (
    becomes("an echo request leaves by its identifier", ping(PHONE1, FAR, 2050), ping(PUBLIC1, FAR, 2050, ttl=63)),
    becomes("an echo request of the highest port", ping(PHONE4, FAR, 4351), ping(PUBLIC1, FAR, 4351, ttl=63)),
    becomes("an echo request of a smaller block", ping(PHONE5, FAR, 3007), ping(PUBLIC2, FAR, 3007, ttl=63)),
    becomes("an echo reply comes back by its identifier", pong(FAR, PUBLIC1, 2050), pong(FAR, PHONE1, 2050, ttl=63)),
    becomes("an echo with a bad checksum stays bad", ping(PHONE1, FAR, 2050, sum_=7), ping(PUBLIC1, FAR, 2050, sum_=7, ttl=63)),
    out("an echo request with a foreign identifier", ping(PHONE1, FAR, 2112), R.SPOOFED_PORT),
    out("an echo request of a host without a lease", ping(STRANGER, FAR, 2050), R.UNKNOWN_PHONE),
    out("an echo request with TTL 1", ping(PHONE1, FAR, 2050, ttl=1), R.TTL_EXPIRED),
    out("an echo request to a public address", ping(PHONE1, PUBLIC1, 2050), R.ICMP),
    into("an echo request from outside", ping(FAR, PUBLIC1, 2050), R.ICMP),
    into("an echo reply that nobody asked for", pong(FAR, PUBLIC1, 2176), R.UNLEASED_PORT),
    out("an echo reply from inside", pong(PHONE1, FAR, 2050), R.ICMP),
    out("an ICMP redirect", icmp(PHONE1, FAR, 5, 1, bytes(4), GOT), R.ICMP),
    into("a source quench", error(ROUTER, PUBLIC1, SEEN, 4, 0), R.ICMP),
    into("a timestamp request", icmp(FAR, PUBLIC1, 13, 0, struct.pack("!HH", 2048, 1), bytes(12)), R.ICMP),
    out("four octets of ICMP", ip(PHONE1, FAR, b"\x08\0\xf7\xff", 1), R.TRUNCATED),
    becomes("port unreachable comes back", error(FAR, PUBLIC1, SEEN), error(FAR, PHONE1, SENT, ttl=63)),
    becomes(
        "fragmentation needed by a router",
        error(ROUTER, PUBLIC1, SEEN, 3, 4, MTU_1400),
        error(ROUTER, PHONE1, SENT, 3, 4, MTU_1400, ttl=63),
    ),
    becomes("time exceeded at a router", error(ROUTER, PUBLIC1, SEEN, 11, 0), error(ROUTER, PHONE1, SENT, 11, 0, ttl=63)),
    becomes("parameter problem", error(FAR, PUBLIC1, SEEN, 12, 0), error(FAR, PHONE1, SENT, 12, 0, ttl=63)),
    becomes("an error that shows eight octets", error(FAR, PUBLIC1, SEEN[:28]), error(FAR, PHONE1, SENT[:28], ttl=63)),
    becomes(
        "an error about TCP",
        error(FAR, PUBLIC1, tcp(PUBLIC1, 2050, FAR, 80)),
        error(FAR, PHONE1, tcp(PHONE1, 2050, FAR, 80), ttl=63),
    ),
    becomes(
        "an error about TCP without its checksum",
        error(FAR, PUBLIC1, tcp(PUBLIC1, 2050, FAR, 80)[:28]),
        error(FAR, PHONE1, tcp(PHONE1, 2050, FAR, 80)[:28], ttl=63),
    ),
    becomes(
        "an error about SCTP",
        error(FAR, PUBLIC1, sctp(PUBLIC1, 2050, FAR, 80)),
        error(FAR, PHONE1, sctp(PHONE1, 2050, FAR, 80), ttl=63),
    ),
    becomes(
        "an error about an echo request",
        error(ROUTER, PUBLIC1, ping(PUBLIC1, FAR, 2050), 11, 0),
        error(ROUTER, PHONE1, ping(PHONE1, FAR, 2050), 11, 0, ttl=63),
    ),
    becomes(
        "an error about UDP without a checksum",
        error(FAR, PUBLIC1, udp(PUBLIC1, 2048, FAR, 9, sum_=0)),
        error(FAR, PHONE1, udp(PHONE1, 2048, FAR, 9, sum_=0), ttl=63),
    ),
    becomes(
        "an error about a packet with IP options",
        error(FAR, PUBLIC1, udp(PUBLIC1, 2048, FAR, 9, options=NOPS)),
        error(FAR, PHONE1, udp(PHONE1, 2048, FAR, 9, options=NOPS), ttl=63),
    ),
    becomes("an error with a bad checksum stays bad", error(FAR, PUBLIC1, SEEN, sum_=9), error(FAR, PHONE1, SENT, sum_=9, ttl=63)),
    becomes("port unreachable of a phone", error(PHONE1, FAR, GOT), error(PUBLIC1, FAR, CAME, ttl=63)),
    becomes(
        "an error of a router between gateway and phone",
        error(INNER_ROUTER, FAR, GOT, 3, 1),
        error(PUBLIC1, FAR, CAME, 3, 1, ttl=63),
    ),
    becomes(
        "an error of a phone about a hairpin",
        error(PHONE2, PUBLIC1, udp(PUBLIC1, 2048, PHONE2, 2112)),
        error(PUBLIC1, PHONE1, udp(PHONE1, 2048, PUBLIC1, 2112), ttl=63),
    ),
    into("an error about an unleased port", error(FAR, PUBLIC1, udp(PUBLIC1, 2176, FAR, 9)), R.UNLEASED_PORT),
    into("an error about a packet of another address", error(FAR, PUBLIC2, SEEN), R.ICMP),
    into("an error about an error", error(FAR, PUBLIC1, error(PUBLIC1, FAR, CAME)), R.ICMP),
    into("an error about a later fragment", error(FAR, PUBLIC1, udp(PUBLIC1, 2048, FAR, 9, fragment=16)), R.FRAGMENT),
    into("an error about GRE", error(FAR, PUBLIC1, ip(PUBLIC1, FAR, bytes(12), 47)), R.UNKNOWN_PROTOCOL),
    into("an error about nothing", error(FAR, PUBLIC1, b""), R.TRUNCATED),
    into("an error about seven octets", error(FAR, PUBLIC1, SEEN[:27]), R.TRUNCATED),
    into("an error about a header beyond its end", error(FAR, PUBLIC1, bytes((0x4F,)) + SEEN[1:28]), R.TRUNCATED),
    into("an error about IPv6", error(FAR, PUBLIC1, bytes((0x60,)) + SEEN[1:]), R.ICMP),
    into("an error about a header of four words", error(FAR, PUBLIC1, bytes((0x44,)) + SEEN[1:]), R.ICMP),
    out("an error about a packet to another phone", error(PHONE2, FAR, GOT), R.SPOOFED_PORT),
    out("an error that shows the outside another phone", error(PHONE1, FAR, udp(PHONE2, 9, PHONE1, 2048)), R.ICMP),
    out("an error about a port that its phone does not hold", error(PHONE1, FAR, udp(FAR, 9, PHONE1, 2112)), R.SPOOFED_PORT),
    out("an error about an address without a lease", error(STRANGER, FAR, udp(FAR, 9, STRANGER, 2048)), R.UNKNOWN_PHONE),
    out(
        "an error to a public address that sent nothing",
        error(PHONE2, PUBLIC1, udp(PUBLIC2, 2048, PHONE2, 2112)),
        R.ICMP,
    ),
    into("an error with TTL 1", error(FAR, PUBLIC1, SEEN, ttl=1), R.TTL_EXPIRED),
    into("an error from an inside address", error(INNER_ROUTER, PUBLIC1, SEEN), R.BOGON),
)
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


WHOLES = (
    ("UDP outbound", udp(PHONE1, 2048, FAR, 9, LONG, fragment=0), udp(PUBLIC1, 2048, FAR, 9, LONG, fragment=0, ttl=63)),
    ("TCP outbound", tcp(PHONE1, 2048, FAR, 9, LONG, fragment=0), tcp(PUBLIC1, 2048, FAR, 9, LONG, fragment=0, ttl=63)),
    ("UDP inbound", udp(FAR, 9, PUBLIC1, 2048, LONG, fragment=0), udp(FAR, 9, PHONE1, 2048, LONG, fragment=0, ttl=63)),
    ("TCP inbound", tcp(FAR, 9, PUBLIC1, 2048, LONG, fragment=0), tcp(FAR, 9, PHONE1, 2048, LONG, fragment=0, ttl=63)),
    (
        "UDP hairpin",
        udp(PHONE1, 2048, PUBLIC1, 2112, LONG, fragment=0),
        udp(PUBLIC1, 2048, PHONE2, 2112, LONG, fragment=0, ttl=63),
    ),
)
"""Packets that come in fragments: their names, and all octets before and behind the gateway."""

CASES = (
    passes("UDP outbound, lowest port", udp(PHONE1, 2048, FAR, 5060), PUBLIC1, FAR),
    passes("UDP outbound, highest port", udp(PHONE1, 2111, FAR, 5060), PUBLIC1, FAR),
    passes("UDP outbound of the neighbouring block", udp(PHONE2, 2112, FAR, 5060), PUBLIC1, FAR),
    passes("the same port on the other public address", udp(PHONE3, 2048, FAR, 5060), PUBLIC2, FAR),
    passes("a larger block, first cell", udp(PHONE4, 4096, FAR, 9), PUBLIC1, FAR),
    passes("a larger block, last port", udp(PHONE4, 4351, FAR, 9), PUBLIC1, FAR),
    passes("a smaller block, first port", udp(PHONE5, 3000, FAR, 9), PUBLIC2, FAR),
    passes("a smaller block, last port", udp(PHONE5, 3007, FAR, 9), PUBLIC2, FAR),
    passes("a block of one port", udp(PHONE6, 5001, FAR, 9), PUBLIC2, FAR),
    passes("TCP outbound", tcp(PHONE1, 2050, FAR, 80), PUBLIC1, FAR),
    passes("UDP inbound, unsolicited", udp(FAR, 7, PUBLIC1, 2048), FAR, PHONE1),
    passes("UDP inbound, the other public address", udp(FAR, 7, PUBLIC2, 2048), FAR, PHONE3),
    passes("UDP inbound, larger block", udp(FAR, 7, PUBLIC1, 4200), FAR, PHONE4),
    passes("UDP inbound, smaller block", udp(FAR, 7, PUBLIC2, 3004), FAR, PHONE5),
    passes("UDP inbound, one port", udp(FAR, 7, PUBLIC2, 5001), FAR, PHONE6),
    passes("TCP inbound", tcp(FAR, 80, PUBLIC1, 2111, b"odd"), FAR, PHONE1),
    passes("no UDP checksum stays none, outbound", udp(PHONE1, 2048, FAR, 9, sum_=0), PUBLIC1, FAR),
    passes("no UDP checksum stays none, inbound", udp(FAR, 9, PUBLIC1, 2048, sum_=0), FAR, PHONE1),
    passes("a bad UDP checksum stays bad", udp(PHONE1, 2048, FAR, 9, sum_=0x1357), PUBLIC1, FAR),
    passes("a bad TCP checksum stays bad", tcp(FAR, 9, PUBLIC1, 2048)[:-4] + b"\xaa\xbb\0\0", FAR, PHONE1),
    passes("a computed zero is sent as ones", zeroing(PHONE1, 2048, PUBLIC1, FAR, 9), PUBLIC1, FAR),
    passes("an odd number of octets", udp(PHONE1, 2048, FAR, 9, b"odd"), PUBLIC1, FAR),
    passes("an empty payload", udp(PHONE1, 2048, FAR, 9, b""), PUBLIC1, FAR),
    passes("IP options outbound", udp(PHONE1, 2048, FAR, 9, options=NOPS), PUBLIC1, FAR),
    passes("IP options inbound", udp(FAR, 9, PUBLIC1, 2048, options=NOPS), FAR, PHONE1),
    passes("TOS and ECN are kept", udp(PHONE1, 2048, FAR, 9, tos=0x2F), PUBLIC1, FAR),
    passes("without don't-fragment", udp(PHONE1, 2048, FAR, 9, fragment=0), PUBLIC1, FAR),
    passes("TTL 2 outbound", udp(PHONE1, 2048, FAR, 9, ttl=2), PUBLIC1, FAR),
    passes("TTL 2 inbound", udp(FAR, 9, PUBLIC1, 2048, ttl=2), FAR, PHONE1),
    passes("octets behind the total length are cut", udp(PHONE1, 2048, FAR, 9) + b"padding", PUBLIC1, FAR),
    passes("a payload that names addresses stays", udp(PHONE1, 2048, FAR, 5060, b"c=IN IP4 10.0.0.11"), PUBLIC1, FAR),
    passes("hairpin to another phone", udp(PHONE1, 2048, PUBLIC1, 2112), PUBLIC1, PHONE2),
    passes("hairpin by TCP to the other public address", tcp(PHONE1, 2049, PUBLIC2, 2049), PUBLIC1, PHONE3),
    out("a port of another phone's block", udp(PHONE2, 2048, FAR, 9), R.SPOOFED_PORT),
    out("a port that nobody holds", udp(PHONE1, 40000, FAR, 9), R.SPOOFED_PORT),
    out("a low port", udp(PHONE1, 53, FAR, 53), R.SPOOFED_PORT),
    out("one beyond a smaller block", udp(PHONE5, 3008, FAR, 9), R.SPOOFED_PORT),
    out("a spoofed port by TCP", tcp(PHONE2, 2048, FAR, 80), R.SPOOFED_PORT),
    out("a spoofed port in a hairpin", udp(PHONE2, 2048, PUBLIC1, 2049), R.SPOOFED_PORT),
    out("an address without a lease", udp(STRANGER, 2048, FAR, 9), R.UNKNOWN_PHONE),
    into("a port that nobody holds", udp(FAR, 9, PUBLIC1, 2176), R.UNLEASED_PORT),
    into("a public address without leases", udp(FAR, 9, UNUSED_PUBLIC, 2048), R.UNLEASED_PORT),
    into("beside a smaller block", udp(FAR, 9, PUBLIC2, 3008), R.UNLEASED_PORT),
    into("an unleased port by TCP", tcp(FAR, 9, PUBLIC1, 80), R.UNLEASED_PORT),
    out("hairpin to an unleased port", udp(PHONE1, 2048, PUBLIC1, 2176), R.UNLEASED_PORT),
    out("GRE outbound", ip(PHONE1, FAR, bytes(12), 47), R.UNKNOWN_PROTOCOL),
    into("GRE inbound", ip(FAR, PUBLIC1, bytes(12), 47), R.UNKNOWN_PROTOCOL),
    *ICMP_CASES,
    passes("SCTP outbound", sctp(PHONE1, 2048, FAR, 9), PUBLIC1, FAR),
    passes("SCTP inbound", sctp(FAR, 9, PUBLIC1, 2048), FAR, PHONE1),
    passes("SCTP hairpin", sctp(PHONE1, 2048, PUBLIC1, 2112), PUBLIC1, PHONE2),
    out("SCTP from a port of another phone", sctp(PHONE1, 2112, FAR, 9), R.SPOOFED_PORT),
    into("SCTP to an unleased port", sctp(FAR, 9, PUBLIC1, 2176), R.UNLEASED_PORT),
    out("eleven octets of SCTP", ip(PHONE1, FAR, (b"\x08\x00" * 6)[:11], 132), R.TRUNCATED),
    out("TTL 1 outbound", udp(PHONE1, 2048, FAR, 9, ttl=1), R.TTL_EXPIRED),
    into("TTL 1 inbound", udp(FAR, 9, PUBLIC1, 2048, ttl=1), R.TTL_EXPIRED),
    out("TTL 1 hairpin", udp(PHONE1, 2048, PUBLIC1, 2112, ttl=1), R.TTL_EXPIRED),
    out("two octets of UDP", ip(PHONE1, FAR, b"\x08\x00"), R.TRUNCATED),
    into("four octets of UDP", ip(FAR, PUBLIC1, b"\x08\x00\x08\x00"), R.TRUNCATED),
    out("nineteen octets of TCP", ip(PHONE1, FAR, (b"\x08\x00" * 10)[:19], 6), R.TRUNCATED),
    out("no octet of UDP", ip(PHONE1, FAR, b""), R.TRUNCATED),
    into("an inside source from outside", udp(PHONE1, 2048, PUBLIC1, 2112), R.BOGON),
    into("our public source from outside", udp(PUBLIC1, 2048, PUBLIC1, 2112), R.BOGON),
    into("an inside destination from outside", udp(FAR, 2048, PHONE1, 2048), R.BOGON),
    out("a foreign source from inside", udp("192.0.2.77", 2048, FAR, 9), R.BOGON),
    out("a public source from inside", udp(PUBLIC1, 2048, FAR, 9), R.BOGON),
    out("a total length beyond the frame", udp(PHONE1, 2048, FAR, 9)[:-3], R.TRUNCATED, counted=False),
    out("less than an IP header", udp(PHONE1, 2048, FAR, 9)[:12], R.TRUNCATED, counted=False),
    out("a total length below the header", udp(PHONE1, 2048, FAR, 9, length=12), R.BAD_HEADER, counted=False),
    out("a header of four words", udp(PHONE1, 2048, FAR, 9, words=4), R.BAD_HEADER, counted=False),
    out("a header beyond the packet", udp(PHONE1, 2048, FAR, 9, words=15), R.BAD_HEADER, counted=False),
    out("IP version 6 in an IPv4 frame", udp(PHONE1, 2048, FAR, 9, version=6), R.BAD_HEADER, counted=False),
    into("a wrong IP checksum", udp(FAR, 9, PUBLIC1, 2048, damage=0x0101), R.BAD_HEADER, counted=False),
    out("a loose source route", udp(PHONE1, 2048, FAR, 9, options=SOURCE_ROUTE), R.BAD_OPTIONS, counted=False),
    into("an option longer than the header", udp(FAR, 9, PUBLIC1, 2048, options=BAD_OPTION), R.BAD_OPTIONS, counted=False),
    out("a multicast destination", udp(PHONE1, 2048, "224.0.1.75", 5060), R.BOGON, counted=False),
    into("a loopback source", udp("127.0.0.1", 9, PUBLIC1, 2048), R.BOGON, counted=False),
)
