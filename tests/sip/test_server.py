"""The server core: what is answered, with which status, what is passed over, and what is told of it."""

import pytest

from tests.sip.exchange import Exchange, request
from tests.sip.test_redirect import MAC_A1, MAC_B1, OF_A1, OF_B1, STRANGER, invite, registered, server
from voxpath.core.effects import Commit, Datagram, Done, Emit, Send
from voxpath.model.event import Malformed, MessageEvent
from voxpath.sip.event import NotReached, SipRefused
from voxpath.sip.server import ALLOW, STRAY_ACK
from voxpath.sip.tally import TOLD_PER_SECOND
from voxpath.sip.wire import print_response


def answer_of(exchange: Exchange, method: str, uri: str = "sip:a1@voip.example", **more: object) -> int:
    return exchange.ask(request(method, uri, **more), OF_B1).status


def silence(exchange: Exchange, payload: bytes, destination: str = "198.51.100.10") -> None:
    assert exchange.send(payload, STRANGER, destination) == []


# What is answered.


@pytest.mark.parametrize("uri", ["sip:voip.example", "sip:198.51.100.10:5060", "sip:VOIP.example;transport=udp"])
def test_the_server_itself_tells_what_it_can_do(uri: str) -> None:
    """RFC 3261 section 11.2: phones and monitors ask by OPTIONS whether it is there."""
    answer = server().ask(request("OPTIONS", uri), STRANGER)
    assert answer.status == 200
    assert answer.value("allow") == ALLOW
    assert {"accept", "supported"} <= answer.headers.keys()


def test_a_user_without_a_name_is_nobody() -> None:
    """An INVITE for the domain itself leads nowhere."""
    assert answer_of(server(), "INVITE", "sip:voip.example") == 404


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "SUBSCRIBE"])
def test_other_domains_are_not_served(method: str) -> None:
    """RFC 3261 section 21.4.5: it is no proxy for the world."""
    exchange = registered()
    assert answer_of(exchange, method, "sip:a1@elsewhere.example") == 404
    [event] = exchange.told(SipRefused)
    assert event.reason == "the host of its Request-URI is no domain of this server"


@pytest.mark.parametrize(("method", "status"), [("BYE", 405), ("NOTIFY", 405), ("PUBLISH", 405), ("INVENT", 501), ("invite", 501)])
def test_what_is_not_served_is_refused_with_what_is(method: str, status: int) -> None:
    """RFC 3261 sections 21.4.6 and 21.5.2: methods differ in upper and lower case."""
    answer = server().ask(request(method, "sip:a1@voip.example"), OF_B1)
    assert (answer.status, answer.value("allow")) == (status, ALLOW)


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "OPTIONS"])
def test_a_request_within_a_dialog_has_come_to_the_wrong_place(method: str) -> None:
    """RFC 3261 section 12.2.2: there are no dialogs with a redirect server."""
    assert answer_of(registered(), method, to="<sip:a1@voip.example>;tag=x") == 481


def test_an_extension_that_is_required_is_refused_by_its_name() -> None:
    """RFC 3261 section 8.2.2.3: Proxy-Require is for proxies alone."""
    exchange = registered()
    answer = exchange.ask(invite("a1", headers=["Require: 100rel, path", "Require: gruu", "Proxy-Require: foo"]), OF_B1)
    assert (answer.status, answer.value("unsupported")) == (420, "100rel, path, gruu")
    assert exchange.ask(invite("a1", sender="sip:b1@voip.example", headers=["Proxy-Require: foo"]), OF_B1).status == 302


def test_a_cancel_is_confirmed() -> None:
    """RFC 3261 section 8.3: what it cancels has been answered for good already."""
    assert answer_of(server(), "CANCEL") == 200


def test_an_ack_is_never_answered() -> None:
    """RFC 3261 section 17.1.1.3: not even a malformed one, or one that requires something."""
    exchange = registered()
    ack = request("ACK", "sip:a1@voip.example", headers=["Require: path"])
    for payload in (ack, ack.replace(b"Call-ID", b"Nobody"), ack.replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1)):
        silence(exchange, payload)
    assert sum(exchange.server.tally.silent.values()) == 3


def test_an_ack_of_a_refusal_is_nothing_that_the_operator_is_told_of() -> None:
    """RFC 3261 section 17.1.1.3: each refused INVITE has one; an ACK that answers nothing of ours is counted."""
    exchange = registered()
    refused = invite("nobody")
    answer = exchange.ask(refused, STRANGER)
    assert answer.status == 404
    ack = refused.replace(b"CSeq: 1 INVITE", b"CSeq: 1 ACK").replace(b"INVITE sip", b"ACK sip", 1)
    acknowledged = ack.replace(b"To: <sip:nobody@voip.example>", f"To: {answer.value('to')}".encode())
    silence(exchange, acknowledged)
    assert not exchange.server.tally.silent
    for stray in (ack, acknowledged.replace(b"CSeq: 1", b"CSeq: 2")):
        silence(exchange, stray)
    assert exchange.server.tally.silent == {STRAY_ACK: 2}


