"""The media gateway controller: a core that registers gateways and connects their lines (RFC 3525, REG-15, TRI-4)."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from voxpath.core.effects import Datagram, Effects, Outcome
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.core.timers import TimerHeap, earliest
from voxpath.megaco import order
from voxpath.megaco.association import MOST_LINES, Association, Errand, Line, LinePhase, Step
from voxpath.megaco.call import CallState
from voxpath.megaco.calls import Calls, CallTimes
from voxpath.megaco.code import ILLEGAL_ACTION, MISSING_DESCRIPTOR, NOT_REGISTERED, UNKNOWN_COMMAND, UNKNOWN_TERMINATION
from voxpath.megaco.directory import NumberPlan
from voxpath.megaco.errands import Errands, Outbox, failure
from voxpath.megaco.event import GatewayLost
from voxpath.megaco.incoming import Peer
from voxpath.megaco.machine import Answered, GivenUp, Requested, Settings, Transactions
from voxpath.megaco.message import (
    NULL_CONTEXT,
    ROOT,
    Action,
    ActionReply,
    Command,
    CommandKind,
    CommandReply,
    ErrorDescriptor,
    MId,
    ObservedEvents,
    ServiceChangeMethod,
    Services,
    TransactionReply,
)
from voxpath.megaco.outgoing import BACKOFF
from voxpath.megaco.registrar import Registering, Registrar, Withdrawing
from voxpath.model.call import Triangle
from voxpath.model.event import printable
from voxpath.model.realm import Realm
from voxpath.model.registration import Registration
from voxpath.ports.directory import Directory, NoDirectory

AUDIT_DELAY_S = 0.05
"""From the registration's reply to the first request: UDP may reverse them, and a gateway without its reply answers 505."""

AUDIT_AGAIN = Backoff(first_s=0.5, cap_s=4.0, give_up_s=float("inf"))
MOST_AUDITS = 14
"""A gateway that answers 505 to the audit has not seen its reply yet.

It is asked again so often, with growing pauses: longer in all than T-MAX, within which it gets the reply or gives up.
"""


BEGINNINGS = frozenset(
    {
        ServiceChangeMethod.RESTART,
        ServiceChangeMethod.FAILOVER,
        ServiceChangeMethod.DISCONNECTED,
        ServiceChangeMethod.HANDOFF,
    }
)
"""Methods by which ROOT begins an association; whatever the gateway kept, this controller begins anew."""


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """How a controller behaves.

    :ivar mid: its message identifier, usually its address and port.
    :ivar realms: the configured realms (decision D7).
    :ivar compact: whether messages are written in the short form.
    """

    mid: MId
    realms: tuple[Realm, ...] = ()
    compact: bool = False
    backoff: Backoff = BACKOFF
    times: CallTimes = field(default_factory=CallTimes)


