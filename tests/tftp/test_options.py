import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import RemoteError
from voxpath.tftp import netascii
from voxpath.tftp.message import Options, ReadRequest, WriteRequest
from voxpath.tftp.options import WINDOW_OCTETS, Limits, accept_options, answer_options


def answer(*options: tuple[str, str], mode: str = "octet") -> Options:
    return answer_options(ReadRequest("f", mode, options), 5000, Limits(1468)).answer


def test_block_size_is_clipped_by_the_configured_maximum() -> None:
    assert answer(("blksize", "65464")) == (("blksize", "1468"),)
    assert answer(("blksize", "99999")) == (("blksize", "1468"),)
    assert answer(("BLKSIZE", "8")) == (("blksize", "8"),)


def test_size_and_timeout_are_answered() -> None:
    assert answer(("tsize", "0"), ("timeout", "255")) == (("timeout", "255"), ("tsize", "5000"))


def test_no_option_means_no_answer_and_unknown_ones_are_left_out() -> None:
    assert answer() == ()
    assert answer(("multicast", ""), ("windowsize", "0")) == ()


def test_a_window_is_clipped_by_the_limit_and_by_what_is_kept_at_hand() -> None:
    assert answer(("windowsize", "4")) == (("windowsize", "4"),)
    assert answer(("windowsize", "65535")) == (("windowsize", "16"),)
    limits = Limits(65464, 64)
    agreed = answer_options(ReadRequest("f", "octet", (("blksize", "65464"), ("windowsize", "64"))), 1, limits)
    assert agreed.window * agreed.block_size <= WINDOW_OCTETS
    assert agreed.window > 1


def test_a_writer_is_told_the_size_that_it_told() -> None:
    agreed = answer_options(WriteRequest("f", "netascii", (("tsize", "7"),)), 5000, Limits())
    assert (agreed.size, agreed.answer) == (7, (("tsize", "7"),))


def test_a_timeout_out_of_range_is_not_accepted() -> None:
    assert answer(("timeout", "0")) == ()
    assert answer(("timeout", "256")) == ()


def test_size_is_not_told_in_netascii() -> None:
    assert answer(("tsize", "0"), mode="netascii") == ()


@pytest.mark.parametrize("options", [("blksize", "7"), ("blksize", "x"), ("tsize", "-1"), ("timeout", "²"), ("blksize", "9" * 16)])
def test_nonsense_is_refused_with_code_8(options: tuple[str, str]) -> None:
    with pytest.raises(RemoteError) as caught:
        answer(options)
    assert caught.value.code == 8


REQUEST = ReadRequest("f", "octet", (("blksize", "1000"), ("tsize", "0"), ("timeout", "3")))


def test_the_client_takes_what_the_server_lowered() -> None:
    agreed = accept_options(REQUEST, (("blksize", "512"), ("tsize", "70")))
    assert (agreed.block_size, agreed.size, agreed.timeout_s) == (512, 70, None)


@pytest.mark.parametrize(
    "answered", [("windowsize", "4"), ("blksize", "1001"), ("blksize", "4"), ("timeout", "4"), ("tsize", "many")]
)
def test_the_client_refuses_what_it_did_not_ask_for(answered: tuple[str, str]) -> None:
    with pytest.raises(RemoteError) as caught:
        accept_options(REQUEST, (answered,))
    assert caught.value.code == 8


@given(st.binary(max_size=100))
def test_netascii_is_reversible(text: bytes) -> None:
    assert netascii.decode(netascii.encode(text)) == text


def test_netascii_of_lines() -> None:
    assert netascii.encode(b"a\nb\rc\r\n") == b"a\r\nb\r\0c\r\0\r\n"
