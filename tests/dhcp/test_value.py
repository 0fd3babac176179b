"""Values of options by type: octets from the RFCs, writing and reading inverse, and refusals that say what is wanted."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.app.schema_options import KindName
from voxpath.core.errors import RemoteError
from voxpath.dhcp.value import (
    KINDS,
    MAX_VALUE,
    decode_sip_servers,
    decode_value,
    encode_sip_servers,
    encode_value,
)

ADDRESS = st.ip_addresses(v=4).map(str)
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
VALUES = {
    "address": ADDRESS.map(lambda one: [one]),
    "addresses": st.lists(ADDRESS, min_size=1, max_size=20),
    "text": st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()).map(lambda one: [one]),
    "hex": st.binary(min_size=1, max_size=300).map(lambda data: [data.hex()]),
    "u8": st.lists(st.integers(0, 0xFF), min_size=1, max_size=20),
    "u16": st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=20),
    "u32": st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=20),
    "i32": st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20),
    "bool": st.booleans().map(lambda one: [one]),
    "names": st.lists(NAME, min_size=1, max_size=4),
}


@given(st.data())
def test_reading_is_the_inverse_of_writing_for_every_kind(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    values = data.draw(VALUES[kind])
    assert list(decode_value(kind, encode_value(kind, values))) == values


@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=80))
def test_octets_that_are_read_are_those_that_are_written_again(kind: str, octets: bytes) -> None:
    """So nothing is read in two ways; what is refused raises RemoteError and nothing else."""
    try:
        values = decode_value(kind, octets)
    except RemoteError:
        return
    try:
        assert encode_value(kind, values) == octets
    except ValueError:
        # The root's own name, and labels of characters that no host has, are read and never written.
        assert kind == "names"


def test_the_configuration_names_just_these_kinds() -> None:
    assert set(get_args(KindName)) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "value", "octets"),
    [
        ("address", "10.0.0.1", "0a000001"),
        ("addresses", ["10.0.0.1", "10.0.0.2"], "0a0000010a000002"),
        ("text", "größe", "6772c3b6c39f65"),
        ("hex", "00:01:fe", "0001fe"),
        ("u8", 46, "2e"),
        ("u16", [68, 296, 508], "0044012801fc"),
        ("i32", -3600, "fffff1f0"),
        ("bool", True, "01"),
        ("names", ["eng.example"], "03656e67076578616d706c6500"),
        ("names", "bücher.example", "0d786e2d2d62636865722d6b7661076578616d706c6500"),
    ],
)
def test_a_value_has_these_octets(kind: str, value: object, octets: str) -> None:
    assert encode_value(kind, value).hex() == octets


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("address", "10.0.0", "not an IPv4 address"),
        ("address", 7, "7 is not an IPv4 address"),
        ("address", ["10.0.0.1", "10.0.0.2"], "an IPv4 address is wanted"),
        ("addresses", [], "a list of IPv4 addresses is wanted"),
        ("text", "", "0 octets"),
        ("text", True, "not a text"),
        ("hex", "0g", "not hexadecimal"),
        ("u8", 256, "from 0 to 255"),
        ("u8", True, "from 0 to 255"),
        ("u32", -1, "from 0 to 4294967295"),
        ("i32", 2**31, "from -2147483648"),
        ("bool", 1, "neither true nor false"),
        ("names", "a..b", "no domain name"),
        ("names", "a" * 64 + ".example", "no domain name"),
        ("names", ".".join(["abcdefgh"] * 30), "no domain name"),
        ("names", "a b", "no domain name"),
        ("hex", "00" * (MAX_VALUE + 1), f"1 to {MAX_VALUE} are possible"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_wanted(kind: str, value: object, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        encode_value(kind, value)


def test_sip_servers_have_the_octets_of_rfc_3361() -> None:
    """The examples of its sections 3.1 and 3.2."""
    assert encode_sip_servers(["example.com", "example.net"]).hex() == (
        "00" + "076578616d706c6503636f6d00" + "076578616d706c65036e657400"
    )
    assert encode_sip_servers(["192.0.2.12", "192.0.2.13"]).hex() == "01c000020cc000020d"


@given(
    st.lists(ADDRESS, min_size=1, max_size=8) | st.lists(NAME.filter(lambda name: not name.replace(".", "").isdigit()), min_size=1)
)
def test_sip_servers_are_read_back(servers: list[str]) -> None:
    assert list(decode_sip_servers(encode_sip_servers(servers))) == servers


@pytest.mark.parametrize("servers", [[], ["192.0.2.12", "example.com"], ["192.0.2"], ["bad name"]])
def test_wrong_sip_servers_are_refused(servers: list[str]) -> None:
    with pytest.raises(ValueError, match=r"SIP server|mixed|IPv4|domain"):
        encode_sip_servers(servers)


@pytest.mark.parametrize("octets", ["", "00", "01", "0101", "02c0000201", "0007657861", "00c00c", "0001ff00", "01c0000201ff"])
def test_malformed_sip_servers_are_the_peers_error(octets: str) -> None:
    with pytest.raises(RemoteError):
        decode_sip_servers(bytes.fromhex(octets))
