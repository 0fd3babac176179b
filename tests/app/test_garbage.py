"""The garbage collector of a server."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from voxpath.app import garbage


class Ring:
    """Something that refers to itself, as a ledger and its parts do."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The thresholds are the process's, and what was frozen stays so."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.freeze()


def test_what_a_role_left_is_let_go_when_it_starts_again() -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    garbage.spare()
    del ring
    gc.collect()
    assert gone() is not None, "it was frozen"
    garbage.spare()
    assert gone() is None


def test_what_is_there_at_the_start_is_not_looked_at_again() -> None:
    kept = [[] for _ in range(1000)]
    garbage.spare()
    assert len(gc.get_objects()) < len(kept)
