"""The driver carries effects out in order and with their dependencies, keeps one timer, and isolates faults."""

import errno
from collections.abc import Callable, Hashable
from ipaddress import IPv4Address

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from voxpath.core.effects import (
    Answer,
    Apply,
    Ask,
    Burst,
    Change,
    Close,
    Commit,
    Datagram,
    Direct,
    Done,
    Effects,
    Emit,
    Failed,
    Open,
    Outcome,
    Put,
    Reply,
    Send,
    Train,
)
from voxpath.core.errors import RemoteError
from voxpath.core.timers import TimerHeap
from voxpath.io.bus import EventBus, Record
from voxpath.io.driver import REPORTED_PER_SECOND, Driver
from voxpath.io.event import CommitRefused, CoreFault, SendFailed, SourceQuarantined
from voxpath.model.address import Endpoint
from voxpath.model.event import Malformed, MessageEvent
from voxpath.model.ports import Mapping, PortBlock, Transaction
from voxpath.testing.clock import VirtualClock

PEER = Endpoint("192.0.2.1", 68)
ACK = Send(b"ack", PEER)
CHANGE = Put("a row")
NAT = Transaction(1, add=(Mapping(IPv4Address("10.0.0.1"), PortBlock(IPv4Address("203.0.113.1"), 2048, 64)),))


class ScriptedCore:
    """Answers each payload with the effects that the test wrote for it, and notes what comes back."""

    def __init__(self, script: dict[bytes, Effects | Exception]) -> None:
        self.script = script
        self.outcomes: list[tuple[Hashable, Outcome]] = []
        self.timers: TimerHeap[str] = TimerHeap()
        self.fired: list[tuple[str, float]] = []

    def receive(self, datagram: Datagram, now: float) -> Effects:
        answer = self.script[datagram.payload]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tick(self, now: float) -> Effects:
        self.fired += [(key, now) for key in self.timers.due(now)]
        return ()

    def next_due(self) -> float | None:
        return self.timers.next_due()

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        self.outcomes.append((token, outcome))
        return ()


class Bench:
    """A driver with everything around it in the test's hand."""

    def __init__(self, script: dict[bytes, Effects | Exception]) -> None:
        self.clock = Clock()
        self.core = ScriptedCore(script)
        self.log: list[object] = []
        self.records: list[Record] = []
        self.commits: list[tuple[tuple[Change, ...], Callable[[str | None], None]]] = []
        self.applied: Callable[[str | None], None] = lambda reason: None
        self.answer: Deferred[object] = Deferred()
        self.answers: list[Answer | None] = []
        self.broken_ports = False
        clock = VirtualClock(self.clock)
        bus = EventBus(clock)
        bus.subscribe(self.records.append)
        self.driver = Driver("test", self.core, clock, bus, ports=self, store=self, nat=self, answer=lambda question: self.answer)

    def feed(self, payload: bytes, source: Endpoint = PEER) -> None:
        self.driver.feed(Datagram(payload, source))

    @property
    def events(self) -> list[type]:
        return [type(record.event) for record in self.records]

    # Ports, store and NAT.

    def burst(self, burst: Burst) -> None:
        for payload in burst.payloads:
            self.send(Send(payload, burst.destination))

    def send(self, send: Send) -> None:
        if self.broken_ports:
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        self.log.append(send)

    def direct(self, direct: Direct, answer: Answer | None) -> None:
        self.answers.append(answer)

    def open(self, name: str, local: Endpoint, receive: Callable[[Datagram], None]) -> None:
        if self.broken_ports:
            raise OSError(98, "address in use")
        self.log.append(("open", name))

    def close(self, name: str) -> None:
        self.log.append(("close", name))

    def close_all(self) -> None:
        self.log.append("closed")

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        self.commits.append((changes, done))

    def apply(self, transaction: Transaction, done: Callable[[str | None], None]) -> None:
        self.applied = done


def acknowledged() -> Effects:
    """A DHCPACK's shape: the send depends on the NAT change, which depends on the commit."""
    return (Commit((CHANGE,), (Apply(NAT, (ACK,), "nat"),), "commit"),)


