"""The NAT back end for kernels without nftables: a process of its own translates every packet (:mod:`voxpath.natreactor.slow`).

It needs /dev/net/tun, policy routing and CAP_NET_ADMIN, and nothing else; the process lives on when voxpath ends.
"""

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
from voxpath.natreactor import host, ruleset
from voxpath.natreactor.claim import claim
from voxpath.natreactor.dropcount import DropCount
from voxpath.natreactor.event import TableAdopted, TableLost, Unwatched
from voxpath.natreactor.interface import Adopted, Capabilities, INATReactor, PhoneCounters
from voxpath.natreactor.rtnetlink import Rtnetlink
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import check_device, device_names
from voxpath.natreactor.slow.frames import mappings_of
from voxpath.natreactor.slowpath import SlowPath
from voxpath.natreactor.steering import Steering
from voxpath.natreactor.withdraw import remove_programs, remove_tables

NAME = "tun"


def probe(settings: NatSettings) -> Capabilities:
    """Tell whether the kernel and our rights let this back end run; changes nothing."""
    try:
        ruleset.check(settings)
        check_device()
        kernel = Rtnetlink()
        try:
            kernel.check_rights()
        finally:
            kernel.close()
    except LocalError as error:
        return Capabilities(NAME, False, str(error), kernel=True)
    return Capabilities(NAME, True, "translates in a process of its own, also while voxpath does not run", kernel=True)


@implementer(INATReactor)
class TunNAT:
    """Keeps the table in the process of the network namespace in which :meth:`start` is called, and a copy of it here."""

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self._table = settings.make_table()
        self._listeners: list[Callable[[Event], None]] = []
        self._slow = SlowPath(settings, self._table, self._tell, watched=True)
        self._open: tuple[socket, Steering] | None = None
        self._dropped = DropCount()
        self._poll = LoopingCall(self._look)
        self._poll.clock = settings.clock
        self._broken = ""

    def capabilities(self) -> Capabilities:
        """Whether it can run here."""
        return probe(self._settings)

    def start(self) -> Deferred[Adopted]:
        """Find or start the process, take over its mappings, and lead packets into it."""
        return execute(self._start)

    def stop(self) -> Deferred[None]:
        """End; the process goes on."""
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
        """What went through for one phone since it has a mapping."""
        if self._open is not None:  # else this copy of the table would be given to the process, which may have a newer one
            with suppress(LocalError):
                return self._slow.counters(private)
        return PhoneCounters()

    def drops(self) -> ReadOnly[str, int]:
        """Dropped packets by reason."""
        if self._open is not None:  # as above
            with suppress(LocalError):  # while the process is lost the last known numbers hold; the next look tells and repairs
                self._dropped.add(self._slow.drops())
        return self._dropped.drops()

    def watch(self, listener: Callable[[Event], None]) -> None:
        """Register a listener for events."""
        self._listeners.append(listener)

    def _start(self) -> Adopted:
        ruleset.check(self._settings)
        if self._open is not None:
            raise LocalError("the tun back end was started already")
        planned = host.plan(self._settings.outside)
        self._open = claim(self._settings.table), Steering(self._settings, None)
        try:
            adopted = self._adopt()
            self._steer()
            remove_tables(self._settings.table)
            remove_programs(self._settings.table)
            self._dropped.add(self._slow.drops())
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

    def _close(self) -> None:
        self._slow.close()
        if self._open is not None:
            for each in self._open:
                each.close()
            self._open = None

    def _adopt(self) -> Adopted:
        """Find the process, and keep those of its mappings that these settings still allow."""
        kept = self._slow.start()
        found = mappings_of(kept.rows)
        allowed = tuple(mapping for mapping in found if self._is_allowed(mapping))
        # A partial take-over says generation 0, so that the ledger is asked for everything.
        self._table.replace_all(kept.generation if len(allowed) == len(found) else 0, allowed)
        self._table.admit(PinholeChange(open=kept.pinholes))
        if not self._slow.holds(kept):
            self._slow.fill()
        return Adopted(self._table.generation, frozenset(self._table), self.pinholes())

    def _is_allowed(self, mapping: Mapping) -> bool:
        return self._table.is_inside(int(mapping.private)) and self._table.is_public(int(mapping.block.public))

    def _steer(self) -> None:
        for name in device_names(self._settings.table):
            host.prepare_device(name)
        for setting in self._steering.install():
            self._tell(setting)

    @property
    def _steering(self) -> Steering:
        """What was opened; without it nothing may be changed."""
        if self._open is None:
            raise LocalError("the tun back end was not started")
        return self._open[1]

    def _apply(self, transaction: Transaction) -> None:
        before, _ = self._table.generation, self._steering
        done = self._table.apply(transaction)
        if not done and self._table.generation == before:
            return
        shut = tuple(self._table.shut(done.remove))
        try:
            self._slow.apply(done)
        except LocalError:
            self._table.undo(done, before)
            self._table.admit(PinholeChange(open=shut))
            raise

    def _admit(self, change: PinholeChange) -> None:
        _, done = self._steering, self._table.admit(change)
        try:
            self._slow.admit(done)
        except LocalError:
            self._table.admit(PinholeChange(done.close, done.open))
            raise

    def _replace_all(self, generation: int, mappings: tuple[Mapping, ...]) -> None:
        before, old, pinholes, _ = self._table.generation, tuple(self._table), tuple(self.pinholes()), self._steering
        self._table.replace_all(generation, mappings)
        try:
            self._slow.replace_all()
        except LocalError:
            self._table.replace_all(before, old)
            self._table.admit(PinholeChange(open=pinholes))
            raise

    def _look(self) -> None:
        """Tell of drops since the last look; mend what somebody else has broken."""
        try:
            drops, offenders = self._slow.look()
            wrong = self._steering.missing()
            if wrong:
                self._steer()
        except LocalError as error:
            if str(error) != self._broken:
                self._broken = str(error)
                self._tell(Unwatched(reason=self._broken))
            return
        self._broken = ""
        if wrong:
            self._tell(TableLost(reason=wrong))
        self._dropped.add(drops)
        for event in self._dropped.tell(offenders, self._table, self._settings.identify):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
