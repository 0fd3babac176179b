"""The port ledger: who holds which ports of which public address (DHC-7, GEN-6, decision D18).

A change is made in two steps.
:meth:`Ledger.grant`, :meth:`~Ledger.claim` and :meth:`~Ledger.release` make a *pending* :class:`LedgerChange`: its space is
taken, and no look-up shows it.
When its rows are in the store and its transaction is in the NAT, :meth:`~Ledger.settle` makes it visible; when either failed,
:meth:`~Ledger.withdraw` restores what was before.

A released block is in quarantine first: nobody but its holder gets it, so that late packets of old calls reach no stranger.
Then it is kept for its holder, and is reclaimed, oldest first, only when the pool has run dry.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import islice

from voxpath.core.errors import LocalError
from voxpath.core.timers import TimerHeap
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.ports.change import Exhausted, LedgerChange, Reservation, Taken
from voxpath.ports.index import RowIndex
from voxpath.ports.pools import RESERVED_PORTS, Pool, Pools, Space, give_back, ports_in

QUARANTINE_S = 300.0
"""How long a released block is nobody's, in seconds: longer than any call's last packets travel."""
MAX_JOIN_TRIES = 256
"""How many released rows are tried as a part of a larger block when no released block is large enough itself."""
FORMER = "former:"
"""Holder of a block whose holder has got another one: ``former:`` and the block, which no two rows can share."""


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Ports of one pool by what they are used for.

    :ivar total: ports that may be given out: those of the range that are not reserved.
    :ivar quarantined: released, and nobody's yet.
    :ivar kept: released, and reclaimable when the pool runs dry.
    :ivar pending: taken for offers and for changes that are under way.
    """

    pool: Pool
    total: int
    free: int
    held: int
    quarantined: int
    kept: int
    pending: int

    def __str__(self) -> str:
        uses = ("free", "held", "quarantined", "kept", "pending")
        shares = ", ".join(f"{getattr(self, use)} {use}" for use in uses)
        return f"{self.pool.public}:{self.pool.first}-{self.pool.last}: {self.total} ports, {shares}"


