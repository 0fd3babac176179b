"""What a visitor finds in the manhole: commands, tables and live objects by name, and help that needs no pager."""

import pydoc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from twisted.internet.defer import Deferred

from voxpath.core.errors import LocalError
from voxpath.manage.commands import COMMANDS, Answer, Command, Console, bindings
from voxpath.manage.control import carry_out, reply_of
from voxpath.manage.rows import Row
from voxpath.manage.show import columns, notes
from voxpath.manage.wire import Request
from voxpath.model.phone import identity_of

HELP = """\
Python inside the running process: whatever you do here is done at once, and everything waits while it runs.
Every line is written to the log under your name.

  ctl('VERB', ...)   a command, as voxpath ctl has it: ctl('leases'), ctl('release', '02:00:00:00:0a:01')
  {tables}
                     tables: leases shows them, leases() gives the live rows, leases('02:00:00:00:0a:01') those of a phone
{more}  help(x)            what x is
  exit()             leave, as Ctrl-D does

A Deferred is shown when it fires.
"""


class Shown:
    """What a command answered; it is shown as a table.

    :ivar rows: the rows as values.
    """

    def __init__(self, text: str, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._text = text

    def __repr__(self) -> str:
        return self._text.rstrip("\n") or "done"


class Ctl:
    """Carries out a command of the command table."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, verb: str, *arguments: object) -> "Shown | Deferred[Shown]":
        """Carry it out; raises :class:`~voxpath.manage.facts.CommandError` for what is refused."""
        words = tuple(map(str, arguments))
        answer = carry_out(self._console, Request(verb, words))
        command = COMMANDS[verb]
        if isinstance(answer, Deferred):
            return answer.addCallback(lambda fired: _shown(command, words, fired))
        return _shown(command, words, answer)

    def __repr__(self) -> str:
        return "".join(f"ctl({command.usage!r})".ljust(40) + f" {command.help}\n" for command in COMMANDS.values()).rstrip("\n")


def _shown(command: Command, words: Sequence[str], answer: Answer) -> Shown:
    reply = reply_of(answer)
    told = "".join(f"{note}\n" for note in notes((reply,)))
    return Shown(columns(command, words, (reply,)) + told, answer.rows)


class Table:
    """A table of the process: its name alone shows it, a call gives the live rows.

    :param answer: the answer to its verb.
    """

    def __init__(self, verb: str, rows: Callable[[], Iterable[Any]], answer: Callable[[], "Answer | Deferred[Answer]"]) -> None:
        self._verb = verb
        self._rows = rows
        self._answer = answer

    def __call__(self, phone: str = "") -> list[Any]:
        """The rows, all of them or those of one phone."""
        wanted = identity_of(phone) if phone else ""
        return [row for row in self._rows() if wanted in ("", *(getattr(row, name, None) for name in ("phone", "holder", "aor")))]

    def __repr__(self) -> str:
        try:
            answer = self._answer()
        except LocalError as error:
            return str(error)
        if isinstance(answer, Answer):
            return repr(_shown(COMMANDS[self._verb], (), answer))
        # A name cannot wait for what takes several turns of the reactor.
        fired: list[str] = []
        answer.addCallback(lambda told: fired.append(repr(_shown(COMMANDS[self._verb], (), told))))
        return fired[0] if fired else f"that takes a moment: write ctl({self._verb!r})"


class Help:
    """``help``: the names of the manhole, or the documentation of an object; it never opens a pager on the server."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, *objects: object) -> None:
        """Print it."""
        for thing in objects:
            print(pydoc.render_doc(thing, renderer=pydoc.plaintext))  # type: ignore[attr-defined]  # typeshed lacks it
        if not objects:
            print(self._text)

    def __repr__(self) -> str:
        return self._text.rstrip("\n")


class Exit:
    """``exit``: end the visit, not the server."""

    def __call__(self, *_: object) -> NoReturn:
        """Leave."""
        raise SystemExit

    def __repr__(self) -> str:
        return "exit() or Ctrl-D leaves the manhole"


def _not_here(*_: object, **__: object) -> NoReturn:
    """Whatever reads the server's own terminal would stop the process."""
    raise LocalError("this would read the terminal of the server and stop everything; it cannot be used here")


def names_of(console: Console, live: Mapping[str, object], words: Mapping[str, str]) -> dict[str, object]:
    """Put the names together.

    :param live: further objects by name.
    :param words: what they are, for help.
    """
    facts = console.facts
    ctl = Ctl(console)

    def table(verb: str, rows: Callable[[], Iterable[Any]]) -> Table:
        return Table(verb, rows, lambda: carry_out(console, Request(verb)))

    tables = {
        "leases": table("leases", facts.leases),
        "blocks": table("blocks", facts.blocks),
        "bindings": Table("bindings", facts.contacts, lambda: bindings(facts.contacts())),
        "registrations": table("registrations", facts.registrations),
        "calls": table("calls", facts.calls),
    }
    more = "".join(f"  {name:<18} {meaning}\n" for name, meaning in words.items())
    text = HELP.format(tables=", ".join(tables), more=more)
    own = {"ctl": ctl, "help": Help(text), "exit": Exit(), "quit": Exit(), "input": _not_here, "breakpoint": _not_here}
    return {**own, **tables, **live}
