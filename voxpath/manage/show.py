"""Answers as text: command line, interactive shell and manhole show them alike."""

from collections.abc import Iterable, Sequence

import msgspec

from voxpath.manage.commands import Command, event_rows
from voxpath.manage.entry import Entry, merged
from voxpath.manage.ladder import LINE_WIDTH, ladder
from voxpath.manage.rows import EventRow, as_dict, columns_of, draw
from voxpath.manage.wire import Reply
from voxpath.model.event import printable
from voxpath.model.phone import identity_of

NOTE_LIMIT = 1000
"""Characters of one note."""

LINE_LIMIT = 4000
"""Characters of one line of a text that is shown on a screen; what would control a terminal is written out."""


def notes(replies: Iterable[Reply]) -> list[str]:
    """What is to be told beside the columns, a line each; it goes to standard error, so that columns stay columns."""
    told = []
    for reply in replies:
        if reply.note:
            told.append(printable(reply.note, NOTE_LIMIT))
        if reply.left_off:
            told.append(f"{reply.left_off} more rows are left off")
    return told


def columns(command: Command, arguments: Sequence[str], replies: Sequence[Reply], width: int = LINE_WIDTH) -> str:
    """Draw what was answered; empty when there is nothing to draw.

    :param replies: of several processes only if the command merges them.
    :param width: characters of a ladder's line.
    """
    if command.merges:
        entries = _merged(replies)
        if command.verb == "ladder":
            return ladder(entries, _about(arguments[0], replies), width)
        return draw(columns_of(EventRow), [as_dict(row) for row in event_rows(entries)])
    if replies[0].text:
        return "".join(f"{printable(line, LINE_LIMIT)}\n" for line in replies[0].text.splitlines())
    return draw(replies[0].columns, replies[0].rows) if replies[0].columns else ""


def _about(written: str, replies: Iterable[Reply]) -> str:
    """Whose ladder it is: the phone, if one of the processes knows which one a user has."""
    told = [reply.about for reply in replies if reply.about]
    return next((name for name in told if "@" not in name), told[0] if told else identity_of(written))


def json_lines(command: Command, replies: Sequence[Reply]) -> str:
    """Tell the same as JSON, one object a line."""
    objects: Sequence[object] = _merged(replies) if command.merges else replies[0].rows
    return "".join(msgspec.json.encode(item).decode() + "\n" for item in objects)


def _merged(replies: Iterable[Reply]) -> list[Entry]:
    return merged(reply.entries for reply in replies)
