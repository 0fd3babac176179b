"""Where a block can be found: free space, released blocks that may be reclaimed, and why a certain block is not to be had."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.ports.change import Exhausted, Reservation, Taken
from voxpath.ports.index import RowIndex
from voxpath.ports.kept import Kept
from voxpath.ports.pools import Pools, give_back, ports_in
from voxpath.ports.usage import Usage

FORMER = "former:"
"""Begins the holder of a block that a phone left for another one; the phone and the block follow, which no two rows share."""


def former_name(row: PortBinding) -> str:
    """The name under which a row's block is in quarantine when its holder gets another one."""
    return f"{FORMER}{row.holder}@{row.block}"


def is_former_of(row: PortBinding, holder: str) -> bool:
    """Whether this holder left a row's block for another one."""
    return row.holder == f"{FORMER}{holder}@{row.block}"


class Room:
    """The pools of a ledger, with the rows in them.

    :param fixed: blocks that the configuration reserves, by holder.
    :param spoken_for: whether a holder's released row is not to be reclaimed now: he is back, or another one is being given it.
    """

    __slots__ = ("_fixed", "_kept", "_spoken_for", "pools", "rows", "usage")

    def __init__(self, pools: Pools, fixed: Mapping[str, PortBlock], spoken_for: Callable[[str], bool]) -> None:
        self.pools = pools
        self.rows = RowIndex()
        self.usage = Usage(pools)
        self._fixed = fixed
        self._spoken_for = spoken_for
        self._kept = Kept()

    def lasting(self, row: PortBinding) -> bool:
        """Whether a row's block is its holder's for ever, by an operator's word or by the configuration."""
        return row.reserved or self._fixed.get(row.holder) == row.block

    def fixed_for(self, holder: str) -> PortBlock | None:
        """The block that the configuration reserves for a holder."""
        return self._fixed.get(holder)

    # Rows.

    def enter(self, row: PortBinding) -> None:
        """Add a row whose space was taken before."""
        self.rows.add(row)
        self.usage.add(row, self.lasting(row))
        self.sort(row.holder)

    def forget(self, row: PortBinding) -> None:
        """Remove a row; its space stays taken."""
        self.rows.remove(row)
        self.usage.remove(row)
        self._kept.remove(self._store_of(row), row.holder)

    def free_unused(self, block: PortBlock, used: set[PortBlock]) -> None:
        """Free the part of a removed row's block that no new row uses."""
        if any(new.overlaps(block) and new.size >= block.size for new in used):
            return
        self.pools.give(block)
        for new in used:
            if new.overlaps(block):
                self.pools.take_all(new)

    def sort(self, *holders: str) -> None:
        """Enter released rows among the reclaimable ones, or take them out while somebody has spoken for them."""
        for holder in holders:
            row = self.rows.of(holder)
            if row is None or row.state is BindingState.HELD:
                continue
            if self.lasting(row) or self._spoken_for(holder):
                self._kept.remove(self._store_of(row), holder)
            elif self.pools.holding(row.block) is not None:
                self._kept.add(self._store_of(row), row)

    # Space.

    def find(self, holder: str, size: int, realm: str, now: float) -> Reservation:
        """A holder's own block if it still fits, else a free one, else one that may be reclaimed.

        :raises Exhausted: there is none.
        """
        row = self.rows.of(holder)
        own = row is not None and (row.block.size == size or self.lasting(row))
        if row is not None and own and self.pools.serves(row.block, realm):
            return Reservation(row.block, size, realm)
        free = self.pools.take(size, realm)
        if free is not None:
            space, first = free
            return Reservation(PortBlock(space.pool.public, first, size), size, realm, pieces=((space, (first, size)),))
        found = self._reclaim_one(size, realm, now) or self._reclaim_several(size, realm, now)
        if found is None:
            raise Exhausted(f"no block of {size} ports is left" + (f" for realm {realm}" if realm else ""))
        return found

    def _reclaim_one(self, size: int, realm: str, now: float) -> Reservation | None:
        """Use the oldest released block that is large enough, of the smallest such size."""
        victim = self._kept.oldest(self.pools.store_of(realm), size, now)
        if victim is None:
            return None
        return Reservation(PortBlock(victim.block.public, victim.block.first, size), size, realm, victims=(victim,))

    def _reclaim_several(self, size: int, realm: str, now: float) -> Reservation | None:
        """Join smaller released blocks, and what is free between them, to one block."""
        for row in self._kept.smaller(self.pools.store_of(realm), size, now):
            block = PortBlock(row.block.public, row.block.first & -size, size)
            if self.pools.serves(block, realm):
                found = self._gather("", block, realm, now)
                if found is not None:
                    return found
        return None

    def _gather(self, holder: str, block: PortBlock, realm: str, now: float) -> Reservation | None:
        """Take a block if it consists of released ones, formerly this holder's ones and free space."""
        victims = self.rows.overlapping(block)
        if not all(self._reclaimable(victim, holder, block, now) for victim in victims):
            return None
        pieces = self.pools.take_all(block)
        inside = sum(min(victim.block.size, block.size) for victim in victims)
        if ports_in(pieces) + inside == block.size:
            return Reservation(block, block.size, realm, tuple(victims), pieces)
        give_back(pieces)
        return None

    def exactly(self, holder: str, block: PortBlock, realm: str, now: float) -> Reservation:
        """This very block; raise :class:`Taken` with the reason when it is not to be had.

        What the holder had before it may have again at once: quarantine keeps its late packets from others.
        """
        for row in self.rows.overlapping(block):
            if row.holder == holder:
                raise Taken(f"{block} shares ports with the phone's own block {row.block}: choose one apart from it")
            if not self._reclaimable(row, holder, block, now):
                raise Taken(f"{block} is not free: {self._use_of(row, now)}")
        found = self._gather(holder, block, realm, now)
        if found is None:
            raise Taken(f"{block} is not free: a phone is just being given some of it")
        return found

    def _use_of(self, row: PortBinding, now: float) -> str:
        """Why a row's ports cannot be had, in words."""
        if row.state is BindingState.HELD:
            return f"{row.holder} holds {row.block}"
        if self.lasting(row):
            return f"{row.block} is reserved for {row.holder}"
        if row.until > now:
            return f"{row.block} of {row.holder} is in quarantine for {row.until - now:.0f} s more"
        return f"{row.block} of {row.holder} is just being given out"

    def realm_for(self, block: PortBlock, old: PortBinding | None) -> str:
        """The realm in which a holder gets a block: his own, or the pool's; raise :class:`Taken` when he cannot have it there."""
        space = self.pools.holding(block)
        if space is None:
            raise Taken(f"{block} lies in no pool")
        realm = old.realm if old is not None and old.private is not None else space.pool.realm
        if not self.pools.serves(block, realm):
            own = space.pool.realm == self.pools.store_of(realm)
            raise Taken(f"{block} contains ports that no phone gets" if own else f"{block} is not of realm {realm}")
        return realm

    def free_at(self, public: IPv4Address, row: PortBinding, now: float) -> int:
        """First port of a block of a public address, as large as a row's, free or kept; raise :class:`Taken` when there is none."""
        pools = self.pools.of_realm(row.realm)
        if not self.pools.of_public(public):
            raise Taken(f"no pool has the public address {public}")
        if all(space.pool.public != public for space in pools):
            raise Taken(f"no pool of {public} is for realm {row.realm}")
        for space in pools:
            first = space.free.take(row.block.size) if space.pool.public == public else None
            if first is not None:
                space.give(first, row.block.size)
                return first
        kept = self._kept.at(self.pools.store_of(row.realm), public, row, now)
        if kept is None:
            raise Taken(f"no block of {row.block.size} ports of {public} is free")
        return kept.block.first

    def _reclaimable(self, row: PortBinding, holder: str, block: PortBlock, now: float) -> bool:
        """Whether this holder may have a row's ports as part of a block.

        In quarantine it may have all of its former ports: if it took some, the others would be anybody's.
        """
        own = is_former_of(row, holder) and block.first <= row.block.first and row.block.last <= block.last
        if row.state is not BindingState.RELEASED or not (row.until <= now or own):
            return False
        return self._kept.has(self._store_of(row), row.holder)

    def _store_of(self, row: PortBinding) -> str:
        space = self.pools.holding(row.block)
        return space.pool.realm if space is not None else ""
