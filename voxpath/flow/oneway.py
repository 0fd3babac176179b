"""Finds calls whose media flows in one direction only, from what goes through the NAT for their phones.

Each call is looked at every second after its answer, and more rarely once media has flowed both ways.
The counters are those of a phone and not of a call: a phone with several calls tells nothing of any of them, and a handful of
packets of signalling is no media.
Calls between inside addresses pass no gateway and are not watched.

Silence alone is no fault: a phone may suppress it, or may not have been answered yet.
So a direction in which media has flowed before is told late; and where nobody here knows whether a call is answered, such as of one
that was redirected, only what is dropped here is told.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple, Protocol

from voxpath.core.timers import TimerHeap
from voxpath.flow.event import AudioBack, OneWayAudio
from voxpath.model.event import Event
from voxpath.model.media import MediaEnd, MediaSession

FLOWING_PPS: Final = 10.0
"""Media has no fewer packets in a second: 100 ms in each."""
SILENT_PPS: Final = 1.0
"""Signalling, RTCP and comfort noise have no more, over a second or two."""

SILENT_S: Final = 4.0
"""A direction that never worked is told after so many seconds of silence."""
LATER_S: Final = 30.0
"""The same of one that has worked: nobody listens for so long without any noise of comfort."""

LOOK_S: Final = 1.0
LOOK_LATER_S: Final = 10.0
"""From look to look, before media has flowed both ways and after that."""

MOST_LOOKS: Final = 64
"""Calls in one go; the others follow at once, and other things in between."""

SPOOFED, STRANGER = "spoofed_port", "stranger"
"""Reasons of drops that explain a silence (:class:`voxpath.nappt.verdict.Reason`)."""


class Cause(Enum):
    """Why one side is not heard, as far as can be told from here."""

    WRONG_PORT = "wrong source port"
    WRONG_ADDRESS = "wrong source address"
    DROPPED = "dropped here"
    PEER_SILENT = "peer silent"
    NO_INBOUND = "no packet inbound"


class Reading(Protocol):
    """A phone's counters (:class:`voxpath.natreactor.interface.PhoneCounters`)."""

    @property
    def out_packets(self) -> int:
        """What it sent and what passed."""

    @property
    def in_packets(self) -> int:
        """What it got."""

    @property
    def out_drops(self) -> Mapping[str, int]:
        """What it sent and what was dropped, by reason."""

    @property
    def in_drops(self) -> Mapping[str, int]:
        """What was for it and was dropped, by reason."""


Read = Callable[[MediaEnd], Reading | None]
"""Reads the counters of a phone; ``None``: it is not behind this gateway."""

Key = tuple[str, str]
"""A role, and its name for a session."""


class Rates(NamedTuple):
    """What went through for one phone in a second, and what was dropped."""

    out: float
    into: float
    out_drops: Mapping[str, float]
    in_drops: Mapping[str, float]


class Finding(NamedTuple):
    """Why somebody is not heard."""

    cause: Cause
    detail: str

    @property
    def certain(self) -> bool:
        """Whether it is a fault whatever the rest of the call does: media is sent, and does not pass."""
        return self.cause in {Cause.WRONG_PORT, Cause.WRONG_ADDRESS, Cause.DROPPED}


class Seen(NamedTuple):
    """What was seen of one direction between two looks.

    :ivar flows: whether media does; ``None``: it cannot be told.
    :ivar alone: whether the call is answered and media flows in the other direction.
    """

    sender: Rates | None
    receiver: Rates | None
    flows: bool | None
    alone: bool


class Direction:
    """The way of the media from one end to the other.

    :ivar worked: whether media has ever flowed.
    :ivar silent: since when none does; ``None``: some does, or it cannot be told.
    :ivar told: whether the operator knows.
    """

    __slots__ = ("receiver", "sender", "silent", "told", "worked")

    def __init__(self, sender: MediaEnd, receiver: MediaEnd) -> None:
        self.sender = sender
        self.receiver = receiver
        self.worked = False
        self.silent: float | None = None
        self.told = False

    def observed(self, seen: Seen, at: float, now: float) -> Iterator[Event]:
        """Take what was seen from ``at`` until ``now``."""
        phone, peer = self.receiver.phone, self.sender.phone
        if seen.flows is not False:
            self.silent = None
            self.worked = self.worked or seen.flows is True
            if self.told and seen.flows:
                self.told = False
                yield AudioBack(phone=phone, peer=peer)
            return
        if self.silent is None:
            self.silent = at
        lasted, finding = now - self.silent, _finding(seen, peer)
        patience = LATER_S if self.worked and not finding.certain else SILENT_S
        if lasted >= patience and not self.told and (finding.certain or seen.alone):
            self.told = True
            yield OneWayAudio(phone=phone, peer=peer, seconds=lasted, cause=finding.cause.value, detail=finding.detail)


class Watched:
    """A session that is looked at.

    :ivar read: the last readings, by the place of the end.
    :ivar at: when that was; ``None``: not yet.
    """

    __slots__ = ("at", "directions", "read", "session")

    def __init__(self, session: MediaSession) -> None:
        self.session = session
        self.read: list[Reading | None] = [None, None]
        self.at: float | None = None
        self.directions = (Direction(session.first, session.second), Direction(session.second, session.first))


