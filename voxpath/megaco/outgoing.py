"""Our own requests: sent again until a reply comes, given up after T-MAX (RFC 3525 Annex D.1)."""

from collections.abc import Hashable
from typing import NamedTuple

from voxpath.core.retransmit import Backoff, Entropy
from voxpath.megaco.incoming import Peer

BACKOFF = Backoff(first_s=0.2, cap_s=4.0, give_up_s=30.0, factor=2.0, spread=0.5)
"""The RFC's recommendation: 200 ms at first, doubled each time up to 4 s, the half of it random; T-MAX 30 s."""

MOST_TO_A_PEER = 512
"""Requests to one peer that wait for their reply; a gateway's lines are armed all at once."""

MOST_IN_ALL = 100_000
"""Requests that wait for their reply altogether."""

MOST_PENDINGS = 20
"""Pending replies to one request; a peer that sends more of them will never finish (RFC 3525 calls for error 506)."""

LARGEST_ID = 0xFFFFFFFF


class Request(NamedTuple):
    """What is needed to send a request again."""

    peer: Peer
    id: int
    raw: bytes
    summary: str
    token: Hashable


class Attempt:
    """How far a request has come.

    :ivar since: the beginning of T-MAX: the first sending, or the last Pending.
    """

    __slots__ = ("number", "pendings", "request", "since")

    def __init__(self, request: Request, since: float) -> None:
        self.request = request
        self.since = since
        self.number = 0
        self.pendings = 0


class Outgoing:
    """The requests that wait for their reply.

    :param entropy: where transaction ids begin: at random, so that a restarted program does not repeat ids that its peers remember.
    """

    def __init__(
        self,
        entropy: Entropy,
        backoff: Backoff = BACKOFF,
        to_a_peer: int = MOST_TO_A_PEER,
        in_all: int = MOST_IN_ALL,
    ) -> None:
        self._entropy = entropy
        self._backoff = backoff
        self._to_a_peer = to_a_peer
        self._in_all = in_all
        self._last_id = entropy.getrandbits(31)
        self._attempts: dict[int, Attempt] = {}
        self._of_peer: dict[Peer, set[int]] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def room(self, peer: Peer) -> bool:
        """Whether another request may be sent to this peer."""
        return len(self._of_peer.get(peer, ())) < self._to_a_peer and len(self._attempts) < self._in_all

    def new_id(self) -> int:
        """A transaction id that no waiting request has; never 0, which is reserved."""
        while True:
            self._last_id = self._last_id % LARGEST_ID + 1
            if self._last_id not in self._attempts:
                return self._last_id

    def begin(self, request: Request, now: float) -> float:
        """Remember a request that is being sent; tell how long to wait for its reply, in seconds."""
        self._attempts[request.id] = Attempt(request, now)
        self._of_peer.setdefault(request.peer, set()).add(request.id)
        return self._backoff.wait_s(0, 0.0, self._entropy) or 0.0

    def find(self, number: int, host: str) -> Request | None:
        """The request that a reply from this host belongs to.

        The host alone is compared: a NAT on the way may have changed the port between request and reply.
        """
        attempt = self._attempts.get(number)
        return attempt.request if attempt is not None and attempt.request.peer.address.host == host else None

    def again(self, number: int, now: float) -> tuple[Request, float | None] | None:
        """Take the next attempt: the request and how long to wait then; no time: it is given up, and forgotten."""
        attempt = self._attempts.get(number)
        if attempt is None:
            return None
        attempt.number += 1
        wait_s = self._backoff.wait_s(attempt.number, now - attempt.since, self._entropy)
        if wait_s is None:
            self.end(number)
        return attempt.request, wait_s

    def pending(self, number: int, now: float) -> float | None:
        """Take a Pending: the peer is at work, so wait the long timer; ``None``: it has pended too often, and is forgotten."""
        attempt = self._attempts[number]
        attempt.pendings += 1
        if attempt.pendings > MOST_PENDINGS:
            self.end(number)
            return None
        attempt.since = now
        return self._backoff.cap_s

    def end(self, number: int) -> None:
        """Forget a request."""
        attempt = self._attempts.pop(number, None)
        if attempt is None:
            return
        peer = attempt.request.peer
        self._of_peer[peer].discard(number)
        if not self._of_peer[peer]:
            del self._of_peer[peer]

    def to_peer(self, peer: Peer) -> list[Request]:
        """The requests that wait for a reply of this peer."""
        return [self._attempts[number].request for number in sorted(self._of_peer.get(peer, ()))]
