"""The DHCP server of a gateway: who is answered, with what, and what has to be stored before (RFC 2131 section 4.3).

The order of the checks is fixed: Ethernet address, then vendor class, then everything else (DHC-2).
Whoever fails one of the first two hears nothing at all, a REQUEST without a DISCOVER included (DHC-23).
An ACK stands behind the NAT change, which stands behind the commit (DHC-6, DHC-7).
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from math import inf
from typing import NamedTuple

from voxpath.core.effects import Datagram, Effect, Effects, Emit, Outcome, Send
from voxpath.core.errors import LocalError, VoxpathError
from voxpath.dhcp import options as code
from voxpath.dhcp.addresses import AddressUsage
from voxpath.dhcp.event import (
    DhcpAck,
    DhcpDeclined,
    DhcpDropped,
    DhcpExhausted,
    DhcpIgnoredClass,
    DhcpIgnoredMac,
    DhcpNak,
    DhcpOffer,
)
from voxpath.dhcp.machine import Book, Client, Kind, Offer, Step, Timer
from voxpath.dhcp.message import ANY, BOOTREQUEST, CLIENT_PORT, INFINITE_S, Message, MessageType
from voxpath.dhcp.orders import Orders
from voxpath.dhcp.policy import Check, Policy, Refusal
from voxpath.dhcp.pressure import WARN_AT, Pressure
from voxpath.dhcp.recall import Recall
from voxpath.dhcp.reply import Replies, host_name
from voxpath.dhcp.steps import Steps
from voxpath.dhcp.wire import decode
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent
from voxpath.model.phone import Lease, PhoneClass, Provision, Scope
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.change import Exhausted
from voxpath.ports.ledger import Ledger

MAX_OFFERS = 20_000
"""Offers that are open at once; more DISCOVERs get no answer, and their clients repeat them."""


@dataclass(frozen=True, slots=True)
class DhcpSettings:
    """Times and choices.

    :ivar offer_s: how long an offer is kept, in seconds.
    :ivar probation_s: how long a declined address is given to nobody.
    :ivar retry_s: pause before a failed release, or a failed undo, is tried again.
    :ivar authoritative: whether an admitted phone that asks for a wrong address gets a NAK (decision D22).
    :ivar inform: whether an INFORM is answered.
    :ivar client_port: the clients' UDP port.
    :ivar secret: what the nonces for FORCERENEW are made from; empty: none are given.
    :ivar warn_at: shares of a scope's addresses and of a pool's ports, in percent, from which on an event warns.
    """

    offer_s: float = 60.0
    probation_s: float = 3600.0
    retry_s: float = 5.0
    authoritative: bool = True
    inform: bool = True
    client_port: int = CLIENT_PORT
    max_offers: int = MAX_OFFERS
    warn_at: tuple[int, ...] = WARN_AT
    secret: bytes = b""


class Request(NamedTuple):
    """A message with what was found out about it before any decision."""

    message: Message
    mac: Mac
    phone: str
    scope: Scope
    port: str

    @property
    def name(self) -> str:
        """The message type, for events."""
        kind = self.message.type
        return kind.name if kind is not None else "BOOTP"


class DhcpServer:
    """The core; several scopes, each on an interface of its own.

    :ivar dropped: counts of unanswered messages by reason.
    :ivar ledger: the port ledger.
    :ivar pressure: which thresholds are passed.
    :ivar orders: what an operator may have it do.
    :ivar recall: has phones boot anew.
    :raises LocalError: two scopes are on one interface.
    """

    def __init__(self, scopes: Iterable[Scope], policy: Policy, ledger: Ledger, settings: DhcpSettings = DhcpSettings()) -> None:
        by_interface: dict[str, Scope] = {}
        for scope in scopes:
            if scope.interface in by_interface:
                raise LocalError(f"scopes {by_interface[scope.interface].name} and {scope.name} are both on {scope.interface}")
            by_interface[scope.interface] = scope
        self.dropped: dict[str, int] = {}
        self._by_interface = by_interface
        self._policy = policy
        self.ledger = ledger
        self._settings = settings
        self._book = Book(by_interface.values(), policy.reservations, ledger)
        self._replies = Replies(settings.client_port)
        self.pressure = Pressure(self._book, settings.warn_at)
        self._steps = Steps(self._book, settings.probation_s, settings.retry_s, self.pressure)
        self.recall = Recall(self._book, policy, settings.secret, settings.client_port)
        self.orders = Orders(self._book, self._steps)
        self._answers: dict[MessageType, Callable[[Request, float], list[Effect]]] = {
            MessageType.DISCOVER: self._discover,
            MessageType.REQUEST: self._request,
            MessageType.RELEASE: self._release,
            MessageType.DECLINE: self._decline,
            MessageType.INFORM: self._inform,
        }

    # What others ask.

    def load(self, leases: Iterable[Lease], now: float) -> None:
        """Take the leases of the store at start-up; the ledger must have been loaded before."""
        self._book.load(leases, now)

    def leases(self) -> list[Lease]:
        """All leases, those that ended too."""
        return self._book.leases()

    def scopes(self) -> list[tuple[Scope, AddressUsage]]:
        """All scopes, with what their addresses are used for."""
        return [(scope, self._book.usage(name)) for name, scope in self._book.scopes.items()]

    def phone_at(self, address: str) -> str:
        """The phone that is bound to this address; empty: nobody."""
        try:
            client = self._book.at(IPv4Address(address))
        except ValueError:
            return ""
        return client.phone if client is not None else ""

    def provision_of(self, mac: Mac) -> Provision | None:
        """All that a phone was given; ``None`` unless it is bound now."""
        client = self._book.known(mac)
        if client is None or not client.bound or client.lease is None:
            return None
        block = self._held(client.phone)
        phone_class = self._policy.phone_class(client.lease.phone_class)
        if block is None or phone_class is None:
            return None
        return Provision(client.lease, block, phone_class, self._book.scopes[client.lease.scope])

    # The core.

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a message."""
        message = decode(datagram.payload)
        mac = message.mac if message.op == BOOTREQUEST else None
        if mac is None:
            return self._drop("", message.summary, "it is no request of an Ethernet client")
        phone = str(mac)
        heard = Emit(MessageEvent(phone=phone, protocol="DHCP", sender=phone, receiver="dhcp", summary=message.summary))
        scope = self._scope_of(datagram.interface)
        kind = message.type
        answer = None if kind is None else self._answers.get(kind)
        if scope is None:
            return [heard, *self._drop(phone, message.summary, "its interface has no scope")]
        if message.giaddr != ANY:
            return [heard, *self._drop(phone, message.summary, "it came through a relay, which is not served")]
        if answer is None:
            return [heard, *self._drop(phone, message.summary, "its type is not served")]
        return [heard, *answer(Request(message, mac, phone, scope, datagram.port), now)]

    def next_due(self) -> float | None:
        """When the next timer is due."""
        return self._book.timers.next_due()

    def tick(self, now: float) -> Effects:
        """Run the timers that are due: ends of offers, leases and probations, and repeated undos."""
        effects: list[Effect] = []
        for timer in self._book.timers.due(now):
            effects += self._fire(timer, now)
        return effects

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit or of a NAT change."""
        return self._steps.resolve(token, outcome, now)

    # DISCOVER and REQUEST.

    def _discover(self, request: Request, now: float) -> list[Effect]:
        phone_class = self._policy.admit(request.mac, request.message.vendor_class)
        if isinstance(phone_class, Refusal):
            return self._ignore(request, phone_class)
        client = self._book.known(request.mac)
        if client is not None and client.pending:
            return self._drop(request.phone, request.name, "a change of its lease is under way")
        # A phone that has a lease is never kept waiting by strangers; leases bound the number of such offers.
        if self._book.offers >= self._settings.max_offers and (client is None or not client.known):
            return self._drop(request.phone, request.name, "too many offers are open")
        try:
            offer = self._make_offer(request, phone_class, now)
        except Exhausted as error:
            return self._exhausted(request, phone_class, error)
        payload = self._answer(MessageType.OFFER, request, phone_class, offer.block, offer.address)
        send = self._replies.address(payload, request.message, request.scope, request.port, offer.address)
        told = DhcpOffer(phone=request.phone, address=str(offer.address), block=str(offer.block), phone_class=phone_class.name)
        return [Emit(told), *_sent(request.phone, f"OFFER {offer.address}", send)]

    def _make_offer(self, request: Request, phone_class: PhoneClass, now: float) -> Offer:
        wanted = request.message.address(code.REQUESTED_ADDRESS)
        client = self._book.offer(request.mac, request.scope, phone_class, wanted, now)
        self._book.timers.arm(Timer("offer", request.mac), now + self._settings.offer_s)
        assert client.offer is not None
        return client.offer

    def _request(self, request: Request, now: float) -> list[Effect]:
        """RFC 2131 section 4.3.2: selecting names a server, init-reboot an address, renewing and rebinding only ciaddr."""
        message = request.message
        phone_class = self._policy.admit(request.mac, message.vendor_class)
        if isinstance(phone_class, Refusal):
            return self._ignore(request, phone_class)
        client = self._book.known(request.mac)
        if client is not None and client.pending:
            return self._drop(request.phone, request.name, "a change of its lease is under way")
        server = message.address(code.SERVER_ID)
        if server is not None and server != request.scope.server:
            if client is not None:
                self._book.drop_offer(client)
            return self._drop(request.phone, request.name, "it chose another server")
        address = message.address(code.REQUESTED_ADDRESS) or message.ciaddr
        if address == ANY:
            return self._drop(request.phone, request.name, "it names no address")
        if self.recall.refuses(client, message):
            return self._refuse(request, address, "an operator wants it to boot anew")
        try:
            owner = self._entitled(request, phone_class, address, now)
            if isinstance(owner, str):
                return self._nak(request, address, owner)
            return self._bind(request, owner, phone_class, address, now)
        except (Exhausted, LocalError) as error:
            return self._exhausted(request, phone_class, error)

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
        offer = client.offer
        if offer is not None and (offer.address != address or offer.scope is not request.scope):
            self._book.drop_offer(client)
            offer = None
        change = self.ledger.grant(client.phone, phone_class.ports, address, request.scope.realm, now)
        block = change.written[-1].block if change.written else self._held(client.phone)
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
        payload = self._answer(MessageType.ACK, request, phone_class, block, address)
        send = self._replies.address(payload, request.message, request.scope, request.port, address)
        told = DhcpAck(phone=client.phone, address=str(address), block=str(block), lease_s=lease_s, phone_class=phone_class.name)
        sent = _sent(client.phone, f"ACK {address}", send)
        return self._steps.begin(Step(Kind.BIND, client, change, client.lease, lease, offer), [Emit(told), *sent])

    def _nak(self, request: Request, address: IPv4Address, reason: str) -> list[Effect]:
        if not self._settings.authoritative:
            return self._drop(request.phone, request.name, reason)
        return self._refuse(request, address, reason)

    def _refuse(self, request: Request, address: IPv4Address, reason: str) -> list[Effect]:
        payload = self._replies.refusal(request.message, request.scope, reason)
        send = self._replies.address(payload, request.message, request.scope, request.port, None)
        told = DhcpNak(phone=request.phone, address=str(address), reason=reason)
        return [Emit(told), *_sent(request.phone, "NAK", send)]

    # RELEASE, DECLINE, INFORM.

    def _release(self, request: Request, now: float) -> list[Effect]:
        client = self._leaving(request, request.message.ciaddr)
        return client if isinstance(client, list) else self._steps.end(client, Kind.RELEASE, "released", now)

    def _decline(self, request: Request, now: float) -> list[Effect]:
        client = self._leaving(request, request.message.address(code.REQUESTED_ADDRESS))
        if isinstance(client, list):
            return client
        assert client.lease is not None
        told = DhcpDeclined(phone=client.phone, address=str(client.lease.address), probation_s=self._settings.probation_s)
        return [Emit(told), *self._steps.end(client, Kind.DECLINE, "declined", now)]

    def _leaving(self, request: Request, address: IPv4Address | None) -> Client | list[Effect]:
        """The client that may give this address up; these messages carry no vendor class (RFC 2131 table 5)."""
        refusal = self._policy.check_mac(request.mac)
        if refusal is not None:
            return self._ignore(request, refusal)
        if request.message.address(code.SERVER_ID) not in (None, request.scope.server):
            return self._drop(request.phone, request.name, "it is for another server")
        client = self._book.known(request.mac)
        if client is None or not client.bound or client.lease is None or client.lease.address != address:
            return self._drop(request.phone, request.name, "it has no such lease")
        if client.pending:
            return self._drop(request.phone, request.name, "a change of its lease is under way")
        return client

    def _inform(self, request: Request, now: float) -> list[Effect]:
        """RFC 2131 section 4.3.5: parameters without a lease."""
        message = request.message
        phone_class = self._policy.admit(request.mac, message.vendor_class)
        if isinstance(phone_class, Refusal):
            return self._ignore(request, phone_class)
        if not self._settings.inform or message.ciaddr == ANY:
            return self._drop(request.phone, request.name, "an INFORM is not answered, or names no address")
        payload = self._answer(MessageType.ACK, request, phone_class, self._held(request.phone), None)
        send = self._replies.address(payload, message, request.scope, request.port, message.ciaddr)
        return _sent(request.phone, "ACK", send)

    # Changes.

    def _fire(self, timer: Timer, now: float) -> list[Effect]:
        if timer.what == "undo":
            return [self._steps.undo(timer.number)]
        if timer.what == "recall":
            return self.recall.again(timer, now)
        if timer.what == "probation":
            assert timer.address is not None
            self._book.end_probation(timer.scope, timer.address)
            return []
        client = self._book.known(timer.mac) if timer.mac is not None else None
        if client is None:
            return []
        if client.pending:
            self._book.timers.arm(timer, now + self._settings.retry_s)
            return []
        if timer.what == "lease":
            return self._steps.end(client, Kind.EXPIRE, "expired", now)
        self._book.drop_offer(client)
        return []

    # Small parts.

    def _scope_of(self, interface: str) -> Scope | None:
        if not interface and len(self._by_interface) == 1:
            # A port that does not tell the interface can serve one scope only.
            return next(iter(self._by_interface.values()))
        return self._by_interface.get(interface)

    def _held(self, phone: str) -> PortBlock | None:
        row = self.ledger.binding_of(phone)
        return row.block if row is not None and row.state is BindingState.HELD else None

    def _answer(
        self,
        kind: MessageType,
        request: Request,
        phone_class: PhoneClass,
        block: PortBlock | None,
        address: IPv4Address | None,
    ) -> bytes:
        name = host_name(request.message, request.mac)
        more = self.recall.options(request.message, request.mac) if kind is MessageType.ACK else {}
        return self._replies.answer(kind, request.message, request.scope, phone_class, name, block, address, more)

    def _ignore(self, request: Request, refusal: Refusal) -> list[Effect]:
        self._count_drop(f"refused by {refusal.check.value}")
        event = DhcpIgnoredMac if refusal.check is Check.MAC else DhcpIgnoredClass
        return [Emit(event(phone=request.phone, message=request.name, reason=refusal.reason))]

    def _drop(self, phone: str, name: str, reason: str) -> list[Effect]:
        self._count_drop(reason)
        return [Emit(DhcpDropped(phone=phone, message=name, reason=reason))]

    def _exhausted(self, request: Request, phone_class: PhoneClass, error: VoxpathError) -> list[Effect]:
        self._count_drop("nothing is left")
        told = DhcpExhausted(phone=request.phone, scope=request.scope.name, phone_class=phone_class.name, reason=str(error))
        return [Emit(told)]

    def _count_drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


def _sent(phone: str, summary: str, send: Send) -> list[Effect]:
    told = MessageEvent(phone=phone, protocol="DHCP", sender="dhcp", receiver=phone, summary=summary)
    return [Emit(told), send]
