"""Several scopes on one link, and super-scopes: who gets which, and when the next one gives (DHC-14)."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from voxpath.dhcp.client import Acknowledged, Refused
from voxpath.dhcp.event import AddressesLow, AddressesRecovered, DhcpExhausted
from voxpath.model.phone import Reservation, Scope


def at(third: int, number: int) -> IPv4Address:
    return IPv4Address(f"10.0.{third}.{number}")


def second(group: str) -> Scope:
    return Scope("second", "eth0", IPv4Network("10.0.5.0/24"), at(5, 1), at(5, 10), at(5, 11), "site", group=group)


@pytest.fixture
def make_super(make_site):
    def make(group: str = "floor", other: str | None = None):
        site = make_site(last=11)
        site.scopes = [replace(site.scopes[0], group=group), site.scopes[1], second(group if other is None else other)]
        site.start()
        return site

    return make


def test_an_exhausted_scope_spills_over_into_the_next_of_its_group(make_super, make_phone) -> None:
    site = make_super()
    leases = [make_phone(site, number).boot() for number in range(4)]
    assert [str(lease.address) for lease in leases] == ["10.0.0.10", "10.0.0.11", "10.0.5.10", "10.0.5.11"]
    assert [str(lease.server) for lease in leases] == ["10.0.0.1", "10.0.0.1", "10.0.5.1", "10.0.5.1"]
    late = make_phone(site, 5)
    assert late.ask(late.client.discover()) is None
    reasons = site.last_event(DhcpExhausted).reason.split("; ")
    assert len(reasons) == 2, "each scope of the group says why it gives nothing"
    assert all("is left" in reason for reason in reasons)


@pytest.mark.parametrize(("group", "other"), [("", ""), ("floor", "cellar"), ("floor", "")])
def test_scopes_of_different_groups_do_not_help_each_other(make_super, make_phone, group, other) -> None:
    site = make_super(group, other)
    for number in range(2):
        make_phone(site, number).boot()
    late = make_phone(site, 5)
    assert late.ask(late.client.discover()) is None


def test_a_phone_stays_in_the_scope_that_it_was_in(make_super, make_phone) -> None:
    """A phone that spilled over keeps its address when the first scope has room again."""
    site = make_super()
    first, *_, last = phones = [make_phone(site, number) for number in range(3)]
    leases = [phone.boot() for phone in phones]
    first.ask(first.client.release(leases[0]))
    assert last.boot().address == leases[2].address
    assert isinstance(last.ask(last.client.renew(leases[2])), Acknowledged)
    assert isinstance(last.ask(last.client.reboot(leases[2])), Acknowledged)


def test_a_request_for_an_address_of_the_group_gets_it(make_super, make_phone) -> None:
    site = make_super()
    phone = make_phone(site, 1)
    lease = phone.boot()
    site.leases.clear()
    site.bindings.clear()
    site.start()
    wish = replace(lease, address=at(5, 11), server=at(5, 1))
    answer = phone.ask(phone.client.request(wish))
    assert isinstance(answer, Acknowledged)
    assert answer.lease.address == at(5, 11)


def test_a_reservation_may_be_in_any_scope_of_the_link(make_super, make_phone) -> None:
    site = make_super("", "")
    phone = make_phone(site, 1)
    site.reservations = [Reservation(at(5, 77), phone.mac)]
    site.start()
    lease = phone.boot()
    assert lease.address == at(5, 77)
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)
    away = phone.boot("eth1")
    assert str(away.address) == "10.0.1.10"


def test_an_address_of_no_scope_of_the_link_is_refused(make_super, make_phone) -> None:
    site = make_super()
    phone = make_phone(site, 1)
    lease = phone.boot()
    for address in (at(1, 10), at(7, 10)):
        assert isinstance(phone.ask(phone.client.reboot(replace(lease, address=address))), Refused)


def test_each_scope_of_the_link_is_the_server_that_may_be_chosen(make_super, make_phone) -> None:
    site = make_super()
    phone = make_phone(site, 1)
    offered = phone.offer()
    assert isinstance(phone.ask(phone.client.request(replace(offered, server=at(5, 1)))), Acknowledged)
    other = make_phone(site, 2)
    assert other.ask(other.client.request(replace(other.offer(), server=at(1, 1)))) is None


def warnings(site) -> list[str]:
    return [event.text for event in site.events if isinstance(event, AddressesLow | AddressesRecovered)]


def test_a_full_scope_whose_group_has_plenty_is_no_reason_to_warn(make_super, make_phone) -> None:
    """Two of two addresses, but two of four of the group, which the next phone gets one of."""
    site = make_super()
    for number in range(2):
        make_phone(site, number).boot()
    assert warnings(site) == []
    assert site.server.pressure.level_of_scope("lan") == 0
    phones = [make_phone(site, number) for number in (2, 3)]
    for phone in phones:
        phone.boot()
    assert warnings(site) == ["scope lan, second: 4 of 4 addresses are in use, which passes 95 %"]
    assert site.server.pressure.level_of_scope("lan") == site.server.pressure.level_of_scope("second") == 95
    assert site.server.pressure.level_of_scope("attic") == 0
    site.run(site.server.orders.withdraw_lease(phones[0].mac, site.now))
    assert warnings(site)[1:] == ["scope lan, second: 3 of 4 addresses are in use, well below 95 % again"]


@pytest.mark.parametrize(("group", "other"), [("", ""), ("floor", "cellar")])
def test_scopes_that_do_not_help_each_other_are_warned_of_one_by_one(make_super, make_phone, group, other) -> None:
    site = make_super(group, other)
    for number in range(2):
        make_phone(site, number).boot()
    assert warnings(site) == ["scope lan: 2 of 2 addresses are in use, which passes 95 %"]


def test_scopes_of_one_name_on_different_links_are_no_group(make_site, make_phone) -> None:
    site = make_site(last=11)
    site.scopes = [replace(each, group="floor") for each in site.scopes]
    site.start()
    for number in range(2):
        make_phone(site, number).boot()
    assert warnings(site) == ["scope lan: 2 of 2 addresses are in use, which passes 95 %"]


def test_a_group_that_was_short_before_a_restart_is_told_once_at_the_start(make_super, make_phone) -> None:
    site = make_super()
    for number in range(4):
        make_phone(site, number).boot()
    site.start()
    site.events.clear()
    site.run(site.server.pressure.look(site.now))
    assert warnings(site) == ["scope lan, second: 4 of 4 addresses are in use, which passes 95 %"]


def test_no_phones_remembered_address_is_given_away_while_another_scope_of_the_group_has_a_free_one(make_super, make_phone) -> None:
    """And then those of the first scope go first."""
    site = make_super()
    former = [make_phone(site, number) for number in range(2)]
    for phone in former:
        phone.boot()
    site.wait(3600 + 200)
    assert site.server.book.pool("second").take_exactly(at(5, 11))
    assert make_phone(site, 5).boot().address == at(5, 10)
    assert [phone.boot().address for phone in former] == [at(0, 10), at(0, 11)]
    site.wait(3600 + 200)
    assert make_phone(site, 6).boot().address.packed[:3] == at(0, 0).packed[:3], "the next one is the first scope's"


def test_an_offer_of_a_remembered_address_stands_when_another_scope_gets_a_free_one(make_super, make_phone) -> None:
    """A repeated DISCOVER is answered by the same address."""
    site = make_super()
    for number in range(2):
        make_phone(site, number).boot()
    site.wait(3600 + 200)
    pool = site.server.book.pool("second")
    assert pool.take_exactly(at(5, 10))
    assert pool.take_exactly(at(5, 11))
    phone = make_phone(site, 5)
    offered = phone.offer().address
    pool.give(at(5, 10))
    assert phone.offer().address == offered
