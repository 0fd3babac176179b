"""A flood passes in part, and what comes later passes again."""

from voxpath.core.rate import MOST_KNOWN, PerSecond, Rarely


def test_so_many_pass_in_a_second_that_begins_with_the_first() -> None:
    rate = PerSecond(2)
    assert [rate.admits(at) for at in (7.5, 7.6, 7.7, 8.4, 8.5, 8.6, 8.7)] == [True, True, False, False, True, True, False]


def test_a_clock_that_went_back_shuts_nobody_out() -> None:
    rate = PerSecond(1)
    assert rate.admits(100.0)
    assert rate.admits(5.0)


def test_a_lasting_state_is_told_once_in_a_while() -> None:
    rarely = Rarely(600.0)
    assert [rarely.admits("down", at) for at in (0.0, 5.0, 599.0, 600.0, 605.0)] == [True, False, False, True, False]
    assert rarely.admits("another", 605.0)
    rarely.forget()
    assert rarely.admits("down", 606.0)


def test_to_ask_does_not_count_as_told() -> None:
    rarely = Rarely(600.0)
    assert [rarely.would_admit("down", 0.0), rarely.admits("down", 0.0), rarely.would_admit("down", 5.0)] == [True, True, False]


def test_what_would_be_remembered_for_ever_is_forgotten() -> None:
    rarely = Rarely(600.0)
    for number in range(3 * MOST_KNOWN):
        assert rarely.admits(number, 0.0)
    assert len(rarely._passed) <= MOST_KNOWN
