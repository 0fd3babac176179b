"""The bounded cursor: no read beyond the end, no part left unread, no message beyond its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.cursor import Reader, Writer
from voxpath.core.errors import LocalError, RemoteError


@given(st.binary(max_size=40), st.lists(st.sampled_from(["u8", "u16", "u32", "take3", "rest", "until"]), max_size=20))
def test_reads_are_the_octets_in_order_or_a_remote_error_with_its_offset(data: bytes, reads: list[str]) -> None:
    reader = Reader(data)
    for read in reads:
        before = reader.offset
        sizes = {"u8": 1, "u16": 2, "u32": 4, "take3": 3, "rest": len(data) - before}
        try:
            if read == "until":
                found = reader.until(0)
                assert data[before : reader.offset] == found + b"\0"
            elif read in {"take3", "rest"}:
                found = reader.take(3) if read == "take3" else reader.rest()
                assert found == data[before : before + sizes[read]]
            else:
                assert getattr(reader, read)() == int.from_bytes(data[before : before + sizes[read]], "big")
        except RemoteError as error:
            assert error.offset == before == reader.offset
            assert read == "until" or before + sizes[read] > len(data)


def test_a_part_must_be_read_to_its_end() -> None:
    reader = Reader(b"\x01\x02\x03\x04")
    with reader.within(2) as part:
        assert part.u16() == 0x0102
        with pytest.raises(RemoteError, match="1 octet wanted, 0 left"):
            part.u8()
    assert reader.u8() == 3
    with pytest.raises(RemoteError, match="1 octets too many at 3"), Reader(b"\0\0\0\1").within(4) as part:
        part.take(3)


def test_a_part_cannot_be_larger_than_what_is_left() -> None:
    with pytest.raises(RemoteError, match="a part of 5 octets is announced, 4 are left"), Reader(b"1234").within(5):
        pytest.fail("nothing to read")


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(RemoteError):
        Reader(b"1234").take(-1)


def test_a_writer_keeps_to_its_limit() -> None:
    writer = Writer(8)
    writer.u8(1)
    writer.u16(2)
    writer.u32(3)
    assert writer.bytes() == b"\x01\x00\x02\x00\x00\x00\x03"
    assert len(writer) == 7
    with pytest.raises(LocalError, match="more than 8 octets"):
        writer.u16(4)
