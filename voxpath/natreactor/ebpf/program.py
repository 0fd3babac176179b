"""The program at the interfaces of one network namespace.

What is attached stays when this process ends, and holds the maps; so the next run finds them by asking the interfaces which
program they run.
Nothing of it is in a file system: it ends with the network namespace, and two namespaces never meet.
"""

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final
from zlib import crc32

from voxpath.core.errors import LocalError
from voxpath.nappt.pool import PoolPorts
from voxpath.nappt.table import CAPACITY, Table
from voxpath.natreactor import ruleset
from voxpath.natreactor.ebpf import layout
from voxpath.natreactor.ebpf.libbpf import BpfMap, BpfObject, check_rights, maps_of, name_of
from voxpath.natreactor.ebpf.links import Hook, Link, Links
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.steering import Mark

FILE: Final = Path(__file__).with_name("nat.bpf.o")

NATIVES: Final = ("inside_native", "outside_native")
FEWEST_PHONES: Final = 4096
_NOT_YET: Final = -1
"""No program has this number."""

Maps = Mapping[str, BpfMap]


def check(settings: NatSettings) -> None:
    """See whether the program can be made for these settings, and whether we may.

    :raises LocalError: no.
    """
    ruleset.check(settings)
    outside = settings.outside
    if sys.byteorder != "little":
        raise LocalError("the eBPF object is for processors with the least significant octet first")
    if both := set(outside.inside) & set(outside.outside):
        raise LocalError(f"{', '.join(sorted(both))} is both inside and outside: eBPF tells the sides apart by interfaces")
    if len({*outside.inside, *outside.outside}) > layout.MOST_LINKS:
        raise LocalError(f"eBPF can translate between {layout.MOST_LINKS} interfaces")
    if len(outside.private) > layout.MOST_PREFIXES:
        raise LocalError(f"eBPF can tell {layout.MOST_PREFIXES} inside prefixes apart")
    check_rights()


@cache
def refusal() -> str:
    """Why this kernel does not take the program; empty: it does. It is asked once, since that takes a tenth of a second."""
    try:
        BpfObject(FILE, {}, {}).close()
    except LocalError as error:
        return str(error)
    return ""


def handle_of(table: str) -> int:
    """The number of our filters at an interface, so that two instances do not meet."""
    return crc32(table.encode()) & 0x7FFFFFFF | 1


def withdraw(table: str) -> None:
    """Take the programs of a table from all interfaces, and its maps with them.

    :raises LocalError: the kernel refuses.
    """
    links = Links(handle_of(table))
    try:
        _detach(links, {link.number: link for link in links.all()}, set(), set())
    except OSError as error:
        raise LocalError(f"the kernel keeps the eBPF program: {error.strerror}") from None
    finally:
        links.close()


def generation_left(table: str) -> int | None:
    """The generation of what programs of a table translate by; ``None``: there are none.

    :raises LocalError: the kernel does not tell.
    """
    links = Links(handle_of(table))
    try:
        maps = _found(links)
    finally:
        links.close()
    try:
        if not is_whole(maps):
            return None
        state = maps["state"].get(layout.INDEX.pack(0)) or bytes(layout.STATE_OCTETS)
        live = layout.INDEX.unpack_from(state, layout.LIVE_AT)[0] & 1
        return int(layout.COUNT.unpack_from(state, layout.GENERATION_AT + live * layout.COUNT.size)[0])
    finally:
        for each in maps.values():
            each.close()


def _found(links: Links) -> dict[str, BpfMap]:
    maps: dict[str, BpfMap] = {}
    try:
        for link in links.all():
            for hook in Hook:
                if number := links.attached(link.number, hook):
                    for each in maps_of(number):
                        if maps.setdefault(each.name, each) is not each:
                            each.close()
    except OSError as error:
        for each in maps.values():
            each.close()
        raise LocalError(f"the kernel does not tell which programs it runs: {error.strerror}") from None
    return maps


