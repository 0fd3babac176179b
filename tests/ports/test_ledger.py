"""The ledger: one owner per port, the same block for the same phone, quarantine, reclaim, and exact withdrawal."""

import re
from ipaddress import IPv4Address

import msgspec
import pytest

from voxpath.core.effects import Delete, Put
from voxpath.core.errors import LocalError
from voxpath.model.ports import BindingState, Mapping, PortBinding, PortBlock
from voxpath.ports.change import Exhausted, LedgerChange, Taken
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import RESERVED_PORTS, Pool
from voxpath.ports.row import binding_from_row, binding_row

ONE, TWO = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
A, B, C = "02:00:00:00:0a:01", "02:00:00:00:0a:02", "02:00:00:00:0a:03"
PA, PB, PC = (IPv4Address(f"10.0.0.{n}") for n in (1, 2, 3))


def small(blocks: int = 2, quarantine_s: float = 100.0) -> Ledger:
    """A ledger with room for that many blocks of 64."""
    return Ledger([Pool(ONE, 20480, 20480 + 64 * blocks - 1)], quarantine_s=quarantine_s)


def grant(ledger: Ledger, holder: str, private: IPv4Address, size: int = 64, now: float = 0.0) -> LedgerChange:
    change = ledger.grant(holder, size, private, "lan", now)
    ledger.settle(change)
    return change


def release(ledger: Ledger, holder: str, now: float) -> LedgerChange:
    change = ledger.release(holder, now)
    ledger.settle(change)
    return change


def test_a_grant_is_invisible_until_it_is_settled() -> None:
    ledger = small()
    change = ledger.grant(A, 64, PA, "lan", 0.0)
    assert ledger.holder_of(ONE, 20480) is ledger.binding_of(A) is ledger.by_private("lan", PA) is None
    assert ledger.bindings() == ()
    assert ledger.busy(A)
    ledger.settle(change)
    row = ledger.binding_of(A)
    assert row is not None
    assert row.block == PortBlock(ONE, 20480, 64)
    assert ledger.holder_of(ONE, 20543) is ledger.by_private("lan", PA) is row
    assert ledger.holder_of(ONE, 20544) is ledger.holder_of(TWO, 20480) is None
    assert not ledger.busy(A)


def test_a_grant_writes_one_row_and_adds_one_mapping() -> None:
    change = small().grant(A, 64, PA, "lan", 0.0)
    row = PortBinding(A, PortBlock(ONE, 20480, 64), PA, "lan", BindingState.HELD, 0.0, 1)
    assert change.changes == (Put(row),)
    assert change.transaction.add == (Mapping(PA, row.block),)
    assert change.transaction.remove == ()
    assert change.undo == (Delete(row),)


def test_a_holder_of_a_shared_address_has_ports_and_no_mapping_and_they_are_quarantined_too() -> None:
    """RFC 7618: the public address is the holder's own, so nothing is translated; its ports are a phone's like any others."""
    ledger = small()
    for holder in (A, B):
        change = ledger.grant(holder, 64, None, "lan", 0.0)
        assert not change.transaction
        ledger.settle(change)
    assert ledger.holder_of(ONE, 20480) is ledger.binding_of(A)
    released = release(ledger, A, 10.0)
    assert not released.transaction
    assert [(row.state, row.until) for row in released.written] == [(BindingState.RELEASED, 110.0)]
    with pytest.raises(Exhausted):
        ledger.grant(C, 64, None, "lan", 20.0)
    assert ledger.grant(A, 64, None, "lan", 20.0).written[0].block == PortBlock(ONE, 20480, 64)


def test_an_unchanged_grant_is_empty() -> None:
    ledger = small()
    grant(ledger, A, PA)
    again = ledger.grant(A, 64, PA, "lan", 5.0)
    assert not again
    assert not again.transaction
    assert again.changes == ()
    assert not ledger.busy(A)
    assert again.generation == ledger.generation == 1
    ledger.settle(again)
    ledger.withdraw(again)


def test_another_inside_address_keeps_the_block_in_one_transaction() -> None:
    ledger = small()
    grant(ledger, A, PA)
    change = grant(ledger, A, PB)
    block = PortBlock(ONE, 20480, 64)
    assert change.transaction.remove == (Mapping(PA, block),)
    assert change.transaction.add == (Mapping(PB, block),)
    assert change.changes == (Put(ledger.binding_of(A)),)
    assert ledger.by_private("lan", PA) is None


