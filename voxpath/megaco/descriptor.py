"""The descriptors of MEGACO commands (RFC 3525 section 7.1), as values.

They are :class:`msgspec.Struct` values and not dataclasses, because a codec makes a dozen of them for each message and their
constructor is written in C; use :func:`msgspec.structs.replace` for a changed copy.
Letter case is kept as it came; names compare case-insensitively on the wire, so compare ``name.lower()``.
"""

from enum import Enum, StrEnum
from typing import TypeAlias

from msgspec import Struct

from voxpath.megaco.mid import MId


class Quoted(str):
    """A value that stands in double quotes on the wire; equal to the plain text."""

    __slots__ = ()


class Relation(Enum):
    """How a parameter relates to its values (RFC 3525 Annex B ``parmValue``)."""

    EQUAL = "="
    GREATER = ">"
    LESS = "<"
    UNEQUAL = "#"
    ALL_OF = "[]"
    ONE_OF = "{}"
    RANGE = "[:]"


class Property(Struct, frozen=True):
    """A property, parameter, statistic or extension with its value: ``nt/jit=40``, ``strict=state``, ``X-mine="text"``.

    :ivar values: one text; several for ``ALL_OF`` and ``ONE_OF``; two for ``RANGE``; none for a statistic without a value.
    """

    name: str
    values: tuple[str, ...]
    relation: Relation = Relation.EQUAL

    @property
    def value(self) -> str:
        """The first value; empty when there is none."""
        return self.values[0] if self.values else ""


def parameter(name: str, value: str | int) -> Property:
    """Make a plain ``name=value``."""
    return Property(name, (value if isinstance(value, str) else str(value),))


class Raw(Struct, frozen=True):
    """Something that voxpath does not interpret but keeps: Topology, Modem, Mux, and what later versions add.

    :ivar name: its first token as it came.
    :ivar text: the rest, with comments and superfluous white space removed.
    """

    name: str
    text: str = ""


class StreamMode(StrEnum):
    """The direction of a stream (RFC 3525 section 7.1.7)."""

    SEND_ONLY = "SendOnly"
    RECEIVE_ONLY = "ReceiveOnly"
    SEND_RECEIVE = "SendReceive"
    INACTIVE = "Inactive"
    LOOPBACK = "Loopback"


class ServiceState(StrEnum):
    """The service state of a termination (RFC 3525 section 7.1.5)."""

    TEST = "Test"
    OUT_OF_SERVICE = "OutOfService"
    IN_SERVICE = "InService"


class EventBufferControl(StrEnum):
    """Whether events are processed one at a time (RFC 3525 section 7.1.5)."""

    OFF = "OFF"
    LOCK_STEP = "LockStep"


class LocalControl(Struct, frozen=True):
    """Properties of a stream that are of interest to both ends (RFC 3525 section 7.1.7)."""

    mode: StreamMode | None = None
    reserved_value: bool | None = None
    reserved_group: bool | None = None
    properties: tuple[Property, ...] = ()


class Stream(Struct, frozen=True):
    """One stream of a termination (RFC 3525 section 7.1.6).

    :ivar number: ``None``: the parameters stood directly in the Media descriptor, which means stream 1.
    :ivar local: SDP text of what the gateway receives; ``None``: absent, keep what was; empty: release.
    :ivar remote: SDP text of what the gateway sends to.
    :ivar extras: parameters of later versions.
    """

    number: int | None = None
    control: LocalControl | None = None
    local: str | None = None
    remote: str | None = None
    extras: tuple[Raw, ...] = ()


class TerminationState(Struct, frozen=True):
    """Properties of a termination that belong to no stream (RFC 3525 section 7.1.5)."""

    service: ServiceState | None = None
    buffer: EventBufferControl | None = None
    properties: tuple[Property, ...] = ()


class Media(Struct, frozen=True):
    """All streams and the state of a termination (RFC 3525 section 7.1.4)."""

    streams: tuple[Stream, ...] = ()
    state: TerminationState | None = None

    def stream(self, number: int = 1) -> Stream | None:
        """Find a stream; parameters outside any Stream descriptor are stream 1."""
        return next((each for each in self.streams if (each.number or 1) == number), None)


class DigitMapDescriptor(Struct, frozen=True):
    """A dialling plan, or a reference to one (RFC 3525 section 7.1.14).

    :ivar name: empty: the body stands alone.
    :ivar body: timers and patterns without white space, for :meth:`voxpath.megaco.digitmap.DigitMap.parse`;
        ``None``: only the name is given.
    """

    name: str = ""
    body: str | None = None


class SignalType(StrEnum):
    """How a signal ends (RFC 3525 section 7.1.11)."""

    ON_OFF = "OnOff"
    TIME_OUT = "TimeOut"
    BRIEF = "Brief"


class CompletionReason(StrEnum):
    """Why a signal ended, for NotifyCompletion (RFC 3525 section 7.1.11)."""

    TIME_OUT = "TimeOut"
    BY_EVENT = "IntByEvent"
    BY_SIGNALS = "IntBySigDescr"
    OTHER = "OtherReason"


