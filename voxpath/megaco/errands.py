"""Orders to gateways, one after the other for each line, and what is collected while a core runs."""

from collections import deque
from itertools import count

from voxpath.core.effects import Effect, Emit
from voxpath.core.retransmit import Entropy
from voxpath.megaco.association import MOST_ERRANDS, Association, Errand, Line, Step
from voxpath.megaco.call import Call
from voxpath.megaco.machine import GivenUp, Input, Transactions, Turn
from voxpath.megaco.message import Action, ErrorDescriptor, TransactionReply
from voxpath.model.event import Event

LARGEST_REQUEST_ID = 0xFFFFFFFE


class Outbox:
    """Collects the effects of one step, and the inputs that it brings about."""

    __slots__ = ("effects", "inputs")

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.inputs: deque[Input] = deque()

    def take(self, turn: Turn) -> None:
        """Add what the transaction layer returned."""
        self.effects += turn.effects
        self.inputs.extend(turn.inputs)

    def emit(self, event: Event) -> None:
        """Tell the event bus."""
        self.effects.append(Emit(event))

    def drain(self) -> list[Effect]:
        """Hand over the effects."""
        effects, self.effects = self.effects, []
        return effects


class Errands:
    """Sends orders, one at a time for each line."""

    def __init__(self, transactions: Transactions, outbox: Outbox, entropy: Entropy) -> None:
        self._transactions = transactions
        self._outbox = outbox
        self._request_ids = count(entropy.getrandbits(24) + 1)

    def request_id(self, line: Line) -> int:
        """A new id for the events that a line is asked for."""
        line.request_id = next(self._request_ids) % LARGEST_REQUEST_ID + 1
        return line.request_id

    def order(self, line: Line, step: Step, actions: tuple[Action, ...], now: float, call: Call | None = None) -> None:
        """Order something of a line, as soon as its earlier orders are carried out."""
        if line.association.gone:
            return
        errand = Errand(line.association, line, step, actions, call)
        if line.errand is None:
            line.errand = errand
            self.send(errand, now)
        elif step is Step.RELEASE:
            # A context that came to be after its call was over: what waits for the line can only follow its release.
            line.queue.appendleft(errand)
        elif len(line.queue) < MOST_ERRANDS:
            line.queue.append(errand)
        else:
            self._outbox.inputs.append(GivenUp(errand, line.association.peer, "it lets its orders pile up"))

    def send(self, errand: Errand, now: float) -> None:
        """Send an order at once."""
        self._outbox.take(self._transactions.request(errand.association.peer, errand.actions, errand, now))

    def finish(self, errand: Errand, now: float) -> None:
        """An order was carried out: send the line's next one."""
        line = errand.line
        if line is None or line.errand is not errand:
            return
        line.errand = line.queue.popleft() if line.queue else None
        if line.errand is not None:
            self.send(line.errand, now)

    def abandon(self, association: Association) -> list[Errand]:
        """Forget all orders to a gateway; tell which they were."""
        self._transactions.abandon(association.peer)
        dropped = []
        for line in association.lines.values():
            dropped += [line.errand] if line.errand is not None else []
            dropped += line.queue
            line.queue.clear()
            line.errand = None
        return dropped


def failure(reply: TransactionReply) -> ErrorDescriptor | None:
    """The first error in a reply; ``None``: all went well."""
    if reply.error is not None:
        return reply.error
    for action in reply.actions:
        if action.error is not None:
            return action.error
        for command in action.replies:
            if command.error is not None:
                return command.error
    return None
