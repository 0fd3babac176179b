"""What an operator has the server do with one phone: end its lease, give it another block, reserve one.

Each is a change like any other: the store first, then the NAT, and only then it is told; while it is under way nothing else happens
to the phone.
"""

from collections.abc import Callable
from ipaddress import IPv4Address

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import LocalError
from voxpath.dhcp.event import BlockLoosened, BlockMoved, BlockReserved
from voxpath.dhcp.machine import Book
from voxpath.dhcp.record import Client, Kind, Step, is_shared
from voxpath.dhcp.steps import Steps
from voxpath.model.address import Mac
from voxpath.model.event import Event
from voxpath.model.ports import PortBlock
from voxpath.ports.change import LedgerChange, Taken


class Orders:
    """Orders of the operator of one gateway.

    All raise :class:`LocalError` when a change for the phone is under way, and those about blocks
    :class:`~voxpath.ports.change.Taken` when the block is not to be had.
    """

    def __init__(self, book: Book, steps: Steps) -> None:
        self._book = book
        self._ledger = book.ledger
        self._steps = steps

    def withdraw_lease(self, mac: Mac, now: float) -> list[Effect]:
        """End a phone's lease, also one of no scope; nothing happens when it has none or a change is under way."""
        client = self._book.known(mac)
        if client is None or client.pending or client.lease is None or not (client.bound or self._book.former.holds(client)):
            return []
        return self._steps.end(client, Kind.WITHDRAW, "withdrawn", now)

    def move(self, mac: Mac, public: IPv4Address, first: int | None, now: float) -> list[Effect]:
        """Give a phone another block of its size; it hears of it when it asks for its lease the next time."""
        before = self._block(mac)
        self._refuse_shared(mac)

        def told(block: PortBlock) -> Event:
            return BlockMoved(phone=str(mac), block=str(block), former=str(before))

        return self._change(Kind.MOVE, mac, lambda: self._ledger.move(str(mac), public, first, now), told, now)

    def reserve(self, mac: Mac, block: PortBlock | None, now: float) -> list[Effect]:
        """Let nobody else ever have a phone's block: this one, or the one that it has."""
        wanted = block or self._block(mac)
        if wanted is None:
            raise Taken(f"{mac} has no block")
        if wanted != self._block(mac):
            self._refuse_shared(mac)

        def told(block: PortBlock) -> Event:
            return BlockReserved(phone=str(mac), block=str(block))

        return self._change(Kind.RESERVE, mac, lambda: self._ledger.place(str(mac), wanted, now, reserve=True), told, now)

    def place(self, mac: Mac, block: PortBlock, now: float) -> list[Effect]:
        """Give a phone the block that the configuration reserves for it."""
        if block != self._block(mac):
            self._refuse_shared(mac)

        def told(block: PortBlock) -> Event:
            return BlockReserved(phone=str(mac), block=str(block))

        return self._change(Kind.RESERVE, mac, lambda: self._ledger.place(str(mac), block, now), told, now)

    def loosen(self, mac: Mac, now: float) -> list[Effect]:
        """End a reservation; the phone keeps the block as any other does."""

        def told(block: PortBlock) -> Event:
            return BlockLoosened(phone=str(mac), block=str(block))

        return self._change(Kind.RESERVE, mac, lambda: self._ledger.loosen(str(mac), now), told, now)

    def _change(
        self, kind: Kind, mac: Mac, make: Callable[[], LedgerChange], told: Callable[[PortBlock], Event], now: float
    ) -> list[Effect]:
        client = self._book.visit(mac)
        try:
            if client.pending:
                raise LocalError(f"a change for {mac} is under way")
            change = make()
        except (LocalError, Taken):
            self._book.leave(client)
            raise
        if not change:
            return self._unchanged(client, told)
        before, row = client.lease, change.written[-1]
        # A static phone's lease is for ever while its block is.
        lease = None if before is None else self._book.statics.aged(before, row, now)
        step = Step(kind, client, change, before, lease)
        return self._steps.begin(step, [Emit(told(row.block))])

    def _refuse_shared(self, mac: Mac) -> None:
        """A phone that shares its address has the block that its lease names, and learns of another one by a new lease only."""
        client = self._book.known(mac)
        if client is not None and client.lease is not None and is_shared(client.lease):
            raise LocalError(f"{mac} shares its address, and its lease names its ports; release it first")

    def _unchanged(self, client: Client, told: Callable[[PortBlock], Event]) -> list[Effect]:
        self._book.leave(client)
        block = self._block(client.mac)
        return [Emit(told(block))] if block is not None else []

    def _block(self, mac: Mac) -> PortBlock | None:
        row = self._ledger.binding_of(str(mac))
        return row.block if row is not None else None
