"""TOML to :class:`~voxpath.app.schema.Config`: strict, and telling all errors at once.

msgspec converts single values; the walk over sections is our own, since msgspec ends at its first error.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, ValidationError, convert
from msgspec.structs import FieldInfo, astuple, fields

from voxpath.app.kinds import read_kind
from voxpath.app.phone_classes import taken_over
from voxpath.app.schema import Config
from voxpath.app.section import Section
from voxpath.app.toml_text import read_toml
from voxpath.app.unread import Part
from voxpath.model.event import printable

FILE_LIMIT = 2 * 1024 * 1024
"""Largest configuration file, in octets: 10 000 phones with a reservation and a number each take 1.2 million."""

PROBLEMS_LIMIT = 200
"""Problems that are told; who has more than these corrects them first."""

LINE_LIMIT = 1000
"""Characters that are told of a problem."""

PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<where>.*)`)?$", re.DOTALL)
"""How msgspec's errors name the place."""


class Problem(NamedTuple):
    """One thing that is wrong with a configuration.

    :ivar path: the key, such as ``scope[1].range[0]``; empty: the file as a whole.
    :ivar what: what is wrong.
    :ivar todo: what to do about it.
    """

    path: str
    what: str
    todo: str

    def __str__(self) -> str:
        """One line, which holds nothing of the file that a terminal could take for a command."""
        return "; ".join(
            (f"{printable(self.path) or 'file'}: {printable(self.what, LINE_LIMIT)}", printable(self.todo, LINE_LIMIT))
        )


class Decoded(NamedTuple):
    """What became of a file: a configuration, or the reasons why there is none."""

    config: Config | None
    problems: tuple[Problem, ...]


def decode(text: bytes) -> Decoded:
    """Read a configuration file's content; never raises on any content."""
    config, problems = decode_partly(text)
    return Decoded(None if problems else config, problems)


def decode_partly(text: bytes) -> Decoded:
    """Read what can be read, so that one error does not hide others; never raises.

    What asks the configuration for an option that could not be read gets :class:`~voxpath.app.unread.Unread`.
    """
    if len(text) > FILE_LIMIT:
        return _unreadable(f"more than {FILE_LIMIT} octets", "split the site into several servers")
    try:
        written = text.decode("utf-8")
    except UnicodeDecodeError as error:
        return _unreadable(f"octet {error.start} is no UTF-8", "save the file as UTF-8")
    raw, faults = read_toml(written, _lists())
    problems = [Problem("", printable(fault.what), fault.todo) for fault in faults]
    if raw is None:
        return Decoded(None, tuple(problems))
    unread = {fault.key for fault in faults}
    read = {key: value for key, value in taken_over(raw).items() if key not in unread}
    return Decoded(_options(Config, read, "", problems, unread), bounded(problems))


