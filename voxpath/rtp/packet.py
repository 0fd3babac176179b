"""The RTP packet, RFC 3550 section 5.1: meaning and bytes in one place, since there is little of either."""

from struct import Struct
from typing import NamedTuple

from voxpath.core.errors import LocalError, RemoteError

VERSION = 2
HEADER = Struct("!BBHII")
EXTENSION = Struct("!HH")
PADDING_BIT = 0x20
EXTENSION_BIT = 0x10
MARKER_BIT = 0x80
LARGEST_CSRC_COUNT = 15
LARGEST_PADDING = 255
LARGEST_EXTENSION = 0xFFFF * 4


class RtpPacket(NamedTuple):
    """One RTP packet.

    :ivar timestamp: in units of the payload's sampling clock: 1/8000 s for G.711.
    :ivar contributors: the CSRC list, at most 15.
    :ivar extension: the header extension as (profile word, octets, a multiple of four); ``None``: there is none.
    :ivar padding: octets of padding behind the payload, with the one that counts them; 0: none.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    contributors: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    padding: int = 0


def parse(octets: bytes) -> RtpPacket:
    """Read a packet; any payload type is taken, and a padding count of zero as no padding.

    :raises RemoteError: it is too short for what its header announces, or not of version 2.
    """
    length = len(octets)
    if length < HEADER.size:
        raise RemoteError(f"{length} octets are no RTP header", offset=length, section="RFC 3550 5.1")
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(octets)
    if first >> 6 != VERSION:
        raise RemoteError(f"RTP version {first >> 6} is not {VERSION}", offset=0, section="RFC 3550 5.1")
    contributors: tuple[int, ...] = ()
    extension = None
    padding = 0
    start = HEADER.size
    if first & 0x3F:
        contributors, start = _contributors(octets, first & 0x0F)
        if first & EXTENSION_BIT:
            extension, start = _extension(octets, start)
        if first & PADDING_BIT:
            padding = _padding(octets, start)
    payload = octets[start : length - padding]
    marker = second >= MARKER_BIT
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, payload, marker, contributors, extension, padding)


def write(packet: RtpPacket) -> bytes:
    """Write a packet.

    :raises LocalError: a part is larger than its length field can say.
    """
    count = len(packet.contributors)
    if count > LARGEST_CSRC_COUNT or not 0 <= packet.padding <= LARGEST_PADDING:
        raise LocalError(f"{count} contributors or {packet.padding} octets of padding do not fit into an RTP header")
    first = VERSION << 6 | count
    parts = [b"".join(csrc.to_bytes(4, "big") for csrc in packet.contributors)]
    if packet.extension is not None:
        first |= EXTENSION_BIT
        profile, data = packet.extension
        if len(data) % 4 or len(data) > LARGEST_EXTENSION:
            raise LocalError(f"an RTP header extension of {len(data)} octets")
        parts.append(EXTENSION.pack(profile, len(data) // 4) + data)
    parts.append(packet.payload)
    if packet.padding:
        first |= PADDING_BIT
        parts.append(bytes(packet.padding - 1) + bytes([packet.padding]))
    return header(packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, packet.marker, first) + b"".join(parts)


def header(payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool, first: int = VERSION << 6) -> bytes:
    """Write the fixed header alone: what a sender of ready-made payloads needs fifty times a second."""
    return HEADER.pack(first, payload_type | (MARKER_BIT if marker else 0), sequence, timestamp, ssrc)


def _contributors(octets: bytes, count: int) -> tuple[tuple[int, ...], int]:
    start = HEADER.size
    end = start + 4 * count
    if end > len(octets):
        raise RemoteError(f"{count} contributors are announced", offset=start, section="RFC 3550 5.1")
    return tuple(int.from_bytes(octets[at : at + 4], "big") for at in range(start, end, 4)), end


def _extension(octets: bytes, start: int) -> tuple[tuple[int, bytes], int]:
    if start + EXTENSION.size > len(octets):
        raise RemoteError("a header extension is announced", offset=start, section="RFC 3550 5.3.1")
    profile, words = EXTENSION.unpack_from(octets, start)
    begin = start + EXTENSION.size
    end = begin + 4 * words
    if end > len(octets):
        raise RemoteError(f"a header extension of {words} words is announced", offset=start, section="RFC 3550 5.3.1")
    return (profile, octets[begin:end]), end


def _padding(octets: bytes, start: int) -> int:
    padding = octets[-1] if len(octets) > start else 1
    if padding > len(octets) - start:
        raise RemoteError(f"padding of {padding} octets is announced", offset=len(octets) - 1, section="RFC 3550 5.1")
    return padding
