"""Calls whose media flows in one direction only: counters fed by hand, in virtual time."""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest

from voxpath.flow import oneway
from voxpath.flow.event import AudioBack, OneWayAudio
from voxpath.flow.oneway import LATER_S, LOOK_LATER_S, LOOK_S, SILENT_S, Cause, OneWayAudioWatch
from voxpath.model.event import Event
from voxpath.model.media import MediaEnd, MediaSession

HOME, AWAY = IPv4Address("203.0.113.1"), IPv4Address("198.51.100.2")
ONE = MediaEnd("one", HOME, (2050, 2051), IPv4Address("10.0.0.11"))
TWO = MediaEnd("two", HOME, (2114, 2115), IPv4Address("10.0.0.12"))
FAR = MediaEnd("far", AWAY, (4000, 4001))
MEDIA_PPS = 50


@dataclass
class Phone:
    """A phone's counters, and by how much they grow in a second."""

    out_packets: int = 0
    in_packets: int = 0
    out_drops: Counter[str] = field(default_factory=Counter)
    in_drops: Counter[str] = field(default_factory=Counter)
    sends: int = MEDIA_PPS
    gets: int = MEDIA_PPS
    loses: dict[str, int] = field(default_factory=dict)
    misses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    out_packets: int
    in_packets: int
    out_drops: dict[str, int]
    in_drops: dict[str, int]


class Bench:
    """Two phones behind the gateway; seconds pass one by one."""

    def __init__(self) -> None:
        self.watch = OneWayAudioWatch()
        self.now = 1000.0
        self.phones = {ONE.private: Phone(), TWO.private: Phone()}
        self.looks = 0

    @property
    def one(self) -> Phone:
        return self.phones[ONE.private]

    @property
    def two(self) -> Phone:
        return self.phones[TWO.private]

    def connect(self, *ends: MediaEnd, key: str = "1", talking: bool = True, inside: bool = False) -> None:
        self.watch.connect("mgc", MediaSession(key, *ends, inside=inside, talking=talking), self.now)

    def read(self, end: MediaEnd) -> Read | None:
        self.looks += 1
        phone = self.phones.get(end.private)
        if phone is None:
            return None
        return Read(phone.out_packets, phone.in_packets, dict(phone.out_drops), dict(phone.in_drops))

    def run(self, seconds: int) -> list[Event]:
        told: list[Event] = []
        for _ in range(seconds + 1):
            due = self.watch.next_due()
            if due is not None and due <= self.now:
                told += self.watch.tick(self.now, self.read)
            for phone in self.phones.values():
                phone.out_packets += phone.sends
                phone.in_packets += phone.gets
                phone.out_drops.update(phone.loses)
                phone.in_drops.update(phone.misses)
            self.now += 1.0
        return told


def cause(told: list[Event]) -> Cause:
    """Of the only event."""
    [event] = told
    assert isinstance(event, OneWayAudio), event
    return Cause(event.cause)


def test_a_call_that_works_is_not_told_and_is_looked_at_more_rarely() -> None:
    bench = Bench()
    bench.connect(ONE, FAR)
    assert bench.run(100) == []
    assert bench.looks < 2 * (100 / LOOK_LATER_S + 4)


def test_a_peer_elsewhere_that_is_not_heard_is_told_within_seconds() -> None:
    bench = Bench()
    bench.one.gets = 0
    bench.connect(ONE, FAR)
    assert bench.run(3) == []
    [event] = bench.run(2)
    assert isinstance(event, OneWayAudio)
    assert (event.phone, event.peer, event.cause, event.seconds) == ("one", "far", "no packet inbound", SILENT_S)
    assert "nothing of far reaches this gateway" in event.text
    assert bench.run(60) == [], "it is told once"


def test_our_own_phone_that_sends_nothing_is_named() -> None:
    bench = Bench()
    bench.one.sends = 0
    bench.connect(ONE, FAR)
    [event] = bench.run(6)
    assert isinstance(event, OneWayAudio)
    assert (event.phone, event.peer, event.cause) == ("far", "one", "peer silent")


def test_a_phone_that_sends_from_a_wrong_port_is_told_so() -> None:
    """NAP-5 drops what it sends."""
    bench = Bench()
    bench.one.sends, bench.one.loses = 0, {"spoofed_port": MEDIA_PPS}
    bench.connect(ONE, FAR)
    assert cause(bench.run(6)) is Cause.WRONG_PORT


def test_a_peer_that_sends_from_another_address_is_a_stranger_in_the_call_aware_mode() -> None:
    bench = Bench()
    bench.one.gets, bench.one.misses = 0, {"stranger": MEDIA_PPS}
    bench.connect(ONE, FAR)
    assert cause(bench.run(6)) is Cause.WRONG_ADDRESS


def test_what_is_dropped_for_another_reason_is_named_by_it() -> None:
    bench = Bench()
    bench.one.sends, bench.one.loses = 0, {"bogon": MEDIA_PPS, "icmp": 1}
    bench.connect(ONE, FAR)
    [event] = bench.run(6)
    assert isinstance(event, OneWayAudio)
    assert event.cause == "dropped here"
    assert event.detail.endswith("bogon")


