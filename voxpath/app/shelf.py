"""The operator's templates from the disk, and the shelf of all files that phones can be given."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from voxpath.app.schema import Config
from voxpath.app.values import in_state
from voxpath.model.event import printable
from voxpath.provision.name import MAC
from voxpath.provision.sample import MAC as SAMPLE_MAC
from voxpath.provision.sample import samples
from voxpath.provision.table import Alias, Shelf, shipped_sets, shipped_templates
from voxpath.provision.template import LARGEST_OCTETS, TemplateFault

TEMPLATES_LIMIT = 256
"""Files of a directory of templates."""


class Fault(NamedTuple):
    """What is wrong with the directory, or with one template.

    :ivar where: its name and line, or the directory.
    :ivar template: the one that makes no file, which may be another one that needs it; empty: none does.
    """

    where: str
    what: str
    template: str = ""


class Read(NamedTuple):
    """The templates of a directory, and what could not be read of it."""

    texts: Mapping[str, str]
    faults: tuple[Fault, ...]


def read_templates(config: Config) -> Read:
    """Read the directory of templates; hidden files and those that editors leave (``~``) are passed over."""
    if not config.tftp.templates:
        return Read({}, ())
    directory = in_state(config, config.tftp.templates)
    try:
        if not directory.is_dir():
            return Read({}, (Fault(str(directory), "there is no such directory"),))
        found = _files(directory)
    except (OSError, ValueError) as error:
        return Read({}, (Fault(str(directory), printable(str(error))),))
    if len(found) > TEMPLATES_LIMIT:
        return Read({}, (Fault(str(directory), f"holds {len(found)} files, {TEMPLATES_LIMIT} at the most"),))
    texts: dict[str, str] = {}
    faults = []
    for path in found:
        name = path.relative_to(directory).as_posix()
        try:
            texts[name] = _text(path)
        except (OSError, ValueError) as error:
            faults.append(Fault(name, printable(str(error)), name))
    return Read(texts, tuple(faults))


def look_at(config: Config) -> object:
    """What tells whether a template was changed since the last look: names, times and sizes; ``None``: there is no directory."""
    directory = in_state(config, config.tftp.templates)
    try:
        if not directory.is_dir():
            return None
        return [(path, status.st_mtime_ns, status.st_size) for path in _files(directory) for status in (path.stat(),)]
    except (OSError, ValueError) as error:
        return str(error)


class Found(NamedTuple):
    """All that is known of the templates at one time.

    :ivar own: how many the operator has.
    :ivar shelf: makes what can be made, and refuses the rest.
    :ivar faults: in the directory and in its templates.
    """

    own: int
    shelf: Shelf
    faults: tuple[Fault, ...]


def find(config: Config) -> Found:
    """Read the templates, and try them."""
    read = read_templates(config)
    shelf = make_shelf(config, read)
    return Found(len(read.texts), shelf, (*read.faults, *faults(shelf)))


def make_shelf(config: Config, read: Read) -> Shelf:
    """The shelf: which files for which class, and the aliases.

    What could not be read makes no file, as the shipped template of its name is not what the operator wants.
    """
    known = shipped_sets()
    sets = {entry.name: entry.files or (entry.layout if entry.layout in known else "") for entry in config.classes}
    aliases = (Alias(entry.pattern.pattern, entry.file, entry.template, entry.classes) for entry in config.tftp.aliases)
    return Shelf(sets, tuple(aliases), read.texts, _unreadable(config, read.faults))


def _unreadable(config: Config, faults: tuple[Fault, ...]) -> dict[str, str]:
    """Why which templates could not be read; all of them, if the directory could not be."""
    reasons: dict[str, str] = {}
    for fault in faults:
        if fault.template:
            reasons[fault.template] = fault.what
        else:
            every = (*shipped_templates(), *(alias.template for alias in config.tftp.aliases if alias.template))
            reasons |= dict.fromkeys(every, f"{fault.where}: {fault.what}")
    return reasons


def faults(shelf: Shelf) -> Iterator[Fault]:
    """What is wrong with the operator's templates: each is compiled, and those of files are tried with phones that do not exist."""
    wanted = {*shelf.templates.own, *(alias.template for alias in shelf.every_alias if alias.template)}
    parts: dict[str, dict[str, str]] = {}
    for file in (file for each in shipped_sets().values() for file in each.files):
        parts[file.template] = dict.fromkeys((name for pattern in file.names for name in pattern.parts), "x")
    for alias in shelf.every_alias:
        if alias.template:
            parts[alias.template] = dict.fromkeys(alias.pattern.parts, "x")
    for name in sorted(wanted - shelf.templates.unreadable.keys()):
        try:
            shelf.templates.check(name)
            if name in parts:
                for record in samples():
                    shelf.templates.render(name, record, {**parts[name], MAC: SAMPLE_MAC.hex()})
        except TemplateFault as fault:
            yield Fault(f"{fault.template}{f' line {fault.line}' if fault.line else ''}", fault.what, name)


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and not _is_passed(path.relative_to(directory)))


def _is_passed(path: Path) -> bool:
    return path.name.endswith("~") or any(part.startswith(".") for part in path.parts)


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST_OCTETS:
        raise ValueError(f"has more than {LARGEST_OCTETS} octets")
    return path.read_text(encoding="utf-8")
