import pytest

from voxpath.core.errors import LocalError
from voxpath.rtp.tone import FLOOR_DBM0, TONE_DBM0, ToneMeter, level_dbm0, tone_packets


@pytest.mark.parametrize("tone_hz", [300, 440, 997, 1004, 3400])
def test_a_tone_is_measured_as_what_it_is(tone_hz: int) -> None:
    meter = ToneMeter()
    payloads = tone_packets(tone_hz)
    for number in range(50):
        meter.take(payloads[number % len(payloads)])
    level, measured = meter.close()
    assert measured == pytest.approx(tone_hz, abs=1.5)
    assert level == pytest.approx(TONE_DBM0, abs=0.5)


def test_a_round_tone_needs_one_packet_only() -> None:
    assert len(tone_packets(1000)) == 1
    assert len(tone_packets(440)) == 5
    assert len(tone_packets(1001)) == 50


def test_packets_join_without_a_step() -> None:
    """The concatenation of the packets is one period: the first sample follows the last."""
    octets = b"".join(tone_packets(440))
    assert len(octets) % 160 == 0
    meter = ToneMeter()
    for _ in range(10):
        meter.take(octets)
    assert meter.close()[1] == pytest.approx(440, abs=1.1)


@pytest.mark.parametrize("silence", [b"", b"\xff" * 160, b"\x7f" * 160])
def test_silence_has_no_tone(silence: bytes) -> None:
    meter = ToneMeter()
    meter.take(silence)
    assert meter.close() == (FLOOR_DBM0, 0.0)
    assert ToneMeter().close() == (FLOOR_DBM0, 0.0)


def test_the_digital_milliwatt_is_at_0_dbm0() -> None:
    """The periodic sequence of G.711 table 6 (mu-law) is a 1 kHz sine at 0 dBm0."""
    milliwatt = bytes.fromhex("1e0b0b1e9e8b8b9e")
    assert level_dbm0(milliwatt * 20) == pytest.approx(0, abs=0.1)


def test_no_tone_is_silence() -> None:
    assert tone_packets(0) == (b"\xff" * 160,)


def test_a_tone_beyond_the_band_is_refused() -> None:
    with pytest.raises(LocalError):
        tone_packets(4000)