class Controller:
    """A media gateway controller; its only local port is named ``megaco``.

    :param plan: the numbers.
    :param triangle: the triangle decision.
    :param directory: the port ledger or a copy of it; without one, gateways are believed (REG-23).
    """

    def __init__(
        self,
        settings: ControllerSettings,
        plan: NumberPlan,
        triangle: Triangle,
        entropy: Entropy,
        directory: Directory | None = None,
    ) -> None:
        transport = Settings(settings.mid, "mgc", compact=settings.compact, backoff=settings.backoff)
        self._transactions = Transactions(transport, entropy, self._names)
        self._outbox = Outbox()
        self._errands = Errands(self._transactions, self._outbox, entropy)
        self._registrar = Registrar(self._transactions, self._outbox, directory or NoDirectory(), settings.realms)
        self._calls = Calls(self._errands, self._outbox, plan, triangle, self._registrar.of_phone, settings.times)
        self._audits: TimerHeap[Association] = TimerHeap()
        self._entropy = entropy

    # What commands ask.

    def registrations(self) -> tuple[Registration, ...]:
        """All registered gateways."""
        return tuple(association.registration for association in self._registrar)

    def calls(self) -> tuple[CallState, ...]:
        """All calls."""
        return self._calls.states()

    def lines(self, phone: str) -> dict[str, str]:
        """The lines of a phone and what each is doing; empty when it is not registered."""
        association = self._registrar.of_phone(phone)
        lines: Iterable[Line] = association.lines.values() if association is not None else ()
        return {line.termination: line.phase.value for line in lines}

    def load(self, registrations: Iterable[Registration]) -> None:
        """Take over the registrations of an earlier run; their lines still hold the events that were asked for then."""
        self._registrar.load(registrations)
        for association in self._registrar:
            for line in association.lines.values():
                line.phase = LinePhase.IDLE

    # The core.

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a datagram from a gateway."""
        self._outbox.take(self._transactions.receive(datagram, now))
        return self._work(now)

    def tick(self, now: float) -> Effects:
        """Run the timers that are due."""
        self._outbox.take(self._transactions.tick(now))
        self._calls.tick(now)
        for association in self._audits.due(now):
            if not association.gone:
                association.audits += 1
                self._errands.send(Errand(association, None, Step.AUDIT, order.audit()), now)
        return self._work(now)

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return earliest(self._transactions.next_due(), self._calls.next_due(), self._audits.next_due())

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit."""
        match token:
            case Registering():
                replaced, association = self._registrar.registered(token, outcome, now)
                for former in replaced:
                    self._clear(former, now)
                if association is not None:
                    self._audits.arm(association, now + AUDIT_DELAY_S)
            case Withdrawing(association=leaving):
                if self._registrar.withdrawn(token, outcome, now):
                    self._clear(leaving, now)
        return self._work(now)

    def _work(self, now: float) -> Effects:
        inputs = self._outbox.inputs
        while inputs:
            match inputs.popleft():
                case Requested() as requested:
                    self._requested(requested, now)
                case Answered(token=Errand() as errand, reply=reply):
                    self._answered(errand, reply, now)
                case GivenUp(token=Errand() as errand, reason=reason):
                    self._lost(errand.association, reason, now)
        return self._outbox.drain()

    # Requests of gateways.

    def _requested(self, requested: Requested, now: float) -> None:
        ticket, actions = requested.ticket, requested.request.actions
        root = _change_of_root(actions)
        association = self._registrar.of_peer(ticket.peer)
        if root is not None and self._change_root(requested, association, *root, now):
            return
        error = None
        if association is None:
            error = ErrorDescriptor(NOT_REGISTERED, "register first")
        elif not actions:
            error = ErrorDescriptor(ILLEGAL_ACTION, "no action")
        if association is None or error is not None:
            self._outbox.effects += self._transactions.reply(ticket, (), error, now=now)
            return
        # The reply leaves before what follows from the request: a gateway that is told to play a tone knows why.
        replies, deeds = _execute(association, actions)
        self._outbox.effects += self._transactions.reply(ticket, replies, now=now)
        for line, descriptor, context in deeds:
            if isinstance(descriptor, ObservedEvents):
                self._calls.observed(line, descriptor, context, now)
            else:
                self._change_line(line, descriptor, now)

    def _change_root(
        self, requested: Requested, association: Association | None, services: Services, alone: bool, now: float
    ) -> bool:
        """Take a ServiceChange of ROOT; tell whether that settled the request."""
        if not alone:
            error = ErrorDescriptor(ILLEGAL_ACTION, "ServiceChange of ROOT stands alone")
            self._outbox.effects += self._transactions.reply(requested.ticket, (), error, now=now)
        elif services.method in BEGINNINGS:
            self._registrar.register(requested, services, now)
        elif association is not None and services.method in {ServiceChangeMethod.FORCED, ServiceChangeMethod.GRACEFUL}:
            self._registrar.withdraw(association, requested.ticket)
        else:
            return False
        return True

    def _change_line(self, line: Line, services: Services, now: float) -> None:
        self._calls.line_lost(line, now)
        if services.method == ServiceChangeMethod.RESTART:
            self._calls.arm(line, now)

    # Replies of gateways.

    def _answered(self, errand: Errand, reply: TransactionReply, now: float) -> None:
        if errand.association.gone:
            return
        if errand.step is Step.AUDIT:
            self._audited(errand.association, reply, now)
        else:
            self._calls.answered(errand, reply, now)

    def _audited(self, association: Association, reply: TransactionReply, now: float) -> None:
        """Prepare the lines that the gateway has, and those that the number plan says it has (REG-20)."""
        error = failure(reply)
        if error is not None and error.code == NOT_REGISTERED and association.audits < MOST_AUDITS:
            self._audits.arm(association, now + (AUDIT_AGAIN.wait_s(association.audits - 1, 0.0, self._entropy) or 0.0))
            return
        names = [each for each in _terminations(reply) if each.upper() != ROOT][:MOST_LINES]
        for name in (*names, *self._calls.plan.terminations(association.phone)):
            association.line(name)
        self._registrar.store_terminations(association)
        for line in association.lines.values():
            if line.phase is LinePhase.UNKNOWN:
                self._calls.arm(line, now)

    def _lost(self, association: Association, reason: str, now: float) -> None:
        if association.gone:
            return
        self._registrar.lost(association)
        contact = str(association.registration.contact)
        mid = printable(association.peer.mid)
        self._outbox.emit(GatewayLost(phone=association.phone, mid=mid, contact=contact, reason=printable(reason)))
        self._clear(association, now)

    def _clear(self, association: Association, now: float) -> None:
        """Nothing of a gone association may stay: neither orders nor calls."""
        association.gone = True
        self._audits.disarm(association)
        dropped = self._errands.abandon(association)
        for line in association.lines.values():
            self._calls.line_lost(line, now)
        for errand in dropped:
            self._calls.dropped(errand)

    def _names(self, peer: Peer) -> tuple[str, str]:
        phone = self._registrar.names(peer)
        return phone, phone or printable(peer.mid) or str(peer.address)


