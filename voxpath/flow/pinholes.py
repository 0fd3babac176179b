"""Which pinholes the calls need that are known: the source of the call-aware mode (FWL-4, decision D19).

A session lets each end's address reach the other end's ports, those that the ledger says are its own: what a phone claims opens
nothing to its neighbours.
Whatever else is at the address reaches them, too: a NAT does not tell hosts behind it apart, and media may come from another port
than they go to (RTI-9).

Calls may go on that nobody knows of any more: those of a run before a restart, or of a role that began anew.
Their pinholes stay for a while, since their media must not stop; each is closed earlier if a known call uses it, and ends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from voxpath.core.errors import LocalError
from voxpath.core.timers import TimerHeap
from voxpath.model.media import MediaEnd, MediaSession
from voxpath.nappt.pinhole import MOST_PINHOLES, Pinhole, PinholeChange
from voxpath.ports.directory import Directory

UNKNOWN_S: Final = 4 * 3600.0
"""How long the pinhole of a call stays whose end nobody will tell."""

MOST_SESSIONS: Final = 65_536
"""Of all roles, here and elsewhere, that tell of calls."""

MOST_LIMITED: Final = 400
MOST_LIMITED_PINHOLES: Final = MOST_PINHOLES // 2
"""Of sessions without a signalled end, so that they leave room for those with one.

The oldest one gives way of whoever began most: most likely it is over, and who calls everybody ends no other one's call.
"""


class Key(NamedTuple):
    """A session among those of all roles."""

    role: str
    key: str


class CallPinholes:
    """The pinholes of all sessions.

    :param directory: the port ledger of the gateways whose ports are meant.

    Each change also names what may be open already: the data path's changes are idempotent, and it alone knows what of them a
    lease's end has closed meanwhile.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._sessions: dict[Key, MediaSession] = {}
        self._opened: dict[Key, tuple[Pinhole, ...]] = {}
        self._limited: dict[Key, tuple[IPv4Address, IPv4Address | None]] = {}
        self._needed: Counter[Pinhole] = Counter()
        self._timers: TimerHeap[Key | Pinhole] = TimerHeap()
        self._left: set[Pinhole] = set()
        self._over: list[Key] = []

    def __len__(self) -> int:
        return len(self._needed) + len(self._left)

    def knows(self, role: str, key: str) -> bool:
        """Whether there is such a session."""
        return Key(role, key) in self._sessions

    def renew(self, adopted: Iterable[Pinhole], now: float) -> PinholeChange:
        """A gateway begins: its ledger is there only now.

        :param adopted: what it found open; of calls that nobody here knows nothing else is opened, since another phone may have
            their ports by now.
        """
        adopted = frozenset(adopted)
        for gone in self._left - adopted:
            self._forget_left(gone)
        for key, session in self._sessions.items():
            self._need(key, session)
        self.adopt(adopted, now)
        return PinholeChange(open=(*self._needed, *self._left))

    def connect(self, role: str, session: MediaSession, now: float) -> PinholeChange:
        """A session begins, or has other ends than before.

        :raises LocalError: there are too many.
        """
        key = Key(role, session.key)
        if key not in self._sessions and len(self._sessions) >= MOST_SESSIONS:
            raise LocalError(f"there are {MOST_SESSIONS} calls already")
        self._sessions[key] = session
        closed = self._need(key, session)
        if session.limit_s:
            self._limited.pop(key, None)
            self._limited[key] = session.first.address, session.first.private
            self._timers.arm(key, now + session.limit_s)
            while len(self._limited) > MOST_LIMITED or self._limited_pinholes() > MOST_LIMITED_PINHOLES:
                closed += self._expire(self._oldest_of_most())
        return PinholeChange(self._opened.get(key, ()), closed)

    def disconnect(self, role: str, key: str) -> PinholeChange:
        """A session is over; one that is not known is passed over."""
        return PinholeChange(close=self._end(Key(role, key)))

    def abandon(self, role: str, now: float) -> None:
        """A role forgets its sessions, such as by a restart; their calls may go on."""
        for key in [key for key in self._sessions if key.role == role]:
            self.adopt(self._end(key), now)

    def adopt(self, pinholes: Iterable[Pinhole], now: float) -> None:
        """Take over what is open for calls that nobody here knows."""
        for pinhole in pinholes:
            if pinhole not in self._needed and pinhole not in self._left:
                self._left.add(pinhole)
                self._timers.arm(pinhole, now + UNKNOWN_S)

    def tick(self, now: float) -> PinholeChange:
        """End what is over as far as anybody can know."""
        closed: tuple[Pinhole, ...] = ()
        for due in self._timers.due(now):
            if isinstance(due, Pinhole):
                self._left.discard(due)
                closed += (due,)
            else:
                closed += self._expire(due)
        return PinholeChange(close=closed)

    def take_over(self) -> list[Key]:
        """The sessions that ended here, and that nobody will tell the end of, since this was asked last."""
        over, self._over = self._over, []
        return over

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._timers.next_due()

    def _limited_pinholes(self) -> int:
        return sum(len(self._opened[key]) for key in self._limited)

    def _oldest_of_most(self) -> Key:
        """The session without a signalled end that gives way."""
        [(caller, _)] = Counter(self._limited.values()).most_common(1)
        return next(key for key, each in self._limited.items() if each == caller)

    def _need(self, key: Key, session: MediaSession) -> tuple[Pinhole, ...]:
        """Note what a session needs now; give what it does not need any more."""
        former = self._opened.get(key, ())
        self._opened[key] = opened = tuple(dict.fromkeys(self._pinholes(session)))
        self._needed.update(opened)
        for pinhole in opened:
            self._forget_left(pinhole)
        return self._drop(former)

    def _pinholes(self, session: MediaSession) -> Iterator[Pinhole]:
        """Nothing if both ends use inside addresses."""
        if session.inside:
            return
        for end, other in (session.ends, session.ends[::-1]):
            for port in end.ports:
                if self._is_own(end, port):
                    yield Pinhole(int(end.address), port, int(other.address))

    def _is_own(self, end: MediaEnd, port: int) -> bool:
        binding = self._directory.holder_of(end.address, port)
        return binding is not None and (binding.holder == end.phone or (end.private is not None and binding.private == end.private))

    def _expire(self, key: Key) -> tuple[Pinhole, ...]:
        self._over.append(key)
        return self._end(key)

    def _end(self, key: Key) -> tuple[Pinhole, ...]:
        self._limited.pop(key, None)
        self._timers.disarm(key)
        self._sessions.pop(key, None)
        return self._drop(self._opened.pop(key, ()))

    def _drop(self, pinholes: Iterable[Pinhole]) -> tuple[Pinhole, ...]:
        """Those of a session that no other one needs."""
        closed = []
        for pinhole in pinholes:
            self._needed[pinhole] -= 1
            if not self._needed[pinhole]:
                del self._needed[pinhole]
                closed.append(pinhole)
        return tuple(closed)

    def _forget_left(self, pinhole: Pinhole) -> None:
        if pinhole in self._left:
            self._left.discard(pinhole)
            self._timers.disarm(pinhole)
