"""A machine that starts with a wrong clock: nothing in the store lasts longer or shorter by it."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.task import Clock

from voxpath.app.clockwatch import MARK_S, ClockWatch
from voxpath.app.event import ClockAhead, ClockBehind
from voxpath.io.bus import EventBus
from voxpath.io.clock import ServerClock
from voxpath.manage.memory import Memory
from voxpath.model.clock import ClockMark
from voxpath.store.memory import MemoryStore

DAY_S = 86400.0
NOON = 1_800_000_000.0


@dataclass
class Host:
    """A process whose machine shows some time when it starts; :ivar uptime: of the machine, one number that a test may change."""

    wall: float
    store: MemoryStore = field(default_factory=MemoryStore)
    uptime: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reactor, self.memory = Clock(), Memory()
        self.clock = ServerClock(self.reactor)  # type: ignore[arg-type]  # Twisted's clock is one
        self.bus = EventBus(self.clock)
        self.bus.subscribe(self.memory)
        self.watch = ClockWatch(self)  # type: ignore[arg-type]  # all that it needs of a node
        self.watch.begin("dhcp")

    def told(self) -> list[Any]:
        return [record.event for record in self.memory.last(10)]

    def mark(self) -> float:
        [mark] = self.store.load(ClockMark)
        return mark.at


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch):
    """Start a process on a machine whose clock shows this, over what the last one has stored."""
    uptime = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: uptime[0])

    def started(wall: float, before: Host | None = None) -> Host:
        monkeypatch.setattr(time, "time", lambda: wall)
        return Host(wall, before.store if before is not None else MemoryStore(), uptime)

    return started


def test_the_first_start_believes_the_machine(start) -> None:
    host = start(NOON)
    assert host.clock.now() == host.mark() == NOON
    assert host.told() == []


@pytest.mark.parametrize("wall", [0.0, NOON - 3600, NOON - 6])
def test_a_clock_that_is_behind_goes_on_from_the_last_time_that_was_stored(start, wall: float) -> None:
    """A host without a battery starts in 1970: its leases must not last for 50 years, nor end when its clock is set right."""
    host = start(wall, start(NOON))
    assert host.clock.now() == NOON
    [told] = host.told()
    assert isinstance(told, ClockBehind)
    assert told.seconds == NOON - wall
    host.uptime[0] += 10.0
    assert host.clock.now() == NOON + 10
    right = start(NOON + 60, host)
    assert right.clock.now() == NOON + 60
    assert right.told() == []


def test_a_clock_that_was_only_set_right_goes_on_in_silence(start) -> None:
    host = start(NOON - 2, start(NOON))
    assert host.clock.now() == NOON
    assert host.told() == []


def test_a_clock_that_is_far_ahead_is_told_and_a_night_s_rest_is_not(start) -> None:
    assert start(NOON + DAY_S / 2, start(NOON)).told() == []
    host = start(NOON + 3 * DAY_S, start(NOON))
    assert host.clock.now() == NOON + 3 * DAY_S
    [told] = host.told()
    assert isinstance(told, ClockAhead)
    assert "3.0 days after" in told.text


def test_the_time_is_stored_once_a_minute(start) -> None:
    host = start(NOON)
    for seconds, stored in ((MARK_S - 1, NOON), (1, NOON + MARK_S), (MARK_S / 2, NOON + MARK_S)):
        host.uptime[0] += seconds
        host.watch.look()
        assert host.mark() == stored
    host.watch.end()
    assert host.mark() == NOON + 1.5 * MARK_S


def test_a_clock_that_is_set_while_the_server_runs_moves_nothing(start, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no lease or quarantine ends by it, and nothing of them gets a second owner."""
    host = start(NOON)
    for wall in (0.0, NOON + 10 * DAY_S):
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        assert host.clock.now() == NOON
