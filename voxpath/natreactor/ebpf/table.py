"""The table in the kernel's memory: what packets are translated by.

Every cell has two sides.
A change is written to the side that no packet reads, then one number turns, and then it is written to the other side too: a change
of any size is seen at once or not at all, whenever this process may die.
"""

from array import array
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from threading import Lock
from typing import NamedTuple

from voxpath.core.errors import LocalError
from voxpath.model.ports import Mapping as PortMapping
from voxpath.model.ports import PortBlock, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.ebpf import layout
from voxpath.natreactor.ebpf.cells import Cells
from voxpath.natreactor.ebpf.libbpf import BpfMap
from voxpath.natreactor.interface import PhoneCounters

_PHONE_HALVES = layout.PHONE_OCTETS // 2
_HEAD_HALVES = layout.PHONE.size // 2


class _Plan(NamedTuple):
    """What a change does to the phones.

    :ivar come: inside addresses that get an index.
    :ivar gone: those that lose it, when no packet reads it any more.
    :ivar publics: of all that are concerned: numbers of the public addresses at which they have blocks.
    """

    come: tuple[int, ...]
    gone: tuple[int, ...]
    publics: dict[int, list[int]]


class KernelTable:
    """The table in the maps of one object; the maps stay somebody else's.

    :param publics: the public addresses, for maps that are new and empty; ``None``: they have them.
    """

    def __init__(self, maps: Mapping[str, BpfMap], publics: Iterable[IPv4Address] | None = None) -> None:
        self._maps = maps
        self._state, self._rows = maps["state"].memory(), maps["phones"].memory()
        named = None if publics is None else map(int, publics)
        self._cells = Cells(maps["publics"].memory(), maps["publics"].shape.entries, named)
        self._halves = memoryview(self._rows).cast("H")
        self._state_words = memoryview(self._state).cast("I")
        self._order = Lock()
        if publics is not None:
            for address, number in self._cells.numbers.items():
                maps["public_of"].put(layout.ADDRESS.pack(address), layout.INDEX.pack(number))
        self._phones = dict(self._found_phones())
        last = maps["phones"].shape.entries
        used = set(self._phones.values())
        self._free = deque(index for index in range(layout.FIRST_PHONE, last) if index not in used)

    def close(self) -> None:
        """Let go of the memory; the kernel keeps it."""
        for view in (self._state_words, self._halves):
            view.release()
        for each in (self._state, self._cells, self._rows):
            each.close()

    @property
    def generation(self) -> int:
        """That of what packets see."""
        return int(layout.COUNT.unpack_from(self._state, layout.GENERATION_AT + self._live * layout.COUNT.size)[0])

    def mappings(self) -> Iterator[PortMapping]:
        """What packets see."""
        addresses = {index: IPv4Address(address) for address, index in self._phones.items()}
        for address in self._cells.numbers:
            public = IPv4Address(address)
            for port, cell in self._cells.held(address, self._live):
                if cell != layout.SERVICE:
                    block = PortBlock(public, port, 1 << (cell >> layout.SIZE_SHIFT))
                    yield PortMapping(addresses[cell & layout.PHONE_BITS], block)

    def pinholes(self) -> Iterator[Pinhole]:
        """The pinholes that packets see, without the trusted peers."""
        holes = self._maps["pinholes"]
        for key in tuple(holes.keys()):
            public, peer, port = layout.PINHOLE.unpack(key)
            sides = layout.PINHOLE_SIDES.unpack(holes.get(key) or bytes(4))[0]
            if port and sides >> self._live & 1:
                yield Pinhole(layout.ADDRESS.unpack(public)[0], port, layout.ADDRESS.unpack(peer)[0])

    def mend(self, services: Collection[PortBlock], pinholes: Iterable[Pinhole], trusted: Iterable[int]) -> None:
        """Make both sides alike, after a process that may have died on the way.

        :param services: the gateway's own ports from now on.
        :param pinholes: those of all that are open that stay so.
        :param trusted: peers that reach every phone in the call-aware mode from now on.
        :raises OSError: the kernel refuses.
        """
        self._cells.mend(self._live, services)
        self._mend_phones()
        self._mend_pinholes(pinholes, trusted)

    def change(self, done: Transaction, table: Table, pinholes: PinholeChange) -> None:
        """Make a change of the mappings and the pinholes, in one step.

        :param done: what has to be removed is there, and what has to be added is not.
        :param table: as it is afterwards.
        :raises LocalError: there are too many phones, or public addresses of one phone; then nothing was changed.
        :raises OSError: the kernel refuses; then nothing was changed.
        """
        plan = self._plan(done, table)
        self._enter(plan.come, pinholes.open)
        live = self._live
        self._write(1 - live, done, plan.publics)
        self._mark(pinholes, opened=1 << 1 - live, closed=1 << live)
        self._turn(1 - live, table.generation)
        self._write(live, done, plan.publics)
        self._mark(pinholes, opened=layout.BOTH_SIDES, closed=0)
        self._leave(plan.gone)

    def counters(self, private: int) -> PhoneCounters:
        """What went through for one phone, and what was dropped."""
        index = self._phones.get(private)
        found = self._maps["traffic"].get(layout.INDEX.pack(index)) if index is not None else None
        if not found:
            return PhoneCounters()
        out_packets, out_octets, in_packets, in_octets, spoofed, strange = map(
            sum, zip(*layout.TRAFFIC.iter_unpack(found), strict=True)
        )
        return PhoneCounters(
            out_packets,
            out_octets,
            in_packets,
            in_octets,
            {Reason.SPOOFED_PORT.value: spoofed} if spoofed else {},
            {Reason.STRANGER.value: strange} if strange else {},
        )

    def drops(self) -> dict[Reason, int]:
        """What was dropped, by reason, since the maps were made."""
        drops = self._maps["drops"]
        found = {reason: drops.get(layout.INDEX.pack(index)) for index, reason in enumerate(layout.REASONS)}
        return {reason: sum(count for (count,) in layout.COUNT.iter_unpack(octets or b"")) for reason, octets in found.items()}

    def take_offenders(self) -> list[tuple[int, int, int]]:
        """Who sent from ports that are not his, with the port and the number of packets; they are forgotten by that."""
        offenders = self._maps["offenders"]
        taken = []
        for key in tuple(offenders.keys()):
            if count := offenders.take(key):
                address, port = layout.OFFENDER.unpack(key)
                taken.append((layout.ADDRESS.unpack(address)[0], port, layout.COUNT.unpack(count)[0]))
        return taken

    # Reading.

    @property
    def _live(self) -> int:
        return int(layout.INDEX.unpack_from(self._state, layout.LIVE_AT)[0]) & 1

    def _found_phones(self) -> Iterator[tuple[int, int]]:
        cells = (cell for address in self._cells.numbers for _, cell in self._cells.held(address, self._live))
        found = {cell & layout.PHONE_BITS for cell in cells}
        for index in sorted(found - {layout.SERVICE & layout.PHONE_BITS}):
            yield layout.PHONE.unpack_from(self._rows, index * layout.PHONE_OCTETS)[0], index

    # Writing.

    def _plan(self, done: Transaction, table: Table) -> _Plan:
        """What becomes of the phones; nothing is changed yet."""
        concerned = {int(mapping.private): mapping.private for mapping in (*done.remove, *done.add)}
        publics = {
            private: sorted({self._cells.numbers[int(mapping.block.public)] for mapping in table.mappings_of(address)})
            for private, address in concerned.items()
        }
        come = tuple(private for private in concerned if private not in self._phones)
        if len(come) > len(self._free):
            raise LocalError(f"the eBPF table is full: {self._maps['phones'].shape.entries - layout.FIRST_PHONE} phones")
        if any(len(found) > layout.MOST_PUBLICS_OF_A_PHONE for found in publics.values()):
            raise LocalError(f"no phone can have blocks at more than {layout.MOST_PUBLICS_OF_A_PHONE} public addresses (eBPF)")
        return _Plan(come, tuple(private for private, found in publics.items() if not found), publics)

    def _enter(self, come: Iterable[int], opened: Iterable[Pinhole]) -> None:
        """All that the kernel may refuse; packets see none of it yet."""
        entered: list[tuple[BpfMap, bytes]] = []
        try:
            for private in come:
                index = self._free[0]
                key = layout.INDEX.pack(index)
                at = index * layout.PHONE_OCTETS
                self._rows[at : at + layout.PHONE_OCTETS] = layout.PHONE.pack(private).ljust(layout.PHONE_OCTETS, b"\0")
                self._maps["traffic"].clear(key)
                self._maps["phone_of"].put(layout.ADDRESS.pack(private), key)
                entered.append((self._maps["phone_of"], layout.ADDRESS.pack(private)))
                self._phones[private] = self._free.popleft()
            for pinhole in opened:
                self._maps["pinholes"].put(_key(pinhole), layout.PINHOLE_SIDES.pack(0))
                entered.append((self._maps["pinholes"], _key(pinhole)))
        except OSError:
            for chosen, key in entered:
                chosen.remove(key)
            self._free.extendleft(self._phones.pop(private) for private in come if private in self._phones)
            raise

    def _write(self, side: int, done: Transaction, publics: Mapping[int, list[int]]) -> None:
        """Write a change to one side."""
        for mapping in done.remove:
            self._cells.fill(side, mapping.block, layout.NOBODY)
        for mapping in done.add:
            size = mapping.block.size.bit_length() - 1
            self._cells.fill(side, mapping.block, size << layout.SIZE_SHIFT | self._phones[int(mapping.private)])
        for private, found in publics.items():
            at = self._phones[private] * _PHONE_HALVES + _HEAD_HALVES + side * layout.MOST_PUBLICS_OF_A_PHONE
            numbers = [number + 1 for number in found]
            numbers.extend([0] * (layout.MOST_PUBLICS_OF_A_PHONE - len(numbers)))
            self._halves[at : at + layout.MOST_PUBLICS_OF_A_PHONE] = memoryview(array("H", numbers))

    def _mark(self, pinholes: PinholeChange, opened: int, closed: int) -> None:
        """Say on which sides pinholes are open; those that are on none are taken out."""
        for pinhole in pinholes.open:
            self._maps["pinholes"].put(_key(pinhole), layout.PINHOLE_SIDES.pack(opened))
        for pinhole in pinholes.close:
            if closed:
                self._maps["pinholes"].put(_key(pinhole), layout.PINHOLE_SIDES.pack(closed))
            else:
                self._maps["pinholes"].remove(_key(pinhole))

    def _turn(self, side: int, generation: int) -> None:
        """Let packets read the other side."""
        layout.COUNT.pack_into(self._state, layout.GENERATION_AT + side * layout.COUNT.size, generation)
        # No processor may show the turn before what it turns to, nor what comes behind it before the turn.
        with self._order:
            pass
        self._state_words[layout.LIVE_AT // layout.INDEX.size] = side
        with self._order:
            pass

    def _leave(self, gone: Iterable[int]) -> None:
        """Let phones go that no packet finds any more."""
        for private in gone:
            self._maps["phone_of"].remove(layout.ADDRESS.pack(private))
            # The longest unused index is given first: a packet on another processor may still hold this one.
            self._free.append(self._phones.pop(private))

    def _mend_phones(self) -> None:
        known = self._maps["phone_of"]
        for key in tuple(known.keys()):
            if layout.ADDRESS.unpack(key)[0] not in self._phones:
                known.remove(key)
        for private, index in self._phones.items():
            known.put(layout.ADDRESS.pack(private), layout.INDEX.pack(index))
            both = index * _PHONE_HALVES + _HEAD_HALVES
            live, other = (both + side * layout.MOST_PUBLICS_OF_A_PHONE for side in (self._live, 1 - self._live))
            most = layout.MOST_PUBLICS_OF_A_PHONE
            self._halves[other : other + most] = self._halves[live : live + most]

    def _mend_pinholes(self, pinholes: Iterable[Pinhole], trusted: Iterable[int]) -> None:
        holes, open_ = self._maps["pinholes"], set(map(_key, pinholes))
        open_ |= {layout.PINHOLE.pack(bytes(4), layout.ADDRESS.pack(peer), 0) for peer in trusted}
        for key in tuple(holes.keys()):
            if key not in open_:
                holes.remove(key)
        for key in open_:
            holes.put(key, layout.PINHOLE_SIDES.pack(layout.BOTH_SIDES))


def _key(pinhole: Pinhole) -> bytes:
    return layout.PINHOLE.pack(layout.ADDRESS.pack(pinhole.public), layout.ADDRESS.pack(pinhole.peer), pinhole.port)
