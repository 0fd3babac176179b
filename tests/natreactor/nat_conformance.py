"""What every NAT back end has to do, whatever carries its packets (NAP-14).

A test module subclasses :class:`NatConformance` and provides a :class:`Rig`.
"""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Protocol

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.natreactor.nat_packets import (
    CASES,
    FAR,
    LONG,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PHONE3,
    PHONE4,
    PHONE5,
    PREFIX,
    PUBLIC1,
    PUBLIC2,
    UNUSED_PUBLIC,
    WHOLES,
    Case,
    cut,
    mapping,
    udp,
)  # fmt: skip
from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.event import SpoofedPort, UnknownPhone, UnleasedPort
from voxpath.natreactor.interface import Adopted, INATReactor, Outside, PhoneCounters
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.settings import NatSettings

OUTSIDE = Outside(
    inside=("lan0",),
    outside=("wan0",),
    private=(PREFIX,),
    public=tuple(IPv4Address(text) for text in (PUBLIC1, PUBLIC2, UNUSED_PUBLIC)),
)

NAMES = {IPv4Address(PHONE1): "02:00:00:00:00:01", IPv4Address(PHONE2): "02:00:00:00:00:02"}


def settings(clock: Clock, **more: object) -> NatSettings:
    return replace(NatSettings(OUTSIDE, clock, identify=lambda address: NAMES.get(address, "")), **more)


def result_of(deferred: "Deferred[object]") -> object:
    """The result of a Deferred that has fired, or its exception raised."""
    results: list[object] = []
    failures: list[BaseException] = []
    deferred.addCallbacks(results.append, lambda failure: failures.append(failure.value))
    if failures:
        raise failures[0]
    return results[0]


STRANGER, PROXY = "198.51.100.7", "198.51.100.9"


def pinhole(public: str, port: int, peer: str) -> Pinhole:
    return Pinhole(int(IPv4Address(public)), port, int(IPv4Address(peer)))


MEDIA = pinhole(PUBLIC1, 2050, FAR)


class Rig(Protocol):
    """A back end that was started, and the world around it."""

    nat: INATReactor
    clock: Clock
    events: list[Event]

    def carry(self, packet: bytes, from_inside: bool) -> bytes | None:
        """Send a packet; give what comes out on the other side."""

    def restart(self, **more: object) -> Adopted:
        """Stop the back end and begin again; one whose state is in the kernel begins as another object.

        :param more: settings that are other ones than before; of a back end without a kernel nothing else is left then.
        """


def oracle(case: Case) -> bytes | None:
    """What the memory back end makes of a case."""
    nat = MemoryNAT(settings(Clock()))
    nat.apply(Transaction(1, MAPPINGS))
    (verdict, *_) = nat.carry(case.packet, case.from_inside)
    nat.stop()
    return getattr(verdict, "packet", None)


