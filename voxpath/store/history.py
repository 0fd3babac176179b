"""The history of a store: its commit groups, numbered, as they go to a standby (DHC-19).

Every group has a *generation*, one more than the last one, and carries the *epoch* of the process that wrote it: a name that is
drawn anew at each start.
The pair is a *position*.
Two stores that have the same position have the same history up to it, since nobody else writes under an epoch; a store that was
restored from an old copy, or that two processes wrote to in turn, is found out by it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from voxpath.core.effects import Change, Put
from voxpath.store.tables import TABLES, Row, Table, table_of

JOURNAL_GROUPS = 50_000
"""Groups that the journal keeps at the most."""

JOURNAL_OCTETS = 64 << 20
"""Octets of changes that the journal keeps at the most; whoever was away for longer gets a snapshot."""

BATCH_GROUPS = 64
BATCH_OCTETS = 1 << 20
"""Groups, and octets of them, that are read from the journal at once: a fraction of a millisecond on the reactor thread."""

ROWS_PER_PART = 200
"""Rows in one part of a snapshot, likewise."""

TABLES_BY_NAME: dict[str, Table] = {table.name: table for table in TABLES.values()}


class Position(NamedTuple):
    """How far a history goes."""

    epoch: str
    generation: int


NOWHERE = Position("", 0)
"""The position of a store that knows no history of its own."""


class Entry(NamedTuple):
    """One commit group: where it stands, and its changes as :func:`encode` made them."""

    position: Position
    changes: bytes


class RowChange(NamedTuple):
    """One change as a row: to be written, or, when ``put`` is false, to be deleted by its key."""

    table: Table
    put: bool
    row: Row


class Part(NamedTuple):
    """Some rows of one table, part of a snapshot: the table's name, the rows as :func:`encode_rows` made them, and how many."""

    table: str
    rows: bytes
    row_count: int


class Snapshot(Protocol):
    """All rows as they were at one position."""

    @property
    def position(self) -> Position:
        """The position that they belong to."""

    def parts(self) -> Iterator[Part]:
        """The rows, part by part."""

    def close(self) -> None:
        """Let go of it; it may be closed at any time, also more than once."""


class History(Protocol):
    """What a store that keeps a journal tells of itself."""

    @property
    def position(self) -> Position:
        """How far it goes; what is there is durable."""

    def since(self, position: Position) -> list[Entry] | None:
        """Read the next groups after a position; ``None``: the history has no such position, or has it no longer."""

    def snapshot(self) -> Snapshot:
        """Read everything."""


def encode(changes: Iterable[Change]) -> bytes:
    """Turn changes into octets."""
    return msgspec.msgpack.encode([_row_of(change) for change in changes])


def _row_of(change: Change) -> tuple[str, bool, Row]:
    table = table_of(change.value)
    put = isinstance(change, Put)
    return table.name, put, table.to_row(change.value) if put else table.key(change.value)


def decode(octets: bytes) -> list[RowChange]:
    """Turn octets into changes; raise :class:`ValueError` for what was not made by :func:`encode`."""
    try:
        found = msgspec.msgpack.decode(octets, type=list[tuple[str, bool, list[Any]]])
    except msgspec.DecodeError as error:
        raise ValueError(f"these are no changes: {error}") from error
    changes = []
    for name, put, row in found:
        table = named(name)
        if len(row) != (len(table.columns) if put else table.keys):
            raise ValueError(f"a row of table {table.name} has {len(row)} columns")
        changes.append(RowChange(table, put, row))
    return changes


def encode_rows(rows: Sequence[Row]) -> bytes:
    """Turn rows of a snapshot into octets."""
    return msgspec.msgpack.encode(rows)


def decode_rows(name: str, octets: bytes) -> tuple[Table, list[Row]]:
    """Turn a part into its table and rows; raise :class:`ValueError` for what is none."""
    table = named(name)
    try:
        rows = msgspec.msgpack.decode(octets, type=list[list[Any]])
    except msgspec.DecodeError as error:
        raise ValueError(f"these are no rows: {error}") from error
    if any(len(row) != len(table.columns) for row in rows):
        raise ValueError(f"a row of table {table.name} has too few or too many columns")
    return table, list(rows)


def named(name: str) -> Table:
    """The table of that name; raise :class:`ValueError` when there is none."""
    try:
        return TABLES_BY_NAME[name]
    except KeyError:
        raise ValueError("there is no such table here") from None
