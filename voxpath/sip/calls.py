"""The last calls that were redirected: what an operator sees of calls that this server takes no further part in."""

from enum import Enum
from typing import NamedTuple

from voxpath.model.event import printable
from voxpath.sip.message import Request

MOST_CALLS = 2000
"""Calls that are remembered; the oldest one is forgotten first."""
CALL_REMEMBERED_S = 600.0


class RedirectState(Enum):
    """How far a redirected call came, as far as this server can see."""

    REDIRECTED = "redirected"
    ACKNOWLEDGED = "acknowledged"


class RedirectedCall(NamedTuple):
    """An INVITE that was answered with 302.

    :ivar caller: the caller's address-of-record: as his credentials say if he was asked for any, else as its From header says.
    :ivar caller_phone: the identity of its phone; empty when it is not known.
    :ivar aor: who was called.
    :ivar callee_phone: the identity of the phone whose contact comes first.
    :ivar contact: the first contact that the caller was given.
    :ivar private: whether that names an inside address.
    :ivar reason: why it was this address.
    :ivar at: when, in seconds of the server's clock.
    """

    caller: str
    caller_phone: str
    aor: str
    callee_phone: str
    contact: str
    private: bool
    reason: str
    at: float
    state: RedirectState = RedirectState.REDIRECTED

    @property
    def path(self) -> str:
        """Which addresses the call uses, in a word."""
        return "private" if self.private else "public"


def call_key(request: Request) -> str:
    """What INVITE, its repetitions and its ACK have in common; the caller's next INVITE for this call has another number."""
    number, _, _ = request.value("cseq").replace("\t", " ").partition(" ")
    return f"{request.value('call-id')}\n{number}"


class RedirectedCalls:
    """A bounded memory of calls, oldest first."""

    def __init__(self) -> None:
        self._calls: dict[str, RedirectedCall] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._calls

    def add(self, key: str, call: RedirectedCall) -> None:
        """Remember a call."""
        if len(self._calls) >= MOST_CALLS:
            del self._calls[next(iter(self._calls))]
        self._calls[key] = call

    def acknowledge(self, key: str) -> RedirectedCall | None:
        """The caller has the contact and goes its way; tell which call it is, if it is remembered."""
        call = self._calls.get(key)
        if call is not None and call.state is RedirectState.REDIRECTED:
            self._calls[key] = call = call._replace(state=RedirectState.ACKNOWLEDGED)
        return call

    def states(self) -> tuple[RedirectedCall, ...]:
        """All remembered calls, with texts that are safe for a terminal."""
        return tuple(
            call._replace(caller=printable(call.caller), contact=printable(call.contact), aor=printable(call.aor))
            for call in self._calls.values()
        )

    def tick(self, now: float) -> None:
        """Forget calls of long ago."""
        while self._calls:
            key = next(iter(self._calls))
            if self._calls[key].at + CALL_REMEMBERED_S > now:
                return
            del self._calls[key]

    def next_due(self) -> float | None:
        """When the oldest one is to be forgotten."""
        if not self._calls:
            return None
        return next(iter(self._calls.values())).at + CALL_REMEMBERED_S
