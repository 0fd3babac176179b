"""The NAT back end without a kernel: the pure translation, for tests, for the memory network and for running without root."""

from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Mapping as ReadOnly
from ipaddress import IPv4Address
from struct import Struct

from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from voxpath.model.event import Event
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt.packet import SOURCE_AT
from voxpath.nappt.pinhole import PinholeChange
from voxpath.nappt.translator import Translator
from voxpath.nappt.verdict import Drop, Reason, Translated, Verdict
from voxpath.natreactor.interface import Adopted, Capabilities, INATReactor, PhoneCounters
from voxpath.natreactor.notices import Notices, drop_event
from voxpath.natreactor.offence import Subject, subject_of
from voxpath.natreactor.settings import NatSettings

NAME = "memory"

_ADDRESSES = Struct("!II")


@implementer(INATReactor)
class MemoryNAT:
    """Keeps the table in this process; packets pass only by :meth:`carry`."""

    def __init__(self, settings: NatSettings) -> None:
        self._settings = settings
        self._table = settings.make_table()
        self._translator = Translator(self._table)
        self._listeners: list[Callable[[Event], None]] = []
        self._notices = Notices(settings.clock, settings.poll_s, self._tell)
        self._drops: Counter[Reason] = Counter()
        self._counters: dict[int, PhoneCounters] = {}

    def capabilities(self) -> Capabilities:
        """It can always run."""
        return Capabilities(NAME, True, "translates in memory only: no packet of this machine is touched")

    def start(self) -> Deferred[Adopted]:
        """Begin with what the table holds: an object that is stopped and started again is its own previous run."""
        pinholes = frozenset(self._table.pinholes or ())
        return succeed(Adopted(self._table.generation, frozenset(self._table), pinholes))

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

    def generation(self) -> int:
        """The generation of the last transaction."""
        return self._table.generation

    def counters(self, private: IPv4Address) -> PhoneCounters:
        """What went through for one phone since it has a mapping."""
        return self._counters.get(int(private), PhoneCounters())

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
                self._count_drop(verdict.reason, packet)
            elif isinstance(verdict, Translated):
                self._count(packet, verdict.packet)
        return verdicts

    def _count(self, before: bytes, after: bytes) -> None:
        """An address that changed is a phone's on its inside form: the source before, the destination after."""
        old_source, old_destination = _ADDRESSES.unpack_from(before, SOURCE_AT)
        source, destination = _ADDRESSES.unpack_from(after, SOURCE_AT)
        size = len(after)
        if source != old_source:
            was = self._counters.get(old_source, PhoneCounters())
            self._counters[old_source] = PhoneCounters(was.out_packets + 1, was.out_octets + size, was.in_packets, was.in_octets)
        if destination != old_destination:
            was = self._counters.get(destination, PhoneCounters())
            self._counters[destination] = PhoneCounters(was.out_packets, was.out_octets, was.in_packets + 1, was.in_octets + size)

    def _count_drop(self, reason: Reason, packet: bytes) -> None:
        self._drops[reason] += 1
        self._notices.drop(subject_of(packet, reason))

    def _tell(self, subject: Subject, packets: int) -> None:
        event = drop_event(subject, packets, self._table, self._settings.identify)
        for listener in self._listeners:
            listener(event)

    def _apply(self, transaction: Transaction) -> None:
        self._table.shut(self._table.apply(transaction).remove)
        self._forget()

    def _admit(self, change: PinholeChange) -> None:
        self._table.admit(change)

    def _replace_all(self, generation: int, mappings: tuple[Mapping, ...]) -> None:
        self._table.replace_all(generation, mappings)
        self._forget()

    def _forget(self) -> None:
        """Drop the counters of addresses that no longer are a phone's."""
        for address in [address for address in self._counters if not self._table.is_phone(address)]:
            del self._counters[address]
