"""The transaction layer in virtual time, over a line that loses, doubles and reorders."""

from dataclasses import replace
from heapq import heappop, heappush
from itertools import pairwise
from random import Random

import pytest

from voxpath.core.effects import Datagram, Emit, Send
from voxpath.core.errors import RemoteError
from voxpath.megaco import wire
from voxpath.megaco.incoming import Incoming, Peer, Ticket
from voxpath.megaco.machine import Answered, GivenUp, Requested, Settings, Transactions, Turn
from voxpath.megaco.message import (
    NULL_CONTEXT,
    Action,
    ActionReply,
    Command,
    CommandKind,
    CommandReply,
    ErrorDescriptor,
    Message,
    MId,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
    TransactionResponseAck,
    error_reply,
)
from voxpath.megaco.outgoing import BACKOFF, MOST_TO_A_PEER
from voxpath.model.address import Endpoint

A, B = Endpoint("198.51.100.1", 2944), Endpoint("203.0.113.1", 20000)
AUDIT = (Action(NULL_CONTEXT, (Command(CommandKind.AUDIT_VALUE, "line/1"),)),)
DONE = (ActionReply(NULL_CONTEXT, (CommandReply(CommandKind.AUDIT_VALUE, "line/1"),)),)


def side(mid: str, seed: int = 1, **changes: object) -> Transactions:
    settings = Settings(MId.parse(mid), "mgc", **changes)
    return Transactions(settings, Random(seed), lambda peer: ("", peer.mid))


def sent(turn: Turn) -> list[Send]:
    return [effect for effect in turn.effects if isinstance(effect, Send)]


def message(*transactions: object, mid: str = "gw") -> bytes:
    return wire.encode(Message(MId.parse(mid), transactions))


def read(send: Send) -> Message:
    return wire.decode(send.payload)


def request(number: int = 7) -> TransactionRequest:
    return TransactionRequest(number, AUDIT)


def feed(there: Transactions, payload: bytes, now: float, source: Endpoint = B) -> Turn:
    return there.receive(Datagram(payload, source), now)


def test_a_repeated_request_is_executed_once_and_answered_with_the_same_octets() -> None:
    here = side("mgc")
    [asked] = feed(here, message(request()), 0.0).inputs
    assert isinstance(asked, Requested)
    [first] = [each for each in here.reply(asked.ticket, DONE, now=0.0) if isinstance(each, Send)]
    assert first.destination == B
    again = feed(here, message(request()), 1.0)
    assert again.inputs == []
    assert [send.payload for send in sent(again)] == [first.payload]


def test_the_same_id_of_another_peer_is_another_request() -> None:
    here = side("mgc")
    assert feed(here, message(request()), 0.0).inputs
    assert feed(here, message(request(), mid="other"), 0.0).inputs
    assert feed(here, message(request()), 0.0, Endpoint("203.0.113.2", 20000)).inputs


def test_a_slow_request_is_answered_with_pending_and_then_wants_an_acknowledgement() -> None:
    here = side("mgc")
    [asked] = feed(here, message(request()), 0.0).inputs
    assert isinstance(asked, Requested)
    due = here.next_due()
    assert due is not None
    assert read(sent(here.tick(due))[0]).transactions == (TransactionPending(7),)
    assert read(sent(feed(here, message(request()), due))[0]).transactions == (TransactionPending(7),)
    [reply] = [each for each in here.reply(asked.ticket, DONE, now=1.0) if isinstance(each, Send)]
    [final] = read(reply).transactions
    assert isinstance(final, TransactionReply)
    assert final.immediate_ack
    # Without acknowledgement the reply is sent again by itself; after it, never, not even for a repetition.
    assert [send.payload for send in sent(here.tick(1.3))] == [reply.payload]
    feed(here, message(TransactionResponseAck(((1, 0xFFFFFFFF),))), 1.4)
    assert sent(here.tick(20.0)) == []
    assert sent(feed(here, message(request()), 20.0)) == []


def test_a_prepared_reply_is_not_given_away_before_it_is_settled() -> None:
    """What the reply acknowledges is not durable yet, so a repetition must not bring it out."""
    here = side("mgc")
    [asked] = feed(here, message(request()), 0.0).inputs
    assert isinstance(asked, Requested)
    here.prepare(asked.ticket, DONE)
    assert sent(feed(here, message(request()), 0.1)) == []
    assert sent(here.tick(0.5)) == []
    here.settle(asked.ticket, 1.0)
    assert len(sent(feed(here, message(request()), 1.1))) == 1