def test_an_acknowledgement_follows_the_commit_and_the_nat_change() -> None:
    bench = Bench({b"request": acknowledged()})
    bench.feed(b"request")
    assert bench.log == []
    bench.commits[0][1](None)
    assert bench.core.outcomes == [("commit", Done())]
    assert bench.log == []
    bench.applied(None)
    assert bench.core.outcomes == [("commit", Done()), ("nat", Done())]
    assert bench.log == [ACK]


def test_a_failed_commit_sends_nothing_and_tells_the_core_and_the_operator() -> None:
    bench = Bench({b"request": acknowledged()})
    bench.feed(b"request")
    bench.commits[0][1]("disk full")
    assert bench.core.outcomes == [("commit", Failed("disk full"))]
    assert bench.log == []
    assert bench.events == [CommitRefused]


def test_a_failed_nat_change_sends_nothing() -> None:
    bench = Bench({b"request": acknowledged()})
    bench.feed(b"request")
    bench.commits[0][1](None)
    bench.applied("table full")
    assert bench.core.outcomes == [("commit", Done()), ("nat", Failed("table full"))]
    assert bench.log == []


def test_effects_are_carried_out_in_order() -> None:
    event = MessageEvent(protocol="TEST", sender="a", receiver="b", summary="x")
    bench = Bench({b"all": (Open("t1", Endpoint("127.0.0.1", 0)), Send(b"1", PEER), Emit(event), Close("t1"), Send(b"2", PEER))})
    bench.feed(b"all")
    assert bench.log == [("open", "t1"), Send(b"1", PEER), ("close", "t1"), Send(b"2", PEER)]
    assert bench.records == [Record(0.0, "test", event)]


def test_an_answer_comes_back_under_its_token() -> None:
    bench = Bench({b"ask": (Ask("what?", 7),)})
    bench.feed(b"ask")
    bench.answer.callback("that")
    assert bench.core.outcomes == [(7, Done("that"))]


def test_a_failed_question_comes_back_as_a_failure() -> None:
    bench = Bench({b"ask": (Ask("what?", 7),)})
    bench.answer = fail(OSError("gone"))
    bench.feed(b"ask")
    assert bench.core.outcomes == [(7, Failed("gone"))]


def test_a_port_that_cannot_be_opened_comes_back_as_a_failure() -> None:
    bench = Bench({b"open": (Open("t1", Endpoint("127.0.0.1", 69)),)})
    bench.broken_ports = True
    bench.feed(b"open")
    assert bench.core.outcomes == [("t1", Failed("address in use"))]


def test_one_timer_serves_them_all_in_their_order() -> None:
    bench = Bench({b"x": ()})
    for key, due in (("late", 5.0), ("early", 1.0), ("middle", 3.0)):
        bench.core.timers.arm(key, due)
        bench.feed(b"x")
    assert len(bench.clock.getDelayedCalls()) == 1
    bench.core.timers.disarm("early")
    bench.clock.pump([1.0] * 6)
    assert bench.core.fired == [("middle", 3.0), ("late", 5.0)]
    assert bench.clock.getDelayedCalls() == []


def test_malformed_messages_are_counted_and_a_flood_does_not_fill_the_log() -> None:
    bench = Bench({b"bad": RemoteError("no cookie", offset=3)})
    for _ in range(1000):
        bench.feed(b"bad")
    assert bench.driver.faults.malformed == 1000
    assert bench.events == [Malformed] * REPORTED_PER_SECOND
    bench.clock.advance(1)
    bench.feed(b"bad")
    assert len(bench.events) == REPORTED_PER_SECOND + 1


def test_malformed_messages_that_a_core_answers_count_too() -> None:
    answered = (Emit(Malformed(protocol="TEST", source="192.0.2.1:68", reason="no")), ACK)
    bench = Bench({b"bad": answered})
    for _ in range(1000):
        bench.feed(b"bad")
    assert bench.driver.faults.malformed == 1000
    assert len(bench.log) == 1000
    assert bench.events == [Malformed] * REPORTED_PER_SECOND


def test_a_send_that_the_kernel_refuses_is_reported() -> None:
    bench = Bench({b"x": (ACK,)})
    bench.broken_ports = True
    bench.feed(b"x")
    assert bench.events == [SendFailed]
    assert bench.records[0].event.text == "a datagram to 192.0.2.1:68 was not sent: No route to host"


