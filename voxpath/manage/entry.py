"""A published event as plain data: what goes over the control socket, and what ladders of several processes are merged from."""

from collections.abc import Iterable
from enum import Enum
from heapq import merge
from operator import attrgetter
from typing import Any

from msgspec import Struct

from voxpath.io.bus import Record
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent, printable

TEXT_LIMIT = 400
"""Characters of one text of an entry."""


class Entry(Struct, frozen=True):
    """One record of the event bus.

    :ivar at: when, in seconds of the server's clock.
    :ivar role: who published it.
    :ivar id: the event's stable identifier.
    :ivar level: :class:`~voxpath.model.event.Level` as a number.
    :ivar text: the event in one line.
    :ivar fields: the event's fields; whatever is neither number nor truth value is text.
    """

    at: float
    role: str
    id: str
    level: int
    text: str
    fields: dict[str, str | int | float | bool | None]

    @property
    def phone(self) -> str:
        """The phone that it is about; empty: none."""
        return self.field("phone")

    @property
    def peer(self) -> str:
        """The other phone, where two are concerned."""
        return self.field("peer")

    @property
    def is_message(self) -> bool:
        """Whether it is an arrow of a ladder."""
        return self.id == MessageEvent.ID

    def field(self, name: str) -> str:
        """A field as text; empty when there is none."""
        return str(self.fields.get(name, ""))


def entry_of(record: Record) -> Entry:
    """Turn a record into plain data."""
    event = record.event
    fields = {name: _plain(value) for name, value in event.fields().items()}
    return Entry(record.at, record.role, event.ID, int(event.LEVEL), printable(event.text, TEXT_LIMIT), fields)


def merged(parts: Iterable[Iterable[Entry]]) -> list[Entry]:
    """Merge what several processes told into one list, by time."""
    return list(merge(*(sorted(part, key=attrgetter("at")) for part in parts), key=attrgetter("at")))


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, (bool, int, float)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        value = value.value
    elif isinstance(value, bytes) and not isinstance(value, Mac):
        value = value.hex()
    return printable(str(value), TEXT_LIMIT)
