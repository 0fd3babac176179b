"""The visitor's Python: the audit first, then whatever the line does, shown in bounded and harmless text."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.manage.manhole.ground import Ground, Paper, no_names
from voxpath.core.errors import LocalError
from voxpath.manage.manhole.python import LINE_LIMIT, LINES_LIMIT, OUTPUT_LIMIT, PENDING_LIMIT, Python, safe


class Guest:
    """A visitor with what he types on."""

    def __init__(self, **names: Any) -> None:
        self.ground = Ground()
        self.paper = Paper()
        self.names = names
        self.python = Python(self.ground.visit(), lambda: self.names, self.paper)

    def types(self, *lines: str) -> str:
        for line in lines:
            self.python.line(line)
        return self.paper.took()


def test_a_line_is_told_to_the_audit_before_it_is_run() -> None:
    guest = Guest()
    guest.names["seen"] = lambda: list(guest.ground.lines())
    assert guest.types("seen()") == "['seen()']\n"


def test_expressions_are_shown_and_statements_are_not() -> None:
    guest = Guest()
    assert guest.types("1 + 1", "x = 3", "None", "x", "_ + 1", "print('a', 'b')") == "2\n3\n4\na b\n"


def test_a_statement_may_take_several_lines() -> None:
    guest = Guest()
    assert guest.types("for each in range(2):") == ""
    assert guest.python.more
    assert guest.types("    print(each)", "") == "0\n1\n"
    assert not guest.python.more
    assert guest.ground.lines() == ["for each in range(2):", "    print(each)"]
    guest.types("if True:")
    guest.python.forget()
    assert guest.types("2") == "2\n", "Ctrl-C gives up what was begun"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("1/0", "ZeroDivisionError: division by zero\n"),
        ("1 +* 2", "SyntaxError: invalid syntax\n"),
        ("'\0'", "source code string cannot contain null bytes\n"),
        ("(" * 300, "SyntaxError: too many nested parentheses\n"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt\n"),
        ("raise GeneratorExit", "GeneratorExit\n"),
        ("def f(): return f()\n\nf()", "maximum recursion depth exceeded\n"),
    ],
)
def test_whatever_a_line_does_wrong_is_shown_to_the_visitor_alone(line: str, told: str) -> None:
    guest = Guest()
    assert guest.types(*line.split("\n")).endswith(told)
    assert guest.python.status == 1
    assert guest.types("1") == "1\n"


def test_an_error_on_purpose_is_one_line() -> None:
    def refuse() -> None:
        raise LocalError("there is no such phone; see leases")

    assert Guest(refuse=refuse).types("refuse()") == "there is no such phone; see leases\n"


def test_an_object_that_cannot_be_shown_does_no_harm() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("odd")

    assert Guest(odd=Odd()).types("odd").endswith("ValueError: odd\n")


def test_a_result_that_cannot_be_shown_is_not_waited_for_for_ever() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("odd")

    coming: Deferred[Odd] = Deferred()
    left: list[int] = []
    guest = Guest(coming=coming, here=succeed(Odd()))
    assert guest.types("here").endswith("ValueError: odd\n")
    guest.types("coming")
    guest.python.when_done(lambda: left.append(guest.python.status))
    coming.callback(Odd())
    assert guest.paper.late.endswith("ValueError: odd\n")
    assert left == [1]


def test_leaving_ends_the_visit_and_not_the_server() -> None:
    guest = Guest()
    guest.types("raise SystemExit(3)")
    assert guest.paper.closed == [0]


def test_names_are_looked_up_anew_for_each_line_and_own_ones_stay() -> None:
    guest = Guest(ledger="old")
    assert guest.types("mine = ledger", "ledger") == "'old'\n"
    guest.names = {"ledger": "new"}
    assert guest.types("(mine, ledger)", "f = lambda: ledger", "f()") == "('old', 'new')\n'new'\n"


def test_a_deferred_is_shown_when_it_fires() -> None:
    coming: Deferred[str] = Deferred()
    guest = Guest(coming=coming, here=succeed(7), wrong=fail(LocalError("no; see leases")))
    assert guest.types("here", "wrong") == "7\nno; see leases\n"
    assert guest.types("coming") == "<Deferred 3: shown when it fires>\n"
    coming.callback("at last")
    assert guest.paper.late == "Deferred 3: 'at last'\n"


def test_a_deferred_that_fails_late_is_shown_and_leaves_no_traceback_in_the_log() -> None:
    coming: Deferred[str] = Deferred()
    guest = Guest(coming=coming)
    guest.types("coming")
    coming.errback(ZeroDivisionError("x"))
    assert guest.paper.late == "Deferred 1: ZeroDivisionError: x\n"
    assert guest.python.status == 1


def test_a_script_ends_when_its_last_deferred_fired() -> None:
    left: list[bool] = []
    guest = Guest()
    guest.python.when_done(lambda: left.append(True))
    assert left == [True], "nothing is waited for"
    coming: Deferred[str] = Deferred()
    guest = Guest(coming=coming)
    guest.types("coming")
    guest.python.when_done(lambda: left.append(False))
    assert left == [True]
    coming.callback("")
    assert left == [True, False]


def test_only_so_many_deferreds_are_waited_for() -> None:
    guest = Guest(new=Deferred)
    for _ in range(PENDING_LIMIT):
        guest.types("new()")
    assert guest.types("new()") == f"{PENDING_LIMIT} results are waited for already\n"


def test_nothing_is_shown_to_somebody_who_left() -> None:
    coming: Deferred[str] = Deferred()
    guest = Guest(coming=coming)
    guest.types("coming")
    next(iter(guest.ground.gate.visits)).end("idle")
    coming.callback("late")
    assert guest.paper.late == ""


def test_a_line_that_is_too_long_is_not_run_in_part() -> None:
    guest = Guest(x=[])
    assert "nothing was run" in guest.types("x.append(1) #" + " " * LINE_LIMIT)
    assert guest.names["x"] == []
    assert guest.ground.lines() == []


def test_a_statement_without_end_is_given_up() -> None:
    guest = Guest()
    told = guest.types("if True:", *["    1"] * LINES_LIMIT)
    assert "nothing was run" in told
    assert not guest.python.more


def test_output_is_bounded_for_each_line() -> None:
    guest = Guest()
    told = guest.types("for _ in range(100): print('x' * 10000)", "")
    assert len(told) < OUTPUT_LIMIT + 100
    assert told.endswith(f"... cut after {OUTPUT_LIMIT} characters\n")
    assert guest.types("1") == "1\n"


def test_what_phones_send_cannot_command_the_visitors_terminal() -> None:
    guest = Guest(host_name="evil\x1b[2J\x07\x9b")
    assert guest.types("print(host_name, 'a\tb')", "host_name") == "evil\\x1b[2J\\x07\\x9b a\tb\n'evil\\x1b[2J\\x07\\x9b'\n"
    assert safe("\ud800") == "\\ud800"


def test_print_of_the_server_itself_is_not_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    guest = Guest()
    guest.types("1/0")
    print("still ours")
    assert capsys.readouterr().out == "still ours\n"


def test_without_names_there_is_python_still() -> None:
    paper = Paper()
    Python(Ground().visit(), no_names, paper).line("len('abc')")
    assert paper.text == "3\n"
