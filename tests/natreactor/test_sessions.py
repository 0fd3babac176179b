"""Media sessions on their way to the NAT, in virtual time."""

from ipaddress import IPv4Address

import pytest
from msgspec import structs
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from voxpath.core.errors import LocalError
from voxpath.flow import pinholes
from voxpath.flow.pinholes import UNKNOWN_S
from voxpath.model.event import Event
from voxpath.model.media import MediaEnd, MediaSession
from voxpath.model.ports import BindingState, PortBinding, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.natreactor.event import PeersAdmitted, PeersNotAdmitted
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.sessions import MediaSessions
from voxpath.ports.directory import NoDirectory
from voxpath.testing.nat.packets import FAR, MAPPINGS, PHONE1, PUBLIC1
from voxpath.testing.nat.rig import settings

PHONE = "02:00:00:00:00:01"
MEDIA = MediaSession(
    "1",
    MediaEnd(PHONE, IPv4Address(PUBLIC1), (2050, 2051), IPv4Address(PHONE1)),
    MediaEnd("far", IPv4Address(FAR), (4000, 4001)),
)
OPEN = {Pinhole(int(IPv4Address(PUBLIC1)), port, int(IPv4Address(FAR))) for port in (2050, 2051)}


class Ledger(NoDirectory):
    """The phone of the session, whose block is the first of all."""

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        private, block = MAPPINGS[0]
        held = PortBinding(PHONE, block, private, "a", BindingState.HELD, 0.0, 1)
        return held if public == block.public and port in block else None


class FaultyNAT(MemoryNAT):
    """A back end whose kernel refuses while ``broken``."""

    broken = False

    def admit(self, change: PinholeChange) -> "Deferred[None]":
        return fail(LocalError("the kernel refuses")) if self.broken else super().admit(change)


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.nat = FaultyNAT(settings(self.clock, call_aware=True))
        self.nat.apply(Transaction(1, MAPPINGS))
        self.sessions = MediaSessions(self.clock, Ledger(), self.events.append)

    def attach(self) -> None:
        self.sessions.attach(self.nat, [IPv4Address(PUBLIC1)], call_aware=True)


def test_a_session_is_in_the_nat_when_its_driver_goes_on() -> None:
    """So the first packet after the answer finds its pinhole."""
    bench = Bench()
    bench.attach()
    bench.sessions.connect("mgc", MEDIA)
    assert bench.nat.pinholes() == OPEN
    bench.sessions.connect("mgc", MEDIA)
    [told] = bench.events
    assert isinstance(told, PeersAdmitted)
    assert told.text == f"for the call of {PHONE} and far open: {PUBLIC1}:2050 from {FAR}, {PUBLIC1}:2051 from {FAR}"
    bench.sessions.disconnect("mgc", "1")
    assert bench.nat.pinholes() == set()
    assert not bench.clock.getDelayedCalls()


def test_a_pinhole_that_cannot_be_opened_is_told_with_its_call() -> None:
    bench = Bench()
    bench.attach()
    bench.nat.broken = True
    bench.sessions.connect("mgc", MEDIA)
    assert PeersNotAdmitted(phone=PHONE, peer="far", reason="the kernel refuses") in bench.events


def test_a_pinhole_that_cannot_be_closed_is_closed_with_the_next_change() -> None:
    bench = Bench()
    bench.attach()
    bench.sessions.connect("mgc", MEDIA)
    bench.nat.broken = True
    bench.sessions.disconnect("mgc", "1")
    assert bench.nat.pinholes() == OPEN
    bench.nat.broken = False
    bench.sessions.connect("mgc", MediaSession("2", MediaEnd("x", IPv4Address(FAR), ()), MediaEnd("y", IPv4Address(FAR), ())))
    bench.sessions.disconnect("mgc", "2")
    assert bench.nat.pinholes() == set()


def test_calls_that_were_there_before_the_gateway_are_let_in_when_it_begins() -> None:
    bench = Bench()
    bench.sessions.connect("mgc", MEDIA)
    assert bench.nat.pinholes() == set()
    bench.attach()
    assert bench.nat.pinholes() == OPEN
    bench.sessions.detach(bench.nat)
    bench.sessions.disconnect("mgc", "1")
    assert bench.nat.pinholes() == OPEN, "what it let in goes on as its kernel does"


def test_what_a_run_before_let_in_ends_by_time() -> None:
    bench = Bench()
    bench.nat.admit(PinholeChange(open=tuple(OPEN)))
    bench.attach()
    bench.clock.advance(UNKNOWN_S - 1)
    assert bench.nat.pinholes() == OPEN
    bench.clock.advance(1)
    assert bench.nat.pinholes() == set()
    assert not bench.clock.getDelayedCalls()


def test_a_session_whose_end_nobody_signals_is_watched_no_longer_than_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else there were more and more to look at, and a phone's next call would never be its only one."""
    monkeypatch.setattr(pinholes, "MOST_LIMITED", 2)
    bench = Bench()
    bench.attach()
    for key in "123":
        bench.sessions.connect("sip", structs.replace(MEDIA, key=key, limit_s=100.0))
    assert len(bench.sessions._watch) == 2
    bench.clock.pump([10.0] * 10)
    assert len(bench.sessions._watch) == 0
    assert bench.nat.pinholes() == set()
    assert not bench.clock.getDelayedCalls()


def test_a_stop_leaves_no_timer() -> None:
    bench = Bench()
    bench.attach()
    bench.sessions.connect("mgc", MEDIA)
    bench.sessions.abandon("mgc")
    assert bench.clock.getDelayedCalls()
    bench.sessions.detach(bench.nat)
    assert not bench.clock.getDelayedCalls()
    bench.sessions.abandon("mgc")
    assert not bench.clock.getDelayedCalls()


def test_a_call_too_many_is_told_and_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinholes, "MOST_SESSIONS", 0)
    bench = Bench()
    bench.attach()
    bench.sessions.connect("mgc", MEDIA)
    assert bench.events == [PeersNotAdmitted(phone=PHONE, peer="far", reason="there are 0 calls already")]
    assert bench.nat.pinholes() == set()
    assert not bench.clock.getDelayedCalls()