def test_a_broken_request_is_told_what_is_wrong_with_it() -> None:
    """Issue 3: installers need the defect, in the answer and in the event."""
    exchange = registered()
    answer = exchange.ask(invite("a1").replace(b"CSeq: 1 INVITE", b"CSeq: one INVITE"), OF_B1)
    assert (answer.status, answer.reason) == (400, "CSeq: no decimal number")
    [event] = exchange.told(SipRefused)
    assert (event.status, event.phone, event.source) == (400, MAC_B1, "203.0.113.2:2048")
    assert event.reason.startswith("CSeq: no decimal number")


def test_an_answer_does_not_name_thousands_of_extensions() -> None:
    answer = server().ask(invite("a1", headers=["Require: " + ",".join(["a"] * 90)]), OF_B1)
    assert answer.value("unsupported").split(", ") == ["a"] * 16


# What is passed over.


def test_an_answer_that_no_datagram_holds_is_counted_and_not_sent() -> None:
    exchange = server()
    payload = request("OPTIONS", "sip:voip.example")
    payload = payload.replace(b"Call-ID: ", b"Call-ID: " + b"x" * (65_530 - len(payload)))
    assert exchange.send(payload, STRANGER) == []
    assert exchange.server.tally.silent == {"answer larger than a datagram": 1}


