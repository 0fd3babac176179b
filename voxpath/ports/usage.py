"""What the ports of each pool are used for, counted change by change: the answer costs the same however many rows there are."""

from dataclasses import dataclass

from voxpath.core.timers import TimerHeap
from voxpath.model.ports import BindingState, PortBinding
from voxpath.ports.pools import Pool, Pools, Space

HELD, RESERVED, QUARANTINED, KEPT = "held", "reserved", "quarantined", "kept"
"""What a row's ports are used for."""


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Ports of one pool by what they are used for.

    :ivar total: ports that may be given out: those of the range that are not reserved for other protocols.
    :ivar reserved: kept for a holder for ever, who does not hold them now.
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
    reserved: int = 0

    @property
    def used(self) -> int:
        """Ports that a new phone cannot get now; kept ones it can."""
        return self.total - self.free - self.kept

    def __str__(self) -> str:
        uses = ("free", "held", "reserved", "quarantined", "kept", "pending")
        shares = ", ".join(f"{getattr(self, use)} {use}" for use in uses)
        return f"{self.pool}: {self.total} ports, {shares}"


class Usage:
    """Counts of one ledger."""

    __slots__ = ("_counts", "_ends", "_pools", "_quarantines", "_uses")

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._counts = {space: dict.fromkeys((HELD, RESERVED, QUARANTINED, KEPT), 0) for space in pools.spaces}
        self._uses: dict[str, tuple[PortBinding, str]] = {}
        self._ends: TimerHeap[str] = TimerHeap()
        # The same by whose pools they are of, for who asks when one is over.
        self._quarantines: dict[str, TimerHeap[str]] = {}

    def add(self, row: PortBinding, lasting: bool) -> None:
        """Count a row; ``lasting``: its block is reserved for its holder."""
        use = HELD if row.state is BindingState.HELD else RESERVED if lasting else QUARANTINED
        self._uses[row.holder] = row, use
        self._count(row, use, 1)
        if use == QUARANTINED:
            self._ends.arm(row.holder, row.until)
            self._quarantines.setdefault(self._pools.store_of(row.realm), TimerHeap()).arm(row.holder, row.until)

    def remove(self, row: PortBinding) -> None:
        """Count a row no longer."""
        self._count(row, self._uses.pop(row.holder)[1], -1)
        if self._ends.disarm(row.holder):
            self._quarantines[self._pools.store_of(row.realm)].disarm(row.holder)

    def used(self, space: Space, now: float) -> int:
        """Ports of one pool that a new phone cannot get now."""
        self._end_quarantines(now)
        free = space.free
        return free.total - free.free - self._counts[space][KEPT]

    def quarantined(self, realm: str, now: float) -> tuple[int, float | None]:
        """How many blocks for phones of a realm are in quarantine, and when the next one is over; ``None``: there is none."""
        self._end_quarantines(now)
        ends = self._quarantines.get(self._pools.store_of(realm))
        return (len(ends), ends.next_due()) if ends is not None else (0, None)

    def of(self, space: Space, now: float) -> PoolUsage:
        """What one pool is used for."""
        self._end_quarantines(now)
        counts = self._counts[space]
        total, free = space.free.total, space.free.free
        return PoolUsage(space.pool, total, free, pending=total - free - sum(counts.values()), **counts)

    def _end_quarantines(self, now: float) -> None:
        for holder in self._ends.due(now):
            row = self._uses[holder][0]
            self._uses[holder] = row, KEPT
            self._quarantines[self._pools.store_of(row.realm)].disarm(holder)
            self._count(row, QUARANTINED, -1)
            self._count(row, KEPT, 1)

    def _count(self, row: PortBinding, use: str, sign: int) -> None:
        block = row.block
        whole = self._pools.holding(block)
        # The gateway's own ports may lie in several pools, or in none.
        for space in self._pools.of_public(block.public) if whole is None else (whole,):
            self._counts[space][use] += sign * space.free.allowed(block.first, block.size)
