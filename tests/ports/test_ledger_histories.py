"""Random histories of the ledger, beside a plain model of who owns which port."""

from collections import Counter
from ipaddress import IPv4Address

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from voxpath.core.effects import Put
from voxpath.core.errors import LocalError
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.ports.change import Exhausted, LedgerChange, Taken
from voxpath.ports.copy import LedgerCopy
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import RESERVED_PORTS, Pool

ONE, TWO = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
POOLS = [Pool(ONE, 5000, 5127), Pool(TWO, 20480, 20575), Pool(TWO, 20600, 20615, realm="guests")]
HOLDERS = [f"02:00:00:00:00:{n:02x}" for n in range(8)]
FIXED = {HOLDERS[0]: PortBlock(ONE, 5104, 16)}
QUARANTINE_S = 10.0


def look_ups(ledger: Ledger, now: float) -> tuple[object, ...]:
    return (
        frozenset(ledger.bindings()),
        [ledger.holder_of(ONE, port) for port in range(4990, 5140, 3)],
        [ledger.binding_of(holder) for holder in HOLDERS],
        ledger.usage(now),
        [space.free.snapshot() for space in ledger._pools.spaces],
    )


class Histories(RuleBasedStateMachine):
    """Grants, releases, claims, offers, moves, reservations; settled or withdrawn in any order; restarts and crashes."""

    pending = Bundle("pending")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.store: dict[str, PortBinding] = {}
        self.nat: dict[PortBlock, IPv4Address] = {}
        self.open: list[LedgerChange] = []
        self.loosened: list[LedgerChange] = []
        self.reserved: set[str] = set()
        self.start([])

    def start(self, rows: list[PortBinding]) -> None:
        self.ledger = Ledger(POOLS, quarantine_s=QUARANTINE_S, fixed=FIXED)
        assert self.ledger.load(rows) == ()
        self.copy = LedgerCopy()
        self.copy.snapshot("sg", self.ledger.generation, self.ledger.bindings())
        self.ledger.watch(lambda change: self.copy.apply("sg", change.generation, change.written, change.removed))

    @rule(seconds=st.sampled_from((0.5, 4.0, 11.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    def make(self, holder: str, size: int, number: int, realm: str) -> LedgerChange | None:
        before = self.ledger.binding_of(holder)
        if self.ledger.busy(holder):
            return None
        try:
            change = self.ledger.grant(holder, size, IPv4Address(f"10.0.{number}.{HOLDERS.index(holder)}"), realm, self.now)
        except Exhausted:
            return None
        own = before is not None and (before.block.size == size or self.ledger.lasting(before))
        if own and before is not None and self.ledger._pools.serves(before.block, realm) and change.written:
            assert change.written[-1].block == before.block, "the same holder has the same block"
        return change

    @rule(holder=st.sampled_from(HOLDERS), size=st.sampled_from((1, 2, 8, 16, 32)), number=st.integers(0, 1), guest=st.booleans())
    def grant(self, holder: str, size: int, number: int, guest: bool) -> None:
        change = self.make(holder, size, number, "guests" if guest else "lan")
        if change:
            self.open.append(change)

    @rule(holder=st.sampled_from(HOLDERS), size=st.sampled_from((1, 16, 64)))
    def reserve(self, holder: str, size: int) -> None:
        if not self.ledger.busy(holder):
            try:
                self.ledger.reserve(holder, size, "lan", self.now)
            except Exhausted:
                return

    @rule(holder=st.sampled_from(HOLDERS))
    def unreserve(self, holder: str) -> None:
        self.ledger.unreserve(holder)

    @rule(holder=st.sampled_from(HOLDERS))
    def release(self, holder: str) -> None:
        if not self.ledger.busy(holder):
            change = self.ledger.release(holder, self.now)
            if change:
                self.open.append(change)

    @rule(port=st.sampled_from((5060, 5061, 5040, 20500, 443)), size=st.sampled_from((1, 4)))
    def claim(self, port: int, size: int) -> None:
        holder = f"service:{size}"
        if self.ledger.busy(holder):
            return
        try:
            change = self.ledger.claim(holder, PortBlock(ONE, port & -size, size))
        except Taken:
            return
        if change:
            self.open.append(change)

    @rule(
        holder=st.sampled_from(HOLDERS),
        public=st.sampled_from((ONE, TWO)),
        first=st.sampled_from((None, 5056, 5088, 5104, 20480, 20496, 20600, 30000)),
    )
    def move(self, holder: str, public: IPv4Address, first: int | None) -> None:
        before = self.ledger.binding_of(holder)
        try:
            change = self.ledger.move(holder, public, first, self.now)
        except (Taken, LocalError):
            return
        if change:
            assert before is not None
            after = change.written[-1]
            assert (after.holder, after.state, after.private) == (holder, before.state, before.private)
            assert (after.block.public, after.block.size, after.reserved) == (public, before.block.size, before.reserved)
            self.open.append(change)

    @rule(holder=st.sampled_from(HOLDERS), public=st.sampled_from((ONE, TWO)), first=st.sampled_from((5056, 5104, 20496)))
    def reserve_for_ever(self, holder: str, public: IPv4Address, first: int) -> None:
        try:
            change = self.ledger.place(holder, PortBlock(public, first, 16), self.now, reserve=True)
        except (Taken, LocalError):
            return
        if change:
            self.open.append(change)

    @rule()
    def place_what_the_configuration_reserves(self) -> None:
        [(holder, block)] = FIXED.items()
        try:
            change = self.ledger.place(holder, block, self.now)
        except (Taken, LocalError):
            return
        if change:
            self.open.append(change)

    @rule(holder=st.sampled_from(HOLDERS))
    def loosen(self, holder: str) -> None:
        if not self.ledger.busy(holder):
            change = self.ledger.loosen(holder, self.now)
            if change:
                self.open.append(change)
                self.loosened.append(change)

    def write(self, change: LedgerChange) -> None:
        """Write a change as the store does."""
        for step in change.changes:
            if isinstance(step, Put):
                row = step.value
                assert isinstance(row, PortBinding)
                assert not any(row.block.overlaps(other.block) for other in self.store.values() if other.holder != row.holder)
                self.store[row.holder] = row
            else:
                assert isinstance(step.value, PortBinding)
                del self.store[step.value.holder]
        self.reserved.update(row.holder for row in change.written if row.reserved)
        if change in self.loosened:
            self.reserved.discard(change.holder)

    @rule(at=st.integers(0, 100))
    def settle(self, at: int) -> None:
        if not self.open:
            return
        change = self.open.pop(at % len(self.open))
        self.write(change)
        for mapping in change.transaction.remove:
            assert self.nat.pop(mapping.block) == mapping.private
        for mapping in change.transaction.add:
            self.nat[mapping.block] = mapping.private
        self.ledger.settle(change)

    @rule(at=st.integers(0, 100))
    def withdraw(self, at: int) -> None:
        if self.open:
            self.ledger.withdraw(self.open.pop(at % len(self.open)))

    @rule(holder=st.sampled_from(HOLDERS), size=st.sampled_from((1, 8, 32, 64)))
    def a_withdrawal_is_the_exact_inverse(self, holder: str, size: int) -> None:
        self.ledger.unreserve(holder)
        before = look_ups(self.ledger, self.now)
        change = self.make(holder, size, 0, "lan")
        if change is not None:
            self.ledger.withdraw(change)
        if not self.ledger.busy(holder):
            self.ledger.withdraw(self.ledger.release(holder, self.now))
        assert look_ups(self.ledger, self.now) == before

    @rule()
    def an_undone_commit_restores_the_store(self) -> None:
        for change in self.open:
            store = dict(self.store)
            for step in (*change.changes, *change.undo):
                assert isinstance(step.value, PortBinding)
                if isinstance(step, Put):
                    store[step.value.holder] = step.value
                else:
                    del store[step.value.holder]
            assert store == self.store

    @rule()
    def restart(self) -> None:
        for change in self.open:
            self.ledger.withdraw(change)
        self.open.clear()
        for holder in HOLDERS:
            self.ledger.unreserve(holder)
        before = look_ups(self.ledger, self.now)
        self.start(list(self.store.values()))
        assert look_ups(self.ledger, self.now) == before

    @rule(committed=st.integers(0, 5))
    def crash(self, committed: int) -> None:
        """The process ends between commit and answer: the store has the first of the changes that were under way, in order."""
        for change in self.open[:committed]:
            self.write(change)
        self.open.clear()
        self.start(list(self.store.values()))
        self.nat = {mapping.block: mapping.private for row in self.ledger.bindings() if (mapping := row.mapping) is not None}

    @invariant()
    def no_port_has_two_owners(self) -> None:
        owned: dict[tuple[IPv4Address, int], str] = {}
        blocks = [(row.holder, row.block) for row in self.ledger.bindings()]
        for holder, block in blocks:
            for port in range(block.first, block.last + 1):
                assert owned.setdefault((block.public, port), holder) == holder
                if not holder.startswith("service:"):
                    assert port not in RESERVED_PORTS
        free = {
            (space.pool.public, port)
            for space in self.ledger._pools.spaces
            for first, size in space.free.snapshot()
            for port in range(first, first + size)
        }
        assert not free & owned.keys()
        assert all(usage.pending >= 0 for usage in self.ledger.usage(self.now))

    @invariant()
    def a_reserved_block_stays_its_holders(self) -> None:
        for holder in self.reserved:
            row = self.ledger.binding_of(holder)
            assert row is not None
            assert row.reserved

    @invariant()
    def usage_is_what_a_count_of_all_rows_gives(self) -> None:
        for space, usage in zip(self.ledger._pools.spaces, self.ledger.usage(self.now), strict=True):
            counted: Counter[str] = Counter()
            for row in self.ledger.bindings():
                released = "quarantined" if row.until > self.now else "kept"
                idle = "reserved" if self.ledger.lasting(row) else released
                ports = space.free.allowed(row.block.first, row.block.size) if row.block.public == space.pool.public else 0
                counted["held" if row.state is BindingState.HELD else idle] += ports
            assert (usage.held, usage.reserved, usage.quarantined, usage.kept) == (
                *(counted["held"], counted["reserved"], counted["quarantined"], counted["kept"]),
            )

    @invariant()
    def the_ledger_equals_the_store_the_copy_and_the_nat(self) -> None:
        rows = {row.holder: row for row in self.ledger.bindings()}
        assert rows == self.store
        assert {row.holder: row for row in self.copy.bindings("sg")} == rows
        assert {m.block: m.private for row in rows.values() if (m := row.mapping) is not None} == self.nat
        for row in rows.values():
            held = row if row.state is BindingState.HELD else None
            for port in (row.block.first, row.block.last):
                assert self.ledger.holder_of(row.block.public, port) == self.copy.holder_of(row.block.public, port) == held


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
