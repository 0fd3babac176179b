"""The slow path without devices: what it makes of packets and of requests."""

from ipaddress import IPv4Address

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxpath.core.errors import RemoteError
from voxpath.nappt.pinhole import Pinhole
from voxpath.nappt.pool import PoolPorts
from voxpath.nappt.translate import inbound, outbound
from voxpath.nappt.verdict import Drop, Reason, Translated
from voxpath.natreactor.offence import MOST_SUBJECTS
from voxpath.natreactor.slow.answers import answer
from voxpath.natreactor.slow.carrier import Carrier
from voxpath.natreactor.slow.frames import (
    LENGTH,
    MOST_OCTETS,
    VERSION,
    Admit,
    Apply,
    Ask,
    Configure,
    Count,
    Counted,
    Done,
    End,
    Kept,
    Look,
    Offender,
    Plan,
    Refused,
    ReplaceAll,
    Request,
    Seen,
    answers,
    framed,
    requests,
    rows_of,
    take,
)
from voxpath.natreactor.slowpath import ANSWER_S, patience_with
from voxpath.testing.nat.packets import (
    CASES,
    FAR,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PREFIX,
    PUBLIC1,
    PUBLIC2,
    STRANGER,
    UNUSED_PUBLIC,
    Case,
    announcing,
    checksum,
    cut,
    error,
    ping,
    udp,
)

WAN = "198.51.100.1"
PUBLIC = tuple(int(IPv4Address(text)) for text in (PUBLIC1, PUBLIC2, UNUSED_PUBLIC))
PLAN = Plan((PREFIX,), PUBLIC, ((PUBLIC[0], 5060),), 64)
ROWS = rows_of(MAPPINGS)


def carrier() -> Carrier:
    made = Carrier(lambda address: address == int(IPv4Address(WAN)))
    assert answer(made, Configure(PLAN, 7, ROWS, ()), 0.0) == Done()
    return made


def hop(packet: bytes, step: int = -1) -> bytes:
    """A packet behind a hop of the kernel, or before it."""
    octets = bytearray(packet)
    octets[8] += step
    octets[10:12] = b"\0\0"
    octets[10:12] = checksum(bytes(octets[: (octets[0] & 15) * 4])).to_bytes(2, "big")
    return bytes(octets)


def seen(made: Carrier, *, take: bool = False) -> Seen:
    said = answer(made, Look(take), 0.0)
    assert isinstance(said, Seen)
    return said


MEDIA = Pinhole(PUBLIC[0], 2050, int(IPv4Address(FAR)))


KERNELS_OWN = {Reason.BAD_HEADER, Reason.BAD_OPTIONS, Reason.TTL_EXPIRED}


@pytest.mark.parametrize("case", [case for case in CASES if case.reason not in KERNELS_OWN], ids=lambda case: case.name)
def test_between_two_hops_of_the_kernel_each_packet_is_treated_as_the_translation_does(case: Case) -> None:
    if len(case.packet) < 20:
        return
    made = carrier()
    written = made.carry(hop(case.packet), case.from_inside, 0.0)
    verdict = (outbound if case.from_inside else inbound)(made.table, case.packet)
    assert [hop(bytes(octets)) for octets in written] == ([verdict.packet] if isinstance(verdict, Translated) else [])
    assert seen(made).drops.get(verdict.reason.value if isinstance(verdict, Drop) else "", 0) == isinstance(verdict, Drop)


def netfilters_copy(packet: bytes) -> bytes:
    """A packet as the rules of nftables give it here: it may not be cut, and the reserved flag tells whether it might before."""
    octets = bytearray(packet)
    octets[6] |= 0x40 if octets[6] & 0x40 else 0xC0
    return hop(bytes(octets))


@pytest.mark.parametrize("flags", [0, 0x2000, 0x4000, 0x0123])
def test_a_copy_is_treated_as_its_original(flags: int) -> None:
    """One that might be cut still may be: else nobody is told of its loss behind a smaller link who knows what to do."""
    packet = ping(PHONE1, FAR, 2050, fragment=flags)
    made, other = carrier(), carrier()
    assert answer(other, Configure(msgspec.structs.replace(PLAN, copied=True), 7, ROWS, ()), 0.0) == Done()
    first = ping(PHONE1, FAR, 2050, bytes(0x0123 * 8 - 8), fragment=0x2000)
    for each in (first, packet) if flags == 0x0123 else (packet,):
        written = made.carry(hop(each), True, 0.0)
        assert other.carry(netfilters_copy(each), True, 0.0) == written
        assert written