def test_two_holders_of_one_inside_address_are_our_own_error() -> None:
    ledger = small()
    grant(ledger, A, PA)
    with pytest.raises(LocalError):
        ledger.grant(B, 64, PA, "lan", 0.0)


def test_one_change_at_a_time_per_holder() -> None:
    ledger = small()
    ledger.grant(A, 64, PA, "lan", 0.0)
    for second in (
        lambda: ledger.grant(A, 64, PB, "lan", 0.0),
        lambda: ledger.release(A, 0.0),
        lambda: ledger.reserve(A, 8, "", 0),
    ):
        with pytest.raises(LocalError):
            second()


def test_a_release_removes_the_mapping_and_quarantines_the_block() -> None:
    ledger = small(blocks=1)
    grant(ledger, A, PA)
    change = release(ledger, A, 10.0)
    assert change.transaction.remove == (Mapping(PA, PortBlock(ONE, 20480, 64)),)
    row = ledger.binding_of(A)
    assert row is not None
    assert (row.state, row.until) == (BindingState.RELEASED, 110.0)
    assert ledger.holder_of(ONE, 20480) is None
    assert ledger.row_at(ONE, 20480) is row
    assert not ledger.release(A, 11.0)
    with pytest.raises(Exhausted):
        ledger.grant(B, 64, PB, "lan", 109.9)


def test_the_holder_gets_its_block_back_even_in_quarantine() -> None:
    ledger = small()
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, A, 10.0)
    change = grant(ledger, A, PC, now=11.0)
    assert change.written[0].block == PortBlock(ONE, 20480, 64)
    assert change.transaction.remove == ()


def test_a_dry_pool_reclaims_the_oldest_after_its_quarantine() -> None:
    ledger = small()
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, B, 10.0)
    release(ledger, A, 20.0)
    old = ledger.binding_of(B)
    change = ledger.grant(C, 64, PC, "lan", 500.0)
    assert change.changes == (Delete(old), Put(change.written[0]))
    assert ledger.binding_of(B) is old
    with pytest.raises(Exhausted):
        ledger.reserve(B, 64, "lan", 500.0)
    ledger.settle(change)
    assert ledger.binding_of(B) is None
    row = ledger.holder_of(ONE, 20544)
    assert row is not None
    assert row.holder == C


def test_a_withdrawn_reclaim_gives_the_block_back_to_its_former_holder() -> None:
    ledger = small(blocks=1)
    grant(ledger, A, PA)
    release(ledger, A, 0.0)
    change = ledger.grant(C, 16, PC, "lan", 500.0)
    ledger.withdraw(change)
    assert ledger.binding_of(C) is None
    assert grant(ledger, A, PA, now=501.0).written[0].block == PortBlock(ONE, 20480, 64)


def test_the_rest_of_a_reclaimed_larger_block_becomes_free_when_settled() -> None:
    ledger = small(blocks=1)
    grant(ledger, A, PA)
    release(ledger, A, 0.0)
    change = ledger.grant(C, 16, PC, "lan", 500.0)
    with pytest.raises(Exhausted):
        ledger.reserve(B, 16, "lan", 500.0)
    ledger.settle(change)
    assert ledger.usage(500.0)[0].free == 48
    assert ledger.reserve(B, 32, "lan", 500.0) == PortBlock(ONE, 20512, 32)


def test_smaller_released_blocks_and_free_ports_are_joined() -> None:
    ledger = small(blocks=1)
    grant(ledger, A, PA, size=16)
    grant(ledger, B, PB, size=16)
    release(ledger, A, 0.0)
    with pytest.raises(Exhausted):
        ledger.reserve(C, 64, "lan", 500.0)
    release(ledger, B, 1.0)
    change = grant(ledger, C, PC, size=64, now=500.0)
    assert change.written[0].block == PortBlock(ONE, 20480, 64)
    assert [type(step) for step in change.changes] == [Delete, Delete, Put]
    assert [row.holder for row in ledger.bindings()] == [C]


