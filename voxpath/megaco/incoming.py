"""Requests of the peers: each is executed once, however often it arrives (RFC 3525 Annex D.1).

A request is known by who sent it and its transaction id.
While it is executed a repetition is answered with Pending; afterwards with the very octets of the first reply, for LONG-TIMER; once
the peer has acknowledged the reply, a late repetition is dropped in silence.
"""

from collections import deque
from enum import Enum, auto
from typing import NamedTuple

from voxpath.model.address import Endpoint

LONG_TIMER_S = 35.0
"""How long a reply is kept for repetitions of its request (RFC 3525 D.1.1): T-MAX of 30 s, and what the last one travels."""

MOST_OF_A_PEER = 4096
"""Requests of one peer that are remembered; a further one pushes out the oldest that is settled."""

MOST_OF_ALL = 200_000
"""Requests that are remembered altogether."""


class Peer(NamedTuple):
    """Who speaks: the message identifier's key, and the transport address; the address alone may be shared, so may the name."""

    mid: str
    address: Endpoint


class Ticket(NamedTuple):
    """One request of one peer; by it the reply is given."""

    peer: Peer
    id: int


class Stage(Enum):
    """The life of a request."""

    EXECUTING = auto()
    PREPARED = auto()
    """The reply exists, but waits for what it depends on, such as a commit."""
    SETTLED = auto()
    ACKNOWLEDGED = auto()


class Execution:
    """What is remembered of one request.

    :ivar raw: the reply as sent; empty before, and after it was acknowledged.
    :ivar pending: whether a Pending was sent, so that the reply asks for an acknowledgement (RFC 3525 8.2.3).
    :ivar attempt: how often the reply was sent again because its acknowledgement is missing.
    :ivar first: when the reply was sent for the first time.
    """

    __slots__ = ("attempt", "first", "pending", "raw", "stage")

    def __init__(self) -> None:
        self.stage = Stage.EXECUTING
        self.raw = b""
        self.pending = False
        self.attempt = 0
        self.first = 0.0


class Incoming:
    """The requests that are remembered."""

    def __init__(self, long_timer_s: float = LONG_TIMER_S, of_a_peer: int = MOST_OF_A_PEER, of_all: int = MOST_OF_ALL) -> None:
        self._long_timer_s = long_timer_s
        self._of_a_peer = of_a_peer
        self._of_all = of_all
        self._peers: dict[Peer, dict[int, Execution]] = {}
        self._settled: deque[tuple[float, Ticket, Execution]] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, ticket: Ticket) -> Execution | None:
        """What is known of a request; ``None``: it is new."""
        executions = self._peers.get(ticket.peer)
        return executions.get(ticket.id) if executions is not None else None

    def begin(self, ticket: Ticket) -> Execution | None:
        """Remember a new request; ``None``: there is no room for it, since everything that is remembered is still executing."""
        executions = self._peers.setdefault(ticket.peer, {})
        if len(executions) >= self._of_a_peer and not self._push_out(ticket.peer, executions):
            return None
        if self._count >= self._of_all and not self._push_out_oldest():
            if not executions:
                del self._peers[ticket.peer]
            return None
        # The oldest of all may have been the last one of this peer.
        execution = self._peers.setdefault(ticket.peer, executions)[ticket.id] = Execution()
        self._count += 1
        return execution

    def settle(self, ticket: Ticket, execution: Execution, now: float) -> None:
        """Keep the reply for LONG-TIMER from now."""
        execution.stage = Stage.SETTLED
        execution.first = now
        self._settled.append((now + self._long_timer_s, ticket, execution))

    def acknowledge(self, peer: Peer, ranges: tuple[tuple[int, int], ...]) -> list[Ticket]:
        """Drop the replies that a peer acknowledges; tell which.

        What is remembered is looked through, not the ranges: a range may span four thousand million ids.
        """
        found = []
        for number, execution in self._peers.get(peer, {}).items():
            if execution.stage is Stage.SETTLED and any(first <= number <= last for first, last in ranges):
                execution.stage = Stage.ACKNOWLEDGED
                execution.raw = b""
                found.append(Ticket(peer, number))
        return found

    def expire(self, now: float) -> None:
        """Forget what is older than LONG-TIMER."""
        settled = self._settled
        while settled and settled[0][0] <= now:
            _, ticket, execution = settled.popleft()
            self._forget(ticket, execution)

    def next_due(self) -> float | None:
        """When :meth:`expire` has something to do."""
        return self._settled[0][0] if self._settled else None

    def _push_out(self, peer: Peer, executions: dict[int, Execution]) -> bool:
        oldest = next((number for number, each in executions.items() if each.stage in _OVER), None)
        if oldest is None:
            return False
        self._forget(Ticket(peer, oldest), executions[oldest])
        return True

    def _push_out_oldest(self) -> bool:
        before = self._count
        while self._settled and self._count == before:
            _, ticket, execution = self._settled.popleft()
            self._forget(ticket, execution)
        return self._count < before

    def _forget(self, ticket: Ticket, execution: Execution) -> None:
        executions = self._peers.get(ticket.peer)
        if executions is None or executions.get(ticket.id) is not execution:
            return
        del executions[ticket.id]
        self._count -= 1
        if not executions:
            del self._peers[ticket.peer]


_OVER = frozenset({Stage.SETTLED, Stage.ACKNOWLEDGED})
