"""Group apply: what one turn of the reactor brings goes to the back end as one transaction.

A call into the kernel costs far more than a mapping does, and after a group commit of the store many changes come at once.
"""

from collections.abc import Iterable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from voxpath.model.ports import Mapping, Transaction

Waiting = tuple[Transaction, "Deferred[None]"]


class Applier(Protocol):
    """What the group is handed to: a back end."""

    def apply(self, transaction: Transaction) -> "Deferred[None]":
        """Apply a transaction as a whole or not at all."""


class TransactionGroup:
    """Applies transactions in their order; one that is refused is refused alone."""

    def __init__(self, nat: Applier, clock: IReactorTime) -> None:
        self._nat = nat
        self._clock = clock
        self._waiting: list[Waiting] = []

    def apply(self, transaction: Transaction) -> "Deferred[None]":
        """Let a transaction be part of this turn's group; the Deferred fires as the back end's does."""
        applied: Deferred[None] = Deferred()
        self._waiting.append((transaction, applied))
        if len(self._waiting) == 1:
            self._clock.callLater(0, self._flush)
        return applied

    def _flush(self) -> None:
        group, self._waiting = self._waiting, []
        whole = merged([transaction for transaction, _ in group])
        if len(group) == 1 or whole is None:
            self._apply_each(group)
            return

        def applied(_: object) -> None:
            for _transaction, deferred in group:
                deferred.callback(None)

        self._nat.apply(whole).addCallbacks(applied, lambda _: self._apply_each(group))

    def _apply_each(self, group: list[Waiting]) -> None:
        for transaction, deferred in group:
            self._nat.apply(transaction).addCallbacks(deferred.callback, deferred.errback)


def merged(transactions: Iterable[Transaction]) -> Transaction | None:
    """One transaction with the effect of all, in their order; ``None`` when a later one removes what an earlier one adds."""
    add: list[Mapping] = []
    remove: list[Mapping] = []
    generation = 0
    for transaction in transactions:
        if transaction.remove and not set(add).isdisjoint(transaction.remove):
            return None
        remove += transaction.remove
        add += transaction.add
        generation = max(generation, transaction.generation)
    return Transaction(generation, tuple(add), tuple(remove))
