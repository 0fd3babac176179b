"""Released blocks that wait for their holders' return, and give way when a pool has run dry: the oldest first.

Of several that were released at the same moment the one whose holder comes first in order, whoever has looked at them before.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import islice

from voxpath.core.timers import AgeHeap
from voxpath.model.ports import LARGEST_BLOCK, PortBinding

MAX_JOIN_TRIES = 256
"""How many released rows are tried as a part of a larger block when no released block is large enough itself."""


class Kept:
    """Reclaimable rows by the store of ports that they belong to, whatever their public address.

    Only rows that nobody has spoken for stand here: not that of a phone that is back, and none that is being given to another one.
    So the oldest is found at once, however many phones come at the same time.
    """

    __slots__ = ("_queues", "_rows")

    def __init__(self) -> None:
        self._queues: dict[tuple[str, int], AgeHeap[str]] = {}
        self._rows: dict[str, dict[str, PortBinding]] = {}

    def has(self, store: str, holder: str) -> bool:
        """Whether this holder's row stands here."""
        return holder in self._rows.get(store, ())

    def add(self, store: str, row: PortBinding) -> None:
        """Let a row be reclaimed from the end of its quarantine on."""
        self._rows.setdefault(store, {})[row.holder] = row
        self._queues.setdefault((store, row.block.size), AgeHeap()).arm(row.holder, row.until)

    def remove(self, store: str, holder: str) -> None:
        """Let a row alone; it is no error when it does not stand here."""
        row = self._rows.get(store, {}).pop(holder, None)
        if row is not None:
            self._queues[store, row.block.size].disarm(holder)

    def oldest(self, store: str, size: int, now: float) -> PortBinding | None:
        """The row of the smallest sufficient size that was released first; ``None``: all are too small or in quarantine."""
        while size <= LARGEST_BLOCK:
            queue = self._queues.get((store, size))
            holder = next(queue.due(now), None) if queue is not None else None
            if queue is not None and holder is not None:
                row = self._rows[store][holder]
                queue.arm(holder, row.until)
                return row
            size *= 2
        return None

    def at(self, store: str, public: IPv4Address, like: PortBinding, now: float) -> PortBinding | None:
        """Another holder's row of this public address, as large as that one; it goes through all rows, so it is for commands."""
        rows = self._rows.get(store, {}).values()
        fitting = (
            row
            for row in rows
            if row.block.size == like.block.size and row.block.public == public and row.until <= now and row.holder != like.holder
        )
        return min(fitting, key=lambda row: (row.until, row.holder), default=None)

    def smaller(self, store: str, size: int, now: float) -> list[PortBinding]:
        """Some of the rows that are too small, as parts of a larger block: the larger ones first."""
        found = [self._rows[store][holder] for holder in islice(self._smaller(store, size, now), MAX_JOIN_TRIES)]
        for row in found:
            self._queues[store, row.block.size].arm(row.holder, row.until)
        return found

    def _smaller(self, store: str, size: int, now: float) -> Iterator[str]:
        """Take the holders of too small rows out of their queues, one by one."""
        while (size := size // 2) > 0:
            queue = self._queues.get((store, size))
            if queue is not None:
                yield from queue.due(now)
