"""The number plan and its digit map."""

import pytest

from voxpath.core.errors import LocalError
from voxpath.flow.route import LONGEST_DIGIT_MAP, NumberPlan, digit_map_of
from voxpath.model.call import Line

PHONE = "02:00:00:00:0a:01"


def test_a_number_leads_to_its_line_and_an_unknown_one_nowhere() -> None:
    plan = NumberPlan({"101": Line(PHONE, "line/1"), "1011": Line(PHONE, "line/2")})
    assert plan.line("101") == Line(PHONE, "line/1")
    assert plan.line("1011") == Line(PHONE, "line/2")
    assert plan.line("10") is None
    assert plan.line("10111") is None
    assert plan.terminations(PHONE) == ("line/1", "line/2")
    assert plan.number(Line(PHONE, "line/2")) == "1011"
    assert plan.terminations("unknown") == ()


def test_star_and_hash_are_dialled_as_the_package_reports_them() -> None:
    plan = NumberPlan({"*21#": Line(PHONE, "line/1")})
    assert plan.line("E21F") == plan.line("e21f") == Line(PHONE, "line/1")
    assert plan.digit_map == "(E21F)"


def test_the_digit_map_groups_numbers_that_differ_in_the_last_key() -> None:
    assert digit_map_of(["101", "102", "109", "2"]) == "(2|10[129])"


def test_an_empty_plan_takes_one_key() -> None:
    assert digit_map_of([]) == "(x)"


def test_a_large_plan_is_described_by_lengths() -> None:
    text = digit_map_of([f"{number * 10:06}" for number in range(5000)] + ["112"])
    assert text == "(xxx|xxxxxx)"
    assert len(text) < LONGEST_DIGIT_MAP


def test_configured_text_wins() -> None:
    assert NumberPlan({"101": Line(PHONE, "line/1")}, "(1xx)").digit_map == "(1xx)"


@pytest.mark.parametrize("number", ["", "12a", "1" * 33, "1 2"])
def test_what_is_no_number_is_our_own_error(number: str) -> None:
    with pytest.raises(LocalError):
        NumberPlan({number: Line(PHONE, "line/1")})
