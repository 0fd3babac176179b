"""The redirect server: which contacts a caller is given, in which order, and what is said when there are none."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.sip.exchange import Exchange, authorization, request
from voxpath.model.address import Endpoint
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.realm import Realm
from voxpath.model.user import Callers, Showing, SipDomain, SipUser
from voxpath.ports.copy import LedgerCopy
from voxpath.sip.calls import CALL_REMEMBERED_S, MOST_CALLS, RedirectedCall, RedirectedCalls, RedirectState
from voxpath.sip.event import CredentialsRefused, NeedsProxy, NotReached, Redirected
from voxpath.sip.header import contacts, parse_address
from voxpath.sip.message import Response
from voxpath.sip.redirect import LARGEST_REDIRECT
from voxpath.sip.settings import SipSettings

LAN = IPv4Network("10.0.0.0/24")
A, B = "203.0.113.1", "203.0.113.2"
OF_A1, OF_A2, OF_B1, STRANGER = Endpoint(A, 2048), Endpoint(A, 2112), Endpoint(B, 2048), Endpoint("192.0.2.77", 5060)
MAC_A1, MAC_A2, MAC_B1 = "02:00:00:00:0a:01", "02:00:00:00:0a:02", "02:00:00:00:0b:01"
SUCCESSOR = "02:00:00:00:0a:09"
REALMS = (Realm("a", (LAN,), (IPv4Address(A),)), Realm("b", (LAN,), (IPv4Address(B),)))
OPEN = SipDomain("voip.example", "voxpath", open=True)


def held(holder: str, public: str, first: int, private: str, realm: str) -> PortBinding:
    block = PortBlock(IPv4Address(public), first, 64)
    return PortBinding(holder, block, IPv4Address(private), realm, BindingState.HELD, 0.0, 1)


def server(domain: SipDomain = OPEN, showing: Showing = Showing.NOT, stale: bool = False, media: bool = False) -> Exchange:
    """Users a1, a2 and b1, whose phones are at two sites; nobody is registered yet."""
    copy = LedgerCopy()
    rows = [
        held(MAC_A1, A, 2048, "10.0.0.11", "a"),
        held(MAC_A2, A, 2112, "10.0.0.12", "a"),
        held(MAC_B1, B, 2048, "10.0.0.11", "b"),
    ]
    copy.snapshot("gateways", 1, rows)
    if stale:
        copy.stale("gateways")
    users = [SipUser(name, domain.name, f"{name}-secret", showing=showing) for name in ("a1", "a2", "b1", "idle")]
    return Exchange(SipSettings((domain,), {user.aor: user for user in users}, REALMS, media=media), copy)


def succeeded() -> Exchange:
    """All three have registered, and then a1's phone lost its ports to another one."""
    exchange = registered()
    assert isinstance(exchange.directory, LedgerCopy)
    gone = held(MAC_A1, A, 2048, "10.0.0.11", "a")
    exchange.directory.apply("gateways", 2, [held(SUCCESSOR, A, 2048, "10.0.0.19", "a")], [gone])
    return exchange


def registered(**settings: object) -> Exchange:
    """The same, and all three have registered with their private contacts."""
    exchange = server(**settings)
    exchange.register("a1@voip.example", "<sip:a1@10.0.0.11:2048>", OF_A1)
    exchange.register("a2@voip.example", "<sip:a2@10.0.0.12:2112>", OF_A2)
    exchange.register("b1@voip.example", "<sip:b1@10.0.0.11:2048>", OF_B1)
    exchange.sent.clear()
    exchange.events.clear()
    return exchange


def invite(to: str, sender: str = "sip:a1@voip.example", **more: object) -> bytes:
    return request("INVITE", f"sip:{to}@voip.example", sender=sender, **more)


def given(answer: Response) -> list[str]:
    """The contacts of an answer, which is a 302."""
    assert (answer.status, answer.reason) == (302, "Moved Temporarily")
    return [address.uri for address in contacts(answer)]


def test_a_contact_is_not_given_once_its_ports_are_another_phones() -> None:
    """A binding may outlive the lease of its phone; its caller must not ring at whoever has the ports by then."""
    exchange = succeeded()
    for source, sender in ((STRANGER, "sip:x@elsewhere.example"), (OF_A2, "sip:a2@voip.example")):
        assert exchange.ask(invite("a1", sender), source).status == 480
    assert {event.reason for event in exchange.told(NotReached)} == {f"sip:a1@10.0.0.11:2048: its ports belong to {SUCCESSOR} now"}
    exchange.register("a1@voip.example", "<sip:a1@10.0.0.19:2048>", OF_A1)
    assert given(exchange.ask(invite("a1", "sip:x@elsewhere.example"), STRANGER)) == ["sip:a1@203.0.113.1:2048"]


