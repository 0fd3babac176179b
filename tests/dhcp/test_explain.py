"""Dry runs: they tell what a DISCOVER would lead to, truly, and change nothing."""

import random
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dhcp.conftest import Phone, Site
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Offered
from voxpath.dhcp.event import DhcpDropped
from voxpath.dhcp.explain import NOTHING
from voxpath.dhcp.links import TRUST, NoLink
from voxpath.dhcp.message import ANY
from voxpath.dhcp.question import LastHeard, Origin, Question
from voxpath.dhcp.relay import with_circuit
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Mac
from voxpath.model.phone import Reservation, Scope
from voxpath.ports.change import MAKE_ROOM

SERVER = IPv4Address("10.0.0.1")


def told(site, number: int, vendor_class: bytes | None = b"desk", **more: object) -> dict[str, str]:
    question = Question(Mac(b"\x02\0\0\0\x0a" + bytes((number,))), vendor_class, **{"interface": "eth0", **more})
    return {finding.step: finding.result for finding in site.server.explain(question, site.now)}


def test_a_new_phone_is_told_of_step_by_step(site, phone) -> None:
    found = told(site, 1)
    assert list(found)[:5] == ["heard", "sends class", "sends client", "sends wants", "comes by"]
    assert list(found)[5:13] == ["link", "Ethernet address", "class", "scopes", "verified", "answer", "ports", "lease time"]
    assert found["link"] == found["scopes"].join(("scope ", ""))
    assert found["Ethernet address"] == "accepted"
    assert found["class"] == "desk, by vendor class 'desk'"
    assert found["answer"] == "OFFER 10.0.0.10 of scope lan"
    assert found["ports"] == "198.51.100.1:20480-20543"
    assert found["lease time"] == "3600 s"
    assert found["boot file"] == "desk.bin"
    assert found["option 3"] == "10.0.0.1"
    assert found["option 66"] == "10.0.0.1"
    assert found["option 51"] == "3600"
    assert found["option 53"] == "OFFER"
    assert found["option 224"] == found["ports"]


def test_the_client_identifier_is_told_as_what_it_is(site) -> None:
    found = told(site, 1, client_id=b"\1\2\0\0\0\x0a\1")
    what = "01:02:00:00:00:0a:01 (type 1, Ethernet address 02:00:00:00:0a:01)"
    assert found["sends client"] == f"{what}, as written"
    assert found["option 61"] == what


def test_what_is_told_is_what_a_discover_gets(site, make_phone) -> None:
    for number, vendor_class in ((1, "desk"), (2, "lobby"), (3, "desk")):
        phone = make_phone(site, number, vendor_class)
        found = told(site, number, vendor_class.encode())
        message = decode(site.tell(phone.client.discover())[0].payload)
        assert found["answer"] == f"OFFER {message.yiaddr} of scope lan"
        given = {f"option {option}" for option in message.options} - {"option 61"}
        assert given == {step for step in found if step.startswith("option")}


def test_what_is_not_written_is_as_the_phone_said_it_last(site, phone) -> None:
    """Class, client identifier, option 55 and all else that selects the answer; where it is from is told with it."""
    unheard = told(site, 1, None)
    assert unheard["heard"] == "no DISCOVER and no REQUEST of it is remembered; what is not written counts as not sent"
    assert unheard["sends class"] == "none, write class=... to say it"
    assert unheard["answer"] == NOTHING
    offered = decode(site.tell(phone.client.discover())[0].payload)
    site.wait(12.0)
    found = told(site, 1, None)
    assert found["heard"] == "its DISCOVER 12 s ago; what is not written is as it was there"
    assert found["sends class"] == "'desk', as heard"
    assert found["sends wants"].startswith("1,3,6,")
    assert found["answer"] == f"OFFER {offered.yiaddr} of scope lan"
    assert {f"option {option}" for option in offered.options} == {step for step in found if step.startswith("option")}


def test_what_is_written_counts_instead_of_what_was_heard(site, phone) -> None:
    phone.boot()
    found = told(site, 1, b"lobby", wanted=b"\3")
    assert found["heard"].startswith("its REQUEST 0 s ago")
    assert (found["sends class"], found["sends wants"]) == ("'lobby', as written", "3, as written")
    assert found["class"] == "lobby, by vendor class 'lobby'"
    assert told(site, 1, b"")["sends class"] == "none, as written"
    assert found.keys() < told(site, 1, b"lobby", wanted=b"").keys(), "without a list it is told everything"


def test_a_class_may_be_selected_by_what_a_phone_asks_for(site) -> None:
    site.classes = [replace(site.classes[0], fingerprints=(b"\1\3",))]
    site.start()
    assert told(site, 1, b"", wanted=b"\1\3")["class"] == "desk, by fingerprint 01:03"