class Ledger:
    """The only authority on port blocks of one gateway.

    :ivar generation: counts changes; those that were withdrawn leave gaps.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        reserved: frozenset[int] = RESERVED_PORTS,
        quarantine_s: float = QUARANTINE_S,
    ) -> None:
        self.generation = 0
        self._pools = Pools(pools, reserved)
        self._quarantine_s = quarantine_s
        self._rows = RowIndex()
        self._reserved: dict[str, Reservation] = {}
        self._pending: dict[str, LedgerChange] = {}
        self._victims: set[str] = set()
        self._released: dict[str, PortBinding] = {}
        self._queues: dict[tuple[Pool, int], TimerHeap[str]] = {}
        self._listeners: list[Callable[[LedgerChange], None]] = []

    # Look-ups: settled rows only.

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Who holds this public port now: *who owns 198.51.100.1:20014?*"""
        row = self._rows.at(public, port)
        return row if row is not None and row.state is BindingState.HELD else None

    def row_at(self, public: IPv4Address, port: int) -> PortBinding | None:
        """The row that this public port belongs to, a released one too."""
        return self._rows.at(public, port)

    def binding_of(self, holder: str) -> PortBinding | None:
        """The row of a holder, a released one too."""
        return self._rows.of(holder)

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """The held row of an inside address (REG-22)."""
        return self._rows.inside(realm, private)

    def bindings(self) -> tuple[PortBinding, ...]:
        """All rows."""
        return tuple(self._rows)

    def busy(self, holder: str) -> bool:
        """Whether a change for this holder is neither settled nor withdrawn yet."""
        return holder in self._pending

    def usage(self, now: float) -> tuple[PoolUsage, ...]:
        """What the ports of each pool are used for; this goes through all rows, so it is for commands."""
        return tuple(self._usage_of(space, now) for space in self._pools.spaces)

    def watch(self, listener: Callable[[LedgerChange], None]) -> None:
        """Tell the listener of every change when it is settled: the stream that subscribers' copies are fed from."""
        self._listeners.append(listener)

    # Changes.

    def load(self, bindings: Iterable[PortBinding], generation: int = 0) -> tuple[PortBinding, ...]:
        """Take the rows of the store at start-up; return those that contradict an earlier one, which are left out.

        :param generation: the NAT's generation, if it survived; new generations are higher than all.
        """
        refused = []
        self.generation = max(self.generation, generation)
        for row in sorted(bindings, key=lambda row: row.until):
            self.generation = max(self.generation, row.generation)
            if self._rows.of(row.holder) is not None or self._rows.overlapping(row.block):
                refused.append(row)
                continue
            self._pools.take_all(row.block)
            self._enter(row)
        return tuple(refused)

    def reserve(self, holder: str, size: int, realm: str, now: float) -> PortBlock:
        """Keep a block for a holder in memory, for the life of an offer; the same one again when it has one already.

        :raises Exhausted: there is none.
        :raises LocalError: a change for this holder is under way.
        """
        known = self._reserved.get(holder)
        if known is not None and (known.size, known.realm) == (size, realm):
            return known.block
        self.unreserve(holder)
        self._refuse_busy(holder)
        found = self._find(holder, size, realm, now)
        self._victims.update(row.holder for row in found.victims)
        self._reserved[holder] = found
        return found.block

    def unreserve(self, holder: str) -> None:
        """Let go of a reservation; it is no error when there is none."""
        reservation = self._reserved.pop(holder, None)
        if reservation is not None:
            self._let_go(reservation)

    def grant(self, holder: str, size: int, private: IPv4Address | None, realm: str, now: float) -> LedgerChange:
        """Give a holder a block for its inside address; the change is empty when it has just that already.

        :param private: ``None``: the holder has the public address itself and shares it (RFC 7618), so nothing is translated.

        A holder whose size has changed gets another block, and its old one goes into quarantine.

        :raises Exhausted: there is none.
        :raises LocalError: a change for this holder is under way, or the inside address is somebody else's.
        """
        self._refuse_busy(holder)
        other = None if private is None else self._rows.inside(realm, private)
        if other is not None and other.holder != holder:
            raise LocalError(f"{private} is the inside address of {other.holder}, it cannot be that of {holder} too")
        known = self._reserved.get(holder)
        block = self.reserve(holder, size, realm, now)
        reservation = self._reserved.pop(holder)
        old = self._rows.of(holder)
        if old is not None and (old.block, old.private, old.realm, old.state) == (block, private, realm, BindingState.HELD):
            return LedgerChange(self.generation, holder)
        new = PortBinding(holder, block, private, realm, BindingState.HELD, 0.0, self.generation + 1)
        removed = reservation.victims
        written: tuple[PortBinding, ...] = (new,)
        if old is not None and old not in removed:
            removed += (old,)
            if old.block != block:
                written = (self._former(old, now), new)
        return self._begin(holder, removed, written, reservation, reserved=reservation is known)

    def claim(self, holder: str, block: PortBlock) -> LedgerChange:
        """Enter a service port or the gateway's own ports; the change is empty when the holder has them already.

        Reserved ports may be claimed, and ports below 1024: this is what reserves them for a role.

        :raises Taken: a port of the block is somebody else's.
        """
        self._refuse_busy(holder)
        old = self._rows.of(holder)
        if old is not None and old.block == block and old.state is BindingState.HELD:
            return LedgerChange(self.generation, holder)
        for row in self._rows.overlapping(block):
            raise Taken(f"{block} for {holder} shares ports with {row.block} of {row.holder}")
        under_way = [change.reservation for change in self._pending.values()] + list(self._reserved.values())
        for reservation in under_way:
            if reservation is not None and reservation.block.overlaps(block):
                raise Taken(f"{block} for {holder} shares ports with {reservation.block}, which is being given out")
        reservation = Reservation(block, block.size, "", pieces=self._pools.take_all(block))
        new = PortBinding(holder, block, None, "", BindingState.HELD, 0.0, self.generation + 1)
        return self._begin(holder, () if old is None else (old,), (new,), reservation)

    def release(self, holder: str, now: float) -> LedgerChange:
        """Take a holder's block back: into quarantine, or a service port at once; empty when it holds none.

        :raises LocalError: a change for this holder is under way.
        """
        self._refuse_busy(holder)
        old = self._rows.of(holder)
        if old is None or old.state is BindingState.RELEASED:
            return LedgerChange(self.generation, holder)
        if old.private is None and not old.realm:
            return self._begin(holder, (old,), ())
        until = now + self._quarantine_s
        new = replace(old, state=BindingState.RELEASED, until=until, generation=self.generation + 1)
        return self._begin(holder, (old,), (new,))

    def settle(self, change: LedgerChange) -> None:
        """The change is in the store and in the NAT: show it in all look-ups, and tell the listeners."""
        if not change:
            return
        self._end(change)
        used = {row.block for row in change.written}
        for row in change.removed:
            self._rows.remove(row)
            self._victims.discard(row.holder)
            self._forget_released(row)
            self._free_unused(row.block, used)
        for row in change.written:
            self._enter(row)
        for listener in self._listeners:
            listener(change)

    def withdraw(self, change: LedgerChange) -> None:
        """The change failed: everything is as it was before it was made; what was reserved is reserved again."""
        if not change:
            return
        self._end(change)
        if change.reservation is None:
            return
        if change.reserved:
            self._reserved[change.holder] = change.reservation
        else:
            self._let_go(change.reservation)

    # Finding space.

    def _find(self, holder: str, size: int, realm: str, now: float) -> Reservation:
        if holder in self._victims:
            raise Exhausted(f"the ports of {holder} are being given to another phone")
        row = self._rows.of(holder)
        if row is not None and row.block.size == size and self._pools.serves(row.block, realm):
            return Reservation(row.block, size, realm)
        spaces = self._pools.of_realm(realm)
        for space in spaces:
            first = space.free.take(size)
            if first is not None:
                return Reservation(PortBlock(space.pool.public, first, size), size, realm, pieces=((space, (first, size)),))
        for space in spaces:
            found = self._reclaim_one(space, size, realm, now) or self._reclaim_several(space, size, realm, now)
            if found is not None:
                return found
        raise Exhausted(f"no block of {size} ports is left" + (f" for realm {realm}" if realm else ""))

    def _reclaim_one(self, space: Space, size: int, realm: str, now: float) -> Reservation | None:
        """Use the oldest released block that is large enough, of the smallest such size."""
        for queue_size in sorted(kept for pool, kept in self._queues if pool == space.pool and kept >= size):
            victim = self._oldest(self._queues[space.pool, queue_size], now)
            if victim is not None:
                block = PortBlock(victim.block.public, victim.block.first, size)
                return Reservation(block, size, realm, victims=(victim,))
        return None

    def _oldest(self, queue: TimerHeap[str], now: float) -> PortBinding | None:
        passed = []
        found = None
        for holder in queue.due(now):
            row = self._rows.of(holder)
            assert row is not None  # a row leaves its queue when it goes
            passed.append(row)
            if self._reclaimable(row, now):
                found = row
                break
        for row in passed:
            # Even the one that was found stays queued until the change is settled: a withdrawal then restores nothing.
            queue.arm(row.holder, row.until)
        return found

    def _reclaim_several(self, space: Space, size: int, realm: str, now: float) -> Reservation | None:
        """Join smaller released blocks, and what is free between them, to one block."""
        for row in islice(self._released.values(), MAX_JOIN_TRIES):
            if row.block.size >= size or row.block not in space.pool:
                continue
            block = PortBlock(row.block.public, row.block.first & -size, size)
            victims = self._rows.overlapping(block)
            if block not in space.pool or not all(self._reclaimable(victim, now) for victim in victims):
                continue
            pieces = self._pools.take_all(block)
            if ports_in(pieces) + sum(victim.block.size for victim in victims) == size:
                return Reservation(block, size, realm, tuple(victims), pieces)
            give_back(pieces)
        return None

    def _reclaimable(self, row: PortBinding, now: float) -> bool:
        holder = row.holder
        return (
            row.state is BindingState.RELEASED
            and row.until <= now
            and holder not in self._victims
            and holder not in self._reserved
            and holder not in self._pending
        )

    # Bookkeeping.

    def _refuse_busy(self, holder: str) -> None:
        if holder in self._pending:
            raise LocalError(f"a change for {holder} is under way")

    def _begin(
        self,
        holder: str,
        removed: tuple[PortBinding, ...],
        written: tuple[PortBinding, ...],
        reservation: Reservation | None = None,
        reserved: bool = False,
    ) -> LedgerChange:
        self.generation += 1
        change = LedgerChange(self.generation, holder, removed, written, reservation, reserved)
        self._pending[holder] = change
        return change

    def _end(self, change: LedgerChange) -> None:
        if self._pending.get(change.holder) is not change:
            raise LocalError(f"the change of {change.holder} in generation {change.generation} is not pending")
        del self._pending[change.holder]

    def _let_go(self, reservation: Reservation) -> None:
        give_back(reservation.pieces)
        self._victims.difference_update(row.holder for row in reservation.victims)

    def _former(self, old: PortBinding, now: float) -> PortBinding:
        until = now + self._quarantine_s if old.state is BindingState.HELD else old.until
        return replace(old, holder=f"{FORMER}{old.block}", state=BindingState.RELEASED, until=until, generation=self.generation + 1)

    def _enter(self, row: PortBinding) -> None:
        self._rows.add(row)
        if row.state is BindingState.RELEASED:
            self._released[row.holder] = row
            space = self._pools.holding(row.block)
            if space is not None:
                self._queues.setdefault((space.pool, row.block.size), TimerHeap()).arm(row.holder, row.until)

    def _forget_released(self, row: PortBinding) -> None:
        if self._released.pop(row.holder, None) is not None:
            space = self._pools.holding(row.block)
            if space is not None:
                self._queues[space.pool, row.block.size].disarm(row.holder)

    def _free_unused(self, block: PortBlock, used: set[PortBlock]) -> None:
        """Free the part of a removed row's block that no new row uses."""
        if any(new.overlaps(block) and new.size >= block.size for new in used):
            return
        self._pools.give(block)
        for new in used:
            if new.overlaps(block):
                self._pools.take_all(new)

    def _usage_of(self, space: Space, now: float) -> PoolUsage:
        counts = dict.fromkeys(("held", "quarantined", "kept"), 0)
        for row in self._rows:
            if row.block.public == space.pool.public:
                released = "quarantined" if row.until > now else "kept"
                use = "held" if row.state is BindingState.HELD else released
                counts[use] += space.free.allowed(row.block.first, row.block.size)
        total, free = space.free.total, space.free.free
        return PoolUsage(space.pool, total, free, pending=total - free - sum(counts.values()), **counts)
