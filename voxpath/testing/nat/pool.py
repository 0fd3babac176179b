"""What every NAT back end has to do that has an ordinary NAPT (NAP-15) or limits segments, beside what all of them have to do.

A test module subclasses :class:`PoolConformance` and provides a fixture ``rig``, a :class:`voxpath.testing.nat.rig.Rig`.
"""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from voxpath.model.ports import Transaction
from voxpath.nappt.pool import PoolPorts
from voxpath.natreactor.interface import Adopted
from voxpath.testing.nat.packets import (
    FAR,
    LONG,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PHONE5,
    PUBLIC1,
    UNUSED_PUBLIC,
    announcing,
    checksums_hold,
    cut,
    ping,
    pong,
    sctp,
    tcp,
    udp,
)
from voxpath.testing.nat.rig import Rig, result_of

STRANGER = "198.51.100.7"
POOL = range(60000, 60100)
PORTS = PoolPorts(int(IPv4Address(UNUSED_PUBLIC)), POOL.start, POOL.stop - 1)
NTP = 40123
"""A port of no block."""
MSS = 1300


def port_of(packet: bytes) -> int:
    """The source port of a packet without IP options."""
    return int.from_bytes(packet[20:22], "big")


class PoolConformance:
    """The suite; ``rig`` is a fixture of the subclass's module."""

    @pytest.fixture
    def pooled(self, rig: Rig) -> Rig:
        rig.restart(pool=PORTS)
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        return rig

    @pytest.mark.parametrize("make", [udp, tcp])
    def test_a_question_from_outside_the_block_leaves_by_the_pool_and_who_was_asked_may_answer(
        self, pooled: Rig, make: Callable[..., bytes]
    ) -> None:
        """NAP-15."""
        asked = pooled.carry(make(PHONE1, NTP, FAR, 123), True)
        assert asked is not None
        port = port_of(asked)
        assert port in POOL
        assert asked == make(UNUSED_PUBLIC, port, FAR, 123, ttl=63)
        assert pooled.carry(make(FAR, 123, UNUSED_PUBLIC, port), False) == make(FAR, 123, PHONE1, NTP, ttl=63)
        assert pooled.carry(make(STRANGER, 123, UNUSED_PUBLIC, port), False) is None
        assert pooled.carry(make(FAR, 123, UNUSED_PUBLIC, POOL.stop), False) is None
        drops = pooled.nat.drops()
        assert (drops["unleased_port"], drops["spoofed_port"]) == (2, 0)
        counted = pooled.nat.counters(IPv4Address(PHONE1))
        assert (counted.out_packets, counted.in_packets) == (1, 1)

    def test_a_ping_with_any_identifier_is_answered(self, pooled: Rig) -> None:
        asked = pooled.carry(ping(PHONE1, FAR, 7), True)
        assert asked is not None
        identifier = int.from_bytes(asked[24:26], "big")
        assert identifier in POOL
        assert pooled.carry(pong(FAR, UNUSED_PUBLIC, identifier), False) == pong(FAR, PHONE1, 7, ttl=63)

    def test_fragments_of_a_question_leave_by_one_port(self, pooled: Rig) -> None:
        came = [pooled.carry(part, True) for part in cut(udp(PHONE1, NTP, FAR, 123, LONG, fragment=0))]
        parts = [part for part in came if part is not None]
        assert len(parts) == 3
        assert {part[12:16] for part in parts} == {IPv4Address(UNUSED_PUBLIC).packed}
        assert port_of(parts[0]) in POOL

    def test_ports_of_blocks_leave_as_they_are(self, pooled: Rig) -> None:
        for phone, port in ((PHONE1, 2048), (PHONE1, 2111), (PHONE5, 3007)):
            came = pooled.carry(udp(phone, port, FAR, 9), True)
            assert came is not None
            assert came[12:16] != IPv4Address(UNUSED_PUBLIC).packed
            assert port_of(came) == port

    @pytest.mark.parametrize(
        ("packet", "reason"),
        [
            (udp("10.0.0.99", NTP, FAR, 123), "unknown_phone"),
            (udp(PHONE1, NTP, PUBLIC1, 2112), "spoofed_port"),
            (udp(PHONE1, 2048, UNUSED_PUBLIC, POOL.start), "unleased_port"),
            (sctp(PHONE1, NTP, FAR, 123), "spoofed_port"),
        ],
    )
    def test_the_pool_is_for_phones_with_a_lease_and_what_it_can_carry_to_the_outside(
        self, pooled: Rig, packet: bytes, reason: str
    ) -> None:
        before = pooled.nat.drops()[reason]
        assert pooled.carry(packet, True) is None
        assert pooled.nat.drops()[reason] == before + 1

    def test_what_a_phone_has_of_the_pool_ends_with_its_last_lease(self, pooled: Rig) -> None:
        asked = pooled.carry(udp(PHONE1, NTP, FAR, 123), True)
        assert asked is not None
        result_of(pooled.nat.apply(Transaction(2, (), (MAPPINGS[0],))))
        assert pooled.carry(udp(PHONE1, NTP, FAR, 123), True) is None
        result_of(pooled.nat.apply(Transaction(3, (MAPPINGS[0],))))
        assert pooled.carry(udp(FAR, 123, UNUSED_PUBLIC, port_of(asked)), False) is None

    def test_a_block_that_is_leased_later_is_not_taken_for_the_pool(self, pooled: Rig) -> None:
        """What tells the ports of blocks apart follows every change."""
        for generation, mappings in ((2, (MAPPINGS[1],)), (3, ())):
            result_of(pooled.nat.replace_all(generation, (MAPPINGS[0],)))
            result_of(pooled.nat.apply(Transaction(generation, mappings)))
            came = pooled.carry(udp(PHONE1, 2048, FAR, 9), True)
            assert came is not None
            assert port_of(came) == 2048
        result_of(pooled.nat.apply(Transaction(4, (MAPPINGS[1],), (MAPPINGS[0],))))
        came = pooled.carry(udp(PHONE2, 2112, FAR, 9), True)
        assert came is not None
        assert came[12:16] == IPv4Address(PUBLIC1).packed

    def test_without_a_pool_such_packets_are_dropped_again(self, pooled: Rig) -> None:
        if pooled.restart(pool=None) == Adopted():
            result_of(pooled.nat.apply(Transaction(1, MAPPINGS)))
        before = pooled.nat.drops()["spoofed_port"]
        assert pooled.carry(udp(PHONE1, NTP, FAR, 123), True) is None
        assert pooled.nat.drops()["spoofed_port"] == before + 1

    @pytest.mark.parametrize(
        ("announced", "told"), [(b"\x02\x04\x05\xb4", MSS), (b"\x02\x04\x02\x00", 512), (b"\x01\x01\x01\x00", None)]
    )
    def test_larger_segments_than_allowed_are_not_announced(self, rig: Rig, announced: bytes, told: int | None) -> None:
        """In both directions, by SYN alone, and never raised; all checksums hold."""
        rig.restart(mss=MSS)
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        for flags in (2, 18, 16):
            for packet, inside in (
                (announcing(PHONE1, 2048, FAR, 80, announced, flags), True),
                (announcing(FAR, 80, PUBLIC1, 2048, announced, flags), False),
            ):
                came = rig.carry(packet, inside)
                assert came is not None
                assert checksums_hold(came)
                expected = announced if told is None or not flags & 2 else announced[:2] + told.to_bytes(2, "big")
                assert came[40:44] == expected

    @pytest.mark.parametrize("before", [b"\x01", b"\x01\x01", b"\x03\x03\x07"])
    def test_wherever_a_size_is_announced_the_checksum_holds(self, rig: Rig, before: bytes) -> None:
        """An odd place has its octets in two words of the sum."""
        rig.restart(mss=MSS)
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        announced = (before + b"\x02\x04\x05\xb4").ljust(8, b"\x01")
        for packet, inside in (
            (announcing(PHONE1, 2048, FAR, 80, announced), True),
            (announcing(FAR, 80, PUBLIC1, 2048, announced), False),
            (announcing(PHONE1, 2048, PUBLIC1, 2112, announced), True),
        ):
            came = rig.carry(packet, inside)
            assert came is not None
            assert checksums_hold(came)
            assert came[40:48] == announced.replace(b"\x05\xb4", MSS.to_bytes(2, "big"))
