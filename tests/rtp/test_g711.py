from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.rtp import g711

ALL_SAMPLES = range(-0x8000, 0x8000)
SAMPLES = st.integers(-0x8000, 0x7FFF)


def test_every_code_of_both_laws_equals_the_reference() -> None:
    """The digests were taken over all 65536 samples as Python 3.11's audioop encodes them."""
    assert sha256(g711.encode_ulaw(ALL_SAMPLES)).hexdigest() == "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a"
    assert sha256(g711.encode_alaw(ALL_SAMPLES)).hexdigest() == "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b"


@pytest.mark.parametrize(("code", "linear"), [(0x00, -32124), (0x80, 32124), (0xFF, 0), (0x7F, 0), (0xE7, 260)])
def test_ulaw_values_of_the_table(code: int, linear: int) -> None:
    """G.711 table 2a, in 16-bit scale."""
    assert g711.decode_ulaw(bytes([code])) == [linear]


@pytest.mark.parametrize(("code", "linear"), [(0xAA, 32256), (0x2A, -32256), (0xD5, 8), (0x55, -8)])
def test_alaw_values_of_the_table(code: int, linear: int) -> None:
    """G.711 table 1a, in 16-bit scale."""
    assert g711.decode_alaw(bytes([code])) == [linear]


@given(st.lists(SAMPLES, max_size=160))
def test_a_decoded_code_encodes_to_itself(samples: list[int]) -> None:
    """Tandem coding adds no further error, but for mu-law's second zero."""
    ulaw = g711.encode_ulaw(samples)
    assert g711.encode_ulaw(g711.decode_ulaw(ulaw)) == ulaw.replace(b"\x7f", b"\xff")
    alaw = g711.encode_alaw(samples)
    assert g711.encode_alaw(g711.decode_alaw(alaw)) == alaw
