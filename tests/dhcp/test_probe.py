"""DHC-16: addresses are found unused ahead of need, in virtual time."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from random import Random
from typing import Any

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.l2 import ARP

from tests.dhcp.test_server import edited
from voxpath.core.effects import Commit, Datagram, Effect, Emit, Failed, Send
from voxpath.core.errors import RemoteError
from voxpath.dhcp import arp, echo
from voxpath.dhcp import options as code
from voxpath.dhcp.addresses import MAX_DOUBTS, Demand
from voxpath.dhcp.client import Offered, Refused
from voxpath.dhcp.conflicts import MAX_CONFLICTS, MAX_PER_MAC, Conflict, Conflicts
from voxpath.dhcp.event import DhcpExhausted, DhcpStaticRefused
from voxpath.dhcp.event_probe import DhcpConflict, DhcpNotBelieved, DhcpOccupied, DhcpProbeRestored, DhcpProbeUnsent
from voxpath.dhcp.probe import ARP_PORT, ECHO_PORT, MAX_LOOKS, MAX_UNSENT, REQUESTS, RETRY_S, Prober, ProbeSettings
from voxpath.dhcp.question import Question
from voxpath.dhcp.remedy import remedy
from voxpath.dhcp.verified import VerifiedServer
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import Lease, Scope

STRANGER = Mac.parse("06:00:00:00:00:01")
WAIT_S, AGE_S, PROBATION_S = 1.0, 600.0, 3600.0
PROBED_S = WAIT_S * REQUESTS
SETTINGS = ProbeSettings(WAIT_S, 3, AGE_S, PROBATION_S, 0x1234)


def at(number: int) -> IPv4Address:
    return IPv4Address(f"10.0.0.{number}")


class Link:
    """A site whose server is verified, with hosts on its link that answer ARP.

    :ivar hosts: who has which address.
    :ivar asked: the addresses that were asked for, in order, since the list was emptied.
    :ivar beyond: the addresses that answer an echo.
    :ivar cut: why no request leaves; empty: they leave.
    """

    def __init__(self, site, settings: ProbeSettings = SETTINGS) -> None:
        self.site = site
        self.hosts: dict[IPv4Address, Mac] = {}
        self.asked: list[IPv4Address] = []
        self.beyond: set[IPv4Address] = set()
        self.order: list[str] = []
        self.cut = ""
        self.prober = Prober(site.server.book, settings)
        self.core = VerifiedServer(site.server, self.prober)
        self._server, site.server = site.server, self.core

    def run(self, effects: Iterable[Effect]) -> None:
        for effect in list(effects):
            if isinstance(effect, Send) and effect.token is not None and self.cut:
                self.run(self.core.resolve(effect.token, Failed(self.cut), self.site.now))
            elif isinstance(effect, Send) and effect.port == ARP_PORT:
                self._arp(effect)
            elif isinstance(effect, Send) and effect.port == ECHO_PORT:
                if (address := IPv4Address(effect.destination.host)) in self.beyond:
                    self.echoes(address)
            else:
                self.order += ["OFFER"] if isinstance(effect, Send) else []
                self.site.run([effect])

    def _arp(self, effect: Send) -> None:
        address = IPv4Address(ARP(effect.payload).pdst)
        if effect.interface != "eth0":
            return
        self.asked.append(address)
        self.order.append(f"who has {address}")
        if address in self.hosts:
            self.claims(address, self.hosts[address])

    def claims(self, address: IPv4Address, mac: Mac, interface: str = "eth0", operation: int = 2) -> None:
        """Somebody says on the link that he has an address."""
        packet = bytes(ARP(op=operation, hwsrc=str(mac), psrc=str(address), hwdst="02:00:00:00:00:ff", pdst="10.0.0.1"))
        self.hears(packet, interface)

    def hears(self, packet: bytes, interface: str = "eth0") -> None:
        self.run(self.core.receive(Datagram(packet, Endpoint("0.0.0.0", 0), "", interface, ARP_PORT), self.site.now))

    def echoes(self, address: IPv4Address) -> None:
        """Somebody beyond a relay answers for an address."""
        reply = bytes(ICMP(type=0, id=SETTINGS.identifier, seq=1))
        self.run(self.core.receive(Datagram(reply, Endpoint(str(address), 0), port=ECHO_PORT), self.site.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.site.now + seconds
        while (due := self.core.next_due()) is not None and due <= end:
            self.site.now = max(due, self.site.now)
            self.run(self.core.tick(self.site.now))
        self.site.now = end

    def told(self, kind: type) -> list:
        return [event for event in self.site.events if isinstance(event, kind)]

    def stock(self) -> list[IPv4Address]:
        pool = self._server.book.pool("lan")
        return [at(number) for number in range(256) if pool.is_verified(at(number))]


@pytest.fixture
def link(make_site) -> Link:
    """A scope of ten addresses, 10.0.0.10 to 10.0.0.19, and a stock of three."""
    return Link(make_site(last=19))


def offer(link: Link, phone) -> IPv4Address:
    """The address that a phone is offered."""
    seen = len(link.site.sent)
    link.run(link.core.receive(discover(phone), link.site.now))
    answers = [phone.client.read(sent.payload) for sent in link.site.sent[seen:]]
    assert isinstance(answers[0], Offered)
    return answers[0].lease.address


def discover(phone) -> Datagram:
    return Datagram(phone.client.discover(), Endpoint("0.0.0.0", 68), "255.255.255.255", "eth0", "dhcp")


# The stock.


def test_the_stock_is_filled_before_any_phone_asks(link) -> None:
    link.wait(PROBED_S)
    assert link.stock() == [at(10), at(11), at(12)]
    assert [link.asked.count(address) for address in link.stock()] == [REQUESTS] * 3
    assert set(link.asked) >= set(link.stock())


def test_the_limit_of_time_is_kept(link) -> None:
    """An address is not verified a moment before the last wait is over."""
    link.wait(PROBED_S - 0.01)
    assert link.stock() == []
    link.wait(0.01)
    assert len(link.stock()) == 3


def test_an_occupied_address_is_not_offered_and_the_event_names_it_and_who_answered(link, make_phone) -> None:
    link.hosts[at(10)] = STRANGER
    link.wait(PROBED_S)
    (event,) = link.told(DhcpOccupied)
    assert (event.address, event.by, event.scope, event.phone) == ("10.0.0.10", str(STRANGER), "lan", str(STRANGER))
    assert offer(link, make_phone(link.site, 1)) == at(11)


def test_no_phone_gets_an_occupied_address_by_asking_for_it(link, make_phone) -> None:
    link.hosts[at(10)] = STRANGER
    link.wait(PROBED_S)
    phone = make_phone(link.site, 1)
    lease = replace(phone.offer(), address=at(10))
    assert isinstance(phone.ask(phone.client.reboot(lease)), Refused)
    asking = edited(phone.client.discover(), options={code.REQUESTED_ADDRESS: at(10).packed})
    assert phone.ask(asking).lease.address == at(11)


def test_what_was_taken_is_replaced_after_the_offer_and_not_before(link, make_phone) -> None:
    """The order of what leaves: the OFFER first."""
    link.wait(PROBED_S)
    link.order.clear()
    assert offer(link, make_phone(link.site, 1)) == at(10)
    link.wait(0)
    assert link.order == ["OFFER", "who has 10.0.0.13"]
    link.wait(PROBED_S)
    assert link.stock() == [at(11), at(12), at(13)]


def test_an_empty_stock_delays_no_offer_and_the_address_is_looked_at_afterwards(link, make_phone) -> None:
    offered = offer(link, make_phone(link.site, 1))
    assert link.order == ["OFFER"]
    pool = link.site.server._server.book.pool("lan")
    assert pool.unverified == 1
    link.wait(0)
    assert offered in link.asked


def test_an_address_of_the_stock_is_asked_for_again_when_it_is_old(link) -> None:
    link.wait(PROBED_S)
    link.asked.clear()
    link.wait(AGE_S - 1)
    assert link.asked == []
    link.hosts[at(11)] = STRANGER
    link.wait(1 + PROBED_S)
    assert set(link.asked[:3]) == {at(10), at(11), at(12)}
    assert link.told(DhcpOccupied)[0].address == "10.0.0.11"
    link.wait(PROBED_S)
    assert link.stock() == [at(10), at(12), at(13)]


@pytest.mark.parametrize("operation", [1, 2])
def test_who_speaks_of_an_address_unasked_has_it_too(link, operation: int) -> None:
    """A host that announces itself (RFC 5227 section 2.3) while the address stands in the stock."""
    link.wait(PROBED_S)
    link.claims(at(11), STRANGER, operation=operation)
    assert [event.address for event in link.told(DhcpOccupied)] == ["10.0.0.11"]
    assert at(11) not in link.stock()


def test_a_host_that_is_about_to_use_an_address_counts(link) -> None:
    """An ARP Probe (RFC 5227 section 2.1.1) has no sender address; the address that it asks for is meant."""
    link.wait(PROBED_S)
    link.hears(bytes(ARP(op=1, hwsrc=str(STRANGER), psrc="0.0.0.0", pdst="10.0.0.12")))
    assert [event.address for event in link.told(DhcpOccupied)] == ["10.0.0.12"]


def test_what_is_heard_on_another_link_is_not_believed(link) -> None:
    link.wait(PROBED_S)
    link.claims(at(11), STRANGER, interface="eth1")
    assert link.told(DhcpOccupied) == []


def test_the_probation_ends_and_a_free_address_is_given_again(link, make_phone) -> None:
    for number in range(10, 20):
        link.hosts[at(number)] = Mac(b"\x06\0\0\0\0" + bytes((number,)))
    link.wait(PROBED_S * 4)
    assert len(link.told(DhcpOccupied)) == 10
    link.run(link.core.receive(discover(make_phone(link.site, 1)), link.site.now))
    assert link.told(DhcpExhausted)
    link.hosts.clear()
    link.wait(PROBATION_S)
    link.wait(PROBED_S)
    assert link.prober.conflicts.standing(link.site.now) == []
    assert offer(link, make_phone(link.site, 2)) == at(10)


# Addresses that are not free.


def test_a_former_address_that_was_occupied_meanwhile_is_not_given_again(link, make_phone) -> None:
    """It is looked at when the lease ends; the phone gets another one."""
    link.wait(PROBED_S)
    phone = make_phone(link.site, 1)
    lease = phone.boot()
    assert lease.address == at(10)
    link.hosts[at(10)] = STRANGER
    link.wait(3600 + PROBED_S)
    assert [event.address for event in link.told(DhcpOccupied)] == ["10.0.0.10"]
    assert isinstance(phone.ask(phone.client.reboot(lease)), Refused)
    assert phone.boot().address == at(11)
    assert link.site.leases[phone.mac].address == at(11)


def test_a_former_address_is_given_again_after_its_probation(link, make_phone) -> None:
    link.wait(PROBED_S)
    phone = make_phone(link.site, 1)
    phone.boot()
    link.hosts[at(10)] = STRANGER
    link.wait(3600 + PROBED_S)
    link.hosts.clear()
    link.wait(PROBATION_S)
    assert phone.boot().address == at(10)


def test_the_phone_itself_may_answer_for_its_former_address(link, make_phone) -> None:
    """A phone that is off the books and yet on its address takes nothing from itself."""
    link.wait(PROBED_S)
    phone = make_phone(link.site, 1)
    phone.boot()
    link.hosts[at(10)] = phone.mac
    link.wait(3600 + PROBED_S)
    assert link.told(DhcpOccupied) == []
    assert phone.boot().address == at(10)


def lingering(make_site, make_phone) -> tuple[Link, object]:
    """The only address of a scope, whose phone still answers for it when its lease has ended."""
    link = Link(make_site(last=10))
    phone = make_phone(link.site, 1)
    phone.boot()
    link.hosts[at(10)] = phone.mac
    link.wait(3600 + 2 * PROBED_S)
    link.wait(link.site.quarantine_s)
    return link, phone


def test_an_address_that_its_former_phone_still_uses_is_given_to_nobody_else(make_site, make_phone) -> None:
    """Neither by a DISCOVER nor by hand, and a dry run tells it; the phone itself gets it again."""
    link, phone = lingering(make_site, make_phone)
    other = make_phone(link.site, 2)
    assert other.ask(other.client.discover()) is None
    assert (
        link.told(DhcpExhausted)[-1].reason == "no address of scope lan is left; 1 are still used by phones whose lease has ended"
    )
    question = Question(other.mac, b"desk", interface="eth0")
    assert "OFFER" not in {found.step: found.result for found in link._server.explain(question, link.site.now)}["answer"]
    other.ask(other.client.inform(at(10)))
    assert f"still used by {phone.mac}" in link.told(DhcpStaticRefused)[-1].reason
    link.wait(10 * PROBATION_S)
    assert other.ask(other.client.discover()) is None
    assert link._server.scopes(link.site.now)[0][1].used == 1
    assert phone.boot().address == at(10)


@pytest.mark.parametrize("doubts", [0, MAX_DOUBTS])
def test_it_is_anothers_when_a_later_look_does_not_find_the_former_phone(make_site, make_phone, doubts: int) -> None:
    """Also if there was no room for that look at first."""
    link, _ = lingering(make_site, make_phone)
    link.hosts.clear()
    link.wait(PROBATION_S - link.site.quarantine_s - 2 * PROBED_S)
    for number in range(doubts):
        link._server.book.demand.doubt("lan", IPv4Address(0x0B000000 + number))
    other = make_phone(link.site, 2)
    assert other.ask(other.client.discover()) is None
    link.wait(2 * PROBATION_S)
    assert other.boot().address == at(10)


@pytest.mark.parametrize("by_hand", [False, True])
def test_who_is_refused_an_address_for_its_former_phone_has_it_looked_at_and_gets_it_when_asking_again(
    make_site, make_phone, by_hand: bool
) -> None:
    """A phone was exchanged: the new one does not wait for the next look of its own accord."""
    link, _ = lingering(make_site, make_phone)
    link.hosts.clear()
    other = make_phone(link.site, 2)
    for _ in range(2):
        other.ask(other.client.inform(at(10)) if by_hand else other.client.discover())
        link.wait(PROBED_S)
    if by_hand:
        assert link.site.leases[other.mac].address == at(10)
    else:
        assert other.boot().address == at(10)


def restarted(link: Link) -> Link:
    """The gateway starts again; the hosts on its link go on."""
    link.site.start()
    again = Link(link.site)
    again.hosts = link.hosts
    return again


@pytest.mark.parametrize("waited_s", [0.0, PROBED_S, 10 * PROBATION_S])
def test_a_restart_gives_no_former_address_away_that_its_phone_still_uses(make_site, make_phone, waited_s: float) -> None:
    """Neither before the first look at it nor after that."""
    link, phone = lingering(make_site, make_phone)
    link = restarted(link)
    link.wait(waited_s)
    other = make_phone(link.site, 2)
    assert other.ask(other.client.discover()) is None
    assert phone.boot().address == at(10)


def settled(make_site, make_phone, linked=Link) -> tuple[Link, Any, Any]:
    """A phone whose address by hand is its own for an hour, and another phone."""
    site = make_site()
    site.scopes = [replace(scope, static_s=3600) for scope in site.scopes]
    site.start()
    link = linked(site)
    one, two = make_phone(site, 1), make_phone(site, 2)
    one.ask(one.client.inform(at(100)))
    return link, one, two


def test_a_restart_gives_no_address_by_hand_away_that_its_phone_still_uses(make_site, make_phone) -> None:
    """Before the first look another phone hears that it has to wait, and after it who is there."""
    link, one, two = settled(make_site, make_phone)
    link.hosts[at(100)] = one.mac
    link.wait(3600 + link.site.quarantine_s)
    link = restarted(link)
    for reason in (f"is looked at first, since {one.mac} may use it", f"still used by {one.mac}, which answers for it"):
        two.ask(two.client.inform(at(100)))
        assert reason in link.told(DhcpStaticRefused)[-1].reason
        link.wait(PROBED_S)
    assert two.mac not in link.site.leases


FORMER = MAX_DOUBTS + 500


def crowded(make_site) -> Link:
    """A start with more leases that have ended than doubts are noted; no address is free."""
    site = make_site()
    first = IPv4Address("10.0.1.0")
    site.scopes = [replace(site.scopes[0], subnet=IPv4Network("10.0.0.0/16"), first=first, last=first + FORMER - 1)]
    site.leases = {
        (mac := Mac(b"\2\0\0\1" + number.to_bytes(2, "big"))): Lease(mac, b"", "lan", first + number, "desk", "", 500.0 - number)
        for number in range(FORMER)
    }
    site.start()
    return Link(site)


def test_every_former_address_is_looked_at_before_another_phone_gets_it_however_many_there_are(make_site, make_phone) -> None:
    """The one whose lease ended first is looked at for who asks, and is his when he asks again."""
    link = crowded(make_site)
    link.wait(0)
    other, last = make_phone(link.site, 2), IPv4Address("10.0.1.0") + FORMER - 1
    assert other.ask(other.client.discover()) is None
    assert f"left; {FORMER} are looked at first" in link.told(DhcpExhausted)[-1].reason
    assert link._server.scopes(link.site.now)[0][1].kept == FORMER, "that is no reason to warn"
    link.wait(PROBED_S)
    assert link.asked.count(last) >= REQUESTS
    assert other.offer().address == last
    link.wait(PROBED_S * (FORMER / MAX_LOOKS + 3))
    assert len(set(link.asked)) == FORMER
    assert link.prober._looks == 0
    assert make_phone(link.site, 3).offer().address == last, "the first offer has run out"
    assert link.core.next_due() == 0.0, "what was given is looked at"
    link.wait(PROBED_S)
    assert not link._server.book.demand.unseen


def test_the_looks_go_on_when_a_former_address_is_just_being_probed_as_a_free_one(make_site, make_phone) -> None:
    """It was free when the probe began: a phone got it and gave it back since."""
    link = Link(make_site(last=13))
    one, two = make_phone(link.site, 1), make_phone(link.site, 2)
    link.wait(PROBED_S)
    before = two.boot()
    link.wait(AGE_S + WAIT_S / 2)
    one.ask(one.client.release(one.boot()))
    two.ask(two.client.release(before))
    link.asked.clear()
    link.wait(2 * PROBED_S)
    assert before.address in link.asked


@pytest.mark.parametrize("change", ["none", "an order"])
def test_a_former_address_that_cannot_be_put_on_probation_is_nobody_elses_until_a_later_look(make_site, make_phone, change) -> None:
    """For want of room, or during a change; it is not asked for again and again meanwhile."""
    link = Link(make_site(last=10))
    one, two = make_phone(link.site, 1), make_phone(link.site, 2)
    one.boot()
    link.wait(3600 - 1)
    link.hosts[at(10)] = STRANGER
    for number in range(MAX_CONFLICTS if change == "none" else 0):
        link.prober.conflicts.add(Conflict(IPv4Address(0x0B000000 + number), "lan", None, link.site.now + 10))
    link.wait(1 - WAIT_S / 2)
    link.asked.clear()
    link.run(link._server.orders.withdraw_lease(one.mac, link.site.now))
    link.site.holding = change != "none"
    if link.site.holding:
        link.run(link._server.orders.reserve(one.mac, None, link.site.now))
    link.wait(PROBED_S)
    link.site.holding = False
    for effect in link.site.held:
        link.site.conclude(effect)
    link.wait(link.site.quarantine_s)
    assert (link.told(DhcpOccupied), link.asked) == ([], [at(10)])
    assert two.ask(two.client.discover()) is None
    link.wait(PROBATION_S)
    assert [event.by for event in link.told(DhcpOccupied)] == [str(STRANGER)]


@pytest.mark.parametrize("why", ["not probed", "no route"])
def test_former_addresses_are_given_away_in_their_order_where_nothing_can_be_looked_at(make_site, make_phone, why: str) -> None:
    link, first = crowded(make_site), IPv4Address("10.0.1.0")
    if why == "not probed":
        link.prober = Prober(link._server.book, SETTINGS, without=["lan"])
        link.core = link.site.server = VerifiedServer(link._server, link.prober)
    link.cut = NO_ROUTE
    link.wait(2 * RETRY_S)
    assert [make_phone(link.site, number).offer().address for number in (2, 3)] == [first + FORMER - 1, first + FORMER - 2]
    link.cut = ""
    link.wait(RETRY_S + PROBED_S * (FORMER / MAX_LOOKS + 3))
    assert len(set(link.asked)) == (0 if why == "not probed" else FORMER), "as soon as it works they are looked at"


def test_a_former_address_is_looked_at_before_another_phone_gets_it_unless_an_operator_ended_the_lease(
    make_site, make_phone
) -> None:
    """Also where no quarantine leaves time for that."""
    link = Link(make_site(last=10, quarantine_s=0.0))
    one, two, three = (make_phone(link.site, number) for number in (1, 2, 3))
    one.ask(one.client.release(one.boot()))
    link.wait(PROBED_S - 0.1)
    assert two.ask(two.client.discover()) is None
    link.wait(0.1)
    assert two.boot().address == at(10)
    link.run(link._server.orders.withdraw_lease(two.mac, link.site.now))
    assert three.boot().address == at(10)


def test_what_another_machine_claims_while_the_former_phone_is_there_ends_with_its_probation(make_site, make_phone) -> None:
    link, _ = lingering(make_site, make_phone)
    link.hosts[at(10)] = STRANGER
    link.wait(PROBATION_S + PROBED_S)
    assert [event.by for event in link.told(DhcpOccupied)] == [str(STRANGER)]
    link.hosts.clear()
    link.wait(PROBATION_S + PROBED_S)
    assert make_phone(link.site, 2).boot().address == at(10)


@pytest.mark.parametrize("change", ["an order", "a lease that is not stored"])
def test_a_former_address_whose_look_ends_during_a_change_gives_way_when_that_is_over(make_site, make_phone, change: str) -> None:
    link = Link(make_site(last=10))
    site, orders = link.site, link._server.orders
    one, two = make_phone(site, 1), make_phone(site, 2)
    lease = one.boot()
    link.run(orders.withdraw_lease(one.mac, site.now))
    link.wait(PROBED_S / 2)
    site.holding = True
    if change == "an order":
        link.run(orders.reserve(one.mac, None, site.now))
    else:
        site.tell(one.client.reboot(lease))
    link.wait(PROBED_S)
    site.holding = False
    site.conclude(site.held.pop(), fail=change != "an order")
    link.wait(site.quarantine_s)
    assert two.boot().address == at(10)


def test_another_machine_on_a_leased_address_is_told_and_the_phone_keeps_it(link, make_phone) -> None:
    """The address was given unverified; it was looked at after that."""
    phone = make_phone(link.site, 1)
    lease = phone.boot()
    link.hosts[lease.address] = STRANGER
    link.wait(PROBED_S)
    (event,) = link.told(DhcpConflict)
    assert (event.phone, event.address, event.by) == (str(phone.mac), str(lease.address), str(STRANGER))
    assert event.text == (
        f"{STRANGER} uses 10.0.0.10, which is leased to {phone.mac}; set another address on {STRANGER}, or let that one ask by DHCP"
    )
    assert phone.ask(phone.client.renew(lease)).lease.address == lease.address


def test_a_machine_on_an_address_on_offer_is_told_of_the_phone_that_it_is_on_offer_to(link, make_phone) -> None:
    """A free address that was not verified; the phone itself may say that it has it now."""
    phone = make_phone(link.site, 1)
    address = offer(link, phone)
    link.wait(0)
    link.claims(address, phone.mac)
    assert link.told(DhcpConflict) == []
    link.claims(address, STRANGER)
    (event,) = link.told(DhcpConflict)
    assert (event.phone, event.by, event.state) == (str(phone.mac), str(STRANGER), "on offer")


def test_a_former_phone_on_its_address_that_is_on_offer_to_another_is_the_machine_that_is_told_of(make_site, make_phone) -> None:
    """And the address is offered to nobody else again while it is there."""
    link = Link(make_site(last=10))
    former, other = make_phone(link.site, 1), make_phone(link.site, 2)
    former.boot()
    link.wait(3600 + 200)
    assert offer(link, other) == at(10)
    link.hosts[at(10)] = former.mac
    link.wait(PROBED_S)
    (event,) = link.told(DhcpConflict)
    assert (event.phone, event.by, event.state) == (str(other.mac), str(former.mac), "on offer")
    link.wait(100)
    assert other.ask(other.client.discover()) is None
    link.hosts.clear()
    link.wait(PROBATION_S)
    assert offer(link, other) == at(10)


@pytest.mark.parametrize("where", ["on the link", "beyond a relay"])
def test_an_address_that_its_former_phone_is_found_to_use_is_not_acknowledged_to_the_phone_that_was_offered_it(
    make_site, make_phone, where: str
) -> None:
    site = make_site(last=10)
    link = Link(site) if where == "on the link" else relayed(site)
    former, other = make_phone(site, 1), make_phone(site, 2)
    former.boot()
    link.wait(3600 + 200)
    lease = other.offer()
    link.hosts[at(10)] = former.mac
    link.beyond.add(at(10))
    link.wait(PROBED_S)
    assert [event.phone for event in link.told(DhcpConflict)] == [str(other.mac)]
    assert other.ask(other.client.request(lease)) is None
    assert "still used by phones whose lease has ended" in link.told(DhcpExhausted)[-1].reason
    assert former.boot().address == at(10)


@pytest.mark.parametrize("remembered", [False, True])
def test_an_offer_whose_address_another_machine_answers_for_is_taken_back_and_its_request_refused(
    link, make_phone, remembered: bool
) -> None:
    """Whether it was free or the phone's own before: it is told, and the phone gets another one."""
    phone = make_phone(link.site, 1)
    if remembered:
        phone.boot()
        link.wait(3600 + 200)
    lease = phone.offer()
    link.hosts[lease.address] = STRANGER
    link.wait(PROBED_S)
    assert [event.state for event in link.told(DhcpConflict)] == ["on offer"]
    assert [event.address for event in link.told(DhcpOccupied)] == [str(lease.address)]
    assert isinstance(phone.ask(phone.client.request(lease)), Refused)
    assert phone.boot().address != lease.address


