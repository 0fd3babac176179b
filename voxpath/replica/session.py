"""The active's side of one connection: brings the standby from where it is to where the store is, and keeps it there."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.protocols import amp
from twisted.python.failure import Failure

from voxpath.core.errors import RemoteError
from voxpath.io.clock import Clock
from voxpath.model.event import printable
from voxpath.replica.message import (
    SILENCE_S,
    VERSION,
    Beat,
    Changes,
    Hello,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotRows,
    pieces,
)
from voxpath.store.history import NOWHERE, Entry, History, Part, Position, Snapshot
from voxpath.store.upgrade import steps

WINDOW_OCTETS = 1 << 20
"""Octets of groups that a standby which catches up may leave unanswered; the rest waits in the journal, not in memory."""

FOLLOWED_OCTETS = 16 << 20
"""The same for a standby that follows: what it leaves unanswered is waited for, and so never older than a moment."""

SCHEMA = steps()[-1].number
"""Both sides must have the same tables."""

Then = Callable[[dict[str, Any]], None]


class Link(Protocol):
    """A connection to the standby."""

    def tell(self, command: type[amp.Command], **arguments: object) -> "Deferred[dict[str, Any]]":
        """Send a message; the Deferred fires with the answer, or fails with the refusal or the end of the connection."""

    def abort(self, why: str = "") -> None:
        """Cut the connection, for a reason that is told."""


class Watcher(Protocol):
    """Who decides by what a session tells (:class:`voxpath.replica.active.Active`)."""

    def resumed(self) -> None:
        """The standby's position is known, and it gets what follows on it."""

    def acknowledged(self, generation: int, took_s: float) -> None:
        """The standby has committed all groups up to this one, so long after it was sent."""

    def snapshot_taken(self, rows: int, generation: int, reason: str) -> None:
        """The standby has committed a snapshot."""

    def refused(self, reason: str) -> None:
        """The standby has refused a message, or this side cannot go on: the connection ends."""


class _Sent(NamedTuple):
    generation: int
    at: float
    octets: int


