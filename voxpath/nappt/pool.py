"""Ordinary NAPT for what a phone sends from a port outside its block: DNS, NTP, HTTPS (NAP-15).

It has a public address and ports of its own, which no block may touch; a mapping lives as long as it is used.
Mappings are endpoint-independent (RFC 4787 REQ-1): one inside port is one outside port, whoever is spoken to.
The filter is address-dependent (RFC 4787 REQ-8): only who was spoken to may answer.

TCP is not followed state by state.
A connection whose end was seen, or whose beginning was not answered, is forgotten early (RFC 5382 REQ-5), all others late.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from voxpath.nappt.packet import ICMP, TCP, UDP

UDP_S: Final = 300.0
"""RFC 4787 REQ-5: five minutes are recommended."""
TCP_S: Final = 7440.0
TCP_TRANSITORY_S: Final = 240.0
"""RFC 5382 REQ-5."""
ICMP_S: Final = 60.0
"""RFC 5508 REQ-2."""
LIVES: Final = (UDP_S, TCP_S, TCP_TRANSITORY_S, ICMP_S)

MOST_OF_ONE: Final = 64
"""Mappings of one phone: a phone asks few servers, and none may take the whole pool."""
MOST_PEERS: Final = 32
"""Hosts that a mapping lets answer; the one that was spoken to longest ago gives way."""
TRIES: Final = 64
"""Ports that are drawn before the pool is searched in order."""

PROTOCOLS = frozenset({UDP, TCP, ICMP})
"""What it can carry: the checksum of SCTP covers the port, and would have to be computed anew."""


class Draws(Protocol):
    """Where ports come from: nobody should foretell the next one (RFC 6056)."""

    def randrange(self, start: int, stop: int) -> int:
        """A number from ``start`` on and below ``stop``."""


class PoolPorts(NamedTuple):
    """The ports of a pool.

    :ivar public: their address, as a number.
    """

    public: int
    first: int
    last: int


def nobody(_: int) -> bool:
    """No port of the pool is anybody else's."""
    return False


class Place(NamedTuple):
    """One side of a mapping."""

    protocol: int
    address: int
    port: int


class Mapping:
    """One inside port at one outside port.

    :ivar until: when it is forgotten, unless it is used before; ``life`` is how long that is after its last use.
    :ivar closing: an end of the TCP connection was seen, or its beginning was not answered yet.
    """

    __slots__ = ("closing", "inside", "life", "peers", "port", "until")

    def __init__(self, inside: Place, port: int) -> None:
        self.inside = inside
        self.port = port
        self.until = self.life = 0.0
        self.closing = True
        self.peers: OrderedDict[int, None] = OrderedDict()


class NaptPool:
    """The mappings of one pool.

    :param is_taken: whether a port is somebody's nevertheless, such as a phone's whose block is older than the pool.
    """

    def __init__(self, ports: PoolPorts, draws: Draws, is_taken: Callable[[int], bool] = nobody) -> None:
        self.public = ports.public
        self.ports = range(ports.first, ports.last + 1)
        self._draws = draws
        self._is_taken = is_taken
        self._inside: dict[Place, Mapping] = {}
        # By how long they live, each in the order of their last use: the first ones end first.
        self._queues: dict[float, OrderedDict[Place, Mapping]] = {life: OrderedDict() for life in LIVES}
        self._outside: dict[tuple[int, int], Mapping] = {}
        self._held: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._inside)

    def leaving(self, inside: Place, peer: int, now: float, *, ends: bool = False) -> int | None:
        """The outside port for what a phone sends to a peer; ``None``: there is none left, for it or at all.

        :param ends: the packet ends a TCP connection (FIN or RST).
        """
        mapping = self._inside.get(inside)
        if mapping is not None and mapping.until <= now:
            self._forget(mapping)
            mapping = None
        if mapping is None:
            self._expire(now)
            mapping = self._make(inside)
            if mapping is None:
                return None
        mapping.peers[peer] = None
        mapping.peers.move_to_end(peer)
        if len(mapping.peers) > MOST_PEERS:
            mapping.peers.popitem(last=False)
        mapping.closing |= ends
        self._use(mapping, now)
        return mapping.port

    def entering(self, protocol: int, port: int, peer: int, now: float, *, ends: bool = False) -> Place | None:
        """Who gets what a peer sends to an outside port; ``None``: nobody, since nobody spoke to him from there."""
        if self.sender(protocol, port, peer, now) is None:
            return None
        mapping = self._outside[protocol, port]
        mapping.closing = ends
        self._use(mapping, now)
        return mapping.inside

    def sender(self, protocol: int, port: int, peer: int, now: float) -> Place | None:
        """Who spoke to a peer from an outside port; asking keeps nothing alive, since anybody can tell of an error."""
        mapping = self._outside.get((protocol, port))
        return mapping.inside if mapping is not None and mapping.until > now and peer in mapping.peers else None

    def holds(self, address: int, port: int) -> bool:
        """Whether a public address and port belong to the pool."""
        return address == self.public and port in self.ports

    def addresses(self) -> tuple[int, ...]:
        """The inside addresses that have mappings."""
        return tuple(self._held)

    def withdraw(self, address: int) -> None:
        """Forget all mappings of an inside address: its lease has ended."""
        if address not in self._held:
            return
        for mapping in [mapping for place, mapping in self._inside.items() if place.address == address]:
            self._forget(mapping)

    def _make(self, inside: Place) -> Mapping | None:
        if self._held.get(inside.address, 0) >= MOST_OF_ONE:
            return None
        port = self._free(inside.protocol)
        if port is None:
            return None
        mapping = self._inside[inside] = self._outside[inside.protocol, port] = Mapping(inside, port)
        self._held[inside.address] = self._held.get(inside.address, 0) + 1
        return mapping

    def _free(self, protocol: int) -> int | None:
        for _ in range(TRIES):
            port = self._draws.randrange(self.ports.start, self.ports.stop)
            if self._is_free(protocol, port):
                return port
        return next((port for port in self.ports if self._is_free(protocol, port)), None)

    def _is_free(self, protocol: int, port: int) -> bool:
        return (protocol, port) not in self._outside and not self._is_taken(port)

    def _use(self, mapping: Mapping, now: float) -> None:
        if mapping.life:
            del self._queues[mapping.life][mapping.inside]
        mapping.life = _life_s(mapping)
        mapping.until = now + mapping.life
        self._queues[mapping.life][mapping.inside] = mapping

    def _expire(self, now: float) -> None:
        """Forget what has ended."""
        for queue in self._queues.values():
            while queue and (first := next(iter(queue.values()))).until <= now:
                self._forget(first)

    def _forget(self, mapping: Mapping) -> None:
        inside = mapping.inside
        del self._inside[inside], self._outside[inside.protocol, mapping.port], self._queues[mapping.life][inside]
        self._held[inside.address] -= 1
        if not self._held[inside.address]:
            del self._held[inside.address]


def _life_s(mapping: Mapping) -> float:
    if mapping.inside.protocol == TCP:
        return TCP_TRANSITORY_S if mapping.closing else TCP_S
    return UDP_S if mapping.inside.protocol == UDP else ICMP_S
