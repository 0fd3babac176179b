"""Registration of media gateways by ServiceChange (RFC 3525 sections 7.2.8 and 11, REG-15 to REG-23)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.effects import Change, Commit, Delete, Done, Outcome, Put
from voxpath.core.errors import RemoteError
from voxpath.megaco.association import Association
from voxpath.megaco.code import NO_RESOURCES, UNAUTHORIZED, VERSION_NOT_SUPPORTED
from voxpath.megaco.errands import Outbox
from voxpath.megaco.event import GatewayRegistered, GatewayWithdrawn, RegistrationRefused
from voxpath.megaco.identity import Identity, claim_of, identify
from voxpath.megaco.incoming import Peer, Ticket
from voxpath.megaco.machine import Requested, Transactions
from voxpath.megaco.message import (
    NULL_CONTEXT,
    ROOT,
    VERSION,
    ActionReply,
    CommandKind,
    CommandReply,
    ErrorDescriptor,
    MId,
    Services,
)
from voxpath.megaco.timestamp import timestamp
from voxpath.model.event import printable
from voxpath.model.realm import Realm
from voxpath.model.registration import Registration
from voxpath.ports.directory import Directory

MOST_REGISTRATIONS = 200_000
"""Gateways that may be registered; a further one is refused with error 510."""


_NOBODY = MId.parse("nobody")


class Registering(NamedTuple):
    """The token of the commit of a registration."""

    ticket: Ticket
    registration: Registration
    certain: bool
    event: GatewayRegistered


class Withdrawing(NamedTuple):
    """The token of the commit of a withdrawal."""

    ticket: Ticket
    association: Association


class Registrar:
    """All registered gateways."""

    def __init__(
        self,
        transactions: Transactions,
        outbox: Outbox,
        directory: Directory,
        realms: Sequence[Realm],
    ) -> None:
        self._transactions = transactions
        self._outbox = outbox
        self._directory = directory
        self._realms = realms
        self._by_key: dict[tuple[str, str], Association] = {}
        self._by_peer: dict[Peer, Association] = {}
        # Without a ledger two gateways may have one name: the one that came last is called, and after it the one before.
        self._by_phone: dict[str, dict[Association, None]] = {}
        self._registering: Counter[tuple[str, str]] = Counter()

    def __iter__(self) -> Iterator[Association]:
        return iter(self._by_key.values())

    def load(self, registrations: Iterable[Registration]) -> None:
        """Take over what the store holds from an earlier run."""
        for registration in registrations:
            self._enter(Association(registration))

    def of_peer(self, peer: Peer) -> Association | None:
        """The gateway that speaks from this address under this name."""
        return self._by_peer.get(peer)

    def of_phone(self, phone: str) -> Association | None:
        """The gateway of a phone's identity, or of a message identifier."""
        namesakes = self._by_phone.get(phone) or self._by_phone.get(phone.lower())
        return next(reversed(namesakes)) if namesakes else None

    def names(self, peer: Peer) -> str:
        """The phone that speaks, also before it has registered; empty when that cannot be told."""
        association = self._by_peer.get(peer)
        if association is not None:
            return association.phone
        try:
            identity = identify(claim_of(_NOBODY, Services()), peer.address, self._directory, self._realms)
        except RemoteError:
            return ""
        return identity.phone if identity.certain else ""

    def register(self, requested: Requested, services: Services, now: float) -> None:
        """Take a ServiceChange of ROOT that begins an association; the reply follows the commit."""
        ticket, mid = requested.ticket, requested.mid
        try:
            if len(self._by_key) + len(self._registering) >= MOST_REGISTRATIONS:
                raise RemoteError("too many gateways are registered", code=NO_RESOURCES)
            identity = identify(claim_of(mid, services), ticket.peer.address, self._directory, self._realms)
            self._refuse_taken_name(mid, identity)
        except RemoteError as error:
            self._refuse(ticket, error.code or NO_RESOURCES, error.reason, now)
            return
        wanted = services.version if services.version is not None else VERSION
        if wanted < VERSION:
            self._refuse(ticket, VERSION_NOT_SUPPORTED, "the version is not supported", now)
            return
        registration = _registration(ticket.peer, identity, now)
        event = GatewayRegistered(
            phone=identity.phone,
            mid=printable(str(mid)),
            public=str(identity.public),
            private=str(identity.private) if identity.private is not None else "none",
            origin=identity.origin,
            method=printable(services.method, 32),
            reason=printable(services.reason, 64),
        )
        # The version in the reply is the lower one of both (RFC 3525 11.3); MgcIdToTry would mean a refusal (11.2).
        answer = Services(version=VERSION, timestamp=timestamp(now))
        reply = self._transactions.prepare(ticket, _services_reply(answer))
        changes: list[Change] = [Put(registration)]
        former = self.of_phone(identity.phone) if identity.certain else None
        if former is not None and former.registration.key != registration.key:
            changes.insert(0, Delete(former.registration))
        self._registering[registration.key] += 1
        token = Registering(ticket, registration, identity.certain, event)
        self._outbox.effects.append(Commit(tuple(changes), tuple(reply), token))

    def registered(self, token: Registering, outcome: Outcome, now: float) -> tuple[list[Association], Association | None]:
        """Take the outcome of a registration's commit; tell which associations it replaces, and the new one."""
        key = token.registration.key
        self._registering[key] -= 1
        if not self._registering[key]:
            del self._registering[key]
        if not isinstance(outcome, Done):
            self._refuse(token.ticket, NO_RESOURCES, "the registration could not be stored", now)
            return [], None
        self._transactions.settle(token.ticket, now)
        association = Association(token.registration)
        replaced = []
        former = self.of_phone(association.phone)
        for other in (self._by_key.get(key), former if token.certain else None):
            if other is not None and other not in replaced:
                replaced.append(other)
                self.remove(other)
                if other.registration.key != key:
                    self._outbox.emit(GatewayWithdrawn(phone=other.phone, mid=printable(other.peer.mid), reason="registered anew"))
        self._enter(association)
        self._outbox.emit(token.event)
        return replaced, association

    def withdraw(self, association: Association, ticket: Ticket) -> None:
        """Take a ServiceChange that ends an association; the reply follows the commit."""
        reply = self._transactions.prepare(ticket, _services_reply())
        token = Withdrawing(ticket, association)
        self._outbox.effects.append(Commit((Delete(association.registration),), tuple(reply), token))

    def withdrawn(self, token: Withdrawing, outcome: Outcome, now: float) -> bool:
        """Take the outcome of a withdrawal's commit; tell whether the association ended."""
        if not isinstance(outcome, Done):
            self._refuse(token.ticket, NO_RESOURCES, "the registration could not be deleted", now)
            return False
        self._transactions.settle(token.ticket, now)
        association = token.association
        if association.gone:
            return False
        self.remove(association)
        mid = printable(association.peer.mid)
        self._outbox.emit(GatewayWithdrawn(phone=association.phone, mid=mid, reason="it says so"))
        return True

    def lost(self, association: Association) -> None:
        """Forget a gateway that does not answer; its row goes unless the gateway is registering anew at this moment."""
        self.remove(association)
        if association.registration.key not in self._registering:
            self._outbox.effects.append(Commit((Delete(association.registration),)))

    def store_terminations(self, association: Association) -> None:
        """Keep the names of the lines with the registration, so that they survive a restart."""
        terminations = tuple(line.termination for line in association.lines.values())
        if terminations != association.registration.terminations:
            association.registration = replace(association.registration, terminations=terminations)
            self._outbox.effects.append(Commit((Put(association.registration),)))

    def remove(self, association: Association) -> None:
        """Forget an association at once."""
        association.gone = True
        if self._by_key.get(association.registration.key) is association:
            del self._by_key[association.registration.key]
        if self._by_peer.get(association.peer) is association:
            del self._by_peer[association.peer]
        namesakes = self._by_phone.get(association.phone, {})
        namesakes.pop(association, None)
        if not namesakes:
            self._by_phone.pop(association.phone, None)

    def _enter(self, association: Association) -> None:
        self._by_key[association.registration.key] = association
        self._by_peer[association.peer] = association
        self._by_phone.setdefault(association.phone, {})[association] = None

    def _refuse_taken_name(self, mid: MId, identity: Identity) -> None:
        """A phone that the ledger knows keeps its name, whoever else behind its public address claims it."""
        owner = self._by_key.get((mid.key, identity.public.host))
        if owner is None or owner.phone == identity.phone:
            return
        host, port = owner.registration.public
        binding = self._directory.holder_of(IPv4Address(host), port)
        if binding is not None and binding.holder == owner.phone:
            raise RemoteError(f"the name belongs to {owner.phone}", code=UNAUTHORIZED)

    def _refuse(self, ticket: Ticket, code: int, reason: str, now: float) -> None:
        mid, source = ticket.peer
        self._outbox.emit(
            RegistrationRefused(phone=self.names(ticket.peer), mid=printable(mid), source=str(source), reason=printable(reason))
        )
        error = ErrorDescriptor(code, reason)
        reply = CommandReply(CommandKind.SERVICE_CHANGE, ROOT, (error,))
        self._outbox.effects += self._transactions.reply(ticket, (ActionReply(NULL_CONTEXT, (reply,)),), now=now)


def _registration(peer: Peer, identity: Identity, now: float) -> Registration:
    return Registration(
        mid=peer.mid,
        public=identity.public,
        contact=peer.address,
        private=identity.private,
        realm=identity.realm,
        phone=identity.phone,
        terminations=(),
        since=now,
        version=VERSION,
    )


def _services_reply(*services: Services) -> tuple[ActionReply, ...]:
    """Answer a ServiceChange of ROOT; Services without any parameter cannot be written (RFC 3525 Annex B.2)."""
    return (ActionReply(NULL_CONTEXT, (CommandReply(CommandKind.SERVICE_CHANGE, ROOT, services),)),)
