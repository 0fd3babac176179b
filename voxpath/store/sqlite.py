"""The SQLite store: WAL, ``synchronous=FULL``, one writer thread, group commit.

Commits that arrive while the disk is busy are written together by one transaction and one flush, so that a storm of phones costs
a few flushes and not thousands.
A refused change is found by writing that group again one commit at a time: a group never makes one phone pay for another's fault.

After an error of the disk the file is suspect: what a failed flush left behind is unknown.
Nothing is committed until the file has been reopened and has passed SQLite's check, and then ``reopened`` is called, so that
whoever keeps a copy in memory reads it anew.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from voxpath.core.effects import Change, Put
from voxpath.core.errors import LocalError
from voxpath.store.interface import MAX_WAITING
from voxpath.store.tables import TABLES, table_of
from voxpath.store.upgrade import steps, upgrade

Value = TypeVar("Value")

MAX_GROUP = 512
"""Commits that are written by one transaction."""

REOPEN_S = 1.0
"""A file that failed is tried again after so many seconds at the earliest."""

_REFUSED = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""Errors by which the database refuses one change; every other one of its errors makes the file suspect."""

_TABLE_OF_SQL = {kind: (table.put_sql, table.delete_sql) for kind, table in TABLES.items()}


class _Request(NamedTuple):
    changes: tuple[Change, ...]
    done: Callable[[str | None], None]


class SqliteStore:
    """A store in one SQLite file.

    :param refused_row: is told of a row that the model refuses at :meth:`load`: table, row, reason.
    :param reopened: is called on the reactor thread after a file that had failed is good again.
    :raises LocalError: the file cannot be opened, is damaged, or was written by a newer voxpath.
    """

    def __init__(
        self,
        path: Path,
        reactor: IReactorFromThreads,
        *,
        refused_row: Callable[[str, str, str], None] = lambda table, row, reason: None,
        reopened: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._reactor = reactor
        self._refused_row = refused_row
        self._reopened = reopened
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._waiting = 0
        self._closed: Deferred[None] | None = None
        self._suspect = ""
        self._try_again = 0.0
        self._connection = _open(path)
        self._thread = Thread(target=self._write, name="voxpath-store", daemon=True)
        self._thread.start()

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table, over a connection of its own."""
        table = TABLES[kind]
        connection = sqlite3.connect(self._path)
        try:
            rows = connection.execute(table.load_sql).fetchall()
        finally:
            connection.close()
        values: list[Value] = []
        for row in rows:
            try:
                values.append(table.from_row(row))
            except ValueError as error:
                self._refused_row(table.name, repr(row), str(error))
        return values

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Queue the changes for the writer thread."""
        for change in changes:
            table_of(change.value)
        if self._closed is not None:
            done("the store is closed")
        elif self._waiting >= MAX_WAITING:
            done(f"{MAX_WAITING} commits wait for the disk already")
        else:
            self._waiting += 1
            self._queue.put(_Request(changes, done))

    def close(self) -> Deferred[None]:
        """Write what was queued, then close the file."""
        if self._closed is None:
            self._closed = Deferred()
            self._queue.put(None)
        return self._closed

    # On the reactor thread.

    def _deliver(self, group: list[tuple[_Request, str | None]], reopened: bool) -> None:
        self._waiting -= len(group)
        for request, reason in group:
            request.done(reason)
        if reopened:
            self._reopened()

    def _end(self) -> None:
        self._thread.join()
        if self._closed is not None:
            self._closed.callback(None)

    # On the writer thread.

    def _write(self) -> None:
        while True:
            group, last = self._take()
            if group:
                was_suspect = bool(self._suspect)
                outcome = self._write_group(group)
                self._reactor.callFromThread(self._deliver, outcome, was_suspect and not self._suspect)
            if last:
                self._connection.close()
                self._reactor.callFromThread(self._end)
                return

    def _take(self) -> tuple[list[_Request], bool]:
        group: list[_Request] = []
        request = self._queue.get()
        while request is not None:
            group.append(request)
            if len(group) >= MAX_GROUP or self._queue.empty():
                return group, False
            request = self._queue.get()
        return group, True

    def _write_group(self, group: list[_Request]) -> list[tuple[_Request, str | None]]:
        if self._suspect and not self._reopen():
            return [(request, self._suspect) for request in group]
        try:
            self._transaction(group)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _REFUSED):
                self._suspect = f"the store {self._path} failed: {error}"
                return [(request, self._suspect) for request in group]
            # Also what is no error of the database, such as text that is no UTF-8: this thread must outlive any value.
            if len(group) == 1:
                return [(group[0], str(error))]
            return [outcome for request in group for outcome in self._write_group([request])]
        return [(request, None) for request in group]

    def _transaction(self, group: list[_Request]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for request in group:
                for change in request.changes:
                    value = change.value
                    table = TABLES[type(value)]
                    put, delete = _TABLE_OF_SQL[type(value)]
                    if isinstance(change, Put):
                        connection.execute(put, table.to_row(value))
                    else:
                        connection.execute(delete, table.key(value))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _reopen(self) -> bool:
        if time.monotonic() < self._try_again:
            return False
        self._try_again = time.monotonic() + REOPEN_S
        try:
            self._connection.close()
            self._connection = _open(self._path)
        except (sqlite3.Error, LocalError) as error:
            self._suspect = f"the store {self._path} failed and cannot be reopened: {error}"
            return False
        self._suspect = ""
        return True


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise LocalError(f"the store {path} cannot be opened: {error}; check the path, its rights and the disk") from error
    if verdict != "ok":
        raise LocalError(f"the store {path} is damaged: {verdict}; restore it from a copy")
    upgrade(connection, steps(), path)
    return connection
