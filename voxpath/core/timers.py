"""One timer heap per core: however many timers a core keeps, its driver arms a single one."""

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

STALE_SHARE = 4
"""The heap is rebuilt when it holds this many times more entries than timers are armed."""


def earliest(*dues: float | None) -> float | None:
    """The first of several due times; ``None`` when all are: what a core of several parts tells its driver."""
    first = None
    for due in dues:
        if due is not None and (first is None or due < first):
            first = due
    return first


class TimerHeap(Generic[Key]):
    """Timers by key; arming a key again moves it.

    Timers that are due at the same time fire in the order in which they were armed.
    """

    __slots__ = ("_armed", "_count", "_heap")

    def __init__(self) -> None:
        # The second part of an entry decides among those of the same time: a count here.
        self._heap: list[tuple[float, Any, Key]] = []
        self._armed: dict[Key, tuple[float, Any]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._armed)

    def __contains__(self, key: Key) -> bool:
        return key in self._armed

    def arm(self, key: Key, due: float) -> None:
        """Let ``key`` fire at ``due`` (seconds of the server's clock)."""
        self._count += 1
        self._armed[key] = (due, self._count)
        heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 64 and len(self._heap) > STALE_SHARE * len(self._armed):
            self._heap = [(due, count, key) for key, (due, count) in self._armed.items()]
            heapify(self._heap)

    def disarm(self, key: Key) -> bool:
        """Forget a timer; tell whether there was one."""
        return self._armed.pop(key, None) is not None

    def next_due(self) -> float | None:
        """When the next timer is due; ``None`` when none is armed."""
        heap = self._heap
        if not heap or self._armed.get(heap[0][2]) != heap[0][:2]:
            self._drop_stale()
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[Key]:
        """Take the timers that are due, earliest first; one that is re-armed meanwhile for now or earlier fires again."""
        while True:
            self._drop_stale()
            if not self._heap or self._heap[0][0] > now:
                return
            key = heappop(self._heap)[2]
            del self._armed[key]
            yield key

    def _drop_stale(self) -> None:
        heap, armed = self._heap, self._armed
        while heap and armed.get(heap[0][2]) != heap[0][:2]:
            heappop(heap)


class AgeHeap(TimerHeap[Key]):
    """The same with a total order: keys that are due at the same time come in their own order, whenever they were armed.

    For queues whose order must not depend on who looked at them before.
    """

    __slots__ = ()

    def arm(self, key: Key, due: float) -> None:
        """Let ``key``, which can be compared with the others, come at ``due``."""
        if self._armed.get(key) == (due, key):
            return
        self._armed[key] = (due, key)
        heappush(self._heap, (due, key, key))
        if len(self._heap) > 64 and len(self._heap) > STALE_SHARE * len(self._armed):
            self._heap = [(due, rank, key) for key, (due, rank) in self._armed.items()]
            heapify(self._heap)
