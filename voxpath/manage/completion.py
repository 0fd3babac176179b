"""What TAB offers at ``voxpath shell``: verbs, and the phones and addresses-of-record that the processes know."""

import time
from collections.abc import Callable, Iterable, Sequence

from voxpath.core.errors import LocalError
from voxpath.manage.client import ask
from voxpath.manage.commands import COMMANDS

FRESH_S = 5.0
"""An answer is asked for again after so many seconds."""

PATIENCE_S = 3.0
"""How long prompt and TAB wait for a process."""

ASKED = {"PHONE", "MAC", "AOR"}
"""Arguments that processes are asked about, as far as their names begin so; ``MAC|AOR`` is two of them."""


Source = Callable[[str, str], list[str]]
"""Asks the process behind a socket for names with a beginning."""


class Completion:
    """Candidates for a word of a line; whoever does not answer is passed over.

    :param sockets: the processes that are asked.
    :param own: further verbs.
    """

    def __init__(self, sockets: Sequence[str], own: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._sockets = sockets
        self._verbs = sorted((*COMMANDS, *own))
        self._clock = clock
        self._found: dict[tuple[Source, str], tuple[float, list[str]]] = {}

    def candidates(self, before: str, word: str) -> list[str]:
        """What the word may become.

        :param before: the line as far as the word's beginning.
        :param word: what is typed of it.
        """
        words = before.split()
        if not words or words == ["help"]:
            return [f"{verb} " for verb in self._verbs if verb.startswith(word)]
        command = COMMANDS.get(words[0])
        if command is None or len(words) > len(command.arguments):
            return []
        names = command.arguments[len(words) - 1].strip("[]").replace("|", " ").split()
        if not ASKED.intersection(names):
            return []
        # Nothing but a phone with a lease can be released.
        return [f"{name} " for name in self._names(_leased if names[0] == "MAC" and "AOR" not in names else _known, word.lower())]

    def _names(self, source: Source, prefix: str) -> list[str]:
        asked, names = self._found.get((source, prefix), (0.0, []))
        now = self._clock()
        if (source, prefix) not in self._found or now - asked > FRESH_S:
            names = sorted({name for path in self._sockets for name in source(path, prefix)})
            self._found = {(source, prefix): (now, names)}
        return names


def _known(path: str, prefix: str) -> list[str]:
    try:
        return [str(row["item"]) for row in ask(path, "known", (prefix,), PATIENCE_S).rows]
    except (LocalError, KeyError):
        return []


def _leased(path: str, prefix: str) -> list[str]:
    try:
        rows = ask(path, "leases", (), PATIENCE_S).rows
        return [str(row["phone"]) for row in rows if row["state"] == "held" and str(row["phone"]).startswith(prefix)]
    except (LocalError, KeyError):
        return []
