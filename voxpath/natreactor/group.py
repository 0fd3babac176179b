"""Group apply: what one turn of the reactor brings goes to the back end as one transaction.

A call into the kernel costs far more than a mapping does, and after a group commit of the store many changes come at once.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from voxpath.model.event import printable
from voxpath.model.ports import Mapping, Transaction

Told = Callable[[str | None], None]
"""Is called with ``None`` when a transaction stands in the back end, or with the reason why not."""


class BackEnd(Protocol):
    """What the group is handed to (:class:`voxpath.natreactor.interface.INATReactor`)."""

    def apply(self, transaction: Transaction) -> "Deferred[None]":
        """Apply a transaction as a whole or not at all."""


class TransactionGroup:
    """Applies transactions in their order; one that is refused is refused alone."""

    def __init__(self, nat: BackEnd, clock: IReactorTime) -> None:
        self._nat = nat
        self._clock = clock
        self._waiting: list[tuple[Transaction, Told]] = []

    def apply(self, transaction: Transaction, done: Told) -> None:
        """Let a transaction be part of this turn's group."""
        self._waiting.append((transaction, done))
        if len(self._waiting) == 1:
            self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        group, self._waiting = self._waiting, []
        whole = merged([transaction for transaction, _ in group])
        if len(group) == 1 or whole is None:
            self._apply_each(group)
            return

        def applied(_: None) -> None:
            for _transaction, done in group:
                done(None)

        _applied(self._nat, whole).addCallbacks(applied, lambda _: self._apply_each(group))

    def _apply_each(self, group: list[tuple[Transaction, Told]]) -> None:
        for transaction, done in group:
            apply_alone(self._nat, transaction, done)


def apply_alone(nat: BackEnd, transaction: Transaction, done: Told) -> None:
    """Apply one transaction at once."""

    def refused(failure: Failure) -> None:
        done(printable(failure.getErrorMessage()))

    _applied(nat, transaction).addCallbacks(done, refused)


def _applied(nat: BackEnd, transaction: Transaction) -> "Deferred[None]":
    """Apply it; what a back end raises instead of letting the Deferred fail must not leave a phone without any answer."""
    return maybeDeferred(nat.apply, transaction)


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
