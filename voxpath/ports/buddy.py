"""The free ports of one pool as aligned power-of-two blocks: a buddy allocator with ports that are never given out.

Free space is always kept as the largest aligned blocks possible, so giving back is the exact inverse of taking, whatever
happened in between.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from ipaddress import IPv4Address

from voxpath.model.ports import LARGEST_BLOCK, PortBlock

ORDERS = LARGEST_BLOCK.bit_length()
STALE_SHARE = 4
"""A heap of free blocks is rebuilt when it holds this many times more entries than blocks are free."""

Piece = tuple[int, int]
"""First port and size of an aligned block."""


class Buddy:
    """The free ports from ``first`` to ``last`` but for the barred ones."""

    __slots__ = ("_barred", "_first", "_free", "_heaps", "_last", "_total", "_vacant")

    def __init__(self, first: int, last: int, barred: Iterable[int] = ()) -> None:
        self._first = first
        self._last = last
        self._barred = sorted({port for port in barred if first <= port <= last})
        self._total = last - first + 1 - len(self._barred)
        self._vacant = 0
        self._free: list[set[int]] = [set() for _ in range(ORDERS)]
        self._heaps: list[list[int]] = [[] for _ in range(ORDERS)]
        for start, size in split_range(first, last):
            self.give(start, size)

    @property
    def total(self) -> int:
        """How many ports may be given out at all."""
        return self._total

    @property
    def free(self) -> int:
        """How many ports are free now."""
        return self._vacant

    def snapshot(self) -> frozenset[Piece]:
        """The free space as its largest aligned blocks."""
        return frozenset((first, 1 << order) for order, blocks in enumerate(self._free) for first in blocks)

    def take(self, size: int) -> int | None:
        """Take the lowest block of the smallest free kind that fits; ``None`` when there is none."""
        wanted = size.bit_length() - 1
        for order in range(wanted, ORDERS):
            if self._free[order]:
                first = self._lowest(order)
                self._split(first, order, first, wanted)
                self._vacant -= size
                return first
        return None

    def take_all(self, first: int, size: int) -> tuple[Piece, ...]:
        """Take whatever is free inside an aligned block; tell the pieces, for giving them back."""
        wanted = size.bit_length() - 1
        for order in range(wanted, ORDERS):
            start = first & -(1 << order)
            if start in self._free[order]:
                self._split(start, order, first, wanted)
                self._vacant -= size
                return ((first, size),)
        pieces = tuple(self._gather(first, wanted))
        self._vacant -= sum(size for _, size in pieces)
        return pieces

    def give(self, first: int, size: int) -> None:
        """Give an aligned block back; ports that are barred or outside the range are left out."""
        if self.allowed(first, size) == size:
            self._merge(first, size.bit_length() - 1)
            self._vacant += size
        elif size > 1:
            half = size // 2
            self.give(first, half)
            self.give(first + half, half)

    def allowed(self, first: int, size: int) -> int:
        """How many ports of a block may be given out at all."""
        low, high = max(first, self._first), min(first + size - 1, self._last)
        if low > high:
            return 0
        return high - low + 1 - (bisect_right(self._barred, high) - bisect_left(self._barred, low))

    def _gather(self, first: int, order: int) -> Iterator[Piece]:
        if first in self._free[order]:
            self._free[order].remove(first)
            yield first, 1 << order
        elif order:
            yield from self._gather(first, order - 1)
            yield from self._gather(first + (1 << order - 1), order - 1)

    def _split(self, start: int, order: int, first: int, wanted: int) -> None:
        """Take the free block at ``start``, and free all of it again but the wanted block at ``first``."""
        self._free[order].remove(start)
        while order > wanted:
            order -= 1
            half = 1 << order
            if first & half:
                self._add(start, order)
                start += half
            else:
                self._add(start + half, order)

    def _merge(self, first: int, order: int) -> None:
        while order < ORDERS - 1 and first ^ (1 << order) in self._free[order]:
            self._free[order].remove(first ^ (1 << order))
            first &= ~(1 << order)
            order += 1
        self._add(first, order)

    def _add(self, first: int, order: int) -> None:
        blocks, heap = self._free[order], self._heaps[order]
        blocks.add(first)
        heappush(heap, first)
        if len(heap) > 64 and len(heap) > STALE_SHARE * len(blocks):
            heap[:] = blocks
            heapify(heap)

    def _lowest(self, order: int) -> int:
        blocks, heap = self._free[order], self._heaps[order]
        while heap[0] not in blocks:
            heappop(heap)
        return heap[0]


def split_range(first: int, last: int) -> Iterator[Piece]:
    """Cut a range of ports into the fewest aligned blocks."""
    while first <= last:
        size = min(first & -first or LARGEST_BLOCK, LARGEST_BLOCK)
        while first + size - 1 > last:
            size //= 2
        yield first, size
        first += size


def blocks_of(public: IPv4Address, first: int, last: int) -> tuple[PortBlock, ...]:
    """A range of ports as blocks, such as the gateway's own ephemeral range, which is no single block."""
    return tuple(PortBlock(public, start, size) for start, size in split_range(first, last))
