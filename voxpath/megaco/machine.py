"""The transaction layer, for both ends: at most once, retransmission, Pending, acknowledgement (RFC 3525 section 8, Annex D.1).

It is a part of a core and not one itself: its owner feeds it datagrams and ticks and carries on with the :class:`Turn` it returns.
Replies go to the address and port that the request came from, always; nothing else reaches a gateway behind a NAT.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from voxpath.core.effects import Datagram, Effect, Emit, Send
from voxpath.core.errors import LocalError
from voxpath.core.rate import PerSecond
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.core.timers import TimerHeap, earliest
from voxpath.megaco import summary, wire
from voxpath.megaco.code import NO_RESOURCES, REPLY_TOO_LARGE, SYNTAX_IN_MESSAGE, SYNTAX_IN_TRANSACTION, TOO_MANY_TRANSACTIONS
from voxpath.megaco.event import MegacoPeerError, MegacoRefused
from voxpath.megaco.incoming import LONG_TIMER_S, MOST_OF_A_PEER, MOST_OF_ALL, Execution, Incoming, Peer, Stage, Ticket
from voxpath.megaco.message import (
    NULL_TRANSACTION,
    Action,
    ActionReply,
    ErrorDescriptor,
    Message,
    MId,
    Transaction,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
    TransactionResponseAck,
    error_reply,
    refusal,
)
from voxpath.megaco.outgoing import BACKOFF, Outgoing, Request
from voxpath.model.address import Endpoint
from voxpath.model.event import Malformed, MessageEvent, printable

MOST_TRANSACTIONS = 32
"""Transactions of one message; the others are answered with error 413."""

MOST_ACK_RANGES = 64
"""Ranges of one acknowledgement that are looked at."""

PROVISIONAL_S = 0.15
"""A request that takes longer is answered with Pending; below the peers' first retransmission at 200 ms."""

ERRORS_PER_SECOND = 20
"""Malformed messages that are answered with an error; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the transaction layer behaves.

    :ivar mid: our own message identifier.
    :ivar port: the name of the core's local port.
    :ivar role: our own role, as ladders name it.
    :ivar compact: whether messages are written in the short form.
    """

    mid: MId
    role: str
    port: str = "megaco"
    compact: bool = False
    backoff: Backoff = BACKOFF
    long_timer_s: float = LONG_TIMER_S
    provisional_s: float = PROVISIONAL_S
    executions_of_peer: int = MOST_OF_A_PEER
    executions: int = MOST_OF_ALL


class Requested(NamedTuple):
    """A peer's request to be executed, once; the owner answers by :meth:`Transactions.reply`."""

    ticket: Ticket
    mid: MId
    version: int
    request: TransactionRequest


class Answered(NamedTuple):
    """The reply to our request that was sent with this token."""

    token: Hashable
    peer: Peer
    reply: TransactionReply


class GivenUp(NamedTuple):
    """No reply came to our request."""

    token: Hashable
    peer: Peer
    reason: str


Input: TypeAlias = Requested | Answered | GivenUp


class Turn(NamedTuple):
    """What comes of a datagram or a tick: effects to carry out, then inputs to act upon."""

    effects: list[Effect]
    inputs: list[Input]


Names = Callable[[Peer], tuple[str, str]]
"""Tells of a peer the phone that a message is about and the peer's own name in a ladder."""