def test_what_the_successor_of_a_phone_sends_is_filed_under_its_own_name() -> None:
    exchange = succeeded()
    exchange.ask(request("CANCEL", "sip:a2@voip.example", sender="sip:a1@voip.example"), OF_A1)
    assert exchange.ladder[0] == f"{SUCCESSOR} -> sip: CANCEL sip:a2@voip.example"


@pytest.mark.parametrize("claimed", ["203.0.113.2", "198.51.100.66"])
def test_a_stranger_on_the_inside_is_not_believed_to_stand_behind_another_public_address(claimed: str) -> None:
    """What is behind it may use the same inside prefix; its addresses are for its own phones."""
    exchange = registered()
    exchange.register("worker@voip.example", "<sip:worker@10.0.0.7:5060>", Endpoint("198.51.100.66", 40001))
    stranger = Endpoint("10.0.0.200", 5060)
    for user, own in (("b1", "sip:b1@203.0.113.2:2048"), ("worker", "sip:worker@198.51.100.66:40001")):
        answer = exchange.ask(invite(user, "sip:s@elsewhere.example", headers=[f"Contact: <sip:s@{claimed}>"]), stranger)
        assert given(answer) == [own]


def test_each_caller_is_given_the_address_that_leads_him_there() -> None:
    """Issue 3, the triangle decision: a2 is inside, b1 at the other site, and somebody is elsewhere."""
    exchange = registered()
    assert given(exchange.ask(invite("a1", "sip:a2@voip.example"), OF_A2)) == ["sip:a1@10.0.0.11:2048"]
    assert given(exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1)) == ["sip:a1@203.0.113.1:2048"]
    assert given(exchange.ask(invite("a1", "sip:x@elsewhere.example"), STRANGER)) == ["sip:a1@203.0.113.1:2048"]
    assert [event.reason for event in exchange.told(Redirected)] == [
        "both are in realm a",
        "realms a and b differ",
        "a party has only a public address",
    ]
    assert exchange.told(Redirected)[0].phone == MAC_A2
    assert exchange.told(Redirected)[0].peer == MAC_A1


def test_a_redirect_has_a_to_tag_and_nothing_of_a_dialog() -> None:
    """RFC 3261 sections 8.2.6.2 and 8.3."""
    answer = registered().ask(invite("a1"), OF_B1)
    assert parse_address(answer.value("to")).tag
    assert "record-route" not in answer.headers


def test_a_caller_whom_no_ledger_knows_is_placed_by_his_binding() -> None:
    """The ledger is stale: the caller's registration from the same source tells his inside address."""
    exchange = registered(stale=True)
    assert given(exchange.ask(invite("a1", "sip:a2@voip.example"), OF_A2)) == ["sip:a1@10.0.0.11:2048"]


def test_a_caller_who_is_not_registered_is_placed_by_his_own_contact() -> None:
    """REG-23, for callers: with equal realms the claim is enough, since it is checked against the packet's source."""
    exchange = registered(stale=True)
    more = {"headers": ["Contact: <sip:c@10.0.0.13:2176>"], "sender": "sip:c@voip.example"}
    assert given(exchange.ask(invite("a1", **more), Endpoint(A, 2176))) == ["sip:a1@10.0.0.11:2048"]
    assert given(exchange.ask(invite("a1", **more), Endpoint(B, 2176))) == ["sip:a1@203.0.113.1:2048"]


def test_several_contacts_are_given_with_their_preference_best_first() -> None:
    """DNT-3: of equal ones the phone that came last."""
    exchange = server()
    for number, q in enumerate(("0.3", "1", "0.5", "0.5")):
        exchange.now += 1
        exchange.register("a1@voip.example", f"<sip:a1@host{number}.example>;q={q}", Endpoint(f"192.0.2.{number + 1}", 5060))
    answer = exchange.ask(invite("a1"), STRANGER)
    assert given(answer) == [f"sip:a1@host{number}.example" for number in (1, 3, 2, 0)]
    assert [address.params["q"] for address in contacts(answer)] == ["1", "0.5", "0.5", "0.3"]


def test_one_address_is_given_once() -> None:
    """Two bindings may lead to one place, seen from here."""
    exchange = server()
    exchange.register("a1@voip.example", "<sip:a1@192.168.1.1:5060>;q=0.4", OF_A1)
    exchange.register("a1@voip.example", "<sip:a1@192.168.2.2:5060>;q=0.8", OF_A1)
    assert given(exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1)) == ["sip:a1@203.0.113.1:2048"]


