"""Lowering the largest segment that a TCP connection announces, where a tunnel has a smaller MTU and hides it."""

from voxpath.nappt.packet import HEADER_LENGTH, TCP, WORD, Header
from voxpath.nappt.rewrite import adjust_at, word_delta

SYN = 0x02
"""Of the TCP flags."""
FLAGS_AT, DATA_OFFSET_AT, CHECKSUM_AT = 13, 12, 16
END_OF_OPTIONS, NO_OPERATION, MAXIMUM_SEGMENT_SIZE = 0, 1, 2
MSS_LENGTH = 4


def clamp(packet: bytes, header: Header, most: int) -> bytes:
    """Announce no more than so many octets; only a TCP SYN announces anything (RFC 9293 section 3.7.1)."""
    at = header.length
    if header.protocol != TCP or not packet[at + FLAGS_AT] & SYN:
        return packet
    place = _mss_at(packet, at + HEADER_LENGTH[TCP], min(len(packet), at + (packet[at + DATA_OFFSET_AT] >> 4) * 4))
    if not place:
        return packet
    announced = WORD.unpack_from(packet, place)[0]
    if announced <= most:
        return packet
    octets = bytearray(packet)
    WORD.pack_into(octets, place, most)
    # An odd place has its octets in two words of the sum; turned round they are what one word would be.
    change = word_delta(announced, most)
    if (place - at) % 2:
        change = word_delta(_turned(announced), _turned(most))
    adjust_at(octets, at + CHECKSUM_AT, change)
    return bytes(octets)


def _mss_at(packet: bytes, at: int, end: int) -> int:
    """Where the size stands among the options; 0: nowhere, or they are malformed, which is the receiver's business."""
    while at < end and packet[at] != END_OF_OPTIONS:
        if packet[at] == NO_OPERATION:
            at += 1
            continue
        if at + 1 >= end or not 2 <= packet[at + 1] <= end - at:
            return 0
        if packet[at] == MAXIMUM_SEGMENT_SIZE:
            return at + 2 if packet[at + 1] == MSS_LENGTH else 0
        at += packet[at + 1]
    return 0


def _turned(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8
