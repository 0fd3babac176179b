"""What went through for each phone, and what did not and why: for back ends that see the packets themselves."""

from collections import Counter
from collections.abc import Mapping
from struct import Struct

from voxpath.nappt.packet import FRAGMENT_OFFSET, HEADER_LENGTH, SOURCE_AT, TCP, UDP
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Reason

_ADDRESSES = Struct("!II")
_WORD = Struct("!H")
_SHORTEST = 20
_DESTINATION_PORT_AT = 2
_FRAGMENT_AT, _PROTOCOL_AT = 6, 9


class PhoneTally:
    """Counts by inside address."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._passed: dict[int, list[int]] = {}
        self._drops: dict[int, tuple[Counter[Reason], Counter[Reason]]] = {}

    def of(self, address: int) -> tuple[int, int, int, int, Mapping[str, int], Mapping[str, int]]:
        """All that is known of one phone, as :class:`voxpath.natreactor.interface.PhoneCounters` has it."""
        out_packets, out_octets, in_packets, in_octets = self._passed.get(address, (0, 0, 0, 0))
        return (out_packets, out_octets, in_packets, in_octets, *self.drops_of(address))

    def drops_of(self, address: int) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """What a phone sent and what was for it, by the reason why it was dropped."""
        out, into = self._drops.get(address, (Counter(), Counter()))
        return {reason.value: out[reason] for reason in out}, {reason.value: into[reason] for reason in into}

    def passed(self, before: bytes, after: bytes) -> None:
        """A packet was translated: an address that changed is a phone's, the source before, the destination after.

        Only that of a router before the phone, who speaks of its packet, is nobody's: of that nothing is kept, as of all strangers.
        """
        old_source, old_destination = _ADDRESSES.unpack_from(before, SOURCE_AT)
        source, destination = _ADDRESSES.unpack_from(after, SOURCE_AT)
        for phone, at in (
            (old_source if source != old_source else 0, 0),
            (destination if destination != old_destination else 0, 2),
        ):
            if phone and self._table.is_phone(phone):
                self.count(phone, at, len(after))

    def count(self, phone: int, at: int, octets: int) -> None:
        """A packet of a phone was translated.

        :param at: 0: it sent it; 2: it got it.
        """
        counts = self._passed.get(phone)
        if counts is None:
            counts = self._passed[phone] = [0, 0, 0, 0]
        counts[at] += 1
        counts[at + 1] += octets

    def dropped(self, packet: bytes, reason: Reason, from_inside: bool) -> None:
        """A packet was dropped; it is the phone's that sent it, or that a stranger sent it to, as far as that can be told."""
        if len(packet) < _SHORTEST:
            return
        source, destination = _ADDRESSES.unpack_from(packet, SOURCE_AT)
        if from_inside and reason is not Reason.STRANGER:
            self.add(source, reason, inward=False)
            return
        row = self._table.by_public(destination, _destination_port(packet))
        if row is not None:
            self.add(row.address, reason, inward=True)

    def add(self, phone: int, reason: Reason, *, inward: bool, packets: int = 1) -> None:
        """Count drops of a phone; of what is none nothing is kept, or anybody could fill the memory."""
        if self._table.is_phone(phone):
            self._drops.setdefault(phone, (Counter(), Counter()))[inward][reason] += packets

    def follow(self, table: Table) -> None:
        """Another table took the place of the first."""
        self._table = table
        self.forget()

    def forget(self) -> None:
        """Forget addresses that are no phone's any more."""
        for address in [address for address in {*self._passed, *self._drops} if not self._table.is_phone(address)]:
            self._passed.pop(address, None)
            self._drops.pop(address, None)


def _destination_port(packet: bytes) -> int:
    """Of a whole packet or a first fragment; 0: it has none."""
    at = (packet[0] & 0x0F) * 4
    protocol = packet[_PROTOCOL_AT]
    later = _WORD.unpack_from(packet, _FRAGMENT_AT)[0] & FRAGMENT_OFFSET
    if later or protocol not in (UDP, TCP) or len(packet) < at + HEADER_LENGTH[protocol]:
        return 0
    port: int = _WORD.unpack_from(packet, at + _DESTINATION_PORT_AT)[0]
    return port
