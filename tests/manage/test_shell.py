"""``voxpath shell``: the command table at a terminal and from a pipe."""

import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.live.sites import until
from tests.manage.test_control import PHONE, service
from tests.terminal import Terminal
from voxpath.manage.commands import Console
from voxpath.manage.completion import FRESH_S, Completion
from voxpath.manage.control import ControlService
from voxpath.manage.facts import NoFacts
from voxpath.manage.history import HISTORY_FILE, Completer, make_private
from voxpath.manage.memory import Memory
from voxpath.manage.shell import Shell, WrittenWrongly, help_on, words_of
from voxpath.manage.wire import Reply

SHELL = [sys.executable, "-m", "voxpath.app.cli", "shell"]


@pytest_twisted.async_yield_fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    running = service(tmp_path / "own" / "control.sock")
    running.startService()
    yield str(tmp_path / "own" / "control.sock")
    await running.stopService()


def piped(text: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*SHELL, *options], input=text, capture_output=True, text=True, timeout=60, check=False)


def at_terminal(path: str, home: Path, talk: Callable[[Terminal], None], *options: str) -> int:
    with Terminal([*SHELL, "--socket", path, *options], {"HOME": str(home)}) as terminal:
        talk(terminal)
        return terminal.ends()


@pytest_twisted.ensureDeferred
async def test_lines_from_a_pipe_are_carried_out_without_a_prompt(path: str) -> None:
    done = await deferToThread(piped, f"status  # what is this?\n\n# a remark\nladder '{PHONE}'\n", "--socket", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ITEM  VALUE\nname  sg-a\n")
    assert "DISCOVER" in done.stdout
    assert ">" not in done.stdout.splitlines()[0]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("lines", "code", "told"),
    [
        ("status\nleases\nstatus\n", 1, "voxpath shell: line 2: leases: this process runs no DHCP server"),
        ("leasse\nstatus\n", 2, "voxpath shell: line 1: there is no command 'leasse'; did you mean leases?"),
        ("status\nwhy\n", 2, "voxpath shell: line 2: write why "),
        ('why "02\n', 2, "voxpath shell: line 1: no closing quotation"),
        ("status\nexit\nleasse\n", 0, ""),
        ("help nothing\n", 2, "there is no command 'nothing'"),
        ("\x1b[2J\n", 2, "'\\\\x1b[2J'"),
    ],
)
async def test_the_exit_code_is_the_worst_of_all_lines_and_each_mistake_is_told_in_one(
    path: str, lines: str, code: int, told: str
) -> None:
    done = await deferToThread(piped, lines, "--socket", path)
    assert done.returncode == code
    assert told in done.stderr
    assert done.stderr.count("\n") == bool(told)
    assert "Traceback" not in done.stderr


def test_without_a_process_every_line_says_so_and_the_exit_code_tells() -> None:
    done = piped("status\nstatus\n", "--socket", "/nowhere/control.sock")
    assert done.returncode == 3
    assert done.stderr.count("start voxpath, or name its control socket by --socket\n") == 2


def test_octets_that_are_no_text_are_refused_in_one_line() -> None:
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(SHELL, input=b"status\xff\xfe\nhelp exit\n", capture_output=True, timeout=60, check=False, env=strict)
    assert (done.returncode, done.stderr) == (2, b"voxpath shell: line 1: that is no text; write commands in UTF-8\n")
    assert done.stdout == b"exit: leave\n", "the lines behind it are carried out"