def test_an_address_that_is_being_acknowledged_when_another_machine_answers_for_it_stays_its_phones(link, make_phone) -> None:
    """What is being stored is not undone; the phone may decline it."""
    phone = make_phone(link.site, 1)
    lease = phone.offer()
    link.site.holding = True
    phone.ask(phone.client.request(lease))
    link.hosts[lease.address] = STRANGER
    link.wait(PROBED_S)
    assert [event.state for event in link.told(DhcpConflict)] == ["on offer"]
    link.site.holding = False
    while link.site.held:
        link.site.conclude(link.site.held.pop(0))
    assert link._server.lease_of(phone.mac).address == lease.address
    assert link.told(DhcpOccupied) == []


def test_a_reserved_address_is_looked_at_before_its_phone_comes(make_site, make_phone) -> None:
    phone_mac = make_phone(make_site(), 7).mac
    link = Link(make_site(reservations={phone_mac: at(200)}))
    link.hosts[at(200)] = STRANGER
    link.wait(PROBED_S)
    assert [event.address for event in link.told(DhcpOccupied)] == ["10.0.0.200"]
    link.run(link.core.receive(discover(make_phone(link.site, 7)), link.site.now))
    assert "10.0.0.200" in link.told(DhcpExhausted)[0].reason
    link.hosts[at(200)] = phone_mac
    link.wait(PROBATION_S + PROBED_S)
    assert len(link.told(DhcpOccupied)) == 1
    assert make_phone(link.site, 7).boot().address == at(200)


