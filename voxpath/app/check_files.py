"""What can be wrong with phones' files: templates, aliases, and what classes say of both."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, readable, writable_by_all
from voxpath.app.schema import Config
from voxpath.app.schema_tftp import Alias
from voxpath.app.shelf import faults, make_shelf, read_templates
from voxpath.app.values import in_state, shared_files
from voxpath.flow.owner import is_time, macs_in
from voxpath.model.event import printable
from voxpath.provision.name import MAC, parts_of
from voxpath.provision.table import Shelf

ADVICE = "correct it; docs/how-to/provision-phones.md tells what templates know"
NOBODY = "000000000000"
"""The Ethernet address in the names of files that are for all phones of a class."""
LOOKED_AT = 4096
"""Entries of the image directory whose names are looked at."""


def check_files(config: Config, machine: Machine) -> Iterator[Problem]:
    """Every alias leads somewhere, and no stranger writes templates."""
    if not config.tftp.enabled:
        return
    if config.tftp.templates and writable_by_all(in_state(config, config.tftp.templates)):
        what = "every user of this machine can write it, and so have phones' passwords written anywhere"
        yield Problem("tftp.templates", what, "write chmod o-w for it")
    names = {entry.name for entry in config.classes}
    for place, alias in enumerate(config.tftp.aliases):
        yield from _alias(alias, f"tftp.alias[{place}]", names)


def check_templates(config: Config, machine: Machine) -> Iterator[Problem]:
    """Every template makes a file, for a phone with users and for one without.

    One that does not keeps nothing from starting, as phones need their leases all the same: :func:`files_notes` tells it then.
    On a standby it is no problem at all: the active server sends the templates, which went through this check there.
    """
    if config.tftp.enabled and not _are_sent(config):
        yield from _of_templates(config)


def files_notes(config: Config) -> list[str]:
    """What is wrong with templates and keeps nothing from starting, in one line."""
    wrong = list(_of_templates(config)) if config.tftp.enabled else []
    if not wrong:
        return []
    more = f", and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
    what = f"{wrong[0].path}: {wrong[0].what}{more}"
    if _are_sent(config):
        return [f"{what}: the standby starts, and takes the templates that {config.redundancy.peer} sends"]
    return [f"{what}: phones get no file that is made from it until it is corrected"]


def _are_sent(config: Config) -> bool:
    """Whether the templates are those of the active server, which went through these checks there."""
    return config.redundancy.role == "standby" and bool(config.tftp.templates)


def _of_templates(config: Config) -> Iterator[Problem]:
    read = read_templates(config)
    for fault in read.faults:
        yield Problem("tftp.templates", f"{fault.where}: {fault.what}", "name a directory of templates that this user can read")
    shelf = make_shelf(config, read)
    unknown = set()
    for place, alias in enumerate(config.tftp.aliases):
        if alias.template and alias.template not in shelf.templates:
            unknown.add(alias.template)
            what = f"there is no template {printable(alias.template, 64)!r}"
            yield Problem(f"tftp.alias[{place}].template", what, _templates(config))
    for fault in faults(shelf):
        if fault.where not in unknown:
            yield Problem("tftp.templates", f"{fault.where}: {fault.what}", ADVICE)


def image_notes(config: Config) -> Iterator[str]:
    """State which images of classes are not there: they may yet be delivered, so that keeps nothing from starting.

    A standby gets them from the active server; phones that are sent to other servers load them from there.
    """
    if not config.tftp.enabled or config.redundancy.role == "standby" or not in_state(config, config.tftp.root).is_dir():
        return
    shelf = make_shelf(config, read_templates(config))
    elsewhere = bool(config.scopes) and all(scope.tftp_servers for scope in config.scopes)
    for place, entry in enumerate(config.classes):
        if elsewhere or entry.tftp_servers or entry.url:
            continue
        for key, name in (("image", entry.image), ("application", entry.application)):
            reason = "" if not name or _is_made(shelf, entry.name, name) else _missing(in_state(config, config.tftp.root) / name)
            if reason:
                name_of_class = printable(entry.name, 64)
                yield f"class[{place}].{key}: {reason}; phones of class {name_of_class!r} fail to load it until it is there"


def dated_notes(config: Config) -> list[str]:
    """State which images are kept for one phone each, as a date and a time in their names are an Ethernet address, too."""
    root = in_state(config, config.tftp.root)
    if not config.tftp.enabled:
        return []
    common = shared_files(config)
    try:
        names = sorted(str(path.relative_to(root)) for path in islice(root.rglob("*"), LOOKED_AT) if path.is_file())
    except OSError:
        return []
    dated = [name for name in names if name not in common and any(map(is_time, macs_in(name)))]
    if not dated:
        return []
    more = f", and {len(dated) - 1} more like it" if len(dated) > 1 else ""
    what = f"{dated[0]} is kept for one phone, since its digits are an Ethernet address, too{more}"
    return [f"tftp.root: {what}: if all are to read it, make it the image of a class, or write the time as 20260721-153000"]


def _is_made(shelf: Shelf, phone_class: str, name: str) -> bool:
    """Whether a file is rendered, or stands for another one, whatever lies in the directory."""
    if any(alias.pattern.match(name) is not None for alias in shelf.aliases(phone_class)):
        return True
    return any(file.match(name, NOBODY) is not None for file in shelf.files(phone_class))


def _missing(path: Path) -> str:
    """Why a file cannot be delivered; empty: it can."""
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    reason = readable(path) if there else ""
    return f"{path} cannot be read: {reason}" if reason else "" if there else f"there is no file {path}"


def _alias(alias: Alias, path: str, classes: set[str]) -> Iterator[Problem]:
    if bool(alias.file) == bool(alias.template):
        what = "names both a file and a template" if alias.file else "names neither a file nor a template"
        yield Problem(path, what, "write one of file and template")
    for name in parts_of(alias.file):
        if name not in (MAC, *alias.pattern.pattern.parts):
            known = ", ".join(f"{{{one}}}" for one in dict.fromkeys((MAC, *alias.pattern.pattern.parts)))
            yield Problem(f"{path}.file", f"{{{name}}} is no part of {alias.pattern}", f"use one of: {known}")
    for number, name in enumerate(alias.classes):
        if name not in classes:
            todo = f"use one of: {', '.join(sorted(classes)) or 'none'}"
            yield Problem(f"{path}.classes[{number}]", f"there is no class {printable(name, 64)!r}", todo)


def _templates(config: Config) -> str:
    return "put it there" if config.tftp.templates else "set tftp.templates to the directory that it lies in"
