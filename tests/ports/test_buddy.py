"""The buddy allocator: aligned blocks, barred ports, and giving back as the exact inverse of taking."""

import random
from ipaddress import IPv4Address

import pytest

from voxpath.ports.buddy import Buddy, blocks_of, split_range


def test_the_lowest_aligned_block_comes_first() -> None:
    free = Buddy(20000, 20511)
    assert [free.take(64) for _ in range(3)] == [20032, 20096, 20160]


def test_small_blocks_fill_gaps_before_large_blocks_are_cut() -> None:
    """20000 is 32-aligned only: the first 32 ports are no good for a block of 64."""
    free = Buddy(20000, 20511)
    assert free.take(64) == 20032
    assert free.take(16) == 20000
    assert free.take(16) == 20016


def test_a_barred_port_is_in_no_block() -> None:
    free = Buddy(5056, 5087, barred=(5060, 5061))
    assert free.total == 30
    taken: set[int] = set()
    while (first := free.take(1)) is not None:
        taken.add(first)
    assert taken == set(range(5056, 5088)) - {5060, 5061}
    free.give(5056, 32)
    assert free.free == 30


def test_taking_all_of_a_region_takes_only_what_is_free() -> None:
    free = Buddy(20480, 20543)
    before = free.snapshot()
    assert free.take(16) == 20480
    pieces = free.take_all(20480, 64)
    assert sum(size for _, size in pieces) == 48
    assert free.free == 0
    for piece in (*pieces, (20480, 16)):
        free.give(*piece)
    assert free.snapshot() == before


def test_taking_all_of_a_part_splits_the_larger_block() -> None:
    free = Buddy(20480, 21503)
    assert free.take_all(20736, 16) == ((20736, 16),)
    assert free.free == 1008
    free.give(20736, 16)
    assert free.snapshot() == {(20480, 1024)}


@pytest.mark.parametrize(("first", "last"), [(1024, 65535), (32768, 60999), (1025, 1025), (5000, 5001)])
def test_a_range_is_cut_into_aligned_blocks(first: int, last: int) -> None:
    pieces = list(split_range(first, last))
    assert [port for start, size in pieces for port in range(start, start + size)] == list(range(first, last + 1))
    assert all(block.size for block in blocks_of(IPv4Address("192.0.2.1"), first, last))


def test_a_random_history_never_gives_a_port_twice_and_ends_where_it_began() -> None:
    entropy = random.Random(7)
    free = Buddy(20000, 24999, barred=(20100, 21000, 21001))
    before, taken, owned = free.snapshot(), [], set()
    for _ in range(3000):
        if taken and entropy.random() < 0.5:
            first, size = taken.pop(entropy.randrange(len(taken)))
            free.give(first, size)
            owned -= set(range(first, first + size))
        else:
            size = 1 << entropy.randrange(8)
            first = free.take(size)
            if first is not None:
                ports = set(range(first, first + size))
                assert not ports & owned
                assert first % size == 0
                assert not ports & {20100, 21000, 21001}
                owned |= ports
                taken.append((first, size))
        assert free.free + len(owned) == free.total
    for piece in taken:
        free.give(*piece)
    assert free.snapshot() == before