def test_a_redirect_is_never_a_fragment() -> None:
    """RFC 3261 section 18.1.1: contacts are left out, the least wanted first."""
    exchange = server()
    for number in range(10):
        contact = f"<sip:a1@{'x' * 60}.{'y' * 60}.host{number}.example>;q=0.{9 - number}"
        assert exchange.register("a1@voip.example", contact, Endpoint("192.0.2.1", 5060 + number)).status == 200
    answer = exchange.ask(invite("a1"), STRANGER)
    assert len(exchange.sent[-1].payload) <= LARGEST_REDIRECT
    found = given(answer)
    assert 5 < len(found) < 10
    assert [uri.rpartition("host")[2][0] for uri in found] == [str(number) for number in range(len(found))]


def test_the_headers_of_a_contact_are_bound_and_given_to_nobody() -> None:
    """RFC 4475 section 3.3.14: they are part of the binding; a caller would send his request by that route."""
    exchange = server()
    contact = "sip:a1@example.com?Route=%3Csip:sip.example.com%3E"
    answer = exchange.register("a1@voip.example", f"<{contact}>", STRANGER)
    assert [address.uri for address in contacts(answer)] == [contact]
    assert given(exchange.ask(invite("a1"), OF_B1)) == ["sip:a1@example.com"]


@pytest.mark.parametrize("contact", ["sip:a2@voip.example", "sip:a1@VOIP.example:5070;maddr=192.0.2.1"])
def test_a_contact_that_leads_back_to_the_server_is_left_out(contact: str) -> None:
    """A caller would go round in a circle."""
    exchange = server()
    exchange.register("a1@voip.example", f"<{contact}>", STRANGER)
    assert exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1).status == 480
    [event] = exchange.told(NotReached)
    assert event.reason.endswith("it names this server, and the caller would come back in a circle")
    exchange.register("a1@voip.example", "<sip:a1@192.0.2.77:5066>", STRANGER)
    assert given(exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1)) == ["sip:a1@192.0.2.77:5066"]


def test_a_phone_on_the_servers_own_host_is_no_circle() -> None:
    """A laboratory whose domain is an address."""
    exchange = server(SipDomain("192.0.2.77", "voxpath", open=True))
    exchange.register("a1@192.0.2.77", "<sip:a1@192.0.2.77:5070>", Endpoint("192.0.2.77", 5070))
    payload = request("INVITE", "sip:a1@192.0.2.77", sender="sip:b1@192.0.2.77")
    assert given(exchange.ask(payload, OF_B1)) == ["sip:a1@192.0.2.77:5070"]
    exchange.register("a1@192.0.2.77", "<sip:a1@192.0.2.77:5070>", Endpoint("192.0.2.77", 5070), "Expires: 0")
    exchange.register("a1@192.0.2.77", "<sip:a1@192.0.2.77>", Endpoint("192.0.2.77", 5070))
    assert exchange.ask(payload, OF_B1).status == 480


@pytest.mark.parametrize(("user", "status"), [("idle", 480), ("nobody", 404)])
def test_who_has_no_phone_is_told_apart_from_who_does_not_exist(user: str, status: int) -> None:
    """RFC 3261 sections 21.4.5 and 21.4.18."""
    exchange = registered()
    assert exchange.ask(invite(user), OF_A1).status == status
    [event] = exchange.told(NotReached)
    assert (event.status, event.aor, event.phone) == (status, f"{user}@voip.example", MAC_A1)


def test_a_binding_that_has_ended_is_not_given_though_nobody_has_removed_it_yet() -> None:
    """Timers may be late."""
    exchange = registered()
    exchange.now += 3600
    assert exchange.ask(invite("b1"), OF_A1).status == 480


def test_somebody_who_calls_himself_is_busy() -> None:
    """RFC 3261 section 21.4.21: and only an INVITE is a call."""
    exchange = registered()
    assert exchange.ask(invite("a1"), OF_A1).status == 486
    assert exchange.told(NotReached)[0].reason == "the only phone is the caller's own"
    own = request("MESSAGE", "sip:a1@voip.example")
    assert given(exchange.ask(own, OF_A1)) == ["sip:a1@10.0.0.11:2048"]