class Session:
    """One connection.

    :param name: this host's name, which its certificate is for.
    :ivar sent: the position up to which everything was sent.
    :ivar acked: the generation up to which the standby has committed.
    :ivar streaming: whether the standby's position is known and no snapshot is under way.
    """

    def __init__(self, link: Link, name: str, history: History, clock: Clock, watcher: Watcher) -> None:
        self.sent = NOWHERE
        self.acked = 0
        self.streaming = False
        self._link = link
        self._history = history
        self._clock = clock
        self._watcher = watcher
        self._over = False
        self._heard_at = clock.now()
        self._in_flight: deque[_Sent] = deque()
        self._octets = 0
        self._batch: deque[Entry] = deque()
        self._snapshot: Snapshot | None = None
        self._parts: Iterator[Part] = iter(())
        self._rows = 0
        self._why = ""
        self._tell(Hello, self._greeted, name=name, version=VERSION, schema=SCHEMA)

    @property
    def silent_s(self) -> float:
        """For how long nothing has come from the standby."""
        return self._clock.now() - self._heard_at

    @property
    def settled(self) -> bool:
        """Whether the standby has committed all that there is."""
        return self.streaming and not self._in_flight and self.complete

    @property
    def complete(self) -> bool:
        """Whether everything was sent."""
        return self.streaming and self.sent == self._history.position

    def offer(self, entry: Entry, window: int = WINDOW_OCTETS) -> bool:
        """Send a new group, if it is the next one and fits into the window; otherwise it comes from the journal in time."""
        is_next = self.streaming and not self._batch and entry.position.generation == self.sent.generation + 1
        fits = is_next and self._octets < window
        if fits:
            self._send(entry)
        return fits

    def more(self) -> None:
        """Send what the journal has beyond what was sent, as far as the window allows."""
        while self.streaming and self._octets < WINDOW_OCTETS:
            if not self._batch:
                if self.sent == self._history.position:
                    return
                found = self._history.since(self.sent)
                if not found:
                    if found is None:
                        self._begin_snapshot("the journal no longer leads on from there")
                    return
                self._batch.extend(found)
            self._send(self._batch.popleft())

    def beat(self) -> None:
        """Tell that this side lives; cut a connection whose other side says nothing."""
        if self.silent_s > SILENCE_S:
            self._link.abort(f"nothing was heard for {SILENCE_S:g} s")
        else:
            self._tell(Beat, lambda _: None, generation=self._history.position.generation)

    def end(self) -> None:
        """Forget the connection."""
        self._over = True
        self.streaming = False
        self._batch.clear()
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None

    # The beginning.

    def _greeted(self, answer: dict[str, Any]) -> None:
        position = Position(str(answer["epoch"]), int(answer["generation"]))
        if self._history.since(position) is not None:
            self._resume(position)
        elif position == NOWHERE:
            self._begin_snapshot("the standby had nothing")
        else:
            self._begin_snapshot(f"the journal does not know the standby's generation {position.generation}")

    def _resume(self, position: Position) -> None:
        self.sent, self.acked, self.streaming = position, position.generation, True
        self._watcher.resumed()
        self.more()

    def _begin_snapshot(self, why: str) -> None:
        self.streaming = False
        self._why, self._rows = why, 0
        self._snapshot = self._history.snapshot()
        self._parts = self._snapshot.parts()
        self._tell(SnapshotBegin, self._next_part)

    def _next_part(self, _: dict[str, Any]) -> None:
        part = next(self._parts, None)
        if part is None:
            assert self._snapshot is not None
            epoch, generation = self._snapshot.position
            self._tell(SnapshotEnd, self._snapshot_taken, epoch=epoch, generation=generation)
            return
        self._rows += part.row_count
        for octets, more in pieces(part.rows):
            self._tell(SnapshotRows, _nothing if more else self._next_part, table=part.table, rows=octets, more=more)

    def _snapshot_taken(self, _: dict[str, Any]) -> None:
        assert self._snapshot is not None
        position = self._snapshot.position
        self._snapshot.close()
        self._snapshot = None
        self._watcher.snapshot_taken(self._rows, position.generation, self._why)
        self._resume(position)

    # Groups.

    def _send(self, entry: Entry) -> None:
        (epoch, generation), octets = entry

        def committed(_: dict[str, Any]) -> None:
            self._committed(generation)

        self._in_flight.append(_Sent(generation, self._clock.now(), len(octets)))
        self._octets += len(octets)
        self.sent = entry.position
        for piece, more in pieces(octets):
            self._tell(Changes, _nothing if more else committed, epoch=epoch, generation=generation, changes=piece, more=more)

    def _committed(self, generation: int) -> None:
        took_s = 0.0
        while self._in_flight and self._in_flight[0].generation <= generation:
            _, at, octets = self._in_flight.popleft()
            took_s = self._clock.now() - at
            self._octets -= octets
        self.acked = generation
        self._watcher.acknowledged(generation, took_s)
        self.more()

    # Messages.

    def _tell(self, command: type[amp.Command], then: Then, **arguments: object) -> None:
        def answered(answer: dict[str, Any]) -> None:
            self._heard_at = self._clock.now()
            if not self._over:
                then(answer)

        self._link.tell(command, **arguments).addCallback(answered).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if self._over or failure.check(ConnectionClosed):
            return
        # A refusal of the standby, or this host's own store cannot be read: the next connection begins anew.
        reason = failure.getErrorMessage() if failure.check(RemoteError) else f"{failure.type}: {failure.getErrorMessage()}"
        self._watcher.refused(printable(reason))
        self._link.abort("it was refused")


def _nothing(_: dict[str, Any]) -> None:
    """An answer that says no more than that the other side lives."""