class Deed(NamedTuple):
    """What follows from a request besides its reply.

    :ivar context: in which the gateway said it.
    """

    line: Line
    descriptor: ObservedEvents | Services
    context: int


def _execute(association: Association, actions: tuple[Action, ...]) -> tuple[tuple[ActionReply, ...], list[Deed]]:
    """Answer commands in their order, up to the first that fails (RFC 3525 8.2.1); tell what is to be done besides."""
    replies: list[ActionReply] = []
    deeds: list[Deed] = []
    for action in actions:
        done: list[CommandReply] = []
        failed = False
        for command in action.commands:
            answer = _command(association, action.context, command, deeds)
            done.append(CommandReply(command.kind, command.termination, answer))
            failed = bool(answer) and not command.optional
            if failed:
                break
        replies.append(ActionReply(action.context, tuple(done)))
        if failed:
            break
    return tuple(replies), deeds


def _command(association: Association, context: int, command: Command, deeds: list[Deed]) -> tuple[ErrorDescriptor, ...]:
    if command.kind is CommandKind.NOTIFY:
        wanted: ObservedEvents | Services | None = command.find(ObservedEvents)
    elif command.kind is CommandKind.SERVICE_CHANGE:
        wanted = command.find(Services)
    else:
        return (ErrorDescriptor(UNKNOWN_COMMAND, "a controller has no terminations"),)
    if wanted is None:
        return (ErrorDescriptor(MISSING_DESCRIPTOR, "what happened is missing"),)
    lines = _lines(association, command.termination)
    if lines is None:
        return (ErrorDescriptor(UNKNOWN_TERMINATION, "no such termination"),)
    deeds += [Deed(line, wanted, context) for line in lines]
    return ()


def _lines(association: Association, name: str) -> Sequence[Line] | None:
    """The lines that a termination name means: ROOT none, a wildcard several; a name that was not known is learned."""
    if name.upper() == ROOT:
        return ()
    if "$" in name:
        return None
    if name.endswith("*"):
        start = name[:-1].lower()
        return [line for key, line in association.lines.items() if key.startswith(start)]
    line = association.line(name)
    return None if line is None else (line,)


def _change_of_root(actions: tuple[Action, ...]) -> tuple[Services, bool] | None:
    """Find a ServiceChange of ROOT, and whether it stands alone."""
    commands = [command for action in actions for command in action.commands]
    for command in commands:
        if command.kind is CommandKind.SERVICE_CHANGE and command.termination.upper() == ROOT:
            services = command.find(Services)
            if services is not None:
                return services, len(commands) == 1
    return None


def _terminations(reply: TransactionReply) -> list[str]:
    return [
        command.termination
        for action in reply.actions
        if action.context == NULL_CONTEXT
        for command in action.replies
        if command.kind is CommandKind.AUDIT_VALUE and command.error is None and not {"*", "$"} & set(command.termination)
    ]
