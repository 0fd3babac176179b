"""A flood passes in part, and what comes later passes again."""

from voxpath.core.rate import PerSecond


def test_so_many_pass_in_a_second_that_begins_with_the_first() -> None:
    rate = PerSecond(2)
    assert [rate.admits(at) for at in (7.5, 7.6, 7.7, 8.4, 8.5, 8.6, 8.7)] == [True, True, False, False, True, True, False]


def test_a_clock_that_went_back_shuts_nobody_out() -> None:
    rate = PerSecond(1)
    assert rate.admits(100.0)
    assert rate.admits(5.0)