def test_a_phone_that_returns_to_its_reserved_address_does_not_get_it_while_another_machine_answers(make_site, make_phone) -> None:
    """Neither by asking for it again nor by asking anew: the reservation leaves it no other address."""
    phone_mac = make_phone(make_site(), 7).mac
    link = Link(make_site(reservations={phone_mac: at(200)}))
    phone = make_phone(link.site, 7)
    former = phone.boot()
    link.hosts[at(200)] = STRANGER
    link.wait(3600 + PROBED_S)
    assert isinstance(phone.ask(phone.client.reboot(former)), Refused)
    assert phone.ask(phone.client.discover()) is None
    assert "another machine answers for the reserved address 10.0.0.200" in link.told(DhcpExhausted)[0].reason


# Bounds.


def test_one_machine_cannot_claim_all_addresses(make_site, make_phone) -> None:
    """A router with proxy ARP, or an attacker: phones get addresses all the same, and an event names the machine."""
    link = Link(make_site(last=100))
    link.hosts.update({at(number): STRANGER for number in range(10, 101)})
    link.wait(60 * PROBED_S)
    assert len(link.told(DhcpOccupied)) == MAX_PER_MAC
    (event,) = link.told(DhcpNotBelieved)
    assert (event.phone, event.addresses) == (str(STRANGER), MAX_PER_MAC)
    assert offer(link, make_phone(link.site, 1)) == at(10 + MAX_PER_MAC)


