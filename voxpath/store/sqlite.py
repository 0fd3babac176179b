"""The SQLite store: WAL, ``synchronous=FULL``, group commit, one thread that does nothing but flush.

Rows are written on the reactor thread, which takes microseconds; the COMMIT, which waits for the disk, runs on the flusher thread.
Were the rows written there too, that thread would have to win Python's interpreter lock back after every single row.
Commits that arrive while the disk is busy form the next group: one transaction and one flush for all of them, so a storm of phones
costs a few flushes and not thousands.
A refused change is found by writing that group again one commit at a time: a group never makes one phone pay for another's fault.

After an error of the disk the file is suspect: what a failed flush left behind is unknown.
Nothing is committed until the file has been reopened, has passed SQLite's check and has taken a write, and then ``reopened`` is
called, so that whoever keeps a copy in memory reads it anew.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from voxpath.core.effects import Change, Put
from voxpath.core.errors import LocalError
from voxpath.store.file import is_locked, is_of_disk, load_rows, open_file, try_write
from voxpath.store.history import NOWHERE, Entry, Position
from voxpath.store.interface import MAX_WAITING, Gate, OpenGate
from voxpath.store.journal import Journal, SqliteSnapshot, forget, read_since
from voxpath.store.recovery import Recovery
from voxpath.store.tables import TABLES, Row, table_of

Value = TypeVar("Value")

MAX_GROUP = 512
"""Commits that are written by one transaction."""

GATHER_S = 0.009
"""While commits keep coming, a group begins so many seconds after the one before it at the earliest.

