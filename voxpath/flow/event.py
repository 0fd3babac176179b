"""What an operator may see of calls across protocols."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class OneWayAudio(Event, frozen=True, kw_only=True):
    """Media of a call flows in one direction only; ``phone`` is the one that does not hear ``peer``.

    :ivar seconds: for how long that has been so.
    :ivar cause: the likely one, in the words of :class:`voxpath.flow.oneway.Cause`.
    :ivar detail: what it is concluded from, and what to look at.
    """

    ID: ClassVar[str] = "ONE_WAY_AUDIO"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} has not heard {peer} for {seconds:.0f} s: {cause}: {detail}"

    seconds: float
    cause: str
    detail: str


class AudioBack(Event, frozen=True, kw_only=True):
    """Media flows again in the direction that was silent."""

    ID: ClassVar[str] = "AUDIO_BACK"
    TEXT: ClassVar[str] = "{phone} hears {peer} now"
