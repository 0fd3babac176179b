"""Phones that use an address before this server knows them: after another DHCP server, or after a loss of the store (DHC-16)."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.dhcp.test_probe import PROBATION_S, PROBED_S, STRANGER, Link, at, offer
from tests.dhcp.test_remembered import as_static
from tests.dhcp.test_server import edited
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Refused
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.question import Question
from voxpath.model.phone import Reservation

QUARANTINE_S = 100.0


@pytest.fixture
def moved(make_site, make_phone) -> tuple:
    """A scope of three addresses, and two phones that are on two of them already."""
    link = Link(make_site(last=12))
    phones = [make_phone(link.site, number) for number in (1, 2)]
    link.hosts = {at(11): phones[0].mac, at(12): phones[1].mac}
    link.wait(PROBED_S)
    return link, *phones


def findings_of(link: Link, phone) -> dict[str, str]:
    question = Question(phone.mac, b"desk", interface="eth0")
    return {found.step: found.result for found in link._server.explain(question, link.site.now)}


def test_a_phone_is_offered_the_address_where_it_was_found(moved) -> None:
    link, one, two = moved
    assert two.boot().address == at(12)
    assert one.boot().address == at(11)
    assert link.prober.conflicts.standing(link.site.now) == []


def test_a_phone_that_boots_anew_or_renews_keeps_the_address_where_it_was_found(moved) -> None:
    """A NAK would end a call: the former server's lease is as good as one of ours."""
    link, one, two = moved
    lease = replace(one.offer(), address=at(11))
    for phone, build in ((one, one.client.reboot), (two, two.client.renew)):
        address = next(where for where, mac in link.hosts.items() if mac == phone.mac)
        assert phone.ask(build(replace(lease, address=address))).lease.address == address


def test_nobody_else_gets_it(moved, make_phone) -> None:
    link, one, _ = moved
    other = make_phone(link.site, 3)
    asking = edited(other.client.discover(), options={code.REQUESTED_ADDRESS: at(11).packed})
    assert other.ask(asking).lease.address == at(10)
    lease = other.boot()
    stranger = make_phone(link.site, 4)
    assert isinstance(stranger.ask(stranger.client.reboot(replace(lease, address=at(11)))), Refused)
    assert one.boot().address == at(11)


def test_an_offer_that_is_not_taken_leaves_the_address_to_be_looked_at_again(moved) -> None:
    link, one, _ = moved
    assert one.offer().address == at(11)
    link.asked.clear()
    link.wait(PROBATION_S)
    assert at(11) in link.asked
    assert link._server.book.pool("lan").is_contested(at(11))


@pytest.fixture
def full(make_site, make_phone) -> tuple:
    """A scope of one address, the phone that is on it already, and another phone."""
    link = Link(make_site(last=10, blocks=1))
    one, other = make_phone(link.site, 1), make_phone(link.site, 2)
    link.hosts = {at(10): one.mac}
    link.wait(PROBED_S)
    return link, one, other


def test_a_phone_that_takes_another_servers_offer_uses_the_address_still_so_that_nobody_gets_it(full) -> None:
    """So it is while the former server is still there."""
    _, one, other = full
    lease = one.offer()
    assert one.ask(edited(one.client.request(lease), options={code.SERVER_ID: at(99).packed})) is None
    assert other.ask(other.client.discover()) is None
    assert one.boot().address == at(10)


def test_a_phone_that_gets_no_ports_uses_the_address_still_so_that_nobody_gets_it(full, make_phone) -> None:
    """A phone whose class has a smaller block would get ports."""
    link, one, _ = full
    taker, other = make_phone(link.site, 3, "lobby"), make_phone(link.site, 4, "lobby")
    lease = taker.boot("eth1")
    assert one.ask(one.client.discover()) is None
    assert other.ask(other.client.discover()) is None
    taker.ask(taker.client.release(lease), "eth1")
    link.wait(QUARANTINE_S)
    assert one.boot().address == at(10)


def test_a_phone_that_is_refused_uses_the_address_still_so_that_nobody_gets_it(make_site, make_phone) -> None:
    link = Link(make_site(last=11, max_offers=1))
    one, other = make_phone(link.site, 1), make_phone(link.site, 2)
    link.hosts = {at(10): one.mac}
    link.wait(PROBED_S)
    lease = other.offer()
    assert isinstance(one.ask(one.client.reboot(replace(lease, address=at(10)))), Refused), "too many offers are open"
    assert link._server.book.pool("lan").is_contested(at(10))


