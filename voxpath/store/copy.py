"""A standby's store: the copy of another one's, written by nobody but the active server (DHC-19).

Rows are written on the reactor thread, and only the COMMIT leaves it, as in :mod:`voxpath.store.sqlite`.
The position is committed with the rows that belong to it, so a crash leaves a prefix of the active's history, never half a group.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed

from voxpath.core.effects import Change
from voxpath.core.errors import LocalError
from voxpath.store.file import is_of_disk, load_rows, open_file
from voxpath.store.history import Entry, Position, decode, decode_rows
from voxpath.store.journal import Journal, last_position, start
from voxpath.store.recovery import Recovery
from voxpath.store.tables import TABLES

Value = TypeVar("Value")
InThread = Callable[[Callable[[], None]], "Deferred[None]"]

READ_ONLY = "this host is a standby: its store is written by the active server only"


class CopyRefused(LocalError):
    """A change does not fit to what is in the copy: it is none any more, and a snapshot is needed."""


class SqliteCopy:
    """A copy in one SQLite file.

    Whoever uses it begins nothing before the last Deferred has fired.

    :param in_thread: runs a COMMIT, which waits for the disk, on another thread.
    :param refused_row: is told of a row that the model refuses at :meth:`load`.
    :param recovered: is told what a process that did not end in order left, if there is anything.
    :raises LocalError: the file cannot be opened, is damaged, or was written by a newer voxpath.
    """

    def __init__(
        self,
        path: Path,
        in_thread: InThread,
        *,
        refused_row: Callable[[str, str, str], None] = lambda table, row, reason: None,
        recovered: Callable[[Recovery], None] = lambda found: None,
    ) -> None:
        self._path = path
        self._in_thread = in_thread
        self._refused_row = refused_row
        self._open(recovered)

    def _open(self, recovered: Callable[[Recovery], None] = lambda found: None) -> None:
        self._connection = open_file(self._path, recovered)
        self._position = last_position(self._connection)
        self._journal: Journal | None = None

    # A store, as commands see it.

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table."""
        return load_rows(self._path, kind, self._refused_row)

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Refuse: what is written here would make the copy a different store."""
        done(READ_ONLY)

    def close(self) -> "Deferred[None]":
        """Close the file; what was begun and not committed is lost, and the active has it."""
        self._connection.close()
        return succeed(None)

    # A copy.

    @property
    def position(self) -> Position:
        """How far it goes; what is there is durable."""
        return self._position

    def reopen(self) -> None:
        """After an error of the disk: open the file anew and check it; raise :class:`LocalError` when it is not good."""
        self._connection.close()
        try:
            self._open()
        except sqlite3.Error as error:
            raise LocalError(f"the store {self._path} cannot be read: {error}") from error

    def apply(self, entries: Sequence[Entry]) -> "Deferred[None]":
        """Write groups, which must follow on each other, and commit them together; the Deferred fires when they are durable.

        :raises CopyRefused: a change does not fit; nothing of these groups was written.
        :raises sqlite3.Error: the disk failed; the copy must be reopened.
        """
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            if self._journal is None:
                self._journal = Journal(self._connection, "")
            for entry in entries:
                for table, put, row in decode(entry.changes):
                    execute(table.put_sql if put else table.delete_sql, row)
                self._journal.extend(entry)
        except Exception as error:
            self.abandon()
            if is_of_disk(error):
                raise
            # Also what is no error of the database: the active must not be able to stop the standby by any value.
            raise CopyRefused(f"a change of the active server does not fit: {error}") from error
        return self._commit(entries[-1].position)

    def begin(self) -> None:
        """Begin to replace everything by a snapshot; until it is complete the old rows stay, for everybody else and on the disk."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table in TABLES.values():
            self._connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - own names only

    def fill(self, name: str, rows: bytes) -> int:
        """Write rows of a snapshot into this table, and tell how many; raise :class:`CopyRefused` if they do not fit."""
        # Rows come from another host: whatever is wrong with them is refused, and only the disk's own errors pass.
        try:
            table, decoded = decode_rows(name, rows)
            self._connection.executemany(table.put_sql, decoded)
        except Exception as error:
            if is_of_disk(error):
                raise
            raise CopyRefused(f"a row of the snapshot does not fit: {error}") from error
        return len(decoded)

    def complete(self, position: Position) -> "Deferred[None]":
        """Commit the snapshot; the Deferred fires when it is durable."""
        start(self._connection, position)
        self._journal = None
        return self._commit(position)

    def abandon(self) -> None:
        """Drop what was begun: the copy is as it was."""
        self._journal = None
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _commit(self, position: Position) -> "Deferred[None]":
        def committed(_: object) -> None:
            self._position = position

        return self._in_thread(self._flush).addCallback(committed)

    def _flush(self) -> None:
        """Runs on another thread."""
        self._connection.execute("COMMIT")