def test_another_size_moves_the_holder_and_quarantines_its_old_block() -> None:
    ledger = small()
    grant(ledger, A, PA, size=16)
    old = ledger.binding_of(A)
    change = grant(ledger, A, PA, size=64, now=7.0)
    former = ledger.row_at(ONE, 20480)
    assert former is not None
    assert former.holder == f"former:{A}@198.51.100.1:20480-20495"
    assert (former.state, former.until) == (BindingState.RELEASED, 107.0)
    assert change.changes == (Delete(old), Put(former), Put(ledger.binding_of(A)))
    assert change.transaction.remove == (Mapping(PA, PortBlock(ONE, 20480, 16)),)
    assert change.transaction.add == (Mapping(PA, PortBlock(ONE, 20544, 64)),)


def test_a_holder_of_another_size_may_reclaim_its_own_old_block() -> None:
    ledger = small(blocks=1)
    grant(ledger, A, PA, size=64)
    release(ledger, A, 0.0)
    change = grant(ledger, A, PA, size=32, now=500.0)
    assert change.written[0].block == PortBlock(ONE, 20480, 32)
    assert len(change.changes) == 2
    assert ledger.usage(500.0)[0].free == 32


def test_a_reservation_lasts_and_is_used_by_the_grant() -> None:
    ledger = small()
    assert ledger.reserve(A, 64, "lan", 0.0) == ledger.reserve(A, 64, "lan", 1.0) == PortBlock(ONE, 20480, 64)
    assert ledger.reserve(B, 64, "lan", 0.0) == PortBlock(ONE, 20544, 64)
    with pytest.raises(Exhausted):
        ledger.reserve(C, 64, "lan", 0.0)
    ledger.unreserve(A)
    ledger.unreserve(A)
    assert ledger.reserve(C, 64, "lan", 0.0) == PortBlock(ONE, 20480, 64)
    assert grant(ledger, B, PB).written[0].block == PortBlock(ONE, 20544, 64)


def test_the_first_pool_is_filled_before_the_next() -> None:
    ledger = Ledger([Pool(ONE, 20480, 20543), Pool(TWO, 20480, 20543)])
    assert [grant(ledger, h, p).written[0].block.public for h, p in ((A, PA), (B, PB))] == [ONE, TWO]
    with pytest.raises(Exhausted):
        ledger.reserve(C, 1, "lan", 0.0)


def test_a_realm_with_a_pool_of_its_own_uses_no_other() -> None:
    ledger = Ledger([Pool(ONE, 20480, 20607), Pool(TWO, 20480, 20543, realm="guests")])
    assert ledger.reserve(A, 64, "guests", 0.0).public == TWO
    with pytest.raises(Exhausted, match="guests"):
        ledger.reserve(B, 64, "guests", 0.0)
    assert ledger.reserve(B, 64, "lan", 0.0).public == ONE


def test_reserved_ports_are_granted_to_nobody_but_may_be_claimed() -> None:
    ledger = Ledger([Pool(ONE, 5056, 5063)])
    granted = set()
    for n in range(6):
        granted |= {ledger.reserve(f"p{n}", 1, "", 0.0).first}
    assert granted == set(range(5056, 5064)) - {5060, 5061}
    change = ledger.claim("service:sip", PortBlock(ONE, 5060, 1))
    assert not change.transaction
    ledger.settle(change)
    row = ledger.holder_of(ONE, 5060)
    assert row is not None
    assert (row.holder, row.mapping) == ("service:sip", None)
    assert not ledger.claim("service:sip", PortBlock(ONE, 5060, 1))


def test_named_ports_of_the_decision_are_reserved() -> None:
    """Decision D18 names them; those below 1024 are in no pool."""
    assert {5060, 5061, 2427, 2727, 2944, 2945, 4500, 1701, 1194, 3478, 5349} <= RESERVED_PORTS


def test_a_claim_takes_its_ports_from_the_pool_and_refuses_those_of_others() -> None:
    ledger = small()
    ledger.settle(ledger.claim("gateway:ephemeral", PortBlock(ONE, 20480, 64)))
    assert ledger.reserve(A, 64, "lan", 0.0) == PortBlock(ONE, 20544, 64)
    with pytest.raises(Taken, match="being given out"):
        ledger.claim("service:x", PortBlock(ONE, 20550, 1))
    with pytest.raises(Taken, match="gateway:ephemeral"):
        ledger.claim("service:x", PortBlock(ONE, 20481, 1))
    ledger.settle(ledger.claim("gateway:ephemeral", PortBlock(ONE, 80, 1)))
    assert ledger.usage(0.0)[0].free == 64
    release(ledger, "gateway:ephemeral", 0.0)
    assert ledger.bindings() == ()