def test_somebody_with_two_phones_reaches_the_other_one() -> None:
    """His own one is left out."""
    exchange = registered()
    exchange.register("a1@voip.example", "<sip:a1@192.0.2.77>", STRANGER)
    assert given(exchange.ask(invite("a1"), OF_A1)) == ["sip:a1@192.0.2.77"]
    assert given(exchange.ask(invite("a1"), STRANGER)) == ["sip:a1@203.0.113.1:2048"]


def test_users_of_one_phone_may_call_each_other() -> None:
    """A gateway or a test program registers many users from one port."""
    exchange = registered()
    exchange.register("a2@voip.example", "<sip:a2@203.0.113.1:2048>", OF_A1)
    assert "sip:a2@203.0.113.1:2048" in given(exchange.ask(invite("a2"), OF_A1))


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER"])
def test_other_requests_for_a_user_are_redirected_as_calls_are(method: str) -> None:
    """RFC 3261 section 8.3."""
    exchange = registered()
    ask = request(method, "sip:a1@voip.example", sender="sip:b1@voip.example")
    assert given(exchange.ask(ask, OF_B1)) == ["sip:a1@203.0.113.1:2048"]
    assert exchange.server.calls() == ()
    assert exchange.ask(request(method, "sip:nobody@voip.example"), OF_B1).status == 404


def test_an_address_of_record_is_found_however_it_is_written() -> None:
    """RFC 3261 section 10.3 item 5: escapes undone, parameters and port left out."""
    exchange = registered()
    for uri in ("sip:A1@VoIP.Example", "sip:%611@voip.example;user=phone", "sip:a1@voip.example:5060;transport=udp"):
        assert given(exchange.ask(request("INVITE", uri, sender="sip:b1@voip.example"), OF_B1)) == ["sip:a1@203.0.113.1:2048"]


def test_who_asks_for_sips_is_given_sips_or_nothing() -> None:
    """RFC 5630 section 5.4."""
    exchange = registered()
    ask = request("INVITE", "sips:a1@voip.example", sender="sip:b1@voip.example", to="<sips:a1@voip.example>")
    assert exchange.ask(ask, OF_B1).status == 480
    exchange.register("a1@voip.example", "<sips:a1@192.0.2.77>", STRANGER)
    assert given(exchange.ask(ask, OF_B1)) == ["sips:a1@192.0.2.77"]


def test_a_phone_that_shows_its_private_address_is_called_and_the_operator_is_told() -> None:
    """Issue 3: the call rings, but ACK and BYE need a proxy."""
    exchange = registered()
    given(exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1))
    [event] = exchange.told(NeedsProxy)
    assert (event.phone, event.peer) == (MAC_A1, MAC_B1)
    assert event.contact == "sip:a1@10.0.0.11:2048"
    given(exchange.ask(invite("a1", "sip:a2@voip.example"), OF_A2))
    assert len(exchange.told(NeedsProxy)) == 1


def test_a_phone_with_a_gruu_needs_no_proxy() -> None:
    """DNT-4."""
    exchange = registered(showing=Showing.GRUU)
    given(exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1))
    assert exchange.told(NeedsProxy) == []


def test_an_inside_address_that_nobody_outside_reaches_is_no_contact() -> None:
    """The operator is told why."""
    exchange = server()
    exchange.register("idle@voip.example", "<sip:idle@172.16.0.5>", Endpoint("172.16.0.5", 5060))
    assert exchange.ask(invite("idle"), STRANGER).status == 480
    [event] = exchange.told(NotReached)
    assert event.reason == "sip:idle@172.16.0.5: only its inside address is known"


def test_a_call_is_remembered_until_long_after_its_acknowledgement() -> None:
    """For commands: a redirect server sees nothing else of a call."""
    exchange = registered()
    answer = exchange.ask(invite("a1", "sip:b1@voip.example", call_id="c1", cseq=7), OF_B1)
    [call] = exchange.server.calls()
    assert call == RedirectedCall(
        caller="b1@voip.example",
        caller_phone=MAC_B1,
        aor="a1@voip.example",
        callee_phone=MAC_A1,
        contact="sip:a1@203.0.113.1:2048",
        private=False,
        reason="realms a and b differ",
        at=1000.0,
    )
    assert call.path == "public"
    ack = request("ACK", "sip:a1@voip.example", call_id="c1", cseq=7, to=answer.value("to"), sender="sip:b1@voip.example")
    assert exchange.send(ack, OF_B1) == []
    assert [call.state for call in exchange.server.calls()] == [RedirectState.ACKNOWLEDGED]
    exchange.tick(CALL_REMEMBERED_S)
    assert exchange.server.calls() == ()


