"""The NAT back end without a kernel: the pure translation, for tests, for the memory network and for running without root."""

from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Mapping as ReadOnly
from functools import partial
from ipaddress import IPv4Address
from random import SystemRandom

from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from voxpath.model.event import Event
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.pool import NaptPool
from voxpath.nappt.translator import Translator
from voxpath.nappt.verdict import Drop, Reason, Translated, Verdict
from voxpath.natreactor.interface import Adopted, Capabilities, INATReactor, PhoneCounters
from voxpath.natreactor.notices import Notices, drop_event
from voxpath.natreactor.offence import Subject, subject_of
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.tally import PhoneTally

NAME = "memory"


@implementer(INATReactor)
class MemoryNAT:
    """Keeps the table in this process; packets pass only by :meth:`carry`."""

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self._table = settings.make_table()
        ports = settings.pool
        pool = NaptPool(ports, SystemRandom(), partial(self._table.is_taken, ports.public)) if ports is not None else None
        self._translator = Translator(self._table, settings.mss, pool)
        self._listeners: list[Callable[[Event], None]] = []
        self._notices = Notices(settings.clock, settings.poll_s, self._tell)
        self._drops: Counter[Reason] = Counter()
        self._tally = PhoneTally(self._table)

    def capabilities(self) -> Capabilities:
        """It can always run."""
        return Capabilities(NAME, True, "translates in memory only: no packet of this machine is touched")

    def start(self) -> Deferred[Adopted]:
        """Begin with what the table holds: an object that is stopped and started again is its own previous run."""
        return succeed(Adopted(self._table.generation, frozenset(self._table), self.pinholes()))

    def stop(self) -> Deferred[None]:
        """End; the table stays."""
        self._notices.stop()
        return succeed(None)

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
        return PhoneCounters(*self._tally.of(int(private)))

    def drops(self) -> ReadOnly[str, int]:
        """Dropped packets by reason."""
        self._drops[Reason.FRAGMENT] += self._translator.expire(self._settings.clock.seconds())
        return {reason.value: self._drops[reason] for reason in Reason}

    def watch(self, listener: Callable[[Event], None]) -> None:
        """Register a listener for events."""
        self._listeners.append(listener)

    def carry(self, packet: bytes, from_inside: bool) -> tuple[Verdict, ...]:
        """Take a packet as an interface of the gateway would; a translated packet's destination tells where it goes next.

        Traffic between inside addresses is not the NAT's and must not come here (decision D21).

        :returns: its verdict, and behind it those of fragments that waited for it.
        """
        now = self._settings.clock.seconds()
        verdicts = (self._translator.outbound if from_inside else self._translator.inbound)(packet, now)
        for verdict in verdicts:
            if isinstance(verdict, Drop):
                self._tally.dropped(packet, verdict.reason, from_inside)
                self._count_drop(verdict.reason, packet)
            elif isinstance(verdict, Translated):
                self._tally.passed(packet, verdict.packet)
        return verdicts

    def _count_drop(self, reason: Reason, packet: bytes) -> None:
        self._drops[reason] += 1
        self._notices.drop(subject_of(packet, reason))

    def _tell(self, subject: Subject, packets: int) -> None:
        event = drop_event(subject, packets, self._table, self._settings.identify)
        for listener in self._listeners:
            listener(event)

    def _apply(self, transaction: Transaction) -> None:
        removed = self._table.apply(transaction).remove
        self._table.shut(removed)
        self._translator.withdraw(int(mapping.private) for mapping in removed)
        self._tally.forget()

    def _admit(self, change: PinholeChange) -> None:
        self._table.admit(change)

    def _replace_all(self, generation: int, mappings: tuple[Mapping, ...]) -> None:
        self._table.replace_all(generation, mappings)
        self._translator.withdraw()
        self._tally.forget()
