"""Ends of probations on an operator's word: stored before they count, told, and undone by nothing."""

from ipaddress import IPv4Address

import pytest

from tests.dhcp.test_probe import Link, at, offer
from voxpath.core.effects import Commit, Delete
from voxpath.core.errors import LocalError
from voxpath.dhcp.event import DhcpDeclined
from voxpath.dhcp.event_probe import DhcpOccupied, DhcpProbationEnded, DhcpProbationKept
from voxpath.model.address import Mac

FIRST, SECOND = IPv4Address("10.0.0.10"), IPv4Address("10.0.0.11")
STRANGER = Mac.parse("06:00:00:00:00:01")


def decline(site, phone) -> None:
    site.tell(phone.client.decline(phone.boot()))
    assert site.last_event(DhcpDeclined).address == str(FIRST)


def end(site, address: IPv4Address = FIRST) -> None:
    site.run(site.server.probations.end(address, site.now))


def test_a_declined_address_is_given_again_after_the_operators_word_and_a_restart_knows_it(site, phone, make_phone) -> None:
    decline(site, phone)
    end(site)
    assert site.last_event(DhcpProbationEnded).phone == str(phone.mac)
    assert site.probations == {}
    assert not [item for item, _ in site.server.summary(site.now) if "probation" in item]
    site.start()
    assert make_phone(site, 2).boot().address == FIRST


def test_the_end_counts_when_it_is_stored_and_is_told_only_then(site, phone, make_phone) -> None:
    decline(site, phone)
    site.holding = True
    end(site)
    (commit,) = site.held
    assert isinstance(commit, Commit)
    (change,) = commit.changes
    assert isinstance(change, Delete)
    assert change.value.address == FIRST
    assert not [event for event in site.events if isinstance(event, DhcpProbationEnded)]
    with pytest.raises(LocalError, match="under way"):
        end(site)
    site.holding = False
    assert make_phone(site, 2).boot().address == SECOND
    site.conclude(commit)
    assert make_phone(site, 3).boot().address == FIRST


def test_what_cannot_be_stored_is_told_and_changes_nothing(site, phone, make_phone) -> None:
    decline(site, phone)
    site.store_fails = True
    end(site)
    assert site.last_event(DhcpProbationKept).text == f"the probation of {FIRST} could not be ended: broken"
    site.store_fails = False
    assert site.probations.keys() == {FIRST}
    assert make_phone(site, 2).boot().address == SECOND
    end(site)
    assert make_phone(site, 3).boot().address == FIRST, "it can be tried again"


def test_a_probation_that_ends_by_itself_meanwhile_ends_once(make_site, make_phone) -> None:
    site = make_site(probation_s=1000.0)
    decline(site, make_phone(site, 1))
    site.holding = True
    end(site)
    site.holding = False
    site.wait(1001)
    assert make_phone(site, 2).boot().address == FIRST
    site.conclude(site.held[0])
    assert make_phone(site, 3).boot().address == SECOND, "it is the other phone's now"


def test_an_address_that_is_declined_anew_stays_on_probation_for_all_of_the_new_time(make_site, make_phone) -> None:
    site = make_site(probation_s=1000.0)
    decline(site, make_phone(site, 1))
    end(site)
    site.wait(500)
    decline(site, make_phone(site, 2))
    site.wait(600)
    assert make_phone(site, 3).boot().address == SECOND, "the first probation would be over now"
    assert site.probations.keys() == {FIRST}


def test_a_phone_is_believed_again_when_its_probations_are_ended(site, phone) -> None:
    decline(site, phone)
    assert site.server.book.declined.by(phone.mac) == 1
    end(site)
    assert site.server.book.declined.by(phone.mac) == 0


@pytest.mark.parametrize("address", [FIRST, SECOND, IPv4Address("192.0.2.1")], ids=["leased", "free", "no scope's"])
def test_only_an_address_on_probation_can_be_taken_from_it(site, phone, address: IPv4Address) -> None:
    phone.boot()
    with pytest.raises(LocalError, match=f"{address} is not on probation"):
        end(site, address)


@pytest.mark.parametrize("gone", [True, False], ids=["that is gone", "that is there still"])
def test_an_address_that_another_machine_answered_for_is_looked_at_again_before_it_is_in_the_stock(
    make_site, make_phone, gone: bool
) -> None:
    """Nothing of it is stored; the machine, if it is there still, is found again."""
    site = make_site(last=19)
    link = Link(site)
    link.hosts[at(10)] = STRANGER
    link.wait(10.0)
    link.run(link._server.probations.end(at(10), site.now))
    told = site.last_event(DhcpProbationEnded)
    assert (told.phone, told.address) == (str(STRANGER), str(at(10)))
    assert link._server.book.pool("lan").is_free(at(10))
    assert dict(link.prober.summary(site.now)).keys() == {"free addresses of lan", "free addresses of attic"}
    if gone:
        link.hosts.clear()
    offer(link, make_phone(site, 1))
    link.wait(10.0)
    assert (at(10) in link.stock()) == gone
    assert len(link.told(DhcpOccupied)) == (1 if gone else 2)
    link.wait(3600.0)
    assert link._server.book.pool("lan").is_verified(at(10)) == gone, "the end of the first probation ends no second one"
