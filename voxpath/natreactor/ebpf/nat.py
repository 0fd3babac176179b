"""The NAT back end that is a program in the kernel: calls go on while voxpath does not run."""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as ReadOnly
from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import NamedTuple

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.verdict import Reason
from voxpath.natreactor import host
from voxpath.natreactor.claim import claim
from voxpath.natreactor.dropcount import DropCount, Growth
from voxpath.natreactor.ebpf import program
from voxpath.natreactor.ebpf.libbpf import BpfMap
from voxpath.natreactor.ebpf.program import Program
from voxpath.natreactor.ebpf.table import KernelTable
from voxpath.natreactor.event import TableAdopted, TableLost, Unwatched
from voxpath.natreactor.interface import Adopted, Capabilities, INATReactor, PhoneCounters, joined
from voxpath.natreactor.offence import Subject
from voxpath.natreactor.punt import Punt
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import check_device
from voxpath.natreactor.steering import PUNTED, Steering
from voxpath.natreactor.withdraw import remove_tables

NAME = "ebpf"


def probe(settings: NatSettings) -> Capabilities:
    """Tell whether the kernel and our rights let this back end run; changes nothing."""
    try:
        program.check(settings)
        refusal = program.refusal()
    except LocalError as error:
        refusal = str(error)
    if refusal:
        return Capabilities(NAME, False, refusal, kernel=True)
    reason = "translates before the kernel's network stack, also while voxpath does not run"
    try:
        check_device()
    except LocalError as error:
        reason += f"; ICMP and fragments are dropped, since {error}"
    return Capabilities(NAME, True, reason, kernel=True)


class Found(NamedTuple):
    """What stands in the kernel."""

    generation: int = 0
    mappings: tuple[Mapping, ...] = ()
    pinholes: tuple[Pinhole, ...] = ()


class Open(NamedTuple):
    """What is open while the back end runs."""

    program: Program
    kernel: KernelTable
    all: ExitStack


