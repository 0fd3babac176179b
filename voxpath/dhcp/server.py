"""The DHCP server of a gateway: who is answered, with what, and what has to be stored before (RFC 2131 section 4.3).

The order of the checks is fixed: Ethernet address, then vendor class, then everything else (DHC-2).
Whoever fails one of the first two hears nothing at all, a REQUEST without a DISCOVER included (DHC-23).
This module takes messages in; what becomes of them stands in :mod:`~voxpath.dhcp.allocation`, :mod:`~voxpath.dhcp.ending`,
:mod:`~voxpath.dhcp.inform` and :mod:`~voxpath.dhcp.bootp`.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address

from voxpath.core.effects import Commit, Datagram, Delete, Effect, Effects, Emit, Outcome, Put
from voxpath.core.rate import PerSecond
from voxpath.dhcp import scarcity
from voxpath.dhcp.addresses import AddressUsage
from voxpath.dhcp.adoption import Adoptions, AdoptionToken
from voxpath.dhcp.allocation import Allocation
from voxpath.dhcp.bootp import Bootp
from voxpath.dhcp.ending import Ending
from voxpath.dhcp.explain import explain, unheard
from voxpath.dhcp.homes import find_homes
from voxpath.dhcp.inform import Inform
from voxpath.dhcp.keeping import Keeping, keeping
from voxpath.dhcp.links import Links, NoLink
from voxpath.dhcp.listing import probations
from voxpath.dhcp.machine import Book
from voxpath.dhcp.message import ANY, BOOTREQUEST, Message, MessageType
from voxpath.dhcp.orders import Orders
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Applicant, Policy
from voxpath.dhcp.pressure import Pressure
from voxpath.dhcp.probation import Probations, ProbationToken
from voxpath.dhcp.question import Finding, LastHeard, Question
from voxpath.dhcp.recall import Recall
from voxpath.dhcp.relay import RelayAgent, relay_agent
from voxpath.dhcp.reply import Replies
from voxpath.dhcp.request import Request, applicant_of
from voxpath.dhcp.settings import DEFAULTS, DhcpSettings
from voxpath.dhcp.shared import bound_at
from voxpath.dhcp.silence import Silence
from voxpath.dhcp.steps import Steps
from voxpath.dhcp.wire import decode
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent
from voxpath.model.phone import Adoption, Lease, Probation, Provision, Scope
from voxpath.ports.ledger import Ledger

MESSAGES_TOLD = 200
"""Requests of a second that are told message by message, for ladders; in a storm the decisions about each phone are enough.

