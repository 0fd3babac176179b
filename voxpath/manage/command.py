"""What a command is: a verb with its arguments, its help and what it does; and what its answer is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from twisted.internet.defer import Deferred

from voxpath.manage.entry import Entry
from voxpath.manage.facts import Facts
from voxpath.manage.memory import Memory
from voxpath.manage.rows import Row


class Console(NamedTuple):
    """What commands work on."""

    facts: Facts
    memory: Memory


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command.

    :ivar kind: the type of its rows.
    :ivar rows: what is drawn.
    :ivar entries: records of the bus, for verbs whose answers of several processes are merged.
    :ivar note: a line for the operator beside the rows.
    :ivar about: the phone that the records are about.
    :ivar text: a text that is shown as it is, in place of the rows.
    """

    kind: type[Row] = Row
    rows: Sequence[Row] = ()
    entries: list[Entry] = field(default_factory=list)
    note: str = ""
    about: str = ""
    text: str = ""


Run: TypeAlias = Callable[[Console, Sequence[str]], "Answer | Deferred[Answer]"]


@dataclass(frozen=True, slots=True)
class Command:
    """One verb.

    :ivar arguments: names of its arguments; those in brackets may be left out.
    :ivar merges: whether answers of several processes are merged by time.
    """

    verb: str
    arguments: tuple[str, ...]
    help: str
    run: Run
    merges: bool = False

    @property
    def usage(self) -> str:
        """How it is written."""
        return " ".join((self.verb, *self.arguments))

    @property
    def required(self) -> int:
        """How many arguments it needs at least."""
        return sum(not name.startswith("[") for name in self.arguments)

    def accepts(self, count: int) -> bool:
        """Whether it takes so many arguments."""
        return self.required <= count <= len(self.arguments)
