"""DISCOVER and REQUEST: what a phone is offered, and what it is given (RFC 2131 sections 4.3.1 and 4.3.2).

Both pass the same checks, a REQUEST without a DISCOVER included (DHC-23).
"""

from ipaddress import IPv4Address

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import LocalError
from voxpath.dhcp import options as code
from voxpath.dhcp import shared
from voxpath.dhcp.binding import bind, fixed_address, make_offer
from voxpath.dhcp.conflicts import Conflict
from voxpath.dhcp.event import DhcpNak, DhcpOffer
from voxpath.dhcp.found import found_at
from voxpath.dhcp.message import ANY, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Refusal
from voxpath.dhcp.record import Client, lease_fits
from voxpath.dhcp.reply import Answer, host_name
from voxpath.dhcp.request import Request
from voxpath.model.address import text_of
from voxpath.model.phone import PhoneClass
from voxpath.ports.change import Exhausted


class Allocation:
    """Gives addresses and blocks to phones."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._book = parts.book
        self._silence = parts.silence

    def discover(self, request: Request, now: float) -> list[Effect]:
        """Offer an address and a block, and keep both for a while."""
        parts, book = self._parts, self._book
        admitted = parts.policy.admit(request.applicant)
        if isinstance(admitted, Refusal):
            return self._silence.ignore(request, admitted)
        phone_class = admitted.phone_class
        client = book.known(request.mac)
        if client is not None and client.pending:
            return self._silence.drop(request, "a change of its lease is under way")
        if request.scope.shared and (reason := shared.refusal(request.message, phone_class)):
            return self._silence.drop(request, reason)
        if not self._has_room(client):
            return self._silence.drop(request, "too many offers are open")
        fixed = fixed_address(parts, request)
        try:
            offer = make_offer(parts, request, phone_class, fixed, now, self._found(request, None, fixed, now))
        except Exhausted as error:
            return self._parts.exhausted(request, phone_class, error, now)
        request = request.about(offer.address)
        name = host_name(request.message, request.mac)
        answer = parts.answer(MessageType.OFFER, request, phone_class, name, offer.block, offer.address)
        address = text_of(offer.address)
        told = DhcpOffer(phone=request.phone, address=address, block=str(offer.block), phone_class=phone_class.name)
        return [Emit(told), *parts.send(request, answer, offer.address, f"OFFER {address}")]

    def request(self, request: Request, now: float) -> list[Effect]:
        """RFC 2131 section 4.3.2: selecting names a server, init-reboot an address, renewing and rebinding only ciaddr."""
        message = request.message
        admitted = self._parts.policy.admit(request.applicant)
        if isinstance(admitted, Refusal):
            return self._silence.ignore(request, admitted)
        client = self._book.known(request.mac)
        if client is not None and client.pending:
            return self._silence.drop(request, "a change of its lease is under way")
        if request.scope.shared and (reason := shared.refusal(message, admitted.phone_class)):
            return self._silence.drop(request, reason)
        server = message.address(code.SERVER_ID)
        if server is not None and not request.is_for(server):
            if client is not None:
                self._book.drop_offer(client)
            return self._silence.drop(request, "it chose another server")
        wanted = message.address(code.REQUESTED_ADDRESS)
        address = wanted or message.ciaddr
        if address == ANY:
            return self._silence.drop(request, "it names no address")
        if wanted is not None and message.ciaddr not in (ANY, wanted):
            # RFC 2131 section 4.3.2 has no such message, and the answer would go to an address that nobody has asked for.
            return self._silence.drop(request, "it asks for another address than its own")
        request = request.about(address)
        if self._parts.recall.refuses(client, message):
            return self._refuse(request, address, "an operator wants it to boot anew")
        return self._answer(request, admitted.phone_class, address, now)

    def _answer(self, request: Request, phone_class: PhoneClass, address: IPv4Address, now: float) -> list[Effect]:
        try:
            owner = self._entitled(request, phone_class, address, now)
            if not isinstance(owner, str) and request.scope.shared:
                owner = self._with_ports(request, owner, phone_class, address, now)
            if isinstance(owner, str):
                return self._nak(request, address, owner)
            return bind(self._parts, request, owner, phone_class, address, now)
        except (Exhausted, LocalError) as error:
            return self._parts.exhausted(request, phone_class, error, now)

    def _entitled(self, request: Request, phone_class: PhoneClass, address: IPv4Address, now: float) -> Client | str:
        """The client whose offer or lease this address is, or why it is not.

        A selecting client may ask for an offer that a restart has forgotten: it gets that address if it still can.
        So does one that was found there before it asked, in whatever state it is.
        """
        if address not in request.scope.subnet:
            return "the address belongs to another network"
        fixed = fixed_address(self._parts, request)
        found = self._found(request, address, fixed, now)
        if found is None and not self._book.selection.entitled(fixed, request.scope, address):
            return "the address is not for this phone"
        client = self._book.known(request.mac)
        if client is not None and not client.displaced:
            offer, lease = client.offer, client.lease
            if offer is not None and offer.scope is request.scope and offer.address == address:
                return client
            if lease is not None and lease_fits(lease, request.scope) and lease.address == address:
                return client
        if (code.SERVER_ID in request.message.options or found is not None) and self._has_room(client):
            offer = make_offer(self._parts, request, phone_class, fixed, now, found)
            client = self._book.known(request.mac)
            assert client is not None
            if offer.address == address:
                return client
            # Nobody was told of it.
            self._book.drop_offer(client)
        return "the address is not leased to this phone"

    def _found(self, request: Request, asked: IPv4Address | None, fixed: IPv4Address | None, now: float) -> Conflict | None:
        """Where the phone was found; ``None``: nowhere that it could have, or not where it asks for."""
        wanted = asked or request.message.address(code.REQUESTED_ADDRESS)
        found = found_at(self._book, request, wanted, fixed, now)
        return found if found is not None and asked in (None, found.address) else None

    def _with_ports(
        self, request: Request, client: Client, phone_class: PhoneClass, address: IPv4Address, now: float
    ) -> Client | str:
        """The client if the ports that it will get are those of the shared address that it asks for, or why they are not.

        :raises Exhausted: no block is left.
        """
        kept = self._parts.ledger.reserve(client.phone, phone_class.ports, request.scope.realm, now)
        reason = shared.differs(request.message, kept, address)
        if not reason:
            return client
        self._book.drop_offer(client)
        self._parts.ledger.unreserve(client.phone)
        return reason

    def _has_room(self, client: Client | None) -> bool:
        """Whether an offer may be open for this client.

        A phone that has a lease is never kept waiting by strangers; leases bound the number of such offers.
        """
        return (client is not None and client.known) or self._book.offers < self._parts.settings.max_offers

    def _nak(self, request: Request, address: IPv4Address, reason: str) -> list[Effect]:
        if not self._parts.settings.authoritative:
            return self._silence.drop(request, reason)
        return self._refuse(request, address, reason)

    def _refuse(self, request: Request, address: IPv4Address, reason: str) -> list[Effect]:
        parts = self._parts
        payload = parts.replies.refusal(request.message, request.scope, reason)
        told = DhcpNak(phone=request.phone, address=str(address), reason=reason)
        return [Emit(told), *parts.send(request, Answer(payload), None, "NAK")]