Each group costs a flush, a switch of threads and a transaction of the NAT, however small it is.
"""

REOPEN_S = 1.0
"""A file that failed is tried again after so many seconds at the earliest."""

LOCKED_S = 5.0
"""So long another program may keep the file locked before that counts as a failure."""

LOCK_PAUSE_S = 0.01
"""Pause between two looks at a locked file."""

_SQL = {kind: (table.put_sql, table.delete_sql) for kind, table in TABLES.items()}


class StoreReactor(IReactorFromThreads, IReactorTime):
    """What the store needs of the reactor."""


class _Request(NamedTuple):
    changes: tuple[Change, ...]
    done: Callable[[str | None], None]


_Outcomes = list[tuple[_Request, str | None]]
_Job = Callable[[], Callable[[], None]]
"""Runs on the flusher thread, and returns what is to be called on the reactor thread then."""


class SqliteStore:
    """A store in one SQLite file.

    :param epoch: the name under which this process writes the store's history (:mod:`voxpath.store.history`); empty: it writes
        none, and drops what was written before.
    :param refused_row: is told of a row that the model refuses at :meth:`load`: table, row, reason.
    :param reopened: is called on the reactor thread after a file that had failed is good again, with what had failed.
    :param recovered: is told what a process that did not end in order left, if there is anything.
    :ivar gate: who may hold back the news that a group is durable.
    :raises LocalError: the file cannot be opened or written, is damaged, or was written by a newer voxpath.
    """

    def __init__(
        self,
        path: Path,
        reactor: StoreReactor,
        *,
        epoch: str = "",
        refused_row: Callable[[str, str, str], None] = lambda table, row, reason: None,
        reopened: Callable[[str], None] = lambda failure: None,
        recovered: Callable[[Recovery], None] = lambda found: None,
    ) -> None:
        self.gate: Gate = OpenGate()
        self._path = path
        self._reactor = reactor
        self._epoch = epoch
        self._refused_row = refused_row
        self._reopened = reopened
        self._waiting: deque[_Request] = deque()
        self._busy = False
        self._closed: Deferred[None] | None = None
        self._suspect = self._cause = ""
        self._begun = 0.0
        self._try_again = self._locked_until = 0.0
        self._position = NOWHERE
        self._connection = open_file(path, recovered)
        try:
            self._journal = self._open_journal()
        except sqlite3.Error as error:
            self._connection.close()
            raise LocalError(
                f"the store {path} cannot be written: {error}; check its rights, and the disk: room, health"
            ) from error
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._flush, name="voxpath-store", daemon=True)
        self._thread.start()

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table, over a connection of its own."""
        return load_rows(self._path, kind, self._refused_row)

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Let the changes be part of the next group."""
        for change in changes:
            table_of(change.value)
        if self._closed is not None:
            done("the store is closed")
        elif len(self._waiting) >= MAX_WAITING:
            done(f"{MAX_WAITING} commits wait for the disk already")
        else:
            self._waiting.append(_Request(changes, done))
            if not self._busy:
                self._busy = True
                # In the next turn, so that all that this turn still brings goes along.
                self._reactor.callLater(0, self._begin)

    def close(self) -> Deferred[None]:
        """Write what was given, then close the file."""
        if self._closed is None:
            self._closed = Deferred()
            if not self._busy:
                self._busy = True
                self._reactor.callLater(0, self._begin)
        return self._closed

    # The history, for a standby.

    @property
    def position(self) -> Position:
        """How far the journal goes; it must keep one."""
        return self._position

    def since(self, position: Position) -> list[Entry] | None:
        """Read the next groups after a position."""
        return read_since(self._path, position)

    def snapshot(self) -> SqliteSnapshot:
        """Read everything."""
        return SqliteSnapshot(self._path)

    def _open_journal(self) -> Journal | None:
        if not self._epoch:
            forget(self._connection)
            return None
        journal = Journal(self._connection, self._epoch)
        self._position = journal.position
        return journal

    # On the reactor thread.

    def _begin(self) -> None:
        """Write the rows of the next group, and let the flusher commit them."""
        if not self._waiting:
            self._busy = False
            if self._closed is not None:
                self._jobs.put(None)
            return
        if self._suspect:
            self._jobs.put(self._reopen)
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if is_locked(error) and self._lock_may_come():
                self._jobs.put(self._wait)
            else:
                self._fail(error)
            return
        self._locked_until = 0.0
        self._begun = time.monotonic()
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]
        try:
            outcomes = self._write(group)
            entry = self._record(outcomes)
        except sqlite3.Error as error:
            self._roll_back()
            self._deliver([(request, None) for request in group], None, error)
            return
        self._jobs.put(lambda: self._commit(outcomes, entry))

    def _write(self, group: list[_Request]) -> _Outcomes:
        """Write all rows at once; if one is refused, begin again and write each request for itself."""
        try:
            self._put([change for request in group for change in request.changes])
        except Exception as error:
            if is_of_disk(error):
                raise
        else:
            return [(request, None) for request in group]
        self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN IMMEDIATE")
        return [(request, self._write_one(request)) for request in group]

    def _write_one(self, request: _Request) -> str | None:
        execute = self._connection.execute
        execute("SAVEPOINT request")
        try:
            self._put(request.changes)
        except Exception as error:
            # Also what is no error of the database, such as text that is no UTF-8: the others must outlive any value.
            if is_of_disk(error):
                raise
            execute("ROLLBACK TO request")
            return str(error)
        finally:
            if self._connection.in_transaction:
                execute("RELEASE request")
        return None

    def _put(self, changes: Sequence[Change]) -> None:
        """Write changes, run by run: those of one table keep their order, and of another table none depends on them."""
        runs: dict[type, tuple[str, list[Row]]] = {}
        for change in changes:
            kind = type(change.value)
            table = TABLES[kind]
            put, delete = _SQL[kind]
            sql, row = (put, table.to_row(change.value)) if isinstance(change, Put) else (delete, table.key(change.value))
            run = runs.get(kind)
            if run is None or run[0] != sql:
                if run is not None:
                    self._connection.executemany(*run)
                run = runs[kind] = (sql, [])
            run[1].append(row)
        for run in runs.values():
            self._connection.executemany(*run)

    def _record(self, outcomes: _Outcomes) -> Entry | None:
        """Write into the journal what was written into the tables; ``None``: nothing, or there is no journal."""
        changes = [change for request, reason in outcomes if reason is None for change in request.changes]
        return self._journal.append(changes) if self._journal is not None and changes else None

    def _deliver(self, outcomes: _Outcomes, entry: Entry | None, error: sqlite3.Error | None) -> None:
        if error is not None:
            self._suspect = self._cause = f"the store {self._path} failed: {error}"
        elif entry is not None:
            self._position = entry.position
        failure = self._suspect

        def release() -> None:
            for request, reason in outcomes:
                request.done(failure or reason)

        self.gate.committed(entry if error is None else None, release)
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next group when it has had time to gather; one that comes after a rest begins at once (:meth:`commit`)."""
        pause = self._begun + GATHER_S - time.monotonic()
        if self._waiting and pause > 0 and self._closed is None:
            self._reactor.callLater(pause, self._begin)
        else:
            self._begin()

    def _fail(self, error: sqlite3.Error) -> None:
        group, self._waiting = list(self._waiting), deque()
        self._deliver([(request, None) for request in group], None, error)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _lock_may_come(self) -> bool:
        """Another program writes to the file: that is worth a short wait."""
        now = time.monotonic()
        self._locked_until = self._locked_until or now + LOCKED_S
        return now < self._locked_until

    def _reopened_now(self, error: str) -> None:
        self._suspect = error
        if error:
            group, self._waiting = list(self._waiting), deque()
            self._refuse(group, error)
        else:
            self._reopened(self._cause)
        self._begin()

    def _refuse(self, group: list[_Request], error: str) -> None:
        def release() -> None:
            for request in group:
                request.done(error)

        self.gate.committed(None, release)

    def _end(self) -> None:
        self._thread.join()
        if self._closed is not None:
            self._closed.callback(None)

    # On the flusher thread.

    def _flush(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._reactor.callFromThread(job())
        self._connection.close()
        self._reactor.callFromThread(self._end)

    def _commit(self, outcomes: _Outcomes, entry: Entry | None) -> Callable[[], None]:
        failure: sqlite3.Error | None = None
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = error
            self._roll_back()
        return lambda: self._deliver(outcomes, entry, failure)

    def _wait(self) -> Callable[[], None]:
        time.sleep(LOCK_PAUSE_S)
        return self._begin

    def _reopen(self) -> Callable[[], None]:
        failure = self._suspect
        if time.monotonic() >= self._try_again:
            self._try_again = time.monotonic() + REOPEN_S
            try:
                self._connection.close()
                self._connection = open_file(self._path)
                self._journal = self._open_journal()
                try_write(self._connection)
                failure = ""
            except (sqlite3.Error, LocalError) as error:
                failure = f"the store {self._path} failed and cannot be reopened: {error}"
        return lambda: self._reopened_now(failure)