def test_an_answer_is_acknowledged_at_once_when_it_asks_for_it() -> None:
    here = side("mgc")
    [ask] = sent(here.request(Peer("gw", B), AUDIT, "token", 0.0))
    [asked] = read(ask).transactions
    assert isinstance(asked, TransactionRequest)
    reply = message(TransactionReply(asked.id, DONE, immediate_ack=True))
    turn = feed(here, reply, 0.1)
    assert [each.token for each in turn.inputs if isinstance(each, Answered)] == ["token"]
    assert read(sent(turn)[0]).transactions == (TransactionResponseAck(((asked.id, asked.id),)),)
    late = feed(here, reply, 0.2)
    assert (late.inputs, len(sent(late))) == ([], 1)


def test_a_reply_from_another_host_is_not_ours() -> None:
    here = side("mgc")
    [ask] = sent(here.request(Peer("gw", B), AUDIT, "token", 0.0))
    number = read(ask).transactions[0].id
    assert feed(here, message(TransactionReply(number, DONE)), 0.1, Endpoint("192.0.2.66", 20000)).inputs == []
    assert feed(here, message(TransactionReply(number, DONE)), 0.1).inputs != []


def test_an_unanswered_request_is_repeated_faster_at_first_and_given_up_after_t_max() -> None:
    here = side("mgc")
    here.request(Peer("gw", B), AUDIT, "token", 0.0)
    times, inputs, now = [], [], 0.0
    while (due := here.next_due()) is not None:
        now = due
        turn = here.tick(now)
        times += [now] * len(sent(turn))
        inputs += turn.inputs
    assert 7 <= len(times) <= 18
    assert times[0] <= 0.2
    assert all(later - earlier <= 4.0 for earlier, later in pairwise(times))
    assert inputs == [GivenUp("token", Peer("gw", B), "no reply")]
    assert now == pytest.approx(30.0)


def test_a_peer_that_cannot_read_our_only_request_has_answered_it() -> None:
    """Erlang's megaco answers so; to go on repeating the request would end in a lost gateway."""
    here = side("mgc")
    refusal = wire.encode(Message(MId.parse("gw"), error=ErrorDescriptor(400, "syntax error")))
    sent(here.request(Peer("gw", B), AUDIT, "one", 0.0))
    [answer] = feed(here, refusal, 0.1).inputs
    assert isinstance(answer, Answered)
    assert (answer.token, answer.reply.error) == ("one", ErrorDescriptor(400, "syntax error"))
    here.request(Peer("gw", B), AUDIT, "two", 1.0)
    here.request(Peer("gw", B), AUDIT, "three", 1.0)
    assert feed(here, refusal, 1.1).inputs == []


def test_pending_for_ever_is_given_up() -> None:
    here = side("mgc")
    [ask] = sent(here.request(Peer("gw", B), AUDIT, "token", 0.0))
    number = read(ask).transactions[0].id
    inputs = [each for n in range(40) for each in feed(here, message(TransactionPending(number)), float(n)).inputs]
    assert [type(each) for each in inputs] == [GivenUp]
    assert here.next_due() is None


def test_too_many_requests_to_one_peer_are_given_up_at_once() -> None:
    here = side("mgc")
    for _ in range(MOST_TO_A_PEER):
        assert here.request(Peer("gw", B), AUDIT, None, 0.0).inputs == []
    assert [type(each) for each in here.request(Peer("gw", B), AUDIT, None, 0.0).inputs] == [GivenUp]
    assert here.request(Peer("other", A), AUDIT, None, 0.0).inputs == []


def test_a_peer_that_floods_with_new_requests_is_refused_with_510() -> None:
    here = side("mgc", executions_of_peer=3)
    turns = [feed(here, message(request(number)), 0.0) for number in range(1, 6)]
    assert [len(turn.inputs) for turn in turns] == [1, 1, 1, 0, 0]
    assert read(sent(turns[4])[0]).transactions == (error_reply(5, 510, "too many transactions"),)


def test_a_settled_execution_makes_room() -> None:
    incoming = Incoming(of_a_peer=2, of_all=3)
    one, other = Peer("a", A), Peer("b", B)
    for number in range(1, 10):
        execution = incoming.begin(Ticket(one, number))
        assert execution is not None
        incoming.settle(Ticket(one, number), execution, float(number))
    assert len(incoming) == 2
    assert incoming.begin(Ticket(other, 1)) is not None
    assert incoming.begin(Ticket(other, 2)) is not None
    assert len(incoming) == 3
    assert incoming.find(Ticket(one, 8)) is None
    incoming.expire(100.0)
    assert len(incoming) == 2


def test_what_cannot_be_read_is_answered_with_the_error_that_the_rfc_asks_for() -> None:
    here = side("mgc")

    def refusal(text: str) -> Message:
        return read(sent(feed(here, text.encode(), 0.0))[0])

    broken = refusal("MEGACO/1 [203.0.113.1]:20000 Transaction = 5 { Context = - { Frobnicate = line/1 } }")
    assert isinstance(broken.transactions[0], TransactionReply)
    assert (broken.transactions[0].id, broken.transactions[0].error is not None) == (5, True)
    no_id = refusal("MEGACO/1 [203.0.113.1]:20000 Transaction = x { Context = - { AuditValue = line/1 { Audit {} } } }")
    assert isinstance(no_id.transactions[0], TransactionReply)
    assert no_id.transactions[0].id == 0
    version = refusal("MEGACO/7 [203.0.113.1]:20000 Transaction = 5 { Context = - { AuditValue = line/1 { Audit {} } } }")
    assert version.error is not None
    assert version.error.code == 406