def test_looks_and_doubts_are_bounded(make_site) -> None:
    demand = Demand()
    for number in range(MAX_DOUBTS + 5):
        demand.doubt("lan", IPv4Address(0x0A000000 + number))
    assert (len(demand.doubts), demand.overlooked) == (MAX_DOUBTS, 5)
    site = make_site()
    site.server.book.demand.doubts.update(demand.doubts)
    link = Link(site)
    link.wait(0)
    assert link.prober._looks == MAX_LOOKS
    link.wait(PROBED_S * (MAX_DOUBTS / MAX_LOOKS + 1))
    assert (link.prober._looks, len(site.server._server.book.demand.doubts)) == (0, 0)


def test_conflicts_are_bounded_and_counted_by_machine() -> None:
    conflicts = Conflicts()
    for number in range(MAX_CONFLICTS):
        conflicts.add(Conflict(IPv4Address(number), "lan", STRANGER, 10.0 + number))
    conflicts.add(Conflict(IPv4Address(0), "lan", None, 11.0))
    assert (len(conflicts), conflicts.answers(STRANGER, 0.0)) == (MAX_CONFLICTS, MAX_CONFLICTS - 1)
    assert conflicts.answers(STRANGER, 10.0 + MAX_CONFLICTS) == 0
    assert len(conflicts) == 0


