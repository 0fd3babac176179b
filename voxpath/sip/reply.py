"""Answers, made from the request alone (RFC 3261 section 8.2.6): whoever repeats a request gets the same answer again.

An answer goes to the address that the packet came from, never to one that a message names: neither Via nor ``maddr`` can point
this server at somebody else.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2s
from typing import NamedTuple

from voxpath.core.effects import Datagram, Send
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.sip.header import parse_address, split_list, vias
from voxpath.sip.message import Request, Via
from voxpath.sip.settings import DEFAULT_SIP_PORT
from voxpath.sip.status import phrase

TAG_OCTETS = 8
"""Entropy of a To tag is not needed for anything but being different for different requests (RFC 3261 section 19.3 asks for 4)."""

LARGEST_ANSWER = 65_507
"""Octets that a datagram over IPv4 holds; a larger answer, to a request that was nearly as large, is not sent."""
FIRST_HONOURED_PORT = 1024
"""A Via cannot have answers sent to a port below, where services of other kinds listen, unless the request came from it."""

_REPEATED = (("From", "from"), ("To", "to"), ("Call-ID", "call-id"), ("CSeq", "cseq"))
"""What an answer repeats besides the Vias."""


class Incoming(NamedTuple):
    """A request with what it came in.

    :ivar via: the topmost Via; ``None`` when it cannot be read: the request is refused then.
    """

    request: Request
    datagram: Datagram
    via: Via | None


def reply(incoming: Incoming, status: int, reason: str = "", headers: Iterable[tuple[str, str]] = ()) -> Send:
    """Answer a request, to where it came from (RFC 3261 section 18.2.2, RFC 3581 section 4).

    :param reason: in place of the status code's own phrase; one line.
    :param headers: further headers.
    """
    request, datagram, via = incoming
    lines = [f"SIP/2.0 {status} {reason or phrase(status)}", *_vias(request, via, datagram.source)]
    fields = request.headers
    for name, known in _REPEATED:
        values = fields.get(known)
        if values:
            lines.append(f"{name}: {values[0] if known != 'to' else _tagged(incoming, values[0])}")
    for name, value in headers:
        lines.append(f"{name}: {value}")
    lines.append("Content-Length: 0\r\n\r\n")
    payload = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    return Send(payload, _destination(via, datagram.source), datagram.port, datagram.destination)


def acknowledges(request: Request) -> bool:
    """Whether an ACK is for an answer of ours: it has the tag that this answer had."""
    try:
        return parse_address(request.value("to")).tag == _tag(request, vias(request)[0])
    except RemoteError:
        return False


def listing(incoming: Incoming, status: int, contacts: Sequence[str], most_octets: int, least: int) -> tuple[Send, int]:
    """Answer with Contact values, leaving out the last ones where the answer would be too long.

    :param least: so many are listed whatever their length.
    :return: the answer, and how many values it has.
    """
    send = _with_contacts(incoming, status, contacts)
    excess, count = len(send.payload) - most_octets, len(contacts)
    while excess > 0 and count > least:
        count -= 1
        excess -= len(f"Contact: {contacts[count]}\r\n".encode("utf-8", "surrogateescape"))
    return (send if count == len(contacts) else _with_contacts(incoming, status, contacts[:count])), count


def _with_contacts(incoming: Incoming, status: int, contacts: Sequence[str]) -> Send:
    return reply(incoming, status, headers=[("Contact", value) for value in contacts])


def _destination(via: Via | None, source: Endpoint) -> Endpoint:
    """Without ``rport`` the port is the one that the Via names; a Via that nobody can read names none."""
    if via is None or "rport" in via.params:
        return source
    port = DEFAULT_SIP_PORT if via.port is None else via.port
    return Endpoint(source.host, port) if port >= FIRST_HONOURED_PORT else source


def _vias(request: Request, via: Via | None, source: Endpoint) -> list[str]:
    """All Vias, the topmost one completed by where the packet came from."""
    fields = request.values("via")
    if via is None:
        return [f"Via: {field}" for field in fields]
    if not fields[0]:
        # A field without any value is no Via, and the topmost one is behind it.
        fields = [field for field in fields if field]
    first = fields[0]
    below = split_list(first)[1:] if "," in first else ()
    # One field stays one field: an answer must not be much larger than its request.
    fields = [", ".join(below), *fields[1:]] if below else fields[1:]
    return [f"Via: {_seen_from(via, source)}", *(f"Via: {field}" for field in fields)]


def _seen_from(via: Via, source: Endpoint) -> str:
    """Print a Via with ``received`` and ``rport``; what the client itself wrote for them is no news and is dropped."""
    name = via.host if via.port is None else f"{via.host}:{via.port}"
    words = [f"SIP/2.0/{via.transport} {name}"]
    for key, value in via.params.items():
        if key == "rport":
            words.append(f"rport={source.port}")
        elif key != "received":
            words.append(key if value is None else f"{key}={value}")
    if "rport" in via.params or via.host != source.host:
        words.append(f"received={source.host}")
    return ";".join(words)


def _tagged(incoming: Incoming, to: str) -> str:
    """Give the To a tag if it has none; one that cannot be read stays as it is."""
    if "tag" in to.lower() and _has_tag(to):
        return to
    return f"{to};tag={_tag(incoming.request, incoming.via)}"


def _tag(request: Request, via: Via | None) -> str:
    """What an ACK has in common with the request whose refusal it acknowledges makes the tag (RFC 3261 section 17.1.1.3)."""
    branch = (via.params.get("branch") or "") if via is not None else ""
    number = request.value("cseq").partition(" ")[0]
    seed = "\n".join((branch, request.value("call-id"), request.value("from"), number))
    return blake2s(seed.encode("utf-8", "surrogateescape"), digest_size=TAG_OCTETS).hexdigest()


def _has_tag(to: str) -> bool:
    try:
        return bool(parse_address(to).tag)
    except RemoteError:
        return True