def test_what_is_not_of_ipv4_is_passed_over() -> None:
    made = carrier()
    assert made.carry(b"\x60" + bytes(40), True, 0.0) == ()
    assert made.carry(b"", False, 0.0) == ()
    assert not any(seen(made).drops.values())


def test_packets_and_octets_are_counted_for_each_phone() -> None:
    made, packet = carrier(), udp(PHONE1, 2048, FAR, 9)
    for each, inside in ((packet, True), (udp(PHONE1, 2048, PUBLIC1, 2112), True), (ping(PHONE1, FAR, 2050), True)):
        made.carry(hop(each), inside, 0.0)
    made.carry(hop(udp(FAR, 9, PUBLIC1, 2048)), False, 0.0)
    size = len(packet)
    assert answer(made, Count(int(IPv4Address(PHONE1))), 0.0) == Counted(3, 3 * size, 1, size)
    assert answer(made, Count(int(IPv4Address(PHONE2))), 0.0) == Counted(0, 0, 1, size)
    assert answer(made, Count(1), 0.0) == Counted(0, 0, 0, 0)
    answer(made, Apply(8, (), ROWS[:1]), 0.0)
    assert answer(made, Count(int(IPv4Address(PHONE1))), 0.0) == Counted(0, 0, 0, 0)


def test_offenders_are_told_once_with_the_port_or_identifier_that_they_used() -> None:
    made = carrier()
    for packet in (udp(PHONE1, 2112, FAR, 9), ping(PHONE1, FAR, 2113), *cut(udp(STRANGER, 9, FAR, 9, bytes(3000), fragment=0))):
        made.carry(hop(packet), True, 0.0)
    one, other = int(IPv4Address(PHONE1)), int(IPv4Address(STRANGER))
    expected = (
        Offender("spoofed_port", one, 2112, 1),
        Offender("spoofed_port", one, 2113, 1),
        Offender("unknown_phone", other, 9, 1),
    )
    assert seen(made).offenders == expected
    assert seen(made, take=True).offenders == expected
    assert seen(made).offenders == ()
    assert seen(made).drops["spoofed_port"] == 2


def test_a_flood_of_offenders_fills_no_memory() -> None:
    made = carrier()
    for port in range(MOST_SUBJECTS + 5):
        made.carry(hop(udp(PHONE1, 10000 + port, FAR, 9)), True, 0.0)
    told = seen(made, take=True).offenders
    assert len(told) == MOST_SUBJECTS + 1
    assert told[-1] == Offender("spoofed_port", 0, 0, 5)


def test_nothing_is_kept_of_routers_that_speak_of_phones() -> None:
    """Any inside host can give any address as its own."""
    made = carrier()
    for router in ("10.0.0.201", "10.0.0.202"):
        assert made.carry(hop(error(router, FAR, udp(FAR, 9, PHONE1, 2048))), True, 0.0)
    for router in ("10.0.0.201", "10.0.0.202"):
        assert answer(made, Count(int(IPv4Address(router))), 0.0) == Counted()


def test_the_end_of_a_lease_among_fragments_is_no_fault() -> None:
    """The last one holds no octet."""
    made, large = carrier(), ping(PHONE1, FAR, 2050, fragment=0)
    first, last = cut(large + b"\0", len(large) - 20)
    assert len(made.carry(hop(first[:6] + b"\x20" + first[7:]), True, 0.0)) == 1
    answer(made, Apply(8, (), ROWS[:1]), 0.0)
    assert made.carry(hop(last[:2] + b"\0\x14" + last[4:20]), True, 0.0) == []
    assert seen(made).faults == 0
    assert seen(made).drops["unknown_phone"] == 1


