"""The lines that an operator typed at ``voxpath shell``: in a file of his own that nobody else can read."""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

HISTORY_FILE = ".voxpath_history"
HISTORY_LINES = 1000
MODE = 0o600

Candidates = Callable[[str, str], Sequence[str]]
"""Tells what may stand where a word begins: the line before it, and the word as far as it is typed."""


class History:
    """Line editing for the length of a ``with`` block; without a file, or with one that is not the user's own, nothing is kept.

    :param path: the file; ``None`` keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._editor = editor()

    @classmethod
    def of_user(cls) -> "History":
        """Keep lines in the user's home."""
        try:
            return cls(Path.home() / HISTORY_FILE)
        except RuntimeError:
            return cls(None)

    @classmethod
    def none(cls) -> "History":
        """Keep nothing."""
        return cls(None)

    def complete_with(self, candidates: Candidates) -> None:
        """Let TAB complete words."""
        if self._editor is not None:
            self._editor.set_completer_delims(" \t")
            self._editor.set_completer(Completer(self._editor, candidates))
            self._editor.parse_and_bind("tab: complete")

    def __enter__(self) -> "History":
        if self._editor is not None and self._path is not None:
            if make_private(self._path):
                with suppress(OSError):
                    self._editor.read_history_file(self._path)
                self._editor.set_history_length(HISTORY_LINES)
            else:
                self._path = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._editor is None:
            return
        self._editor.set_completer(None)
        if self._path is not None and make_private(self._path):
            with suppress(OSError):
                self._editor.write_history_file(self._path)
                # The library may write another file and rename it.
                os.chmod(self._path, MODE)


def editor() -> Any:
    """The line editor, asked for late since it writes to the terminal when it is loaded; a Python without it has none."""
    try:
        return import_module("readline")
    except ImportError:
        return None


class Completer:
    """What the line editor calls: the candidates one after the other."""

    def __init__(self, editor: Any, candidates: Candidates) -> None:
        self._editor = editor
        self._candidates = candidates
        self._found: Sequence[str] = ()

    def __call__(self, word: str, number: int) -> str | None:
        """Give the candidate of that number; ``None``: there are no more."""
        if number == 0:
            before = self._editor.get_line_buffer()[: self._editor.get_begidx()]
            self._found = self._candidates(before, word)
        return self._found[number] if number < len(self._found) else None


def make_private(path: Path) -> bool:
    """Make the file if it is not there, for its owner alone; tell whether it can be used."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, MODE)
    except OSError:
        return False
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            return False
        os.fchmod(descriptor, MODE)
    finally:
        os.close(descriptor)
    return True