def test_an_argument_that_is_no_text_is_refused_in_one_line() -> None:
    """The command line gives such octets as surrogates, which JSON has no place for."""
    ctl = [*SHELL[:-1], "ctl", "why", b"\xff"]
    done = subprocess.run(ctl, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr == b"voxpath ctl: why: an argument holds octets that are no text; write it in UTF-8\n"


@pytest_twisted.ensureDeferred
async def test_json_is_told_at_the_prompt_too(path: str) -> None:
    done = await deferToThread(piped, "status\n", "--socket", path, "--json")
    assert done.stdout == '{"item":"name","value":"sg-a"}\n'


@pytest_twisted.ensureDeferred
async def test_of_several_processes_each_is_asked_and_the_one_that_can_answers(path: str, tmp_path: Path) -> None:
    second = service(tmp_path / "second.sock", at=0.5, summary="earlier")
    second.startService()
    done = await deferToThread(piped, f"status\nladder {PHONE}\n", "--socket", path, "--socket", str(tmp_path / "second.sock"))
    gone = await deferToThread(piped, "status\n", "--socket", path, "--socket", str(tmp_path / "nobody.sock"))
    await second.stopService()
    assert done.stdout.count("sg-a") == 2
    assert done.stdout.index("earlier") < done.stdout.index("DISCOVER")
    assert (gone.returncode, gone.stdout.count("sg-a")) == (3, 1), "who does not answer is told of, and the others are shown"


@pytest_twisted.ensureDeferred
async def test_an_operator_at_a_terminal(path: str, tmp_path: Path) -> None:
    def talk(terminal: Terminal) -> None:
        terminal.shows("sg-a> ")
        terminal.types("stat\t\r")
        terminal.shows("name  sg-a")
        terminal.shows("sg-a> ")
        terminal.types("lad\t02:0\t\r")
        assert f"ladder {PHONE}" in terminal.shows("DISCOVER")
        terminal.shows("sg-a> ")
        terminal.types("half a li")
        # Keys that are not read yet when Ctrl-C comes are thrown away, and readline waits for them.
        terminal.shows("half a li")
        terminal.interrupts("sg-a> ")
        terminal.types("help\r")
        terminal.shows("Arguments in brackets may be left out.")
        terminal.shows("sg-a> ")
        terminal.types("\x04")

    assert await deferToThread(at_terminal, path, tmp_path, talk) == 0
    kept = tmp_path / HISTORY_FILE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "status" in kept.read_text()


@pytest_twisted.ensureDeferred
async def test_lines_of_an_earlier_time_are_there_again_unless_none_are_to_be_kept(path: str, tmp_path: Path) -> None:
    def first(terminal: Terminal) -> None:
        terminal.shows("sg-a> ")
        terminal.types("help ladder\r")
        terminal.shows("sg-a> ")
        terminal.types("exit\r")

    def again(terminal: Terminal) -> None:
        terminal.shows("sg-a> ")
        terminal.types("\x1b[A\x1b[A\r")
        terminal.shows("every message and decision")
        terminal.shows("sg-a> ")
        terminal.types("\x04")

    assert await deferToThread(at_terminal, path, tmp_path, first) == 0
    assert await deferToThread(at_terminal, path, tmp_path, again) == 0
    other = tmp_path / "other"
    other.mkdir()
    assert await deferToThread(at_terminal, path, other, first, "--no-history") == 0
    assert list(other.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_process_that_went_away_is_told_of_and_asked_again_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "own" / "control.sock"
    running = service(path)
    running.startService()
    terminal = await deferToThread(Terminal, [*SHELL, "--socket", str(path)], {"HOME": str(tmp_path)})
    with terminal:
        await deferToThread(terminal.shows, "sg-a> ")
        await running.stopService()
        terminal.types("status\r")
        await deferToThread(terminal.shows, "start voxpath")
        await deferToThread(terminal.shows, "voxpath> ")
        again = service(path)
        again.startService()
        terminal.types("status\r")
        await deferToThread(terminal.shows, "name  sg-a")
        await deferToThread(terminal.shows, "sg-a> ")
        terminal.types("\x04")
        assert await deferToThread(terminal.ends) == 0
        await again.stopService()
    assert "Traceback" not in terminal.seen


class Slow(NoFacts):
    """A release that never ends."""

    def status(self) -> list[tuple[str, str]]:
        return [("name", "slow")]

    def release(self, phone: str) -> "Deferred[str]":
        return Deferred()


@pytest_twisted.ensureDeferred
async def test_ctrl_c_gives_up_a_question_and_not_the_shell(tmp_path: Path) -> None:
    path = tmp_path / "own" / "control.sock"
    running = ControlService(reactor, path, Console(Slow(), Memory()))
    running.startService()

    def talk(terminal: Terminal) -> None:
        terminal.shows("slow> ")
        terminal.types(f"release {PHONE}\r")
        terminal.shows(f"release {PHONE}\n")
        until(lambda: bool(running.connections), "the question is asked")
        terminal.types("\x03")
        terminal.shows("slow> ")
        terminal.types("status\r")
        terminal.shows("name  slow")
        terminal.shows("slow> ")
        terminal.types("\x04")

    assert await deferToThread(at_terminal, str(path), tmp_path, talk) == 0
    await running.stopService()


def test_a_history_file_that_is_not_the_users_own_is_not_used(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("status\n")
    mine.chmod(0o644)
    assert make_private(mine)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(mine)
    os.mkfifo(tmp_path / "pipe")
    assert not make_private(tmp_path / "link")
    assert not make_private(tmp_path / "pipe")
    assert not make_private(tmp_path)
    assert not make_private(tmp_path / "no" / "directory")


class Processes:
    """What ``ask`` would be told, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
        self.asked: list[str] = []
        self.names = names
        monkeypatch.setattr("voxpath.manage.completion._known", self._known)

    def _known(self, path: str, prefix: str) -> list[str]:
        self.asked.append(prefix)
        return [name for name in self.names if name.startswith(prefix)]


def test_completion_offers_verbs_first_and_then_phones_asked_for_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    processes = Processes(monkeypatch, ["02:00:00:00:0a:01", "a1@voip.example"])
    completion = Completion(["x"], ("help",), lambda: now)
    assert completion.candidates("", "re") == ["registrations ", "release ", "render "]
    assert completion.candidates("help ", "lad") == ["ladder "]
    assert completion.candidates("status ", "") == []
    assert completion.candidates("dial 02:00:00:00:0a:01 ", "") == [], "nobody can know the digits"
    assert completion.candidates("nothing ", "") == []
    assert processes.asked == []
    for _ in range(3):
        assert completion.candidates("ladder ", "A1") == ["a1@voip.example "]
    assert processes.asked == ["a1"]
    now = FRESH_S + 1
    completion.candidates("ladder ", "a1")
    assert processes.asked == ["a1", "a1"]


def test_completion_without_a_process_offers_nothing() -> None:
    assert Completion(["/nowhere/control.sock"]).candidates("why ", "") == []


def test_the_line_editor_is_given_one_candidate_after_the_other() -> None:
    class Editor:
        def get_line_buffer(self) -> str:
            return "why 02"

        def get_begidx(self) -> int:
            return 4

    seen: list[tuple[str, str]] = []

    def candidates(before: str, word: str) -> list[str]:
        seen.append((before, word))
        return ["a", "b"]

    complete = Completer(Editor(), candidates)
    assert [complete("02", number) for number in range(3)] == ["a", "b", None]
    assert seen == [("why ", "02")]


def test_help_tells_the_table_and_each_command() -> None:
    assert "ladder PHONE" in help_on(())
    assert help_on(("ladder",)).startswith("ladder PHONE|AOR: every message")
    assert help_on(("exit",)) == "exit: leave"
    with pytest.raises(WrittenWrongly):
        help_on(("nothing",))


def test_a_line_is_split_as_a_shell_does() -> None:
    assert words_of("why '02:00'  # remark") == ["why", "02:00"]
    assert words_of("  ") == []
    with pytest.raises(WrittenWrongly, match="in pairs"):
        words_of("why 'x")


def test_a_shell_that_was_told_nothing_has_done_nothing_wrong() -> None:
    shell = Shell(["/nowhere/control.sock"])
    shell.line("")
    assert shell.worst == 0


def test_completion_offers_for_release_only_phones_with_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"phone": f"02:00:00:00:0a:0{number}", "state": state} for number, state in enumerate(("held", "expired", "held"))]
    asked: list[str] = []

    def ask(path: str, verb: str, *_: object) -> Reply:
        asked.append(verb)
        return Reply(rows=rows if verb == "leases" else [{"item": "a1@voip.example"}])

    monkeypatch.setattr("voxpath.manage.completion.ask", ask)
    completion = Completion(["x"])
    assert completion.candidates("release ", "") == ["02:00:00:00:0a:00 ", "02:00:00:00:0a:02 "]
    assert completion.candidates("release ", "02:00:00:00:0a:02") == ["02:00:00:00:0a:02 "]
    assert completion.candidates("why ", "") == ["a1@voip.example "]
    assert asked == ["leases", "leases", "known"]
