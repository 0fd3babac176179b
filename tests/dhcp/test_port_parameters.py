"""Option 159: the octets of RFC 7618, blocks and port sets one to one, and hostile octets."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import RemoteError
from voxpath.dhcp.port_parameters import PortSet, block_of, decode_port_set, encode_port_set, port_set_of
from voxpath.model.ports import LARGEST_BLOCK, PortBlock

PUBLIC = IPv4Address("198.51.100.1")
BLOCKS = st.sampled_from([1 << bits for bits in range(11)]).flatmap(
    lambda size: st.integers(1, 0x10000 // size - 1).map(lambda place: PortBlock(PUBLIC, place * size, size))
)


@pytest.mark.parametrize(
    ("first", "size", "octets"),
    [(2048, 64, "000a0800"), (20480, 16, "000c5000"), (65280, 256, "0008ff00"), (1024, 1024, "00060400"), (5062, 1, "001013c6")],
)
def test_a_block_has_these_octets(first: int, size: int, octets: str) -> None:
    """By hand from RFC 7618 section 7: offset 0, length of the PSID, and the PSID in the first bits of two octets."""
    assert encode_port_set(port_set_of(PortBlock(PUBLIC, first, size))).hex() == octets


@given(BLOCKS)
def test_a_block_is_its_port_set_and_back(block: PortBlock) -> None:
    ports = port_set_of(block)
    assert block_of(PUBLIC, decode_port_set(encode_port_set(ports))) == block
    # RFC 7597 section 5.1 with a = 0: PSID * 2^m + j.
    free = 16 - ports.length
    assert {(ports.psid << free) + port for port in range(1 << free)} == set(range(block.first, block.last + 1))


@given(BLOCKS, BLOCKS)
def test_disjoint_blocks_have_different_port_sets(one: PortBlock, other: PortBlock) -> None:
    assert (port_set_of(one) == port_set_of(other)) == (one == other)


@given(st.binary(max_size=6))
def test_octets_are_refused_or_written_again(octets: bytes) -> None:
    try:
        ports = decode_port_set(octets)
    except RemoteError:
        return
    assert encode_port_set(ports) == octets


@pytest.mark.parametrize("octets", ["", "000a08", "000a080000", "10000000", "060b0000", "000a0801", "ff000000"])
def test_a_malformed_option_is_the_peers_error(octets: str) -> None:
    with pytest.raises(RemoteError):
        decode_port_set(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "ports", [PortSet(6, 4, 1), PortSet(0, 0, 0), PortSet(0, 16 - LARGEST_BLOCK.bit_length(), 1), PortSet(0, 10, 0)]
)
def test_what_is_no_block_is_said_to_be_none(ports: PortSet) -> None:
    with pytest.raises(ValueError, match=r"contiguous|block"):
        block_of(PUBLIC, ports)
