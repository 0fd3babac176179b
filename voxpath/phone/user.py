"""A person at a phone: answers, hangs up on a busy tone, and makes calls by a timetable; for demonstrations and load."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum

from voxpath.core.effects import Datagram, Effect, Effects, Outcome
from voxpath.core.timers import TimerHeap, earliest
from voxpath.phone.gateway import Gateway, LineState
from voxpath.phone.line import Sound
from voxpath.phone.phone import Phone

LINE = 1
"""A person uses the first line."""


REFUSALS = frozenset({Sound.BUSY, Sound.CONGESTION, Sound.UNKNOWN_NUMBER})


@dataclass(frozen=True, slots=True)
class Timetable:
    """Calls that the person makes.

    :ivar after_s: from registration to the first call.
    :ivar length_s: from answer to hang-up.
    :ivar every_s: from the beginning of one call to that of the next; 0: one call only.
    """

    number: str
    after_s: float
    length_s: float
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What the person does.

    :ivar answer_after_s: rings for so long before it is answered; ``None``: never answered.
    :ivar hang_up_after_s: hears a busy tone for so long.
    """

    answer_after_s: float | None = None
    hang_up_after_s: float = 1.0
    calls: tuple[Timetable, ...] = ()


class Intent(Enum):
    """What the person is about to do, and why the timer runs."""

    ANSWER = "answer"
    GIVE_UP = "give up"
    END = "end"


Waiting = Intent | Timetable


class User:
    """A phone with a person: the phone's core, watched after each input."""

    def __init__(self, phone: Phone, habits: Habits) -> None:
        self.phone = phone
        self._habits = habits
        self._timers: TimerHeap[Waiting] = TimerHeap()
        self._planned = False
        self._dialling: Timetable | None = None
        self._call: Timetable | None = None

    # What somebody else may do with the phone.

    def start(self, now: float) -> Effects:
        """Power on."""
        return self._watched(self.phone.start, now)

    def stop(self, now: float) -> Effects:
        """Power off."""
        return self.phone.stop(now)

    def off_hook(self, line: int, now: float) -> Effects:
        """Lift the handset."""
        return self._watched(lambda at: self.phone.off_hook(line, at), now)

    def dial(self, line: int, digits: str, now: float) -> Effects:
        """Press keys."""
        return self._watched(lambda at: self.phone.dial(line, digits, at), now)

    def on_hook(self, line: int, now: float) -> Effects:
        """Put the handset down."""
        self._call = self._dialling = None
        return self._watched(lambda at: self.phone.on_hook(line, at), now)

    # The core.

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Give the datagram to the phone."""
        return self._watched(lambda at: self.phone.receive(datagram, at), now)

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Give the outcome to the phone."""
        return self._watched(lambda at: self.phone.resolve(token, outcome, at), now)

    def tick(self, now: float) -> Effects:
        """Run what is due, of the phone and of the person."""
        effects = list(self._watched(self.phone.tick, now))
        for due in self._timers.due(now):
            effects += self._watched(lambda at, due=due: self._do(due, at), now)  # type: ignore[misc]  # a default binds the loop's value
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return earliest(self.phone.next_due(), self._timers.next_due())

    # The person.

    def _watched(self, step: Callable[[float], Effects], now: float) -> list[Effect]:
        effects = list(step(now))
        line = self._line()
        if line is not None:
            self._plan(now)
            effects += self._look(line, now)
        return effects

    def _line(self) -> LineState | None:
        gateway = self.phone.gateway
        if not isinstance(gateway, Gateway) or gateway.controller is None:
            return None
        return gateway.state(LINE)

    def _plan(self, now: float) -> None:
        """Begin the timetables when the phone is registered for the first time."""
        if not self._planned:
            self._planned = True
            for timetable in self._habits.calls:
                self._timers.arm(timetable, now + timetable.after_s)

    def _look(self, line: LineState, now: float) -> Effects:
        """See what the phone does, and think about what to do next."""
        answer_after_s = self._habits.answer_after_s
        ringing = not line.off_hook and line.sound is Sound.RINGING
        self._intend(Intent.ANSWER, ringing and answer_after_s is not None, now + (answer_after_s or 0.0))
        refused = line.off_hook and line.sound in REFUSALS
        self._intend(Intent.GIVE_UP, refused, now + self._habits.hang_up_after_s)
        if self._dialling is not None and line.off_hook and line.sound is Sound.DIAL_TONE:
            self._call, self._dialling = self._dialling, None
            return self.phone.dial(LINE, self._call.number, now)
        if self._call is not None:
            self._intend(Intent.END, line.connected, now + self._call.length_s)
        return ()

    def _intend(self, intent: Intent, wanted: bool, due: float) -> None:
        if not wanted:
            self._timers.disarm(intent)
        elif intent not in self._timers:
            self._timers.arm(intent, due)

    def _do(self, due: Waiting, now: float) -> Effects:
        if isinstance(due, Timetable):
            return self._begin(due, now)
        if due is Intent.ANSWER:
            return self.phone.off_hook(LINE, now)
        self._call = self._dialling = None
        return self.phone.on_hook(LINE, now)

    def _begin(self, timetable: Timetable, now: float) -> Effects:
        if timetable.every_s:
            self._timers.arm(timetable, now + timetable.every_s)
        line = self._line()
        if line is None or line.off_hook or line.sound is Sound.RINGING:
            return ()
        self._dialling = timetable
        return self.phone.off_hook(LINE, now)
