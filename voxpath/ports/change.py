"""What a change of the ledger is: rows before and after, and the NAT transaction that goes with them."""

from collections.abc import Collection, Iterable

from msgspec import Struct

from voxpath.core.effects import Change, Delete, Put
from voxpath.core.errors import VoxpathError
from voxpath.model.ports import Mapping, PortBinding, PortBlock, Transaction
from voxpath.ports.pools import Pieces

MAKE_ROOM = "enlarge what is full (voxpath ctl scopes, pools), or voxpath ctl release a phone that is gone"
"""What there is to do when nothing is left."""


class Exhausted(VoxpathError):
    """No block of the wanted size is left, nor one that could be reclaimed (DHC-24); the reason says so in one line.

    :ivar todo: what there is to do about it.
    """

    def __init__(self, reason: str, todo: str = MAKE_ROOM) -> None:
        super().__init__(reason)
        self.todo = todo


class Taken(VoxpathError):
    """A claimed port belongs to somebody else; the reason names both."""


class Reservation(Struct, frozen=True, gc=False):
    """Space that is kept for a holder in memory, before anything is written.

    :ivar victims: released rows whose space it will take.
    :ivar pieces: free space that it has taken.
    """

    block: PortBlock
    size: int
    realm: str
    victims: tuple[PortBinding, ...] = ()
    pieces: Pieces = ()


class LedgerChange(Struct, frozen=True, gc=False):
    """One atomic change: pending from the moment it is made until it is settled or withdrawn.

    :ivar holder: for whom it was made.
    :ivar removed: rows that it replaces or removes.
    :ivar written: rows that it makes.
    :ivar reservation: the space it uses.
    :ivar reserved: whether that was reserved before the change was made; a withdrawal leaves it so.
    """

    generation: int
    holder: str
    removed: tuple[PortBinding, ...] = ()
    written: tuple[PortBinding, ...] = ()
    reservation: Reservation | None = None
    reserved: bool = False

    def __bool__(self) -> bool:
        return bool(self.removed or self.written)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The rows to write: removals first, so that the store sees no overlap on the way."""
        return _steps(self.removed, self.written)

    @property
    def undo(self) -> tuple[Change, ...]:
        """The rows to write for taking back a change that was committed but could not be applied."""
        return _steps(self.written, self.removed)

    @property
    def transaction(self) -> Transaction:
        """The change of the NAPPT table; false when there is none."""
        after = _mappings(self.written)
        if not self.removed:
            # A new phone.
            return Transaction(self.generation, tuple(after))
        before = _mappings(self.removed)
        return Transaction(
            self.generation,
            add=tuple(mapping for mapping in after if mapping not in before),
            remove=tuple(mapping for mapping in before if mapping not in after),
        )


def _steps(before: Collection[PortBinding], after: Iterable[PortBinding]) -> tuple[Change, ...]:
    puts = [Put(row) for row in after]
    if not before:
        return tuple(puts)
    # A row is written over by its key; only one whose ports change hands has to go first.
    kept = {(row.holder, row.block) for row in after}
    return (*[Delete(row) for row in before if (row.holder, row.block) not in kept], *puts)


def _mappings(rows: Iterable[PortBinding]) -> list[Mapping]:
    return [mapping for row in rows if (mapping := row.mapping) is not None]
