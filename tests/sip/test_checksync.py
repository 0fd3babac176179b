"""NOTIFY check-sync: whom it goes to, how often, and what the operator is told of the answer (GEN-12)."""

import pytest

from tests.sip.exchange import Exchange
from tests.sip.test_redirect import MAC_A1, OF_A1, registered
from voxpath.core.errors import LocalError
from voxpath.sip.checksync import MOST_ASKED
from voxpath.sip.event import CheckSyncAnswered, CheckSyncLost
from voxpath.sip.message import Request
from voxpath.sip.wire import parse


def asked() -> tuple[Exchange, Request]:
    """A server that has asked a1, and its NOTIFY."""
    exchange = registered()
    contacts = [contact for contact in exchange.server.contacts() if contact.aor == "a1@voip.example"]
    exchange.run(exchange.server.check_sync.ask(contacts, exchange.now))
    [sent] = exchange.sent
    assert sent.destination == OF_A1
    notify = parse(sent.payload)
    assert isinstance(notify, Request)
    return exchange, notify


def answer(notify: Request, status: str, branch: str = "") -> bytes:
    via = branch or notify.value("via")
    repeated = [f"{name}: {notify.value(name.lower())}" for name in ("From", "To", "Call-ID", "CSeq")]
    return "\r\n".join((f"SIP/2.0 {status}", f"Via: {via}", *repeated, "Content-Length: 0\r\n\r\n")).encode()


def test_a_registered_phone_is_notified_where_it_registered_from_and_its_answer_is_told() -> None:
    exchange, notify = asked()
    assert (notify.method, notify.uri, notify.value("event")) == ("NOTIFY", "sip:a1@10.0.0.11:2048", "check-sync;reboot=true")
    assert exchange.send(answer(notify, "100 Trying"), OF_A1) == []
    exchange.send(answer(notify, "200 OK"), OF_A1)
    [event] = exchange.told(CheckSyncAnswered)
    assert (event.phone, event.aor, event.status) == (MAC_A1, "a1@voip.example", 200)
    assert exchange.ladder[-2:] == [f"sip -> {MAC_A1}: NOTIFY check-sync", f"{MAC_A1} -> sip: 200 OK"]
    exchange.tick(60)
    assert len(exchange.sent) == 1


def test_a_refusal_is_told_as_it_is() -> None:
    exchange, notify = asked()
    exchange.send(answer(notify, "489 Bad Event"), OF_A1)
    assert exchange.told(CheckSyncAnswered)[0].text == "a1@voip.example was asked to boot anew and answered 489 Bad Event"


def test_without_an_answer_it_is_repeated_for_some_seconds_and_then_told() -> None:
    """RFC 3261 section 17.1.2.2, cut short since an operator waits."""
    exchange, _ = asked()
    exchange.tick(7.9)
    assert len(exchange.sent) == 5, "at once, after 0.5, 1.5, 3.5 and 7.5 s"
    exchange.tick(0.2)
    assert exchange.told(CheckSyncLost)[0].source == str(OF_A1)
    exchange.tick(60)
    assert len({send.payload for send in exchange.sent}) == 1


def test_answers_that_nobody_waits_for_are_counted() -> None:
    exchange, notify = asked()
    exchange.send(answer(notify, "200 OK", "SIP/2.0/UDP voip.example;branch=z9hG4bKguessed"), OF_A1)
    exchange.send(answer(notify, "200 OK", "nonsense"), OF_A1)
    assert exchange.server.tally.silent["response"] == 2
    assert exchange.told(CheckSyncAnswered) == []


def test_the_number_of_phones_that_are_asked_at_once_is_bounded() -> None:
    exchange = registered()
    contact = exchange.server.contacts()[0]
    with pytest.raises(LocalError, match="are being asked"):
        exchange.server.check_sync.ask([contact] * (MOST_ASKED + 1), exchange.now)