class NatConformance:
    """The suite; ``rig`` is a fixture of the subclass's module."""

    @pytest.fixture
    def loaded(self, rig: Rig) -> Rig:
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        return rig

    def test_crafted_packets(self, loaded: Rig) -> None:
        """Every crafted packet is treated as the pure translation does, octet by octet, and every drop has its counter."""
        wrong = []
        for case in CASES:
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
        with pytest.raises(LocalError):
            result_of(loaded.nat.apply(wrong))
        assert loaded.nat.generation() == 1
        assert loaded.carry(udp(PHONE3, 2048, FAR, 9), True) is not None
        assert loaded.carry(udp(PHONE1, 9216, FAR, 9), True) is None

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

    # The call-aware mode (FWL-4).

    @pytest.fixture
    def aware(self, rig: Rig) -> Rig:
        rig.restart(call_aware=True, trusted=(IPv4Address(PROXY),))
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        return rig

    def test_a_peer_is_let_in_for_the_time_of_its_call_and_a_stranger_never(self, aware: Rig) -> None:
        def heard() -> list[bool]:
            """The peer by two of its ports, for its media may come from another one than it gets them at (RTI-9); a stranger."""
            senders = ((FAR, 7078), (FAR, 40000), (STRANGER, 7078))
            return [aware.carry(udp(source, port, PUBLIC1, 2050), False) is not None for source, port in senders]

        assert heard() == [False, False, False]
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA,))))
        assert heard() == [True, True, False]
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2052), False) is None
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 9999), False) is None
        result_of(aware.nat.admit(PinholeChange(close=(MEDIA,))))
        assert heard() == [False, False, False]
        drops = aware.nat.drops()
        assert (drops["stranger"], drops["unleased_port"]) == (8, 1)

    def test_what_is_let_in_is_translated_as_in_the_open_mode(self, aware: Rig) -> None:
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA, pinhole(PUBLIC2, 3003, FAR), pinhole(PUBLIC1, 4200, FAR)))))
        for packet, phone in (
            (udp(FAR, 7078, PUBLIC1, 2050), PHONE1),
            (udp(FAR, 7078, PUBLIC2, 3003), PHONE5),
            (udp(FAR, 7078, PUBLIC1, 4200), PHONE4),
        ):
            came = aware.carry(packet, False)
            assert came is not None
            assert came[16:20] == IPv4Address(phone).packed

    def test_what_phones_send_to_the_outside_needs_no_pinhole(self, aware: Rig) -> None:
        assert aware.carry(udp(PHONE1, 2050, FAR, 7078), True) is not None
        assert aware.carry(udp(PHONE5, 3003, FAR, 7078), True) is not None

    def test_the_controller_and_the_proxy_reach_every_leased_port(self, aware: Rig) -> None:
        assert aware.carry(udp(PROXY, 2944, PUBLIC1, 2048), False) is not None
        assert aware.carry(udp(PROXY, 2944, PUBLIC2, 3003), False) is not None
        assert aware.carry(udp(PROXY, 2944, PUBLIC1, 9999), False) is None

    def test_another_phone_of_the_gateway_counts_by_its_public_address(self, aware: Rig) -> None:
        turning = udp(PHONE1, 2050, PUBLIC2, 2050)
        assert aware.carry(turning, True) is None
        assert aware.nat.drops()["stranger"] == 1
        between = pinhole(PUBLIC2, 2050, PUBLIC1)
        result_of(aware.nat.admit(PinholeChange(open=(between,))))
        came = aware.carry(turning, True)
        assert came is not None
        assert came[12:20] == IPv4Address(PUBLIC1).packed + IPv4Address(PHONE3).packed
        assert aware.carry(udp(PHONE2, 2048, PUBLIC2, 2050), True) is None
        assert aware.nat.drops()["spoofed_port"] == 1
        result_of(aware.nat.admit(PinholeChange(close=(between,))))
        assert aware.carry(turning, True) is None

    def test_changes_of_pinholes_are_idempotent_and_in_one_step(self, aware: Rig) -> None:
        other = pinhole(PUBLIC1, 2052, FAR)
        for _ in range(2):
            result_of(aware.nat.admit(PinholeChange(open=(MEDIA, MEDIA))))
        result_of(aware.nat.admit(PinholeChange((other,), (MEDIA,))))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2052), False) is not None
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2050), False) is None
        for _ in range(2):
            result_of(aware.nat.admit(PinholeChange(close=(MEDIA, other))))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2052), False) is None
        assert aware.nat.generation() == 1

    def test_a_pinhole_to_a_port_that_nobody_holds_is_not_opened(self, aware: Rig) -> None:
        result_of(aware.nat.admit(PinholeChange(open=(pinhole(PUBLIC1, 6400, FAR),))))
        result_of(aware.nat.apply(Transaction(2, (mapping(PHONE1, PUBLIC1, 6400, 64),))))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 6400), False) is None

    def test_a_pinhole_ends_with_the_lease_of_its_port(self, aware: Rig) -> None:
        """The next holder of the ports is not to hear the last one's peers; for a hairpin likewise."""
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA, pinhole(PUBLIC1, 2051, PUBLIC2)))))
        result_of(aware.nat.apply(Transaction(2, (mapping(PHONE2, PUBLIC1, 2048, 64),), (MAPPINGS[0],))))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2050), False) is None
        assert aware.carry(udp(PHONE3, 2048, PUBLIC1, 2051), True) is None
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA,))))
        came = aware.carry(udp(FAR, 7078, PUBLIC1, 2050), False)
        assert came is not None
        assert came[16:20] == IPv4Address(PHONE2).packed

    def test_pinholes_outlive_a_replacement_that_keeps_their_phones(self, aware: Rig) -> None:
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA, pinhole(PUBLIC2, 2050, FAR), pinhole(PUBLIC1, 2051, PUBLIC2)))))
        result_of(aware.nat.replace_all(5, (*MAPPINGS[:2], mapping(PHONE4, PUBLIC2, 2048, 64), mapping(PHONE3, PUBLIC2, 2112, 64))))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2050), False) is not None
        assert aware.carry(udp(FAR, 7078, PUBLIC2, 2050), False) is None
        assert aware.carry(udp(PHONE3, 2112, PUBLIC1, 2051), True) is not None

    def test_a_stranger_is_not_counted_as_heard_by_the_phone(self, aware: Rig) -> None:
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA,))))
        for source in (FAR, STRANGER, STRANGER):
            aware.carry(udp(source, 7078, PUBLIC1, 2050), False)
        assert aware.nat.counters(IPv4Address(PHONE1)).in_packets == 1

    def test_a_strangers_fragments_pass_no_more_than_its_whole_packets_do(self, aware: Rig) -> None:
        """Whichever part of a back end carries fragments: it knows the pinholes, and asks for every fragment anew."""
        identifications = iter(range(1, 100))

        def fragments(source: str, port: int = 7078) -> list[bytes]:
            return cut(udp(source, port, PUBLIC1, 2050, LONG, fragment=0), identification=next(identifications))

        def heard(*parts: bytes, inside: bool = False) -> list[bool]:
            return [aware.carry(part, inside) is not None for part in parts]

        nothing, everything = [False] * 3, [True] * 3
        for source in (FAR, STRANGER):
            assert heard(*fragments(source)) == nothing
        assert heard(*fragments(PHONE3, 2048), inside=True) == nothing
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA,))))
        assert heard(*fragments(FAR)) == everything
        assert heard(*fragments(STRANGER)) == nothing
        assert heard(*fragments(PHONE3, 2048), inside=True) == nothing
        first, *later = fragments(FAR)
        assert heard(first) == [True]
        result_of(aware.nat.admit(PinholeChange(close=(MEDIA,))))
        assert heard(*later) == [False] * 2
        assert heard(*fragments(FAR)) == nothing
        # What waits for its first fragment in vain is counted when it has waited too long.
        assert aware.nat.drops()["stranger"] == 8

    def test_a_restart_keeps_the_pinholes_of_running_calls(self, aware: Rig) -> None:
        between = pinhole(PUBLIC1, 2051, PUBLIC2)
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA, between))))
        assert aware.restart() == Adopted(1, frozenset(MAPPINGS), frozenset((MEDIA, between)))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2050), False) is not None
        assert aware.carry(udp(PHONE3, 2048, PUBLIC1, 2051), True) is not None
        assert aware.carry(udp(STRANGER, 7078, PUBLIC1, 2050), False) is None
        result_of(aware.nat.admit(PinholeChange(close=(MEDIA, between))))
        assert aware.carry(udp(FAR, 7078, PUBLIC1, 2050), False) is None
        assert aware.carry(udp(PHONE3, 2048, PUBLIC1, 2051), True) is None

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

    def test_strangers_are_counted_at_the_phone_that_they_wanted_to_reach(self, aware: Rig) -> None:
        """By a block, by a large block, by single ports, and round the gateway."""
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA,))))
        for packet in (udp(STRANGER, 9, PUBLIC1, 2050), udp(STRANGER, 9, PUBLIC1, 4200), udp(STRANGER, 9, PUBLIC2, 3003)):
            aware.carry(packet, False)
            aware.carry(packet, False)
        aware.carry(udp(PHONE3, 2050, PUBLIC1, 2051), True)
        aware.carry(udp(PHONE3, 2050, PUBLIC2, 3004), True)
        aware.carry(udp(FAR, 9, PUBLIC1, 2050), False)
        aware.clock.advance(1.5)
        for phone, dropped in ((PHONE1, 3), (PHONE4, 2), (PHONE5, 3)):
            counted = aware.nat.counters(IPv4Address(phone))
            assert (counted.in_drops, counted.out_drops) == ({"stranger": dropped}, {}), phone
        assert aware.nat.drops()["stranger"] == 8

    def test_the_number_of_mappings(self, loaded: Rig) -> None:
        assert loaded.nat.mapping_count() == len(MAPPINGS)
