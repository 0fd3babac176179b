"""Who may come near the manhole: how many at once, how often, how long and how much before a login.

SSH costs a key exchange before anybody is known, and it is computed on the thread that serves the phones.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from voxpath.core.errors import RemoteError
from voxpath.io.clock import Clock
from voxpath.manage.event import ManholeEntered, ManholeLeft, ManholeLine, ManholeLoginRefused, ManholeRefused
from voxpath.model.event import Event, printable

CONNECTIONS_LIMIT = 8
"""Connections at one time, over SSH and telnet together; further ones are closed at once."""

STARTS_LIMIT = 10
STARTS_WINDOW_S = 10.0
"""So many connections may begin within so many seconds; those on which somebody logged in do not count."""

LOGIN_S = 30.0
"""How long a login may take, from the first octet of the connection on."""

IDLE_S = 900.0
"""A visitor who types nothing for so long is sent away."""

BEFORE_LOGIN_LIMIT = 65536
"""Octets that a connection may bring before somebody logged in."""

ATTEMPTS_LIMIT = 6
"""Logins that may fail on one connection; an agent offers one key after the other."""

WHO_LIMIT = 160
"""Characters of a visitor's name."""

PIECE = 200
"""Characters of a line in one event; a longer line takes several, so that nothing of it is lost in the log."""

TOO_MANY = "too many connections at once"
TOO_OFTEN = "too many connections in a short time"
TOO_LATE = "nobody logged in in time"
IDLE = "nothing was typed for a long time"

Publish = Callable[[Event], None]

log = Logger()


class Gate:
    """Lets connections in, and counts those that it turns away.

    :ivar visits: the connections that are open.
    :ivar refused: how many were turned away, by reason.
    """

    def __init__(self, clock: Clock, publish: Publish) -> None:
        self.clock = clock
        self.publish = publish
        self.visits: set[Visit] = set()
        self.refused: dict[str, int] = {}
        self._starts: list[float] = []
        self._told: float | None = None

    def admit(self, way: str, source: str) -> "Visit | None":
        """Let a connection in; ``None``: close it at once."""
        now = self.clock.now()
        self._starts = [start for start in self._starts if now - start < STARTS_WINDOW_S]
        often = len(self._starts) >= STARTS_LIMIT
        if often or len(self.visits) >= CONNECTIONS_LIMIT:
            self._turn_away(way, source, TOO_OFTEN if often else TOO_MANY, now)
            return None
        self._starts.append(now)
        visit = Visit(self, way, source, now)
        self.visits.add(visit)
        return visit

    def close(self) -> None:
        """End all connections."""
        for visit in tuple(self.visits):
            visit.end("the manhole is closed")

    def forgive(self, start: float) -> None:
        """Somebody logged in on the connection that began then: scripts may come as often as they like."""
        if start in self._starts:
            self._starts.remove(start)

    def _turn_away(self, way: str, source: str, reason: str, now: float) -> None:
        """A flood is told of once in a while; the count tells the rest."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if self._told is None or now - self._told >= STARTS_WINDOW_S:
            self._told = now
            self.publish(ManholeRefused(way=way, source=source, reason=reason))


class Visit:
    """One connection, from its first octet to its end; everything that is done on it is told to the audit.

    :ivar who: the visitor once he is logged in; empty before.
    :ivar drop: ends the connection at once; set by the protocol that has it.
    """

    def __init__(self, gate: Gate, way: str, source: str, began: float) -> None:
        self.who = ""
        self.way = way
        self.source = source
        self.drop: Callable[[], None] = lambda: None
        self._gate = gate
        self._began = began
        self._octets = 0
        self._attempts = 0
        self._over = False
        self._timer: IDelayedCall | None = None
        self._wait(LOGIN_S, TOO_LATE)

    @property
    def over(self) -> bool:
        """Whether it has ended: what still arrives is not looked at."""
        return self._over

    def heard(self, octets: int) -> None:
        """Note that something arrived.

        :raises RemoteError: it is too much for somebody who is not known.
        """
        if not self.who:
            self._octets += octets
            if self._octets > BEFORE_LOGIN_LIMIT:
                raise RemoteError(f"more than {BEFORE_LOGIN_LIMIT} octets before a login")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Look at what arrived: whatever it leads to ends this connection and is told in one line.

        Conch raises many kinds of exceptions for malformed packets; those of a visitor who is known are logged as well.
        """
        try:
            yield
        except RemoteError as error:
            self.end(str(error))
        except Exception as error:
            if self.who:
                log.failure("a session of the manhole failed")
            self.end(f"broken {self.way}: {type(error).__name__}")

    def typed(self) -> None:
        """Note that the visitor is there; what his program sends of its own accord does not count."""
        self._wait(IDLE_S, IDLE)

    def failed(self, who: str, reason: str) -> None:
        """Note a login that failed; too many of them end the connection."""
        self._tell(ManholeLoginRefused(way=self.way, who=_name(who), source=self.source, reason=printable(reason)))
        self._attempts += 1
        if self._attempts >= ATTEMPTS_LIMIT:
            self.end("too many logins failed")

    def entered(self, who: str) -> None:
        """Note a login."""
        self.who = _name(who)
        self._gate.forgive(self._began)
        self._wait(IDLE_S, IDLE)
        self._tell(ManholeEntered(way=self.way, who=self.who, source=self.source))

    def runs(self, line: str) -> None:
        """Note a line before it is run; a blank one says nothing."""
        if line.strip():
            shown = printable(line, len(line))
            for at in range(0, len(shown), PIECE):
                self._tell(ManholeLine(who=self.who, source=self.source, line=shown[at : at + PIECE]))

    def end(self, reason: str) -> None:
        """End the connection, and say why."""
        if not self._over:
            self.left(reason)
            self.drop()

    def left(self, reason: str = "") -> None:
        """Note that the connection is gone; without a reason a stranger who said nothing is not worth an event."""
        if self._over:
            return
        self._over = True
        self._gate.visits.discard(self)
        self._stop_waiting()
        if self.who:
            self._tell(ManholeLeft(who=self.who, source=self.source, reason=reason or "the connection was closed"))
        elif reason:
            self._tell(ManholeRefused(way=self.way, source=self.source, reason=printable(reason)))

    def soon(self, function: Callable[[], None]) -> IDelayedCall:
        """Call a function when what is under way now is done; whoever asks for it cancels it."""
        return self._gate.clock.call_at(self._gate.clock.now(), function)

    def _tell(self, event: Event) -> None:
        self._gate.publish(event)

    def _wait(self, seconds: float, reason: str) -> None:
        self._stop_waiting()
        if not self._over:
            self._timer = self._gate.clock.call_at(self._gate.clock.now() + seconds, lambda: self.end(reason))

    def _stop_waiting(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def _name(who: str) -> str:
    return printable(who, WHO_LIMIT)
