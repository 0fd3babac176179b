"""An active server and its standby in memory and virtual time: the real protocol, a line that can be cut, disks that take time."""

from collections import deque
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from voxpath.core.effects import Change
from voxpath.model.event import Event
from voxpath.replica.active import WAIT_S, Active, State
from voxpath.replica.connection import ActiveLink
from voxpath.replica.event import StandbyDegraded, StandbyRestored
from voxpath.replica.link import StandbyFactory
from voxpath.replica.standby import Standby
from voxpath.replica.target import FileTarget
from voxpath.store.copy import SqliteCopy
from voxpath.store.history import Position
from voxpath.store.memory import MemoryCopy, MemoryStore
from voxpath.store.tables import TABLES
from voxpath.testing.clock import HeapClock, VirtualClock

RETRY_S = 0.5
State_ = dict[str, list[Any]]


class Line:
    """A cable between both hosts: what is sent while it is cut comes when it is whole again, as TCP would repeat it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.whole = True
        self.delay_s = 0.0005
        self._waiting: deque[Callable[[], None]] = deque()

    def carry(self, what: Callable[[], None]) -> None:
        if self.whole:
            self.clock.call_at(self.clock.now() + self.delay_s, what)
        else:
            self._waiting.append(what)

    def mend(self) -> None:
        self.whole = True
        waiting, self._waiting = self._waiting, deque()
        for what in waiting:
            self.carry(what)


class End:
    """A transport; its other end is :attr:`other`."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.protocol: Any = None
        self.other: End = self
        self.gone = False

    def write(self, octets: bytes) -> None:
        if not self.gone:
            self.line.carry(lambda: self.other._receive(octets))

    def loseConnection(self) -> None:
        self._end(ConnectionDone())

    def abortConnection(self) -> None:
        self._end(ConnectionAborted())

    def getPeer(self) -> str:
        return "the other end"

    def getHost(self) -> str:
        return "this end"

    def vanish(self) -> None:
        """The process of this side dies: its kernel says so, if the line allows."""
        self.gone = True
        self.line.carry(lambda: self.other._lost(ConnectionLost()))

    def _end(self, error: Exception) -> None:
        if not self.gone:
            self.line.carry(lambda: self.other._lost(ConnectionLost()))
            # Told in a later turn, as a reactor does.
            self.line.clock.call_at(self.line.clock.now(), lambda: self._lost(error))

    def _receive(self, octets: bytes) -> None:
        if not self.gone:
            self.protocol.dataReceived(octets)

    def _lost(self, error: Exception) -> None:
        if not self.gone:
            self.gone = True
            self.protocol.connectionLost(Failure(error))


