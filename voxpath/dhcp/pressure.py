"""Warns before anything runs out: thresholds with hysteresis, looked at with each change, for the same cost at any size."""

from collections.abc import Iterable

from voxpath.core.effects import Effect, Emit
from voxpath.dhcp.event import AddressesLow, AddressesRecovered, PortsLow, PortsRecovered
from voxpath.dhcp.machine import Book
from voxpath.dhcp.record import Step
from voxpath.model.ports import PortBlock
from voxpath.ports.pools import Pool

WARN_AT = (80, 95)
"""Shares in use, in percent, from which on an event warns."""

CLEAR_BELOW = 5
"""A warning ends when the share is so many percent points below its threshold: a phone that comes and goes tells nothing."""


class Watermark:
    """The highest threshold that one share has passed.

    :ivar level: that threshold in percent; 0: none.
    """

    __slots__ = ("_thresholds", "level")

    def __init__(self, thresholds: Iterable[int]) -> None:
        self.level = 0
        self._thresholds = sorted(thresholds, reverse=True)

    def moves(self, used: int, total: int) -> bool:
        """Look at a share; tell whether it has passed a threshold upwards, or has fallen clearly below one."""
        passed = self._passed(used, total, 0)
        left = self._passed(used, total, CLEAR_BELOW)
        # Between the two lines everything stays as it is.
        level = max(passed, min(self.level, left))
        moved, self.level = level != self.level, level
        return moved

    def _passed(self, used: int, total: int, slack: int) -> int:
        return next((level for level in self._thresholds if total and used * 100 >= (level - slack) * total), 0)


class Pressure:
    """The watermarks of all scopes and pools."""

    def __init__(self, book: Book, warn_at: Iterable[int] = WARN_AT) -> None:
        self._book = book
        self._warn_at = tuple(warn_at)
        self._marks: dict[str | Pool, Watermark] = {}

    def level(self, of: str | Pool) -> int:
        """The highest threshold that a scope or a pool has passed, in percent; 0: none."""
        mark = self._marks.get(of)
        return mark.level if mark is not None else 0

    def after(self, step: Step, now: float) -> list[Effect]:
        """What is to be told after a change; a renewal changes nothing here."""
        if not step.ledger and step.offer is None:
            return []
        effects: list[Effect] = []
        for lease in (step.lease, step.before):
            if lease is not None and lease.scope in self._book.scopes:
                effects += self._scope(lease.scope)
        for row in (*step.ledger.written, *step.ledger.removed):
            effects += self._pool(row.block, now)
        return effects

    def _scope(self, name: str) -> list[Effect]:
        usage = self._book.usage(name)
        mark = self._mark(name)
        before = mark.level
        if not mark.moves(usage.used, usage.total):
            return []
        event = AddressesLow if mark.level > before else AddressesRecovered
        return [Emit(event(scope=name, used=usage.used, total=usage.total, threshold=max(before, mark.level)))]

    def _pool(self, block: PortBlock, now: float) -> list[Effect]:
        usage = self._book.ledger.usage_around(block, now)
        if usage is None:
            return []
        mark = self._mark(usage.pool)
        before = mark.level
        if not mark.moves(usage.used, usage.total):
            return []
        event = PortsLow if mark.level > before else PortsRecovered
        return [Emit(event(pool=str(usage.pool), used=usage.used, total=usage.total, threshold=max(before, mark.level)))]

    def _mark(self, key: str | Pool) -> Watermark:
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = Watermark(self._warn_at)
        return mark
