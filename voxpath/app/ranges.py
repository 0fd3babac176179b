"""Ranges of numbers that must not overlap: addresses of subnets, ports of pools; found in one pass however many there are."""

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

Place = TypeVar("Place")


class Range(NamedTuple, Generic[Place]):
    """Numbers from ``first`` to ``last``.

    :ivar group: ranges of different groups have nothing in common.
    :ivar place: whose they are.
    """

    group: Hashable
    first: int
    last: int
    place: Place


def overlapping(ranges: Iterable[Range[Place]]) -> Iterator[tuple[Place, Place]]:
    """Tell each range that overlaps one that begins before it, with the longest such."""
    longest: dict[Hashable, Range[Place]] = {}
    for one in sorted(ranges, key=lambda one: (one.first, -one.last)):
        before = longest.get(one.group)
        if before is not None and one.first <= before.last:
            yield before.place, one.place
        if before is None or one.last > before.last:
            longest[one.group] = one
