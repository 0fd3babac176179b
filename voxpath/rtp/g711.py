"""G.711 mu-law and A-law by table; the arithmetic is our own, since Python's ``audioop`` is gone from 3.13 on.

Linear samples are 16 bits wide, whatever the law: mu-law fills 14 of them and A-law 13.
"""

from collections.abc import Iterable
from functools import cache

SAMPLE_RATE_HZ = 8000
PCMU = 0
"""RTP payload type of mu-law, RFC 3551 section 6."""
PCMA = 8
"""RTP payload type of A-law, RFC 3551 section 6."""

_MU_BIAS = 0x84
_MU_CLIP = 0x7FFF - _MU_BIAS
_A_EVEN_BITS = 0x55


def _ulaw_of(sample: int) -> int:
    magnitude = min(abs(sample), _MU_CLIP) + _MU_BIAS
    segment = magnitude.bit_length() - 8
    code = segment << 4 | (magnitude >> (segment + 3)) & 0x0F
    return ~(code | (0x80 if sample < 0 else 0)) & 0xFF


def _ulaw_to(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _MU_BIAS << (code >> 4 & 7)) - _MU_BIAS
    return -magnitude if code & 0x80 else magnitude


def _alaw_of(sample: int) -> int:
    magnitude = ~sample >> 3 if sample < 0 else sample >> 3
    segment = max(0, magnitude.bit_length() - 5)
    code = segment << 4 | (magnitude >> max(1, segment)) & 0x0F
    return (code | (0 if sample < 0 else 0x80)) ^ _A_EVEN_BITS


def _alaw_to(code: int) -> int:
    code ^= _A_EVEN_BITS
    segment = code >> 4 & 7
    magnitude = (code & 0x0F) << 4 | 8
    if segment:
        magnitude = magnitude + 0x100 << segment - 1
    return magnitude if code & 0x80 else -magnitude


ULAW_LINEAR = tuple(_ulaw_to(code) for code in range(256))
"""The linear sample of each mu-law code."""
ALAW_LINEAR = tuple(_alaw_to(code) for code in range(256))
"""The linear sample of each A-law code."""


@cache
def _ulaw_codes() -> bytes:
    return bytes(_ulaw_of(index - 0x8000) for index in range(0, 0x10000, 4))


@cache
def _alaw_codes() -> bytes:
    return bytes(_alaw_of(index - 0x8000) for index in range(0, 0x10000, 8))


def encode_ulaw(samples: Iterable[int]) -> bytes:
    """Encode 16-bit samples to mu-law."""
    codes = _ulaw_codes()
    return bytes(codes[sample + 0x8000 >> 2] for sample in samples)


def decode_ulaw(octets: bytes) -> list[int]:
    """Decode mu-law to 16-bit samples."""
    return [ULAW_LINEAR[code] for code in octets]


def encode_alaw(samples: Iterable[int]) -> bytes:
    """Encode 16-bit samples to A-law."""
    codes = _alaw_codes()
    return bytes(codes[sample + 0x8000 >> 3] for sample in samples)


def decode_alaw(octets: bytes) -> list[int]:
    """Decode A-law to 16-bit samples."""
    return [ALAW_LINEAR[code] for code in octets]
