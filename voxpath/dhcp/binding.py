"""Giving a phone its address and its block: the offer, the change, and the answer that stands behind it (DHC-6, DHC-7)."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from math import inf

from voxpath.core.effects import Effect, Emit
from voxpath.dhcp import options as code
from voxpath.dhcp.conflicts import Conflict
from voxpath.dhcp.event import DhcpAck
from voxpath.dhcp.found import claim
from voxpath.dhcp.message import INFINITE_S, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.record import Client, Kind, Offer, Step, Timer
from voxpath.dhcp.reply import host_name
from voxpath.dhcp.request import Request
from voxpath.model.address import text_of
from voxpath.model.phone import Lease, PhoneClass, Scope
from voxpath.model.ports import PortBlock
from voxpath.ports.change import Exhausted


def fixed_address(parts: Parts, request: Request) -> IPv4Address | None:
    """The address that is reserved for who asks; ``None``: none."""
    reservation = parts.policy.reservation_of(request.applicant)
    return reservation.address if reservation is not None else None


def make_offer(
    parts: Parts,
    request: Request,
    phone_class: PhoneClass,
    fixed: IPv4Address | None,
    now: float,
    found: Conflict | None = None,
) -> Offer:
    """Keep an address and a block for a phone; the address where it was found, if that is free but for the phone itself.

    :param fixed: the only address that it may have on this link; ``None``: any.
    :param found: where it was found; its probation goes on if it does not get that address.
    :raises Exhausted: no scope has both; it tells why each has not.
    """
    if found is None:
        return _first_offer(parts, request, phone_class, fixed, now, request.message.address(code.REQUESTED_ADDRESS))
    claim(parts.book, found)
    try:
        offer = _first_offer(parts, request, phone_class, fixed, now, found.address)
    except Exhausted:
        parts.book.resume(found)
        raise
    if offer.address == found.address:
        offer.found = found
    else:
        parts.book.resume(found)
    return offer


def _first_offer(
    parts: Parts, request: Request, phone_class: PhoneClass, fixed: IPv4Address | None, now: float, wanted: IPv4Address | None
) -> Offer:
    """Keep both in the first scope of its link that has both (super-scopes, DHC-14).

    An address that is remembered for another phone gives way only when no scope has a free one.

    :param wanted: what it gets if that is free.
    """
    scopes = tuple(candidates(parts, request, fixed, wanted))
    refused: dict[Scope, Exhausted] = {}
    for others in (False, True) if len(scopes) > 1 else (True,):
        for scope in scopes:
            try:
                client = parts.book.offer(request.mac, scope, phone_class, wanted, now, fixed, others=others)
            except Exhausted as error:
                refused[scope] = error
                continue
            parts.book.timers.arm(Timer("offer", request.mac), now + parts.settings.offer_s)
            assert client.offer is not None
            return client.offer
    # A link has a scope; of several each has a reason of its own.
    raise refused[scopes[0]] if len(refused) == 1 else Exhausted("; ".join(dict.fromkeys(map(str, refused.values()))))


def candidates(parts: Parts, request: Request, fixed: IPv4Address | None, wanted: IPv4Address | None) -> Iterable[Scope]:
    """The scopes to ask, in order.

    A reservation is for one scope.
    Else a phone stays where it was, or gets where it wants to be, before the link's own order counts.
    """
    link = request.link
    if len(link.scopes) == 1:
        return link.scopes
    reserved = link.scope_of(fixed) if fixed is not None else None
    if reserved is not None:
        return (reserved,)
    found: list[Scope | None] = []
    client = parts.book.known(request.mac)
    if client is not None:
        found.append(link.named(client.offer.scope.name) if client.offer is not None else None)
        found.append(link.named(client.lease.scope) if client.lease is not None else None)
    wished = link.scope_of(wanted) if wanted is not None else None
    found += [wished if wished in link.members else None, *link.members]
    return dict.fromkeys(scope for scope in found if scope is not None)


def bind(
    parts: Parts,
    request: Request,
    client: Client,
    phone_class: PhoneClass,
    address: IPv4Address,
    now: float,
    static_s: int | None = None,
) -> list[Effect]:
    """Store a lease, bring its block into the NAT, and only then acknowledge it.

    What answers no REQUEST is for ever, since nobody renews it: a BOOTP client (DHC-21), a static phone of the configuration's.

    :param static_s: how long a static phone keeps it that the configuration does not name (PHN-18), 0 for ever; ``None``: it is
        another client.
    :param request: about the scope of the address.
    :raises Exhausted: no block is left.
    :raises LocalError: a change for this phone is under way, or the address is somebody else's.
    """
    offer = client.offer
    if offer is not None and (offer.address != address or offer.scope is not request.scope):
        parts.book.drop_offer(client)
        offer = None
    scope = request.scope
    private = None if scope.shared else address
    change = parts.ledger.grant(client.phone, phone_class.ports, private, scope.realm, now)
    block = change.written[-1].block if change.written else parts.held(client.phone)
    assert block is not None  # an empty change means that the block is held
    lease_s = phone_class.lease_s if request.message.type is MessageType.REQUEST else static_s or INFINITE_S
    lease = _lease(request, phone_class, address, block, inf if lease_s == INFINITE_S else now + lease_s, static_s is not None)
    effects = _told(parts, request, phone_class, lease, block, lease_s)
    return parts.steps.begin(Step(Kind.BIND, client, change, client.lease, lease, offer), effects)


def _lease(request: Request, kind: PhoneClass, address: IPv4Address, block: PortBlock, expires: float, static: bool) -> Lease:
    message, scope = request.message, request.scope
    return Lease(
        request.mac,
        message.options.get(code.CLIENT_ID, b""),
        scope.name,
        address,
        kind.name,
        host_name(message, request.mac),
        expires,
        block.first if scope.shared else 0,
        static,
    )


def _told(parts: Parts, request: Request, phone_class: PhoneClass, lease: Lease, block: PortBlock, lease_s: int) -> list[Effect]:
    """What the operator and the phone are told when the lease is stored: the event, and the answer.

    An INFORM gets no address, which it has, and BOOTP has no types of messages.
    """
    kind, address, text = request.message.type, lease.address, text_of(lease.address)
    given = None if kind is MessageType.INFORM else address
    answer = parts.answer(None if kind is None else MessageType.ACK, request, phone_class, lease.host_name, block, given)
    event = DhcpAck(
        phone=lease.phone,
        address=text,
        block=str(block),
        lease_s=lease_s,
        phone_class=phone_class.name,
        static=lease.static,
    )
    return [Emit(event), *parts.send(request, answer, address, f"{'REPLY' if kind is None else 'ACK'} {text}")]
