"""Digit maps: what matches, when it is reported, and which timer runs (RFC 3525 section 7.1.14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import RemoteError
from voxpath.megaco.digitmap import (
    LONGEST_BODY,
    LONGEST_DIALLED,
    MOST_POSITIONS,
    DigitMap,
    Matcher,
    Method,
    Outcome,
    TimerName,
    Verdict,
)

DIALPLAN0 = "(0| 00|[1-\n7]xxx|8xxxxxxx|Fxxxxxxx|Exx|91xxxxxxxxxx|9011x.)"


def dial(text: str, digits: str) -> tuple[Outcome, Matcher]:
    """Dial all digits, of which none but the last may end the collection."""
    matcher = DigitMap.parse(text).start()
    outcome = matcher.begin()
    for digit in digits:
        assert outcome.verdict is Verdict.NEED_MORE
        outcome = matcher.digit(digit)
    return outcome, matcher


@pytest.mark.parametrize("digits", ["00", "1234", "7000", "81234567", "#1234567", "*12", "916135551212"])
def test_an_unambiguous_match_is_reported_at_once(digits: str) -> None:
    """The dialling plan of RFC 3525 Appendix I; keys are reported by the letters of the map."""
    outcome, _ = dial(DIALPLAN0, digits)
    reported = digits.replace("*", "E").replace("#", "F")
    assert outcome == Outcome(Verdict.COMPLETE, reported, Method.UNAMBIGUOUS)


@pytest.mark.parametrize(("digits", "timer"), [("0", "S"), ("9", "L"), ("901", "L"), ("9011", "S"), ("9011442", "S"), ("123", "L")])
def test_the_short_timer_runs_once_something_has_matched_and_the_long_one_before(digits: str, timer: str) -> None:
    outcome, _ = dial(DIALPLAN0, digits)
    assert outcome.timer is TimerName(timer)


def test_a_timer_that_runs_out_reports_a_full_or_a_partial_match() -> None:
    assert dial(DIALPLAN0, "0")[1].timeout() == Outcome(Verdict.COMPLETE, "0", Method.FULL)
    assert dial(DIALPLAN0, "90114420")[1].timeout() == Outcome(Verdict.COMPLETE, "90114420", Method.FULL)
    assert dial(DIALPLAN0, "123")[1].timeout() == Outcome(Verdict.COMPLETE, "123", Method.PARTIAL)
    assert dial(DIALPLAN0, "")[1].timeout() == Outcome(Verdict.COMPLETE, "", Method.PARTIAL)


def test_a_digit_that_fits_nothing_ends_the_collection_without_it() -> None:
    assert dial(DIALPLAN0, "12*")[0] == Outcome(Verdict.MISMATCH, "12", Method.PARTIAL)
    assert dial(DIALPLAN0, "A")[0] == Outcome(Verdict.MISMATCH, "", Method.PARTIAL)
    assert dial(DIALPLAN0, "01")[0] == Outcome(Verdict.COMPLETE, "0", Method.FULL)


def test_the_longest_match_wins_over_a_shorter_one() -> None:
    assert dial("(1|12|123)", "12")[0].verdict is Verdict.NEED_MORE
    assert dial("(1|12|123)", "123")[0] == Outcome(Verdict.COMPLETE, "123", Method.UNAMBIGUOUS)
    assert dial("(1|1)", "1")[0] == Outcome(Verdict.COMPLETE, "1", Method.UNAMBIGUOUS)


def test_a_repeated_position_may_be_left_out() -> None:
    assert dial("(1x.2)", "12")[0].verdict is Verdict.NEED_MORE
    assert dial("(12.3)", "13")[0].method is Method.UNAMBIGUOUS
    assert dial("(12.3)", "12223")[0].method is Method.UNAMBIGUOUS


def test_timers_of_the_map() -> None:
    text = "T:12,s:3,L:20,Z:15,(1x)"
    compiled = DigitMap.parse(text)
    assert (compiled.start_s, compiled.short_s, compiled.long_s, compiled.duration_s) == (12, 3, 20, 1.5)
    assert compiled.start().begin() == Outcome(Verdict.NEED_MORE, "", None, TimerName.START, 12)
    assert dial(text, "1")[0] == Outcome(Verdict.NEED_MORE, "1", None, TimerName.LONG, 20)


def test_a_start_timer_of_zero_is_no_timer() -> None:
    assert DigitMap.parse("T:0,x").start().begin() == Outcome(Verdict.NEED_MORE, "", None, None, 0)


def test_timers_named_inside_the_patterns() -> None:
    assert dial("(0S|00S|8Lxx)", "0")[0].timer is TimerName.SHORT
    assert dial("(12S3)", "12")[0].timer is TimerName.SHORT
    assert dial("(1S23|1L4)", "1")[0].timer is TimerName.LONG
    assert dial("(9011x.S)", "9011")[0].timer is TimerName.SHORT


def test_a_long_digit_goes_to_the_pattern_that_asks_for_it() -> None:
    matcher = DigitMap.parse("(Z1|1x)").start()
    assert matcher.digit("1", long=True).method is Method.UNAMBIGUOUS
    assert DigitMap.parse("(Z1|1x)").start().digit("1").verdict is Verdict.NEED_MORE
    assert DigitMap.parse("(Z1)").start().digit("1").verdict is Verdict.MISMATCH
    assert DigitMap.parse("(1)").start().digit("1", long=True).verdict is Verdict.COMPLETE


def test_sets_letters_and_a_map_without_parentheses() -> None:
    assert dial("[1-3a*#]x", "b1"[1:])[0].verdict is Verdict.NEED_MORE
    for digit in ("1", "3", "A", "a", "*", "#", "E"):
        assert dial("[1-3a*#]", digit)[0].verdict is Verdict.COMPLETE
    assert dial("[1-3a]", "4")[0].verdict is Verdict.MISMATCH


def test_a_collection_without_end_is_cut() -> None:
    assert dial("x.", "1" * LONGEST_DIALLED)[0] == Outcome(Verdict.COMPLETE, "1" * LONGEST_DIALLED, Method.FULL)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "(1|)",
        "(|1)",
        "(1",
        "1)",
        "(1))",
        "[",
        "[]",
        "[3-1]",
        "..",
        "1..",
        ".1",
        "Z",
        "(1Z)",
        "y",
        "T:1",
        "T:100,1",
        "1S.",
    ],
)
def test_a_malformed_map_is_refused(text: str) -> None:
    with pytest.raises(RemoteError) as caught:
        DigitMap.parse(text)
    assert caught.value.code == 442


@pytest.mark.parametrize("text", ["x" * (MOST_POSITIONS + 1), " " * (LONGEST_BODY + 1)])
def test_a_map_beyond_the_limits_is_refused_for_lack_of_space(text: str) -> None:
    with pytest.raises(RemoteError) as caught:
        DigitMap.parse(text)
    assert caught.value.code == 519


@given(st.text("0123456789xXEF[]-|.()TSLZ:, *#", max_size=40), st.text("0123456789*#AE", max_size=20))
def test_any_text_is_compiled_or_refused_and_any_dialling_ends_orderly(text: str, digits: str) -> None:
    try:
        matcher = DigitMap.parse(text).start()
    except RemoteError:
        return
    for digit in digits:
        outcome = matcher.digit(digit)
        assert (outcome.method is None) == (outcome.verdict is Verdict.NEED_MORE)
        if outcome.method is not None:
            return
    assert matcher.timeout().verdict is Verdict.COMPLETE


@given(st.lists(st.text("0123", min_size=1, max_size=5), min_size=1, max_size=6), st.text("0123", min_size=1, max_size=6))
def test_plain_strings_match_as_their_prefixes_tell(alternatives: list[str], digits: str) -> None:
    """For maps without repetition the matcher agrees with a definition by string prefixes."""
    matcher = DigitMap.parse("(" + "|".join(alternatives) + ")").start()
    for length in range(1, len(digits) + 1):
        dialled = digits[:length]
        outcome = matcher.digit(dialled[-1])
        fitting = [each for each in alternatives if each.startswith(dialled)]
        if not fitting:
            assert outcome.method is (Method.FULL if dialled[:-1] in alternatives else Method.PARTIAL)
            return
        if all(each == dialled for each in fitting):
            assert outcome == Outcome(Verdict.COMPLETE, dialled, Method.UNAMBIGUOUS)
            return
        assert outcome.timer is (TimerName.SHORT if dialled in alternatives else TimerName.LONG)