class Transactions:
    """All transactions with all peers."""

    def __init__(self, settings: Settings, entropy: Entropy, names: Names) -> None:
        self.settings = settings
        self._names = names
        self._entropy = entropy
        self._incoming = Incoming(settings.long_timer_s, settings.executions_of_peer, settings.executions)
        self._outgoing = Outgoing(entropy, settings.backoff)
        self._timers: TimerHeap[Ticket | int] = TimerHeap()
        self._errors = PerSecond(ERRORS_PER_SECOND)

    # From outside.

    def receive(self, datagram: Datagram, now: float) -> Turn:
        """Take a datagram.

        :raises wire.DecodeError: it is no MEGACO message at all, or too many malformed ones were answered already.
        """
        self._incoming.expire(now)
        try:
            message = wire.decode(datagram.payload)
        except wire.DecodeError as error:
            if error.mid is None or not self._errors.admits(now):
                raise
            return self._malformed(error, error.mid, datagram.source, now)
        turn = Turn([], [])
        self._message(message, Peer(message.mid.key, datagram.source), now, turn)
        return turn

    def tick(self, now: float) -> Turn:
        """Send again, send Pending, give up, forget."""
        turn = Turn([], [])
        self._incoming.expire(now)
        for key in self._timers.due(now):
            if isinstance(key, Ticket):
                self._late(key, now, turn)
            else:
                self._send_again(key, now, turn)
        return turn

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return earliest(self._timers.next_due(), self._incoming.next_due())

    # From the owner.

    def request(self, peer: Peer, actions: tuple[Action, ...], token: Hashable, now: float) -> Turn:
        """Send a request; its end comes as :class:`Answered` or :class:`GivenUp`, at once when there is no room for it."""
        if not self._outgoing.room(peer):
            return Turn([], [GivenUp(token, peer, "too many requests wait for a reply")])
        transaction = TransactionRequest(self._outgoing.new_id(), actions)
        message = Message(self.settings.mid, (transaction,))
        try:
            raw = self._write(message)
        except LocalError as error:
            return Turn([], [GivenUp(token, peer, str(error))])
        request = Request(peer, transaction.id, raw, summary.of_message(message), token)
        self._timers.arm(transaction.id, now + self._outgoing.begin(request, now))
        return Turn(self._sent(peer, raw, request.summary), [])

    def prepare(self, ticket: Ticket, actions: tuple[ActionReply, ...] = (), error: ErrorDescriptor | None = None) -> list[Effect]:
        """Make the reply and the effects that send it, for the ``then`` of what it depends on; :meth:`settle` must follow.

        Until then repetitions of the request are passed over in silence: a Pending would call for another reply.
        """
        execution = self._incoming.find(ticket)
        if execution is None or execution.stage not in {Stage.EXECUTING, Stage.PREPARED}:
            return []
        self._timers.disarm(ticket)
        reply = TransactionReply(ticket.id, actions, error, immediate_ack=execution.pending)
        try:
            execution.raw = self._write(Message(self.settings.mid, (reply,)))
        except LocalError:
            reply = TransactionReply(ticket.id, (), ErrorDescriptor(REPLY_TOO_LARGE, "the reply is too large"), execution.pending)
            execution.raw = self._write(Message(self.settings.mid, (reply,)))
        execution.stage = Stage.PREPARED
        return self._sent(ticket.peer, execution.raw, summary.of_transaction(reply))

    def settle(self, ticket: Ticket, now: float) -> None:
        """The prepared reply was sent: keep it for repetitions, and until it is acknowledged if a Pending went before it."""
        execution = self._incoming.find(ticket)
        if execution is None or execution.stage is not Stage.PREPARED:
            return
        self._incoming.settle(ticket, execution, now)
        if execution.pending:
            wait_s = self.settings.backoff.wait_s(0, 0.0, self._entropy)
            self._timers.arm(ticket, now + (wait_s or 0.0))

    def reply(
        self, ticket: Ticket, actions: tuple[ActionReply, ...] = (), error: ErrorDescriptor | None = None, *, now: float
    ) -> list[Effect]:
        """Answer a request now."""
        effects = self.prepare(ticket, actions, error)
        self.settle(ticket, now)
        return effects

    def abandon(self, peer: Peer) -> list[Hashable]:
        """Forget all requests to a peer, without a word to their senders; tell their tokens."""
        requests = self._outgoing.to_peer(peer)
        for request in requests:
            self._end(request.id)
        return [request.token for request in requests]

    # Messages.

    def _message(self, message: Message, peer: Peer, now: float, turn: Turn) -> None:
        phone, name = self._names(peer)
        words = summary.of_message(message)
        event = MessageEvent(phone=phone, protocol="MEGACO", sender=name, receiver=self.settings.role, summary=words)
        turn.effects.append(Emit(event))
        if message.error is not None:
            text = printable(f"{message.error.code} {message.error.text}".strip())
            turn.effects.append(Emit(MegacoPeerError(phone=phone, source=str(peer.address), error=text)))
            self._unreadable(peer, message.error, turn)
        for number, transaction in enumerate(message.transactions):
            if number < MOST_TRANSACTIONS:
                self._take(peer, message, transaction, now, turn)
            elif isinstance(transaction, TransactionRequest):
                turn.effects.extend(self._send(peer, error_reply(transaction.id, TOO_MANY_TRANSACTIONS, "too many transactions")))

    def _unreadable(self, peer: Peer, error: ErrorDescriptor, turn: Turn) -> None:
        """A peer cannot read our message: where only one request can be meant, that is its answer; repeating it is no use."""
        waiting = self._outgoing.to_peer(peer)
        if len(waiting) == 1:
            self._end(waiting[0].id)
            turn.inputs.append(Answered(waiting[0].token, peer, TransactionReply(waiting[0].id, (), error)))

    def _malformed(self, error: wire.DecodeError, mid: MId, source: Endpoint, now: float) -> Turn:
        """Answer what cannot be read, and carry out what can (RFC 3525 8.1.1, 8.3)."""
        peer = Peer(mid.key, source)
        turn = Turn([Emit(Malformed(protocol="MEGACO", source=str(source), reason=printable(str(error))))], [])
        descriptor = refusal(error, SYNTAX_IN_MESSAGE)
        if error.transaction is not None:
            turn.effects.extend(self._send(peer, TransactionReply(error.transaction, error=descriptor)))
        else:
            whole = Message(self.settings.mid, error=descriptor)
            turn.effects.extend(self._sent(peer, self._write(whole), summary.of_message(whole)))
        if error.rest:
            self._message(Message(mid, error.rest, version=error.version), peer, now, turn)
        return turn

    # Transactions.

    def _take(self, peer: Peer, message: Message, transaction: Transaction, now: float, turn: Turn) -> None:
        match transaction:
            case TransactionRequest():
                self._requested(peer, message, transaction, now, turn)
            case TransactionReply():
                self._answered(peer, transaction, turn)
            case TransactionPending(id=number):
                self._pended(peer, number, now, turn)
            case TransactionResponseAck(ranges=ranges):
                for ticket in self._incoming.acknowledge(peer, ranges[:MOST_ACK_RANGES]):
                    self._timers.disarm(ticket)

    def _requested(self, peer: Peer, message: Message, request: TransactionRequest, now: float, turn: Turn) -> None:
        if request.id == NULL_TRANSACTION:
            turn.effects.extend(
                self._send(peer, error_reply(NULL_TRANSACTION, SYNTAX_IN_TRANSACTION, "transaction id 0 is reserved"))
            )
            return
        ticket = Ticket(peer, request.id)
        execution = self._incoming.find(ticket)
        if execution is not None:
            turn.effects.extend(self._repeat(ticket, execution))
        elif self._incoming.begin(ticket) is None:
            turn.effects.append(Emit(MegacoRefused(phone=self._names(peer)[0], source=str(peer.address), reason="no room")))
            turn.effects.extend(self._send(peer, error_reply(request.id, NO_RESOURCES, "too many transactions")))
        else:
            self._timers.arm(ticket, now + self.settings.provisional_s)
            turn.inputs.append(Requested(ticket, message.mid, message.version, request))

    def _repeat(self, ticket: Ticket, execution: Execution) -> list[Effect]:
        match execution.stage:
            case Stage.SETTLED:
                return self._sent(ticket.peer, execution.raw, f"Reply again (T {ticket.id})")
            case Stage.EXECUTING:
                execution.pending = True
                return self._send(ticket.peer, TransactionPending(ticket.id))
            case _:
                return []

    def _answered(self, peer: Peer, reply: TransactionReply, turn: Turn) -> None:
        if reply.immediate_ack and reply.id != NULL_TRANSACTION:
            # Also when the reply came before: the acknowledgement may have been lost (RFC 3525 D.1.2.2).
            turn.effects.extend(self._send(peer, TransactionResponseAck(((reply.id, reply.id),))))
        request = self._outgoing.find(reply.id, peer.address.host)
        if request is not None:
            self._end(request.id)
            turn.inputs.append(Answered(request.token, peer, reply))

    def _pended(self, peer: Peer, number: int, now: float, turn: Turn) -> None:
        request = self._outgoing.find(number, peer.address.host)
        if request is None:
            return
        wait_s = self._outgoing.pending(number, now)
        if wait_s is None:
            self._end(number)
            turn.inputs.append(GivenUp(request.token, request.peer, "the peer answers with Pending for ever"))
        else:
            self._timers.arm(number, now + wait_s)

    # Timers.

    def _send_again(self, number: int, now: float, turn: Turn) -> None:
        found = self._outgoing.again(number, now)
        if found is None:
            return
        request, wait_s = found
        if wait_s is None:
            turn.inputs.append(GivenUp(request.token, request.peer, "no reply"))
            return
        self._timers.arm(number, now + wait_s)
        turn.effects.extend(self._sent(request.peer, request.raw, request.summary))

    def _late(self, ticket: Ticket, now: float, turn: Turn) -> None:
        execution = self._incoming.find(ticket)
        if execution is None:
            return
        if execution.stage is Stage.EXECUTING:
            execution.pending = True
            turn.effects.extend(self._send(ticket.peer, TransactionPending(ticket.id)))
        elif execution.stage is Stage.SETTLED:
            execution.attempt += 1
            wait_s = self.settings.backoff.wait_s(execution.attempt, now - execution.first, self._entropy)
            if wait_s is not None:
                self._timers.arm(ticket, now + wait_s)
                turn.effects.extend(self._repeat(ticket, execution))

    def _end(self, number: int) -> None:
        self._outgoing.end(number)
        self._timers.disarm(number)

    # Octets.

    def _write(self, message: Message) -> bytes:
        return wire.encode(message, self.settings.compact)

    def _send(self, peer: Peer, transaction: Transaction) -> list[Effect]:
        return self._sent(peer, self._write(Message(self.settings.mid, (transaction,))), summary.of_transaction(transaction))

    def _sent(self, peer: Peer, raw: bytes, words: str) -> list[Effect]:
        phone, name = self._names(peer)
        event = MessageEvent(
            phone=phone, protocol="MEGACO", sender=self.settings.role, receiver=name, summary=printable(words, summary.MOST_WORDS)
        )
        return [Emit(event), Send(raw, peer.address, self.settings.port)]