Memory holds a thousand phones: if a storm were told in full, it would push out all that was worth remembering.
"""


NOWHERE: Mapping[str, str] = {}


class DhcpServer:
    """The core; several scopes, on links that an interface or a relay has.

    :ivar adoptions: the Ethernet addresses that an operator lets be served.
    :ivar pressure: which thresholds are passed.
    :ivar orders: what an operator may have it do with a phone's lease and block.
    :ivar probations: ends of probations on an operator's word.
    :ivar recall: has phones boot anew.
    """

    def __init__(self, scopes: Iterable[Scope], policy: Policy, ledger: Ledger, settings: DhcpSettings = DEFAULTS) -> None:
        scopes = tuple(scopes)
        self.adoptions = Adoptions()
        self._links = Links(scopes)
        self._policy = policy
        self._circuits = {each.address: each.circuit_id for each in policy.reservations if each.circuit_id is not None}
        self._book = Book(scopes, {each.address: each.mac for each in policy.reservations}, ledger)
        self.pressure = Pressure(self._book, settings.warn_at)
        self._steps = Steps(self._book, settings.probation_s, settings.retry_s, self.pressure)
        self._silence = Silence()
        self._last = LastHeard()
        self._ladders = PerSecond(MESSAGES_TOLD)
        self.recall = Recall(self._book, policy, settings.secret, settings.client_port)
        self.orders = Orders(self._book, self._steps)
        self.probations = Probations(self._book)
        replies = Replies(settings.enterprise)
        self._parts = Parts(policy, ledger, settings, self._book, self._steps, replies, self._silence, self.recall)
        allocation, self._ending = Allocation(self._parts), Ending(self._parts)
        self._bootp = Bootp(self._parts).bootp
        self._answers: dict[MessageType, Callable[[Request, float], list[Effect]]] = {
            MessageType.DISCOVER: allocation.discover,
            MessageType.REQUEST: allocation.request,
            MessageType.RELEASE: self._ending.release,
            MessageType.DECLINE: self._ending.decline,
            MessageType.INFORM: Inform(self._parts).inform,
        }

    # What others ask.

    @property
    def book(self) -> Book:
        """The clients and addresses, for the prober and for listings."""
        return self._book

    def load(
        self, leases: Iterable[Lease], now: float, adoptions: Iterable[Adoption] = (), probations: Iterable[Probation] = ()
    ) -> list[Effect]:
        """Take what the store has at start-up; the ledger must have been loaded before.

        Return what is to be stored and told of it, as soon as somebody can.
        """
        homes = find_homes(leases, self._book.scopes.values())
        # The configuration may name other static phones than it did.
        aged = [self._book.statics.aged(lease, self._parts.ledger.binding_of(lease.phone), now) for lease in homes.leases]
        self._book.load(aged, now)
        self.adoptions.load(adoptions)
        changes: list[Put | Delete] = [Put(lease) for lease, was in zip(aged, homes.leases, strict=True) if lease is not was]
        changes += map(Delete, self._book.load_probations(probations, now))
        return [*homes.effects, *([Commit(tuple(changes))] if changes else [])]

    @property
    def dropped(self) -> dict[str, int]:
        """Counts of unanswered messages by reason."""
        return self._silence.counts

    def leases(self) -> list[Lease]:
        """All leases, those that ended too."""
        return self._book.leases()

    def lease_of(self, mac: Mac) -> Lease | None:
        """The lease that a phone holds now."""
        client = self._book.known(mac)
        return client.lease if client is not None and client.bound else None

    def keeping(self, lease: Lease) -> Keeping:
        """Whether a phone whose lease has ended gets its address again, in words."""
        return keeping(self._book, self._policy, lease)

    def scopes(self, now: float) -> list[tuple[Scope, AddressUsage]]:
        """All scopes, with what their addresses are used for."""
        return [(scope, self._book.usage(name, now)) for name, scope in self._book.scopes.items()]

    def summary(self, now: float) -> Iterator[tuple[str, str]]:
        """What an operator may want to know: what nobody gets for a while, and a line for each of the first declined addresses."""
        yield from scarcity.summary(self._book, now)
        standing = [(each.address, f"declined by {each.mac}", each.until) for each in self._book.declined.standing()]
        yield from probations("that phones declined", standing, now)

    def phone_at(self, address: str, port: int = 0) -> str:
        """The phone that is bound to this address, or to this port of it where several have it; empty: nobody."""
        try:
            host = IPv4Address(address)
        except ValueError:
            return ""
        client = self._book.at(host) or bound_at(self._book, host, port)
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

    def serves(self, applicant: Applicant) -> bool:
        """Whether the Ethernet address passes the first check."""
        return self._policy.check_mac(applicant) is None

    def heard(self, mac: Mac) -> bool:
        """Whether a DISCOVER or REQUEST of it is remembered."""
        return self._last.of(mac) is not None

    def place_of(self, mac: Mac) -> str:
        """The interface by which a phone was heard last, or that of its lease; empty: neither is known."""
        said, scope = self._last.of(mac), self._scope_of(mac)
        if said is not None and said.origin is not None:
            return said.origin.interface
        return scope.interface if scope is not None else ""

    def _scope_of(self, mac: Mac) -> Scope | None:
        """That of the lease which a phone has or had last."""
        client = self._book.known(mac)
        return self._book.scopes.get(client.lease.scope) if client is not None and client.lease is not None else None

    def explain(self, question: Question, now: float, deaf: Mapping[str, str] = NOWHERE) -> list[Finding]:
        """Tell what would become of a DISCOVER, and change nothing.

        :param deaf: interfaces on which nobody is heard at the moment, each with the reason in words.
        :raises NoLink: by what is written it would come from nowhere that is served, or from one of several interfaces.
        :raises RemoteError: what the phone said last is malformed.
        """
        said, scope = self._last.of(question.mac), self._scope_of(question.mac)
        origin = question.origin(said, scope)
        if not origin.interface:
            origin = origin._replace(interface=self._links.only(None if origin.relay == ANY else origin.relay))
        found = list(question.findings(said, scope, origin, now))
        if origin.interface in deaf:
            found.append(Finding("interface", f"{deaf[origin.interface]}; if it were heard:"))
        message, mac = question.message(said, origin), question.mac
        try:
            request = self._request_of(message, mac, str(mac), origin.interface, source=origin.source)
        except NoLink as error:
            if not origin.is_way_of(said):
                raise
            return [*found, *unheard(error)]
        unsaid = said is None and not question.selects
        return [*found, *explain(self._parts, request, now, unsaid=unsaid)]

    # The core.

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a message."""
        message = decode(datagram.payload)
        mac = message.mac if message.op == BOOTREQUEST else None
        if mac is None:
            return self._silence.drop_unread("", message.summary, "it is no request of an Ethernet client")
        phone, told = str(mac), self._ladders.admits(now)
        heard: list[Effect] = []
        if told:
            heard.append(Emit(MessageEvent(phone=phone, protocol="DHCP", sender=phone, receiver="dhcp", summary=message.summary)))
        kind = message.type
        answer = self._bootp if kind is None else self._answers.get(kind)
        if answer is None:
            return heard + self._silence.drop_unread(phone, message.summary, "its type is not served")
        try:
            request = self._request_of(message, mac, phone, datagram.interface, datagram.port, told, datagram.source.host)
        except NoLink as error:
            self._last.note(mac, message, now, datagram.interface, datagram.source.host)
            return heard + self._silence.drop_unread(phone, message.summary, str(error), error.kind)
        self._last.note(mac, message, now, datagram.interface, datagram.source.host)
        return heard + answer(request, now)

    def next_due(self) -> float | None:
        """When the next timer is due."""
        return self._book.timers.next_due()

    def tick(self, now: float) -> Effects:
        """Run the timers that are due: ends of offers, leases and probations, repeated undos and FORCERENEWs."""
        effects: list[Effect] = []
        for timer in self._book.timers.due(now):
            effects += self._ending.fire(timer, now)
        return effects

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit or of a NAT change."""
        if isinstance(token, AdoptionToken):
            return self.adoptions.resolve(token, outcome)
        if isinstance(token, ProbationToken):
            return self.probations.resolve(token, outcome)
        return self._steps.resolve(token, outcome, now)

    def _request_of(
        self, message: Message, mac: Mac, phone: str, interface: str, port: str = "", told: bool = True, source: str = ""
    ) -> Request:
        agent = relay_agent(message)
        link = self._links.find(message, agent, interface, source)
        if self._circuits and agent.circuit_id is None and message.ciaddr in self._circuits:
            agent = self._remembered(message, mac, agent)
        applicant = applicant_of(message, mac, link, agent, adopted=mac in self.adoptions)
        return Request(message, mac, phone, applicant, link, link.first, agent, port, told, source)

    def _remembered(self, message: Message, mac: Mac, agent: RelayAgent) -> RelayAgent:
        """A phone beyond a relay renews without it: its reserved address then stands for the circuit that got it."""
        client = self._book.at(message.ciaddr)
        return agent._replace(circuit_id=self._circuits[message.ciaddr]) if client is not None and client.mac == mac else agent
