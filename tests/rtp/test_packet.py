from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError, RemoteError
from voxpath.rtp.packet import RtpPacket, parse, write

WORDS = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=WORDS,
    ssrc=WORDS,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    contributors=st.lists(WORDS, max_size=15).map(tuple),
    extension=st.none() | st.tuples(st.integers(0, 0xFFFF), st.integers(0, 5).map(lambda words: b"wxyz" * words)),
    padding=st.integers(0, 255),
)


@given(PACKETS)
def test_print_and_parse_are_inverse(packet: RtpPacket) -> None:
    assert parse(write(packet)) == packet


def test_golden_packet() -> None:
    """Laid out by hand after the figure of RFC 3550 section 5.1: marker, mu-law."""
    octets = bytes.fromhex("8080 0102 00000a0b 0c0d0e0f ff7f")
    assert parse(octets) == RtpPacket(0, 0x0102, 0x0A0B, 0x0C0D0E0F, b"\xff\x7f", True)


@given(st.binary(max_size=80))
def test_nothing_but_a_remote_error_escapes(octets: bytes) -> None:
    with suppress(RemoteError):
        parse(octets)


def test_mutated_packets_are_parsed_or_refused() -> None:
    dice = Random(11)
    seed = write(RtpPacket(0, 1, 2, 3, b"payload", True, (4, 5), (6, b"abcd"), 4))
    for _ in range(5000):
        octets = bytearray(seed[: dice.randrange(len(seed) + 1)])
        for _ in range(dice.randrange(4)):
            if octets:
                octets[dice.randrange(len(octets))] = dice.randrange(256)
        with suppress(RemoteError):
            parse(bytes(octets))


@pytest.mark.parametrize(
    "packet",
    [
        RtpPacket(0, 0, 0, 0, b"", contributors=(1,) * 16),
        RtpPacket(0, 0, 0, 0, b"", padding=256),
        RtpPacket(0, 0, 0, 0, b"", extension=(0, b"abc")),
    ],
)
def test_what_the_header_cannot_say_is_our_own_error(packet: RtpPacket) -> None:
    with pytest.raises(LocalError):
        write(packet)
