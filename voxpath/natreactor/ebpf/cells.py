"""The cells of the public ports: who holds each of them, on each of the two sides."""

from array import array
from collections.abc import Collection, Iterable, Iterator
from mmap import mmap

from voxpath.model.ports import PortBlock
from voxpath.natreactor.ebpf import layout

_STEP = 64
_EMPTY = bytes(_STEP * layout.CELL)
_PUBLIC_WORDS = layout.PUBLIC_OCTETS // layout.CELL
_HEAD_WORDS = layout.PUBLIC_HEAD // layout.CELL


class Cells:
    """The map ``publics``.

    :param memory: its values, as they stand in the kernel.
    :param entries: how many public addresses there are.
    :param named: the public addresses, for a map that is new and empty; ``None``: it has them.
    """

    def __init__(self, memory: mmap, entries: int, named: Iterable[int] | None = None) -> None:
        self._memory = memory
        self._words = memoryview(memory).cast("I")
        for number, address in enumerate(named or ()):
            layout.ADDRESS.pack_into(memory, number * layout.PUBLIC_OCTETS, address)
        self.numbers = {self._address(number): number for number in range(entries)}
        """The number of each public address."""

    def close(self) -> None:
        """Let go of the memory; the kernel keeps it."""
        self._words.release()
        self._memory.close()

    def fill(self, side: int, block: PortBlock, cell: int) -> None:
        """Give all ports of a block a cell."""
        at = self._base(self.numbers[int(block.public)], side) + block.first
        self._words[at : at + block.size] = memoryview(array("I", [cell]) * block.size)

    def held(self, address: int, side: int) -> Iterator[tuple[int, int]]:
        """The blocks of a public address that are somebody's, each by its first port and its cell."""
        base = self._base(self.numbers[address], side)
        octets = self._words[base : base + layout.PORTS].tobytes()
        for start in range(0, layout.PORTS, _STEP):
            if octets[start * layout.CELL : (start + _STEP) * layout.CELL] != _EMPTY:
                yield from self._blocks(base, start)

    def _blocks(self, base: int, start: int) -> Iterator[tuple[int, int]]:
        """Those that begin within one step."""
        port = start
        while port < start + _STEP:
            cell = self._words[base + port]
            size = 1 << (cell >> layout.SIZE_SHIFT) if layout.NOBODY != cell != layout.SERVICE else 1
            if cell and port % size == 0:
                yield port, cell
            port += size - port % size

    def mend(self, live: int, services: Collection[PortBlock]) -> None:
        """Make both sides what the live one is, but for the gateway's own ports."""
        for address, number in self.numbers.items():
            base, at = self._base(number, 0), self._base(number, live)
            image = array("I", self._words[at : at + layout.PORTS])
            for port, cell in tuple(self.held(address, live)):
                if cell == layout.SERVICE:
                    image[port] = layout.NOBODY
            for block in services:
                if int(block.public) == address:
                    image[block.first] = layout.SERVICE
            for side in range(layout.SIDES):
                start = base + side * layout.PORTS
                self._words[start : start + layout.PORTS] = memoryview(image)

    def _base(self, number: int, side: int) -> int:
        return number * _PUBLIC_WORDS + _HEAD_WORDS + side * layout.PORTS

    def _address(self, number: int) -> int:
        return int(layout.ADDRESS.unpack_from(self._memory, number * layout.PUBLIC_OCTETS)[0])
