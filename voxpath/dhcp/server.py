"""The DHCP server of a gateway: who is answered, with what, and what has to be stored before (RFC 2131 section 4.3).

The order of the checks is fixed: Ethernet address, then vendor class, then everything else (DHC-2).
Whoever fails one of the first two hears nothing at all, a REQUEST without a DISCOVER included (DHC-23).
This module takes messages in; what becomes of them stands in :mod:`~voxpath.dhcp.allocation`, :mod:`~voxpath.dhcp.ending` and
:mod:`~voxpath.dhcp.inform`.
"""

from collections.abc import Callable, Hashable, Iterable
from ipaddress import IPv4Address

from voxpath.core.effects import Datagram, Effect, Effects, Emit, Outcome
from voxpath.core.errors import LocalError
from voxpath.dhcp.allocation import Allocation
from voxpath.dhcp.ending import Ending
from voxpath.dhcp.inform import Inform
from voxpath.dhcp.machine import Book
from voxpath.dhcp.message import ANY, BOOTREQUEST, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Policy
from voxpath.dhcp.reply import Replies
from voxpath.dhcp.request import Request
from voxpath.dhcp.settings import DEFAULTS, DhcpSettings
from voxpath.dhcp.silence import Silence
from voxpath.dhcp.steps import Steps
from voxpath.dhcp.wire import decode
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent
from voxpath.model.phone import Lease, Provision, Scope
from voxpath.ports.ledger import Ledger


class DhcpServer:
    """The core; several scopes, each on an interface of its own.

    :raises LocalError: two scopes are on one interface.
    """

    def __init__(self, scopes: Iterable[Scope], policy: Policy, ledger: Ledger, settings: DhcpSettings = DEFAULTS) -> None:
        by_interface: dict[str, Scope] = {}
        for scope in scopes:
            if scope.interface in by_interface:
                raise LocalError(f"scopes {by_interface[scope.interface].name} and {scope.name} are both on {scope.interface}")
            by_interface[scope.interface] = scope
        self._by_interface = by_interface
        self._policy = policy
        self._book = Book(by_interface.values(), policy.reservations, ledger)
        self._steps = Steps(self._book, settings.probation_s, settings.retry_s)
        self._silence = Silence()
        parts = Parts(policy, ledger, settings, self._book, self._steps, Replies(settings.client_port), self._silence)
        self._parts = parts
        allocation, self._ending, inform = Allocation(parts), Ending(parts), Inform(parts)
        self._answers: dict[MessageType, Callable[[Request, float], list[Effect]]] = {
            MessageType.DISCOVER: allocation.discover,
            MessageType.REQUEST: allocation.request,
            MessageType.RELEASE: self._ending.release,
            MessageType.DECLINE: self._ending.decline,
            MessageType.INFORM: inform.inform,
        }

    # What others ask.

    def load(self, leases: Iterable[Lease], now: float) -> None:
        """Take the leases of the store at start-up; the ledger must have been loaded before."""
        self._book.load(leases, now)

    @property
    def dropped(self) -> dict[str, int]:
        """Counts of unanswered messages by reason."""
        return self._silence.counts

    def leases(self) -> list[Lease]:
        """All leases, those that ended too."""
        return self._book.leases()

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
        block = self._parts.held(client.phone)
        phone_class = self._policy.phone_class(client.lease.phone_class)
        if block is None or phone_class is None:
            return None
        return Provision(client.lease, block, phone_class, self._book.scopes[client.lease.scope])

    def withdraw_lease(self, mac: Mac, now: float) -> list[Effect]:
        """End a phone's lease on an operator's word; nothing happens when it is not bound or a change is under way."""
        return self._ending.withdraw(mac, now)

    # The core.

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a message."""
        message = decode(datagram.payload)
        mac = message.mac if message.op == BOOTREQUEST else None
        if mac is None:
            return self._silence.drop_unread("", message.summary, "it is no request of an Ethernet client")
        phone = str(mac)
        heard = Emit(MessageEvent(phone=phone, protocol="DHCP", sender=phone, receiver="dhcp", summary=message.summary))
        scope = self._scope_of(datagram.interface)
        kind = message.type
        answer = None if kind is None else self._answers.get(kind)
        if scope is None:
            return [heard, *self._silence.drop_unread(phone, message.summary, "its interface has no scope")]
        if message.giaddr != ANY:
            return [heard, *self._silence.drop_unread(phone, message.summary, "it came through a relay, which is not served")]
        if answer is None:
            return [heard, *self._silence.drop_unread(phone, message.summary, "its type is not served")]
        return [heard, *answer(Request(message, mac, phone, scope, datagram.port), now)]

    def next_due(self) -> float | None:
        """When the next timer is due."""
        return self._book.timers.next_due()

    def tick(self, now: float) -> Effects:
        """Run the timers that are due: ends of offers, leases and probations, and repeated undos."""
        effects: list[Effect] = []
        for timer in self._book.timers.due(now):
            effects += self._ending.fire(timer, now)
        return effects

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit or of a NAT change."""
        return self._steps.resolve(token, outcome, now)

    def _scope_of(self, interface: str) -> Scope | None:
        if not interface and len(self._by_interface) == 1:
            # A port that does not tell the interface can serve one scope only.
            return next(iter(self._by_interface.values()))
        return self._by_interface.get(interface)