@implementer(INATReactor)
class EbpfNAT:
    """Keeps the table in the maps of a program in the network namespace in which :meth:`start` is called, and a copy of it here.

    The copy finds contradictions before the kernel sees them.
    """

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self._table = settings.make_table()
        self._listeners: list[Callable[[Event], None]] = []
        self._open: Open | None = None
        self._punt = Punt(settings, self._table, lambda: Steering(settings, PUNTED), self._tell)
        self._growth, self._dropped = Growth(), DropCount()
        self._poll = LoopingCall(self._look)
        self._poll.clock = settings.clock
        self._broken = ""

    def capabilities(self) -> Capabilities:
        """Whether it can run here."""
        return probe(self._settings)

    def start(self) -> Deferred[Adopted]:
        """Prepare the host, attach the program and take over the mappings of a previous run."""
        return execute(self._start)

    def stop(self) -> Deferred[None]:
        """End; the program stays with the interfaces, and its maps with it."""
        return execute(self._stop)

    def apply(self, transaction: Transaction) -> Deferred[None]:
        """Apply one transaction."""
        return execute(self._apply, transaction)

    def replace_all(self, generation: int, mappings: Iterable[Mapping]) -> Deferred[None]:
        """Make the table equal to these mappings."""
        return execute(self._replace_all, generation, tuple(mappings))

    def admit(self, change: PinholeChange) -> Deferred[None]:
        """Open and close pinholes."""
        return execute(self._admit, change)

    def pinholes(self) -> frozenset[Pinhole]:
        """The pinholes that are open."""
        return frozenset(self._table.pinholes or ())

    def mapping_count(self) -> int:
        """How many mappings there are."""
        return len(self._table)

    def generation(self) -> int:
        """The generation of the last transaction."""
        return self._table.generation

    def counters(self, private: IPv4Address) -> PhoneCounters:
        """What went through for one phone since it has a mapping, and what was dropped."""
        if self._open is None or not self._table.is_phone(int(private)):
            return PhoneCounters()
        return joined(self._open.kernel.counters(int(private)), self._punt.counters(private))

    def drops(self) -> ReadOnly[str, int]:
        """Dropped packets by reason."""
        if self._open is not None:
            self._take_drops()
        return self._dropped.drops()

    def watch(self, listener: Callable[[Event], None]) -> None:
        """Register a listener for events."""
        self._listeners.append(listener)

    def _opened(self) -> Open:
        if self._open is None:
            raise LocalError("the eBPF back end was not started")
        return self._open

    def _start(self) -> Adopted:
        settings = self._settings
        if self._open is not None:
            raise LocalError("the eBPF back end was started already")
        program.check(settings)
        with ExitStack() as opened:
            opened.enter_context(claim(settings.table))
            planned = host.plan(settings.outside)
            attached = Program(settings, self._table)
            opened.callback(attached.close)
            kernel, adopted = self._adopt(attached)
            opened.callback(kernel.close)
            opened.callback(self._punt.close)
            attached.attach(PUNTED if self._punt.start() else None)
            remove_tables(settings.table)
            host.prepare(planned)  # the program stands before the first packet is forwarded
            self._open = Open(attached, kernel, opened.pop_all())
        self._take_drops()
        self._dropped.keep_silent()  # what a previous run counted is no news
        for setting in planned:
            self._tell(setting)
        if adopted.mappings:
            self._tell(TableAdopted(generation=adopted.generation, mappings=len(adopted.mappings)))
        self._poll.start(settings.poll_s, now=False)
        return adopted

    def _stop(self) -> None:
        if self._poll.running:
            self._poll.stop()
        if self._open is not None:
            self._open.all.close()
            self._open = None

    def _adopt(self, attached: Program) -> tuple[KernelTable, Adopted]:
        """Load the program, with the maps of a previous run or with new ones that hold what these settings allow of the old."""
        settings, table = self._settings, self._table
        old = attached.found()
        try:
            found = _read(old)
            reused = program.fits(old, settings, table)
            attached.load(old if reused else {})
        finally:
            for each in old.values():
                each.close()
        kept = tuple(mapping for mapping in found.mappings if self._is_allowed(mapping))
        whole = len(kept) == len(found.mappings)
        # A partial take-over says generation 0, so that the ledger is asked for everything.
        table.replace_all(found.generation if whole else 0, kept)
        table.admit(PinholeChange(open=tuple(found.pinholes)))
        pinholes = self.pinholes()
        kernel = KernelTable(attached.maps, settings.outside.public if not reused else None)
        kernel.mend(table.services, pinholes if reused else (), map(int, settings.trusted))
        if not reused:
            kernel.change(Transaction(table.generation, kept), table, PinholeChange(open=tuple(pinholes)))
        return kernel, Adopted(table.generation, frozenset(table), pinholes)

    def _is_allowed(self, mapping: Mapping) -> bool:
        return self._table.is_inside(int(mapping.private)) and self._table.is_public(int(mapping.block.public))

    def _apply(self, transaction: Transaction) -> None:
        kernel, table = self._opened().kernel, self._table
        before = table.generation
        done = table.apply(transaction)
        if not done and table.generation == before:
            return
        shut = table.shut(done.remove)

        def undo() -> None:
            table.undo(done, before)
            table.admit(PinholeChange(open=tuple(shut)))

        self._change(kernel, done, PinholeChange(close=tuple(shut)), undo)
        self._punt.apply(done)

    def _admit(self, change: PinholeChange) -> None:
        kernel, table = self._opened().kernel, self._table
        done = table.admit(change)
        if done != PinholeChange():
            self._change(kernel, Transaction(table.generation), done, lambda: table.admit(PinholeChange(done.close, done.open)))
            self._punt.admit(done)

    def _replace_all(self, generation: int, mappings: tuple[Mapping, ...]) -> None:
        kernel, table = self._opened().kernel, self._table
        before, old, pinholes = table.generation, tuple(table), tuple(self.pinholes())
        table.replace_all(generation, mappings)
        was, now = set(old), set(table)
        done = Transaction(generation, tuple(now - was), tuple(was - now))
        shut = tuple(set(pinholes) - self.pinholes())

        def undo() -> None:
            table.replace_all(before, old)
            table.admit(PinholeChange(open=pinholes))

        self._change(kernel, done, PinholeChange(close=shut), undo)
        self._punt.replace_all()

    def _change(self, kernel: KernelTable, done: Transaction, pinholes: PinholeChange, undo: Callable[[], object]) -> None:
        """Let packets see a change that the copy here has already; if the kernel refuses it, it is taken back here."""
        try:
            kernel.change(done, self._table, pinholes)
        except OSError as error:
            undo()
            raise LocalError(f"the kernel refuses a change of its eBPF maps: {error.strerror}") from None
        except LocalError:
            undo()
            raise

    def _look(self) -> None:
        """Tell of drops since the last look; attach the program again where somebody took it away."""
        attached = self._opened().program
        if lost := attached.lost():
            try:
                attached.attach_again()
            except LocalError as error:
                self._tell_once(f"{lost}: {error}")
            else:
                self._tell(TableLost(reason=lost))
        else:
            self._broken = ""
        self._take_drops()
        grown, offenders = self._punt.look()
        self._dropped.add(grown)
        for event in self._dropped.tell([*self._take_offenders(), *offenders], self._table, self._settings.identify):
            self._tell(event)

    def _tell_once(self, reason: str) -> None:
        if reason != self._broken:
            self._broken = reason
            self._tell(Unwatched(reason=reason))

    def _take_drops(self) -> None:
        """Take over what the kernel's counters grew by since the last time."""
        self._dropped.add(self._growth.of(self._opened().kernel.drops()))
        self._dropped.add(self._punt.drops())

    def _take_offenders(self) -> list[tuple[Subject, int]]:
        """Who sent what the source-port check dropped; they are forgotten, so the next look finds what came since."""
        if not self._dropped.has_untold(Reason.SPOOFED_PORT, Reason.UNKNOWN_PHONE):
            return []
        return [
            (Subject(Reason.SPOOFED_PORT if self._table.is_phone(address) else Reason.UNKNOWN_PHONE, address, port), packets)
            for address, port, packets in self._opened().kernel.take_offenders()
        ]

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _read(maps: ReadOnly[str, BpfMap]) -> Found:
    """What a previous run left in its maps."""
    if not program.is_whole(maps):
        return Found()
    kernel = KernelTable(maps)
    try:
        return Found(kernel.generation, tuple(kernel.mappings()), tuple(kernel.pinholes()))
    finally:
        kernel.close()