@pytest.mark.parametrize("payload", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0"])
def test_a_keepalive_is_counted_and_nothing_else(payload: bytes) -> None:
    """It keeps the phone's NAT open by having passed it."""
    exchange = server()
    silence(exchange, payload)
    assert exchange.server.tally.silent == {"keep-alive": 1}
    assert exchange.events == []


def test_a_response_is_never_answered() -> None:
    """RFC 3261 section 17.1.3: two servers would never stop."""
    exchange = registered()
    silence(exchange, print_response(exchange.ask(invite("a1"), OF_B1)))
    assert exchange.server.tally.silent == {"response": 1}


@pytest.mark.parametrize("payload", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01", b"SIP/2.0 banana\r\n\r\n", b"\xff" * 2000])
def test_what_is_no_message_is_counted_and_told(payload: bytes) -> None:
    """There is nobody to answer."""
    exchange = server()
    silence(exchange, payload)
    assert exchange.server.tally.silent == {"unreadable": 1}
    assert [event.protocol for event in exchange.told(Malformed)] == ["SIP"]


@pytest.mark.parametrize("group", ["224.0.1.75", "255.255.255.255"])
def test_a_request_to_a_group_is_passed_over(group: str) -> None:
    """An answer from a group's address cannot be sent."""
    exchange = registered()
    silence(exchange, invite("a1"), group)
    assert exchange.server.tally.silent == {"sent to a group address": 1}


# What is told.


def test_the_ladder_shows_each_message_once() -> None:
    """MGT-2: by the phones' identities, and addresses where those are not known."""
    exchange = registered()
    answer = exchange.ask(invite("a1", "sip:b1@voip.example", call_id="c", cseq=5), OF_B1)
    exchange.send(request("ACK", "sip:a1@voip.example", call_id="c", cseq=5, to=answer.value("to")), OF_B1)
    exchange.ask(request("OPTIONS", "sip:voip.example", sender="sip:x@elsewhere.example"), STRANGER)
    assert exchange.ladder == [
        f"{MAC_B1} -> sip: INVITE sip:a1@voip.example",
        f"sip -> {MAC_B1}: 302 Moved Temporarily (INVITE) <sip:a1@203.0.113.1:2048>",
        f"{MAC_B1} -> sip: ACK sip:a1@voip.example",
        "192.0.2.77:5060 -> sip: OPTIONS sip:voip.example",
        "sip -> 192.0.2.77:5060: 200 OK (OPTIONS)",
    ]
    arrows = exchange.told(MessageEvent)
    assert [(event.phone, event.peer) for event in arrows] == [(MAC_B1, MAC_A1)] * 3 + [("", "")] * 2


def test_an_answer_that_waits_for_a_commit_is_told_when_it_leaves() -> None:
    """The ladder shows what happened, not what was meant to happen."""
    exchange = server()
    payload = request("REGISTER", "sip:voip.example", to="<sip:a1@voip.example>", headers=["Contact: <sip:a1@10.0.0.11:2048>"])
    effects = list(exchange.server.receive(Datagram(payload, OF_A1, port="sip"), 1000.0))
    assert not any(isinstance(effect, Send) for effect in effects)
    [commit] = [effect for effect in effects if isinstance(effect, Commit)]
    later = list(exchange.server.resolve(commit.token, Done(), 1000.0))
    assert [type(effect) for effect in later] == [Send, Emit]
    told = [effect.event for effect in later if isinstance(effect, Emit)]
    assert "200 OK (REGISTER) <sip:a1@10.0.0.11:2048>;expires=3600" in {getattr(event, "summary", "") for event in told}


def test_a_stranger_cannot_make_up_phones() -> None:
    """The memory of ladders is bounded: whoever invents thousands of names would push the real ones out."""
    exchange = server()
    exchange.ask(invite("a1", "sip:invented@elsewhere.example"), STRANGER)
    exchange.ask(invite("nobody", "sip:invented@voip.example"), STRANGER)
    assert {event.phone for event in exchange.events} == {""}
    assert {event.peer for event in exchange.told(NotReached)} == {"a1@voip.example", ""}


def test_a_user_is_known_before_he_has_registered() -> None:
    """The first REGISTER and its 401 belong to the ladder, too."""
    exchange = server()
    exchange.ask(request("REGISTER", "sip:voip.example", to="<sip:idle@voip.example>"), STRANGER)
    assert {event.phone for event in exchange.told(MessageEvent)} == {"idle@voip.example"}


def test_a_strangers_from_names_no_phone() -> None:
    """Whoever writes a listed user into his From is shown by his source address; only the phone's own source names it."""
    exchange = registered()
    for method in ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"):
        exchange.send(request(method, "sip:nobody@voip.example", sender="sip:a1@voip.example"), STRANGER)
    exchange.send(request("INVITE", "sip:a2@voip.example", sender="sip:a1@voip.example").replace(b"CSeq: 1", b"CSeq: x"), STRANGER)
    assert {event.phone for event in exchange.events} == {""}
    assert {event.sender for event in exchange.told(MessageEvent)} == {"sip", "192.0.2.77:5060"}
    exchange.events.clear()
    exchange.ask(invite("a2", "sip:a1@voip.example"), OF_A1)
    assert {event.phone for event in exchange.events} == {MAC_A1}


def test_a_flood_from_unknown_senders_leaves_the_history_of_phones_alone() -> None:
    """So many messages a second are told, be they for a phone or as if from its user; those of the phone itself all are."""
    exchange = registered()
    for _ in range(200):
        exchange.ask(invite("a1", "sip:a2@voip.example"), STRANGER)
        exchange.ask(request("REGISTER", "sip:voip.example", to="<sip:a1@voip.example>", headers=["Require: x"]), STRANGER)
    assert len(exchange.told(MessageEvent)) == TOLD_PER_SECOND
    exchange.events.clear()
    for _ in range(TOLD_PER_SECOND):
        exchange.ask(invite("a2", "sip:a1@voip.example"), OF_A1)
    assert len(exchange.told(MessageEvent)) == 2 * TOLD_PER_SECOND


def test_of_a_flood_of_refusals_all_are_counted_and_few_are_told() -> None:
    """A scanner must not fill the log."""
    exchange = server()
    for _ in range(1000):
        exchange.ask(request("INVENT", "sip:a1@voip.example"), STRANGER)
        exchange.ask(invite("nobody"), STRANGER)
    tally = exchange.server.tally
    assert tally.refused == {"501 Not Implemented": 1000, "404 Not Found": 1000}
    assert len(exchange.told(SipRefused)) == len(exchange.told(NotReached)) == TOLD_PER_SECOND
    assert tally.untold == 2 * (1000 - TOLD_PER_SECOND) + 4 * 1000 - TOLD_PER_SECOND
    exchange.now += 1
    exchange.ask(invite("nobody"), STRANGER)
    assert len(exchange.told(NotReached)) == TOLD_PER_SECOND + 1


def test_text_from_the_wire_is_harmless_on_a_terminal() -> None:
    """Every event is escaped, and none is longer than a line or two."""
    exchange = registered()
    nasty = "\x1b[2J\u202e" + "x" * 3000
    exchange.send(request("OPTIONS", "sip:a1@voip.example", sender=f"sip:{nasty}@x.example"), STRANGER)
    exchange.send(request("INVITE", "sip:a1@voip.example", to=f'"{nasty}" <sip:a1@voip.example>;tag=1'), STRANGER)
    exchange.send(request("INVITE", f"sip:{nasty}@voip.example", to="<sip:a1@voip.example>"), STRANGER)
    exchange.send(request(f"X{'y' * 3000}", "sip:a1@voip.example", headers=[f"Require: {nasty}"]), STRANGER)
    assert exchange.events
    for event in exchange.events:
        assert event.text.isprintable()
        assert len(event.text) < 1000


# The store.


def test_bindings_of_an_earlier_run_are_given_to_callers() -> None:
    """A restart loses no acknowledged binding."""
    before, after = registered(), server()
    after.server.load(before.rows.values(), after.now)
    assert set(after.server.contacts()) == set(before.rows.values()) == set(before.server.contacts())
    assert after.ask(invite("a1", "sip:b1@voip.example"), OF_B1).status == 302


def test_a_binding_that_could_not_be_stored_is_not_given_to_callers() -> None:
    """What is not durable was not acknowledged."""
    exchange = server()
    exchange.failing = True
    assert exchange.register("a1@voip.example", "<sip:a1@10.0.0.11:2048>", OF_A1).status == 500
    assert exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1).status == 480
    assert "sip -> " in exchange.ladder[1]


def test_bindings_end_in_their_time() -> None:
    """The row goes, too."""
    exchange = registered()
    assert len(exchange.rows) == 3
    exchange.tick(3600)
    assert exchange.rows == {}
    assert exchange.server.contacts() == ()
