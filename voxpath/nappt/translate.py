"""The translation of whole packets: a packet and the table in, a verdict out (NAP-1 to NAP-6, NAP-11).

The port is never touched, nor anything behind a transport's header but the packet that an ICMP error shows (GEN-11); nothing is
remembered of a packet (NAP-4).
What the table does not allow is dropped, with a reason.
The UDP header's own length is the receiver's business: it is not read.
"""

from voxpath.nappt.icmp import error_inbound, error_outbound
from voxpath.nappt.packet import ECHO_REPLY, ECHO_REQUEST, ICMP, Header, Ports, header_of, is_error, is_unicast, ports_of
from voxpath.nappt.rewrite import rewritten
from voxpath.nappt.table import Row, Table
from voxpath.nappt.verdict import Drop, Local, Reason, Translated, Verdict


def outbound(table: Table, packet: bytes) -> Verdict:
    """Translate a packet from inside: the source becomes the public address of the phone's block.

    If it is for a public address of ours, the destination is translated, too, in one hop (a hairpin, RFC 4787 REQ-9).
    """
    header = header_of(packet)
    if isinstance(header, Drop):
        return header
    refused = may_leave(table, header) or _whole(header)
    if refused is not None:
        return refused
    if is_error(packet, header):
        return error_outbound(table, packet, header)
    ports = ports_of(packet, header, ECHO_REQUEST)
    return ports if isinstance(ports, Drop) else leaving(table, packet, header, ports)


def inbound(table: Table, packet: bytes) -> Verdict:
    """Translate a packet from outside: the public destination address becomes the inside one that holds the port."""
    header = header_of(packet)
    if isinstance(header, Drop):
        return header
    refused = may_enter(table, header) or _whole(header)
    if refused is not None:
        return refused
    if is_error(packet, header):
        return error_inbound(table, packet, header)
    ports = ports_of(packet, header, ECHO_REPLY)
    return ports if isinstance(ports, Drop) else entering(table, packet, header, ports)


def may_leave(table: Table, header: Header) -> Drop | None:
    """Refuse a packet from inside whose addresses cannot be on that way."""
    return None if table.is_inside(header.source) and is_unicast(header.destination) else Drop(Reason.BOGON)


def may_enter(table: Table, header: Header) -> Drop | None:
    """Refuse a packet from outside whose addresses cannot be on that way."""
    source, destination = header.source, header.destination
    if table.is_inside(source) or table.is_public(source) or not is_unicast(source) or table.is_inside(destination):
        return Drop(Reason.BOGON)
    return None if table.is_public(destination) else Drop(Reason.NOT_OURS)


def leaving(table: Table, packet: bytes, header: Header, ports: Ports) -> Verdict:
    """Translate a packet from inside whose ports are known."""
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
    return _exchanged(packet, header, source, destination)


def entering(table: Table, packet: bytes, header: Header, ports: Ports) -> Verdict:
    """Translate a packet from outside whose ports are known."""
    if table.is_service(header.destination, ports.destination):
        return Local()
    row = table.by_public(header.destination, ports.destination)
    return Drop(Reason.UNLEASED_PORT) if row is None else _exchanged(packet, header, None, row)


def _exchanged(packet: bytes, header: Header, source: Row | None, destination: Row | None) -> Translated:
    return Translated(bytes(rewritten(packet, header, source, destination)))


def _whole(header: Header) -> Drop | None:
    if header.fragment:
        return Drop(Reason.FRAGMENT)
    return Drop(Reason.TTL_EXPIRED) if header.ttl <= 1 else None
