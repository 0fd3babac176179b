"""The journal: a store's history in the SQLite file itself, written in the very transactions that it tells of.

The last row is the store's position.
The first one, whose changes nobody can need any more, tells from which position on the journal leads.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from voxpath.core.effects import Change
from voxpath.store.history import (
    BATCH_GROUPS,
    BATCH_OCTETS,
    JOURNAL_GROUPS,
    JOURNAL_OCTETS,
    NOWHERE,
    ROWS_PER_PART,
    Entry,
    Part,
    Position,
    encode,
    encode_rows,
)
from voxpath.store.tables import TABLES, text_or_octets

_APPEND = "INSERT INTO journal (generation, epoch, changes) VALUES (?, ?, ?)"
_LAST = "SELECT epoch, generation FROM journal ORDER BY generation DESC LIMIT 1"


class Journal:
    """Appends groups, and drops the oldest ones.

    :param connection: the writing connection of the store.
    :param epoch: under which name this process writes.
    :ivar position: the last position written, whether it is committed already or not.
    """

    def __init__(self, connection: sqlite3.Connection, epoch: str) -> None:
        self._connection = connection
        self._epoch = epoch
        if last_position(connection) == NOWHERE:
            start(connection, Position(epoch, 0))
        self.position = last_position(connection)
        self._oldest = connection.execute("SELECT min(generation) FROM journal").fetchone()[0]
        self._octets = connection.execute("SELECT sum(length(changes)) FROM journal").fetchone()[0]

    def append(self, changes: Iterable[Change]) -> Entry:
        """Write the changes of the transaction that is under way as a group of their own."""
        return self.extend(Entry(Position(self._epoch, self.position.generation + 1), encode(changes)))

    def extend(self, entry: Entry) -> Entry:
        """Write a group that has its position already."""
        self.position = entry.position
        self._connection.execute(_APPEND, (entry.position.generation, entry.position.epoch, entry.changes))
        self._octets += len(entry.changes)
        self._trim()
        return entry

    def _trim(self) -> None:
        execute = self._connection.execute
        while self._oldest < self.position.generation and (
            self.position.generation - self._oldest >= JOURNAL_GROUPS or self._octets > JOURNAL_OCTETS
        ):
            (octets,) = execute("SELECT length(changes) FROM journal WHERE generation = ?", (self._oldest,)).fetchone()
            execute("DELETE FROM journal WHERE generation = ?", (self._oldest,))
            self._octets -= octets
            self._oldest += 1


def last_position(connection: sqlite3.Connection) -> Position:
    """The position of a store; :data:`NOWHERE` when it keeps no journal."""
    found = connection.execute(_LAST).fetchone()
    return NOWHERE if found is None else Position(*found)


def start(connection: sqlite3.Connection, position: Position) -> None:
    """Begin a journal at a position: what is in the store now is what belongs to it."""
    forget(connection)
    connection.execute(_APPEND, (position.generation, position.epoch, encode(())))


def forget(connection: sqlite3.Connection) -> None:
    """Drop the history: from now on changes are made that nobody writes down.

    Where there is none nothing is written: a store without a standby whose process was killed can be opened on a full disk.
    """
    if last_position(connection) != NOWHERE:
        connection.execute("DELETE FROM journal")


def read_since(path: Path, position: Position) -> list[Entry] | None:
    """Read the next groups after a position, over a connection of its own; ``None``: the journal has no such position."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        known = connection.execute("SELECT epoch FROM journal WHERE generation = ?", (position.generation,)).fetchone()
        if known is None or known[0] != position.epoch:
            return None
        sql = "SELECT epoch, generation, changes FROM journal WHERE generation > ? ORDER BY generation LIMIT ?"
        entries, octets = [], 0
        for epoch, generation, changes in connection.execute(sql, (position.generation, BATCH_GROUPS)):
            entries.append(Entry(Position(epoch, generation), changes))
            octets += len(changes)
            if octets > BATCH_OCTETS:
                break
        return entries


class SqliteSnapshot:
    """All rows as they are now, in a reading transaction: writers go on, and what they write is not seen.

    :ivar position: the position that the rows belong to.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        # One damaged text would stop the whole copy: the standby refuses its row as the active does.
        self._connection.text_factory = text_or_octets
        self._connection.execute("BEGIN")
        self.position = last_position(self._connection)

    def parts(self) -> Iterator[Part]:
        """The rows, part by part."""
        for table in TABLES.values():
            cursor = self._connection.execute(table.load_sql)
            while rows := cursor.fetchmany(ROWS_PER_PART):
                yield Part(table.name, encode_rows(rows), len(rows))

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()
