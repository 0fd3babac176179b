"""The pure translation: each crafted packet, and the properties that hold for all packets."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.model.ports import Mapping, PortBlock, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange, Pinholes
from voxpath.nappt.table import Table
from voxpath.nappt.translate import inbound, outbound
from voxpath.nappt.verdict import Drop, Local, Reason, Translated, Verdict
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
    checksums_hold,
    error,
    ip,
    tcp,
    udp,
)

PUBLICS = tuple(IPv4Address(text) for text in (PUBLIC1, PUBLIC2, UNUSED_PUBLIC))


def table_of(*mappings: Mapping, block_size: int = 64) -> Table:
    table = Table((IPv4Network(PREFIX),), PUBLICS, block_size)
    table.apply(Transaction(1, mappings))
    return table


def carried(table: Table, case: Case) -> Verdict:
    return (outbound if case.from_inside else inbound)(table, case.packet)


def ports(packet: bytes) -> bytes:
    size = (packet[0] & 15) * 4
    return packet[size : size + 4]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_crafted_packet(case: Case) -> None:
    verdict = carried(table_of(*MAPPINGS), case)
    if case.reason is not None:
        assert verdict == Drop(case.reason)
        return
    assert isinstance(verdict, Translated)
    packet = verdict.packet
    assert (str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))) == case.leaves
    assert packet[8] == case.packet[8] - 1
    if case.becomes:
        assert packet == case.becomes
        return
    assert ports(packet) == ports(case.packet)
    total = int.from_bytes(case.packet[2:4], "big")
    assert checksums_hold(packet) == checksums_hold(case.packet[:total])


@pytest.mark.parametrize("fragment", [0x2000, 0x0010, 0x2010])
def test_a_fragment_is_not_translated_without_a_memory(fragment: int) -> None:
    table = table_of(*MAPPINGS)
    assert outbound(table, udp(PHONE1, 2048, FAR, 9, fragment=fragment)) == Drop(Reason.FRAGMENT)
    assert inbound(table, udp(FAR, 9, PUBLIC1, 2048, fragment=fragment)) == Drop(Reason.FRAGMENT)


def test_every_reason_is_met_by_a_case() -> None:
    """The table of cases shows each reason but those that need a foreign destination, a pool, or the call-aware mode."""
    assert {case.reason for case in CASES} >= set(Reason) - {Reason.NOT_OURS, Reason.POOL_EXHAUSTED, Reason.STRANGER}


def test_a_destination_that_is_not_ours_is_named() -> None:
    assert inbound(table_of(*MAPPINGS), udp(FAR, 9, "192.0.2.1", 2048)) == Drop(Reason.NOT_OURS)


def test_in_the_call_aware_mode_a_peer_reaches_a_phone_while_their_call_lasts() -> None:
    table = table_of(*MAPPINGS)
    table.pinholes = Pinholes([int(IPv4Address("198.51.100.9"))])
    media = Pinhole(int(IPv4Address(PUBLIC1)), 2050, int(IPv4Address(FAR)))
    coming = udp(FAR, 7078, PUBLIC1, 2050)
    assert inbound(table, coming) == Drop(Reason.STRANGER)
    assert isinstance(inbound(table, udp("198.51.100.9", 2944, PUBLIC1, 2050)), Translated)
    table.admit(PinholeChange(open=(media,)))
    assert isinstance(inbound(table, coming), Translated)
    assert isinstance(outbound(table, udp(PHONE1, 2050, FAR, 7078)), Translated)
    assert inbound(table, udp("198.51.100.7", 7078, PUBLIC1, 2050)) == Drop(Reason.STRANGER)
    assert inbound(table, udp(FAR, 7078, PUBLIC1, 2176)) == Drop(Reason.UNLEASED_PORT)
    table.admit(PinholeChange(close=(media,)))
    assert inbound(table, coming) == Drop(Reason.STRANGER)


def test_in_the_call_aware_mode_a_phone_is_a_stranger_to_another_one_by_its_public_address() -> None:
    table = table_of(*MAPPINGS)
    table.pinholes = Pinholes()
    turning = udp(PHONE1, 2048, PUBLIC2, 2050)
    assert outbound(table, turning) == Drop(Reason.STRANGER)
    table.admit(PinholeChange(open=(Pinhole(int(IPv4Address(PUBLIC2)), 2050, int(IPv4Address(PUBLIC1))),)))
    assert isinstance(outbound(table, turning), Translated)


blocks = st.integers(0, 10).flatmap(
    lambda power: st.integers(-(-1024 // (1 << power)), (0x10000 >> power) - 1).map(lambda at: (at << power, 1 << power))
)
mappings = st.builds(
    lambda host, public, block: Mapping(IPv4Address(f"10.0.0.{host}"), PortBlock(public, *block)),
    st.integers(2, 250),
    st.sampled_from(PUBLICS),
    blocks,
)
payloads = st.binary(max_size=40)
options = st.integers(0, 10).map(lambda words: b"\x01" * 4 * words)
sizes = st.sampled_from((1, 16, 64, 1024))


@given(mappings, st.data(), payloads, options, sizes, st.sampled_from((udp, tcp)))
def test_outbound_then_inbound_is_the_way_back(
    mapping: Mapping, data: st.DataObject, payload: bytes, extra: bytes, size: int, make: object
) -> None:
    """A packet that leaves, answered with its addresses and ports exchanged, comes back to where it began."""
    assert callable(make)
    table = table_of(mapping, block_size=size)
    port = data.draw(st.integers(mapping.block.first, mapping.block.last))
    private, public = str(mapping.private), str(mapping.block.public)
    there = outbound(table, make(private, port, FAR, 9, payload, options=extra))
    assert isinstance(there, Translated)
    assert there.packet[12:16] == mapping.block.public.packed
    assert checksums_hold(there.packet)
    assert ports(there.packet)[:2] == port.to_bytes(2, "big")
    assert there.packet.endswith(payload)
    back = inbound(table, make(FAR, 9, public, port, payload, options=extra))
    assert isinstance(back, Translated)
    assert checksums_hold(back.packet)
    assert back.packet == make(FAR, 9, private, port, payload, options=extra, ttl=63)


@given(mappings, st.integers(0, 0xFFFF), st.integers(2, 250), sizes)
def test_only_the_holder_of_a_port_may_send_from_it(mapping: Mapping, port: int, host: int, size: int) -> None:
    table = table_of(mapping, block_size=size)
    sender = f"10.0.0.{host}"
    verdict = outbound(table, udp(sender, port, FAR, 9))
    mine = sender == str(mapping.private)
    if mine and port in mapping.block:
        assert isinstance(verdict, Translated)
    else:
        assert verdict == Drop(Reason.SPOOFED_PORT if mine else Reason.UNKNOWN_PHONE)


@given(st.binary(max_size=80), st.booleans())
def test_any_octets_get_a_verdict(octets: bytes, shaped: bool) -> None:
    """Whatever arrives, nothing is raised, and nothing leaves with an inside source."""
    table = table_of(*MAPPINGS)
    packet = ip(PHONE1, FAR, octets, protocol=octets[0] if octets else 17) if shaped else octets
    for way in (outbound, inbound):
        verdict = way(table, packet)
        if isinstance(verdict, Translated) and way is not inbound:
            assert not table.is_inside(int.from_bytes(verdict.packet[12:16], "big"))


@given(st.sampled_from([case for case in CASES if case.reason is None]), st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_packet_never_leaves_with_an_inside_source(case: Case, at: int, value: int) -> None:
    damaged = bytearray(case.packet)
    damaged[at % len(damaged)] = value
    table = table_of(*MAPPINGS)
    verdict = outbound(table, bytes(damaged))
    if isinstance(verdict, Translated):
        assert not table.is_inside(int.from_bytes(verdict.packet[12:16], "big"))


@pytest.mark.parametrize("build", [udp, tcp])
def test_a_port_of_the_gateways_own_service_is_left_to_the_host_from_both_sides(build: Callable[..., bytes]) -> None:
    service = PortBlock(IPv4Address(PUBLIC1), 5060, 1)
    table = Table((IPv4Network(PREFIX),), PUBLICS, services=(service,))
    table.apply(Transaction(1, MAPPINGS))
    assert inbound(table, build(FAR, 7, PUBLIC1, 5060)) == Local()
    assert outbound(table, build(PHONE1, 2048, PUBLIC1, 5060)) == Local()
    assert inbound(table, build(FAR, 7, PUBLIC2, 5060)) == Drop(Reason.UNLEASED_PORT)
    assert inbound(table, build(PUBLIC2, 7, PUBLIC1, 5060)) == Drop(Reason.BOGON)
    assert inbound(table, error(FAR, PUBLIC1, build(PUBLIC1, 5060, FAR, 7))) == Local(), "such as: its packet was too long"
    assert inbound(table, error(FAR, PUBLIC2, build(PUBLIC1, 5060, FAR, 7))) == Drop(Reason.ICMP)
    table.replace_all(2, ())
    assert inbound(table, build(FAR, 7, PUBLIC1, 5060)) == Local()
