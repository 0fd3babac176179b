"""Options 124 and 125: several enterprises in one option, sub-options, and hostile octets (RFC 3925)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError, RemoteError
from voxpath.dhcp.enterprise import MAX_PARTS, named_by, pack_sub_options, read_parts, sub_options, write_parts

PARTS = st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(max_size=255)), max_size=8)


def test_two_enterprises_have_the_octets_of_the_figure() -> None:
    """RFC 3925 section 4: number, length, data, and the same again."""
    octets = write_parts([(1027, b"id"), (3561, pack_sub_options({1: b"abc", 2: b""}))])
    assert octets.hex() == "00000403" + "02" + "6964" + "00000de9" + "07" + "0103616263" + "0200"
    assert sub_options(read_parts(octets)[1][1]) == {1: b"abc", 2: b""}


@given(PARTS)
def test_parts_are_read_back(parts: list[tuple[int, bytes]]) -> None:
    assert list(read_parts(write_parts(parts))) == parts


@given(st.dictionaries(st.integers(0, 255), st.binary(max_size=255), max_size=8))
def test_sub_options_are_read_back(subs: dict[int, bytes]) -> None:
    assert sub_options(pack_sub_options(subs)) == subs


@given(st.binary(max_size=400))
def test_no_octets_let_anything_but_remote_error_out(octets: bytes) -> None:
    for read in (read_parts, sub_options):
        try:
            read(octets)
        except RemoteError as error:
            assert 0 <= error.offset <= len(octets)
    named_by((octets, None))


def test_more_parts_than_any_phone_sends_are_refused() -> None:
    assert len(read_parts(bytes(5) * MAX_PARTS)) == MAX_PARTS
    with pytest.raises(RemoteError):
        read_parts(bytes(5) * (MAX_PARTS + 1))


def test_what_has_no_room_is_our_own_error() -> None:
    for write in (lambda: write_parts([(1, bytes(256))]), lambda: pack_sub_options({1: bytes(256)})):
        with pytest.raises(LocalError):
            write()


def test_a_malformed_option_names_nobody_and_hides_no_other() -> None:
    good = write_parts([(1027, b"ipphone.mitel.com")])
    assert named_by((b"\0\0", good)) == {1027}
    assert named_by((None, None)) == frozenset()