def beyond(name: str, second: int) -> Scope:
    """A scope behind the relay 10.SECOND.0.2, by eth2."""
    at = [IPv4Address(f"10.{second}.0.{number}") for number in range(20)]
    return Scope(name, "eth2", IPv4Network(f"10.{second}.0.0/24"), SERVER, at[10], at[13], "site", router=at[1], relays=(at[2],))


@pytest.fixture
def branches(make_site) -> Site:
    """The usual site, with two scopes behind a relay each; one of them reserves an address by circuit."""
    site = make_site()
    site.scopes += [beyond("near", 2), beyond("far", 3)]
    site.reservations = [Reservation(IPv4Address("10.3.0.99"), circuit_id=b"port-7")]
    site.start()
    return site


def through(phone, payload: bytes, relay: str = "10.3.0.2", circuit: bytes = b"port-7") -> bytes:
    """The same message as a relay passes it on."""
    message = decode(payload)
    agent = bytes((1, len(circuit))) + circuit + b"\x02\x02sw"
    return encode(message._replace(giaddr=IPv4Address(relay), options={**message.options, code.RELAY_AGENT: agent}))


def test_the_relay_and_its_option_82_are_as_the_phone_was_heard_by_them(branches, make_phone) -> None:
    phone = make_phone(branches, 1)
    assert branches.tell(through(phone, phone.client.discover()), "eth2")
    found = told(branches, 1, None, interface="")
    assert found["comes by"] == "eth2, through relay 10.3.0.2, as heard"
    assert found["sends circuit"] == "port-7, as heard"
    assert found["reservation"] == "10.3.0.99"
    assert found["answer"] == "OFFER 10.3.0.99 of scope far"
    assert found["option 82"]


def test_a_renewal_past_the_relay_does_not_make_it_forgotten(branches, make_phone) -> None:
    phone = make_phone(branches, 1)
    (sent,) = branches.tell(through(phone, phone.client.discover()), "eth2")
    lease = phone.client.read(sent.payload).lease
    branches.tell(through(phone, phone.client.request(lease)), "eth2")
    branches.tell(phone.client.renew(lease), "eth2")
    found = told(branches, 1, None, interface="")
    assert found["heard"].startswith("its REQUEST")
    assert found["comes by"] == "eth2, through relay 10.3.0.2, as heard"
    assert found["sends circuit"] == "port-7, as heard"


@pytest.mark.parametrize(
    ("relay", "source", "kind", "detail"),
    [
        ("10.9.0.9", "10.9.0.9", "its relay is none of those that are trusted on its interface", "10.9.0.9"),
        (
            "10.3.0.2",
            "10.0.0.66",
            "it was not sent by the relay that it names",
            "10.3.0.2, sent from 10.0.0.66, which is none of the relays of that scope",
        ),
    ],
    ids=["not trusted", "sent by another host"],
)
def test_a_relay_that_the_server_does_not_trust_is_not_trusted_in_a_dry_run_either(
    branches, make_phone, relay: str, source: str, kind: str, detail: str
) -> None:
    """``explain`` tells the same reason as ``why``, also of a phone that was heard through a trusted relay before."""
    phone = make_phone(branches, 1)
    for heard_before in (False, True):
        if heard_before:
            branches.tell(through(phone, phone.client.discover()), "eth2")
            assert told(branches, 1, None, interface="")["answer"] == "OFFER 10.3.0.99 of scope far"
        assert branches.tell(through(phone, phone.client.discover(), relay), "eth2", source) == []
        found = told(branches, 1, None, interface="")
        assert branches.last_event(DhcpDropped).reason == f"{kind}: {detail}"
        assert found["link"] == f"none: {kind}: {detail}; {TRUST}"
        assert found["answer"] == f"{NOTHING}, since {kind}"
        assert f"through relay {relay}" in found["comes by"]
        assert (f"(sent from {source})" in found["comes by"]) == (relay != source)
        assert list(found)[-1] == "answer", "there is nothing else to tell"
        written = told(branches, 1, None, interface="", relay=IPv4Address("10.2.0.2"))
        assert "OFFER" in written["answer"], "of a relay that is written nobody knows where it sends from"


def test_a_relay_that_is_written_and_not_trusted_is_an_error_with_the_reason_of_the_server(branches) -> None:
    with pytest.raises(NoLink, match=r"none of those that are trusted on its interface: 10\.9\.0\.9"):
        told(branches, 1, interface="eth2", relay=IPv4Address("10.9.0.9"))


