"""The part of the suite about the call-aware mode (FWL-4)."""

from ipaddress import IPv4Address

import pytest

from voxpath.model.ports import Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.natreactor.interface import Adopted
from voxpath.testing.nat.packets import (
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
    cut,
    mapping,
    udp,
)
from voxpath.testing.nat.rig import Rig, result_of

STRANGER, PROXY = "198.51.100.7", "198.51.100.9"


def pinhole(public: str, port: int, peer: str) -> Pinhole:
    """A pinhole by texts."""
    return Pinhole(int(IPv4Address(public)), port, int(IPv4Address(peer)))


MEDIA = pinhole(PUBLIC1, 2050, FAR)


class CallAwareConformance:
    """The tests; ``rig`` is a fixture of the subclass's module."""

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

    def test_media_may_leave_by_one_port_and_come_by_another(self, aware: Rig) -> None:
        """RTI-9: the phone sends from an odd port and hears at an even one, its peer likewise; in both modes."""
        sent, heard = udp(PHONE1, 2051, FAR, 7078), udp(FAR, 7079, PUBLIC1, 2050)
        assert aware.carry(sent, True) is not None
        assert aware.carry(heard, False) is None
        result_of(aware.nat.admit(PinholeChange(open=(MEDIA,))))
        assert aware.carry(sent, True) == udp(PUBLIC1, 2051, FAR, 7078, ttl=63)
        assert aware.carry(heard, False) == udp(FAR, 7079, PHONE1, 2050, ttl=63)
        if aware.restart(call_aware=False) == Adopted():
            result_of(aware.nat.apply(Transaction(1, MAPPINGS)))
        assert aware.carry(sent, True) == udp(PUBLIC1, 2051, FAR, 7078, ttl=63)
        assert aware.carry(heard, False) == udp(FAR, 7079, PHONE1, 2050, ttl=63)

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