class OneWayAudioWatch:
    """Watches all sessions of one process."""

    def __init__(self) -> None:
        self._watched: dict[Key, Watched] = {}
        self._calls: Counter[MediaEnd] = Counter()
        self._timers: TimerHeap[Key] = TimerHeap()

    def __len__(self) -> int:
        return len(self._watched)

    def connect(self, role: str, session: MediaSession, now: float) -> None:
        """A session begins, or has changed: what was seen of it before says nothing of other ends, or of before the answer."""
        self.disconnect(role, session.key)
        if session.inside:
            return
        self._watched[role, session.key] = Watched(session)
        self._calls.update(map(_phone, session.ends))
        self._timers.arm((role, session.key), now)

    def disconnect(self, role: str, key: str) -> None:
        """A session is over."""
        watched = self._watched.pop((role, key), None)
        if watched is not None:
            self._timers.disarm((role, key))
            for phone in map(_phone, watched.session.ends):
                self._calls[phone] -= 1
                if not self._calls[phone]:
                    del self._calls[phone]

    def abandon(self, role: str) -> None:
        """A role forgets its sessions."""
        for known, key in [key for key in self._watched if key[0] == role]:
            self.disconnect(known, key)

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._timers.next_due()

    def tick(self, now: float, read: Read) -> list[Event]:
        """Look at the sessions whose turn it is."""
        events: list[Event] = []
        due = self._timers.due(now)
        # In this order, since a timer that is taken has to be looked at.
        for _, key in zip(range(MOST_LOOKS), due, strict=False):
            watched = self._watched[key]
            events += self._look(watched, now, read)
            settled = all(direction.worked for direction in watched.directions) or not watched.session.talking
            self._timers.arm(key, now + (LOOK_LATER_S if settled else LOOK_S))
        return events

    def _look(self, watched: Watched, now: float, read: Read) -> Iterator[Event]:
        before, at = watched.read, watched.at
        watched.read = [read(end) if self._calls[_phone(end)] == 1 else None for end in watched.session.ends]
        watched.at = now
        if at is None or now <= at:
            return
        first, second = (_rates(old, new, now - at) for old, new in zip(before, watched.read, strict=True))
        there, back = watched.directions
        flows = _flows(first, second), _flows(second, first)
        talking = watched.session.talking
        yield from there.observed(Seen(first, second, flows[0], talking and flows[1] is True), at, now)
        yield from back.observed(Seen(second, first, flows[1], talking and flows[0] is True), at, now)


def _phone(end: MediaEnd) -> MediaEnd:
    """What counters belong to."""
    return end._replace(ports=(), phone="") if end.private is not None else end


def _rates(before: Reading | None, after: Reading | None, seconds: float) -> Rates | None:
    """``None``: not known, or the counters have begun anew."""
    if before is None or after is None or after.out_packets < before.out_packets or after.in_packets < before.in_packets:
        return None
    out, into = (after.out_packets - before.out_packets) / seconds, (after.in_packets - before.in_packets) / seconds
    return Rates(out, into, _grown(before.out_drops, after.out_drops, seconds), _grown(before.in_drops, after.in_drops, seconds))


def _grown(before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> Mapping[str, float]:
    return {reason: (count - before.get(reason, 0)) / seconds for reason, count in after.items()}


def _flows(sender: Rates | None, receiver: Rates | None) -> bool | None:
    """Whether media arrives, or leaves where nothing is known of the receiver; ``None``: neither is known, or it is a trickle."""
    rate = receiver.into if receiver is not None else sender.out if sender is not None else None
    if rate is None or SILENT_PPS < rate < FLOWING_PPS:
        return None
    return rate >= FLOWING_PPS


def _finding(seen: Seen, peer: str) -> Finding:
    """Why what one end sends is not heard by the other one."""
    sender, receiver = seen.sender, seen.receiver
    name = peer or "the peer"
    if sender is not None and sender.out_drops.get(SPOOFED, 0.0) >= FLOWING_PPS:
        return Finding(Cause.WRONG_PORT, f"{name} sends from ports that are not its own; NAT_SPOOFED_PORT names them")
    if receiver is not None and receiver.in_drops.get(STRANGER, 0.0) >= FLOWING_PPS:
        return Finding(Cause.WRONG_ADDRESS, f"media comes from elsewhere than {name} signalled, and is dropped as a stranger's")
    drops = (*(sender.out_drops.items() if sender else ()), *(receiver.in_drops.items() if receiver else ()))
    reason, rate = max(drops, key=lambda drop: drop[1], default=("", 0.0))
    if rate >= FLOWING_PPS:
        return Finding(Cause.DROPPED, f"what {name} sends is dropped here: {reason}")
    if sender is not None and sender.out < FLOWING_PPS:
        return Finding(Cause.PEER_SILENT, f"{name} sends nothing; look at its microphone, and whether it has the call")
    if sender is not None:
        return Finding(Cause.NO_INBOUND, f"what {name} sends leaves this gateway, and nothing of it comes back in")
    return Finding(Cause.NO_INBOUND, f"nothing of {name} reaches this gateway: it is silent, or something before us drops it")
