"""Retransmission waits grow to their cap, keep their random part and end."""

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from voxpath.core.retransmit import Backoff


def test_waits_double_up_to_the_cap_and_end() -> None:
    backoff = Backoff(first_s=0.2, cap_s=4.0, give_up_s=30.0)
    waits, elapsed = [], 0.0
    while (wait := backoff.wait_s(len(waits), elapsed, Random(1))) is not None:
        waits.append(round(wait, 3))
        elapsed += wait
    assert waits[:6] == [0.2, 0.4, 0.8, 1.6, 3.2, 4.0]
    assert round(elapsed, 6) == 30.0


@given(st.integers(0, 10_000), st.integers())
def test_the_random_part_stays_in_its_share(attempt: int, seed: int) -> None:
    wait = Backoff(first_s=1.0, cap_s=4.0, give_up_s=1e9, spread=0.5).wait_s(attempt, 0.0, Random(seed))
    whole = min(4.0, 2.0 ** min(attempt, 10))
    assert wait is not None
    assert whole / 2 <= wait <= whole


@example(start=50.178791, first_s=0.2, spread=0.5, seed=30333)
@given(st.floats(0, 4e9), st.floats(0.01, 10), st.floats(0, 0.9), st.integers())
def test_a_timer_that_fires_at_the_very_instant_gets_on_in_time(start: float, first_s: float, spread: float, seed: int) -> None:
    """The last wait ends at the limit but for rounding; a rest that cannot move the clock would have it fire for ever."""
    backoff, entropy = Backoff(first_s, cap_s=4.0, give_up_s=30.0, spread=spread), Random(seed)
    now, attempt = start, 0
    while (wait := backoff.wait_s(attempt, now - start, entropy)) is not None:
        assert now + wait > now
        now += wait
        attempt += 1
    assert abs(now - start - 30.0) < 0.002
