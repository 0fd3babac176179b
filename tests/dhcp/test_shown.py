"""Options are shown as a person reads them, and whatever is on the wire can be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.dhcp.shown import LONGEST, shown

OWN = ("0108c63364015000503f", "030441424344")
"""Values of option 43 in our own layout; the others are of makers."""


@pytest.mark.parametrize(
    ("option", "octets", "text"),
    [
        (1, "ffffff00", "255.255.255.0"),
        (3, "0a000001", "10.0.0.1"),
        (4, "0a0000010a000002", "10.0.0.1 10.0.0.2"),
        (2, "fffff1f0", "-3600"),
        (12, b"phone-1".hex(), "phone-1"),
        (13, "0010", "16"),
        (19, "01", "true"),
        (42, "0a000003", "10.0.0.3"),
        (43, "0108c63364015000503f", "1=198.51.100.1:20480-20543"),
        (43, b"http://x".hex(), "http://x"),
        (43, "030441424344", "3=65.66.67.68"),
        (43, "0104363838390304" + b"path".hex(), "1=6889, 3=path"),
        (43, "0203010203", "2=01:02:03"),
        (43, "02ff01", "02:ff:01"),
        (51, "00000e10", "3600"),
        (53, "02", "OFFER"),
        (53, "0202", "02:02"),
        (54, "0a0000", "0a:00:00"),
        (55, "010342", "1,3,66"),
        (60, b"desk\0".hex(), "desk"),
        (61, "01020000000a01", "01:02:00:00:00:0a:01 (type 1, Ethernet address 02:00:00:00:0a:01)"),
        (61, b"\0desk-7".hex(), "desk-7 (type 0)"),
        (61, b"desk-7".hex(), "desk-7"),
        (61, "ff00000001000100", "ff:00:00:00:01:00:01:00"),
        (66, b"10.0.0.1".hex(), "10.0.0.1"),
        (82, (b"\x01\x06port-7\x05\x04" + bytes((10, 2, 0, 0))).hex(), "1=port-7, 5=10.2.0.0"),
        (118, "0a020000", "10.2.0.0"),
        (120, "010a000005", "10.0.0.5"),
        (125, "00007ed9060304c6336401", "32473: 3=198.51.100.1"),
        (125, "00000403" + "09" + b"id:ipphon".hex(), "1027: id:ipphon"),
        (145, "01", "1"),
        (150, "0a000001", "10.0.0.1"),
        (159, "000a5000", "offset 0, PSID 320 of 10 bits"),
        (224, "c63364015000503f", "198.51.100.1:20480-20543"),
        (225, "0a0000010b800a0000020b80", "10.0.0.1:2944 10.0.0.2:2944"),
        (226, "c6336401", "198.51.100.1"),
        (200, "00ff", "00:ff"),
    ],
)
def test_a_value_is_shown_by_its_type_and_as_octets_where_it_is_none_of_it(option: int, octets: str, text: str) -> None:
    assert shown(option, bytes.fromhex(octets), own=octets in OWN, enterprise=32473) == text


@given(st.integers(0, 255), st.binary(max_size=600), st.booleans())
def test_whatever_is_on_the_wire_is_shown_in_one_safe_line(option: int, value: bytes, own: bool) -> None:
    text = shown(option, value, own=own)
    assert text.isprintable() or not text
    assert len(text) <= 10 * (LONGEST + 3)
