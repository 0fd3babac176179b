"""The quick translation says what the whole one says, or nothing."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.model.ports import PortBlock, Transaction
from voxpath.nappt.quick import BETWEEN, quick_inbound, quick_outbound
from voxpath.nappt.table import Table
from voxpath.nappt.translate import inbound, outbound
from voxpath.nappt.verdict import Drop, Reason, Translated
from voxpath.testing.nat.packets import (
    CASES,
    FAR,
    MAPPINGS,
    PHONE1,
    PREFIX,
    PUBLIC1,
    PUBLIC2,
    UNUSED_PUBLIC,
    Case,
    announcing,
    checksum,
    tcp,
    udp,
)

KERNELS_OWN = {Reason.BAD_HEADER, Reason.BAD_OPTIONS}
"""The kernel has dropped such packets before."""


def table() -> Table:
    made = Table(
        (IPv4Network(PREFIX),),
        tuple(map(IPv4Address, (PUBLIC1, PUBLIC2, UNUSED_PUBLIC))),
        services=(PortBlock(IPv4Address(PUBLIC1), 5060, 1),),
    )
    made.apply(Transaction(1, MAPPINGS))
    return made


def both(packet: bytes, from_inside: bool) -> tuple[bytes | None, bytes | Reason | None]:
    """What the quick translation makes of a packet, and what the whole one does."""
    here = table()
    quick = (quick_outbound if from_inside else quick_inbound)(here)(packet)
    verdict = (outbound if from_inside else inbound)(here, packet)
    whole = verdict.packet if isinstance(verdict, Translated) else verdict.reason if isinstance(verdict, Drop) else None
    return None if quick is None else bytes(quick), whole


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_crafted_packet_is_translated_alike_or_left(case: Case) -> None:
    quick, whole = both(case.packet, case.from_inside)
    if whole not in KERNELS_OWN:
        assert quick in (None, whole)


@pytest.mark.parametrize(
    ("packet", "from_inside"),
    [
        (udp(PHONE1, 2048, FAR, 9), True),
        (tcp(PHONE1, 2048, FAR, 9), True),
        (udp(FAR, 9, PUBLIC1, 2048), False),
        (tcp(FAR, 9, PUBLIC2, 5001), False),
        (udp(FAR, 9, PUBLIC1, 2048, sum_=0), False),
    ],
)
def test_ordinary_packets_are_taken(packet: bytes, from_inside: bool) -> None:
    quick, whole = both(packet, from_inside)
    assert quick == whole
    assert isinstance(quick, bytes)


def test_what_is_for_a_service_of_the_gateway_is_left() -> None:
    assert both(udp(FAR, 9, PUBLIC1, 5060), False) == (None, None)


@given(st.sampled_from(CASES), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=3))
def test_damaged_packets_are_translated_alike_or_left(case: Case, damages: list[tuple[int, int]]) -> None:
    octets = bytearray(case.packet)
    for at, value in damages:
        octets[at % len(octets)] = value
    quick, whole = both(bytes(octets), case.from_inside)
    if whole not in KERNELS_OWN:
        assert quick in (None, whole)


@given(st.sampled_from((udp, tcp)), st.integers(2048, 2111), st.integers(0, 65535), st.binary(max_size=50))
def test_every_ordinary_packet_comes_out_the_same(make: object, port: int, to: int, payload: bytes) -> None:
    assert callable(make)
    for packet, from_inside in ((make(PHONE1, port, FAR, to, payload), True), (make(FAR, to, PUBLIC1, port, payload), False)):
        quick, whole = both(packet, from_inside)
        assert quick == whole


@pytest.mark.parametrize("ttl", [2, 64, 255])
def test_between_two_hops_of_a_kernel_the_packet_leaves_as_by_one(ttl: int) -> None:
    """The kernel lowers the TTL before and behind, so it is raised by one: what the kernel gets is the packet before its hop."""
    here = table()
    for make, packet, quick in (
        (udp, (PHONE1, 2048, FAR, 9), quick_outbound(here, BETWEEN)),
        (tcp, (FAR, 9, PUBLIC1, 2048), quick_inbound(here, BETWEEN)),
    ):
        verdict = (outbound if make is udp else inbound)(here, make(*packet, ttl=ttl))
        assert isinstance(verdict, Translated)
        octets = quick(make(*packet, ttl=ttl - 1))
        assert octets is not None
        assert (octets[8], verdict.packet[8]) == (ttl, ttl - 1)
        assert checksum(octets[:20]) == 0
        assert bytes(octets[12:]) == verdict.packet[12:]


def test_what_announces_segments_is_left_where_they_are_limited() -> None:
    """To the translation that lowers them; the builder makes a SYN."""
    here = table()
    for make, way, packet in (
        (quick_outbound, outbound, (PHONE1, 2048, FAR, 9)),
        (quick_inbound, inbound, (FAR, 9, PUBLIC1, 2048)),
    ):
        limited = make(here, clamped=True)
        assert limited(tcp(*packet)) is None
        for other in (udp(*packet), announcing(*packet, b"", flags=16)):
            assert way(here, other) == Translated(bytes(limited(other) or b""))


def test_between_two_hops_no_ttl_overflows() -> None:
    assert quick_outbound(table(), BETWEEN)(udp(PHONE1, 2048, FAR, 9, ttl=255)) is None
