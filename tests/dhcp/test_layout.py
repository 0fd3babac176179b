"""Layouts of option 43 and its neighbours, octet by octet, as the makers' documents give them (DHC-8, DHC-10, DHC-13)."""

from ipaddress import IPv4Address
from typing import get_args

import pytest

from voxpath.app.schema_options import LayoutName
from voxpath.dhcp.enterprise import sub_options
from voxpath.dhcp.layout import LAYOUTS, Told

TFTP = (IPv4Address("10.37.20.11"), IPv4Address("10.37.20.12"))
URL = "http://prov.example:8080/phones/"
PLAIN = Told(TFTP)
FULL = Told(TFTP, URL, ("10.37.18.11", "10.37.10.11"), ("192.0.2.12", "192.0.2.13"), ("vlan=1056", "l2p=6", "dscp=46"))


def write(name: str, told: Told) -> dict[int, bytes]:
    return dict(LAYOUTS[name].write(told))


def test_the_configuration_names_just_these_layouts() -> None:
    assert set(get_args(LayoutName)) == set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_names_its_source_and_writes_what_it_says_it_does(name: str) -> None:
    layout = LAYOUTS[name]
    assert layout.source
    for told in (PLAIN, FULL):
        written = write(name, told)
        assert all(written.values()), "an option without a value confuses phones"
        if layout.subs is not None and 43 in written:
            assert set(sub_options(written[43])) <= layout.subs


def test_mitel_is_told_by_the_text_of_its_guide_in_43_and_125() -> None:
    """The example below table 74 of the engineering guidelines; in option 125 the text follows the length at once."""
    text = b"id:ipphone.mitel.com;sw_tftp=10.37.20.11;call_srv=10.37.18.11,10.37.10.11;vlan=1056;l2p=6;dscp=46"
    assert write("mitel", FULL) == {43: text, 125: bytes.fromhex("00000403") + bytes((len(text),)) + text}


def test_mitel_takes_four_call_servers() -> None:
    many = FULL._replace(mgcs=tuple(f"10.0.0.{number}" for number in range(1, 7)), parameters=())
    assert write("mitel", many)[43].endswith(b"call_srv=10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4")
    assert write("mitel", PLAIN)[43] == b"id:ipphone.mitel.com;sw_tftp=10.37.20.11"


def test_snom_is_told_by_66_inside_of_43_ended_by_nul() -> None:
    """The maker's example: 42:0c:68:74:74:70:3a:2f:2f:74:65:73:74:00 means http://test."""
    assert write("snom", PLAIN._replace(url="http://test")) == {43: bytes.fromhex("420c687474703a2f2f7465737400")}


def test_aastra_is_told_by_sub_option_2() -> None:
    assert write("aastra", FULL) == {43: bytes((2, len(URL))) + URL.encode()}


def test_avaya_is_told_by_43_after_its_number_and_by_242() -> None:
    written = write("avaya", FULL)
    assert sub_options(written[43]) == {
        1: b"6889",
        2: b"prov.example",
        3: b"phones",
        4: b"8080",
        15: b"192.0.2.12:5060;transport=udp,192.0.2.13:5060;transport=udp",
    }
    assert written[43].startswith(b"\x01\x046889"), "a phone reads no further otherwise"
    assert written[242] == (b"MCIPADD=10.37.18.11,10.37.10.11,HTTPSRVR=prov.example,HTTPDIR=phones,vlan=1056,l2p=6,dscp=46")
    secure = sub_options(write("avaya", PLAIN._replace(url="https://prov.example"))[43])
    assert secure == {1: b"6889", 5: b"prov.example"}
    assert 242 not in write("avaya", PLAIN)


@pytest.mark.parametrize(("name", "option"), [("yealink", 43), ("fanvil", 43), ("poly", 160), ("grandstream", 160)])
def test_makers_that_want_a_url_get_it_as_plain_text(name: str, option: int) -> None:
    assert write(name, FULL) == {option: URL.encode()}
    assert write(name, PLAIN) == {option: b"tftp://10.37.20.11"}
    assert write(name, PLAIN._replace(url="prov.example")) == {option: b"tftp://prov.example"}


def test_cisco_is_told_the_tftp_servers_in_their_order() -> None:
    """RFC 5859."""
    assert write("cisco", FULL) == {150: bytes.fromhex("0a25140b0a25140c")}


def test_makers_that_take_159_for_a_url_are_known() -> None:
    assert {name for name, layout in LAYOUTS.items() if layout.url_159} == {"aastra", "cisco", "mitel"}