def test_a_restart_keeps_blocks_quarantine_and_order() -> None:
    first = small(blocks=3)
    old_of_a = grant(first, A, PA).written[0]
    old_of_b = grant(first, B, PB).written[0]
    grant(first, C, PC)
    release(first, B, 10.0)
    release(first, A, 20.0)
    second = small(blocks=3)
    assert second.load(reversed(first.bindings()), generation=90) == ()
    assert second.generation == 90
    assert set(second.bindings()) == set(first.bindings())
    assert second.reserve("new", 64, "lan", 500.0) == old_of_b.block
    assert second.reserve(A, 64, "lan", 500.0) == old_of_a.block


def test_contradicting_rows_of_a_store_are_left_out_and_told() -> None:
    rows = [
        PortBinding(A, PortBlock(ONE, 20480, 64), PA, "lan", BindingState.HELD, 0.0, 3),
        PortBinding(B, PortBlock(ONE, 20496, 16), PB, "lan", BindingState.HELD, 0.0, 4),
    ]
    ledger = small()
    assert ledger.load(rows) == (rows[1],)
    assert ledger.generation == 4


def test_a_block_that_the_configuration_no_longer_allows_is_replaced() -> None:
    row = PortBinding(A, PortBlock(ONE, 30720, 64), PA, "lan", BindingState.HELD, 0.0, 3)
    ledger = small()
    ledger.load([row])
    change = grant(ledger, A, PA)
    assert change.written[-1].block == PortBlock(ONE, 20480, 64)


def test_usage_counts_every_port_once() -> None:
    ledger = small(blocks=4)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, B, 0.0)
    ledger.reserve(C, 32, "lan", 0.0)
    usage = ledger.usage(50.0)[0]
    assert (usage.total, usage.free, usage.held, usage.quarantined, usage.kept, usage.pending) == (256, 96, 64, 64, 0, 32)
    assert ledger.usage(200.0)[0].kept == 64


def test_listeners_hear_settled_changes_only() -> None:
    ledger = small()
    heard: list[LedgerChange] = []
    ledger.watch(heard.append)
    ledger.withdraw(ledger.grant(A, 64, PA, "lan", 0.0))
    change = grant(ledger, B, PB)
    assert heard == [change]


def test_a_change_ends_once() -> None:
    ledger = small()
    change = grant(ledger, A, PA)
    for end in (ledger.settle, ledger.withdraw):
        with pytest.raises(LocalError):
            end(change)


@pytest.mark.parametrize("wrong", [(1023, 2000), (2000, 1999), (60000, 65536)])
def test_a_pool_lies_within_the_allowed_ports(wrong: tuple[int, int]) -> None:
    with pytest.raises(LocalError):
        Pool(ONE, *wrong)


def test_pools_do_not_overlap() -> None:
    with pytest.raises(LocalError):
        Ledger([Pool(ONE, 20000, 30000), Pool(ONE, 30000, 40000)])


def test_a_withdrawn_grant_leaves_the_reservation_that_it_used() -> None:
    """The phone repeats its REQUEST: the offer of its block still stands."""
    ledger = small(blocks=1)
    block = ledger.reserve(A, 64, "lan", 0.0)
    ledger.withdraw(ledger.grant(A, 64, PA, "lan", 0.0))
    with pytest.raises(Exhausted):
        ledger.reserve(B, 64, "lan", 0.0)
    assert ledger.reserve(A, 64, "lan", 0.0) == block
    ledger.unreserve(A)
    assert ledger.reserve(B, 64, "lan", 0.0) == block


# Reservations and moves.


def held(ledger: Ledger, holder: str) -> PortBinding:
    row = ledger.binding_of(holder)
    assert row is not None
    return row


def place(ledger: Ledger, holder: str, first: int, now: float, *, reserve: bool = False, size: int = 64) -> LedgerChange:
    change = ledger.place(holder, PortBlock(ONE, first, size), now, reserve)
    ledger.settle(change)
    return change


def test_a_reserved_block_is_nobody_elses_however_scarce_ports_are() -> None:
    ledger = small(blocks=1)
    grant(ledger, A, PA)
    place(ledger, A, 20480, 1.0, reserve=True)
    release(ledger, A, 2.0)
    with pytest.raises(Exhausted):
        ledger.grant(B, 64, PB, "lan", 1e9)
    again = small(blocks=1)
    again.load(ledger.bindings())
    with pytest.raises(Exhausted):
        again.grant(B, 64, PB, "lan", 1e9)
    assert grant(again, A, PA, now=1e9).written[-1].reserved
    again.settle(again.loosen(A, 1e9))
    release(again, A, 1e9)
    assert grant(again, B, PB, now=2e9).written[-1].block == PortBlock(ONE, 20480, 64)


