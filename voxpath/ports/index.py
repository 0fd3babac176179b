"""Rows of the ledger by holder, by public port and by inside address; shared by the ledger and its read-only copies."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from voxpath.model.ports import BindingState, PortBinding, PortBlock


class RowIndex:
    """Non-overlapping rows; each look-up costs one dictionary access per block size in use, whatever the number of rows."""

    __slots__ = ("_by_holder", "_by_place", "_by_private")

    def __init__(self) -> None:
        self._by_holder: dict[str, PortBinding] = {}
        self._by_place: dict[IPv4Address, dict[int, dict[int, PortBinding]]] = {}
        self._by_private: dict[tuple[str, IPv4Address], PortBinding] = {}

    def __len__(self) -> int:
        return len(self._by_holder)

    def __iter__(self) -> Iterator[PortBinding]:
        return iter(self._by_holder.values())

    def add(self, row: PortBinding) -> None:
        """Add a row; the caller has made sure that its holder has none and that its ports are nobody's."""
        self._by_holder[row.holder] = row
        block = row.block
        self._by_place.setdefault(block.public, {}).setdefault(block.size, {})[block.first] = row
        if row.state is BindingState.HELD and row.private is not None:
            self._by_private[row.realm, row.private] = row

    def remove(self, row: PortBinding) -> None:
        """Remove a row that is there."""
        del self._by_holder[row.holder]
        block = row.block
        sizes = self._by_place[block.public]
        del sizes[block.size][block.first]
        if not sizes[block.size]:
            del sizes[block.size]
        if row.state is BindingState.HELD and row.private is not None:
            del self._by_private[row.realm, row.private]

    def of(self, holder: str) -> PortBinding | None:
        """The row of a holder."""
        return self._by_holder.get(holder)

    def at(self, public: IPv4Address, port: int) -> PortBinding | None:
        """The row whose block has this port."""
        for size, blocks in self._by_place.get(public, {}).items():
            row = blocks.get(port & -size)
            if row is not None:
                return row
        return None

    def inside(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """The held row that is translated to this inside address."""
        return self._by_private.get((realm, private))

    def overlapping(self, block: PortBlock) -> list[PortBinding]:
        """All rows that share a port with this block."""
        found = []
        for size, blocks in self._by_place.get(block.public, {}).items():
            starts = (block.first & -size,) if size >= block.size else range(block.first, block.last + 1, size)
            found += [blocks[start] for start in starts if start in blocks]
        return found
