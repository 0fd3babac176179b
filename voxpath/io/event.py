"""Events of the driver, the ports and the store."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class CoreFault(Event, frozen=True, kw_only=True):
    """A core raised: our own bug. The transaction ended, its input is in the log, and all others go on."""

    ID: ClassVar[str] = "CORE_FAULT"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "{error} (input {input}); report it with this line"

    error: str
    input: str


class SourceQuarantined(Event, frozen=True, kw_only=True):
    """The same input from one source raised too often: the source is not listened to for a while."""

    ID: ClassVar[str] = "SOURCE_QUARANTINED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "{source} is ignored for {seconds:g} s: the same input failed {times} times"

    source: str
    seconds: float
    times: int


class SendFailed(Event, frozen=True, kw_only=True):
    """The kernel did not take a datagram; the protocol's own retransmission has to make up for it."""

    ID: ClassVar[str] = "SEND_FAILED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "a datagram to {destination} was not sent: {reason}"

    destination: str
    reason: str


class CommitRefused(Event, frozen=True, kw_only=True):
    """A change did not become durable: nothing was acknowledged, and memory is as before."""

    ID: ClassVar[str] = "COMMIT_REFUSED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "a change was not stored and nothing was acknowledged: {reason}"

    reason: str


class ApplyRefused(Event, frozen=True, kw_only=True):
    """A stored change did not reach the NAT back end: nothing was acknowledged."""

    ID: ClassVar[str] = "APPLY_REFUSED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "a change did not reach the NAT and nothing was acknowledged: {reason}"

    reason: str
