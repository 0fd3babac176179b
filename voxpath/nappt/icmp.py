"""ICMP errors: a host or a router says something of a packet, and shows its beginning (RFC 5508 section 4).

The phone has to know its own packet again, so the packet inside is translated, too, the other way round: what a phone sent shows
its public address as the source, which becomes its inside address.
The phone is found by the packet inside and not by the error's own addresses, since a router on the way may have sent it.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from voxpath.nappt.checksum import delta, total
from voxpath.nappt.packet import (
    CHECKSUM_AT,
    FRAGMENT_OFFSET,
    HEADER_LENGTH,
    ICMP_CHECKSUM_AT,
    IP,
    SHORTEST_HEADER,
    Header,
    Ports,
    ports_at,
)
from voxpath.nappt.rewrite import (
    UNCHANGED,
    NewAddress,
    NewPorts,
    adjust_at,
    adjust_transport,
    exchange,
    exchange_ports,
    rewritten,
)
from voxpath.nappt.table import Row, Table
from voxpath.nappt.verdict import Drop, Local, Reason, Translated, Verdict

BEFORE_EMBEDDED = 8
"""Octets of an ICMP error before the packet that it carries."""
EMBEDDED_OCTETS = 8
"""Octets of the packet inside that an error shows behind the IP header, at the least (RFC 792)."""


class Embedded(NamedTuple):
    """The packet in an error.

    :ivar at: where it begins.
    :ivar length: octets of its IP header.
    """

    at: int
    length: int
    protocol: int
    source: int
    destination: int
    ports: Ports


Pooled: TypeAlias = Callable[[Embedded], "tuple[NewAddress, NewPorts] | None"]
"""Who sent a packet from a port of a pool, and from which port of his own; ``None``: nobody."""


def nobody(_: Embedded) -> None:
    """There is no pool."""


def error_outbound(table: Table, packet: bytes, header: Header) -> Verdict:
    """Translate an error from inside about a packet that came in: a phone's own, or that of a router on the way to it.

    It goes to who sent that packet: another sender in it may be an inside address, which nobody outside is to see.
    Both leave with the public address that the packet was sent to.
    If that came from another phone of ours by way of its public address, both directions are translated.
    """
    embedded = _embedded(packet, header)
    if isinstance(embedded, Drop):
        return embedded
    if header.destination != embedded.source:
        return Drop(Reason.ICMP)
    destination = _outside_row(table, header, embedded) if table.is_public(header.destination) else None
    if isinstance(destination, Drop):
        return destination
    source = _inside_row(table, header, embedded)
    return source if isinstance(source, Drop) else Translated(_changed(packet, header, embedded, source, destination))


def error_inbound(table: Table, packet: bytes, header: Header, pooled: Pooled = nobody) -> Verdict:
    """Translate an error from outside about a packet that a phone sent; one about a service's packet is for the service.

    :param pooled: is asked about what the table does not know.
    """
    embedded = _embedded(packet, header)
    if isinstance(embedded, Drop):
        return embedded
    if header.destination == embedded.source and table.is_service(embedded.source, embedded.ports.source):
        return Local()
    row, ports = _outside_row(table, header, embedded), UNCHANGED
    if row == Drop(Reason.UNLEASED_PORT):
        found = pooled(embedded)
        if found is None:
            return Drop(Reason.UNLEASED_PORT)
        row, ports = found
    return row if isinstance(row, Drop) else Translated(_changed(packet, header, embedded, None, row, ports))


def _embedded(packet: bytes, header: Header) -> Embedded | Drop:
    at = header.length + BEFORE_EMBEDDED
    if header.total < at + SHORTEST_HEADER:
        return Drop(Reason.TRUNCATED)
    version, _, _, fragment, _, protocol, source, destination = IP.unpack_from(packet, at)
    length = (version & 0x0F) * 4
    if version >> 4 != 4 or length < SHORTEST_HEADER:
        return Drop(Reason.ICMP)
    if header.total < at + length + EMBEDDED_OCTETS:
        return Drop(Reason.TRUNCATED)
    if fragment & FRAGMENT_OFFSET:
        return Drop(Reason.FRAGMENT)
    if protocol not in HEADER_LENGTH:
        return Drop(Reason.UNKNOWN_PROTOCOL)
    ports = ports_at(packet, at + length, protocol)
    # There is no error about an error (RFC 1122 section 3.2.2).
    return Drop(Reason.ICMP) if ports is None else Embedded(at, length, protocol, source, destination, ports)


def _inside_row(table: Table, header: Header, embedded: Embedded) -> Row | Drop:
    """The phone that the packet inside was sent to; a phone speaks for itself alone."""
    if table.is_phone(header.source) and header.source != embedded.destination:
        return Drop(Reason.SPOOFED_PORT)
    row = table.by_private(embedded.destination, embedded.ports.destination)
    if row is None:
        return Drop(Reason.SPOOFED_PORT if table.is_phone(header.source) else Reason.UNKNOWN_PHONE)
    return row


def _outside_row(table: Table, header: Header, embedded: Embedded) -> NewAddress | Drop:
    """The phone that sent the packet inside, from the address that hears of it."""
    if header.destination != embedded.source:
        return Drop(Reason.ICMP)
    return table.by_public(embedded.source, embedded.ports.source) or Drop(Reason.UNLEASED_PORT)


def _changed(
    packet: bytes,
    header: Header,
    embedded: Embedded,
    source: Row | None,
    destination: NewAddress | None,
    ports: NewPorts = UNCHANGED,
) -> bytes:
    """Exchange the addresses of the error, and those of the packet inside the other way round.

    :param source: where the phone is found that the packet inside was sent to; a router on the way may speak in its place.
    :param ports: those of the packet inside.
    """
    speaker = source
    if source is not None and header.source != embedded.destination:
        speaker = source._replace(delta=delta(header.source, source.address))
    octets = rewritten(packet, header, speaker, destination)
    at, begins = embedded.at, embedded.at + embedded.length
    before = total(octets[at:])
    # What was sent to the error's sender shows him as its destination.
    change = exchange(octets, at, source=destination, destination=source)
    adjust_at(octets, at + CHECKSUM_AT, change)
    if ports is not UNCHANGED:
        change = exchange_ports(octets, begins, embedded.protocol, ports, change)
    adjust_transport(octets, begins, embedded.protocol, change)
    # All of it lies in the error's own checksum.
    adjust_at(octets, header.length + ICMP_CHECKSUM_AT, (~before & 0xFFFF) + total(octets[at:]))
    return bytes(octets)