class SlowCopy(MemoryCopy):
    """A copy whose COMMIT takes time; a crash meanwhile leaves it done or not done."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.commit_s = 0.001
        self._clock = clock
        self._committing: tuple[IDelayedCall, Callable[[], None]] | None = None

    def _settle(self, tables: Any, position: Position) -> Deferred[None]:
        settled: Deferred[None] = Deferred()

        def settle() -> None:
            self._tables, self.position = tables, position

        def done() -> None:
            self._committing = None
            settle()
            settled.callback(None)

        assert self._committing is None, "one COMMIT at a time"
        self._committing = (self._clock.call_at(self._clock.now() + self.commit_s, done), settle)
        return settled

    def crash(self, durable: bool) -> "SlowCopy":
        """Stop, and begin again; whether a COMMIT that was under way reached the disk is chance."""
        if self._committing is not None:
            call, settle = self._committing
            call.cancel()
            if durable:
                settle()
        self._committing = None
        self.abandon()
        return self


class SlowFile(SqliteCopy):
    """The same in a file: a crash closes it, and SQLite rolls back what was not committed."""

    def __init__(self, clock: VirtualClock, path: Path) -> None:
        self.commit_s = 0.001
        self._clock = clock
        self._flushing: tuple[IDelayedCall, Callable[[], None]] | None = None
        super().__init__(path, self._later)

    def _later(self, step: Callable[[], None]) -> Deferred[None]:
        flushed: Deferred[None] = Deferred()

        def flush() -> None:
            self._flushing = None
            step()
            flushed.callback(None)

        assert self._flushing is None, "one COMMIT at a time"
        self._flushing = (self._clock.call_at(self._clock.now() + self.commit_s, flush), step)
        return flushed

    def crash(self, durable: bool) -> "SlowFile":
        if self._flushing is not None:
            call, step = self._flushing
            call.cancel()
            if durable:
                step()
        self._connection.close()
        return SlowFile(self._clock, self._path)


def rows_of(store: Any) -> State_:
    """All rows of a store or of a copy."""
    return {table.name: sorted(map(tuple, map(table.to_row, store.load(kind))), key=repr) for kind, table in TABLES.items()}


class Pair:
    """Both servers, and an operator who counts.

    :param groups: commit groups that the active's journal keeps.
    :param path: where the standby's file is; ``None``: it is kept in memory.
    :param remembers: whether :meth:`check` can compare with every earlier state.
    :ivar unfollowed: the generation of the last commit that was made while the standby did not follow.
    :ivar told: for each commit that was told as durable: its number, how long that took, and the generation.
    """

    def __init__(self, groups: int = 1000, remembers: bool = False, path: Path | None = None) -> None:
        self.reactor = HeapClock()
        self.clock = VirtualClock(self.reactor)
        self.line = Line(self.clock)
        self.epochs = count(1)
        self.store = MemoryStore(f"e{next(self.epochs)}", groups)
        self.copy: Any = SlowCopy(self.clock) if path is None else SlowFile(self.clock, path)
        self.events: list[Event] = []
        self.standby_events: list[Event] = []
        self.told: list[tuple[int, float, str | None]] = []
        self.given = 0
        self.too_early = 0
        self.unfollowed = 0
        self.ends: tuple[End, End] | None = None
        self._remembers = remembers
        self.history: dict[Position, State_] = {self.store.position: rows_of(self.store)}
        self._retry: IDelayedCall | None = None
        self.active: Active | None = None
        self.standby: Standby | None = None
        self.begin_active()
        self.begin_standby()

    # Processes.

    def begin_active(self) -> None:
        self.active = Active("sg-a", "sg-b", self.store, self.clock, self.events.append)
        self.store.gate = self.active
        self._try(0.0)

    def begin_standby(self) -> None:
        self.standby = Standby("sg-a", self.copy, self.clock, self.standby_events.append)
        files = FileTarget({}, lambda step: succeed(step()))
        names = frozenset({"sg-a"})
        self.factory = StandbyFactory("sg-a", self.standby, files, self.clock, self.standby_events.append, lambda link: names)

    def crash_active(self) -> None:
        """Whoever waited is told nothing any more; the process begins again under another epoch."""
        assert self.active is not None
        active, self.active = self.active, None
        active._held.clear()
        active.stop()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._vanish(0)
        self.store.begin(f"e{next(self.epochs)}")

    def crash_standby(self, durable: bool) -> None:
        self.standby = None
        self.copy = self.copy.crash(durable)
        self._vanish(1)
        for link in self.factory._connected:
            if link._silence is not None and link._silence.active():
                link._silence.cancel()
            # An older connection that the process still had may be told later that it is lost.
            link._silence = None

    def _vanish(self, which: int) -> None:
        if self.ends is not None:
            self.ends[which].vanish()

    # Connections.

    def _try(self, pause_s: float) -> None:
        if self._retry is None:
            self._retry = self.clock.call_at(self.clock.now() + pause_s, self._connect)

    def _connect(self) -> None:
        self._retry = None
        if self.active is None:
            return
        if self.standby is None or not self.line.whole:
            self._try(RETRY_S)
            return
        pair = self

        class Reconnecting(ActiveLink):
            def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # the pair always gives a reason
                super().connectionLost(reason)
                if pair.active is self._user:
                    pair._try(RETRY_S)

        one, other = End(self.line), End(self.line)
        one.other, other.other = other, one
        one.protocol, other.protocol = Reconnecting(self.active), self.factory.buildProtocol(None)
        self.ends = (one, other)
        other.protocol.makeConnection(other)
        one.protocol.makeConnection(one)

    # Work.

    def commit(self, *changes: Change) -> None:
        number, at = self.given, self.clock.now()
        self.given += 1

        def told(reason: str | None) -> None:
            self.told.append((number, self.clock.now() - at, reason))
            # Not raised here: whoever calls this may take an error for one of the link.
            self.too_early += self.following and reason is None and self.copy.position.generation < generation

        generation = self.store.position.generation + 1
        if not self.following:
            self.unfollowed = generation
        self.store.commit(changes, told)
        if self._remembers:
            self.history[self.store.position] = rows_of(self.store)

    def wait(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    def check(self) -> None:
        """The copy is what the active was at its position: never half a group, and never what the active had not."""
        if self.copy.position.epoch:
            assert rows_of(self.copy) == self.history[self.copy.position]
        assert not self.too_early, "told before the standby had it"
        assert all(took <= WAIT_S + 1e-6 for _, took, _ in self.told)

    @property
    def equal(self) -> bool:
        return self.copy.position == self.store.position and rows_of(self.copy) == rows_of(self.store)

    @property
    def following(self) -> bool:
        return self.active is not None and self.active.state is State.FOLLOWING

    @property
    def ladder(self) -> list[str]:
        """What an operator is told of waiting, in order."""
        return [event.ID for event in self.events if isinstance(event, StandbyDegraded | StandbyRestored)]

    def end(self) -> None:
        if self.active is not None:
            self.active.stop()
