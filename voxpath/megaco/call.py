"""One call between two lines, as the controller keeps it."""

from enum import Enum
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.megaco.association import Line
from voxpath.megaco.package import CG_BUSY, CG_SPECIAL_INFORMATION
from voxpath.model.call import Selection
from voxpath.model.media import MediaEnd, MediaSession, pair


class Cause(Enum):
    """Why a call was refused or released."""

    HANG_UP = "hang-up"
    BUSY = "the callee is busy"
    UNKNOWN_NUMBER = "the number is unknown"
    NOT_REGISTERED = "the callee is not registered"
    NO_ANSWER = "the callee does not answer"
    LOST = "a gateway was lost"
    FAILED = "a gateway refused its part"
    TOO_SLOW = "a gateway is too slow"
    FULL = "too many calls"


TONES = {
    Cause.HANG_UP: CG_BUSY,
    Cause.BUSY: CG_BUSY,
    Cause.UNKNOWN_NUMBER: CG_SPECIAL_INFORMATION,
}
"""What a line hears when its call is over; congestion tone for every other cause (RFC 3525 E.7)."""


class CallPhase(Enum):
    """How far a call has come."""

    SETTING_UP = "setting up"
    RINGING = "ringing"
    TALKING = "talking"
    RELEASING = "releasing"


class Leg:
    """One side of a call.

    :ivar address: the selected address of this side: in its own Local and in the other side's Remote.
    :ivar port: its RTP port, as its gateway chose it.
    :ivar context: at its gateway; ``None``: there is none (yet).
    :ivar adding: whether an Add is under way.
    :ivar over: whether its gateway has nothing left of the call.
    """

    __slots__ = ("adding", "address", "context", "line", "over", "port", "releasing", "statistics", "stream")

    def __init__(self, line: Line, address: IPv4Address) -> None:
        self.line = line
        self.address = address
        self.port = 0
        self.context: int | None = None
        self.stream = ""
        self.adding = False
        self.releasing = False
        self.over = True
        self.statistics: dict[str, str] = {}


class Call:
    """A call.

    :ivar early: the callee went off-hook before its gateway's reply to the ringing arrived.
    """

    __slots__ = ("answered", "began", "callee", "caller", "cause", "digits", "early", "number", "phase", "released", "selection")

    def __init__(self, number: int, digits: str, caller: Line, callee: Line, selection: Selection, now: float) -> None:
        self.number = number
        self.digits = digits
        self.selection = selection
        self.caller = Leg(caller, selection.first)
        self.callee = Leg(callee, selection.second)
        self.phase = CallPhase.SETTING_UP
        self.cause = Cause.HANG_UP
        self.early = False
        self.began = now
        self.answered = 0.0
        self.released = 0.0

    @property
    def legs(self) -> tuple[Leg, Leg]:
        """Both sides."""
        return self.caller, self.callee

    def leg(self, line: Line) -> Leg:
        """The side of a line."""
        return self.caller if self.caller.line is line else self.callee

    @property
    def talked_s(self) -> float:
        """How long it lasted from answer to release, in seconds."""
        return max(0.0, self.released - self.answered) if self.answered and self.released else 0.0


def session_of(call: Call) -> MediaSession:
    """The media of a call whose legs have their ports."""
    return MediaSession(
        str(call.number), _end(call.caller), _end(call.callee), call.selection.private, call.phase is CallPhase.TALKING
    )


def _end(leg: Leg) -> MediaEnd:
    association = leg.line.association
    return MediaEnd(association.phone, leg.address, pair(leg.port), association.registration.private)


class CallState(NamedTuple):
    """A call as commands show it."""

    number: int
    caller: str
    callee: str
    digits: str
    phase: str
    private: bool
    reason: str
    caller_media: str
    callee_media: str
    began: float
    answered: float


def state_of(call: Call) -> CallState:
    """Show a call."""
    caller, callee = call.legs
    return CallState(
        number=call.number,
        caller=caller.line.association.phone,
        callee=callee.line.association.phone,
        digits=call.digits,
        phase=call.phase.value,
        private=call.selection.private,
        reason=call.selection.reason,
        caller_media=f"{caller.address}:{caller.port}",
        callee_media=f"{callee.address}:{callee.port}",
        began=call.began,
        answered=call.answered,
    )
