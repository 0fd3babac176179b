"""Overlaps in one pass: as many entries are told as a comparison of each with each finds."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from voxpath.app.ranges import Range, overlapping

RANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 20)), max_size=25)


@given(RANGES)
def test_a_pair_is_told_for_each_range_that_overlaps_and_none_else(given_ranges: list[tuple[int, int, int]]) -> None:
    ranges = [Range(group, first, first + more, place) for place, (group, first, more) in enumerate(given_ranges)]

    def overlap(one: int, other: int) -> bool:
        a, b = ranges[one], ranges[other]
        return a.group == b.group and a.first <= b.last and b.first <= a.last

    told = list(overlapping(ranges))
    assert all(overlap(*pair) for pair in told)
    concerned = {place for pair in combinations(range(len(ranges)), 2) if overlap(*pair) for place in pair}
    assert {place for pair in told for place in pair} == concerned
    assert len(told) < max(1, len(ranges))
