"""A dry run of a DISCOVER: what would be decided and given, step by step, with nothing changed.

The same code decides as for a message from the wire.
What it takes while it does so, an address and a block, is given back before anything else can happen.
Which of several leases or blocks that ended at the same moment gives way does not depend on it: their phones have an order.
An address that is not verified may be looked at in the background, as it would be for a phone.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from voxpath.dhcp import options as code
from voxpath.dhcp import shared
from voxpath.dhcp.binding import candidates, fixed_address, make_offer
from voxpath.dhcp.conflicts import Conflict
from voxpath.dhcp.found import found_at
from voxpath.dhcp.layout import OWN_LAYOUT
from voxpath.dhcp.links import NoLink
from voxpath.dhcp.message import INFINITE_S, Message, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Admitted, Check, Refusal
from voxpath.dhcp.question import Finding
from voxpath.dhcp.record import Client, Offer
from voxpath.dhcp.reply import host_name
from voxpath.dhcp.request import Request
from voxpath.dhcp.scarcity import waiting
from voxpath.dhcp.shown import shown
from voxpath.dhcp.wire import decode
from voxpath.model.event import printable
from voxpath.model.phone import PhoneClass, Scope
from voxpath.ports.change import Exhausted

NOTHING = "nothing: the phone hears no answer"


def explain(parts: Parts, request: Request, now: float, *, unsaid: bool = False) -> Iterator[Finding]:
    """Tell what would become of a DISCOVER.

    :param unsaid: nobody said what it sends that selects a class: it then has that of its lease.
    """
    link = request.link
    if request.scope.shared:
        request = request._replace(message=_sharing(request.message))
        yield Finding("shared addresses", "where it is not told otherwise, it asks for option 159 and sends option 61")
    names = ", then ".join(scope.name for scope in link.members)
    yield Finding("link", f"scope {names}" + (f"; {len(link.scopes)} scopes in all" if len(link.scopes) > link.giving else ""))
    client = parts.book.known(request.mac)
    admitted = parts.policy.admit(request.applicant)
    if unsaid and isinstance(admitted, Refusal) and admitted.check is Check.VENDOR_CLASS:
        admitted = _leased(parts, client) or admitted
    yield from _checks(parts, request, admitted)
    yield from _remembered(client, now)
    if isinstance(admitted, Refusal):
        yield Finding("answer", NOTHING)
    elif client is not None and client.pending:
        yield Finding("answer", f"{NOTHING}, since a change of its lease is under way")
    elif request.scope.shared and (reason := shared.refusal(request.message, admitted.phone_class)):
        yield Finding("answer", f"{NOTHING}, since {reason}")
    elif parts.book.offers >= parts.settings.max_offers and (client is None or not client.known):
        yield Finding("answer", f"{NOTHING}, since too many offers are open")
    else:
        yield from _offer(parts, request, admitted.phone_class, client, now)


def unheard(error: NoLink) -> Iterator[Finding]:
    """Tell why a message from where the phone was heard is of no link, as the server does (``DHCP_DROPPED``)."""
    yield Finding("link", "; ".join(filter(None, (f"none: {error}", error.todo))))
    yield Finding("answer", f"{NOTHING}, since {error.kind}")


def _sharing(message: Message) -> Message:
    """The same message from a phone that knows of shared addresses; what it is known to say counts, though (RFC 7618)."""
    assumed = {code.CLIENT_ID: b"\1" + message.chaddr, code.PARAMETER_REQUEST_LIST: bytes((code.PORT_PARAMETERS,))}
    return message._replace(options={**assumed, **message.options})


def _leased(parts: Parts, client: Client | None) -> Admitted | None:
    """The class that the lease of a phone was given by, if there is one of this name still."""
    lease = client.lease if client is not None else None
    phone_class = parts.policy.phone_class(lease.phone_class) if lease is not None else None
    return Admitted(phone_class, "its lease, since nothing that selects one is known of it") if phone_class is not None else None


def _checks(parts: Parts, request: Request, admitted: Admitted | Refusal) -> Iterator[Finding]:
    refusal = parts.policy.check_mac(request.applicant)
    adopted = ", adopted by an operator" if request.applicant.adopted else ""
    yield Finding("Ethernet address", refusal.reason if refusal is not None else f"accepted{adopted}")
    if refusal is not None:
        return
    reservation = parts.policy.reservation_of(request.applicant)
    if reservation is not None:
        fixes = f", class {reservation.phone_class}" if reservation.phone_class else ""
        yield Finding("reservation", f"{reservation.address}{fixes}")
    if isinstance(admitted, Refusal):
        yield Finding("class", admitted.reason)
    else:
        yield Finding("class", f"{admitted.phone_class.name}, by {admitted.rule}")


def _remembered(client: Client | None, now: float) -> Iterator[Finding]:
    if client is not None and client.lease is not None:
        lease = client.lease
        left = "for ever" if lease.permanent else f"for {lease.expires - now:.0f} s"
        yield Finding("lease", f"{lease.address} of scope {lease.scope}, " + (f"bound {left}" if client.bound else "ended"))
    if client is not None and client.offer is not None:
        yield Finding("offer", f"{client.offer.address} with ports {client.offer.block} is open")


def _offer(parts: Parts, request: Request, phone_class: PhoneClass, client: Client | None, now: float) -> Iterator[Finding]:
    fixed = fixed_address(parts, request)
    scopes = tuple(candidates(parts, request, fixed, None))
    yield Finding("scopes", ", then ".join(scope.name for scope in scopes))
    if client is not None and client.offer is not None:
        offer = client.offer
        if offer.phone_class != phone_class or offer.scope not in scopes:
            yield Finding("answer", "an OFFER in place of the open one, which is of another class or scope")
            return
    else:
        wanted = request.message.address(code.REQUESTED_ADDRESS)
        conflict = found_at(parts.book, request, wanted, fixed, now)
        try:
            offer = _tried(parts, request, phone_class, fixed, scopes, conflict, now)
        except Exhausted as error:
            later = waiting(parts.book, request.link.members, now)
            yield Finding("answer", f"{NOTHING}: {error}{later}; {error.todo}")
            return
        yield from _verified(parts, offer)
    yield from _answer(parts, request.about(offer.address), phone_class, offer)


def _tried(
    parts: Parts,
    request: Request,
    phone_class: PhoneClass,
    fixed: IPv4Address | None,
    scopes: Iterable[Scope],
    conflict: Conflict | None,
    now: float,
) -> Offer:
    """The offer that would be made; it is let go of at once, and its address stands again where it stood.

    :param conflict: where the phone was found; ``None``: nowhere.
    :raises Exhausted: there is none.
    """
    marks = [(pool, pool.mark()) for pool in (parts.book.pool(scope.name) for scope in scopes)]
    try:
        offer = make_offer(parts, request, phone_class, fixed, now, conflict)
        taken = parts.book.known(request.mac)
        assert taken is not None  # it has the offer
        parts.book.drop_offer(taken)
        return offer
    finally:
        for pool, mark in marks:
            pool.restore(mark)


def _verified(parts: Parts, offer: Offer) -> Iterator[Finding]:
    """Whether the address was found unused; of one that was the phone's before, or is reserved, no stock tells it (DHC-16)."""
    name, demand = offer.scope.name, parts.book.demand
    if offer.found is not None:
        yield Finding("found", "there before it asked; the probation of its address ends when it has that by a lease")
        return
    if not offer.fresh and offer.victim is None:
        return
    if parts.book.pool(name).is_verified(offer.address):
        yield Finding("verified", f"yes: nobody answered for {offer.address} lately")
    elif name in demand.unsent:
        yield Finding("verified", f"no: its probe was not sent: {printable(demand.unsent[name])}")
    elif name not in demand.probed:
        yield Finding("verified", f"no: addresses of scope {name} are not probed")
    elif offer.victim is not None:
        yield Finding("verified", f"no: it is remembered for {offer.victim.phone}; it is looked at when it is given")
    elif not parts.book.is_reserved(offer.address):
        yield Finding("verified", "no: its probe is not over; it is looked at when it is given")


def _answer(parts: Parts, request: Request, phone_class: PhoneClass, offer: Offer) -> Iterator[Finding]:
    yield Finding("answer", f"OFFER {offer.address} of scope {offer.scope.name}")
    yield Finding("ports", str(offer.block))
    lease_s = phone_class.lease_s
    yield Finding("lease time", "for ever" if lease_s == INFINITE_S else f"{lease_s} s")
    name = host_name(request.message, request.mac)
    answer = parts.answer(MessageType.OFFER, request, phone_class, name, offer.block, offer.address)
    reply = decode(answer.payload)
    yield Finding("boot file", printable(reply.file.decode("utf-8", "replace")) or "none")
    own, enterprise = phone_class.layout == OWN_LAYOUT, parts.settings.enterprise
    for option, value in reply.options.items():
        yield Finding(f"option {option}", shown(option, value, own=own, enterprise=enterprise))
    if answer.left_out:
        yield Finding("no room", "for options " + ", ".join(map(str, answer.left_out)))
