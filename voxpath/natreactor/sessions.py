"""Brings the media sessions of calls to the NAT: in the call-aware mode their peers are let in, and nobody else (FWL-4).

In both modes it looks from time to time whether their media flows in both directions (:mod:`voxpath.flow.oneway`).
The roles that set up calls tell of sessions by effects, whether a gateway runs in their process or not.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError
from voxpath.core.timers import earliest
from voxpath.flow.oneway import OneWayAudioWatch
from voxpath.flow.pinholes import CallPinholes
from voxpath.model.event import Event, printable
from voxpath.model.media import MediaEnd, MediaSession
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.natreactor.event import PeersAdmitted, PeersNotAdmitted
from voxpath.natreactor.interface import INATReactor, PhoneCounters
from voxpath.ports.directory import Directory


class Attached(NamedTuple):
    """A gateway that runs.

    :ivar public: its public addresses.
    """

    nat: INATReactor
    public: frozenset[IPv4Address]
    call_aware: bool


MOST_TOLD = 8
"""Pinholes that an event names."""


class MediaSessions:
    """The sessions of one process.

    :param directory: the ledger, which may be empty while no gateway is attached.
    :param tell: takes events.
    """

    def __init__(self, clock: IReactorTime, directory: Directory, tell: Callable[[Event], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._pinholes = CallPinholes(directory)
        self._watch = OneWayAudioWatch()
        self._nats: list[Attached] = []
        self._unclosed: tuple[Pinhole, ...] = ()
        self._timer: IDelayedCall | None = None

    def attach(self, nat: INATReactor, public: Iterable[IPv4Address], *, call_aware: bool) -> "Deferred[None]":
        """A gateway begins; the Deferred fires when its pinholes are those of the calls.

        What it has open already is of calls that go on, though nobody here knows them.

        :param public: its public addresses.
        """
        self._nats.append(Attached(nat, frozenset(public), call_aware))
        opened = succeed(None)
        if call_aware:
            opened = nat.admit(self._pinholes.renew(nat.pinholes(), self._clock.seconds()))
        self._arm()
        return opened

    def detach(self, nat: INATReactor) -> None:
        """It ends; what it let in goes on as its kernel does."""
        self._nats = [each for each in self._nats if each.nat is not nat]
        if not self._nats:
            self.stop()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What the drivers of calls tell.

    def connect(self, role: str, session: MediaSession) -> None:
        """A session begins, or has changed."""
        first, second = (end.phone for end in session.ends)

        def refused(reason: str) -> None:
            self._tell(PeersNotAdmitted(phone=first, peer=second, reason=printable(reason)))

        known = self._pinholes.knows(role, session.key)
        try:
            change = self._pinholes.connect(role, session, self._clock.seconds())
        except LocalError as error:
            refused(str(error))
            return
        self._watch.connect(role, session, self._clock.seconds())
        self._forget()
        if change.open and not known and any(each.call_aware for each in self._nats):
            self._tell(PeersAdmitted(phone=first, peer=second, pinholes=_named(change.open)))
        self._admit(change, refused)

    def disconnect(self, role: str, key: str) -> None:
        """A session is over."""
        self._watch.disconnect(role, key)
        self._admit(self._pinholes.disconnect(role, key))

    def abandon(self, role: str) -> None:
        """A role forgets its sessions, whose calls may go on."""
        self._watch.abandon(role)
        self._pinholes.abandon(role, self._clock.seconds())
        self._arm()

    def _admit(self, change: PinholeChange, refused: Callable[[str], None] = lambda reason: None) -> None:
        opening, closing = change.open, tuple(dict.fromkeys((*self._unclosed, *change.close)))
        self._unclosed = ()

        def failed(failure: Failure) -> None:
            # What could not be closed is closed with the next change; what could not be opened is told.
            self._unclosed = tuple(dict.fromkeys((*self._unclosed, *closing)))
            refused(failure.getErrorMessage())

        if opening or closing:
            for nat in (each.nat for each in self._nats if each.call_aware):
                nat.admit(PinholeChange(opening, closing)).addErrback(failed)
        self._arm()

    def _arm(self) -> None:
        due = earliest(self._pinholes.next_due(), self._watch.next_due()) if self._nats else None
        if due is None:
            self.stop()
            return
        if self._timer is not None and self._timer.getTime() <= due:
            return
        self.stop()
        self._timer = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        change = self._pinholes.tick(now)
        self._forget()
        for event in self._watch.tick(now, self._read):
            self._tell(event)
        self._admit(change)

    def _forget(self) -> None:
        """Watch no session any more whose time is over."""
        for role, key in self._pinholes.take_over():
            self._watch.disconnect(role, key)

    def _read(self, end: MediaEnd) -> PhoneCounters | None:
        """The counters of a phone, if it is behind one of these gateways."""
        if end.private is None:
            return None
        # Whether or not its ports are still its own: if not, that is the fault to be found.
        return next((each.nat.counters(end.private) for each in self._nats if end.address in each.public), None)


def _named(pinholes: tuple[Pinhole, ...]) -> str:
    more = len(pinholes) - MOST_TOLD
    return ", ".join(map(str, pinholes[:MOST_TOLD])) + (f" and {more} more" if more > 0 else "")
