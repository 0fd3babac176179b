"""Brings the media sessions of calls to the NAT: in the call-aware mode their peers are let in, and nobody else (FWL-4).

The roles that set up calls tell of sessions by effects, whether a gateway runs in their process or not.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from voxpath.flow.pinholes import CallPinholes
from voxpath.model.event import Event, printable
from voxpath.model.media import MediaSession
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.natreactor.event import PeersAdmitted, PeersNotAdmitted
from voxpath.natreactor.interface import INATReactor
from voxpath.ports.directory import Directory

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
        self._nats: list[INATReactor] = []
        self._unclosed: tuple[Pinhole, ...] = ()
        self._timer: IDelayedCall | None = None

    def attach(self, nat: INATReactor) -> "Deferred[None]":
        """A gateway in the call-aware mode begins; the Deferred fires when its pinholes are those of the calls.

        What it has open already is of calls that go on, though nobody here knows them.
        """
        self._nats.append(nat)
        change = self._pinholes.renew(nat.pinholes(), self._clock.seconds())
        self._arm()
        return nat.admit(change)

    def detach(self, nat: INATReactor) -> None:
        """It ends; what it let in goes on as its kernel does."""
        if nat in self._nats:
            self._nats.remove(nat)
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

        def refused(failure: Failure) -> None:
            reason = printable(failure.getErrorMessage())
            self._tell(PeersNotAdmitted(phone=first, peer=second, reason=reason))

        known = self._pinholes.knows(role, session.key)
        change = self._pinholes.connect(role, session, self._clock.seconds())
        if self._nats and change.open and not known:
            self._tell(PeersAdmitted(phone=first, peer=second, pinholes=_named(change.open)))
        self._admit(change, refused)

    def disconnect(self, role: str, key: str) -> None:
        """A session is over."""
        self._admit(self._pinholes.disconnect(role, key))

    def abandon(self, role: str) -> None:
        """A role forgets its sessions, whose calls may go on."""
        self._pinholes.abandon(role, self._clock.seconds())
        self._arm()

    def _admit(self, change: PinholeChange, refused: Callable[[Failure], None] = lambda failure: None) -> None:
        opening, closing = change.open, tuple(dict.fromkeys((*self._unclosed, *change.close)))
        self._unclosed = ()

        def failed(failure: Failure) -> None:
            # What could not be closed is closed with the next change; what could not be opened is told.
            self._unclosed = tuple(dict.fromkeys((*self._unclosed, *closing)))
            refused(failure)

        if opening or closing:
            for nat in self._nats:
                nat.admit(PinholeChange(opening, closing)).addErrback(failed)
        self._arm()

    def _arm(self) -> None:
        due = self._pinholes.next_due() if self._nats else None
        if due is None or (self._timer is not None and self._timer.getTime() <= due):
            return
        self.stop()
        self._timer = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._admit(self._pinholes.tick(self._clock.seconds()))


def _named(pinholes: tuple[Pinhole, ...]) -> str:
    more = len(pinholes) - MOST_TOLD
    return ", ".join(map(str, pinholes[:MOST_TOLD])) + (f" and {more} more" if more > 0 else "")