def test_what_the_kernel_says_of_a_translated_packet_it_says_in_the_phones_name() -> None:
    made, came = carrier(), udp(FAR, 9, PHONE1, 2048)
    (octets,) = made.carry(hop(error(WAN, FAR, came)), True, 0.0)
    assert bytes(octets) == error(PUBLIC1, FAR, udp(FAR, 9, PUBLIC1, 2048))


def test_what_the_kernel_says_of_a_packet_that_nobody_translated_it_says_itself() -> None:
    made, said = carrier(), error(WAN, FAR, udp(FAR, 9, "192.0.2.1", 2048))
    assert [bytes(octets) for octets in made.carry(hop(said), True, 0.0)] == [said]


def test_nobody_else_may_say_so() -> None:
    """An inside host that gives a foreign address as its own."""
    made = carrier()
    for about in (udp(FAR, 9, PHONE1, 2048), udp(FAR, 9, "192.0.2.1", 2048)):
        assert made.carry(hop(error("192.0.2.77", FAR, about)), True, 0.0) == []
    assert seen(made).drops["bogon"] == 2


def test_a_packet_for_a_service_stays_as_it_came() -> None:
    made = carrier()
    for packet, inside in ((udp(FAR, 9, PUBLIC1, 5060), False), (udp(PHONE1, 2048, PUBLIC1, 5060), True)):
        assert [bytes(octets) for octets in made.carry(hop(packet), inside, 0.0)] == [packet]
    first, last = cut(udp(FAR, 9, PUBLIC1, 5060, bytes(2000), fragment=0))
    assert made.carry(hop(last), False, 0.0) == []
    assert [bytes(octets) for octets in made.carry(hop(first), False, 0.0)] == [first, last]


def test_a_fault_of_the_translation_costs_one_packet_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made, packet = carrier(), ping(PHONE1, FAR, 2050)
    with monkeypatch.context() as broken:
        broken.setattr("voxpath.nappt.translator.whole", lambda *_: 1 / 0)
        assert made.carry(hop(packet), True, 0.0) == ()
    told = seen(made)
    assert told.faults == 1
    assert "ZeroDivisionError" in told.fault
    assert hop(packet).hex() in told.fault
    assert len(made.carry(hop(packet), True, 0.0)) == 1


def test_only_the_peers_of_calls_are_let_in_in_the_call_aware_mode() -> None:
    """By the quick way and by the other one; what a phone did not get is counted for it."""
    made = carrier()
    aware = Plan((PREFIX,), PUBLIC, (), 64, True, (int(IPv4Address(WAN)),))
    assert answer(made, Configure(aware, 7, ROWS, ()), 0.0) == Done()
    packets = udp(FAR, 9, PUBLIC1, 2050), udp(FAR, 9, PUBLIC1, 2050, options=b"\x01\x01\x01\x00")

    def heard() -> list[int]:
        return [len(made.carry(hop(packet), False, 0.0)) for packet in packets]

    assert heard() == [0, 0]
    assert answer(made, Admit((MEDIA,), ()), 0.0) == Done()
    assert answer(made, Ask(), 0.0) == Kept(VERSION, aware, 7, ROWS, (MEDIA,))
    assert heard() == [1, 1]
    assert answer(made, Admit((), (MEDIA,)), 0.0) == Done()
    assert heard() == [0, 0]
    assert len(made.carry(hop(udp(WAN, 9, PUBLIC1, 2050)), False, 0.0)) == 1
    counted = answer(made, Count(int(IPv4Address(PHONE1))), 0.0)
    assert isinstance(counted, Counted)
    assert (counted.in_packets, counted.in_drops) == (3, {"stranger": 4})
    answer(made, Admit((MEDIA,), ()), 0.0)
    answer(made, Apply(8, (), ROWS[:1]), 0.0)
    assert answer(made, Ask(), 0.0) == Kept(VERSION, aware, 8, ROWS[1:], ())


