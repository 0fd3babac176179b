"""The store's twin in memory: the same rules, nothing durable. For tests and for labs without a disk."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed

from voxpath.core.effects import Change, Delete, Put
from voxpath.core.errors import VoxpathError
from voxpath.model.phone import Lease
from voxpath.model.ports import PortBinding
from voxpath.store.tables import table_of

Value = TypeVar("Value")
Rows = dict[tuple[Any, ...], object]


class MemoryStore:
    """Commits at once, in the caller's turn.

    :ivar refusal: when set, every commit is refused with this reason: a test's broken disk.
    """

    def __init__(self) -> None:
        self._tables: dict[type, Rows] = {}
        self.refusal: str | None = None

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table."""
        return [value for value in self._tables.get(kind, {}).values() if isinstance(value, kind)]

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Make the changes, all or none."""
        if self.refusal is not None:
            done(self.refusal)
            return
        before = {kind: dict(rows) for kind, rows in self._tables.items() if any(type(change.value) is kind for change in changes)}
        try:
            for change in changes:
                self._make(change)
        except VoxpathError as error:
            for change in changes:
                self._tables[type(change.value)] = before.get(type(change.value), {})
            done(str(error))
            return
        done(None)

    def close(self) -> Deferred[None]:
        """Nothing is left to finish."""
        return succeed(None)

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
