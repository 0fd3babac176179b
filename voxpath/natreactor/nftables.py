"""The NAT back end in the kernel: nftables maps without connection tracking; calls go on while voxpath does not run."""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as ReadOnly
from contextlib import suppress
from ipaddress import IPv4Address
from socket import socket

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.verdict import Reason
from voxpath.natreactor import elements, filtering, host, kernelcounters, napt, ruleset
from voxpath.natreactor.claim import claim
from voxpath.natreactor.devices import Unrouted
from voxpath.natreactor.dropcount import DropCount, Growth
from voxpath.natreactor.dynamicset import DynamicSet
from voxpath.natreactor.event import TableAdopted, TableLost, Unwatched
from voxpath.natreactor.fasttable import FastTable
from voxpath.natreactor.interface import Adopted, Capabilities, INATReactor, PhoneCounters, joined
from voxpath.natreactor.libnftables import Nftables
from voxpath.natreactor.netlink import Netfilter
from voxpath.natreactor.offence import Subject
from voxpath.natreactor.punt import Punt
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import check_device
from voxpath.natreactor.steering import remove_steering
from voxpath.natreactor.tally import PhoneTally
from voxpath.natreactor.withdraw import remove_programs

NAME = "nftables"


def probe(settings: NatSettings) -> Capabilities:
    """Tell whether the kernel and our rights let this back end run; changes nothing."""
    nft: Nftables | None = None
    try:
        ruleset.check(settings)
        nft = Nftables()
        nft.text("list tables")
        Netfilter().close()
    except LocalError as error:
        return Capabilities(NAME, False, str(error), kernel=True)
    finally:
        if nft is not None:
            nft.close()
    reason = "translates in the kernel, also while voxpath does not run"
    try:
        check_device()
    except LocalError as error:
        reason += f"; ICMP and fragments are dropped, since {error}"
    return Capabilities(NAME, True, reason, kernel=True)