def test_well_formed_transactions_beside_a_malformed_one_are_executed() -> None:
    here = side("mgc")
    text = message(request(8)).decode() + " Transaction = 9 { Context = - { Frobnicate = line/1 } }"
    turn = feed(here, text.encode(), 0.0)
    assert [each.ticket.id for each in turn.inputs if isinstance(each, Requested)] == [8]


def test_a_flood_of_malformed_messages_is_not_answered_for_ever() -> None:
    here = side("mgc")
    answered = 0
    for _ in range(100):
        try:
            answered += len(sent(feed(here, b"MEGACO/1 gw Nonsense", 0.0)))
        except RemoteError:
            continue
    assert answered == 20


def test_garbage_raises_nothing_but_a_remote_error() -> None:
    """Seeded mutation of real messages: the layer answers, or raises the peer's error."""
    random = Random(20260)
    here = side("mgc")
    seeds = [message(request(n), TransactionPending(3), TransactionResponseAck(((1, 5),))) for n in range(1, 5)]
    seeds.append(message(TransactionReply(3, DONE, immediate_ack=True), error_reply(0, 403, "x")))
    for _ in range(3000):
        octets = bytearray(random.choice(seeds))
        for _ in range(random.randrange(1, 6)):
            position = random.randrange(len(octets))
            octets[position : position + random.randrange(3)] = random.randbytes(random.randrange(3))
        try:
            turn = feed(here, bytes(octets), random.random() * 100)
        except RemoteError:
            continue
        assert all(isinstance(effect, Send | Emit) for effect in turn.effects)


@pytest.mark.parametrize(("seed", "slow"), [(1, 0.0), (2, 0.0), (3, 0.4)])
def test_over_a_bad_line_every_request_is_executed_once_and_none_is_lost(seed: int, slow: float) -> None:
    """30 % loss, duplication and reordering; every fifth request takes ``slow`` seconds to execute.

    T-MAX is 90 s here: within 30 s a dozen attempts are made, and half of them fail, so that one request in 4000 is given up.
    """
    random = Random(seed)
    patient = {"backoff": replace(BACKOFF, give_up_s=90.0), "long_timer_s": 95.0}
    ends = {A: side("mgc", seed, **patient), B: side("gw", seed + 100, **patient)}
    peers = {A: Peer("gw", B), B: Peer("mgc", A)}
    queue: list[tuple[float, int, str, Endpoint, object]] = []
    executed: dict[tuple[Endpoint, int], int] = {}
    answered: set[tuple[Endpoint, int]] = set()
    order = iter(range(10**9))
    count = 1000

    def push(time: float, kind: str, end: Endpoint, what: object) -> None:
        heappush(queue, (time, next(order), kind, end, what))

    def work(turn: Turn, end: Endpoint, now: float) -> None:
        carry(turn.effects, end, now)
        for item in turn.inputs:
            match item:
                case Requested(ticket=ticket):
                    executed[end, ticket.id] = executed.get((end, ticket.id), 0) + 1
                    push(now + slow * (ticket.id % 5 == 0), "reply", end, ticket)
                case Answered(token=int() as token):
                    assert (end, token) not in answered
                    answered.add((end, token))
                case GivenUp():
                    pytest.fail(f"given up: {item}")

    def carry(effects: object, end: Endpoint, now: float) -> None:
        for effect in effects:
            if not isinstance(effect, Send):
                continue
            for _ in range(1 + (random.random() < 0.1)):
                if random.random() >= 0.3:
                    push(now + random.random() * 0.3, "arrive", effect.destination, Datagram(effect.payload, end))

    for number in range(count):
        for end in (A, B):
            push(number * 0.01, "ask", end, number)
    while True:
        dues = [(due, end) for end in (A, B) if (due := ends[end].next_due()) is not None]
        due, at = min(dues, default=(1e9, A))
        if due < (queue[0][0] if queue else 1e9):
            work(ends[at].tick(due), at, due)
            continue
        if not queue:
            break
        now, _, kind, end, what = heappop(queue)
        if kind == "arrive":
            work(ends[end].receive(what, now), end, now)
        elif kind == "ask":
            work(ends[end].request(peers[end], AUDIT, what, now), end, now)
        else:
            carry(ends[end].reply(what, DONE, now=now), end, now)
    assert len(executed) == 2 * count
    assert set(executed.values()) == {1}
    assert len(answered) == 2 * count