def test_an_address_that_only_a_person_can_choose_stays_on_probation(site, make_phone) -> None:
    """It is outside of what the scope gives: who was found there gets another one."""
    former, one = make_phone(site, 1), make_phone(site, 2)
    site.tell(former.client.inform(at(200)))
    as_static(former, MessageType.RELEASE, at(200))
    site.now += 200
    link = Link(site)
    link.hosts = {at(200): one.mac}
    link.wait(PROBED_S)
    former.boot()
    assert one.offer().address != at(200)
    assert link._server.book.pool("lan").is_contested(at(200))


def test_a_phone_does_not_get_an_address_again_when_another_machine_answers_for_it_too(moved) -> None:
    link, one, _ = moved
    assert one.offer().address == at(11)
    link.hosts[at(11)] = STRANGER
    link.wait(PROBED_S)
    assert link._server.book.pool("lan").is_contested(at(11))
    assert one.boot().address == at(10)


@pytest.mark.parametrize("known", [False, True])
def test_a_phone_that_a_person_gave_the_address_where_it_was_found_gets_ports(moved, known: bool) -> None:
    """Nobody but itself answered there; what it had before says nothing of where a person put it."""
    link, one, _ = moved
    if known:
        one.ask(one.client.release(one.boot("eth1")), "eth1")
    link.site.tell(one.client.inform(at(11)))
    assert list(link.site.nat.values()) == [at(11)]
    assert link.prober.conflicts.of(one.mac, link.site.now) == []


def test_no_other_phone_gets_ports_there(moved, make_phone) -> None:
    link, one, _ = moved
    other = make_phone(link.site, 3)
    link.site.tell(other.client.inform(at(11)))
    assert link.site.nat == {}
    assert one.boot().address == at(11)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_phone_gets_its_reserved_address_where_it_was_found_too(site, make_phone, by_hand: bool) -> None:
    """Only a reservation by Ethernet address tells the prober whose the address is."""
    site.reservations.append(Reservation(at(200), client_id=b"\1desk"))
    site.start()
    link, one = Link(site), make_phone(site, 1)
    link.hosts = {at(200): one.mac}
    link.wait(PROBED_S)
    asking = one.client.inform(at(200)) if by_hand else one.client.discover()
    sent = site.tell(edited(asking, options={code.CLIENT_ID: b"\1desk"}))
    assert by_hand or one.client.read(sent[0].payload).lease.address == at(200)
    assert list(site.nat.values()) == ([at(200)] if by_hand else [])


def test_a_phone_that_is_known_here_gets_its_own_address_and_not_another_that_it_answers_for(make_site, make_phone) -> None:
    link = Link(make_site(last=12))
    link.wait(PROBED_S)
    phone = make_phone(link.site, 1)
    assert phone.boot().address == at(10)
    link.hosts[at(11)] = phone.mac
    link.wait(PROBATION_S)
    assert phone.boot().address == at(10)
    assert link._server.book.pool("lan").is_contested(at(11))


def test_a_phone_that_was_found_at_two_addresses_gets_the_one_that_it_asks_for(make_site, make_phone) -> None:
    link = Link(make_site(last=12))
    phone = make_phone(link.site, 1)
    link.hosts = {at(11): phone.mac, at(12): phone.mac}
    link.wait(PROBED_S)
    asking = edited(phone.client.discover(), options={code.REQUESTED_ADDRESS: at(12).packed})
    assert phone.ask(asking).lease.address == at(12)
    assert link._server.book.pool("lan").is_contested(at(11))


def test_the_address_of_a_machine_that_is_no_phone_of_ours_stays_nobodys(make_site, make_phone) -> None:
    link = Link(make_site(last=12))
    link.hosts = {at(number): STRANGER for number in (10, 11, 12)}
    link.wait(PROBED_S)
    phone = make_phone(link.site, 1)
    assert phone.ask(phone.client.discover()) is None


def test_a_dry_run_tells_all_of_it_and_ends_no_probation(moved) -> None:
    link, one, _ = moved
    for _ in range(2):
        told = findings_of(link, one)
        assert told["answer"] == "OFFER 10.0.0.11 of scope lan"
        assert told["found"] == "there before it asked; the probation of its address ends when it has that by a lease"
        assert told["ports"]
    assert link._server.book.pool("lan").is_contested(at(11))
    assert [each.address for each in link._server.book.demand.conflicts.of(one.mac, link.site.now)] == [at(11)]
    assert offer(link, one) == IPv4Address("10.0.0.11")


def test_a_dry_run_says_that_no_ports_are_left_where_the_phone_was_found(make_site, make_phone) -> None:
    link = Link(make_site(last=12, blocks=1))
    other, phone = make_phone(link.site, 1), make_phone(link.site, 2)
    other.boot()
    link.hosts = {at(11): phone.mac}
    link.wait(PROBED_S)
    assert findings_of(link, phone)["answer"].startswith("nothing: ")
    assert link._server.book.pool("lan").is_contested(at(11))
