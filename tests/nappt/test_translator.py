"""What the translation remembers for a short time: fragments; and what it lowers: announced segments."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.model.ports import PortBlock, Transaction
from voxpath.nappt.fragments import LIFE_S, MOST_HELD, MOST_HELD_OF_ONE, MOST_PACKETS
from voxpath.nappt.pool import MOST_OF_ONE, TCP_TRANSITORY_S, NaptPool, PoolPorts
from voxpath.nappt.table import Table
from voxpath.nappt.translator import Translator
from voxpath.nappt.verdict import Drop, Held, Local, Reason, Translated, Verdict
from voxpath.testing.nat.packets import (
    FAR,
    LONG,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PREFIX,
    PUBLIC1,
    PUBLIC2,
    SENT,
    UNUSED_PUBLIC,
    WHOLES,
    announcing,
    checksum,
    checksums_hold,
    cut,
    error,
    ip,
    ping,
    pong,
    sctp,
    tcp,
    udp,
)


def translator(mss: int = 0, services: tuple[PortBlock, ...] = ()) -> Translator:
    public = tuple(map(IPv4Address, (PUBLIC1, PUBLIC2, UNUSED_PUBLIC)))
    table = Table((IPv4Network(PREFIX),), public, services=services)
    table.apply(Transaction(1, MAPPINGS))
    return Translator(table, mss)


def whole(parts: list[bytes]) -> bytes:
    """What the receiver puts together, with the header of the first, as if it had never been in parts."""
    assert len({part[4:6] for part in parts}) == 1
    ordered = sorted(parts, key=lambda part: int.from_bytes(part[6:8], "big") & 0x1FFF)
    body = b"".join(part[20:] for part in ordered)
    first = ordered[0]
    header = first[:2] + (20 + len(body)).to_bytes(2, "big") + b"\x12\x34" + b"\0\0" + first[8:10] + b"\0\0" + first[12:20]
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + body


def packets(verdicts: tuple[Verdict, ...]) -> list[bytes]:
    return [verdict.packet for verdict in verdicts if isinstance(verdict, Translated)]


@given(st.sampled_from(WHOLES), st.permutations(range(3)))
def test_fragments_in_any_order_are_the_packet_again(case: tuple[str, bytes, bytes], order: list[int]) -> None:
    _, before, behind = case
    here = translator()
    carry = here.outbound if before[12] == 10 else here.inbound
    parts = cut(before)
    came = [packet for number in order for packet in packets(carry(parts[number], 0.0))]
    assert len(came) == 3
    assert whole(came) == behind
    assert all(checksum(part[:20]) == 0 for part in came)


def test_a_later_fragment_waits_for_the_first_one_and_goes_with_it() -> None:
    carry = translator().outbound
    first, second, third = cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0))
    assert carry(third, 0.0) == (Held(),)
    assert carry(second, 0.0) == (Held(),)
    assert len(packets(carry(first, 0.0))) == 3


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (udp(PHONE2, 2048, FAR, 9, LONG, fragment=0), Reason.SPOOFED_PORT),
        (udp("10.0.0.99", 2048, FAR, 9, LONG, fragment=0), Reason.UNKNOWN_PHONE),
        (ip(PHONE1, FAR, LONG, 47, fragment=0), Reason.UNKNOWN_PROTOCOL),
        (udp("192.0.2.7", 2048, FAR, 9, LONG, fragment=0), Reason.BOGON),
    ],
)
def test_when_the_first_fragment_may_not_leave_the_others_do_not_either(packet: bytes, reason: Reason) -> None:
    carry = translator().outbound
    first, second, third = cut(packet)
    assert not packets(carry(second, 0.0))
    assert carry(first, 0.0) == (Drop(reason),)
    assert not packets(carry(third, 0.0))


def test_fragments_for_a_service_of_the_gateway_stay_whatever_their_order() -> None:
    """The verdict on one that has waited brings it along."""
    serving = translator(services=(PortBlock(IPv4Address(PUBLIC1), 5060, 1),))
    first, *later = cut(udp(FAR, 9, PUBLIC1, 5060, LONG, fragment=0))
    assert [serving.inbound(part, 0.0) for part in later] == [(Held(),)] * len(later)
    assert serving.inbound(first, 0.0) == (Local(), *map(Local, later))
    assert serving.inbound(later[0], 1.0) == (Local(),)


def test_each_fragment_asks_the_table_anew() -> None:
    """A lease may end between two of them."""
    here = translator()
    first, second, third = cut(udp(FAR, 9, PUBLIC1, 2048, LONG, fragment=0))
    assert len(packets(here.inbound(first, 0.0))) == 1
    assert len(packets(here.inbound(second, 0.0))) == 1
    here.table.apply(Transaction(2, (), MAPPINGS[:1]))
    assert here.inbound(third, 0.0) == (Drop(Reason.UNLEASED_PORT),)


def test_fragments_that_never_became_a_packet_are_forgotten_and_counted() -> None:
    here = translator()
    _, second, third = cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0))
    here.outbound(second, 0.0)
    here.outbound(third, 1.0)
    assert here.expire(LIFE_S - 0.001) == 0
    assert here.expire(LIFE_S) == 2
    assert here.expire(LIFE_S) == 0


def test_the_same_identification_after_a_while_is_another_packet() -> None:
    here = translator()
    first, _, _ = cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0))
    _, second, _ = cut(udp(PHONE1, 2049, FAR, 9, LONG, fragment=0))
    assert packets(here.outbound(first, 0.0))
    assert here.outbound(second, LIFE_S) == (Held(),)


def test_two_phones_with_one_identification_leave_with_two() -> None:
    """Outside they have one address, and their receiver would mix them up (RFC 6864)."""
    here = translator()
    one = [packets(here.outbound(part, 0.0))[0] for part in cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0))]
    two = [packets(here.outbound(part, 0.0))[0] for part in cut(udp(PHONE2, 2112, FAR, 9, LONG, fragment=0))]
    assert len({part[4:6] for part in one}) == len({part[4:6] for part in two}) == 1
    assert one[0][4:6] != two[0][4:6]


def test_a_packet_that_comes_in_keeps_its_identification() -> None:
    here = translator()
    parts = cut(udp(FAR, 9, PUBLIC1, 2048, LONG, fragment=0), identification=0xBEEF)
    assert {packets(here.inbound(part, 0.0))[0][4:6] for part in parts} == {b"\xbe\xef"}


def test_a_first_fragment_without_all_of_its_header_is_dropped() -> None:
    """A tiny one would leave the rest of the header to the second (RFC 1858)."""
    (tiny, *_) = cut(tcp(PHONE1, 2048, FAR, 9, LONG, fragment=0), 16)
    assert translator().outbound(tiny, 0.0) == (Drop(Reason.TRUNCATED),)


def test_a_later_fragment_that_would_write_over_a_transports_header_is_dropped() -> None:
    here = translator()
    parts = cut(tcp(PHONE1, 2048, FAR, 9, LONG, fragment=0), 8)
    assert here.outbound(parts[1], 0.0) == (Drop(Reason.FRAGMENT),)
    assert here.outbound(parts[2], 0.0) == (Drop(Reason.FRAGMENT),)
    assert here.outbound(parts[3], 0.0) == (Held(),)


def test_a_large_echo_request_passes_in_fragments() -> None:
    here = translator()
    large = ping(PHONE1, FAR, 2050, fragment=0)
    parts = cut(large[:2] + b"\0\0" + large[4:] + LONG)
    assert len([packet for part in parts for packet in packets(here.outbound(part, 0.0))]) == 3


def test_an_error_in_fragments_is_dropped() -> None:
    here = translator()
    parts = cut(error(FAR, PUBLIC1, udp(PUBLIC1, 2048, FAR, 9, LONG), fragment=0), 104)
    assert here.inbound(parts[0], 0.0) == (Drop(Reason.FRAGMENT),)
    assert not packets(here.inbound(parts[1], 0.0))


def test_a_fragment_with_ttl_1_goes_no_further() -> None:
    parts = cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0, ttl=1))
    assert translator().outbound(parts[0], 0.0) == (Drop(Reason.TTL_EXPIRED),)


def test_whole_packets_are_translated_as_without_a_memory() -> None:
    here = translator()
    assert packets(here.outbound(SENT, 0.0)) == [udp(PUBLIC1, 2048, FAR, 9, ttl=59)]
    assert here.outbound(b"", 0.0) == (Drop(Reason.TRUNCATED),)
    assert here.inbound(SENT, 0.0) == (Drop(Reason.BOGON),)


def test_a_flood_of_fragments_fills_no_memory_and_costs_the_other_direction_nothing() -> None:
    here = translator()
    first, second, third = cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0))
    here.outbound(second, 0.0)
    verdicts: list[Verdict] = []
    for number in range(3 * MOST_PACKETS):
        _, flood, _ = cut(udp(FAR, 9, PUBLIC1, 2048, LONG, fragment=0), identification=number)
        verdicts += here.inbound(flood, 0.0)
    assert verdicts.count(Held()) <= MOST_HELD + 2 * MOST_PACKETS
    assert sum(isinstance(verdict, Drop) for verdict in verdicts) + verdicts.count(Held()) == len(verdicts)
    assert len(packets(here.outbound(first, 0.0)) + packets(here.outbound(third, 0.0))) == 3


def test_only_so_many_fragments_of_one_packet_wait() -> None:
    here = translator()
    parts = cut(udp(PHONE1, 2048, FAR, 9, bytes(60000), fragment=0), 800)
    verdicts = [verdict for part in parts[1:] for verdict in here.outbound(part, 0.0)]
    assert verdicts.count(Held()) == MOST_HELD_OF_ONE
    assert set(verdicts) == {Held(), Drop(Reason.FRAGMENT)}


def test_the_oldest_packet_gives_way_to_one_too_many() -> None:
    here = translator()
    first, second, _ = cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0), identification=0)
    here.outbound(first, 0.0)
    for number in range(1, MOST_PACKETS + 2):
        here.outbound(cut(udp(PHONE1, 2048, FAR, 9, LONG, fragment=0), identification=number)[0], 0.0)
    assert here.outbound(second, 0.0) == (Held(),)


def syn(options: bytes, flags: int = 2) -> bytes:
    """A TCP SYN with these options."""
    return announcing(PHONE1, 2048, FAR, 80, options, flags)


@pytest.mark.parametrize(
    ("options", "flags", "expected"),
    [
        (b"\x02\x04\x05\xb4", 2, b"\x02\x04\x05\x14"),
        (b"\x01\x02\x04\x05\xb4\x01\x01\x00", 2, b"\x01\x02\x04\x05\x14\x01\x01\x00"),
        (b"\x04\x02\x01\x01\x02\x04\x05\xb4", 18, b"\x04\x02\x01\x01\x02\x04\x05\x14"),
        (b"\x02\x04\x05\x00", 2, b"\x02\x04\x05\x00"),
        (b"\x02\x04\x05\xb4", 16, b"\x02\x04\x05\xb4"),
        (b"\x00\x00\x02\x04\x05\xb4\x00\x00", 2, b"\x00\x00\x02\x04\x05\xb4\x00\x00"),
        (b"\x02\x03\x05\x00", 2, b"\x02\x03\x05\x00"),
        (b"\x02\x09\x05\xb4", 2, b"\x02\x09\x05\xb4"),
        (b"\x05\x00\x02\x04", 2, b"\x05\x00\x02\x04"),
        (b"\x01\x01\x01\x02", 2, b"\x01\x01\x01\x02"),
    ],
)
def test_an_announced_segment_size_is_lowered_and_never_raised(options: bytes, flags: int, expected: bytes) -> None:
    (packet,) = packets(translator(mss=1300).outbound(syn(options, flags), 0.0))
    assert packet[40 : 40 + len(options)] == expected
    assert checksums_hold(packet)
    (unchanged,) = packets(translator().outbound(syn(options, flags), 0.0))
    assert unchanged[40 : 40 + len(options)] == options


@given(st.binary(max_size=120), st.integers(0, 0x3FFF), st.booleans())
def test_whatever_comes_nothing_is_raised_and_no_inside_source_leaves(body: bytes, fragment: int, inside: bool) -> None:
    here = translator(mss=500)
    source, destination = (PHONE1, FAR) if inside else (FAR, PUBLIC1)
    packet = ip(source, destination, body, protocol=(1, 6, 17, 132)[len(body) % 4], fragment=fragment)
    for verdict in (here.outbound if inside else here.inbound)(packet, 0.0):
        if isinstance(verdict, Translated):
            assert not verdict.packet[12:16].startswith(b"\x0a\0\0")


POOL = range(60000, 60100)
NTP = 40123
"""A port of no block."""


def pooled() -> Translator:
    here = translator()
    pool = NaptPool(PoolPorts(int(IPv4Address(UNUSED_PUBLIC)), POOL.start, POOL.stop - 1), Random(1))
    return Translator(here.table, pool=pool)


def port_of(packet: bytes) -> int:
    return int.from_bytes(packet[20:22], "big")


@pytest.mark.parametrize("make", [udp, tcp])
def test_a_question_from_outside_the_block_leaves_by_the_pool_and_its_answer_comes_back(make: Callable[..., bytes]) -> None:
    here = pooled()
    (asked,) = packets(here.outbound(make(PHONE1, NTP, FAR, 123), 0.0))
    assert asked == make(UNUSED_PUBLIC, port_of(asked), FAR, 123, ttl=63)
    assert port_of(asked) in POOL
    (answer,) = packets(here.inbound(make(FAR, 123, UNUSED_PUBLIC, port_of(asked)), 1.0))
    assert answer == make(FAR, 123, PHONE1, NTP, ttl=63)
    assert here.inbound(make("198.51.100.9", 123, UNUSED_PUBLIC, port_of(asked)), 1.0) == (Drop(Reason.UNLEASED_PORT),)


def test_a_ping_with_any_identifier_leaves_by_the_pool_and_comes_back() -> None:
    here = pooled()
    (asked,) = packets(here.outbound(ping(PHONE1, FAR, 7), 0.0))
    identifier = int.from_bytes(asked[24:26], "big")
    assert identifier in POOL
    assert asked == ping(UNUSED_PUBLIC, FAR, identifier, ttl=63)
    assert packets(here.inbound(pong(FAR, UNUSED_PUBLIC, identifier), 1.0)) == [pong(FAR, PHONE1, 7, ttl=63)]


def test_a_port_of_the_block_never_leaves_by_the_pool() -> None:
    assert packets(pooled().outbound(SENT, 0.0)) == [udp(PUBLIC1, 2048, FAR, 9, ttl=59)]


def test_without_a_udp_checksum_none_is_made_by_the_pool() -> None:
    here = pooled()
    (asked,) = packets(here.outbound(udp(PHONE1, NTP, FAR, 123, sum_=0), 0.0))
    assert asked[26:28] == b"\0\0"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (udp("10.0.0.99", NTP, FAR, 123), Reason.UNKNOWN_PHONE),
        (udp(PHONE1, NTP, PUBLIC1, 2112), Reason.SPOOFED_PORT),
        (sctp(PHONE1, NTP, FAR, 123), Reason.SPOOFED_PORT),
        (udp(PHONE1, NTP, FAR, 123, ttl=1), Reason.TTL_EXPIRED),
    ],
)
def test_the_pool_is_for_phones_with_a_lease_and_what_it_can_carry_to_the_outside(packet: bytes, reason: Reason) -> None:
    assert pooled().outbound(packet, 0.0) == (Drop(reason),)


def test_a_phone_that_takes_too_much_of_the_pool_is_refused_by_name() -> None:
    here = pooled()
    verdicts = [
        verdict for port in range(30000, 30000 + MOST_OF_ONE + 1) for verdict in here.outbound(udp(PHONE1, port, FAR, 9), 0.0)
    ]
    assert verdicts[-1] == Drop(Reason.POOL_EXHAUSTED)
    assert len(packets(tuple(verdicts))) == MOST_OF_ONE
    assert len(packets(here.outbound(udp(PHONE2, NTP, FAR, 9), 0.0))) == 1


def test_fragments_pass_by_the_pool_in_any_order() -> None:
    here = pooled()
    first, second, third = cut(udp(PHONE1, NTP, FAR, 9, LONG, fragment=0))
    assert here.outbound(third, 0.0) == (Held(),)
    came = [*packets(here.outbound(first, 0.0)), *packets(here.outbound(second, 0.0))]
    assert whole(came) == udp(UNUSED_PUBLIC, port_of(came[0]), FAR, 9, LONG, fragment=0, ttl=63)


def test_the_end_of_a_connection_is_noted() -> None:
    here = pooled()
    (asked,) = packets(here.outbound(tcp(PHONE1, NTP, FAR, 80), 0.0))
    back = tcp(FAR, 80, UNUSED_PUBLIC, port_of(asked))
    assert packets(here.inbound(back, 1.0))
    reset = bytearray(back)
    reset[33] = 4
    here.inbound(bytes(reset), 2.0)
    assert here.inbound(back, 2.0 + TCP_TRANSITORY_S) == (Drop(Reason.UNLEASED_PORT),)


@pytest.mark.parametrize(
    ("asked", "make"),
    [
        (udp(PHONE1, NTP, FAR, 123), lambda source, port: udp(source, port, FAR, 123)),
        (tcp(PHONE1, NTP, FAR, 80), lambda source, port: tcp(source, port, FAR, 80)),
        (ping(PHONE1, FAR, NTP), lambda source, port: ping(source, FAR, port)),
    ],
)
def test_an_error_about_what_left_by_the_pool_comes_back(asked: bytes, make: Callable[[str, int], bytes]) -> None:
    """A connection to a web server needs it where the path has a smaller MTU."""
    here = pooled()
    (left,) = packets(here.outbound(asked, 0.0))
    port = int.from_bytes(left[24:26], "big") if left[9] == 1 else port_of(left)
    for shown in (576, 28):
        seen, sent = make(UNUSED_PUBLIC, port)[:shown], make(PHONE1, NTP)[:shown]
        (came,) = packets(here.inbound(error("192.0.2.9", UNUSED_PUBLIC, seen, 3, 4), 1.0))
        assert came == error("192.0.2.9", PHONE1, sent, 3, 4, ttl=63)
    assert here.inbound(error("192.0.2.9", UNUSED_PUBLIC, make(UNUSED_PUBLIC, port + 1)), 1.0) == (Drop(Reason.UNLEASED_PORT),)