class Signal(Struct, frozen=True):
    """One signal to apply, such as ``al/ri``.

    :ivar duration: in hundredths of a second.
    """

    name: str
    parameters: tuple[Property, ...] = ()
    type: SignalType | None = None
    duration: int | None = None
    stream: int | None = None
    keep_active: bool = False
    notify_completion: tuple[CompletionReason, ...] = ()


class SignalList(Struct, frozen=True):
    """Signals that are played one after the other."""

    number: int
    signals: tuple[Signal, ...]


class Signals(Struct, frozen=True):
    """The signals that replace those that play now; none: silence (RFC 3525 section 7.1.11)."""

    signals: tuple[Signal | SignalList, ...] = ()


class RequestedEvent(Struct, frozen=True):
    """An event to be notified, such as ``al/of``, and what to do at once when it happens (RFC 3525 section 7.1.9).

    :ivar digit_map: for ``dd/ce``: the map by name or by value.
    :ivar signals: embedded signals, applied when the event happens.
    :ivar events: embedded events, which replace the present ones when the event happens.
    """

    name: str
    parameters: tuple[Property, ...] = ()
    digit_map: DigitMapDescriptor | None = None
    keep_active: bool = False
    stream: int | None = None
    signals: Signals | None = None
    events: "Events | None" = None
    extras: tuple[Raw, ...] = ()


class Events(Struct, frozen=True):
    """The events that replace those requested before (RFC 3525 section 7.1.9).

    :ivar request_id: ``None`` with no events: nothing is to be notified any more; ``0xFFFFFFFF`` is ``*``.
    """

    request_id: int | None = None
    events: tuple[RequestedEvent, ...] = ()


class ObservedEvent(Struct, frozen=True):
    """An event that happened, or one of the EventBuffer.

    :ivar time: ``yyyymmddThhmmsscc`` in UTC; empty: not given.
    """

    name: str
    parameters: tuple[Property, ...] = ()
    time: str = ""
    stream: int | None = None

    def parameter(self, name: str) -> str:
        """The value of a parameter, by its name in any letter case; empty when absent."""
        wanted = name.lower()
        return next((each.value for each in self.parameters if each.name.lower() == wanted), "")


class ObservedEvents(Struct, frozen=True):
    """The events that a Notify reports (RFC 3525 section 7.1.17)."""

    request_id: int | None = None
    events: tuple[ObservedEvent, ...] = ()


class EventBuffer(Struct, frozen=True):
    """The events that are kept while none is requested (RFC 3525 section 7.1.10)."""

    events: tuple[ObservedEvent, ...] = ()


class Audit(Struct, frozen=True):
    """What an audit asks for (RFC 3525 section 7.1.12): descriptor names in their long form, such as ``Media``."""

    items: tuple[str | Raw, ...] = ()


class Statistics(Struct, frozen=True):
    """Statistics of a termination (RFC 3525 section 7.1.15)."""

    values: tuple[Property, ...] = ()


class Package(Struct, frozen=True):
    """A package that a termination realises."""

    name: str
    version: int


class Packages(Struct, frozen=True):
    """The packages that a termination realises (RFC 3525 section 7.1.16)."""

    packages: tuple[Package, ...] = ()


class ServiceChangeMethod(StrEnum):
    """The kinds of service change (RFC 3525 section 7.2.8); an extension is plain text such as ``X-Rest``."""

    GRACEFUL = "Graceful"
    FORCED = "Forced"
    RESTART = "Restart"
    DISCONNECTED = "Disconnected"
    HANDOFF = "HandOff"
    FAILOVER = "Failover"


class Services(Struct, frozen=True):
    """The parameters of a ServiceChange or of its reply (RFC 3525 section 7.1.13).

    :ivar method: a :class:`ServiceChangeMethod` or an extension; empty: absent, as in a reply.
    :ivar reason: code and text, such as ``901 Cold Boot``; empty: absent.
    :ivar delay: in seconds.
    :ivar address: an mId, or a bare port of the sender's address.
    :ivar timestamp: ``yyyymmddThhmmsscc`` in UTC; empty: absent.
    """

    method: str = ""
    reason: str = ""
    delay: int | None = None
    address: MId | int | None = None
    mgc_id: MId | None = None
    profile: str = ""
    version: int | None = None
    timestamp: str = ""
    extensions: tuple[Property, ...] = ()
    extras: tuple[Raw, ...] = ()

    @property
    def reason_code(self) -> int | None:
        """The number at the start of the reason; ``None`` when there is none."""
        digits = self.reason.split(" ", 1)[0]
        return int(digits) if digits.isdecimal() and len(digits) <= 4 else None


class ErrorDescriptor(Struct, frozen=True):
    """An error code of H.248.8 with its text (RFC 3525 section 7.1.19)."""

    code: int
    text: str = ""


Descriptor: TypeAlias = (
    Media
    | Events
    | EventBuffer
    | Signals
    | DigitMapDescriptor
    | Audit
    | Services
    | ObservedEvents
    | Statistics
    | Packages
    | ErrorDescriptor
    | Raw
)