def test_a_scope_that_cannot_be_probed_is_served_unverified(make_site, make_phone) -> None:
    """A VLAN that the kernel has no interface for."""
    site = make_site()
    prober = Prober(site.server.book, SETTINGS, without=["lan"])
    assert make_phone(site, 1).boot().address == at(10)
    assert {effect.interface for effect in prober.tick(site.now)} == {"eth1"}
    assert [name for name, _ in prober.summary(site.now)] == ["free addresses of attic"]


def test_the_prober_rests_when_there_is_nothing_to_do(link) -> None:
    """A scope with fewer free addresses than the stock holds must not keep it busy."""
    for number in range(12, 20):
        link._server.book.pool("lan").take_exactly(at(number))
    link.wait(PROBED_S)
    assert link.stock() == [at(10), at(11)]
    assert link.core.next_due() == link.site.now + AGE_S


@pytest.mark.parametrize("seed", range(10))
def test_random_histories_leave_nothing_behind(make_site, make_phone, seed: int) -> None:
    """No phone is offered an address that the prober knows to be occupied, and no probe stays under way."""
    chance = Random(seed)
    link = Link(make_site(last=25, blocks=32))
    for step in range(300):
        choice = chance.random()
        address = at(chance.randrange(8, 28))
        if choice < 0.3:
            known = link._server.book.pool("lan").is_contested
            phone = make_phone(link.site, chance.randrange(1, 12))
            seen = len(link.site.sent)
            link.run(link.core.receive(discover(phone), link.site.now))
            for sent in link.site.sent[seen:]:
                lease = phone.client.read(sent.payload).lease
                assert not known(lease.address), step
                request = phone.client.request(lease) if chance.random() < 0.6 else phone.client.decline(lease)
                link.run(
                    link.core.receive(Datagram(request, Endpoint("0.0.0.0", 68), "255.255.255.255", "eth0", "dhcp"), link.site.now)
                )
        elif choice < 0.5:
            link.hosts[address] = Mac(b"\x06\0\0\0\0" + bytes((chance.randrange(3),)))
        elif choice < 0.7:
            link.hosts.pop(address, None)
        else:
            link.wait(chance.choice((0.0, 0.5, 3.0, 70.0, 700.0, 4000.0)))
    link.hosts.clear()
    link.wait(20_000)
    pool = link._server.book.pool("lan")
    assert pool.drawn == link.prober._looks == 0
    assert set(link.prober._under_way) <= set(link.stock())
    assert pool.stocked == SETTINGS.stock or pool.draw() is None
    assert link.prober.conflicts.standing(link.site.now) == []


