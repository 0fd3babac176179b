"""The visitor's Python: it reads lines, runs them in the process, and shows what they give; a Deferred is shown when it fires."""

import sys
from codeop import CommandCompiler
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from traceback import format_exception, format_exception_only
from types import CodeType
from typing import Any, Protocol, TextIO, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError, RemoteError
from voxpath.manage.manhole.gate import Visit

LINE_LIMIT = 1000
"""Characters of one line."""

LINES_LIMIT = 200
"""Lines of one statement."""

OUTPUT_LIMIT = 256 * 1024
"""Characters that one line may show; a ledger has many rows, and the process waits while they are written."""

PENDING_LIMIT = 100
"""Deferreds that are waited for."""

TOO_LONG = f"a line has {LINE_LIMIT} characters at the most, a statement {LINES_LIMIT} lines"
"""Why a line is refused."""

Names = Callable[[], Mapping[str, object]]


class Paper(Protocol):
    """Where a visitor reads."""

    def show(self, text: str, late: bool) -> None:
        """Show a text; ``late``: while a line is being typed."""

    def close(self, status: int) -> None:
        """Let the visitor go."""


class Python:
    """One visitor's interpreter.

    :param names: the live objects, asked for anew before each line, since a role that restarts has new ones.
    :ivar more: whether the statement goes on in the next line.
    :ivar status: 1 when a line failed, otherwise 0.
    """

    def __init__(self, visit: Visit, names: Names, paper: Paper) -> None:
        self.more = False
        self.status = 0
        self._visit = visit
        self._live = names
        self._paper = paper
        self._names: dict[str, Any] = {"__name__": "manhole", "__doc__": None}
        self._compile = CommandCompiler()
        self._lines: list[str] = []
        self._running = False
        self._room = 0
        self._count = 0
        self._pending = 0
        self._leaving: Callable[[], None] | None = None

    def line(self, text: str) -> None:
        """Take a line: the audit first, then whatever it does."""
        if len(text) > LINE_LIMIT or len(self._lines) >= LINES_LIMIT:
            self.refuse(TOO_LONG)
            return
        self._room = OUTPUT_LIMIT
        self._visit.runs(text)
        self._lines.append(text)
        code = self._compiled("\n".join(self._lines))
        self.more = code is None and bool(self._lines)
        if code is not None:
            self._lines.clear()
            self._run(code)

    def refuse(self, why: str) -> None:
        """Run neither a line nor the statement that it belongs to, and say why."""
        self._room = OUTPUT_LIMIT
        self.forget()
        self.fail(f"{why}; nothing was run\n")

    def forget(self) -> None:
        """Forget the lines of a statement that is not complete."""
        self._lines.clear()
        self.more = False

    def when_done(self, leave: Callable[[], None]) -> None:
        """Call a function when no Deferred is waited for any more."""
        self._leaving = leave
        self._perhaps_leave()

    def fail(self, text: str) -> None:
        """Show what went wrong with the line that was just taken."""
        self.status = 1
        self._show(text, late=False)

    def _compiled(self, source: str) -> CodeType | None:
        try:
            return self._compile(source, "<manhole>", "single")
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError) as error:
            self.forget()
            self.fail("".join(format_exception_only(error)))
            return None

    def _run(self, code: CodeType) -> None:
        self._names.update(self._live())
        self._running = True
        try:
            with redirect_stdout(cast("TextIO", _Output(self._show))), _displayed_by(self._display):
                exec(code, self._names)  # noqa: S102 - this is what a manhole is for
        except SystemExit:
            self._paper.close(0)
        except BaseException as error:
            self.fail(told(error))
        finally:
            self._running = False

    def _display(self, value: object) -> None:
        if isinstance(value, Deferred):
            self._wait_for(value)
        elif value is not None:
            self._names["_"] = value
            self._show(f"{value!r}\n")

    def _wait_for(self, deferred: "Deferred[Any]") -> None:
        if self._pending >= PENDING_LIMIT:
            self.fail(f"{PENDING_LIMIT} results are waited for already\n")
            return
        self._count += 1
        self._pending += 1
        before, number = self._pending, self._count
        deferred.addCallbacks(self._fired, self._failed, callbackArgs=(number,), errbackArgs=(number,))
        if self._pending == before:
            self._show(f"<Deferred {number}: shown when it fires>\n")

    def _fired(self, value: object, number: int) -> object:
        try:
            text = f"{value!r}\n"
        except BaseException as error:
            # Nobody else would hear of it, and the visitor would wait for ever.
            self.status = 1
            text = told(error)
        self._came(number, text)
        return value

    def _failed(self, failure: Failure, number: int) -> None:
        self.status = 1
        self._came(number, told(failure.value) if failure.value is not None else f"{failure}\n")

    def _came(self, number: int, text: str) -> None:
        self._pending -= 1
        if not self._running:
            self._room = OUTPUT_LIMIT
            text = f"Deferred {number}: {text}"
        self._show(text)
        self._perhaps_leave()

    def _perhaps_leave(self) -> None:
        if self._leaving is not None and not self._pending:
            leave, self._leaving = self._leaving, None
            leave()

    def _show(self, text: str, late: bool | None = None) -> None:
        if self._visit.over or self._room <= 0:
            return
        if len(text) > self._room:
            text = f"{text[: self._room]}\n... cut after {OUTPUT_LIMIT} characters\n"
        self._room -= len(text)
        self._paper.show(safe(text), not self._running if late is None else late)


def told(error: BaseException) -> str:
    """What is wrong: in one line if voxpath raised it on purpose, otherwise with the way there."""
    if isinstance(error, LocalError | RemoteError):
        return f"{error}\n"
    trace = error.__traceback__
    # The first frame is ours.
    return "".join(format_exception(type(error), error, trace.tb_next if trace is not None else None))


def safe(text: str) -> str:
    """Escape control characters, which may come from the wire, but keep lines and tabulators."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    kept = {"\n", "\t"}
    return "".join(
        ch if ch.isprintable() or ch in kept else ch.encode("unicode_escape", "backslashreplace").decode("ascii") for ch in text
    )


class _Output:
    """A file that ``print`` writes to."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, text: str) -> int:
        self._write(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


@contextmanager
def _displayed_by(display: Callable[[object], None]) -> Iterator[None]:
    before = sys.displayhook
    sys.displayhook = display
    try:
        yield
    finally:
        sys.displayhook = before