def test_the_pool_outlives_another_table_and_segments_are_limited() -> None:
    """A restart of voxpath, or a change of other settings, ends no connection."""
    made, ports = carrier(), PoolPorts(PUBLIC[2], 60000, 60000)
    pooled = Plan((PREFIX,), PUBLIC, (), 64, pool=ports)
    asked, answered = udp(PHONE1, 40123, FAR, 123), udp(FAR, 123, UNUSED_PUBLIC, 60000)
    for plan in (pooled, msgspec.structs.replace(pooled, block_size=1, mss=1300)):
        assert answer(made, Configure(plan, 7, ROWS, ()), 0.0) == Done()
        assert [hop(bytes(octets)) for octets in made.carry(hop(asked), True, 0.0)] == [udp(UNUSED_PUBLIC, 60000, FAR, 123, ttl=63)]
    assert [hop(bytes(octets)) for octets in made.carry(hop(answered), False, 0.0)] == [udp(FAR, 123, PHONE1, 40123, ttl=63)]
    (octets,) = made.carry(hop(announcing(PHONE1, 2048, FAR, 80, b"\x02\x04\x05\xb4")), True, 0.0)
    assert bytes(octets[40:44]) == b"\x02\x04\x05\x14"
    assert answer(made, ReplaceAll(8, ROWS[1:]), 0.0) == Done()
    assert made.carry(hop(answered), False, 0.0) == []
    assert answer(made, Configure(PLAN, 9, ROWS, ()), 0.0) == Done()
    assert made.carry(hop(asked), True, 0.0) == []


def test_it_tells_what_it_holds() -> None:
    made = carrier()
    assert answer(made, Ask(), 0.0) == Kept(VERSION, PLAN, 7, ROWS, ())
    assert answer(made, Apply(8, (), ROWS[:2]), 0.0) == Done()
    assert answer(made, Ask(), 0.0) == Kept(VERSION, PLAN, 8, ROWS[2:], ())
    assert answer(made, ReplaceAll(9, ROWS[:1]), 0.0) == Done()
    assert answer(made, Ask(), 0.0) == Kept(VERSION, PLAN, 9, ROWS[:1], ())


@pytest.mark.parametrize(
    "wrong",
    [
        Apply(8, ((ROWS[1][0], *ROWS[0][1:]),), ()),
        Apply(8, ((1, 2, 3, 4),), ()),
        ReplaceAll(8, (ROWS[0], (ROWS[1][0], *ROWS[0][1:]))),
        Configure(Plan(("10.0.0.0/33",), PUBLIC), 8, (), ()),
        Configure(Plan((PREFIX,), (ROWS[0][0],), (), 64), 8, (), ()),
    ],
)
def test_what_contradicts_itself_is_refused_and_changes_nothing(wrong: Request) -> None:
    made = carrier()
    before = answer(made, Ask(), 0.0)
    assert isinstance(answer(made, wrong, 0.0), Refused)
    assert answer(made, Ask(), 0.0) == before
    assert len(made.carry(hop(udp(PHONE1, 2048, FAR, 9)), True, 0.0)) == 1


@pytest.mark.parametrize(
    "request_",
    [Ask(), Admit((MEDIA,), (MEDIA,)), Configure(PLAN, 1, ROWS, (MEDIA,)), Apply(2, ROWS, ()), Look(True), Count(9), End()],
)
def test_requests_cross_the_socket_in_any_pieces(request_: Request) -> None:
    octets, buffer = framed(request_) + framed(Ask()), bytearray()
    found = []
    for number in octets:
        buffer.append(number)
        while (message := take(buffer, requests)) is not None:
            found.append(message)
    assert found == [request_, Ask()]


@given(st.binary(max_size=40))
@example(b"\x91\xa7\0\0\0\0\0\0\x80")  # a tag that is no text
def test_what_is_no_message_is_refused(octets: bytes) -> None:
    buffer = bytearray(LENGTH.pack(len(octets)) + octets)
    try:
        take(buffer, answers)
    except RemoteError as refused:
        assert "no message" in str(refused)


def test_an_endless_frame_is_refused_before_it_has_come() -> None:
    with pytest.raises(RemoteError, match="too long"):
        take(bytearray(LENGTH.pack(MOST_OCTETS + 1)), requests)


def test_a_large_table_may_take_its_time() -> None:
    """A process that was ended for that would be started again and again."""
    crowd = ROWS[:1] * 100_000
    assert patience_with(Look(True)) == ANSWER_S
    assert patience_with(ReplaceAll(1, crowd)) == patience_with(Configure(PLAN, 1, crowd, ())) > 5 * ANSWER_S