@pytest.mark.parametrize(("sends", "expected"), [(0, Cause.PEER_SILENT), (MEDIA_PPS, Cause.NO_INBOUND)])
def test_of_two_phones_of_one_gateway_both_are_looked_at(sends: int, expected: Cause) -> None:
    bench = Bench()
    bench.two.sends, bench.one.gets = sends, 0
    bench.connect(ONE, TWO)
    told = bench.run(6)
    assert cause(told) is expected
    assert (told[0].phone, told[0].peer) == ("one", "two")


def test_signalling_and_comfort_noise_are_no_media() -> None:
    bench = Bench()
    bench.one.gets = 1
    bench.connect(ONE, FAR)
    assert cause(bench.run(6)) is Cause.NO_INBOUND


def test_no_media_at_all_is_not_one_way() -> None:
    """A call on hold, or one whose phones suppress silence."""
    bench = Bench()
    bench.one.gets = bench.one.sends = 0
    bench.connect(ONE, FAR)
    assert bench.run(100) == []


def test_a_direction_that_has_worked_is_told_late() -> None:
    """Somebody may be listening; but not for so long without any noise."""
    bench = Bench()
    bench.connect(ONE, FAR)
    assert bench.run(20) == []
    bench.one.gets = 0
    assert bench.run(int(LATER_S) - 10) == []
    [event] = bench.run(30)
    assert isinstance(event, OneWayAudio)
    assert event.seconds >= LATER_S


def test_what_is_dropped_is_told_at_once_also_in_a_call_that_has_worked() -> None:
    """Such as of a phone whose ports were taken away."""
    bench = Bench()
    bench.connect(ONE, FAR)
    assert bench.run(20) == []
    bench.one.sends, bench.one.loses = 0, {"spoofed_port": MEDIA_PPS}
    assert cause(bench.run(2 * int(LOOK_LATER_S))) is Cause.WRONG_PORT


def test_media_that_comes_back_is_told_and_a_further_silence_too() -> None:
    bench = Bench()
    bench.one.gets = 0
    bench.connect(ONE, FAR)
    assert cause(bench.run(6)) is Cause.NO_INBOUND
    bench.one.gets = MEDIA_PPS
    assert bench.run(3) == [AudioBack(phone="one", peer="far")]
    bench.one.gets = 0
    assert cause(bench.run(60)) is Cause.NO_INBOUND


def test_a_call_that_rings_may_be_heard_by_one_side() -> None:
    """A ringing tone; but what is dropped will not be better after the answer."""
    bench = Bench()
    bench.one.sends = 0
    bench.connect(ONE, FAR, talking=False)
    assert bench.run(100) == []
    bench.one.loses = {"spoofed_port": MEDIA_PPS}
    assert cause(bench.run(25)) is Cause.WRONG_PORT


def test_the_answer_begins_the_watch_anew() -> None:
    bench = Bench()
    bench.one.gets = 0
    bench.connect(ONE, FAR, talking=False)
    assert bench.run(30) == []
    bench.connect(ONE, FAR)
    assert bench.run(3) == []
    assert cause(bench.run(3)) is Cause.NO_INBOUND


def test_a_phone_with_two_calls_tells_nothing_of_either() -> None:
    """Its counters are those of both; what the other ends' counters tell still holds."""
    bench = Bench()
    bench.one.gets = 0
    bench.connect(ONE, FAR)
    bench.connect(ONE._replace(ports=(2060, 2061)), FAR._replace(address=IPv4Address("198.51.100.3")), key="2")
    assert bench.run(60) == []
    bench.watch.disconnect("mgc", "2")
    assert cause(bench.run(60)) is Cause.NO_INBOUND


def test_calls_inside_and_calls_that_are_over_are_not_watched() -> None:
    bench = Bench()
    bench.one.gets = 0
    bench.connect(ONE, TWO, inside=True)
    bench.connect(ONE, FAR, key="2")
    bench.watch.disconnect("mgc", "2")
    bench.connect(ONE, FAR, key="3")
    bench.watch.abandon("mgc")
    assert bench.run(60) == []
    assert len(bench.watch) == 0
    assert bench.watch.next_due() is None


def test_counters_that_begin_anew_say_nothing() -> None:
    """The kernel's table was built again."""
    bench = Bench()
    bench.connect(ONE, FAR)
    bench.run(3)
    bench.one.in_packets = bench.one.out_packets = 0
    assert bench.run(60) == []


def test_so_many_calls_are_looked_at_in_one_go_and_none_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneway, "MOST_LOOKS", 3)
    bench = Bench()
    for number in range(8):
        bench.connect(ONE._replace(private=IPv4Address(f"10.0.1.{number}")), FAR._replace(ports=(number,)), key=str(number))
    looks = []
    while (due := bench.watch.next_due()) is not None and due <= bench.now:
        before = bench.looks
        bench.watch.tick(bench.now, bench.read)
        looks.append((bench.looks - before) // 2)
    assert looks == [3, 3, 2]
    assert bench.watch.next_due() == bench.now + LOOK_S
