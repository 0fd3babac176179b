"""The port ledger: who holds which ports of which public address (DHC-7, GEN-6, decision D18).

A change is made in two steps.
:meth:`Ledger.grant`, :meth:`~Ledger.claim` and :meth:`~Ledger.release` make a *pending* :class:`LedgerChange`: its space is
taken, and no look-up shows it.
When its rows are in the store and its transaction is in the NAT, :meth:`~Ledger.settle` makes it visible; when either failed,
:meth:`~Ledger.withdraw` restores what was before.

A released block is in quarantine first: nobody but its holder gets it, so that late packets of old calls reach no stranger.
So is a block that its holder left for another one; an operator may move the holder back to it at once.
Then it is kept for its holder, and is reclaimed, oldest first, only when all pools of its realm have run dry.
A reserved block is its holder's for ever, whether he is there or not.
"""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address
from math import inf

from msgspec.structs import replace

from voxpath.core.errors import LocalError
from voxpath.core.timers import TimerHeap
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.ports.change import Exhausted, LedgerChange, Reservation, Taken
from voxpath.ports.pools import RESERVED_PORTS, Pool, Pools, Space, give_back
from voxpath.ports.room import Room, former_name
from voxpath.ports.usage import PoolUsage

QUARANTINE_S = 300.0
"""How long a released block is nobody's, in seconds: longer than any call's last packets travel."""


