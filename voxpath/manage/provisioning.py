"""Commands about phones' files: ``files`` and ``render``."""

from collections.abc import Sequence

from voxpath.manage import rows
from voxpath.manage.command import Answer, Command, Console
from voxpath.manage.facts import CommandError
from voxpath.model.event import printable
from voxpath.model.phone import identity_of

SECRETS = "secrets"
"""The word that has passwords shown."""


def _files(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.FileRow, list(console.facts.files(identity_of(arguments[0]))))


def _render(console: Console, arguments: Sequence[str]) -> Answer:
    """The text of a file, as it is; in JSON each line is a row."""
    if len(arguments) > 2 and arguments[2] != SECRETS:
        raise CommandError("render", f"{printable(arguments[2], 40)!r} is nothing that it knows", f"write {SECRETS}, or nothing")
    text = console.facts.render(identity_of(arguments[0]), arguments[1], len(arguments) > 2)
    return Answer(rows.LineRow, [rows.LineRow(number, line) for number, line in enumerate(text.splitlines(), 1)], text=text)


FILES = Command("files", ("MAC",), "the files that a phone would be given by TFTP, and what they are made from", _files)
RENDER = Command(
    "render",
    ("MAC", "NAME", f"[{SECRETS}]"),
    "a phone's file, as it is; its passwords are masked unless they are asked for",
    _render,
)