def bounded(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Tell so many problems, and how many more there are."""
    if len(problems) <= PROBLEMS_LIMIT:
        return tuple(problems)
    more = Problem("", f"{len(problems) - PROBLEMS_LIMIT} more problems", "correct these first")
    return (*problems[:PROBLEMS_LIMIT], more)


@lru_cache(maxsize=1)
def _lists() -> frozenset[str]:
    """The top-level keys that are lists of tables."""
    hints = _hints(Config)
    return frozenset(field.encode_name for field in fields(Config) if get_origin(plain(hints[field.name])) is tuple)


def _unreadable(what: str, todo: str) -> Decoded:
    return Decoded(None, (Problem("", what, todo),))


def _section(kind: type[Section], raw: Any, path: str, problems: list[Problem]) -> Any:
    """Read one table; note every problem in it and below it."""
    if not isinstance(raw, dict):
        heading = f"[[{path.partition('[')[0]}]]" if path.endswith("]") else f"[{path}]"
        problems.append(Problem(path, f"a table is wanted, not {_kind_of(raw)}", f"write {heading} and one option a line below it"))
        return Part(kind, {}, frozenset(field.name for field in fields(kind)))
    if _is_leaf(kind):
        # Thousands of users: msgspec reads a right table as a whole, and the walk is only for telling what is wrong with it.
        with suppress(ValidationError):
            whole = convert(raw, kind, dec_hook=read_kind)
            if all(isfinite(value) for value in astuple(whole) if isinstance(value, float)):
                return whole
    return _options(kind, raw, path, problems)


@lru_cache(maxsize=64)
def _is_leaf(kind: type[Section]) -> bool:
    """Whether a section has no section below it."""
    hints = (plain(hint) for hint in _hints(kind).values())
    return not any(_is_section(hint) or any(map(_is_section, get_args(hint))) for hint in hints)


@lru_cache(maxsize=64)
def _hints(kind: type[Section]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@lru_cache(maxsize=64)
def _known(kind: type[Section]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in fields(kind)}


def _options(kind: type[Section], raw: dict[str, Any], path: str, problems: list[Problem], broken: Collection[str] = ()) -> Any:
    """Read a table's options: a section, or a part of one.

    A misspelt key counts for the one that is probably meant, too: its default is not what the file means.

    :param broken: keys that could not be read, which is told already.
    """
    known = _known(kind)
    hints = _hints(kind)
    values: dict[str, Any] = {}
    unread = {known[key].name for key in broken if key in known}
    whole = len(problems) if not broken else -1
    for key in sorted(raw.keys() - known.keys()):
        # Who has so many problems is not told what each may have meant.
        near = get_close_matches(key[:64], known, n=1) if len(problems) < PROBLEMS_LIMIT else []
        problems.append(_unknown(_join(path, key), near, list(known)))
        unread.update(known[each].name for each in near)
    for key, field in known.items():
        before = len(problems)
        if key in raw:
            values[field.name] = _value(hints[field.name], raw[key], _join(path, key), problems)
        elif _required(field):
            problems.append(Problem(_join(path, key), "is missing", f"add {_sample(key, hints[field.name])}"))
        if len(problems) > before and values.get(field.name) is None:
            unread.add(field.name)
    return kind(**values) if len(problems) == whole else Part(kind, values, frozenset(unread))


def _value(hint: Any, raw: Any, path: str, problems: list[Problem]) -> Any:
    """Read one option: a section, a list of them, or a plain value."""
    inner = plain(hint)
    if _is_section(inner):
        return _section(inner, raw, path, problems)
    item = get_args(inner)[0] if get_origin(inner) is tuple else None
    if _is_section(item):
        if not isinstance(raw, list):
            problems.append(Problem(path, f"a list of tables is wanted, not {_kind_of(raw)}", f"write [[{path}]]"))
            return None
        return tuple(_section(item, one, f"{path}[{place}]", problems) for place, one in enumerate(raw))
    return _plain_value(hint, raw, path, problems)


def _plain_value(hint: Any, raw: Any, path: str, problems: list[Problem]) -> Any:
    before = len(problems)
    inner = plain(hint)
    if isinstance(raw, list) and get_origin(inner) is tuple:
        items = get_args(inner)
        for place, one in enumerate(raw):
            if Ellipsis in items or place < len(items):
                _convert(items[0] if Ellipsis in items else items[place], one, f"{path}[{place}]", hint, problems)
    return _convert(hint, raw, path, hint, problems) if len(problems) == before else None


def _convert(hint: Any, raw: Any, path: str, option: Any, problems: list[Problem]) -> Any:
    todo = f"write for example {_sample(path.rpartition('.')[2].partition('[')[0], option)}"
    try:
        value = convert(raw, hint, dec_hook=read_kind)
    except ValidationError as error:
        found = PLACE.match(str(error))
        what, where = (found["what"], found["where"] or "") if found else (str(error), "")
        problems.append(_mismatch(path + where, what, hint, raw, todo))
        return None
    if isinstance(value, float) and not isfinite(value):
        problems.append(Problem(path, f"wanted: a finite number, got {value}", todo))
    return value


def _mismatch(path: str, what: str, hint: Any, raw: Any, todo: str) -> Problem:
    """Make the problem of a value that msgspec refuses: choices and patterns are said in words."""
    kind = plain(hint)
    if get_origin(kind) is Literal:
        *others, last = get_args(kind)
        said = f"{printable(raw, 40)!r} is none of the choices" if isinstance(raw, str) else _plainly(what)
        return Problem(path, said, f"choose {', '.join(others)} or {last}")
    extra = hint.__metadata__[0].extra if get_origin(hint) is Annotated else None
    if extra and "matching regex" in what:
        return Problem(path, f"wanted: {extra['words']}", todo)
    return Problem(path, _plainly(what), todo)


def plain(hint: Any) -> Any:
    """Take the documentation and the alternative of being unset off a type."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    others = [part for part in get_args(hint) if part is not NoneType]
    return others[0] if NoneType in get_args(hint) and len(others) == 1 else hint


def _is_section(kind: Any) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)


def _required(field: FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _join(path: str, key: str) -> str:
    name = key if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) else repr(printable(key, 64))
    return f"{path}.{name}" if path else name


def _unknown(path: str, near: list[str], known: list[str]) -> Problem:
    todo = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
    return Problem(path, "is not an option", todo)


def _sample(key: str, hint: Any) -> str:
    examples = hint.__metadata__[0].examples if get_origin(hint) is Annotated else None
    return f"{key} = {toml(examples[0])}" if examples else key


def _plainly(what: str) -> str:
    """Say msgspec's words about types in those of TOML."""
    words = {"`array`": "a list", "`str`": "text", "`int`": "a whole number", "`float`": "a number", "`bool`": "true or false"}
    for word, meaning in words.items():
        what = what.replace(word, meaning)
    return printable(what.replace("Expected", "wanted:"))


def _kind_of(raw: Any) -> str:
    names = {dict: "a table", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(raw), "a date")


def toml(value: Any) -> str:
    """Print a value as TOML does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, (int, float)):
        return str(value)
    return value if isinstance(value, str) and value.startswith("0o") else f'"{value}"'
