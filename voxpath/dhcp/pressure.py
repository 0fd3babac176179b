"""Warns before anything runs out: thresholds with hysteresis, looked at with each change, for the same cost at any size.

What only time changes, such as the end of a quarantine, is seen by a look at everything, now and then.
"""

from collections.abc import Hashable, Iterable

from voxpath.core.effects import Effect, Emit
from voxpath.dhcp.event import AddressesLow, AddressesRecovered, PortsLow, PortsRecovered
from voxpath.dhcp.machine import Book
from voxpath.dhcp.record import Step
from voxpath.model.phone import Scope
from voxpath.model.ports import PortBlock
from voxpath.ports.pools import Pool

WARN_AT = (80, 95)
"""Shares in use, in percent, from which on an event warns."""

CLEAR_BELOW = 5
"""A warning ends when the share is so many percent points below its threshold: a phone that comes and goes tells nothing."""


class Watermark:
    """The highest threshold that one share has passed.

    :param thresholds: in percent.
    :ivar total: the whole that shares are of.
    :ivar level: that threshold in percent; 0: none.
    """

    __slots__ = ("_thresholds", "_unmoved", "level", "total")

    def __init__(self, thresholds: Iterable[int], total: int) -> None:
        self.level = 0
        self.total = total
        self._thresholds = sorted(thresholds, reverse=True)
        self._unmoved = self._range()

    def moves(self, used: int) -> bool:
        """Look at a share; tell whether it has passed a threshold upwards, or has fallen clearly below one."""
        if used in self._unmoved:
            return False
        passed = self._passed(used, 0)
        left = self._passed(used, CLEAR_BELOW)
        # Between the two lines everything stays as it is.
        level = max(passed, min(self.level, left))
        moved, self.level = level != self.level, level
        self._unmoved = self._range()
        return moved

    def _range(self) -> range:
        """The shares at which nothing moves: nearly always it is one of these."""
        above = min((level for level in self._thresholds if level > self.level), default=None)
        first = -(-(self.level - CLEAR_BELOW) * self.total // 100) if self.level else 0
        return range(first, self.total + 1 if above is None else -(-above * self.total // 100))

    def _passed(self, used: int, slack: int) -> int:
        total = self.total
        return next((level for level in self._thresholds if total and used * 100 >= (level - slack) * total), 0)


class Pressure:
    """The watermarks of all scopes and pools; scopes that help each other out have one together (super-scopes, DHC-14)."""

    def __init__(self, book: Book, warn_at: Iterable[int] = WARN_AT) -> None:
        self._book = book
        self._warn_at = tuple(warn_at)
        self._groups = _groups(book.scopes.values())
        self._scopes: dict[str, Watermark] = {}
        self._pools: dict[Pool, Watermark] = {}

    def level_of_scope(self, name: str) -> int:
        """The highest threshold that a scope, or its group, has passed, in percent; 0: none."""
        mark = self._scopes.get(self._groups[name][0]) if name in self._groups else None
        return mark.level if mark is not None else 0

    def level_of_pool(self, pool: Pool) -> int:
        """The highest threshold that a pool has passed, in percent; 0: none."""
        mark = self._pools.get(pool)
        return mark.level if mark is not None else 0

    def look(self, now: float) -> list[Effect]:
        """What is to be told of all scopes and pools: shares that were passed before the start, or since the last change."""
        effects = [effect for group in dict.fromkeys(self._groups.values()) for effect in self._group(group, now)]
        for usage in self._book.ledger.usage(now):
            effects += self._told(usage.pool, usage.total, usage.used)
        return effects

    def after(self, step: Step, now: float) -> list[Effect]:
        """What is to be told after a change; a renewal changes nothing here."""
        change = step.ledger
        if not change and step.offer is None:
            return []
        effects: list[Effect] = []
        groups, lease, before = self._groups, step.lease, step.before
        if lease is not None and lease.scope in groups:
            effects += self._group(groups[lease.scope], now)
        if before is not None and before.scope in groups and (lease is None or before.scope != lease.scope):
            effects += self._group(groups[before.scope], now)
        for row in (*change.written, *change.removed):
            effects += self._pool(row.block, now)
        return effects

    def _group(self, group: tuple[str, ...], now: float) -> list[Effect]:
        book = self._book
        mark = self._scopes.get(group[0])
        if mark is None:
            mark = self._scopes[group[0]] = Watermark(self._warn_at, sum(book.pool(name).total for name in group))
        used, before = sum(book.used(name, now) for name in group), mark.level
        if not mark.moves(used):
            return []
        event = AddressesLow if mark.level > before else AddressesRecovered
        return [Emit(event(scope=", ".join(group), used=used, total=mark.total, threshold=max(before, mark.level)))]

    def _pool(self, block: PortBlock, now: float) -> list[Effect]:
        found = self._book.ledger.used_around(block, now)
        if found is None:
            return []
        space, used = found
        return self._told(space.pool, space.free.total, used)

    def _told(self, pool: Pool, total: int, used: int) -> list[Effect]:
        mark = self._pools.get(pool)
        if mark is None:
            mark = self._pools[pool] = Watermark(self._warn_at, total)
        before = mark.level
        if not mark.moves(used):
            return []
        event = PortsLow if mark.level > before else PortsRecovered
        return [Emit(event(pool=str(pool), used=used, total=total, threshold=max(before, mark.level)))]


def _groups(scopes: Iterable[Scope]) -> dict[str, tuple[str, ...]]:
    """The scopes that give addresses to the same phones, by the name of each: those of one link and group, or a scope alone."""
    together: dict[Hashable, list[str]] = {}
    for scope in scopes:
        key = (scope.interface, frozenset(scope.relays), scope.group) if scope.group else scope.name
        together.setdefault(key, []).append(scope.name)
    return {name: tuple(group) for group in together.values() for name in group}