def test_a_reservation_is_the_same_in_the_store_and_at_a_subscriber() -> None:
    """SQLite has a word for infinity, JSON has none."""
    row = PortBinding(A, PortBlock(ONE, 20480, 64), None, "lan", BindingState.RELEASED, float("inf"), 7)
    assert binding_from_row(binding_row(row)) == row
    assert binding_from_row(msgspec.json.decode(msgspec.json.encode(binding_row(row)))) == row


def test_a_phone_that_was_never_seen_finds_its_reserved_block() -> None:
    """The operator's word counts more than the size that follows from the class."""
    ledger = small(blocks=2)
    change = place(ledger, A, 20480, 0.0, reserve=True)
    assert not change.transaction
    assert grant(ledger, B, PB).written[-1].block.first == 20544
    granted = grant(ledger, A, PA, size=16)
    assert granted.written[-1].block == PortBlock(ONE, 20480, 64)
    assert granted.transaction.add == (Mapping(PA, PortBlock(ONE, 20480, 64)),)


def test_a_block_of_the_configuration_is_kept_without_a_mark_in_the_store() -> None:
    """Whatever leaves the configuration is an ordinary block again."""
    block = PortBlock(ONE, 20480, 64)
    fixed = Ledger([Pool(ONE, 20480, 20543)], quarantine_s=10.0, fixed={A: block})
    fixed.settle(fixed.place(A, block, 0.0))
    with pytest.raises(Exhausted):
        fixed.grant(B, 64, PB, "lan", 1e9)
    assert fixed.usage(0.0)[0].reserved == 64
    with pytest.raises(Taken, match="the configuration reserves"):
        fixed.move(A, ONE, 20544, 0.0)
    ordinary = Ledger([Pool(ONE, 20480, 20543)], quarantine_s=10.0)
    ordinary.load(fixed.bindings())
    assert ordinary.grant(B, 64, PB, "lan", 1e9)


def test_a_move_is_one_change_of_rows_and_of_the_nat_and_quarantines_the_old_block() -> None:
    ledger = small(blocks=4)
    grant(ledger, A, PA)
    old = held(ledger, A)
    change = ledger.move(A, ONE, 20672, 7.0)
    assert ledger.busy(A)
    assert ledger.binding_of(A) is old
    with pytest.raises(LocalError, match="under way"):
        ledger.move(A, ONE, 20608, 7.0)
    ledger.settle(change)
    new = held(ledger, A)
    former = ledger.row_at(ONE, 20480)
    assert former is not None
    assert (former.state, former.until, former.private) == (BindingState.RELEASED, 107.0, PA)
    assert change.changes == (Delete(old), Put(former), Put(new))
    assert change.transaction.remove == (Mapping(PA, old.block),)
    assert change.transaction.add == (Mapping(PA, PortBlock(ONE, 20672, 64)),)
    assert not grant(ledger, A, PA, now=8.0)


def test_a_phone_whose_own_block_was_released_first_is_moved_to_that_of_another_one() -> None:
    ledger = small(blocks=2)
    for holder, private in ((A, PA), (B, PB)):
        grant(ledger, holder, private)
    for holder in (A, B):
        ledger.settle(ledger.release(holder, 1.0))
    theirs = ledger.binding_of(B)
    assert theirs is not None
    ledger.settle(ledger.move(A, ONE, None, 1000.0))
    mine = ledger.binding_of(A)
    assert mine is not None
    assert mine.block == theirs.block