# Beyond a relay.


def relayed(site) -> Link:
    """The prober sends echoes; phones are heard as on the link, which makes no difference to it."""
    book = site.server.book
    book.scopes = {name: replace(scope, relays=(IPv4Address("10.0.0.1"),)) for name, scope in book.scopes.items()}
    return Link(site)


@pytest.fixture
def beyond(make_site) -> Link:
    return relayed(make_site(last=12))


def test_beyond_a_relay_an_echo_asks(beyond) -> None:
    effects = beyond.core.tick(beyond.site.now)
    (first, *_) = effects
    assert isinstance(first, Send)
    assert (first.port, first.destination, first.interface, first.link) == (ECHO_PORT, Endpoint("10.0.0.10", 0), "", b"")
    packet = ICMP(first.payload)
    assert (packet.type, packet.id, packet.seq) == (8, 0x1234, 1)
    assert bytes(ICMP(type=8, id=0x1234, seq=1)) == first.payload
    answer = bytes(ICMP(type=0, id=0x1234, seq=1))
    told = list(beyond.core.receive(Datagram(answer, Endpoint("10.0.0.10", 0), port=ECHO_PORT), beyond.site.now))
    assert isinstance(told[0], Emit)
    assert (
        told[0].event.text == "a machine beyond a relay uses 10.0.0.10 of scope lan without a lease; it is not given out for 3600 s"
    )


def test_who_is_on_the_way_to_a_relay_cannot_claim_addresses_beyond_it_by_arp(beyond) -> None:
    """He would keep phones from them, or get one that he answers for when he asks by that relay."""
    beyond.wait(WAIT_S / 2)
    beyond.claims(at(10), STRANGER)
    beyond.wait(PROBED_S)
    beyond.claims(at(10), STRANGER)
    assert beyond.stock() == [at(10), at(11), at(12)]


def test_who_is_beyond_a_relay_cannot_claim_addresses_of_the_own_link_by_echo(link) -> None:
    """Nobody was asked so, and anybody can write such a reply."""
    link.wait(WAIT_S / 2)
    link.echoes(at(10))
    link.wait(PROBED_S)
    link.echoes(at(10))
    assert link.stock() == [at(10), at(11), at(12)]


def test_an_occupied_address_is_found_by_echo_when_as_many_as_there_is_room_for_have_ended(beyond) -> None:
    """Nobody else has looked at them meanwhile."""
    book, now = beyond._server.book, beyond.site.now
    for number in range(MAX_CONFLICTS):
        beyond.prober.conflicts.add(Conflict(IPv4Address(0x0B000000 + number), "lan", None, now + PROBATION_S))
    beyond.echoes(at(10))
    assert not book.pool("lan").is_contested(at(10)), "there is no room"
    beyond.wait(PROBATION_S + AGE_S)
    beyond.echoes(at(10))
    assert book.pool("lan").is_contested(at(10))


