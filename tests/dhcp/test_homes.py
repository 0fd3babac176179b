"""Leases when the configuration's scopes have got other names or other addresses: none is lost, and none is offered in vain."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from msgspec.structs import replace as struct_replace

from tests.dhcp.conftest import scope
from voxpath.dhcp.client import Acknowledged, Refused
from voxpath.dhcp.event import DhcpLeasesAstray, DhcpLeasesMoved
from voxpath.dhcp.homes import ROWS_PER_COMMIT, find_homes
from voxpath.model.address import Mac
from voxpath.model.event import Event
from voxpath.model.phone import Lease


def changed(site, *scopes) -> None:
    """Start the site with other scopes."""
    site.scopes = list(scopes)
    site.start()


def told(site, kind: type[Event]) -> list[str]:
    return [event.text for event in site.events if isinstance(event, kind)]


def test_a_scope_with_another_name_keeps_its_leases(site, make_phone) -> None:
    first, second = make_phone(site, 1), make_phone(site, 2)
    lease = first.boot()
    changed(site, replace(site.scopes[0], name="house"), site.scopes[1])
    assert site.server.phone_at(str(lease.address)) == str(first.mac)
    assert site.leases[first.mac].scope == "house", "it is stored, so that it is told once"
    assert told(site, DhcpLeasesMoved) == ["1 leases of scope lan lie in scope house now, and are kept there"]
    site.start()
    assert len(told(site, DhcpLeasesMoved)) == 1
    assert second.boot().address != lease.address
    assert isinstance(first.ask(first.client.renew(lease)), Acknowledged)
    assert first.boot().address == lease.address
    assert site.server.book.usage("house", site.now).used == 2


def test_a_phone_that_leaves_an_address_which_is_anothers_by_now_takes_nothing_along(site, make_phone) -> None:
    """Its ended lease is of a scope that had the same addresses once."""
    first, second = make_phone(site, 1), make_phone(site, 2)
    lease = second.boot()
    site.leases[first.mac] = Lease(first.mac, b"", "attic", lease.address, "desk", "phone-1", site.now - 500)
    site.start()
    first.boot("eth1")
    assert site.server.phone_at(str(lease.address)) == str(second.mac)


def test_a_remembered_address_gives_way_in_a_scope_with_another_name(make_site, make_phone) -> None:
    site = make_site(last=10)
    make_phone(site, 1).boot()
    site.wait(3700)
    changed(site, replace(site.scopes[0], name="house"))
    assert make_phone(site, 2).boot().address == IPv4Address("10.0.0.10")


def test_scopes_that_exchange_their_names_keep_their_leases(site, make_phone) -> None:
    phones = {interface: make_phone(site, number) for number, interface in enumerate(("eth0", "eth1"), 1)}
    leases = {interface: phone.boot(interface) for interface, phone in phones.items()}
    lan, attic = site.scopes
    changed(site, replace(lan, name="attic"), replace(attic, name="lan"))
    for interface, phone in phones.items():
        assert isinstance(phone.ask(phone.client.renew(leases[interface]), interface), Acknowledged)
    assert {str(lease.address): lease.scope for lease in site.leases.values()} == {"10.0.0.10": "attic", "10.0.1.10": "lan"}


def test_a_lease_of_no_scope_keeps_its_block_until_it_ends_and_takes_nothing_from_others(site, make_phone) -> None:
    phone, other = make_phone(site, 1), make_phone(site, 2)
    lease = phone.boot()
    changed(site, scope("garden", 5, 10, 13))
    assert "1 leases of scope lan" in told(site, DhcpLeasesAstray)[-1]
    assert site.nat == {lease.block: lease.address}
    assert other.boot("eth5").block != lease.block
    site.wait(3500)
    assert lease.block in site.nat
    site.wait(200)
    assert lease.block not in site.nat


def test_the_phone_of_a_lease_of_no_scope_gets_another_address_and_its_own_block(site, phone) -> None:
    lease = phone.boot()
    changed(site, scope("garden", 5, 10, 13))
    assert isinstance(phone.ask(phone.client.renew(lease), "eth5"), Refused)
    new = phone.boot("eth5")
    assert (str(new.address), new.block) == ("10.0.5.10", lease.block)
    assert site.nat == {new.block: new.address}


def test_an_operator_can_take_a_lease_of_no_scope(site, phone) -> None:
    """One without end would else hold its block for ever."""
    phone.boot()
    changed(site, scope("garden", 5, 10, 13))
    site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert site.nat == {}


def lease(number: int, scope_name: str, last: int, expires: float, first_port: int = 0) -> Lease:
    return Lease(Mac(number.to_bytes(6, "big")), b"", scope_name, IPv4Address(f"10.0.0.{last}"), "desk", "", expires, first_port)


@pytest.mark.parametrize("gone_first", [False, True])
def test_of_two_leases_of_one_address_that_of_the_scope_stays(gone_first: bool) -> None:
    stays, strays = lease(1, "lan", 10, 5.0), lease(2, "gone", 10, 9.0)
    homes = find_homes((strays, stays) if gone_first else (stays, strays), [scope("lan", 0, 10, 13)])
    assert set(homes.leases) == {stays, strays}
    later = lease(3, "gone", 11, 7.0)
    homes = find_homes((later, lease(4, "gone", 11, 6.0)), [scope("lan", 0, 10, 13)])
    assert [each.scope for each in homes.leases if each.mac == later.mac] == ["lan"], "of two, whoever was there last"
    assert sorted(each.scope for each in homes.leases) == ["gone", "lan"]


def test_a_lease_of_a_shared_address_does_not_become_one_of_an_address_alone() -> None:
    shared = lease(1, "gone", 10, 5.0, 20480)
    assert find_homes([shared], [scope("lan", 0, 10, 13)]).leases == (shared,)
    public = replace(scope("all", 0, 10, 13), shared=True)
    assert find_homes([shared], [public]).leases == (struct_replace(shared, scope="all"),)


def test_many_leases_are_stored_part_by_part() -> None:
    """A transaction with all of a large site would hold up every other commit."""
    wide = replace(scope("wide", 0, 10, 13), subnet=IPv4Network("10.0.0.0/16"))
    count = 3 * ROWS_PER_COMMIT
    many = [
        Lease(Mac(number.to_bytes(6, "big")), b"", "gone", IPv4Address(0x0A000000 + number), "desk", "", 1.0)
        for number in range(count)
    ]
    effects = find_homes(many, [scope("near", 200, 1, 2), wide]).effects
    assert [len(effect.changes) for effect in effects[:-1]] == [ROWS_PER_COMMIT] * 3
