"""Changes under way: first the store, then the NAT, then the answer; and the way back when one of them fails (DHC-6, DHC-7)."""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from voxpath.core.effects import Apply, Commit, Effect, Emit, Failed, Outcome
from voxpath.dhcp.event import DhcpEnded, DhcpFailed
from voxpath.dhcp.machine import Book
from voxpath.dhcp.pressure import Pressure
from voxpath.dhcp.record import Client, Kind, Step, Timer, is_shared
from voxpath.model.phone import Probation

STORE, NAT, UNDO = "store", "NAT", "undo"


class Token(NamedTuple):
    """Which part of which change an outcome is about.

    :ivar last: whether the change is done when this part is.
    """

    number: int
    part: str
    last: bool = True


class Steps:
    """The changes that are neither settled nor withdrawn yet; at most one per client.

    :param probation_s: how long a declined address is given to nobody.
    :param retry_s: pause before a failed expiry, or a failed undo, is tried again.
    :param pressure: tells when little is left.
    """

    def __init__(self, book: Book, probation_s: float, retry_s: float, pressure: Pressure) -> None:
        self._book = book
        self._pressure = pressure
        self._probation_s = probation_s
        self._retry_s = retry_s
        self._steps: dict[int, Step] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._steps)

    def end(self, client: Client, kind: Kind, cause: str, now: float) -> list[Effect]:
        """End a lease; address and block stay remembered, but for an address that the phone declined, or that it shares."""
        before = client.lease
        assert before is not None
        ended = replace(before, expires=now) if kind in (Kind.RELEASE, Kind.WITHDRAW) else before
        # Of a shared address nothing is kept but the block, which the ledger remembers.
        after = None if kind is Kind.DECLINE or is_shared(before) else ended
        change = self._book.ledger.release(client.phone, now)
        probation = None
        if kind is Kind.DECLINE and not is_shared(before):
            # Not before the block has left quarantine, as with every other address (voxpath.dhcp.remembered).
            until = max((now + self._probation_s, *(row.until for row in change.written if not row.reserved)))
            probation = Probation(before.address, before.scope, client.mac, until)
        step = Step(kind, client, change, before, after, probation=probation)
        told = DhcpEnded(phone=client.phone, address=str(before.address), cause=cause, static=before.static)
        return self.begin(step, [Emit(told)])

    def begin(self, step: Step, then: Iterable[Effect]) -> list[Effect]:
        """Store a change, apply it if the NAT is concerned, and only then do ``then``."""
        self._count += 1
        number = self._count
        self._steps[number] = step
        self._book.begin(step.client, number)
        transaction = step.ledger.transaction
        if transaction:
            then = (Apply(transaction, tuple(then), Token(number, NAT)),)
        return [Commit(step.changes, tuple(then), Token(number, STORE, last=not transaction))]

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> list[Effect]:
        """Take the outcome of one part."""
        assert isinstance(token, Token)  # every effect of this core that has an outcome carries one
        step = self._steps[token.number]
        if isinstance(outcome, Failed):
            return self._failed(token, step, outcome.reason, now)
        if token.part == UNDO:
            self._withdraw(token.number, step, now)
        elif token.last:
            del self._steps[token.number]
            self._book.settle(step)
            return self._pressure.after(step, now)
        return []

    def undo(self, number: int) -> Commit:
        """Take back in the store what the NAT refused.

        Until that is done the space stays taken: a row that nobody remembers would give a port two owners.
        """
        return Commit(self._steps[number].undo, (), Token(number, UNDO))

    def _failed(self, token: Token, step: Step, reason: str, now: float) -> list[Effect]:
        told = Emit(DhcpFailed(phone=step.client.phone, change=step.kind.value, address=step.about, step=token.part, reason=reason))
        if token.part == NAT:
            return [told, self.undo(token.number)]
        if token.part == UNDO:
            self._book.timers.arm(Timer("undo", number=token.number), now + self._retry_s)
        else:
            self._withdraw(token.number, step, now)
        return [told]

    def _withdraw(self, number: int, step: Step, now: float) -> None:
        del self._steps[number]
        self._book.withdraw(step)
        if step.kind is Kind.EXPIRE:
            self._book.timers.arm(Timer("lease", step.client.mac), now + self._retry_s)