def test_a_phone_takes_back_all_of_its_former_block_or_nothing_while_that_is_in_quarantine() -> None:
    """The rest would be anybody's at once."""
    ledger = small(blocks=4)
    grant(ledger, A, PA)
    ledger.settle(ledger.move(A, ONE, 20672, 7.0))
    with pytest.raises(Taken, match="in quarantine for 99 s more"):
        ledger.place(A, PortBlock(ONE, 20480, 32), 8.0)
    ledger.settle(ledger.place(A, PortBlock(ONE, 20480, 128), 8.0))
    assert held(ledger, A).block == PortBlock(ONE, 20480, 128)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_move_is_undone_at_once_since_quarantine_protects_from_others_only(restarted: bool) -> None:
    ledger = small(blocks=4)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    ledger.settle(ledger.move(A, ONE, 20672, 7.0))
    if restarted:
        rows, ledger = ledger.bindings(), small(blocks=4)
        assert ledger.load(rows) == ()
    before = (set(ledger.bindings()), ledger.usage(8.0))
    with pytest.raises(Taken, match="in quarantine for 99 s more"):
        ledger.move(B, ONE, 20480, 8.0)
    ledger.withdraw(ledger.move(A, ONE, 20480, 8.0))
    assert (set(ledger.bindings()), ledger.usage(8.0)) == before
    ledger.settle(ledger.move(A, ONE, 20480, 8.0))
    assert held(ledger, A).block == PortBlock(ONE, 20480, 64)
    assert {row.holder for row in ledger.bindings()} == {A, B, f"former:{A}@198.51.100.1:20672-20735"}
    assert ledger.usage(8.0)[0].quarantined == 64
    ledger.settle(ledger.move(A, ONE, 20672, 9.0))
    assert held(ledger, A).block.first == 20672


def test_a_former_block_of_several_holders_is_in_quarantine_for_all_of_them() -> None:
    """Two halves, one of this phone and one of another: late packets of the other's calls would reach it."""
    ledger = small(blocks=4)
    for holder, private in ((A, PA), (B, PB)):
        grant(ledger, holder, private, size=32)
        ledger.settle(ledger.place(holder, PortBlock(ONE, 20608 if holder == A else 20672, 64), 1.0))
    with pytest.raises(Taken, match="in quarantine"):
        ledger.place(A, PortBlock(ONE, 20480, 64), 2.0)


def test_a_move_without_a_port_takes_any_free_block_of_the_public_address() -> None:
    ledger = Ledger([Pool(ONE, 20480, 20543), Pool(TWO, 20480, 20543)])
    grant(ledger, A, PA)
    ledger.settle(ledger.move(A, TWO, None, 0.0))
    assert held(ledger, A).block == PortBlock(TWO, 20480, 64)
    with pytest.raises(Taken, match="no block of 64 ports of"):
        ledger.move(A, ONE, None, 0.0)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (20544, f"198.51.100.1:20544-20607 is not free: {B} holds 198.51.100.1:20544-20607"),
        (20608, f"is not free: 198.51.100.1:20608-20671 of {C} is in quarantine for 90 s more"),
        (20672, "is not free: a phone is just being given some of it"),
        (20736, "is not free: 198.51.100.1:20736-20799 is reserved for 02:00:00:00:0a:09"),
        (30720, "lies in no pool"),
        (20500, "a block of 64 ports cannot begin at port 20500"),
    ],
)
def test_a_block_that_is_not_to_be_had_is_refused_with_the_reason(first: int, words: str) -> None:
    ledger = small(blocks=8)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    grant(ledger, C, PC)
    release(ledger, C, 0.0)
    ledger.reserve("02:00:00:00:0a:08", 64, "lan", 0.0)
    place(ledger, "02:00:00:00:0a:09", 20736, 0.0, reserve=True)
    before = ledger.usage(10.0)
    with pytest.raises(Taken, match=re.escape(words)):
        ledger.move(A, ONE, first, 10.0)
    assert ledger.usage(10.0) == before
    assert not ledger.busy(A)


def test_a_block_with_ports_of_other_protocols_or_of_another_realm_is_refused() -> None:
    ledger = Ledger([Pool(ONE, 5056, 5119), Pool(TWO, 20480, 20543, realm="guests")])
    grant(ledger, A, PA, size=8)
    with pytest.raises(Taken, match="no phone gets"):
        ledger.move(A, ONE, 5056, 0.0)
    with pytest.raises(Taken, match="is not of realm lan"):
        ledger.move(A, TWO, 20480, 0.0)
    with pytest.raises(Taken, match=r"no pool of .* is for realm lan"):
        ledger.move(A, TWO, None, 0.0)
    with pytest.raises(Taken, match=r"no pool has the public address 192\.0\.2\.9"):
        ledger.move(A, IPv4Address("192.0.2.9"), None, 0.0)
    with pytest.raises(Taken, match="has no block"):
        ledger.move(B, ONE, None, 0.0)
    with pytest.raises(Taken, match="choose one apart from it"):
        ledger.place(A, PortBlock(ONE, held(ledger, A).block.first, 4), 0.0)


