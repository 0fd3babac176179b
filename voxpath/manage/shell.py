"""``voxpath shell``: the commands of ``voxpath ctl`` at a prompt, or one a line from a pipe.

At a terminal, TAB completes verbs, phones and addresses-of-record; the lines are kept in a history file of the user.
From a pipe there is no prompt, and the exit code is the worst one of all lines.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from voxpath.core.errors import LocalError
from voxpath.manage.cli import DEFAULT_SOCKET, DONE, REFUSED, USAGE, add_options, ask_all, code_of, complain, show, verbs
from voxpath.manage.client import NoServer, ask
from voxpath.manage.commands import COMMANDS, Command
from voxpath.manage.completion import PATIENCE_S, Completion
from voxpath.manage.history import History
from voxpath.model.event import printable

PROGRAM = "voxpath shell"
PROMPT = "voxpath"
"""What stands before ``>`` until a process has told its name."""

INTRODUCTION = "Type help for the commands, TAB to complete, Ctrl-D to leave."
NO_TEXT = "that is no text; write commands in UTF-8"
"""What is said of octets that cannot be read."""

OWN_WORDS = {"help": "tell all commands, or what one of them does", "exit": "leave", "quit": "leave"}


class WrittenWrongly(LocalError):
    """A line is no command."""


class Leave(Exception):
    """The operator has had enough."""


class Shell:
    """Carries out lines.

    :param sockets: the processes that are asked.
    :ivar worst: the worst exit code so far.
    :ivar speaker: who says what is wrong.
    """

    def __init__(self, sockets: Sequence[str], as_json: bool = False) -> None:
        self.worst = DONE
        self.speaker = PROGRAM
        self._sockets = sockets
        self._json = as_json

    def line(self, text: str) -> None:
        """Carry out one line; whatever is wrong with it is said in one line.

        :raises Leave: the line says so.
        """
        self.worst = max(self.worst, self._code(text))

    def octets(self, line: bytes) -> None:
        """Carry out one line as it comes from a pipe.

        :raises Leave: the line says so.
        """
        try:
            text = line.decode()
        except UnicodeDecodeError:
            complain(self.speaker, NO_TEXT)
            self.worst = max(self.worst, USAGE)
        else:
            self.line(text)

    def _code(self, text: str) -> int:
        try:
            words = words_of(text)
            if not words:
                return DONE
            if words[0] in OWN_WORDS:
                return self._own(words)
            return self._ask(command_of(words), words[1:])
        except WrittenWrongly as error:
            complain(self.speaker, str(error))
            return USAGE

    def _own(self, words: Sequence[str]) -> int:
        if words[0] != "help":
            raise Leave
        sys.stdout.write(help_on(words[1:]) + "\n")
        return DONE

    def _ask(self, command: Command, arguments: Sequence[str]) -> int:
        replies, failures = ask_all(self._sockets, command.verb, arguments)
        # What one process refuses since it does not run that part, another one may answer.
        silent = replies and not command.merges and not any(isinstance(failure, NoServer) for failure in failures)
        for failure in () if silent else failures:
            complain(self.speaker, str(failure))
        if command.merges and replies:
            show(command, arguments, replies, self._json)
        else:
            for reply in replies:
                show(command, arguments, (reply,), self._json)
        return DONE if silent else code_of(failures)


def words_of(text: str) -> list[str]:
    """Split a line into words as a shell does; what follows ``#`` is a remark.

    :raises WrittenWrongly: a quotation does not end.
    """
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise WrittenWrongly(f"{str(error).lower()}: write quotation marks in pairs") from None


def command_of(words: Sequence[str]) -> Command:
    """Find the command of a line; raise :class:`WrittenWrongly` when there is none or its arguments do not fit."""
    command = COMMANDS.get(words[0])
    if command is None:
        near = get_close_matches(words[0], [*COMMANDS, *OWN_WORDS], 1)
        hint = f"did you mean {near[0]}?" if near else "help tells all of them"
        raise WrittenWrongly(f"there is no command {printable(words[0], 40)!r}; {hint}")
    if not command.accepts(len(words) - 1):
        raise WrittenWrongly(f"write {command.usage}")
    return command


def help_on(words: Sequence[str]) -> str:
    """Tell what a command does, or all of them.

    :raises WrittenWrongly: there is no such command.
    """
    if not words:
        own = "\n".join(f"  {word:<8}{meaning}" for word, meaning in OWN_WORDS.items())
        return f"{verbs()}\n\n{own}\nArguments in brackets may be left out."
    if words[0] in OWN_WORDS:
        return f"{words[0]}: {OWN_WORDS[words[0]]}"
    if words[0] not in COMMANDS:
        command_of(words)
    command = COMMANDS[words[0]]
    return f"{command.usage}: {command.help}"


def add_shell(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``shell`` to the subcommands of ``voxpath``."""
    parser = commands.add_parser(
        "shell",
        help="ask running processes at a prompt",
        description="Ask a running voxpath at a prompt; from a pipe, one command a line, and the exit code is the worst of all.",
        epilog=f"commands:\n{verbs()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument("--no-history", action="store_true", help="do not keep the lines in a file")
    parser.set_defaults(run=run_shell, parser=parser)


def run_shell(options: argparse.Namespace) -> int:
    """Carry out ``voxpath shell``."""
    sockets: list[str] = options.socket or [DEFAULT_SOCKET]
    shell = Shell(sockets, options.json)
    if not sys.stdin.isatty():
        return from_pipe(shell, sys.stdin.buffer)
    completion = Completion(sockets, OWN_WORDS)
    with History.none() if options.no_history else History.of_user() as history:
        history.complete_with(completion.candidates)
        return at_terminal(shell, lambda: f"{name_of(sockets)}> ", input)


def from_pipe(shell: Shell, lines: Iterable[bytes]) -> int:
    """Carry out lines of UTF-8 until they end, whatever the locale; give the worst exit code."""
    try:
        for number, line in enumerate(lines, 1):
            shell.speaker = f"{PROGRAM}: line {number}"
            shell.octets(line)
            sys.stdout.flush()
    except Leave:
        pass
    except KeyboardInterrupt:
        return max(shell.worst, REFUSED)
    return shell.worst


def at_terminal(shell: Shell, prompt: Callable[[], str], read: Callable[[str], str]) -> int:
    """Talk with an operator until he leaves; Ctrl-C gives up a line or a question, Ctrl-D leaves."""
    print(INTRODUCTION)
    while True:
        try:
            shell.line(read(prompt()))
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return DONE
        except UnicodeDecodeError:
            complain(PROGRAM, NO_TEXT)
        except Leave:
            return DONE


def name_of(sockets: Sequence[str]) -> str:
    """How the process calls itself; that of the first that answers."""
    for path in sockets:
        if os.path.exists(path):
            try:
                rows = ask(path, "status", timeout_s=PATIENCE_S).rows
            except LocalError:
                continue
            return next((printable(str(row["value"]), 64) for row in rows if row.get("item") == "name"), PROMPT)
    return PROMPT
