"""Tones in wave files: what a stock phone says, and which tone it heard; nothing of voxpath's own is used."""

import math
import struct
import wave
from pathlib import Path

RATE_HZ = 8000
AMPLITUDE = 8000
HEADER_OCTETS = 44
"""A recorder writes the lengths into the header when it ends; until then only the samples behind it are of use."""
WINDOW = RATE_HZ // 2
"""Samples that are looked at: half a second tells tones apart that are a few hertz apart."""
PURE = 0.8
"""The share of the energy from which a sound is called this tone."""


def write_tone(path: Path, hz: int, seconds: int = 90) -> None:
    """Write a wave file of telephone quality; programs play it from the beginning of a call on."""
    second = b"".join(struct.pack("<h", round(AMPLITUDE * math.sin(2 * math.pi * hz * at / RATE_HZ))) for at in range(RATE_HZ))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(second * seconds)


def last_samples(path: Path) -> tuple[int, ...]:
    """The end of a recording of 8 kHz, mono, 16 bit, that may still go on; nothing before it is long enough."""
    octets = path.read_bytes()[HEADER_OCTETS:]
    octets = octets[: len(octets) // 2 * 2][-2 * WINDOW :]
    return struct.unpack(f"<{WINDOW}h", octets) if len(octets) == 2 * WINDOW else ()


def share(samples: tuple[int, ...], hz: float) -> float:
    """How much of the energy lies at one frequency, 0 to 1 (Goertzel's algorithm)."""
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hz / RATE_HZ)
    last = before = 0.0
    for sample in samples:
        last, before = sample + turn * last - before, last
    power = last * last + before * before - turn * last * before
    return 2 * power / (len(samples) * energy)


def is_tone(samples: tuple[int, ...], hz: float) -> bool:
    """Whether these samples are this tone."""
    return share(samples, hz) > PURE
