"""A visitor's terminal: keys in, and what he sees."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from tests.manage.manhole.ground import Ground
from tests.terminal import CONTROL
from voxpath.manage.manhole.python import LINE_LIMIT
from voxpath.manage.manhole.screen import BANNER, HISTORY_LIMIT, SEQUENCE_LIMIT, Keyboard, Lines, Screen

UP, DOWN, LEFT, HOME, DELETE = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[1~", "\x1b[3~"


class Desk:
    """A visitor at his terminal."""

    def __init__(self, **names: Any) -> None:
        self.ground = Ground()
        self.transport = StringTransport()
        self.closed: list[int] = []
        self.keyboard: Keyboard = Screen.on(self.transport, self.ground.visit(), lambda: names, self.closed.append)
        self.sees()

    def types(self, keys: str) -> str:
        """Press keys; give what is shown."""
        self.keyboard.dataReceived(keys.encode("latin-1"))
        return self.sees()

    def sees(self) -> str:
        octets = self.transport.value()
        self.transport.clear()
        return CONTROL.sub("", octets.decode())


def test_it_greets_and_shows_a_prompt() -> None:
    transport = StringTransport()
    Screen.on(transport, Ground().visit(), dict, lambda _: None)
    assert CONTROL.sub("", transport.value().decode()) == f"{BANNER}\n>>> "
    assert b"\x1bc" not in transport.value(), "what the terminal shows stays"


def test_lines_are_edited_before_they_are_run() -> None:
    desk = Desk()
    assert desk.types("1 + 1\r").endswith("\n2\n>>> ")
    assert desk.types("1 + 13\x7f\x08" + "2\r").endswith("\n3\n>>> ")
    assert desk.types("5" + HOME + "1" + LEFT + DELETE + "3\r").endswith("\n35\n>>> ")
    assert desk.types("9\x15" + "4\r").endswith("\n4\n>>> ")
    assert desk.ground.lines() == ["1 + 1", "1 + 2", "35", "4"]


def test_the_arrow_keys_bring_lines_back_and_only_so_many_are_kept() -> None:
    desk = Desk()
    for number in range(HISTORY_LIMIT * 2):
        desk.types(f"{number}\r")
    assert desk.types(UP + "\r").endswith(f"\n{HISTORY_LIMIT * 2 - 1}\n>>> ")
    assert len(desk.keyboard.terminalProtocol.historyLines) <= HISTORY_LIMIT + 1
    assert desk.types(UP + UP + DOWN + "\r").endswith(f"\n{HISTORY_LIMIT * 2 - 1}\n>>> ")


def test_ctrl_c_gives_up_the_line_and_the_statement() -> None:
    desk = Desk()
    desk.types("if True:\r")
    assert desk.types("    x\x03").endswith("^C\n>>> ")
    assert desk.types("1\r").endswith("\n1\n>>> ")


def test_ctrl_d_leaves_but_not_in_the_middle_of_a_line() -> None:
    desk = Desk()
    desk.types("abc\x04")
    assert desk.closed == []
    desk.types("\x03\x04")
    assert desk.closed == [0]
    assert desk.types("1\r") == "1\n", "nothing more is shown, and no prompt"


def test_a_statement_is_indented_by_the_tabulator() -> None:
    desk = Desk()
    desk.types("for x in 'ab':\r\tprint(x)\r")
    assert desk.types("\r").endswith("\na\nb\n>>> ")


def test_output_without_an_end_of_line_does_not_swallow_the_prompt() -> None:
    assert Desk().types("print('x', end='')\r").endswith("\nx\n>>> ")


def test_a_line_that_is_too_long_is_refused_and_not_cut() -> None:
    desk = Desk(x=[])
    told = desk.types("x.append(1) #" + "y" * LINE_LIMIT * 3 + "\r")
    assert "nothing was run" in told
    assert desk.types("x\r").endswith("\n[]\n>>> ")
    assert len(desk.keyboard.terminalProtocol.historyLines[-1]) <= LINE_LIMIT


def test_characters_beyond_ascii_are_edited_and_run_as_they_were_typed() -> None:
    """Without them the rest of the line would mean something else."""
    desk = Desk()
    desk.keyboard.dataReceived("len('ä€')".encode())
    assert desk.types("\r") == "len('ä€')\n2\n>>> "
    for octet in "'\U0001f600'".encode():
        desk.keyboard.dataReceived(bytes((octet,)))
    assert desk.types("\r").endswith("\n'\U0001f600'\n>>> ")
    assert desk.types(UP + LEFT + "\x7f" + "x\r").endswith("\n'x'\n>>> "), "one key is one character"
    assert desk.types(UP + UP + UP + "\r").endswith("\n2\n>>> ")
    assert desk.ground.lines() == ["len('ä€')", "'\U0001f600'", "'x'", "len('ä€')"]


@pytest.mark.parametrize("octets", [b"\xff", b"\xc3", b"\xe2\x82", b"\xc3\x28", b"\xc0\x80", b"\xc2\x85", b"\xed\xa0\x80"])
def test_a_line_with_octets_that_are_no_text_is_refused_and_not_cut(octets: bytes) -> None:
    desk = Desk(x=[])
    desk.keyboard.dataReceived(b"if True:\rx.append(1) #" + octets + b"\r")
    assert desk.sees().endswith("characters in UTF-8; nothing was run\n>>> ")
    assert desk.types("x\r").endswith("\n[]\n>>> ")
    desk.keyboard.dataReceived(b"5" + octets + b"\x03")
    assert desk.types("6\r").endswith("\n6\n>>> ")


def test_keys_and_sequences_that_mean_nothing_do_no_harm() -> None:
    desk = Desk()
    desk.types("".join(map(chr, set(range(256)) - {3, 4, 0x1B})) + "\x03")
    for sequence in ("\x1b[5~", "\x1bOP", "\x1bx", "\x1b[99;99R", "\x1b[Z", "\x1b[" + "1" * 1000 + "~", "\x1b\x1b\x1b", "\x1b[;~"):
        desk.types(sequence)
    assert desk.types("\x031\r").endswith("\n1\n>>> ")


def test_a_control_sequence_without_end_is_given_up() -> None:
    desk = Desk()
    desk.types("\x1b[" + "0" * 1_000_000)
    assert len(getattr(desk.keyboard, "escBuf", ())) <= 2 * SEQUENCE_LIMIT


def test_a_result_that_comes_late_stands_above_the_line_that_is_typed() -> None:
    coming: Deferred[str] = Deferred()
    desk = Desk(coming=coming)
    desk.types("coming\r")
    desk.types("abc" + LEFT)
    coming.callback("here")
    assert desk.sees() == "Deferred 1: 'here'\n>>> abc"
    assert desk.types("\x03") == "^C\n>>> "


def test_a_result_after_the_end_is_shown_to_nobody() -> None:
    coming: Deferred[str] = Deferred()
    desk = Desk(coming=coming)
    desk.types("coming\r")
    desk.keyboard.connectionLost(None)
    coming.callback("here")
    assert desk.sees() == ""


def test_another_size_of_the_terminal_leaves_what_it_shows() -> None:
    desk = Desk()
    desk.keyboard.resize(132, 50)
    assert desk.sees() == ""


class Script:
    """Lines without a terminal."""

    def __init__(self, **names: Any) -> None:
        self.ground = Ground()
        self.written = b""
        self.closed: list[int] = []
        self.lines = Lines(self._write, self.ground.visit(), lambda: names, self.closed.append)

    def _write(self, octets: bytes) -> None:
        self.written += octets


def test_a_script_has_neither_echo_nor_prompt() -> None:
    script = Script()
    for part in (b"1 +", b" 1\r\nfor x in 'ab':\n", "    print(x)\n\n'\u00e4'".encode()):
        script.lines.dataReceived(part)
    script.lines.end()
    assert script.written.decode() == "2\na\nb\n'\u00e4'\n"
    assert script.closed == [0]


def test_a_script_of_which_a_line_failed_says_so_at_its_end() -> None:
    script = Script()
    script.lines.dataReceived(b"1/0\n2\nif True:\n  3")
    script.lines.end()
    assert script.written.endswith(b"2\n3\n")
    assert script.closed == [1]


def test_a_script_waits_for_what_it_asked() -> None:
    coming: Deferred[str] = Deferred()
    script = Script(coming=coming)
    script.lines.dataReceived(b"coming\n")
    script.lines.end()
    assert script.closed == []
    coming.callback("here")
    assert script.written.endswith(b"Deferred 1: 'here'\n")
    assert script.closed == [0]


def test_a_line_of_a_script_that_is_too_long_ends_it() -> None:
    script = Script()
    script.lines.dataReceived(b"x" * (LINE_LIMIT + 1))
    assert b"nothing was run" in script.written
    assert script.closed == [1]


@pytest.mark.parametrize("text", ["ctl('status'", "for i in range(3):", "1\nif True:\n", "2\\"])
def test_a_statement_that_is_cut_off_is_refused_and_not_passed_over(text: str) -> None:
    script = Script()
    script.lines.dataReceived(text.encode())
    script.lines.end()
    assert script.written.endswith(b"the last statement is not complete; nothing was run\n") or b"SyntaxError" in script.written
    assert script.closed == [1]