def test_a_moved_phone_that_is_not_there_finds_its_new_block_when_it_returns() -> None:
    ledger = small(blocks=2)
    grant(ledger, A, PA)
    release(ledger, A, 0.0)
    ledger.settle(ledger.move(A, ONE, 20544, 500.0))
    assert ledger.usage(500.0)[0].kept == 128
    assert grant(ledger, A, PA, now=501.0).written[-1].block.first == 20544


def test_a_move_takes_a_block_whose_holder_is_gone() -> None:
    ledger = small(blocks=2)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, B, 0.0)
    ledger.settle(ledger.move(A, ONE, 20544, 500.0))
    assert ledger.binding_of(B) is None
    assert held(ledger, A).block.first == 20544


def test_a_withdrawn_move_leaves_everything_as_it_was() -> None:
    ledger = small(blocks=2)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, B, 0.0)
    before = (set(ledger.bindings()), ledger.usage(500.0))
    ledger.withdraw(ledger.move(A, ONE, 20544, 500.0))
    assert (set(ledger.bindings()), ledger.usage(500.0)) == before
    assert grant(ledger, C, PC, now=500.0).written[-1].block.first == 20544


def test_a_move_without_a_port_takes_a_kept_block_when_none_is_free() -> None:
    ledger = Ledger([Pool(ONE, 20480, 20543), Pool(TWO, 20480, 20543)], quarantine_s=10.0)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, B, 0.0)
    with pytest.raises(Taken, match="no block of 64 ports of"):
        ledger.move(A, TWO, None, 9.0)
    ledger.settle(ledger.move(A, TWO, None, 11.0))
    assert held(ledger, A).block.public == TWO
    ledger.settle(ledger.release(A, 12.0))
    with pytest.raises(Taken):
        ledger.move(A, TWO, None, 1e6)


def test_a_reservation_moves_along() -> None:
    ledger = small(blocks=2)
    grant(ledger, A, PA)
    place(ledger, A, 20480, 0.0, reserve=True)
    ledger.settle(ledger.move(A, ONE, 20544, 0.0))
    assert held(ledger, A).reserved
    former = ledger.row_at(ONE, 20480)
    assert former is not None
    assert former.until == 100.0


def test_the_pools_of_a_realm_are_one_store_and_the_oldest_block_of_all_goes_first() -> None:
    """Fill order is the configured one; what is reclaimed does not depend on it."""
    ledger = Ledger([Pool(ONE, 20480, 20543), Pool(TWO, 20480, 20543)], quarantine_s=0.0)
    grant(ledger, A, PA)
    grant(ledger, B, PB)
    release(ledger, B, 1.0)
    release(ledger, A, 2.0)
    assert ledger.reserve(C, 64, "lan", 10.0).public == TWO


def test_a_storm_on_a_full_pool_costs_each_newcomer_the_same() -> None:
    """Blocks that are being given out, or whose holders are back, are not looked at again by the next newcomer."""
    blocks = 256
    ledger = small(blocks=blocks, quarantine_s=0.0)
    for number in range(blocks):
        grant(ledger, f"old{number}", PA + number)
    for number in range(blocks):
        release(ledger, f"old{number}", float(number))
    looked = 0
    kept = ledger._room._kept
    heaps = kept._queues.values()
    for number in range(0, blocks, 2):
        assert ledger.reserve(f"old{number}", 64, "lan", 1e6).size == 64
    for number in range(blocks // 2):
        assert ledger.reserve(f"new{number}", 64, "lan", 1e6).size == 64
        looked += sum(len(heap) for heap in heaps)
    assert looked == sum(range(blocks // 2))
    with pytest.raises(Exhausted):
        ledger.reserve("one more", 64, "lan", 1e6)


def test_a_phone_whose_size_goes_to_and_fro_leaves_no_more_than_two_blocks_behind() -> None:
    """One admitted phone must not empty a pool by turning up as another class each time."""
    ledger = small(blocks=8)
    for turn in range(20):
        grant(ledger, A, PA, 64 if turn % 2 else 8, now=float(turn))
    assert ledger.binding_of(A).block.size == 64
    assert sum(row.state is BindingState.RELEASED for row in ledger.bindings()) == 1
    grant(ledger, A, PA, 8, now=200.0)
    assert ledger.binding_of(A).block.size == 8, "after a quarantine it has the size of its class again"
