"""Group apply: one call for a turn's transactions, the same outcome as one after the other."""

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError
from voxpath.model.ports import Mapping, PortBlock, Transaction
from voxpath.nappt.table import Table
from voxpath.natreactor.group import TransactionGroup, merged

PUBLIC = IPv4Address("203.0.113.1")
PRIVATE = "10.0.0.0/24"


def mapping(number: int, place: int | None = None) -> Mapping:
    return Mapping(IPv4Address(f"10.0.0.{number}"), PortBlock(PUBLIC, 2048 + 64 * (number if place is None else place), 64))


class CountingTable:
    """A back end: the pure table, and how often it was called."""

    def __init__(self) -> None:
        self.table = Table((IPv4Network(PRIVATE),), (PUBLIC,))
        self.calls = 0

    def apply(self, transaction: Transaction) -> "Deferred[None]":
        self.calls += 1
        try:
            self.table.apply(transaction)
        except LocalError:
            return fail(Failure())
        return succeed(None)


def bench() -> tuple[Clock, CountingTable, TransactionGroup]:
    clock, nat = Clock(), CountingTable()
    return clock, nat, TransactionGroup(nat, clock)


def test_a_turns_transactions_are_one_call() -> None:
    clock, nat, group = bench()
    applied: list[str | None] = []
    for number in range(1, 101):
        group.apply(Transaction(number, (mapping(number),)), applied.append)
    assert nat.calls == 0
    clock.advance(0)
    assert nat.calls == 1
    assert applied == [None] * 100
    assert set(nat.table) == {mapping(number) for number in range(1, 101)}
    assert nat.table.generation == 100


def test_one_that_is_refused_is_refused_alone() -> None:
    clock, nat, group = bench()
    outcomes: list[str | None] = []
    for number, what in ((1, mapping(1)), (2, mapping(2, 1)), (3, mapping(3))):
        group.apply(Transaction(number, (what,)), outcomes.append)
    clock.advance(0)
    assert outcomes == [None, outcomes[1], None]
    assert "shares ports" in (outcomes[1] or "")
    assert set(nat.table) == {mapping(1), mapping(3)}


def test_a_back_end_that_raises_refuses_as_one_whose_deferred_fails() -> None:
    class Raising(CountingTable):
        def apply(self, transaction: Transaction) -> "Deferred[None]":
            self.table.apply(transaction)
            return succeed(None)

    clock, nat = Clock(), Raising()
    group = TransactionGroup(nat, clock)
    outcomes: list[str | None] = []
    for number, what in ((1, mapping(1)), (2, mapping(2, 1)), (3, mapping(3))):
        group.apply(Transaction(number, (what,)), outcomes.append)
    clock.advance(0)
    assert outcomes == [None, outcomes[1], None]
    assert "shares ports" in (outcomes[1] or "")


def test_what_comes_later_is_another_group() -> None:
    clock, nat, group = bench()
    for number in (1, 2):
        group.apply(Transaction(number, (mapping(number),)), lambda reason: None)
        clock.advance(0)
    assert nat.calls == 2


STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=30)


@given(STEPS)
def test_a_merged_transaction_has_the_effect_of_all(steps: list[tuple[bool, int]]) -> None:
    one, other = CountingTable(), CountingTable()
    before = Transaction(1, (mapping(1), mapping(2), mapping(3)))
    for nat in (one, other):
        nat.apply(before)
    transactions = [
        Transaction(place + 2, (mapping(number),)) if adds else Transaction(place + 2, (), (mapping(number),))
        for place, (adds, number) in enumerate(steps)
    ]
    whole = merged(transactions)
    for transaction in transactions if whole is None else [whole]:
        one.apply(transaction)
    for transaction in transactions:
        other.apply(transaction)
    assert set(one.table) == set(other.table)