def test_a_repeated_invite_is_the_same_call() -> None:
    """The answer was lost; it is given again, word for word."""
    exchange = registered()
    payload = invite("a1", "sip:b1@voip.example")
    exchange.ask(payload, OF_B1)
    exchange.ask(payload, OF_B1)
    assert exchange.sent[0] == exchange.sent[1]
    assert len(exchange.server.calls()) == len(exchange.told(Redirected)) == 1


def test_the_memory_of_calls_is_bounded() -> None:
    """The oldest one is forgotten first."""
    calls = RedirectedCalls()
    for number in range(MOST_CALLS + 2):
        calls.add(f"call {number}", RedirectedCall("", "", "", "", str(number), False, "", float(number)))
    assert len(calls.states()) == MOST_CALLS
    assert calls.states()[0].contact == "2"


def test_only_users_may_ask_where_users_are_if_the_domain_says_so() -> None:
    """Callers.USERS: by the same digest as a registration."""
    exchange = registered(domain=replace(OPEN, callers=Callers.USERS))
    challenged = exchange.ask(invite("a1", "sip:b1@voip.example"), OF_B1)
    assert challenged.status == 401
    uri = "sip:a1@voip.example"
    right = authorization(challenged, "INVITE", uri, "b1", "b1-secret")
    assert given(exchange.ask(invite("a1", "sip:b1@voip.example", headers=[right], cseq=2), OF_B1)) == ["sip:a1@203.0.113.1:2048"]
    assert exchange.told(CredentialsRefused) == []
    for user, password in (("b1", "wrong"), ("nobody", "b1-secret")):
        wrong = authorization(challenged, "INVITE", uri, user, password)
        assert exchange.ask(invite("a1", "sip:b1@voip.example", headers=[wrong], cseq=2), OF_B1).status == 401
    assert [event.user for event in exchange.told(CredentialsRefused)] == ["b1", "nobody"]


def test_an_empty_password_shows_nobody_and_an_open_domains_user_no_user_elsewhere() -> None:
    """Anybody may say that he is a user of an open domain."""
    closed, lab = replace(OPEN, open=False, callers=Callers.USERS), SipDomain("lab.example", "lab", open=True)
    users = [SipUser("a1", "voip.example", "secret"), SipUser("guest", "lab.example", ""), SipUser("known", "lab.example", "p")]
    exchange = Exchange(SipSettings((closed, lab), {user.aor: user for user in users}, REALMS))
    uri = "sip:a1@voip.example"
    for name, password in (("guest", ""), ("known", "p")):
        challenged = exchange.ask(invite("a1", f"sip:{name}@lab.example"), STRANGER)
        assert 'realm="voxpath"' in challenged.value("www-authenticate")
        right = authorization(challenged, "INVITE", uri, name, password)
        assert exchange.ask(invite("a1", f"sip:{name}@lab.example", headers=[right]), STRANGER).status == 401


def test_a_user_without_a_password_is_not_shown_by_an_empty_one() -> None:
    user = SipUser("a1", "voip.example", "")
    exchange = Exchange(SipSettings((replace(OPEN, callers=Callers.USERS),), {user.aor: user}, REALMS))
    challenged = exchange.ask(invite("a1"), STRANGER)
    right = authorization(challenged, "INVITE", "sip:a1@voip.example", "a1", "")
    assert exchange.ask(invite("a1", headers=[right]), STRANGER).status == 401
    [event] = exchange.told(CredentialsRefused)
    assert event.reason == "there is no such user"


def test_a_caller_is_who_his_credentials_say() -> None:
    """A user's From header may name anybody."""
    exchange = registered(domain=replace(OPEN, callers=Callers.USERS))
    challenged = exchange.ask(invite("a1", "sip:idle@voip.example"), STRANGER)
    right = authorization(challenged, "INVITE", "sip:a1@voip.example", "b1", "b1-secret")
    assert given(exchange.ask(invite("a1", "sip:idle@voip.example", headers=[right]), STRANGER))
    [event] = exchange.told(Redirected)
    assert (event.caller, event.phone) == ("b1@voip.example", "b1@voip.example")
    [call] = exchange.server.calls()
    assert (call.caller, call.caller_phone) == ("b1@voip.example", "b1@voip.example")


def test_strangers_do_not_learn_which_users_there_are_if_only_users_may_ask() -> None:
    """A challenge comes first, whoever is called."""
    exchange = registered(domain=replace(OPEN, callers=Callers.USERS))
    assert {exchange.ask(invite(user), STRANGER).status for user in ("a1", "idle", "nobody")} == {401}
