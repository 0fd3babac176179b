"""What happens on the phone's own side."""

from dataclasses import dataclass
from typing import ClassVar

from voxpath.model.event import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSent(Event):
    """The first packet of a stream left the phone."""

    ID: ClassVar[str] = "MEDIA_SENT"
    TEXT: ClassVar[str] = "{phone} sends a tone of {tone_hz} Hz from {local} to {remote}"

    local: str
    remote: str
    tone_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaHeard(Event):
    """What the phone hears changed: a tone began, or another one, or silence (``tone_hz`` 0)."""

    ID: ClassVar[str] = "MEDIA_HEARD"
    TEXT: ClassVar[str] = "{phone} hears {tone_hz} Hz at {level_dbm0} dBm0 from {remote}"

    remote: str
    tone_hz: int
    level_dbm0: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRefused(Event):
    """A packet came from elsewhere than the remote side of the call; told once per remote, counted always."""

    ID: ClassVar[str] = "MEDIA_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} drops media from {source}: the call is with {remote}"

    source: str
    remote: str
