"""Sections of a configuration of which not all options could be read: the others are checked all the same."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar, cast

from msgspec import NODEFAULT, structs
from msgspec.structs import fields

from voxpath.app.section import Section

Kind = TypeVar("Kind", bound=Section)
Told = TypeVar("Told")
Entry = TypeVar("Entry")


class Unread(Exception):
    """A check asks for an option that could not be read; why, is told already."""


class Part:
    """Stands for a section; an option of it that could not be read raises :class:`Unread` for whoever asks for it.

    So nobody has to declare what a check reads: it runs until it gets to something that is not known.
    """

    def __init__(self, kind: type[Section], values: Mapping[str, Any], unread: frozenset[str]) -> None:
        self._kind = kind
        self._values = {**dict(_defaults(kind)), **values}
        for name in unread:
            self._values.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise Unread(name) from None

    @property  # type: ignore[misc]  # the attribute of object may be set, this one is only read
    def __class__(self) -> Any:
        """What it stands for, so that ``isinstance`` finds that."""
        return self._kind

    def changed(self, options: Mapping[str, Any]) -> "Part":
        """The same with other values of these options."""
        known = {**self._values, **options}
        return Part(self._kind, known, frozenset(field.name for field in fields(self._kind)) - known.keys())


def changed(section: Kind, **options: Any) -> Kind:
    """A section, whole or not, with other values of some options."""
    given: object = section
    return cast("Kind", given.changed(options)) if type(given) is Part else structs.replace(section, **options)


def as_far_as_read(told: Iterator[Told]) -> Iterator[Told]:
    """What can be told before something is asked for that could not be read."""
    with suppress(Unread):
        yield from told


def each_read(entries: Iterable[Entry], read: Callable[[Entry], Told]) -> Iterator[tuple[int, Told]]:
    """What is read of each entry of a list, with its place; those of which that could not be read are passed over."""
    for place, entry in enumerate(entries):
        try:
            value = read(entry)
        except Unread:
            continue
        yield place, value


def _defaults(kind: type[Section]) -> Iterator[tuple[str, Any]]:
    for field in fields(kind):
        if field.default is not NODEFAULT:
            yield field.name, field.default
        elif field.default_factory is not NODEFAULT:
            yield field.name, field.default_factory()
