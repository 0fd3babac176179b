"""What can be wrong with phones' files: templates, aliases, and what classes say of both."""

from collections.abc import Iterator

from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, writable_by_all
from voxpath.app.schema import Config
from voxpath.app.schema_tftp import Alias
from voxpath.app.shelf import faults, make_shelf, read_templates
from voxpath.app.values import in_state
from voxpath.model.event import printable
from voxpath.provision.name import MAC, parts_of

ADVICE = "correct it; docs/how-to/provision-phones.md tells what templates know"


def check_files(config: Config, machine: Machine) -> Iterator[Problem]:
    """Every template makes a file, for a phone with users and for one without; every alias leads somewhere.

    What is wrong with templates that the active server sends keeps no standby from starting: :func:`files_notes` tells it.
    """
    if not config.tftp.enabled:
        return
    if not _are_sent(config):
        yield from _of_templates(config)
    if config.tftp.templates and writable_by_all(in_state(config, config.tftp.templates)):
        what = "every user of this machine can write it, and so have phones' passwords written anywhere"
        yield Problem("tftp.templates", what, "write chmod o-w for it")
    names = {entry.name for entry in config.classes}
    for place, alias in enumerate(config.tftp.aliases):
        yield from _alias(alias, f"tftp.alias[{place}]", names)


def files_notes(config: Config) -> list[str]:
    """What a standby's templates lack, in one line."""
    if not config.tftp.enabled or not _are_sent(config):
        return []
    wrong = list(_of_templates(config))
    if not wrong:
        return []
    more = f", and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
    what = f"{wrong[0].path}: {wrong[0].what}{more}"
    return [f"{what}: the standby starts, and takes the templates that {config.redundancy.peer} sends"]


def _are_sent(config: Config) -> bool:
    """Whether the templates are those of the active server, which went through these checks there."""
    return config.redundancy.role == "standby" and bool(config.tftp.templates)


def _of_templates(config: Config) -> Iterator[Problem]:
    read = read_templates(config)
    for fault in read.faults:
        yield Problem("tftp.templates", f"{fault.where}: {fault.what}", "name a directory of templates that this user can read")
    shelf = make_shelf(config, read.texts)
    unknown = set()
    for place, alias in enumerate(config.tftp.aliases):
        if alias.template and alias.template not in shelf.templates:
            unknown.add(alias.template)
            what = f"there is no template {printable(alias.template, 64)!r}"
            yield Problem(f"tftp.alias[{place}].template", what, _templates(config))
    for fault in faults(shelf):
        if fault.where not in unknown:
            yield Problem("tftp.templates", f"{fault.where}: {fault.what}", ADVICE)


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