def test_a_phone_that_answers_an_echo_at_its_former_address_keeps_it_from_others_and_gets_it_again(make_site, make_phone) -> None:
    """It is off the books and yet on: nothing tells it from another machine, and it must not lose its address by that."""
    link = relayed(make_site(last=10))
    one, two = make_phone(link.site, 1), make_phone(link.site, 2)
    one.boot()
    link.beyond.add(at(10))
    link.wait(3600 + 200)
    assert link.told(DhcpOccupied) == []
    assert two.ask(two.client.discover()) is None
    assert one.boot().address == at(10)


def test_a_phone_that_answers_an_echo_at_its_address_by_hand_keeps_it_from_others_and_gets_it_again(make_site, make_phone) -> None:
    link, one, two = settled(make_site, make_phone, relayed)
    link.beyond.add(at(100))
    link.wait(3600 + 200)
    two.ask(two.client.inform(at(100)))
    assert f"still used by {one.mac}" in link.told(DhcpStaticRefused)[-1].reason
    one.ask(one.client.inform(at(100)))
    assert link._server.lease_of(one.mac).address == at(100)


def test_a_phone_that_answers_an_echo_at_the_address_that_is_reserved_for_it_gets_it(make_site, make_phone) -> None:
    """It has the address from the server before this one."""
    link = relayed(make_site(reservations={make_phone(make_site(), 7).mac: at(200)}))
    link.beyond.add(at(200))
    link.wait(2 * PROBED_S)
    assert make_phone(link.site, 7).boot().address == at(200)


def test_an_echo_of_others_says_nothing(beyond) -> None:
    beyond.core.tick(beyond.site.now)
    for packet in (ICMP(type=0, id=0x4321, seq=1), ICMP(type=3, code=1), ICMP(type=8, id=0x1234, seq=1)):
        assert list(beyond.core.receive(Datagram(bytes(packet), Endpoint("10.0.0.10", 0), port=ECHO_PORT), beyond.site.now)) == []


# Requests that do not leave.

NO_ROUTE = "No route to host"


def verified(link: Link, number: int) -> str:
    """What a dry run tells of the address that a phone would get."""
    question = Question(Mac(b"\x02\0\0\0\x0a" + bytes((number,))), b"desk", interface="eth0")
    return {found.step: found.result for found in link._server.explain(question, link.site.now)}["verified"]


@pytest.fixture(params=["on the link", "beyond a relay"])
def anywhere(request, make_site) -> Link:
    site = make_site(last=19)
    relays = (IPv4Address("10.0.0.1"),) if request.param == "beyond a relay" else ()
    site.server.book.scopes = {name: replace(scope, relays=relays) for name, scope in site.server.book.scopes.items()}
    return Link(site)


def test_an_address_whose_probe_was_not_sent_does_not_count_as_verified(anywhere) -> None:
    anywhere.cut = NO_ROUTE
    anywhere.wait(100 * PROBED_S)
    assert anywhere.stock() == []
    shown = dict(anywhere.prober.summary(anywhere.site.now))["free addresses of lan"]
    todo = remedy(anywhere._server.book.scopes["lan"])
    assert shown == f"0 verified, 3 being probed, 0 were given unverified; probes are not sent: {NO_ROUTE}; {todo}"


def test_one_event_for_each_scope_says_which_probe_was_not_sent_and_why_and_one_that_it_is_over(anywhere) -> None:
    anywhere.cut = NO_ROUTE
    anywhere.wait(10 * RETRY_S)
    events = anywhere.told(DhcpProbeUnsent)
    assert sorted((event.scope, event.address) for event in events) == [("attic", "10.0.1.10"), ("lan", "10.0.0.10")]
    todo = remedy(anywhere._server.book.scopes["lan"])
    assert next(event for event in events if event.scope == "lan").text == (
        "the probe of 10.0.0.10 was not sent: No route to host; "
        f"{todo}; addresses of scope lan are offered unverified until that works"
    )
    anywhere.cut = ""
    anywhere.wait(RETRY_S + PROBED_S)
    assert len(anywhere.stock()) == 3
    assert sorted(event.scope for event in anywhere.told(DhcpProbeRestored)) == ["attic", "lan"]
    assert "not sent" not in dict(anywhere.prober.summary(anywhere.site.now))["free addresses of lan"]


def test_beyond_a_relay_the_event_names_the_command_for_the_missing_route() -> None:
    server, first, last = map(IPv4Address, ("10.9.0.1", "10.2.0.10", "10.2.0.20"))
    lan = Scope("lan", "eth0", IPv4Network("10.2.0.0/24"), server, first, last, "site")
    assert remedy(lan) == "see that eth0 is there and up"
    far = replace(lan, relays=(IPv4Address("10.2.0.1"), IPv4Address("10.9.0.2")))
    assert remedy(far) == (
        "write the missing route, such as ip route replace 10.2.0.0/24 via 10.9.0.2 dev eth0, "
        "or let this host's firewall pass ICMP echo"
    )
    assert "via ROUTER dev eth0" in remedy(replace(lan, relays=(IPv4Address("10.2.0.1"),))), "the side of its phones leads nowhere"


def test_phones_are_served_while_no_probe_can_be_sent(link, make_phone) -> None:
    link.cut = NO_ROUTE
    link.wait(PROBED_S)
    addresses = {offer(link, make_phone(link.site, number)) for number in range(1, 6)}
    assert len(addresses) == 5
    link.cut = ""
    link.wait(RETRY_S + PROBED_S)
    assert addresses <= set(link.asked), "those that were given are looked at when it works again"


def test_a_verified_address_that_cannot_be_asked_for_again_is_verified_no_longer(link) -> None:
    link.wait(PROBED_S)
    assert len(link.stock()) == 3
    link.cut = NO_ROUTE
    link.wait(AGE_S)
    assert link.stock() == []
    link.cut = ""
    link.wait(RETRY_S + PROBED_S)
    assert len(link.stock()) == 3


def test_only_requests_that_left_one_after_the_other_count(link) -> None:
    """The second of three did not leave: three more have to."""
    link.wait(WAIT_S / 2)
    link.cut = NO_ROUTE
    link.wait(WAIT_S)
    link.cut = ""
    link.asked.clear()
    link.wait(RETRY_S + PROBED_S)
    assert [link.asked.count(address) for address in link.stock()] == [REQUESTS] * 3


