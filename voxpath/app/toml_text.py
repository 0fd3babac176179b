"""TOML as text: what stands in a file, and all that is wrong with its syntax, a section at a time."""

import re
import tomllib
from collections.abc import Collection
from typing import Any, NamedTuple

SYNTAX_ERRORS = 8
"""Sections with broken syntax that are told in one run; each costs a look at the whole file."""

READ_AGAIN_LIMIT = 256 * 1024
"""Characters of a file of which more than the first syntax error is looked for."""

KEY_PARTS_LIMIT = 32
"""Parts of a dotted key; no option has more than three, and the time that :mod:`tomllib` takes grows with their square."""

TEXT_OR_COMMENT = re.compile(
    r"""
    "{3}(?:[^"\\]|\\(?:.|\Z)|"(?!""))*(?:"{3}|\Z)
    | '{3}.*?(?:'{3}|\Z)
    | "(?:[^"\\\n]|\\[^\n])*"?
    | '[^'\n]*'?
    | \#[^\n]*
    """,
    re.DOTALL | re.VERBOSE,
)
"""What holds no key in TOML, and quoted parts of keys; one that is not closed goes on to where :mod:`tomllib` gives up."""
LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]+[ \t]*\.[ \t]*){{{KEY_PARTS_LIMIT}}}")

HEADING = re.compile(r"[ \t]*\[(?P<list>\[)?[ \t]*(?P<name>[A-Za-z0-9_.-]{1,64})[ \t]*\]")
"""A table's heading in TOML."""

AT_LINE = re.compile(r"at line ([0-9]+)")


class SyntaxFault(NamedTuple):
    """One section that is no TOML.

    :ivar key: its top-level key, which counts as unread as a whole; empty: the file as a whole.
    """

    key: str
    what: str
    todo: str


def read_toml(text: str, lists: Collection[str]) -> tuple[dict[str, Any] | None, list[SyntaxFault]]:
    """Read a file; a section that is no TOML is told and passed over, and the others are read.

    :param lists: the top-level keys that are lists of tables.
    :return: ``None`` when nothing could be read, and what is wrong.
    """
    if LONG_KEY.search(TEXT_OR_COMMENT.sub("s", text)):
        return None, [SyntaxFault("", f"a key has more than {KEY_PARTS_LIMIT} parts", "write the names that the reference has")]
    faults: list[SyntaxFault] = []
    while True:
        try:
            return tomllib.loads(text), faults
        except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
            fault, rest = _fault(text, str(error), lists)
        faults.append(fault)
        if rest is None or len(faults) == SYNTAX_ERRORS or len(text) > READ_AGAIN_LIMIT:
            return None, faults
        text = rest


def _fault(text: str, error: str, lists: Collection[str]) -> tuple[SyntaxFault, str | None]:
    """Make the fault of the words of :mod:`tomllib`, and the text without the section that it is in; line numbers stay."""
    lines = text.split("\n")
    at = AT_LINE.search(error)
    number = int(at[1]) - 1 if at and int(at[1]) <= len(lines) else None
    heading = HEADING.match(lines[number]) if number is not None else None
    todo = _advice(heading, error, lists)
    first = next((place for place in range(number, -1, -1) if HEADING.match(lines[place])), None) if number is not None else None
    own = HEADING.match(lines[first]) if first is not None else None
    if first is None or own is None:
        return SyntaxFault("", f"no TOML: {error}", todo), None
    last = next((place for place in range(first + 1, len(lines)) if HEADING.match(lines[place])), len(lines))
    rest = [*lines[:first], *[""] * (last - first), *lines[last:]]
    return SyntaxFault(own["name"].partition(".")[0], f"no TOML: {error}", todo), "\n".join(rest)


def _advice(heading: "re.Match[str] | None", error: str, lists: Collection[str]) -> str:
    """What to do about broken TOML: a heading that stands there twice is told by its name."""
    if heading is None or not error.startswith(("Cannot overwrite", "Cannot declare")):
        return "correct the syntax there"
    name = heading["name"]
    if heading["list"] or name in lists:
        return f"write [[{name}]] above each {name}, with two brackets"
    return f"[{name}] stands there before: write all its options below one heading"