def test_after_a_restart_the_relay_is_that_of_the_leases_scope(branches, make_phone) -> None:
    phone = make_phone(branches, 1)
    (sent,) = branches.tell(through(phone, phone.client.discover(), circuit=b"port-8"), "eth2")
    lease = phone.client.read(sent.payload).lease
    branches.tell(through(phone, phone.client.request(lease), circuit=b"port-8"), "eth2")
    branches.start()
    for _ in range(2):
        found = told(branches, 1, interface="")
        assert found["comes by"] == "eth2, through relay 10.3.0.2, as its lease"
        assert found["answer"] == f"OFFER {lease.address} of scope far"
        branches.tell(phone.client.renew(lease), "eth2")


def test_after_a_restart_a_phone_has_the_class_of_its_lease_unless_another_one_is_written(site, phone) -> None:
    lease = phone.boot()
    site.start()
    found = told(site, 1, None)
    assert found["heard"].startswith("no DISCOVER and no REQUEST")
    assert found["class"] == "desk, by its lease, since nothing that selects one is known of it"
    assert found["answer"] == f"OFFER {lease.address} of scope lan"
    assert told(site, 1, b"lobby")["class"] == "lobby, by vendor class 'lobby'"
    assert told(site, 1, b"")["answer"] == NOTHING, "written is that it sends none"
    assert told(site, 1, None, wanted=b"\3")["answer"] == NOTHING
    assert told(site, 2, None)["answer"] == NOTHING, "it has no lease"
    site.classes = site.classes[1:]
    site.start()
    assert told(site, 1, None)["answer"] == NOTHING, "there is no class of this name any more"


def test_a_lease_tells_no_class_of_a_phone_that_was_heard_without_one(site, phone) -> None:
    phone.boot()
    site.classes = [replace(site.classes[0], vendor_classes=("other",)), site.classes[1]]
    site.start()
    site.tell(phone.client.discover())
    assert told(site, 1, None)["answer"] == NOTHING


def test_a_relay_a_circuit_or_an_interface_that_is_written_counts_instead(branches, make_phone) -> None:
    phone = make_phone(branches, 1)
    branches.tell(through(phone, phone.client.discover()), "eth2")
    other = told(branches, 1, None, interface="", relay=IPv4Address("10.2.0.2"))
    assert other["comes by"] == "eth2, through relay 10.2.0.2, as written"
    assert "sends circuit" not in other, "a circuit is one of its relay"
    assert told(branches, 1, None, interface="eth0")["comes by"] == "eth0, on the link itself, as written"
    assert told(branches, 1, None, interface="eth1", relay=ANY)["comes by"] == "eth1, on the link itself, as written"
    moved = told(branches, 1, None, interface="", circuit_id=b"port-9")
    assert moved["sends circuit"] == "port-9, as written"
    assert "reservation" not in moved
    assert told(branches, 1, None, interface="", circuit_id=b"")["sends circuit"] == "none, as written"


def test_another_circuit_leaves_the_rest_of_option_82_as_it_is() -> None:
    agent = b"\x01\x06port-7\x02\x02sw"
    assert with_circuit(agent, b"x") == b"\x01\x01x\x02\x02sw"
    assert with_circuit(agent, b"") == b"\x02\x02sw"
    assert with_circuit(None, b"") is None


def test_what_a_refused_phone_said_is_remembered_too(site, make_phone) -> None:
    stranger = make_phone(site, 0xF1)
    assert stranger.ask(stranger.client.discover()) is None
    assert told(site, 0xF1, None)["sends class"] == "'desk', as heard"


def test_memory_of_what_was_said_is_bounded_and_keeps_those_heard_last() -> None:
    memory = LastHeard(most=4)
    message = Question(Mac(bytes(6)), b"x").message(None, Origin("eth0"))
    macs = [Mac(bytes((0, 0, 0, 0, 0, number))) for number in range(20)]
    for number, mac in enumerate(macs):
        memory.note(mac, message, float(number))
        memory.note(mac, message._replace(options={53: b"\x08"}), 99.0)
    kept = [mac for mac in macs if memory.of(mac) is not None]
    assert kept == macs[-len(kept) :]
    assert 4 <= len(kept) <= 8
    assert all(said.at < 99.0 for mac in kept if (said := memory.of(mac)) is not None), "an INFORM is none of these"


@pytest.mark.parametrize(
    ("number", "vendor_class", "step", "words"),
    [
        (0xF1, b"desk", "Ethernet address", "not among"),
        (0xF1, b"laptop", "Ethernet address", "not among"),
        (1, b"laptop", "class", "selects no phone class"),
        (1, b"", "class", "no vendor class"),
    ],
)
def test_a_refusal_is_told_at_the_check_that_fails_first(site, number, vendor_class, step, words) -> None:
    found = told(site, number, vendor_class)
    assert words in found[step]
    assert found["answer"] == NOTHING
    assert list(found)[-2] == step


