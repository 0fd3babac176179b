"""One analogue line of the phone: its hook, its keys, what it hears, and what the controller wants to be told."""

from dataclasses import dataclass
from enum import Enum

from voxpath.core.errors import RemoteError
from voxpath.megaco.code import NO_DIGIT_MAP, NO_SUCH_EVENT, NO_SUCH_SIGNAL
from voxpath.megaco.digitmap import LONGEST_DIALLED, DigitMap, Matcher, Verdict
from voxpath.megaco.message import Events, ObservedEvent, Property, Quoted, RequestedEvent, Signal, Signals, parameter
from voxpath.megaco.package import (
    AL_OFF_HOOK,
    AL_ON_HOOK,
    AL_RING,
    AL_STATE,
    AL_STRICT,
    CG_BUSY,
    CG_CONGESTION,
    CG_DIAL,
    CG_RINGING,
    CG_SPECIAL_INFORMATION,
    DD_COMPLETION,
    DD_DIGITS,
    DD_METHOD,
)


class Sound(Enum):
    """What a line hears or does."""

    SILENCE = "silence"
    RINGING = "ringing"
    DIAL_TONE = "dial tone"
    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    UNKNOWN_NUMBER = "unknown number"
    OTHER = "other tone"
    CONNECTED = "connected"


SOUNDS = {
    AL_RING: Sound.RINGING,
    CG_DIAL: Sound.DIAL_TONE,
    CG_RINGING: Sound.RINGBACK,
    CG_BUSY: Sound.BUSY,
    CG_CONGESTION: Sound.CONGESTION,
    CG_SPECIAL_INFORMATION: Sound.UNKNOWN_NUMBER,
}
PACKAGES_OF_TONES = ("cg/", "al/")
EVENTS = frozenset({AL_OFF_HOOK, AL_ON_HOOK, DD_COMPLETION})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The events of one Events descriptor, checked.

    :ivar hooks: the hook events and whether the present state counts, too (RFC 3525 E.9.2).
    """

    request_id: int
    hooks: dict[str, bool]
    digit_map: DigitMap | None = None


def wanted_of(events: Events, digit_maps: dict[str, DigitMap]) -> Wanted | None:
    """Check an Events descriptor; ``None``: nothing is wanted any more.

    :raises RemoteError: an event or a digit map is unknown.
    """
    if events.request_id is None or not events.events:
        return None
    hooks: dict[str, bool] = {}
    digit_map = None
    for event in events.events:
        name = event.name.lower()
        if name not in EVENTS:
            raise RemoteError("there is no such event", code=NO_SUCH_EVENT)
        if name == DD_COMPLETION:
            digit_map = _digit_map(event, digit_maps)
        else:
            hooks[name] = any(
                each.name.lower() == AL_STRICT and each.value.lower() == AL_STATE.lower() for each in event.parameters
            )
    return Wanted(events.request_id, hooks, digit_map)


def _digit_map(event: RequestedEvent, digit_maps: dict[str, DigitMap]) -> DigitMap:
    descriptor = event.digit_map
    if descriptor is not None and descriptor.body is not None:
        return DigitMap.parse(descriptor.body)
    found = digit_maps.get(descriptor.name.lower()) if descriptor is not None else None
    if found is None:
        raise RemoteError("there is no such digit map", code=NO_DIGIT_MAP)
    return found


def sound_of(signals: Signals) -> Sound:
    """Check a Signals descriptor.

    :raises RemoteError: a signal is unknown.
    """
    for signal in signals.signals:
        name = signal.name.lower() if isinstance(signal, Signal) else ""
        if not name.startswith(PACKAGES_OF_TONES):
            raise RemoteError("there is no such signal", code=NO_SUCH_SIGNAL)
        return SOUNDS.get(name, Sound.OTHER)
    return Sound.SILENCE


class PhoneLine:
    """A line.

    :ivar context: the number of the context that it is in; ``None``: the null context.
    :ivar sound: what the controller lets it hear.
    """

    __slots__ = ("_keys", "_matcher", "context", "off_hook", "sound", "termination", "timer_s", "wanted")

    def __init__(self, number: int) -> None:
        self.termination = f"line/{number}"
        self.context: int | None = None
        self.off_hook = False
        self.sound = Sound.SILENCE
        self.wanted: Wanted | None = None
        self.timer_s: float | None = None
        """When digits are collected: how long to wait for the next one; the owner arms a timer after each call."""
        self._matcher: Matcher | None = None
        self._keys = ""

    def reset(self) -> None:
        """Forget what a controller wanted, since it is gone."""
        self.wanted, self._matcher, self.timer_s, self.sound = None, None, None, Sound.SILENCE

    def want(self, wanted: Wanted | None) -> None:
        """Take other events; :meth:`due` tells which have happened already."""
        self.wanted, self._matcher, self.timer_s = wanted, None, None
        if wanted is not None and wanted.digit_map is not None:
            self._matcher = Matcher(wanted.digit_map)
            self.timer_s = self._matcher.begin().timer_s or None

    def due(self) -> list[ObservedEvent]:
        """The events that count as happened when they are asked for: a state, and keys that were pressed before."""
        found = []
        if self.wanted is not None and self.wanted.hooks.get(self._hook()):
            found.append(ObservedEvent(self._hook()))
        keys, self._keys = self._keys, ""
        return found + self.press(keys)

    def lift(self) -> list[ObservedEvent]:
        """Go off-hook; what rings stops."""
        self.off_hook, self.sound = True, Sound.SILENCE
        return self._observe()

    def hang_up(self) -> list[ObservedEvent]:
        """Go on-hook; all sound and collecting stops."""
        self.off_hook, self.sound = False, Sound.SILENCE
        self._matcher, self.timer_s, self._keys = None, None, ""
        return self._observe()

    def press(self, keys: str) -> list[ObservedEvent]:
        """Press keys, one after the other; those pressed before the controller collects any are kept for it."""
        for position, key in enumerate(keys):
            if self._matcher is None:
                if self.off_hook:
                    self._keys = (self._keys + keys[position:])[:LONGEST_DIALLED]
                return []
            self.sound = Sound.SILENCE
            outcome = self._matcher.digit(key)
            if outcome.verdict is not Verdict.NEED_MORE:
                return self._complete(outcome.digits, outcome.method.value if outcome.method is not None else "")
            self.timer_s = outcome.timer_s or None
        return []

    def late(self) -> list[ObservedEvent]:
        """The wait for the next key is over."""
        if self._matcher is None:
            return []
        outcome = self._matcher.timeout()
        return self._complete(outcome.digits, outcome.method.value if outcome.method is not None else "")

    def _complete(self, digits: str, method: str) -> list[ObservedEvent]:
        self._matcher, self.timer_s = None, None
        return [ObservedEvent(DD_COMPLETION, (Property(DD_DIGITS, (Quoted(digits),)), parameter(DD_METHOD, method)))]

    def _observe(self) -> list[ObservedEvent]:
        name = self._hook()
        return [ObservedEvent(name)] if self.wanted is not None and name in self.wanted.hooks else []

    def _hook(self) -> str:
        return AL_OFF_HOOK if self.off_hook else AL_ON_HOOK
