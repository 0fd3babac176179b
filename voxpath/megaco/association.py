"""One registered gateway as the controller sees it, with its lines (RFC 3525 section 11)."""

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from voxpath.megaco.incoming import Peer
from voxpath.megaco.message import Action
from voxpath.model.registration import Registration

if TYPE_CHECKING:
    from voxpath.megaco.call import Call

MOST_LINES = 256
"""Lines of one gateway; further ones are not armed."""

LONGEST_NAME = 64
"""Characters of a line's name (RFC 3525 Annex B.2, pathNAME); it is ASCII there, and stored as text."""

MOST_ERRANDS = 16
"""Orders that wait for one line; a gateway that lets more pile up is lost."""


class LinePhase(Enum):
    """What a line is doing."""

    UNKNOWN = "unknown"
    """It could not be prepared, so it is not called."""
    ARMING = "arming"
    IDLE = "idle"
    """Its gateway will tell when it goes off-hook."""
    DIALLING = "dialling"
    CALLING = "calling"
    CALLED = "called"
    TONE = "tone"
    """It hears why there is no call, until it hangs up."""


class Step(Enum):
    """What an order is for."""

    AUDIT = "audit"
    ARM = "arm"
    DIAL = "dial"
    ADD_CALLER = "add caller"
    ADD_CALLEE = "add callee"
    RINGBACK = "ringback"
    CONNECT = "connect"
    RELEASE = "release"
    TONE = "tone"


class Errand(NamedTuple):
    """One transaction that is wanted of a gateway."""

    association: "Association"
    line: "Line | None"
    step: Step
    actions: tuple[Action, ...]
    call: "Call | None" = None


class Line:
    """One analogue line.

    Orders to one line are carried out one after the other: UDP may reverse them, and a line that is armed before its tone is
    switched off would keep the tone.

    :ivar request_id: of the events asked for last; ``None``: not known.
    """

    __slots__ = ("association", "call", "errand", "phase", "queue", "request_id", "termination")

    def __init__(self, association: "Association", termination: str) -> None:
        self.association = association
        self.termination = termination
        self.phase = LinePhase.UNKNOWN
        self.call: Call | None = None
        self.errand: Errand | None = None
        self.queue: deque[Errand] = deque()
        self.request_id: int | None = None

    @property
    def releasing(self) -> bool:
        """Whether its gateway was told to take it out of a context, and has not answered yet."""
        under_way = (self.errand, *self.queue)
        return any(errand is not None and errand.step is Step.RELEASE for errand in under_way)


class Association:
    """A registered gateway.

    :ivar gone: it was lost, withdrawn or replaced; what still refers to it is void.
    :ivar audits: how often its terminations were asked for.
    """

    __slots__ = ("audits", "gone", "lines", "peer", "registration")

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self.peer = Peer(registration.mid, registration.contact)
        self.lines: dict[str, Line] = {}
        self.gone = False
        self.audits = 0
        for termination in registration.terminations:
            self.line(termination)

    @property
    def phone(self) -> str:
        """The identity for events."""
        return self.registration.phone

    def line(self, termination: str) -> Line | None:
        """Find a line, or add it; ``None``: the gateway has too many, or this cannot be a name. Case makes no difference."""
        key = termination.lower()
        line = self.lines.get(key)
        if line is None and len(self.lines) < MOST_LINES and _is_name(termination):
            line = self.lines[key] = Line(self, termination)
        return line


def _is_name(termination: str) -> bool:
    return termination.isascii() and termination.isprintable() and " " not in termination and len(termination) <= LONGEST_NAME
