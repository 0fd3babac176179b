"""The packets of the slow path: one in, those to be written out; without any device.

The kernel has lowered the TTL before it gave a packet here, and will do so once more with what is written: all in all the gateway
is one hop.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network
from random import SystemRandom

from voxpath.model.ports import PortBlock, Transaction
from voxpath.nappt.checksum import delta
from voxpath.nappt.icmp import BEFORE_EMBEDDED
from voxpath.nappt.packet import (
    ADDRESS,
    CHECKSUM_AT,
    DESTINATION_AT,
    FLAGS_AT,
    SHORTEST_HEADER,
    SOURCE_AT,
    TTL_AT,
    header_of,
    is_error,
)
from voxpath.nappt.pinhole import Pinhole, PinholeChange, Pinholes
from voxpath.nappt.pool import NaptPool
from voxpath.nappt.quick import BETWEEN, Quick, quick_inbound, quick_outbound
from voxpath.nappt.rewrite import adjust_at, word_delta
from voxpath.nappt.table import Table
from voxpath.nappt.translator import Translator
from voxpath.nappt.verdict import Drop, Local, Reason, Translated
from voxpath.natreactor.offence import MOST_SUBJECTS, Subject, subject_of
from voxpath.natreactor.slow.frames import Counted, Offender, Plan, Row, Seen, mappings_of
from voxpath.natreactor.tally import PhoneTally

HIGHEST_TTL = 255
MAY_BE_CUT = 0xC0
"""Of the octet of flags, the reserved one and that one which forbids to cut (RFC 791 section 3.1)."""
FAULT_OCTETS = 64
"""What is told of a packet that made the translation fail."""

_SOURCE = slice(SOURCE_AT, SOURCE_AT + 4)
_DESTINATION = slice(DESTINATION_AT, DESTINATION_AT + 4)

Octets = bytes | bytearray
from_bytes = int.from_bytes


class Carrier:
    """The table, and the translation of every packet by it.

    :ivar plan: what the table is made for.
    :param is_own: whether an address is one of the gateway's own.
    """

    def __init__(self, is_own: Callable[[int], bool]) -> None:
        self._is_own = is_own
        self._drops: Counter[Reason] = Counter()
        self._offenders: dict[Subject, int] = {}
        self._faults, self._fault = 0, ""
        self._pool: NaptPool | None = None
        table = Table((), ())
        self._tally = PhoneTally(table)
        self.plan = Plan()
        self._begin(self.plan, table)

    def _begin(self, plan: Plan, table: Table) -> None:
        if plan.pool != self.plan.pool:
            self._pool = NaptPool(plan.pool, SystemRandom(), self._is_taken) if plan.pool is not None else None
        self.plan = plan
        self.table = table
        self._translator = Translator(table, plan.mss, self._pool)
        self._translator.withdraw()
        clamped = plan.mss > 0
        self._outbound: Quick = quick_outbound(table, BETWEEN, clamped=clamped)
        self._inbound: Quick = quick_inbound(table, BETWEEN, clamped=clamped)

    def _is_taken(self, port: int) -> bool:
        return self.plan.pool is not None and self.table.is_taken(self.plan.pool.public, port)

    # The table.

    def configure(self, plan: Plan, generation: int, rows: Iterable[Row], pinholes: Iterable[Pinhole]) -> None:
        """Begin a new table in the place of the present one.

        :raises LocalError, ValueError: it cannot be made; then nothing is changed.
        """
        services = (PortBlock(IPv4Address(public), port, 1) for public, port in plan.services)
        table = Table(map(IPv4Network, plan.private), map(IPv4Address, plan.public), plan.block_size, services)
        if plan.call_aware:
            table.pinholes = Pinholes(plan.trusted)
        table.replace_all(generation, mappings_of(rows))
        table.admit(PinholeChange(open=tuple(pinholes)))
        self._begin(plan, table)
        self._tally.follow(table)

    def apply(self, generation: int, add: Iterable[Row], remove: Iterable[Row]) -> None:
        """Apply a transaction.

        :raises LocalError, ValueError: it contradicts the table; then nothing is changed.
        """
        done = self.table.apply(Transaction(generation, mappings_of(add), mappings_of(remove)))
        if done.remove:
            self.table.shut(done.remove)
            self._translator.withdraw(int(mapping.private) for mapping in done.remove)
            self._tally.forget()

    def replace_all(self, generation: int, rows: Iterable[Row]) -> None:
        """Make the table equal to these rows.

        :raises LocalError, ValueError: they contradict each other; then nothing is changed.
        """
        self.table.replace_all(generation, mappings_of(rows))
        self._translator.withdraw()
        self._tally.forget()

    def pinholes(self) -> tuple[Pinhole, ...]:
        """The pinholes that are open."""
        return tuple(self.table.pinholes or ())

    # Packets.

    def carry(self, packet: bytes, from_inside: bool, now: float) -> Sequence[Octets]:
        """Translate a packet that the kernel gave; give what it has to get back, on the same device."""
        try:
            if self.plan.copied:
                packet = _original(packet)
            octets = (self._outbound if from_inside else self._inbound)(packet)
            if octets is None:
                return self._carry(packet, from_inside, now)
        except Exception:  # whatever is wrong with our code for one packet: all others must go on, and voxpath tells of it
            self._failed(packet)
            return ()
        address, place = (packet[_SOURCE], 0) if from_inside else (octets[_DESTINATION], 2)
        self._tally.count(from_bytes(address, "big"), place, len(octets))
        return (octets,)

    def discarded(self, packet: bytes, from_inside: bool, now: float) -> None:
        """Count a packet that the kernel has discarded, since its TTL ends here."""
        try:
            self._verdicts(packet, from_inside, now)
        except Exception:  # as above
            self._failed(packet)

    def _failed(self, packet: bytes) -> None:
        """A fault of ours concerns one packet alone, and is told with it."""
        self._faults += 1
        self._fault = f"{traceback.format_exc(limit=-1)}of {packet[:FAULT_OCTETS].hex()}"

    def _carry(self, packet: bytes, from_inside: bool, now: float) -> Sequence[Octets]:
        if len(packet) < SHORTEST_HEADER or packet[0] >> 4 != 4:
            return ()  # the kernel speaks of IPv6 on every link
        whole = bytes(_lifted(packet))
        if from_inside:
            own = self._own_error(whole)
            if own is None:
                return (whole,)
            whole = own
        return self._verdicts(whole, from_inside, now)

    def _verdicts(self, packet: bytes, from_inside: bool, now: float) -> list[Octets]:
        translate = self._translator.outbound if from_inside else self._translator.inbound
        written: list[Octets] = []
        for verdict in translate(packet, now):
            if isinstance(verdict, Translated):
                self._tally.passed(packet, verdict.packet)
                written.append(_lifted(verdict.packet))
            elif isinstance(verdict, Drop):
                self._drop(verdict.reason, packet)
                self._tally.dropped(packet, verdict.reason, from_inside)
            elif isinstance(verdict, Local):
                written.append(verdict.packet or packet)
        return written

    def _own_error(self, packet: bytes) -> bytes | None:
        """The packet to translate; ``None``: the gateway itself speaks of a packet that was never translated.

        If it speaks of one that was, it does so in the phone's name: a phone's cable is out, say.
        """
        header = header_of(packet)
        if isinstance(header, Drop) or not is_error(packet, header) or self.table.is_inside(header.source):
            return packet
        at = header.length + BEFORE_EMBEDDED + DESTINATION_AT
        if header.total < at + 4:
            return packet
        (phone,) = ADDRESS.unpack_from(packet, at)
        if not self._is_own(header.source):
            return packet
        if not self.table.is_inside(phone):
            return None
        octets = bytearray(packet)
        ADDRESS.pack_into(octets, SOURCE_AT, phone)
        adjust_at(octets, CHECKSUM_AT, delta(header.source, phone))
        return bytes(octets)

    def _drop(self, reason: Reason, packet: bytes) -> None:
        self._drops[reason] += 1
        subject = subject_of(packet, reason)
        if not subject.address:
            return
        if subject not in self._offenders and len(self._offenders) >= MOST_SUBJECTS:
            subject = Subject(reason)
        self._offenders[subject] = self._offenders.get(subject, 0) + 1

    # What is told.

    def seen(self, now: float, *, take: bool) -> Seen:
        """What was dropped."""
        self._drops[Reason.FRAGMENT] += self._translator.expire(now)
        offenders = tuple(
            Offender(subject.reason.value, subject.address, subject.port, packets) for subject, packets in self._offenders.items()
        )
        if take:
            self._offenders.clear()
        drops = {reason.value: packets for reason, packets in self._drops.items()}
        return Seen(drops, offenders, self._faults, self._fault)

    def counted(self, private: int) -> Counted:
        """What went through for a phone."""
        out_packets, out_octets, in_packets, in_octets, out_drops, in_drops = self._tally.of(private)
        return Counted(out_packets, out_octets, in_packets, in_octets, dict(out_drops), dict(in_drops))


def _original(packet: bytes) -> bytes:
    """A packet as it was before netfilter copied it: one that may be cut has both flags (``Plan.copied``)."""
    if len(packet) < SHORTEST_HEADER or packet[FLAGS_AT] & MAY_BE_CUT != MAY_BE_CUT:
        return packet
    octets = bytearray(packet)
    octets[FLAGS_AT] ^= MAY_BE_CUT
    adjust_at(octets, CHECKSUM_AT, word_delta(MAY_BE_CUT << 8, 0))
    return bytes(octets)


def _lifted(packet: Octets) -> bytearray:
    """A packet with its TTL as it was before the kernel lowered it, or before it will."""
    octets = bytearray(packet)
    if octets[TTL_AT] < HIGHEST_TTL:
        octets[TTL_AT] += 1
        adjust_at(octets, CHECKSUM_AT, BETWEEN.delta)
    return octets