class Program:
    """The program, its maps, and the interfaces that run it.

    :raises LocalError: the kernel refuses it, or an interface is missing.
    """

    def __init__(self, settings: NatSettings, table: Table) -> None:
        self._settings = settings
        self._table = table
        self._links = Links(handle_of(settings.table))
        self._object: BpfObject | None = None
        self._attached: dict[tuple[int, Hook], int] = {}
        self._marks: Mark | None = None
        self.maps: dict[str, BpfMap] = {}
        try:
            self._named = self._find_links()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of everything; the interfaces go on running it. Closing twice is allowed."""
        self._links.close()
        for each in self.maps.values():
            each.close()
        if self._object is not None:
            self._object.close()
            self._object = None

    def found(self) -> Maps:
        """The maps of a previous run, if any; the caller closes them.

        :raises LocalError: the kernel refuses to tell.
        """
        return _found(self._links)

    def load(self, reused: Maps) -> None:
        """Load the program into the kernel.

        :param reused: maps of a previous run that it goes on with; empty: it begins with empty ones.
        :raises LocalError: the kernel refuses it.
        """
        without = () if self._native else NATIVES
        self._object = BpfObject(FILE, {} if reused else entries(self._settings), reused, without)
        self.maps = {name: self._object.map(name) for name in layout.VALUE_OCTETS}

    def attach(self, marks: Mark | None) -> None:
        """Let all interfaces run it, each in one step in the place of what a previous run attached, and no others.

        :param marks: of what the slow path gets; ``None``: there is none.
        :raises LocalError: the kernel refuses.
        """
        try:
            wanted = tuple(self._wanted())
            self._attached, self._marks = {(link.number, hook): _NOT_YET for link, hook, _ in wanted}, marks
            self._tell_links(self._named.values())
            # What leaves is looked at first.
            for link, hook, chosen in sorted(wanted, key=lambda each: each[1] is Hook.INGRESS):
                self._links.attach(link.number, hook, self._program(chosen), f"voxpath:{self._settings.table}")
                self._attached[link.number, hook] = self._links.attached(link.number, hook)
            natives = self._attach_natives()
            _detach(self._links, {link.number: link for link in self._links.all()}, set(self._attached), natives)
        except OSError as error:
            raise LocalError(f"the kernel refuses the eBPF program at an interface: {error.strerror}") from None

    def attach_again(self) -> None:
        """As :meth:`attach`, after somebody made interfaces anew, or took the program from them.

        :raises LocalError: an interface is missing, or the kernel refuses.
        """
        self._named = self._find_links()
        self.attach(self._marks)

    def lost(self) -> str:
        """Where the program is not attached any more; empty: it is everywhere."""
        names = {link.number: link.name for link in self._named.values()}
        gone = {names[index] for (index, hook), number in self._attached.items() if self._links.attached(index, hook) != number}
        return f"{', '.join(sorted(gone))} did not run our program any more" if gone else ""

    @property
    def _native(self) -> bool:
        return all(map(runs_natively, self._named.values()))

    def _program(self, chosen: str) -> int:
        if self._object is None:
            raise LocalError("the eBPF program was not loaded")
        return self._object.program(chosen)

    def _find_links(self) -> dict[str, Link]:
        outside = self._settings.outside
        try:
            there = {link.name: link for link in self._links.all()}
        except OSError as error:
            raise LocalError(f"the kernel does not tell its interfaces: {error.strerror}") from None
        for name in (*outside.inside, *outside.outside):
            if name not in there:
                raise LocalError(f"there is no interface {name}")
        return {name: there[name] for name in (*outside.inside, *outside.outside)}

    def _wanted(self) -> Iterable[tuple[Link, Hook, str]]:
        for side, names in (("inside", self._settings.outside.inside), ("outside", self._settings.outside.outside)):
            for name in names:
                link = self._named[name]
                kind = "ethernet" if link.ethernet else "plain"
                yield link, Hook.INGRESS, f"{side}_{kind}"
                if side == "outside":
                    yield link, Hook.EGRESS, f"leaving_{kind}"

    def _attach_natives(self) -> set[int]:
        """Let the drivers run it, too, if all of them can: a packet is handed from one to the other."""
        done: set[int] = set()
        if not self._native:
            return done
        try:
            for name, link in self._named.items():
                side = "outside" if name in self._settings.outside.outside else "inside"
                ours = bool(link.native) and name_of(link.native) in NATIVES
                self._links.attach_native(link.number, self._program(f"{side}_native"), replace=ours)
                done.add(link.number)
        except OSError:
            # A driver that cannot, or has another program to run: the filters do all of it.
            return set()
        self._tell_links(self._named.values(), layout.NATIVE)
        return done

    def _tell_links(self, links: Iterable[Link], more: int = 0) -> None:
        """Say which interfaces there are, with their Ethernet addresses, and who the slow path is."""
        state = self.maps["state"].memory()
        outside = self._settings.outside.outside
        rows = [
            layout.LINK.pack(link.number, (layout.IS_OUTSIDE if link.name in outside else 0) | more, link.mac) for link in links
        ]
        prefixes = [layout.PREFIX.pack(int(each.network_address), int(each.netmask)) for each in self._table.private]
        octets = b"".join(prefixes)
        state[layout.PREFIXES_AT : layout.PREFIXES_AT + len(octets)] = octets
        octets = b"".join(rows)
        state[layout.LINKS_AT : layout.LINKS_AT + len(octets)] = octets
        layout.COUNTS.pack_into(state, layout.AWARE_AT, self._table.pinholes is not None, len(prefixes), len(rows))
        layout.PUNT.pack_into(state, layout.PUNT_AT, *(self._marks or (0, 0)))
        # Without a slow path connections work all the same, with segments of any size.
        layout.INDEX.pack_into(state, layout.CLAMPED_AT, self._settings.mss > 0 and self._marks is not None)
        pool = self._settings.pool or PoolPorts(0, 0, 0)
        layout.POOL.pack_into(state, layout.POOL_AT, layout.ADDRESS.pack(pool.public), pool.first, pool.last)
        layout.INDEX.pack_into(state, 0, layout.LAYOUT)
        state.close()


def runs_natively(link: Link) -> bool:
    """Whether a driver is worth asking to run the program: there is a device behind the interface.

    On virtual interfaces frames come as socket buffers, and would have to be turned into frames and back.
    """
    return link.ethernet and not link.kind


def entries(settings: NatSettings) -> dict[str, int]:
    """How many entries the maps have."""
    publics = len(settings.outside.public)
    phones = min(CAPACITY, max(FEWEST_PHONES, 2 * publics * layout.PORTS // settings.block_size))
    return {"publics": publics, "public_of": publics} | dict.fromkeys(("phones", "phone_of", "traffic"), phones)


def is_whole(maps: Maps) -> bool:
    """Whether these are the maps of a previous run of this layout, as far as the table is in them."""
    needed = ("state", "publics", "phones", "pinholes")
    if any(name not in maps or maps[name].shape.value_octets != layout.VALUE_OCTETS[name] for name in needed):
        return False
    found: int = layout.INDEX.unpack_from(maps["state"].get(layout.INDEX.pack(0)) or bytes(layout.STATE_OCTETS))[0]
    return found == layout.LAYOUT


def fits(maps: Maps, settings: NatSettings, table: Table) -> bool:
    """Whether maps of a previous run are what these settings need, so that the program can go on with them."""
    wanted = entries(settings)
    if not is_whole(maps):
        return False
    if set(layout.VALUE_OCTETS) - set(maps) or any(maps[name].shape.entries != number for name, number in wanted.items()):
        return False
    state, publics = (maps[name].memory() for name in ("state", "publics"))
    addresses = [
        layout.ADDRESS.unpack_from(publics, number * layout.PUBLIC_OCTETS)[0] for number in range(maps["publics"].shape.entries)
    ]
    _, count, _ = layout.COUNTS.unpack_from(state, layout.AWARE_AT)
    prefixes = list(layout.PREFIX.iter_unpack(state[layout.PREFIXES_AT : layout.PREFIXES_AT + count * layout.PREFIX.size]))
    state.close()
    publics.close()
    known = [(int(prefix.network_address), int(prefix.netmask)) for prefix in table.private]
    return addresses == [int(address) for address in settings.outside.public] and prefixes == known


def _detach(links: Links, there: Mapping[int, Link], filters: set[tuple[int, Hook]], natives: set[int]) -> None:
    """Take the program from interfaces, apart from some."""
    for index, link in there.items():
        for hook in Hook:
            if (index, hook) not in filters and links.attached(index, hook):
                links.detach(index, hook)
        if link.native and index not in natives:
            with suppress(OSError, LocalError):
                if name_of(link.native) in NATIVES:
                    links.attach_native(index, -1, replace=True)
