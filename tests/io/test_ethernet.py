"""Tagged frames by crafted octets (ADR-3); scapy is the judge of what they mean."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from voxpath.core.errors import RemoteError
from voxpath.io.ethernet import CUSTOMER_TAG, IPV4, SERVICE_TAG, Frame, Tag, read_frame, tag_of
from voxpath.io.packet import UdpPacket, read_udp, udp_packet
from voxpath.model.address import Endpoint

PHONE, SERVER = bytes.fromhex("020000000a01"), bytes.fromhex("020000000001")
TAGS = st.builds(Tag, st.integers(0, 4095), st.integers(0, 7), st.booleans(), st.sampled_from((CUSTOMER_TAG, SERVICE_TAG)))


def test_the_octets_of_a_tagged_frame() -> None:
    """Laid out by hand: TPID 0x8100; priority 5, not droppable and VLAN 20 are 0xa014."""
    octets = Frame(PHONE, SERVER, (Tag(20, 5),), IPV4, b"rest").octets
    assert octets == PHONE + SERVER + bytes.fromhex("8100a0140800") + b"rest"


def test_scapy_reads_what_we_write() -> None:
    packet = Ether(Frame(PHONE, SERVER, (Tag(7, 1, True, SERVICE_TAG), Tag(20, 5)), IPV4, bytes(IP() / UDP())).octets)
    assert (packet[Dot1AD].vlan, packet[Dot1AD].prio, packet[Dot1AD].id) == (7, 1, 1)
    assert (packet[Dot1Q].vlan, packet[Dot1Q].prio, packet[Dot1Q].id) == (20, 5, 0)
    assert UDP in packet


@given(st.lists(TAGS, max_size=2).map(tuple), st.integers(0, 0xFFFF), st.binary(max_size=60))
def test_reading_and_writing_are_inverse(tags: tuple[Tag, ...], kind: int, payload: bytes) -> None:
    frame = Frame(PHONE, SERVER, tags, IPV4 if kind in (CUSTOMER_TAG, SERVICE_TAG) else kind, payload)
    assert read_frame(frame.octets) == frame
    if tags:
        # As the kernel shows it: the outermost tag beside the frame.
        assert (
            read_frame(frame._replace(tags=tags[1:]).octets, tag_of(int.from_bytes(tags[0].octets[2:], "big"), tags[0].kind))
            == frame
        )


@given(st.binary(max_size=100), st.sampled_from((read_frame, read_udp)))
def test_nothing_but_a_remote_error_escapes(octets: bytes, read: Callable[[bytes], object]) -> None:
    for start in (b"", PHONE + SERVER + b"\x81\0", b"\x45" + bytes(8) + b"\x11"):
        try:
            read(start + octets)
        except RemoteError as error:
            assert error.offset <= len(start + octets)


def test_a_frame_with_three_tags_is_refused() -> None:
    octets = Frame(PHONE, SERVER, (Tag(1), Tag(2)), CUSTOMER_TAG, bytes.fromhex("00030800")).octets
    with pytest.raises(RemoteError, match="more than 2 tags"):
        read_frame(octets)


def test_a_udp_packet_is_read_as_it_was_made() -> None:
    source, destination = Endpoint("10.0.0.11", 68), Endpoint("10.0.0.1", 67)
    packet = udp_packet(b"hello", source, destination)
    assert read_udp(packet + b"padding of a short frame") == UdpPacket(source, destination, b"hello")


@pytest.mark.parametrize(
    "packet",
    [
        bytes(IP(proto=6) / b"TCP says otherwise than UDP does"),
        bytes(IP(flags="MF") / UDP(dport=67) / b"x"),
        bytes(IP(frag=3) / UDP(dport=67) / b"x"),
    ],
)
def test_other_packets_and_fragments_are_passed_over(packet: bytes) -> None:
    assert read_udp(packet) is None


@pytest.mark.parametrize("length", [0, 7, 10])
def test_a_wrong_udp_length_is_refused(length: int) -> None:
    with pytest.raises(RemoteError, match=f"UDP length of {length}"):
        read_udp(bytes(IP(len=29) / UDP(dport=67, len=length) / b"x"))


def test_options_of_the_ip_header_are_skipped() -> None:
    packet = bytes(IP(options=[b"\x94\x04\0\0"]) / UDP(sport=68, dport=67) / BOOTP())
    read = read_udp(packet)
    assert read is not None
    assert BOOTP(read.payload).op == 1
