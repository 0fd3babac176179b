"""The standby's side: writes what the active tells into its copy, and acknowledges only what is on its own disk (DHC-19).

Groups that arrive while a COMMIT is under way form the next one, as in the active's store.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError, RemoteError
from voxpath.io.clock import Clock
from voxpath.model.event import Event, printable
from voxpath.replica.event import StandbyBroken, StandbyLink, StandbySnapshot
from voxpath.replica.message import GROUP_OCTETS, silence
from voxpath.store.copy import CopyRefused
from voxpath.store.history import NOWHERE, Entry, Position

MAX_BATCH = 512
"""Groups that are committed together."""


class Copy(Protocol):
    """What is written (:class:`voxpath.store.copy.SqliteCopy`)."""

    @property
    def position(self) -> Position:
        """How far it goes."""

    def reopen(self) -> None:
        """Open it anew after a failure; raise :class:`LocalError`."""

    def apply(self, entries: Sequence[Entry]) -> "Deferred[None]":
        """Commit groups; raise :class:`CopyRefused`, or anything else for a failure of the disk."""

    def begin(self) -> None:
        """Begin to replace everything."""

    def fill(self, name: str, rows: bytes) -> int:
        """Write rows of the snapshot, and tell how many they are."""

    def complete(self, position: Position) -> "Deferred[None]":
        """Commit the snapshot."""

    def abandon(self) -> None:
        """Drop what was begun."""


class Cut(Protocol):
    """A connection that can be cut."""

    def abort(self, why: str = "") -> None:
        """Cut it, for a reason that is told."""


class _Pending(NamedTuple):
    entry: Entry
    done: "Deferred[None]"


class Standby:
    """Keeps the copy; one connection at a time may write to it.

    :param peer: the active's name.
    :param publish: takes events.
    :ivar connected: whether the active is connected.
    :ivar since: when that began.
    :ivar told: the active's generation as far as this side has heard of it.
    """

    def __init__(self, peer: str, copy: Copy, clock: Clock, publish: Callable[[Event], None]) -> None:
        self.connected = False
        self.since = clock.now()
        self.told = 0
        self.last_snapshot = 0.0
        self._peer = peer
        self._copy = copy
        self._clock = clock
        self._publish = publish
        self._link: Cut | None = None
        self._heard_at = clock.now()
        self._pending: deque[_Pending] = deque()
        self._octets = 0
        self._busy = False
        self._under_way = NOWHERE
        self._waiting: list[Deferred[None]] = []
        self._filling = False
        self._rows = 0
        self._distrusted = False
        self._failed = False

    # Connections.

    def take(self, link: Cut) -> "Deferred[Position]":
        """Let a connection write from now on; an older one is cut. The Deferred fires with the position when the disk is quiet.

        :raises RemoteError: the copy cannot be opened.
        """
        if self._link is not None and self._link is not link:
            self._link.abort("the active server has connected anew")
        self._link = link
        self._heard_at = self._clock.now()
        self._drop()
        return self.quiet().addCallback(lambda _: self._greet(link))

    def _greet(self, link: Cut) -> Position:
        self._check(link)
        if self._failed:
            try:
                self._copy.reopen()
            except (LocalError, OSError) as error:
                raise RemoteError(f"the standby's store cannot be opened: {error}") from error
            self._failed = False
        if not self.connected:
            self.connected, self.since = True, self._clock.now()
            self._publish(StandbyLink(name=self._peer, state="up"))
        return NOWHERE if self._distrusted else self._copy.position

    def release(self, link: Cut, reason: str) -> bool:
        """A connection has ended: what it had begun and not committed is dropped; tell whether it was the one that may write."""
        if link is not self._link:
            return False
        self._link = None
        self._drop()
        if self.connected:
            self.connected, self.since = False, self._clock.now()
            self._publish(StandbyLink(name=self._peer, state=f"down: {reason}"))
        return True

    def quiet(self) -> "Deferred[None]":
        """Wait until nothing is under way on the disk."""
        waiting: Deferred[None] = Deferred()
        if self._busy:
            self._waiting.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def _check(self, link: Cut) -> None:
        if link is not self._link:
            raise RemoteError("a newer connection has taken over")

    def _drop(self) -> None:
        # Nobody waits for their answers any more.
        self._pending.clear()
        self._octets = 0
        if self._filling:
            self._filling = False
            self._copy.abandon()

    # Groups.

    def hears(self, link: Cut) -> None:
        """A connection has brought something."""
        if link is self._link:
            self._heard_at = self._clock.now()

    def heard(self, generation: int) -> None:
        """The active has told its generation."""
        self.told = max(generation, 0)

    def apply(self, link: Cut, entry: Entry) -> "Deferred[None]":
        """Write a group; the Deferred fires when it is durable.

        :raises RemoteError: it does not follow on the last one, or too much waits already.
        """
        self._check(link)
        last = self._pending[-1].entry.position if self._pending else self._expected
        if self._filling or entry.position.generation != last.generation + 1:
            raise RemoteError(f"group {entry.position.generation} does not follow on {last.generation}")
        self._octets += len(entry.changes)
        if self._octets > GROUP_OCTETS:
            raise RemoteError("more groups than fit wait for the standby's disk")
        done: Deferred[None] = Deferred()
        self._pending.append(_Pending(entry, done))
        self.told = max(self.told, entry.position.generation)
        if not self._busy:
            self._write()
        return done

    @property
    def _expected(self) -> Position:
        return self._under_way if self._busy else self._copy.position

    def _write(self) -> None:
        batch = [self._pending.popleft() for _ in range(min(len(self._pending), MAX_BATCH))]
        self._octets -= sum(len(each.entry.changes) for each in batch)
        self._under_way = batch[-1].entry.position

        def durable() -> None:
            for each in batch:
                each.done.callback(None)

        self._begin(lambda: self._copy.apply([each.entry for each in batch]), durable)

    def _begin(self, commit: Callable[[], "Deferred[None]"], durable: Callable[[], None]) -> None:
        self._busy = True
        # Whatever a store raises, nothing may be acknowledged after it: the copy is begun again, from the disk or by a snapshot.
        try:
            committing = commit()
        except Exception as error:
            self._broken(error)
            return
        committing.addCallbacks(lambda _: self._durable(durable), lambda failure: self._broken(_error_of(failure)))

    def _durable(self, durable: Callable[[], None]) -> None:
        self._busy = False
        durable()
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)
        if self._pending and not self._busy:
            self._write()

    def _broken(self, error: Exception) -> None:
        """The copy did not take it: the connection ends, and the next one begins with what is on the disk, or with a snapshot."""
        if isinstance(error, CopyRefused):
            self._distrusted = True
        else:
            self._failed = True
        self._busy = False
        self._publish(StandbyBroken(name=self._peer, reason=printable(str(error))))
        self._drop()
        if self._link is not None:
            self._link.abort("the copy was not written")
        self._go_on()

    # Snapshots.

    def begin(self, link: Cut) -> None:
        """A snapshot begins; what is there stays until it is complete.

        :raises RemoteError: groups are under way.
        """
        self._check(link)
        if self._busy or self._pending or self._filling:
            raise RemoteError("a snapshot cannot begin while groups are under way")
        self._filling, self._rows = True, 0
        with self._guarded():
            self._copy.begin()

    def fill(self, link: Cut, name: str, rows: bytes) -> None:
        """Write rows of the snapshot; raise :class:`RemoteError` when none was begun, or the rows do not fit."""
        self._check(link)
        if not self._filling:
            raise RemoteError("no snapshot was begun")
        with self._guarded():
            self._rows += self._copy.fill(name, rows)

    def complete(self, link: Cut, position: Position) -> "Deferred[None]":
        """Take the snapshot over; the Deferred fires when it is durable."""
        self._check(link)
        if not self._filling:
            raise RemoteError("no snapshot was begun")
        self._filling = False
        self._under_way = position
        done: Deferred[None] = Deferred()

        def durable() -> None:
            self._distrusted = False
            self.last_snapshot = self._clock.now()
            self._publish(StandbySnapshot(rows=self._rows, generation=position.generation, reason="sent by the active server"))
            done.callback(None)

        self._begin(lambda: self._copy.complete(position), durable)
        return done

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        # As for a commit; the active hears that it was not taken.
        try:
            yield
        except Exception as error:
            self._broken(error)
            raise RemoteError(printable(str(error))) from error

    def facts(self) -> Iterator[tuple[str, str]]:
        """What an operator should know."""
        generation = self._copy.position.generation
        yield "role", "standby"
        yield "peer", self._peer
        quiet = silence(self._clock.now() - self._heard_at) if self.connected else ""
        yield "state", quiet or ("following" if self.connected else "not connected")
        yield "generation", str(generation)
        if self.connected and not quiet:
            yield "lag", str(max(self.told - generation, 0))


def _error_of(failure: Failure) -> Exception:
    return failure.value if isinstance(failure.value, Exception) else RuntimeError(failure.getErrorMessage())
