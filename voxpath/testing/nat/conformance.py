"""What every NAT back end has to do, whatever carries its packets (NAP-14).

A test module subclasses :class:`NatConformance` and provides a fixture ``rig``, a :class:`voxpath.testing.nat.rig.Rig`.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import ClassVar

import pytest

from voxpath.core.errors import LocalError
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.pinhole import PinholeChange
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.event import SpoofedPort, UnknownPhone, UnleasedPort
from voxpath.natreactor.interface import Adopted, PhoneCounters
from voxpath.testing.nat.calls import MEDIA, STRANGER, CallAwareConformance
from voxpath.testing.nat.packets import (
    CASES,
    FAR,
    LONG,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PHONE3,
    PHONE4,
    PHONE5,
    PUBLIC1,
    PUBLIC2,
    WHOLES,
    Case,
    cut,
    ip,
    mapping,
    tcp,
    udp,
)
from voxpath.testing.nat.rig import NAMES, Rig, oracle, result_of

REFUSED = (
    (udp(PHONE2, 2048, FAR, 9, LONG, fragment=0), Reason.SPOOFED_PORT),
    (udp("10.0.0.99", 2048, FAR, 9, LONG, fragment=0), Reason.UNKNOWN_PHONE),
    (udp(PHONE1, 2048, PUBLIC1, 2176, LONG, fragment=0), Reason.UNLEASED_PORT),
    (udp("192.0.2.77", 2048, FAR, 9, LONG, fragment=0), Reason.BOGON),
    (ip(PHONE1, FAR, LONG, 47, fragment=0), Reason.UNKNOWN_PROTOCOL),
    (udp(PHONE1, 2048, FAR, 9, LONG, fragment=0, ttl=1), Reason.TTL_EXPIRED),
    (udp(FAR, 9, PUBLIC1, 2176, LONG, fragment=0), Reason.UNLEASED_PORT),
)
"""Packets that may not pass, and why."""
OVERLAPPING = (
    mapping("10.0.0.20", PUBLIC1, 2048, 128),
    mapping("10.0.0.20", PUBLIC1, 2048, 1),
    mapping("10.0.0.20", PUBLIC1, 4096, 64),
    mapping("10.0.0.20", PUBLIC1, 4350, 2),
    mapping("10.0.0.20", PUBLIC2, 2992, 16),
    mapping("10.0.0.20", PUBLIC2, 4992, 64),
    mapping("10.0.0.20", PUBLIC2, 5001, 1),
)
"""Mappings with ports that somebody has."""


class NatConformance(CallAwareConformance):
    """The suite; ``rig`` is a fixture of the subclass's module."""

    cases: ClassVar[Sequence[Case]] = CASES
    """The crafted packets; a subclass leaves those out that its documentation says it treats otherwise."""

    @pytest.fixture
    def loaded(self, rig: Rig) -> Rig:
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        return rig

    def test_crafted_packets(self, loaded: Rig) -> None:
        """Every crafted packet is treated as the pure translation does, octet by octet, and every drop has its counter."""
        wrong = []
        for case in self.cases:
            before = dict(loaded.nat.drops())
            came = loaded.carry(case.packet, case.from_inside)
            after = loaded.nat.drops()
            counted = {name for name in after if after[name] != before[name]}
            expected = {case.reason.value} if case.reason is not None and case.counted else set()
            # The kernel's own error about a packet that it discards between the two translations is itself discarded.
            kernel_may = set() if case.counted or case.reason is None else {case.reason.value, Reason.ICMP.value}
            if came != oracle(case) or not expected <= counted <= expected | kernel_may:
                wrong.append((case.name, counted, came))
        assert not wrong, "\n".join(map(str, wrong))

    def test_fragments(self, loaded: Rig) -> None:
        """All octets of a long packet come out behind the gateway, in as many fragments, with one identification."""
        for name, before, behind in WHOLES:
            came = [loaded.carry(part, before[12] == 10) for part in cut(before)]
            assert all(came), name
            parts = [part for part in came if part is not None]
            assert b"".join(part[20:] for part in parts) == behind[20:], name
            assert {part[12:20] for part in parts} == {behind[12:20]}, name
            assert len({part[4:6] for part in parts}) == 1, name

    def test_of_a_packet_that_may_not_pass_no_fragment_does(self, loaded: Rig) -> None:
        """Neither behind the first one nor before it; the first one is dropped for the reason of the whole packet."""
        for number, (packet, reason) in enumerate(REFUSED):
            from_inside = packet[12:16] != IPv4Address(FAR).packed
            early, late = (cut(packet, identification=2 * number + last) for last in (0, 1))
            for ordered in (early, [*late[1:], late[0]]):
                before = loaded.nat.drops()[reason.value]
                assert [loaded.carry(part, from_inside) for part in ordered] == [None] * len(ordered), reason
                assert loaded.nat.drops()[reason.value] > before

    def test_what_would_let_a_header_pass_in_pieces_is_dropped(self, loaded: Rig) -> None:
        """A first fragment without its whole header (RFC 1858), and a second one that would write over it (RFC 3128)."""
        whole = tcp(PHONE1, 2048, FAR, 9, LONG, fragment=0)
        tiny, over, *_ = cut(whole, 16)
        assert loaded.carry(tiny, True) is None
        assert loaded.nat.drops()["truncated"] == 1
        assert loaded.carry(cut(whole, 1200)[0], True) is not None
        assert loaded.carry(over, True) is None
        assert loaded.nat.drops()["fragment"] == 1

    def test_nothing_passes_before_the_first_mapping(self, rig: Rig) -> None:
        assert rig.carry(udp(PHONE1, 2048, FAR, 9), True) is None
        assert rig.carry(udp(FAR, 9, PUBLIC1, 2048), False) is None

    def test_a_release_stops_both_directions_at_once(self, loaded: Rig) -> None:
        result_of(loaded.nat.apply(Transaction(2, (), (MAPPINGS[0],))))
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is None
        assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) is None
        assert loaded.nat.generation() == 2
        drops = loaded.nat.drops()
        assert (drops["unknown_phone"], drops["unleased_port"], drops["spoofed_port"]) == (1, 1, 0)

    def test_a_block_moves_to_another_phone(self, loaded: Rig) -> None:
        result_of(loaded.nat.apply(Transaction(2, (mapping(PHONE2, PUBLIC1, 2048, 64),), (MAPPINGS[0],))))
        came = loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False)
        assert came is not None
        assert came[16:20] == IPv4Address(PHONE2).packed
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is None

    def test_larger_and_smaller_blocks_end_completely(self, loaded: Rig) -> None:
        result_of(loaded.nat.apply(Transaction(2, (), (MAPPINGS[3], MAPPINGS[4]))))
        assert loaded.carry(udp(PHONE4, 4351, FAR, 9), True) is None
        assert loaded.carry(udp(FAR, 9, PUBLIC1, 4200), False) is None
        assert loaded.carry(udp(PHONE5, 3007, FAR, 9), True) is None
        assert loaded.carry(udp(FAR, 9, PUBLIC2, 3003), False) is None

    def test_transactions_are_idempotent(self, loaded: Rig) -> None:
        again = Transaction(2, MAPPINGS, (mapping(PHONE1, PUBLIC2, 9216, 64),))
        for _ in range(2):
            result_of(loaded.nat.apply(again))
        assert loaded.nat.generation() == 2
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None

    def test_a_contradiction_changes_nothing(self, loaded: Rig) -> None:
        wrong = Transaction(2, (mapping(PHONE1, PUBLIC2, 9216, 64), mapping(PHONE2, PUBLIC1, 2048, 64)), (MAPPINGS[2],))
        # It is the Deferred that fails.
        refused = loaded.nat.apply(wrong)
        with pytest.raises(LocalError):
            result_of(refused)
        assert loaded.nat.generation() == 1
        assert loaded.carry(udp(PHONE3, 2048, FAR, 9), True) is not None
        assert loaded.carry(udp(PHONE1, 9216, FAR, 9), True) is None

    def test_ranges_that_overlap_are_refused(self, loaded: Rig) -> None:
        """Larger, smaller and equal ones; whoever holds the ports keeps them."""
        for wrong in OVERLAPPING:
            refused = loaded.nat.apply(Transaction(2, (mapping("10.0.0.21", PUBLIC2, 9216, 64), wrong)))
            with pytest.raises(LocalError):
                result_of(refused)
            assert loaded.nat.generation() == 1
            assert loaded.carry(udp("10.0.0.20", wrong.block.first, FAR, 9), True) is None
            assert loaded.carry(udp("10.0.0.21", 9216, FAR, 9), True) is None
        for row in MAPPINGS:
            assert loaded.carry(udp(str(row.private), row.block.last, FAR, 9), True) is not None

    def test_replace_all(self, loaded: Rig) -> None:
        """Two thousand mappings take the place of six, in one transaction."""
        crowd = tuple(
            mapping(
                f"10.0.0.{1 + (number + number // 1000) % 250}",
                PUBLIC1 if number < 1000 else PUBLIC2,
                1024 + (number % 1000) * 64,
                64,
            )
            for number in range(2000)
        )
        result_of(loaded.nat.replace_all(5, (*crowd[:-1], mapping(PHONE1, PUBLIC2, 65024, 16))))
        assert loaded.nat.generation() == 5
        came = loaded.carry(udp(PHONE1, 65030, FAR, 9), True)
        assert came is not None
        assert came[12:16] == IPv4Address(PUBLIC2).packed
        result_of(loaded.nat.replace_all(6, MAPPINGS))
        assert loaded.carry(udp(PHONE1, 65030, FAR, 9), True) is None
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None

    def test_counters_of_a_phone(self, loaded: Rig) -> None:
        """Packets and IP octets in each direction, summed over a phone's cells; a hairpin counts for both phones."""
        packet = udp(PHONE4, 4096, FAR, 9)
        loaded.carry(packet, True)
        loaded.carry(udp(PHONE4, 4351, FAR, 9), True)
        loaded.carry(udp(FAR, 9, PUBLIC1, 4200), False)
        loaded.carry(udp(PHONE1, 2048, PUBLIC1, 2112), True)
        size = len(packet)
        assert loaded.nat.counters(IPv4Address(PHONE4)) == PhoneCounters(2, 2 * size, 1, size)
        assert loaded.nat.counters(IPv4Address(PHONE1)) == PhoneCounters(1, size, 0, 0)
        assert loaded.nat.counters(IPv4Address(PHONE2)) == PhoneCounters(0, 0, 1, size)
        assert loaded.nat.counters(IPv4Address("10.0.0.99")) == PhoneCounters()
        loaded.carry(packet, True)
        assert loaded.nat.counters(IPv4Address(PHONE4)).out_packets == 3

    def test_a_spoofed_port_names_both_phones(self, loaded: Rig) -> None:
        for _ in range(3):
            loaded.carry(udp(PHONE2, 2048, FAR, 9), True)
        loaded.carry(udp("10.0.0.99", 2048, FAR, 9), True)
        loaded.carry(udp(FAR, 9, PUBLIC1, 9999), False)
        loaded.clock.advance(1.5)
        spoofed = [event for event in loaded.events if isinstance(event, SpoofedPort)]
        assert sum(event.packets for event in spoofed) == 3
        assert {(event.phone, event.peer, event.address, event.port) for event in spoofed} == {
            (NAMES[IPv4Address(PHONE2)], NAMES[IPv4Address(PHONE1)], PHONE2, 2048)
        }
        assert [event.address for event in loaded.events if isinstance(event, UnknownPhone)] == ["10.0.0.99"]
        assert sum(event.packets for event in loaded.events if isinstance(event, UnleasedPort)) == 1

    def test_a_flood_costs_few_events(self, loaded: Rig) -> None:
        for _ in range(200):
            loaded.carry(udp(PHONE2, 2048, FAR, 9), True)
        loaded.clock.pump([0.5] * 6)
        spoofed = [event for event in loaded.events if isinstance(event, SpoofedPort)]
        assert sum(event.packets for event in spoofed) == 200
        assert len(spoofed) <= 3

    def test_drops_name_every_reason(self, rig: Rig) -> None:
        assert dict(rig.nat.drops()) == {reason.value: 0 for reason in Reason}

    def test_a_restart_adopts_what_is_there(self, loaded: Rig) -> None:
        assert loaded.restart() == Adopted(1, frozenset(MAPPINGS))
        result_of(loaded.nat.apply(Transaction(2, (), (MAPPINGS[3], MAPPINGS[4]))))
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
        assert loaded.carry(udp(PHONE4, 4100, FAR, 9), True) is None

    def test_mappings_of_no_size_but_one(self, rig: Rig) -> None:
        """A table of single ports: the smallest blocks beside each other."""
        singles: tuple[Mapping, ...] = (mapping(PHONE1, PUBLIC1, 1024, 1), mapping(PHONE2, PUBLIC1, 1025, 1))
        result_of(rig.nat.apply(Transaction(1, singles)))
        assert rig.carry(udp(PHONE1, 1024, FAR, 9), True) is not None
        assert rig.carry(udp(PHONE1, 1025, FAR, 9), True) is None

    def test_the_open_mode_knows_no_pinhole(self, loaded: Rig) -> None:
        """Endpoint-independent filtering (RFC 4787 REQ-8) is the default."""
        result_of(loaded.nat.admit(PinholeChange(open=(MEDIA,))))
        for port in (2048, 2050):
            assert loaded.carry(udp(STRANGER, 7078, PUBLIC1, port), False) is not None
        result_of(loaded.nat.admit(PinholeChange(close=(MEDIA,))))
        assert loaded.restart() == Adopted(1, frozenset(MAPPINGS))
        assert loaded.nat.drops()["stranger"] == 0

    # Drops of a phone.

    def test_a_phones_spoofed_packets_are_counted_as_its_own(self, loaded: Rig) -> None:
        for _ in range(3):
            loaded.carry(udp(PHONE2, 2048, FAR, 9), True)
        loaded.carry(udp(PHONE2, 2112, FAR, 9), True)
        loaded.carry(udp("10.0.0.99", 2048, FAR, 9), True)
        loaded.clock.advance(1.5)
        loaded.carry(udp(PHONE2, 2048, FAR, 9), True)
        loaded.clock.advance(1.5)
        counted = loaded.nat.counters(IPv4Address(PHONE2))
        assert (counted.out_packets, counted.out_drops, counted.in_drops) == (1, {"spoofed_port": 4}, {})
        assert loaded.nat.counters(IPv4Address(PHONE1)) == PhoneCounters()
        assert loaded.nat.counters(IPv4Address("10.0.0.99")) == PhoneCounters()

    def test_the_number_of_mappings(self, loaded: Rig) -> None:
        assert loaded.nat.mapping_count() == len(MAPPINGS)