class Ledger:
    """The only authority on port blocks of one gateway.

    :param reserved: ports that no block contains.
    :param fixed: blocks that the configuration reserves, by holder: once they are theirs, nobody else gets them.
    :ivar generation: counts changes; those that were withdrawn leave gaps.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        reserved: frozenset[int] = RESERVED_PORTS,
        quarantine_s: float = QUARANTINE_S,
        fixed: Mapping[str, PortBlock] | None = None,
    ) -> None:
        self.generation = 0
        self._quarantine_s = quarantine_s
        self._room = Room(Pools(pools, reserved), dict(fixed or {}), self._spoken_for)
        self._rows = self._room.rows
        self._pools = self._room.pools
        self._reserved: dict[str, Reservation] = {}
        self._pending: dict[str, LedgerChange] = {}
        self._victims: set[str] = set()
        # Until when whoever got another block keeps it if it is the larger one.
        self._exchanged: TimerHeap[str] = TimerHeap()
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
        """What the ports of each pool are used for."""
        return tuple(self._room.usage.of(space, now) for space in self._pools.spaces)

    def used_around(self, block: PortBlock, now: float) -> tuple[Space, int] | None:
        """This block's pool, and how many of its ports a new phone cannot get now; ``None``: it lies in none."""
        space = self._pools.holding(block)
        return (space, self._room.usage.used(space, now)) if space is not None else None

    def quarantined(self, realm: str, now: float) -> tuple[int, float | None]:
        """How many blocks for phones of a realm are in quarantine, and when the next one is over; ``None``: there is none."""
        return self._room.usage.quarantined(realm, now)

    def gives(self, row: PortBinding) -> bool:
        """Whether its holder could get a row's block today: it lies in a pool of the realm, and in none that was taken out."""
        return self._pools.serves(row.block, row.realm)

    def lasting(self, row: PortBinding) -> bool:
        """Whether a row's block is its holder's for ever, by an operator's word or by the configuration."""
        return self._room.lasting(row)

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
            self._room.enter(row)
        return tuple(refused)

    def reserve(self, holder: str, size: int, realm: str, now: float) -> PortBlock:
        """Keep a block for a holder in memory, for the life of an offer; the same one again when it has one already.

        :raises Exhausted: there is none.
        :raises LocalError: a change for this holder is under way.
        """
        size = self._lasting_size(holder, size, now)
        known = self._reserved.get(holder)
        if known is not None and (known.size, known.realm) == (size, realm):
            return known.block
        self.unreserve(holder)
        self._refuse_busy(holder)
        if holder in self._victims:
            raise Exhausted(f"the ports of {holder} are being given to another phone")
        found = self._room.find(holder, size, realm, now)
        self._victims.update(row.holder for row in found.victims)
        self._reserved[holder] = found
        self._room.sort(holder, *(row.holder for row in found.victims))
        return found.block

    def unreserve(self, holder: str) -> None:
        """Let go of a reservation; it is no error when there is none."""
        reservation = self._reserved.pop(holder, None)
        if reservation is not None:
            self._let_go(reservation)
            self._room.sort(holder)

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
        until = inf if old is not None and old.reserved else 0.0
        new = PortBinding(holder, block, private, realm, BindingState.HELD, until, self.generation + 1)
        if old is not None and old.block != block:
            self._exchanged.arm(holder, now + self._quarantine_s)
        return self._exchange(old, new, reservation, now, reserved=reservation is known)

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
        until = inf if old.reserved else now + self._quarantine_s
        new = replace(old, state=BindingState.RELEASED, until=until, generation=self.generation + 1)
        return self._begin(holder, (old,), (new,))

    # An operator's word.

    def place(self, holder: str, block: PortBlock, now: float, reserve: bool = False) -> LedgerChange:
        """Give a holder this very block instead of its own, which goes into quarantine; empty when it is so already.

        A holder that is not there, or was never seen, is given it for its return.

        :param reserve: whether nobody else ever gets the block, until :meth:`loosen`; a reservation that there was moves along.
        :raises Taken: the block is not to be had: the reason says why.
        :raises LocalError: a change for this holder is under way.
        """
        self._refuse_busy(holder)
        if holder in self._victims:
            raise LocalError(f"the ports of {holder} are being given to another phone")
        fixed = self._room.fixed_for(holder)
        if fixed is not None and fixed != block:
            raise Taken(f"the configuration reserves {fixed} for {holder}")
        self.unreserve(holder)
        old = self._rows.of(holder)
        until = inf if reserve or (old is not None and old.reserved) else None
        if old is not None and old.block == block:
            new = replace(old, until=old.until if until is None else until, generation=self.generation + 1)
            return LedgerChange(self.generation, holder) if new.until == old.until else self._begin(holder, (old,), (new,))
        realm = self._room.realm_for(block, old)
        reservation = self._room.exactly(holder, block, realm, now)
        state = BindingState.RELEASED if old is None else old.state
        until = until if until is not None else 0.0 if old is None or state is BindingState.HELD else old.until
        private = None if old is None else old.private
        new = PortBinding(holder, block, private, realm, state, until, self.generation + 1)
        self._victims.update(row.holder for row in reservation.victims)
        return self._exchange(old, new, reservation, now)

    def move(self, holder: str, public: IPv4Address, first: int | None, now: float) -> LedgerChange:
        """Give a holder another block of its size: the one at ``first``, or any free one of this public address.

        :raises Taken: the holder has no block, or the block is not to be had: the reason says why.
        :raises LocalError: a change for this holder is under way.
        """
        row = self._rows.of(holder)
        if row is None:
            raise Taken(f"{holder} has no block")
        first = self._room.free_at(public, row, now) if first is None else first
        try:
            block = PortBlock(public, first, row.block.size)
        except ValueError as error:
            raise Taken(str(error)) from None
        return self.place(holder, block, now)

    def loosen(self, holder: str, now: float) -> LedgerChange:
        """End a reservation; whoever holds the block keeps it as any other phone does. Empty when there is none.

        :raises LocalError: a change for this holder is under way.
        """
        self._refuse_busy(holder)
        old = self._rows.of(holder)
        if old is None or not old.reserved:
            return LedgerChange(self.generation, holder)
        until = 0.0 if old.state is BindingState.HELD else now
        return self._begin(holder, (old,), (replace(old, until=until, generation=self.generation + 1),))

    # The end of a change.

    def settle(self, change: LedgerChange) -> None:
        """The change is in the store and in the NAT: show it in all look-ups, and tell the listeners."""
        if not change:
            return
        self._end(change)
        for row in change.removed:
            self._room.forget(row)
            self._victims.discard(row.holder)
            self._room.free_unused(row.block, {new.block for new in change.written})
        for row in change.written:
            self._room.enter(row)
        for listener in self._listeners:
            listener(change)

    def withdraw(self, change: LedgerChange) -> None:
        """The change failed: everything is as it was before it was made; what was reserved is reserved again."""
        if not change:
            return
        self._end(change)
        if change.reserved and change.reservation is not None:
            self._reserved[change.holder] = change.reservation
        elif change.reservation is not None:
            self._let_go(change.reservation)
        self._room.sort(change.holder)

    # Bookkeeping.

    def _spoken_for(self, holder: str) -> bool:
        return holder in self._victims or holder in self._reserved or holder in self._pending

    def _lasting_size(self, holder: str, size: int, now: float) -> int:
        """What a phone gets whose size goes to and fro: for the length of a quarantine it keeps the larger block.

        Else each turn would leave one more block that nobody can have.
        """
        row = self._rows.of(holder)
        if row is None or row.block.size <= size:
            return size
        for _ in self._exchanged.due(now):
            pass
        return row.block.size if holder in self._exchanged else size

    def _refuse_busy(self, holder: str) -> None:
        if holder in self._pending:
            raise LocalError(f"a change for {holder} is under way")

    def _exchange(
        self, old: PortBinding | None, new: PortBinding, reservation: Reservation, now: float, reserved: bool = False
    ) -> LedgerChange:
        """Write a row over the holder's old one; another block than the new one's goes into quarantine under a name of its own."""
        removed = reservation.victims
        written: tuple[PortBinding, ...] = (new,)
        if old is not None and old not in removed:
            removed += (old,)
            if old.block != new.block:
                written = (self._former(old, now), new)
        return self._begin(new.holder, removed, written, reservation, reserved)

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
        self._room.sort(holder, *(row.holder for row in removed))
        return change

    def _end(self, change: LedgerChange) -> None:
        if self._pending.get(change.holder) is not change:
            raise LocalError(f"the change of {change.holder} in generation {change.generation} is not pending")
        del self._pending[change.holder]

    def _let_go(self, reservation: Reservation) -> None:
        give_back(reservation.pieces)
        victims = [row.holder for row in reservation.victims]
        self._victims.difference_update(victims)
        self._room.sort(*victims)

    def _former(self, old: PortBinding, now: float) -> PortBinding:
        until = now + self._quarantine_s if old.state is BindingState.HELD else now if old.reserved else old.until
        return replace(old, holder=former_name(old), state=BindingState.RELEASED, until=until, generation=self.generation + 1)