def test_a_core_that_wants_to_know_hears_that_its_datagram_did_not_leave_and_tells_of_it_itself() -> None:
    bench = Bench({b"x": (Send(b"probe", PEER, token="about it"),)})
    bench.feed(b"x")
    assert bench.core.outcomes == []
    bench.broken_ports = True
    bench.feed(b"x")
    assert bench.core.outcomes == [("about it", Failed("No route to host"))]
    assert bench.events == []


def test_an_exception_ends_its_transaction_only_and_the_third_of_the_same_input_quarantines_its_source() -> None:
    bench = Bench({b"poison": ZeroDivisionError("bug"), b"good": (ACK,)})
    for _ in range(2):
        bench.feed(b"poison")
        bench.feed(b"good")
    assert bench.log == [ACK, ACK]
    assert bench.events == [CoreFault, CoreFault]
    bench.feed(b"poison")
    assert bench.events[2:] == [CoreFault, SourceQuarantined]
    bench.feed(b"good")
    assert bench.log == [ACK, ACK]
    assert bench.driver.faults.ignored == 1
    bench.feed(b"good", Endpoint("192.0.2.2", 68))
    bench.clock.advance(61)
    bench.feed(b"good")
    assert len(bench.log) == 4


def shortened(reply: Reply) -> tuple[Bench, Answer]:
    """A driver whose core has let its port take the short way."""
    bench = Bench(
        {b"begin": (Direct("t1", PEER, reply),), b"end": (Direct("t1", PEER, None),), b"poison": ZeroDivisionError("bug")}
    )
    bench.feed(b"begin")
    (answer,) = bench.answers
    assert answer is not None
    return bench, answer


def test_a_port_asks_the_reply_with_the_time_until_it_is_told_not_to() -> None:
    bench, answer = shortened(lambda payload, now: Train(payload, int(now)))
    bench.clock.advance(2)
    assert answer(b"x") == Train(b"x", 2)
    bench.feed(b"end")
    assert bench.answers[1:] == [None]


def test_a_reply_that_raises_is_a_fault_and_the_long_way_is_taken() -> None:
    def broken(payload: bytes, now: float) -> Train | None:
        raise ZeroDivisionError("bug")

    bench, answer = shortened(broken)
    assert answer(b"x") is None
    assert bench.events == [CoreFault]
    assert bench.driver.faults.count == 1


def test_the_short_way_is_closed_to_all_while_anybody_is_in_quarantine_and_after_a_stop() -> None:
    """The long way looks who it is."""
    bench, answer = shortened(lambda payload, now: Train(b"y", 1))
    other = Endpoint("192.0.2.2", 68)
    for _ in range(3):
        bench.feed(b"poison", other)
    assert answer(b"x") is None
    bench.clock.advance(61)
    bench.feed(b"end", other)
    assert answer(b"x") == Train(b"y", 1)
    bench.driver.stop()
    assert answer(b"x") is None


@pytest.mark.parametrize("step", ["tick", "resolve"])
def test_a_fault_in_a_timer_or_an_outcome_is_contained(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench({b"request": acknowledged(), b"good": (ACK,)})

    def broken(*_: object) -> Effects:
        raise ZeroDivisionError("bug")

    monkeypatch.setattr(bench.core, step, broken)
    bench.core.timers.arm("t", 1.0)
    bench.feed(b"request")
    bench.commits[0][1](None)
    bench.clock.advance(0.5)
    if step == "tick":
        bench.clock.advance(0.5)
        assert bench.events == [CoreFault]
        bench.clock.advance(1.0)
        assert bench.events == [CoreFault] * 2
        bench.core.timers.disarm("t")
    bench.feed(b"good")
    assert ACK in bench.log
    stopped = bench.driver.stop()
    bench.applied(None)
    assert stopped.called


def test_a_stop_takes_no_more_input_and_waits_for_what_was_begun() -> None:
    bench = Bench({b"request": acknowledged(), b"other": (Send(b"no", PEER),)})
    bench.core.timers.arm("t", 5.0)
    bench.feed(b"request")
    stopped = bench.driver.stop()
    bench.feed(b"other")
    assert bench.clock.getDelayedCalls() == []
    assert not stopped.called
    bench.commits[0][1](None)
    assert not stopped.called
    bench.applied(None)
    assert stopped.called
    assert bench.log == [ACK, "closed"]
