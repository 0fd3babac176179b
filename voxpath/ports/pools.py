"""Pools: which ports of which public addresses phones may get, and which ports they never get (GEN-6, decision D18)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from voxpath.core.errors import LocalError
from voxpath.model.ports import LOWEST_PORT, PortBlock
from voxpath.ports.buddy import ORDERS, Buddy, Piece

RESERVED_PORTS = frozenset(
    {
        1194,  # OpenVPN
        1701,  # L2TP
        2427,  # MGCP gateway
        2727,  # MGCP call agent
        2944,  # MEGACO, text
        2945,  # MEGACO, binary
        3478,  # STUN and TURN
        4500,  # IPsec through NAT
        5060,  # SIP
        5061,  # SIP over TLS
        5349,  # STUN and TURN over TLS
        5350,  # PCP and NAT-PMP, client
        5351,  # PCP and NAT-PMP, server
        51820,  # WireGuard
    }
)
"""Ports that no phone's block contains; those below 1024 (500, for one) need no mention."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A range of ports of one public address.

    :ivar realm: only phones of this realm get ports from it; empty: all realms that have no pool of their own.
    :raises LocalError: the range is empty or leaves 1024 to 65535.
    """

    public: IPv4Address
    first: int
    last: int
    realm: str = ""

    def __post_init__(self) -> None:
        if not LOWEST_PORT <= self.first <= self.last <= 0xFFFF:
            raise LocalError(f"a pool of ports {self.first} to {self.last}: it has to lie within {LOWEST_PORT} to 65535")

    def __str__(self) -> str:
        return f"{self.public}:{self.first}-{self.last}"


class Space:
    """One pool with its free ports.

    :param store: the store of ports that it is part of, and at which place.
    """

    __slots__ = ("_place", "_store", "free", "pool")

    def __init__(self, pool: Pool, reserved: Iterable[int], store: "Store", place: int) -> None:
        self.pool = pool
        self.free = Buddy(pool.first, pool.last, reserved)
        self._store = store
        self._place = place

    def give(self, first: int, size: int) -> None:
        """Give ports back."""
        self.free.give(first, size)
        self._store.look_from(self._place)


class Store:
    """The pools of a realm in the order in which they are filled.

    :ivar spaces: all of them.
    """

    __slots__ = ("_begin", "spaces")

    def __init__(self) -> None:
        self.spaces: list[Space] = []
        # For each size, the first place where there may be room: full pools are not looked at again and again.
        self._begin = [0] * ORDERS

    def take(self, size: int) -> tuple[Space, int] | None:
        """Take a block of the first pool that has one."""
        order = size.bit_length() - 1
        for place in range(self._begin[order], len(self.spaces)):
            space = self.spaces[place]
            first = space.free.take(size)
            if first is not None:
                self._begin[order] = place
                return space, first
        self._begin[order] = len(self.spaces)
        return None

    def look_from(self, place: int) -> None:
        """There is room again at this place."""
        if max(self._begin) > place:
            self._begin = [min(begin, place) for begin in self._begin]


Pieces = tuple[tuple[Space, Piece], ...]
"""Free space that was taken, for giving it back to where it came from."""


class Pools:
    """All pools of a gateway in their configured order: the first is filled before the next is used.

    The pools of a realm are one store of ports, however many public addresses they have: a full one spills over into the next.

    :raises LocalError: two pools share a port.
    """

    __slots__ = ("_by_public", "_stores", "spaces")

    def __init__(self, pools: Iterable[Pool], reserved: frozenset[int]) -> None:
        self.spaces: list[Space] = []
        self._stores: dict[str, Store] = {}
        self._by_public: dict[int, list[Space]] = {}
        for pool in pools:
            for other in self.spaces:
                taken = other.pool
                if taken.public == pool.public and taken.first <= pool.last and pool.first <= taken.last:
                    raise LocalError(
                        f"two pools of {pool.public} share ports: {taken.first}-{taken.last}, {pool.first}-{pool.last}"
                    )
            store = self._stores.setdefault(pool.realm, Store())
            space = Space(pool, reserved, store, len(store.spaces))
            store.spaces.append(space)
            self.spaces.append(space)
            self._by_public.setdefault(int(pool.public), []).append(space)

    def store_of(self, realm: str) -> str:
        """Whose pools phones of a realm get ports from: the realm's own, or the common ones (an empty name) when it has none."""
        return realm if realm in self._stores else ""

    def of_realm(self, realm: str) -> Sequence[Space]:
        """Where phones of a realm get ports, in the order in which the pools are filled."""
        store = self._stores.get(self.store_of(realm))
        return store.spaces if store is not None else ()

    def take(self, size: int, realm: str) -> tuple[Space, int] | None:
        """Take a free block for a phone of a realm; ``None`` when there is none."""
        store = self._stores.get(self.store_of(realm))
        return store.take(size) if store is not None else None

    def serves(self, block: PortBlock, realm: str) -> bool:
        """Whether a phone of this realm could be given this block today; the configuration may have changed since it was."""
        space = self.holding(block)
        if space is None or space.pool.realm != self.store_of(realm):
            return False
        return space.free.allowed(block.first, block.size) == block.size

    def holding(self, block: PortBlock) -> Space | None:
        """The pool that a block lies in."""
        first, end = block.first, block.first + block.size
        for space in self._by_public.get(int(block.public), ()):
            pool = space.pool
            if pool.first <= first and end <= pool.last + 1:
                return space
        return None

    def take_all(self, block: PortBlock) -> Pieces:
        """Take whatever is free inside a block."""
        spaces = self.of_public(block.public)
        return tuple((space, piece) for space in spaces for piece in space.free.take_all(block.first, block.size))

    def give(self, block: PortBlock) -> None:
        """Give back a whole block; parts of it that belong to no pool are left out."""
        for space in self.of_public(block.public):
            space.give(block.first, block.size)

    def of_public(self, public: IPv4Address) -> Sequence[Space]:
        """The pools of a public address."""
        return self._by_public.get(int(public), ())


def give_back(pieces: Pieces) -> None:
    """Undo a taking."""
    for space, (first, size) in pieces:
        space.give(first, size)


def ports_in(pieces: Pieces) -> int:
    """How many ports the pieces have together."""
    return sum(size for _, (_, size) in pieces)
