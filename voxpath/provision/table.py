"""Which files there are for which phones: sets of names and templates, as data (``shipped/files.toml``)."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from voxpath.provision.name import MAC, NamePattern
from voxpath.provision.template import Templates

COMMON = "programs"
"""The set that phones of every class may ask for as well."""
NOTHING = "none"
"""The set of a class for whose phones nothing is rendered: all they ask for lies in the directory."""


@dataclass(frozen=True, slots=True)
class PhoneFile:
    """A file that is rendered.

    :ivar names: what it is asked for by.
    :ivar template: what it is made from.
    :ivar ports: the smallest block that such a phone can work with.
    """

    names: tuple[NamePattern, ...]
    template: str
    ports: int = 1

    def match(self, name: str, mac: str) -> dict[str, str] | None:
        """The parts of a name of this file; a name with another Ethernet address than this one is none."""
        for pattern in self.names:
            parts = pattern.match(name)
            if parts is not None and parts.get(MAC, mac) == mac:
                return parts
        return None


@dataclass(frozen=True, slots=True)
class FileSet:
    """The files of one kind of phone.

    :ivar about: which phones it is for.
    :ivar source: what names and values follow.
    """

    about: str
    source: str
    files: tuple[PhoneFile, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a file, or for what a template makes; one of ``file`` and ``template`` is set.

    :ivar file: the name that is meant, with parts of ``pattern`` and ``{mac}``.
    :ivar template: the template that it is made from.
    :ivar classes: names of the classes whose phones it is for; empty: all.
    """

    pattern: NamePattern
    file: str = ""
    template: str = ""
    classes: tuple[str, ...] = ()


class Shelf:
    """All files that phones can be given: the shipped sets, the operator's templates and aliases.

    :param sets: the name of the set of each class; a class without one has the common files alone.
    :param unreadable: why which of these templates could not be read.
    :raises KeyError: there is no such set, when its files are asked for.
    """

    def __init__(
        self,
        sets: Mapping[str, str] = MappingProxyType({}),
        aliases: Sequence[Alias] = (),
        texts: Mapping[str, str] = MappingProxyType({}),
        unreadable: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.templates = Templates(shipped_templates(), texts, unreadable)
        self._sets = sets
        self._aliases = aliases

    @property
    def every_alias(self) -> Sequence[Alias]:
        """Those of all classes."""
        return self._aliases

    def aliases(self, phone_class: str) -> Iterator[Alias]:
        """Those of a class, in the order of the configuration."""
        return (alias for alias in self._aliases if not alias.classes or phone_class in alias.classes)

    def files(self, phone_class: str) -> Iterator[PhoneFile]:
        """The files of a class: those of its maker before those of programs."""
        chosen = self._sets.get(phone_class, "")
        for name in () if chosen == NOTHING else dict.fromkeys((chosen or COMMON, COMMON)):
            yield from shipped_sets()[name].files


@cache
def shipped_sets() -> Mapping[str, FileSet]:
    """The shipped sets by name."""
    tables = tomllib.loads(_shipped().joinpath("files.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {name: FileSet(table["about"], table["source"], tuple(map(_file, table["file"]))) for name, table in tables.items()}
    )


def _file(table: Mapping[str, Any]) -> PhoneFile:
    return PhoneFile(tuple(map(NamePattern, table["names"])), table["template"], table.get("ports", 1))


@cache
def shipped_templates() -> Mapping[str, str]:
    """The shipped templates by name, which is their path."""
    found = {}
    for folder in _shipped().iterdir():
        if folder.is_dir():
            for file in folder.iterdir():
                found[f"{folder.name}/{file.name}"] = file.read_text(encoding="utf-8")
    return MappingProxyType(found)


def _shipped() -> Traversable:
    return files("voxpath.provision").joinpath("shipped")
