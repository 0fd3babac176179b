"""DISCOVER and REQUEST: what a phone is offered, and what it is given (RFC 2131 sections 4.3.1 and 4.3.2).

Both pass the same checks, a REQUEST without a DISCOVER included (DHC-23).
An ACK stands behind the NAT change, which stands behind the commit (DHC-6, DHC-7).
"""

from ipaddress import IPv4Address
from math import inf

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import LocalError
from voxpath.dhcp import options as code
from voxpath.dhcp.event import DhcpAck, DhcpNak, DhcpOffer
from voxpath.dhcp.machine import Client, Kind, Offer, Step, Timer
from voxpath.dhcp.message import ANY, INFINITE_S, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Refusal
from voxpath.dhcp.reply import host_name
from voxpath.dhcp.request import Request
from voxpath.model.phone import Lease, PhoneClass
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
        phone_class = parts.policy.admit(request.mac, request.message.vendor_class)
        if isinstance(phone_class, Refusal):
            return self._silence.ignore(request, phone_class)
        client = book.known(request.mac)
        if client is not None and client.pending:
            return self._silence.drop(request, "a change of its lease is under way")
        if book.offers >= parts.settings.max_offers and (client is None or client.offer is None):
            return self._silence.drop(request, "too many offers are open")
        try:
            offer = self._make_offer(request, phone_class, now)
        except Exhausted as error:
            return self._silence.exhausted(request, phone_class, error)
        payload = parts.answer(MessageType.OFFER, request, phone_class, offer.block, offer.address)
        told = DhcpOffer(phone=request.phone, address=str(offer.address), block=str(offer.block), phone_class=phone_class.name)
        return [Emit(told), *parts.send(request, payload, offer.address, f"OFFER {offer.address}")]

    def request(self, request: Request, now: float) -> list[Effect]:
        """RFC 2131 section 4.3.2: selecting names a server, init-reboot an address, renewing and rebinding only ciaddr."""
        message = request.message
        phone_class = self._parts.policy.admit(request.mac, message.vendor_class)
        if isinstance(phone_class, Refusal):
            return self._silence.ignore(request, phone_class)
        client = self._book.known(request.mac)
        if client is not None and client.pending:
            return self._silence.drop(request, "a change of its lease is under way")
        server = message.address(code.SERVER_ID)
        if server is not None and server != request.scope.server:
            if client is not None:
                self._book.drop_offer(client)
            return self._silence.drop(request, "it chose another server")
        address = message.address(code.REQUESTED_ADDRESS) or message.ciaddr
        if address == ANY:
            return self._silence.drop(request, "it names no address")
        try:
            owner = self._entitled(request, phone_class, address, now)
            if isinstance(owner, str):
                return self._nak(request, address, owner)
            return self._bind(request, owner, phone_class, address, now)
        except (Exhausted, LocalError) as error:
            return self._silence.exhausted(request, phone_class, error)

    def _make_offer(self, request: Request, phone_class: PhoneClass, now: float) -> Offer:
        wanted = request.message.address(code.REQUESTED_ADDRESS)
        client = self._book.offer(request.mac, request.scope, phone_class, wanted, now)
        self._book.timers.arm(Timer("offer", request.mac), now + self._parts.settings.offer_s)
        assert client.offer is not None
        return client.offer

    def _entitled(self, request: Request, phone_class: PhoneClass, address: IPv4Address, now: float) -> Client | str:
        """The client whose offer or lease this address is, or why it is not.

        A selecting client may ask for an offer that a restart has forgotten: it gets that address if it still can.
        """
        if address not in request.scope.subnet:
            return "the address belongs to another network"
        if not self._book.entitled(request.mac, request.scope, address):
            return "the address is not for this phone"
        client = self._book.known(request.mac)
        if client is not None and not client.displaced:
            offer, lease = client.offer, client.lease
            if offer is not None and offer.scope is request.scope and offer.address == address:
                return client
            if lease is not None and lease.scope == request.scope.name and lease.address == address:
                return client
        if code.SERVER_ID in request.message.options:
            offer = self._make_offer(request, phone_class, now)
            client = self._book.known(request.mac)
            if client is not None and offer.address == address:
                return client
        return "the address is not leased to this phone"

    def _bind(self, request: Request, client: Client, phone_class: PhoneClass, address: IPv4Address, now: float) -> list[Effect]:
        parts, offer = self._parts, client.offer
        if offer is not None and (offer.address != address or offer.scope is not request.scope):
            self._book.drop_offer(client)
            offer = None
        change = parts.ledger.grant(client.phone, phone_class.ports, address, request.scope.realm, now)
        block = change.written[-1].block if change.written else parts.held(client.phone)
        assert block is not None  # an empty change means that the block is held
        lease_s = phone_class.lease_s
        lease = Lease(
            request.mac,
            request.message.options.get(code.CLIENT_ID, b""),
            request.scope.name,
            address,
            phone_class.name,
            host_name(request.message, request.mac),
            inf if lease_s == INFINITE_S else now + lease_s,
        )
        payload = parts.answer(MessageType.ACK, request, phone_class, block, address)
        told = DhcpAck(phone=client.phone, address=str(address), block=str(block), lease_s=lease_s, phone_class=phone_class.name)
        sent = parts.send(request, payload, address, f"ACK {address}")
        return parts.steps.begin(Step(Kind.BIND, client, change, client.lease, lease, offer), [Emit(told), *sent])

    def _nak(self, request: Request, address: IPv4Address, reason: str) -> list[Effect]:
        parts = self._parts
        if not parts.settings.authoritative:
            return self._silence.drop(request, reason)
        payload = parts.replies.refusal(request.message, request.scope, reason)
        told = DhcpNak(phone=request.phone, address=str(address), reason=reason)
        return [Emit(told), *parts.send(request, payload, None, "NAK")]
