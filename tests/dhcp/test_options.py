"""voxpath's own option layouts, octet by octet (decision D1)."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.options import Assignment, flat_options, pack_vendor, read_assignment
from voxpath.model.address import Endpoint
from voxpath.model.ports import PortBlock

PUBLIC = IPv4Address("198.51.100.1")
FULL = Assignment(PortBlock(PUBLIC, 20032, 64), (Endpoint("192.0.2.1", 2944), Endpoint("192.0.2.2", 2955)), PUBLIC)
RANGE = bytes.fromhex("c63364014e404e7f")
MGCS = bytes.fromhex("c00002010b80c00002020b8b")


def test_flat_options_have_the_documented_octets() -> None:
    assert flat_options(FULL) == {224: RANGE, 225: MGCS, 226: PUBLIC.packed}


def test_the_vendor_option_has_the_documented_octets_and_no_end() -> None:
    assert pack_vendor(flat_options(FULL)) == b"\x01\x08" + RANGE + b"\x02\x0c" + MGCS + b"\x03\x04" + PUBLIC.packed


def test_either_way_is_read_back() -> None:
    assert read_assignment(flat_options(FULL)) == FULL
    assert read_assignment({code.VENDOR: pack_vendor(flat_options(FULL))}) == FULL
    assert read_assignment({}) == Assignment()
    assert flat_options(Assignment()) == {}


def test_pad_end_and_unknown_sub_options_are_stepped_over() -> None:
    vendor = b"\x00\x63\x02hi" + pack_vendor(flat_options(FULL)) + b"\xff\x01\x01"
    assert read_assignment({code.VENDOR: vendor}) == FULL


def test_a_foreign_vendor_option_falls_back_to_the_flat_ones() -> None:
    """Another vendor's option 43 may begin with any code, such as Avaya's sub-code 1 = 6889."""
    assert read_assignment({code.VENDOR: b"\x01\x046889", **flat_options(FULL)}) == FULL
    assert read_assignment({code.VENDOR: b"id:ipphone.mitel.com;"}) == Assignment()


@pytest.mark.parametrize(
    "wrong",
    [
        {224: RANGE[:7]},
        {224: RANGE + b"\0"},
        {224: PUBLIC.packed + bytes.fromhex("4e414e7f")},
        {224: PUBLIC.packed + bytes.fromhex("4e7f4e40")},
        {225: b""},
        {225: MGCS[:7]},
        {225: MGCS * 3},
        {226: b"abc"},
    ],
)
def test_malformed_flat_options_are_refused(wrong: dict[int, bytes]) -> None:
    with pytest.raises(RemoteError):
        read_assignment(wrong)
