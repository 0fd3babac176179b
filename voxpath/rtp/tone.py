"""A tone out and its measurement in, cheap enough for many phones in one process.

A tone of a whole number of hertz repeats within a second, so its encoded packets are made once and shared by all that send it.
Measuring works on the encoded octets: the sign bit gives the frequency by counting, a table of squares gives the level.
"""

from functools import lru_cache
from math import gcd, log10, pi, sin

from voxpath.core.errors import LocalError
from voxpath.rtp.g711 import SAMPLE_RATE_HZ, ULAW_LINEAR, encode_ulaw

PACKET_SAMPLES = 160
"""Samples of one packet: 20 ms of G.711."""
PACKET_S = PACKET_SAMPLES / SAMPLE_RATE_HZ
PACKETS_PER_S = SAMPLE_RATE_HZ // PACKET_SAMPLES

TONE_DBM0 = -10.0
"""Level of the tones that are sent."""
SILENCE_DBM0 = -50.0
"""Below this level there is no tone."""
FLOOR_DBM0 = -99.0
"""What is reported for no sound at all."""
TONES_KEPT = 256
"""Encoded tones that are kept for reuse; one has at most 8000 octets."""

_FULL_SCALE = 8159 * 4
_FULL_SCALE_DBM0 = 3.17
"""A sine that just reaches the end of the mu-law scale has this level, G.711 table 2a."""
_REFERENCE = _FULL_SCALE**2 / 2 / 10 ** (_FULL_SCALE_DBM0 / 10)
_SQUARES = tuple(sample * sample for sample in ULAW_LINEAR)
_SIGNS = bytes(0 if sample < 0 else 1 for sample in ULAW_LINEAR)
_RISE = b"\x00\x01"


@lru_cache(maxsize=TONES_KEPT)
def tone_packets(tone_hz: int) -> tuple[bytes, ...]:
    """Mu-law payloads of a tone, 20 ms each, to be sent round and round without a step in phase; 0 Hz is silence.

    :raises LocalError: telephony has no such frequency.
    """
    if not 0 <= tone_hz < SAMPLE_RATE_HZ // 2:
        raise LocalError(f"a tone of {tone_hz} Hz: from 0 to below {SAMPLE_RATE_HZ // 2} Hz are known")
    peak = (2 * _REFERENCE * 10 ** (TONE_DBM0 / 10)) ** 0.5
    count = PACKETS_PER_S // gcd(tone_hz, PACKETS_PER_S)
    step = 2 * pi * tone_hz / SAMPLE_RATE_HZ
    octets = encode_ulaw(round(peak * sin(step * index)) for index in range(count * PACKET_SAMPLES))
    return tuple(octets[at : at + PACKET_SAMPLES] for at in range(0, len(octets), PACKET_SAMPLES))


class ToneMeter:
    """Measures the level of mu-law payloads and the frequency of their strongest tone, window by window."""

    __slots__ = ("_level_from", "_rises", "_samples", "_tail")

    def __init__(self) -> None:
        self._rises = self._samples = 0
        self._tail = self._level_from = b""

    def take(self, payload: bytes) -> None:
        """Listen to one payload."""
        signs = self._tail + payload.translate(_SIGNS)
        self._rises += signs.count(_RISE)
        self._tail = signs[-1:]
        self._samples += len(payload)
        self._level_from = payload

    def close(self) -> tuple[float, float]:
        """End the window: (level in dBm0 of its last payload, frequency in Hz; 0 when it was silent)."""
        level = level_dbm0(self._level_from)
        tone = self._rises * SAMPLE_RATE_HZ / self._samples if level > SILENCE_DBM0 else 0.0
        self._rises = self._samples = 0
        self._tail = self._level_from = b""
        return level, tone


def level_dbm0(payload: bytes) -> float:
    """Level of a mu-law payload (G.711 table 2a)."""
    energy = sum(map(_SQUARES.__getitem__, payload))
    if not energy:
        return FLOOR_DBM0
    return max(FLOOR_DBM0, 10 * log10(energy / len(payload) / _REFERENCE))
