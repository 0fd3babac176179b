"""The translation of whole packets: a packet and the table in, a verdict out (NAP-1 to NAP-6, NAP-11).

The port is never touched, nor anything behind a transport's header but the packet that an ICMP error shows (GEN-11); nothing is
remembered of a packet (NAP-4).
What the table does not allow is dropped, with a reason.
The UDP header's own length is the receiver's business: it is not read.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from voxpath.nappt.icmp import error_inbound, error_outbound
from voxpath.nappt.packet import ECHO_REPLY, ECHO_REQUEST, ICMP, Header, Ports, header_of, is_error, is_unicast, ports_of
from voxpath.nappt.rewrite import UNCHANGED, NewAddress, NewPorts, rewritten
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Drop, Local, Reason, Translated, Verdict


class Rows(NamedTuple):
    """What becomes of a packet's addresses, ``None``: that one stays; and of its ports."""

    source: NewAddress | None
    destination: NewAddress | None
    ports: NewPorts = UNCHANGED


Find: TypeAlias = Callable[[Table, Header, Ports], Rows | Local | Drop]


class Way(NamedTuple):
    """One direction through the gateway.

    :ivar admit: refuses a packet whose addresses cannot be on this way.
    :ivar find: finds what becomes of the addresses.
    :ivar error: translates an ICMP error.
    :ivar echo: the ICMP echo message that passes.
    """

    admit: Callable[[Table, Header], Drop | None]
    find: Find
    error: Callable[[Table, bytes, Header], Verdict]
    echo: int


def outbound(table: Table, packet: bytes) -> Verdict:
    """Translate a packet from inside: the source becomes the public address of the phone's block.

    If it is for a public address of ours, the destination is translated, too, in one hop (a hairpin, RFC 4787 REQ-9).
    """
    return _translate(table, packet, OUT)


def inbound(table: Table, packet: bytes) -> Verdict:
    """Translate a packet from outside: the public destination address becomes the inside one that holds the port."""
    return _translate(table, packet, IN)


def admitted(table: Table, packet: bytes, way: Way) -> Header | Drop:
    """The header of a packet whose addresses may go this way."""
    header = header_of(packet)
    if isinstance(header, Drop):
        return header
    return way.admit(table, header) or header


def whole(table: Table, packet: bytes, header: Header, way: Way) -> Verdict:
    """Translate a packet that was admitted and is no fragment."""
    if header.ttl <= 1:
        return Drop(Reason.TTL_EXPIRED)
    if is_error(packet, header):
        return way.error(table, packet, header)
    ports = ports_of(packet, header, way.echo)
    rows = ports if isinstance(ports, Drop) else way.find(table, header, ports)
    return Translated(bytes(rewritten(packet, header, *rows))) if isinstance(rows, Rows) else rows


def _translate(table: Table, packet: bytes, way: Way) -> Verdict:
    header = admitted(table, packet, way)
    if isinstance(header, Drop):
        return header
    return Drop(Reason.FRAGMENT) if header.fragment else whole(table, packet, header, way)


def _may_leave(table: Table, header: Header) -> Drop | None:
    return None if table.is_inside(header.source) and is_unicast(header.destination) else Drop(Reason.BOGON)


def _may_enter(table: Table, header: Header) -> Drop | None:
    source, destination = header.source, header.destination
    if table.is_inside(source) or table.is_public(source) or not is_unicast(source) or table.is_inside(destination):
        return Drop(Reason.BOGON)
    return None if table.is_public(destination) else Drop(Reason.NOT_OURS)


def _leaving(table: Table, header: Header, ports: Ports) -> Rows | Local | Drop:
    destination = None
    if table.is_public(header.destination):
        if table.is_service(header.destination, ports.destination):
            return Local()
        destination = table.by_public(header.destination, ports.destination)
        if destination is None:
            return Drop(Reason.ICMP if header.protocol == ICMP else Reason.UNLEASED_PORT)
    # That it is found is the check of the source port (NAP-5).
    source = table.by_private(header.source, ports.source)
    if source is None:
        return Drop(Reason.SPOOFED_PORT if table.is_phone(header.source) else Reason.UNKNOWN_PHONE)
    if destination is not None and not _admitted(table, header.destination, ports.destination, source.address):
        return Drop(Reason.STRANGER)
    return Rows(source, destination)


def _entering(table: Table, header: Header, ports: Ports) -> Rows | Local | Drop:
    if table.is_service(header.destination, ports.destination):
        return Local()
    row = table.by_public(header.destination, ports.destination)
    if row is None:
        return Drop(Reason.UNLEASED_PORT)
    if not _admitted(table, header.destination, ports.destination, header.source):
        return Drop(Reason.STRANGER)
    return Rows(None, row)


def _admitted(table: Table, public: int, port: int, peer: int) -> bool:
    """Whether a peer may send to a leased port now; another phone of ours counts by its public address."""
    return table.pinholes is None or table.pinholes.admits(public, port, peer)


OUT = Way(_may_leave, _leaving, error_outbound, ECHO_REQUEST)
IN = Way(_may_enter, _entering, error_inbound, ECHO_REPLY)
