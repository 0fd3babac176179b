"""The Internet checksum, changed in step with the fields that it covers (RFC 1624).

A checksum is never recomputed on the way through: a packet that arrived damaged leaves damaged, so its receiver can tell.
"""

HOP_DELTA = 0xFEFF
"""The delta of one hop: the word of TTL and protocol falls by 0x0100, whatever it was."""


def delta(old: int, new: int) -> int:
    """What exchanging one 32-bit field adds to a complemented checksum: ``~m + m'`` over both words (RFC 1624 section 3)."""
    complement = ~old & 0xFFFFFFFF
    total = (complement >> 16) + (complement & 0xFFFF) + (new >> 16) + (new & 0xFFFF)
    return _fold(total)


def adjust(checksum: int, change: int) -> int:
    """The checksum after a change: ``HC' = ~(~HC + ~m + m')`` (RFC 1624 equation 3); ``change`` is a sum of deltas."""
    return ~_fold((~checksum & 0xFFFF) + change) & 0xFFFF


def total(octets: bytes | bytearray | memoryview) -> int:
    """The one's complement sum of octets, with a zero behind an odd number of them.

    It is 0xFFFF over data that contains its own right checksum.
    """
    number = int.from_bytes(octets, "big") << 8 * (len(octets) % 2)
    # 0x10000 leaves 1 when it is divided by 0xFFFF, so the remainder of the whole is that of the sum of its words.
    return number % 0xFFFF or (0xFFFF if number else 0)


def _fold(value: int) -> int:
    while value > 0xFFFF:
        value = (value & 0xFFFF) + (value >> 16)
    return value
