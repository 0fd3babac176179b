"""Between a socket and a core: what to give up when more datagrams come than can be served (a storm after a power cut).

The kernel's buffer drops what comes last, whatever it is.
So the socket is emptied faster than the core works, and what waits here is dropped by its worth instead:
a datagram that its sender repeats soon (a DISCOVER) waits in a line of its own, and the oldest of these go first, for their senders
have repeated them already.
All others are served before them and are never dropped here; when too many of them wait, the rest is left in the socket.
"""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from voxpath.core.effects import Datagram

WAITING_LIMIT = 10_000
"""Repeatable datagrams that wait: what a core serves in some 2 s; clients repeat theirs after 4 s (RFC 2131 section 4.1)."""

URGENT_LIMIT = 20_000
"""Other datagrams that wait, about 10 MB of them; then the socket is not read for a while."""

SERVED_PER_TURN, MOST_PER_TURN = 16, 64
"""Datagrams that the core is given in one turn of the reactor, so that finished commits, timers and other roles have their turn.

More than can be served in time are served faster in longer turns; then nobody is answered soon anyway.
"""

TURNS_WAITING = 8
"""Turns become longer when more wait than so many of them could serve."""


class Backlog:
    """Datagrams that wait for a core.

    :param serve: is given each datagram when its turn comes.
    :param repeatable: whether a payload may be dropped, because its sender repeats it soon.
    :param dropped: is told of each datagram that was given up.
    :ivar given_up: how many that were.
    """

    def __init__(
        self,
        serve: Callable[[Datagram], None],
        repeatable: Callable[[bytes], bool],
        reactor: IReactorTime,
        dropped: Callable[[Datagram], None] = lambda datagram: None,
        limit: int = WAITING_LIMIT,
    ) -> None:
        self.given_up = 0
        self._serve = serve
        self._repeatable = repeatable
        self._reactor = reactor
        self._dropped = dropped
        self._limit = limit
        self._waiting: deque[Datagram] = deque()
        self._urgent: deque[Datagram] = deque()
        self._turn: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._urgent)

    @property
    def full(self) -> bool:
        """Whether the sockets must not be read now."""
        return len(self._urgent) >= URGENT_LIMIT

    def add(self, datagram: Datagram) -> None:
        """Let a datagram wait."""
        if not self._repeatable(datagram.payload):
            self._urgent.append(datagram)
            return
        self._waiting.append(datagram)
        if len(self._waiting) > self._limit:
            self.given_up += 1
            self._dropped(self._waiting.popleft())

    def work(self) -> None:
        """Serve as many as fit into one turn, and the rest in turns to come; the sockets call this when they have been read."""
        if self._turn is None:
            self._work()

    def close(self) -> None:
        """Forget all that waits."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._waiting.clear()
        self._urgent.clear()

    def _work(self) -> None:
        self._turn = None
        for _ in range(min(MOST_PER_TURN, max(SERVED_PER_TURN, len(self) // TURNS_WAITING))):
            line = self._urgent or self._waiting
            if not line:
                return
            self._serve(line.popleft())
        if len(self):
            self._turn = self._reactor.callLater(0, self._work)
