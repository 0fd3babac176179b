"""What happens between a media gateway controller and its gateways."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class MegacoPeerError(Event, frozen=True, kw_only=True):
    """A peer could not read our message, and says so."""

    ID: ClassVar[str] = "MEGACO_PEER_ERROR"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{source} refuses our message: {error}"

    source: str
    error: str


class MegacoRefused(Event, frozen=True, kw_only=True):
    """A request was refused before it was looked at."""

    ID: ClassVar[str] = "MEGACO_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "request from {source} refused: {reason}"

    source: str
    reason: str


class GatewayRegistered(Event, frozen=True, kw_only=True):
    """A media gateway registered; the addresses are what calls will use.

    :ivar origin: where the private address comes from.
    """

    ID: ClassVar[str] = "MGC_REGISTERED"
    TEXT: ClassVar[str] = "{mid} registered: public {public}, private {private} from {origin}, {method} {reason}"

    mid: str
    public: str
    private: str
    origin: str
    method: str
    reason: str


class RegistrationRefused(Event, frozen=True, kw_only=True):
    """A media gateway was not registered."""

    ID: ClassVar[str] = "MGC_REGISTRATION_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{mid} at {source} not registered: {reason}"

    mid: str
    source: str
    reason: str


class GatewayWithdrawn(Event, frozen=True, kw_only=True):
    """A media gateway ended its registration, or its phone registered anew under another name."""

    ID: ClassVar[str] = "MGC_WITHDRAWN"
    TEXT: ClassVar[str] = "{mid} withdrawn: {reason}"

    mid: str
    reason: str


class GatewayLost(Event, frozen=True, kw_only=True):
    """A media gateway does not answer; its registration and calls are cleared."""

    ID: ClassVar[str] = "MGC_GATEWAY_LOST"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{mid} at {contact} is lost: {reason}"

    mid: str
    contact: str
    reason: str


class LineRefused(Event, frozen=True, kw_only=True):
    """A line could not be prepared for calls."""

    ID: ClassVar[str] = "MGC_LINE_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{termination} of {phone} cannot be used: {reason}"

    termination: str
    reason: str


class TriangleDecided(Event, frozen=True, kw_only=True):
    """Which addresses the two sides of a call are given (TRI-1)."""

    ID: ClassVar[str] = "MGC_TRIANGLE"
    TEXT: ClassVar[str] = "{phone} to {peer}: {kind} addresses {first} and {second}, since {reason}"

    call: int
    kind: str
    first: str
    second: str
    reason: str


class CallRinging(Event, frozen=True, kw_only=True):
    """The callee rings."""

    ID: ClassVar[str] = "MGC_CALL_RINGING"
    TEXT: ClassVar[str] = "call {call}: {phone} dialled {digits}, {peer} rings"

    call: int
    digits: str


class CallAnswered(Event, frozen=True, kw_only=True):
    """The callee answered."""

    ID: ClassVar[str] = "MGC_CALL_ANSWERED"
    TEXT: ClassVar[str] = "call {call}: {peer} answers {phone}"

    call: int


class CallReleased(Event, frozen=True, kw_only=True):
    """A call is over, and no context of it is left.

    :ivar cause: why, as :class:`voxpath.megaco.call.Cause` names it.
    :ivar talked_s: from answer to release; 0 when it was never answered.
    :ivar caller_statistics: what the caller's gateway reports, by the names of the packages; likewise for the callee.
    """

    ID: ClassVar[str] = "MGC_CALL_RELEASED"
    TEXT: ClassVar[str] = "call {call}: {phone} and {peer} released after {talked_s:.1f} s, {cause}"

    call: int
    cause: str
    talked_s: float
    caller_statistics: dict[str, str]
    callee_statistics: dict[str, str]


class CallRefused(Event, frozen=True, kw_only=True):
    """A call could not be set up; the caller hears why (CSU-14)."""

    ID: ClassVar[str] = "MGC_CALL_REFUSED"
    TEXT: ClassVar[str] = "{phone} dialled {digits}: refused, {cause}"

    digits: str
    cause: str