def test_what_waits_for_a_route_is_bounded_and_takes_no_place_of_other_looks(make_site) -> None:
    site = make_site()
    for number in range(MAX_UNSENT + 50):
        site.server.book.demand.doubt("lan", IPv4Address(0x0A000000 + 20 + number))
    link = Link(site)
    link.cut = NO_ROUTE
    link.wait(PROBED_S)
    assert link.prober._looks == 0
    assert len(link.prober._under_way) <= MAX_UNSENT + 2 * SETTINGS.stock
    assert site.server._server.book.demand.overlooked >= 50
    link.cut = ""
    link.wait(RETRY_S + 2 * PROBED_S)
    assert set(link.prober._under_way) <= set(link.stock())


def test_a_dry_run_tells_whether_the_address_is_verified_and_why_it_is_not(link, make_site) -> None:
    assert verified(link, 1) == "no: its probe is not over; it is looked at when it is given"
    link.wait(PROBED_S)
    assert verified(link, 1) == "yes: nobody answered for 10.0.0.10 lately"
    link.cut = NO_ROUTE
    link.wait(AGE_S)
    assert verified(link, 1) == f"no: its probe was not sent: {NO_ROUTE}; see that eth0 is there and up"
    site = make_site()
    question = Question(Mac(b"\x02\0\0\0\x0a\1"), b"desk", interface="eth0")
    unprobed = {found.step: found.result for found in site.server.explain(question, site.now)}
    assert unprobed["verified"] == "no: addresses of scope lan are not probed"


def test_a_remembered_address_that_gives_way_counts_as_given_unverified_and_a_dry_run_says_so(make_site, make_phone) -> None:
    link = Link(make_site(last=10))
    former = make_phone(link.site, 1)
    former.boot()
    link.wait(3600 + 200)
    pool = link._server.book.pool("lan")
    before = pool.unverified
    assert verified(link, 2) == f"no: it is remembered for {former.mac}; it is looked at when it is given"
    assert pool.unverified == before, "nothing was given by asking"
    link.asked.clear()
    assert offer(link, make_phone(link.site, 2)) == at(10)
    assert pool.unverified == before + 1
    link.wait(0)
    assert link.asked == [at(10)]


@pytest.mark.parametrize("wished", [False, True])
def test_an_address_that_is_not_given_for_want_of_a_block_counts_as_nothing_and_stays_verified(
    make_site, make_phone, wished: bool
) -> None:
    """In a group each scope is asked twice; what was found unused stays so."""
    site = make_site(last=19, blocks=1)
    site.scopes = [replace(site.scopes[0], group="floor"), replace(site.scopes[1], interface="eth0", group="floor")]
    site.start()
    make_phone(site, 1).boot()
    link = Link(site)
    pools = [link._server.book.pool(name) for name in ("lan", "attic")]
    late = make_phone(site, 2)
    payload = edited(late.client.discover(), options={code.REQUESTED_ADDRESS: at(12).packed} if wished else {})

    def states() -> list[tuple[int, ...]]:
        return [(pool.unverified, pool.stocked, pool.drawn, pool.taken) for pool in pools]

    assert states() == [(1, 0, 0, 1), (0, 0, 0, 0)]
    for _ in range(2):
        before = states()
        assert late.ask(payload) is None
        assert "no block of 64 ports" in link.told(DhcpExhausted)[-1].reason
        assert states() == before
        link.wait(PROBED_S)
        assert link.stock() == [at(11), at(12), at(13)]


# The packets.


def test_the_question_names_the_server_and_is_no_probe_in_the_sense_of_rfc_5227() -> None:
    packet = ARP(arp.request(at(10), at(1)))
    assert (packet.op, packet.psrc, packet.pdst, packet.hwsrc, packet.plen) == (1, "10.0.0.1", "10.0.0.10", "00:00:00:00:00:00", 4)


def test_cut_off_packets_are_refused_and_foreign_ones_passed_over() -> None:
    with pytest.raises(RemoteError, match="ARP packet of 27 octets"):
        arp.read_claim(arp.request(at(10), at(1))[:27])
    with pytest.raises(RemoteError, match="ICMP message of 7 octets"):
        echo.is_reply(echo.request(1, 1)[:7], 1)
    assert arp.read_claim(b"\0\x06" + arp.request(at(10), at(1))[2:]) is None


def test_what_ctl_shows(link) -> None:
    link.hosts[at(10)] = STRANGER
    link.wait(PROBED_S)
    shown = dict(link.prober.summary(link.site.now))
    assert shown["probation of 10.0.0.10"].startswith(f"{STRANGER} answers for it; 35")
    assert shown["free addresses of lan"] == "3 verified, 0 being probed, 0 were given unverified"


@pytest.mark.parametrize("waited_s", [0.0, PROBED_S / 2, PROBED_S])
def test_a_dry_run_leaves_the_stock_and_its_order_and_what_is_being_probed(link, make_phone, waited_s: float) -> None:
    """Before, while and after the stock is filled: the next phone gets what was told."""
    link.wait(waited_s)
    phone, server = make_phone(link.site, 1), link.site.server._server
    before = list(link.prober.summary(link.site.now))
    question = Question(phone.mac, b"desk", interface="eth0")
    (told,) = {dict(server.explain(question, link.site.now))["answer"] for _ in range(5)}
    assert list(link.prober.summary(link.site.now)) == before
    assert told == f"OFFER {offer(link, phone)} of scope lan"
    link.wait(PROBED_S)
    assert dict(link.prober.summary(link.site.now))["free addresses of lan"].startswith("3 verified, 0 being probed")


def test_commits_of_the_server_pass_through(link, make_phone) -> None:
    """An ACK waits for its commit as it does without a prober."""
    link.wait(PROBED_S)
    link.site.holding = True
    phone = make_phone(link.site, 1)
    offered = phone.offer()
    assert phone.ask(phone.client.request(offered)) is None
    (commit,) = link.site.held
    assert isinstance(commit, Commit)