@implementer(INATReactor)
class NftablesNAT:
    """Keeps the table in the kernel of the network namespace in which :meth:`start` is called, and a copy of it here.

    The copy finds contradictions before the kernel sees them, and repairs the kernel's table when somebody else breaks it.
    """

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self._table = settings.make_table()
        self._listeners: list[Callable[[Event], None]] = []
        self._open: tuple[Nftables, Netfilter, socket] | None = None
        self._punt = Punt(settings, self._table, self._lead, self._tell, self._led_anew, copied=True)
        self._punts = False
        self._unrouted: Unrouted | None = None
        self._fast = FastTable(settings, self._table, self._tell)
        self._growth, self._dropped = Growth(), DropCount()
        self._tally = PhoneTally(self._table)
        self._offenders, self._strangers = (
            DynamicSet(settings.table, chosen, ruleset.MOST_OFFENDERS) for chosen in ("offenders", "strangers")
        )
        self._poll = LoopingCall(self._look)
        self._poll.clock = settings.clock
        self._broken = ""

    def capabilities(self) -> Capabilities:
        """Whether it can run here."""
        return probe(self._settings)

    def start(self) -> Deferred[Adopted]:
        """Prepare the host, install the rules and take over the mappings of a previous run."""
        return execute(self._start)

    def stop(self) -> Deferred[None]:
        """End; the kernel's table stays."""
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

    def generation(self) -> int:
        """The generation of the last transaction."""
        return self._table.generation

    def mapping_count(self) -> int:
        """How many mappings there are."""
        return len(self._table)

    def counters(self, private: IPv4Address) -> PhoneCounters:
        """What went through for one phone since it has a mapping."""
        mappings = self._table.mappings_of(private)
        if not mappings:
            return PhoneCounters()
        drops = self._tally.drops_of(int(private))
        passed = {"out": (0, 0), "in": (0, 0)}
        with suppress(LocalError):  # the table is lost: the next look tells and repairs
            for chosen, keys in elements.keys_of(mappings, self._settings.block_size).items():
                if keys:
                    way = chosen.partition("_")[0]
                    usual = kernelcounters.passed(self._netfilter, self._settings.table, chosen, keys)
                    fast = self._fast.passed(self._netfilter, chosen, keys)
                    passed[way] = passed[way][0] + usual[0] + fast[0], passed[way][1] + usual[1] + fast[1]
        slow = self._punt.counters(private)
        return joined(PhoneCounters(*passed["out"], *passed["in"], *drops), slow)

    def drops(self) -> ReadOnly[str, int]:
        """Dropped packets by reason."""
        with suppress(LocalError):  # while the table is lost the last known numbers hold; the next look tells and repairs
            self._take_drops()
        return self._dropped.drops()

    def watch(self, listener: Callable[[Event], None]) -> None:
        """Register a listener for events."""
        self._listeners.append(listener)

    @property
    def _kernel(self) -> Nftables:
        return self._opened()[0]

    @property
    def _netfilter(self) -> Netfilter:
        return self._opened()[1]

    def _opened(self) -> tuple[Nftables, Netfilter, socket]:
        if self._open is None:
            raise LocalError("the nftables back end was not started")
        return self._open

    def _close(self) -> None:
        self._punt.close()
        self._fast.close()
        if self._open is not None:
            for each in self._open:
                each.close()
            self._open = None

    def _start(self) -> Adopted:
        ruleset.check(self._settings)
        if self._open is not None:
            raise LocalError("the nftables back end was started already")
        self._open = Nftables(), Netfilter(), claim(self._settings.table)
        try:
            planned = host.plan(self._settings.outside)
            self._fast.begin(self._kernel)
            adopted = self._adopt()
            # What another back end has left leads packets there until the rules stand.
            remove_steering(self._settings.table, self._settings.outside.inside)
            self._take_drops()
            remove_programs(self._settings.table)
            for each in (self._offenders, self._strangers):
                each.grown(self._netfilter)
            self._dropped.keep_silent()  # what a previous run counted is no news
            host.prepare(planned)  # the rules stand before the first packet is forwarded
        except BaseException:
            self._close()
            raise
        for setting in planned:
            self._tell(setting)
        if adopted.mappings:
            self._tell(TableAdopted(generation=adopted.generation, mappings=len(adopted.mappings)))
        self._poll.start(self._settings.poll_s, now=False)
        return adopted

    def _stop(self) -> None:
        if self._poll.running:
            self._poll.stop()
        self._close()

    def _adopt(self) -> Adopted:
        """Install the rules over what is there; mappings that these settings still allow stay without a gap."""
        found = self._find()
        table = self._table
        if found is None:
            table.replace_all(0, ())
            self._punts = self._punt.start()
            self._rebuild()
            return Adopted()
        kept = tuple(mapping for mapping in found.mappings if self._is_allowed(mapping))
        whole = len(kept) == len(found.mappings)
        # A partial take-over says generation 0, so that the ledger is asked for everything.
        table.replace_all(found.generation if whole else 0, kept)
        table.admit(PinholeChange(open=self._find_pinholes()))
        self._punts = self._punt.start()
        if whole and found.block_size == self._settings.block_size:
            # The mode may be another one than before, and there may have been no pool.
            install = ruleset.install(self._settings, table, self._punted)
            modes = filtering.fill(self._settings, table) + napt.fill(self._settings, table)
            self._fast.carry_out(self._kernel, install + modes, self._fast.adopted(self._netfilter))
        else:
            self._rebuild()
        return Adopted(table.generation, frozenset(table), self.pinholes())

    def _lead(self) -> Unrouted:
        """The rules themselves give packets to the slow path."""
        self._unrouted = Unrouted(self._settings)
        return self._unrouted

    @property
    def _punted(self) -> tuple[int, int] | None:
        return self._unrouted.indexes if self._punts and self._unrouted is not None else None

    def _led_anew(self) -> None:
        """The rules name the slow path's devices as they are now."""
        self._kernel.run(ruleset.install(self._settings, self._table, self._punted))

    def _find(self) -> ruleset.Found | None:
        name = f"ip {self._settings.table}"
        # Tables are not listed: nft 1.0.6 writes broken JSON when one of them, whosever it is, belongs to its maker alone.
        try:
            return ruleset.parse(
                [
                    *self._kernel.read(f"list set {name} state"),
                    *self._kernel.read(f"list map {name} in_block"),
                    *self._kernel.read(f"list map {name} in_port"),
                ]
            )
        except (LocalError, ValueError, KeyError, TypeError):
            # No table, or one of our name that is not ours, or of another version: it is built anew.
            return None

    def _find_pinholes(self) -> tuple[Pinhole, ...]:
        """The calls that the previous run let in; none if it was of another mode, or of a version that had none."""
        if self._table.pinholes is None:
            return ()
        try:
            return tuple(filtering.parse(self._kernel.read(f"list set ip {self._settings.table} pinholes")))
        except (LocalError, ValueError, KeyError, TypeError):
            return ()

    def _is_allowed(self, mapping: Mapping) -> bool:
        return self._table.is_inside(int(mapping.private)) and self._table.is_public(int(mapping.block.public))

    def _rebuild(self) -> None:
        """Put a new table in the place of whatever is there, in one step."""
        settings, table = self._settings, self._table
        install = ruleset.install(settings, table, self._punted)
        usual = ruleset.remove(settings.table) + install + ruleset.fill(settings, table)
        self._fast.carry_out(self._kernel, usual, self._fast.installed())
        self._growth.begin_again()
        self._offenders.begin_again()
        self._strangers.begin_again()

    def _apply(self, transaction: Transaction) -> None:
        before = self._table.generation
        kernel = self._netfilter
        done = self._table.apply(transaction)
        if not done and self._table.generation == before:
            return
        shut = self._table.shut(done.remove)

        def undo() -> None:
            self._table.undo(done, before)
            self._table.admit(PinholeChange(open=tuple(shut)))

        try:
            elements.change(kernel, self._settings, self._table, done, shut, self._fast.note)
        except LocalError as error:
            self._repair(error, undo)
        self._punt.apply(done)

    def _admit(self, change: PinholeChange) -> None:
        kernel = self._netfilter
        done = self._table.admit(change)

        def undo() -> None:
            self._table.admit(PinholeChange(done.close, done.open))

        try:
            elements.admit(kernel, self._settings, self._table, done)
        except LocalError as error:
            self._repair(error, undo)
        self._punt.admit(done)

    def _replace_all(self, generation: int, mappings: tuple[Mapping, ...]) -> None:
        before, old, pinholes = self._table.generation, tuple(self._table), tuple(self._table.pinholes or ())
        kernel = self._kernel
        self._table.replace_all(generation, mappings)

        def undo() -> None:
            self._table.replace_all(before, old)
            self._table.admit(PinholeChange(open=pinholes))

        try:
            kernel.run(ruleset.fill(self._settings, self._table) + self._fast.filled())
        except LocalError as error:
            self._repair(error, undo)
        self._punt.replace_all()

    def _repair(self, cause: LocalError, undo: Callable[[], None]) -> None:
        """Build the kernel's table from our copy after it refused a change; if that fails too, the change is taken back."""
        try:
            self._rebuild()
        except LocalError:
            undo()
            raise
        self._tell(TableLost(reason=str(cause)))

    def _look(self) -> None:
        """Tell of drops since the last look; build the table again if somebody removed it."""
        try:
            self._take_drops()
            offenders = self._take_offenders()
            strangers = self._take_strangers()
            self._punt_late()
            self._fast.look(self._kernel, self._netfilter)
        except LocalError as cause:
            self._recover(cause)
            return
        self._broken = ""
        self._tally.forget()
        for phone, packets in strangers:
            self._tally.add(phone, Reason.STRANGER, inward=True, packets=packets)
        for subject, packets in offenders:
            self._tally.add(subject.address, subject.reason, inward=False, packets=packets)
        grown, more = self._punt.look()
        self._dropped.add(grown)
        for event in self._dropped.tell([*offenders, *more], self._table, self._settings.identify):
            self._tell(event)

    def _punt_late(self) -> None:
        """Let the rules mark packets for a slow path that could not be started before."""
        if self._punt.start_late():
            self._punts = True
            self._led_anew()

    def _recover(self, cause: LocalError) -> None:
        try:
            self._rebuild()
        except LocalError as error:
            if str(error) != self._broken:
                self._broken = str(error)
                self._tell(Unwatched(reason=self._broken))
            return
        self._tell(TableLost(reason=str(cause)))

    def _take_drops(self) -> None:
        """Take over what the kernel's counters and those of the slow path grew by since the last time."""
        packets = kernelcounters.counted(self._netfilter, self._settings.table)
        counts = {reason: packets[name] for reason in ruleset.COUNTED if (name := ruleset.counter(reason)) in packets}
        if len(counts) < len(ruleset.COUNTED):
            raise LocalError(f"the table {self._settings.table} has lost its counters")
        self._dropped.add(self._growth.of(counts))
        self._dropped.add(self._punt.drops())

    def _take_offenders(self) -> list[tuple[Subject, int]]:
        """Who sent what the source-port check dropped since the last look."""
        found = []
        for address, port, packets in self._offenders.grown(self._netfilter):
            reason = Reason.SPOOFED_PORT if self._table.is_phone(address) else Reason.UNKNOWN_PHONE
            found.append((Subject(reason, address, port), packets))
        return found

    def _take_strangers(self) -> list[tuple[int, int]]:
        """Which phones strangers wanted to reach, and by how many packets; the address is a public one but for a hairpin."""
        found = []
        for address, port, packets in self._strangers.grown(self._netfilter):
            row = self._table.by_public(address, port)
            found.append((row.address if row is not None else address, packets))
        return found

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
