"""The store's twin in memory, and the copy's: the same rules, nothing durable. For tests and for labs without a disk."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed

from voxpath.core.effects import Change, Delete, Put
from voxpath.core.errors import VoxpathError
from voxpath.model.phone import Lease
from voxpath.model.ports import PortBinding
from voxpath.store.copy import READ_ONLY, CopyRefused
from voxpath.store.history import (
    BATCH_GROUPS,
    JOURNAL_GROUPS,
    NOWHERE,
    ROWS_PER_PART,
    Entry,
    Part,
    Position,
    decode,
    decode_rows,
    encode,
    encode_rows,
)
from voxpath.store.interface import Gate, OpenGate
from voxpath.store.tables import TABLES, Row, Table, table_of

Value = TypeVar("Value")
Rows = dict[tuple[Any, ...], object]


class MemoryStore:
    """Commits at once, in the caller's turn.

    :param epoch: the name under which it writes its history; empty: it writes none.
    :param groups: commit groups that are kept for a standby.
    :ivar refusal: when set, every commit is refused with this reason: a test's broken disk.
    :ivar gate: who may hold back the news that a commit is durable.
    """

    def __init__(self, epoch: str = "", groups: int = JOURNAL_GROUPS) -> None:
        self._tables: dict[type, Rows] = {}
        self.refusal: str | None = None
        self.gate: Gate = OpenGate()
        self._groups = groups
        self._journal: list[Entry] = []
        self.begin(epoch)

    def begin(self, epoch: str) -> None:
        """Start as another process would with what is there."""
        self._epoch = epoch
        if not epoch:
            self._journal = []
        elif not self._journal:
            self._journal = [Entry(Position(epoch, 0), encode(()))]

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table."""
        return [value for value in self._tables.get(kind, {}).values() if isinstance(value, kind)]

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Make the changes, all or none."""
        reason = self.refusal or self._make_all(changes)
        entry = None if reason is not None or not changes else self._record(changes)
        self.gate.committed(entry, lambda: done(reason))

    def close(self) -> Deferred[None]:
        """Nothing is left to finish."""
        return succeed(None)

    # The history, for a standby.

    @property
    def position(self) -> Position:
        """How far the journal goes."""
        return self._journal[-1].position if self._journal else NOWHERE

    def since(self, position: Position) -> list[Entry] | None:
        """Read the next groups after a position."""
        for place, entry in enumerate(self._journal):
            if entry.position == position:
                return self._journal[place + 1 : place + 1 + BATCH_GROUPS]
        return None

    def snapshot(self) -> "MemorySnapshot":
        """Read everything."""
        return MemorySnapshot(self)

    def rows(self) -> Iterator[tuple[Table, list[Row]]]:
        """All rows by table."""
        for kind, table in TABLES.items():
            yield table, [table.to_row(value) for value in self._tables.get(kind, {}).values()]

    def _record(self, changes: Sequence[Change]) -> Entry | None:
        if not self._epoch:
            return None
        entry = Entry(Position(self._epoch, self.position.generation + 1), encode(changes))
        self._journal = [*self._journal[-self._groups + 1 :], entry]
        return entry

    def _make_all(self, changes: Sequence[Change]) -> str | None:
        before = {kind: dict(rows) for kind, rows in self._tables.items() if any(type(change.value) is kind for change in changes)}
        try:
            for change in changes:
                self._make(change)
        except VoxpathError as error:
            for change in changes:
                self._tables[type(change.value)] = before.get(type(change.value), {})
            return str(error)
        return None

    def _make(self, change: Change) -> None:
        value = change.value
        key = table_of(value).key(value)
        rows = self._tables.setdefault(type(value), {})
        match change:
            case Delete():
                rows.pop(key, None)
            case Put():
                _check(rows, key, value)
                rows[key] = value


class MemorySnapshot:
    """All rows of a store as they are now.

    :ivar position: the position that they belong to.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.position = store.position
        self._rows = list(store.rows())

    def parts(self) -> Iterator[Part]:
        """The rows, part by part."""
        for table, rows in self._rows:
            for first in range(0, len(rows), ROWS_PER_PART):
                part = rows[first : first + ROWS_PER_PART]
                yield Part(table.name, encode_rows(part), len(part))

    def close(self) -> None:
        """Nothing is held."""


class MemoryCopy:
    """A standby's copy; what was begun is forgotten by :meth:`abandon`, as by a crash.

    :ivar position: how far it goes.
    """

    def __init__(self) -> None:
        self.position = NOWHERE
        self._tables: dict[str, Rows] = {}
        self._begun: dict[str, Rows] | None = None

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table."""
        return [value for value in self._tables.get(TABLES[kind].name, {}).values() if isinstance(value, kind)]

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Refuse: the active writes here, and nobody else."""
        done(READ_ONLY)

    def close(self) -> Deferred[None]:
        """Nothing is left to finish."""
        return succeed(None)

    def reopen(self) -> None:
        """Nothing can have failed."""

    def apply(self, entries: Sequence[Entry]) -> Deferred[None]:
        """Write groups."""
        tables = {name: dict(rows) for name, rows in self._tables.items()}
        try:
            for entry in entries:
                for table, put, row in decode(entry.changes):
                    _write(tables, table, put, row)
        except (ValueError, VoxpathError) as error:
            raise CopyRefused(f"a change of the active server does not fit: {error}") from error
        return self._settle(tables, entries[-1].position)

    def begin(self) -> None:
        """Begin to replace everything."""
        self._begun = {}

    def fill(self, name: str, rows: bytes) -> int:
        """Write a part of a snapshot."""
        assert self._begun is not None, "no snapshot was begun"
        try:
            table, decoded = decode_rows(name, rows)
            for row in decoded:
                _write(self._begun, table, True, row)
        except (ValueError, VoxpathError) as error:
            raise CopyRefused(f"a row of the snapshot does not fit: {error}") from error
        return len(decoded)

    def complete(self, position: Position) -> Deferred[None]:
        """Take the snapshot over."""
        assert self._begun is not None, "no snapshot was begun"
        tables, self._begun = self._begun, None
        return self._settle(tables, position)

    def abandon(self) -> None:
        """Drop what was begun."""
        self._begun = None

    def _settle(self, tables: dict[str, Rows], position: Position) -> Deferred[None]:
        self._tables, self.position = tables, position
        return succeed(None)


def _write(tables: dict[str, Rows], table: Table, put: bool, row: Row) -> None:
    rows = tables.setdefault(table.name, {})
    key = tuple(row[: table.keys])
    if put:
        value = table.from_row(row)
        _check(rows, key, value)
        rows[key] = value
    else:
        rows.pop(key, None)


def _check(rows: Rows, key: tuple[Any, ...], value: object) -> None:
    others = (row for other, row in rows.items() if other != key)
    match value:
        case PortBinding(block=block):
            if any(isinstance(row, PortBinding) and row.block.overlaps(block) for row in others):
                raise VoxpathError("the port block overlaps another one")
        case Lease(scope=scope, address=address, first_port=first_port):
            if any(
                isinstance(row, Lease) and (row.scope, row.address, row.first_port) == (scope, address, first_port)
                for row in others
            ):
                raise VoxpathError("the address is leased to another phone")
        case _:
            pass
