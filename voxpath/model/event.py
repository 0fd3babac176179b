"""Events: every fact that an operator may want to see is a type with a stable identifier.

Log, ladder and ``voxpath ctl why`` are fed from events alone.
A package declares its events in its own ``event`` module by subclassing :class:`Event`.
"""

from enum import IntEnum
from typing import Any, ClassVar

from msgspec import Struct


class Level(IntEnum):
    """How much an event matters to an operator."""

    TRACE = 0
    """Single messages: kept for ladders, not logged."""
    INFO = 1
    WARNING = 2
    ERROR = 3


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """The base of all events; a :class:`msgspec.Struct`, since every message on the wire makes some of them.

    :cvar ID: stable identifier, printed in logs and documented; unique over all subclasses.
    :cvar LEVEL: importance.
    :cvar TEXT: one line with the fields' names in braces.
    :cvar AUDIT: whether every single one is logged, whatever the log's level and however many come in a second.
    :ivar phone: the phone that it is about: a MAC in text form, a gateway's message identifier, or empty.
    :ivar peer: the other phone, where two are concerned.
    """

    ID: ClassVar[str] = ""
    LEVEL: ClassVar[Level] = Level.INFO
    TEXT: ClassVar[str] = ""
    AUDIT: ClassVar[bool] = False
    catalogue: ClassVar[dict[str, type["Event"]]] = {}

    phone: str = ""
    peer: str = ""

    def __init_subclass__(cls) -> None:
        known = Event.catalogue.get(cls.ID)
        if known is not None:
            raise TypeError(f"event identifier {cls.ID} is used by {known.__qualname__} and {cls.__qualname__}")
        if cls.ID:
            Event.catalogue[cls.ID] = cls

    @property
    def text(self) -> str:
        """The event in one line."""
        return self.TEXT.format(**self.fields())

    def fields(self) -> dict[str, Any]:
        """The event's fields by name, for structured logs and for JSON."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class MessageEvent(Event, frozen=True, kw_only=True):
    """A protocol message that was sent or received: one arrow of a ladder.

    :ivar protocol: its name: ``DHCP``, ``TFTP``, ``MEGACO``, ``RTP``.
    :ivar sender: the role or the phone that sent it.
    :ivar receiver: the role or the phone that it went to.
    :ivar summary: the message in a few words, escaped for a terminal.
    """

    ID: ClassVar[str] = "MESSAGE"
    LEVEL: ClassVar[Level] = Level.TRACE
    TEXT: ClassVar[str] = "{protocol} {sender} -> {receiver}: {summary}"

    protocol: str
    sender: str
    receiver: str
    summary: str


class Malformed(Event, frozen=True, kw_only=True):
    """A peer's message broke its protocol; it was counted and cost nothing else."""

    ID: ClassVar[str] = "MALFORMED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{protocol} message from {source} refused: {reason}"

    protocol: str
    source: str
    reason: str


def printable(text: str, limit: int = 200) -> str:
    """Make text from the wire safe for a terminal, a log and a ladder: control characters are escaped, length is bounded."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    if cut.isprintable():
        return cut
    return "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii") for ch in cut)
