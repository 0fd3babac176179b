"""Adopted addresses: an operator's word lets a refused phone be served, durably, until it is taken back."""

import pytest

from voxpath.core.errors import LocalError
from voxpath.dhcp.adoption import ADOPTED_LIMIT
from voxpath.dhcp.event import DhcpAdopted, DhcpAdoptionFailed, DhcpDisowned, DhcpIgnoredClass, DhcpIgnoredMac
from voxpath.model.address import Mac
from voxpath.model.phone import Adoption


def test_a_refused_phone_is_served_from_its_adoption_on_and_after_a_restart(site, make_phone) -> None:
    phone = make_phone(site, 0xF1)
    assert phone.ask(phone.client.discover()) is None
    assert site.last_event(DhcpIgnoredMac)
    site.run(site.server.adoptions.adopt(phone.mac, site.now))
    assert site.last_event(DhcpAdopted).phone == str(phone.mac)
    lease = phone.boot()
    site.start()
    assert phone.boot() == lease
    assert site.server.adoptions.all() == [Adoption(phone.mac, 1000.0)]


def test_it_counts_from_when_it_is_stored(site, make_phone) -> None:
    phone = make_phone(site, 0xF1)
    site.holding = True
    site.run(site.server.adoptions.adopt(phone.mac, site.now))
    assert phone.ask(phone.client.discover()) is None
    with pytest.raises(LocalError, match="under way"):
        site.server.adoptions.adopt(phone.mac, site.now)
    site.conclude(site.held.pop(), fail=True)
    assert site.last_event(DhcpAdoptionFailed)
    assert phone.ask(phone.client.discover()) is None
    site.holding = False
    site.run(site.server.adoptions.adopt(phone.mac, site.now))
    assert phone.offer()


def test_the_class_is_checked_as_for_everybody(site, make_phone) -> None:
    """Adoption replaces the first check alone."""
    phone = make_phone(site, 0xF1, "laptop")
    site.run(site.server.adoptions.adopt(phone.mac, site.now))
    assert phone.ask(phone.client.discover()) is None
    assert site.last_event(DhcpIgnoredClass)


def test_it_is_taken_back_and_the_lease_runs_out(site, make_phone) -> None:
    phone = make_phone(site, 0xF1)
    site.run(site.server.adoptions.adopt(phone.mac, site.now))
    lease = phone.boot()
    site.run(site.server.adoptions.disown(phone.mac))
    assert site.last_event(DhcpDisowned)
    assert site.adoptions == {}
    assert phone.ask(phone.client.renew(lease)) is None
    assert site.server.phone_at(str(lease.address)) == str(phone.mac)
    site.wait(3600)
    assert site.nat == {}


def test_what_cannot_be_adopted_is_told(site, make_phone) -> None:
    adoptions = site.server.adoptions
    with pytest.raises(LocalError, match="00:00:00:00:00:00 is no phone's"):
        adoptions.adopt(Mac(bytes(6)), 0.0)
    with pytest.raises(LocalError, match="group"):
        adoptions.adopt(Mac(b"\x01\0\0\0\0\1"), 0.0)
    with pytest.raises(LocalError, match="not adopted"):
        adoptions.disown(Mac(b"\x02\0\0\0\0\1"))
    site.run(adoptions.adopt(make_phone(site, 0xF1).mac, 0.0))
    with pytest.raises(LocalError, match="already"):
        adoptions.adopt(make_phone(site, 0xF1).mac, 0.0)
    adoptions.load(Adoption(Mac(number.to_bytes(6, "big")), 0.0) for number in range(ADOPTED_LIMIT))
    with pytest.raises(LocalError, match="more cannot"):
        adoptions.adopt(make_phone(site, 0xF2).mac, 0.0)