def test_adoption_reservation_lease_and_offer_are_told(site, make_phone) -> None:
    stranger, phone = make_phone(site, 0xF1), make_phone(site, 1)
    site.run(site.server.adoptions.adopt(stranger.mac, site.now))
    assert told(site, 0xF1)["Ethernet address"] == "accepted, adopted by an operator"
    site.reservations = [Reservation(IPv4Address("10.0.0.99"), phone.mac, phone_class="lobby")]
    site.start()
    assert told(site, 1, b"")["reservation"] == "10.0.0.99, class lobby"
    assert told(site, 1, b"")["class"] == "lobby, by its reservation"
    phone.boot()
    assert told(site, 1)["lease"] == "10.0.0.99 of scope lan, bound for 600 s"
    phone.offer()
    assert told(site, 1)["offer"].startswith("10.0.0.99 with ports")
    assert told(site, 1)["answer"] == "OFFER 10.0.0.99 of scope lan"


def test_nothing_left_is_told(make_site, make_phone) -> None:
    site = make_site(blocks=1)
    make_phone(site, 1).boot()
    assert told(site, 2)["answer"] == f"{NOTHING}: no block of 64 ports is left for realm site; {MAKE_ROOM}"


def test_a_change_under_way_is_told(site, phone) -> None:
    lease = phone.offer()
    site.holding = True
    phone.ask(phone.client.request(lease))
    assert "under way" in told(site, 1)["answer"]


def test_an_offer_of_another_class_is_left_alone(site, phone) -> None:
    lease = phone.offer()
    assert "in place of the open one" in told(site, 1, b"lobby")["answer"]
    assert phone.offer() == lease


def test_where_the_phone_asks_is_told_or_found(site, phone) -> None:
    with pytest.raises(NoLink, match="eth0, eth1"):
        told(site, 1, interface="")
    with pytest.raises(NoLink, match="no scope"):
        told(site, 1, interface="eth9")
    with pytest.raises(NoLink, match="not trusted"):
        told(site, 1, interface="", relay=IPv4Address("10.0.0.2"))
    phone.boot("eth1")
    assert told(site, 1, interface="")["link"] == "scope attic"


def state(site) -> tuple[object, ...]:
    """All that anybody could see of a site."""
    book = site.server._book
    pools = {name: (len(pool), set(pool._used)) for name, pool in book._pools.items()}
    clients = {mac: (client.lease, client.bound, client.offer, client.displaced) for mac, client in book._clients.items()}
    timers = dict(book.timers._armed)
    return pools, clients, timers, book.offers, site.ledger.usage(site.now), set(site.ledger.bindings()), dict(site.server.dropped)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_changed(seed, make_site, make_phone) -> None:
    """Over random histories with full pools, open offers and remembered leases."""
    site = make_site(last=14, blocks=5)
    entropy = random.Random(seed)
    for _ in range(120):
        before = state(site)
        told(site, entropy.randrange(9), entropy.choice((b"desk", b"lobby", b"x")), interface=entropy.choice(("eth0", "eth1")))
        assert state(site) == before
        site.wait(entropy.choice((0.0, 10.0, 700.0)))
        phone = make_phone(site, entropy.randrange(8), entropy.choice(("desk", "lobby")))
        sent = site.tell(phone.client.discover())
        if sent and entropy.random() < 0.8:
            site.tell(phone.client.request(phone.client.read(sent[0].payload).lease))
        if entropy.random() < 0.3:
            site.run(site.server.orders.withdraw_lease(phone.mac, site.now))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_who_is_asked_about_changes_nothing_for_anybody(seed: int) -> None:
    """Each history is told twice, once with questions between its steps: what is sent and told is the same to the octet.

    Many leases and blocks end at the same moment here, and the one that gives way must not depend on a question.
    """
    plain, asked = (_history(seed, asking=asking) for asking in (False, True))
    assert plain == asked


def _history(seed: int, *, asking: bool) -> list[object]:
    site = Site(last=14, blocks=7, quarantine_s=50.0)
    phones = [Phone(site, number, ("desk", "lobby", "desk")[number % 3]) for number in range(9)]
    history, entropy = random.Random(seed), random.Random(~seed)
    seen: list[object] = []
    for _ in range(90):
        if asking:
            told(site, entropy.randrange(9), entropy.choice((b"desk", b"lobby")))
        choice = history.random()
        phone = history.choice(phones)
        if choice < 0.25:
            site.wait(history.choice((61.0, 600.0, 3600.0)))
        elif choice < 0.35:
            site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
        elif choice < 0.5:
            site.tell(phone.client.discover())
        else:
            sent = site.tell(phone.client.discover())
            offered = phone.client.read(sent[0].payload) if sent else None
            if isinstance(offered, Offered):
                site.tell(phone.client.request(offered.lease))
        seen.append((len(site.events), [send.payload for send in site.sent[-2:]], set(site.nat.items())))
    return seen
