"""What ``why`` says of a former address is what happens when its phone comes back."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from voxpath.model.phone import Lease, Reservation

OUTSIDE = IPv4Address("10.0.0.200")


def left(site, phone) -> Lease:
    """The lease of a phone that released it."""
    lease = phone.boot()
    site.tell(phone.client.release(lease))
    return site.leases[phone.mac]


def anew(site, **changes: object) -> None:
    """Start the gateway with another first scope, or with other reservations."""
    site.reservations = changes.pop("reservations", site.reservations)
    site.scopes[0] = replace(site.scopes[0], **changes)
    site.start()


def comes_back_to(site, phone) -> IPv4Address:
    return phone.boot().address


def test_an_address_of_the_range_is_kept_while_others_find_a_free_one(site, phone) -> None:
    lease = left(site, phone)
    assert site.server.keeping(lease) == (True, "as long as scope lan has a free one for others")
    assert comes_back_to(site, phone) == lease.address


@pytest.mark.parametrize("address", ["10.0.0.10", "10.0.0.200"])
def test_an_address_that_is_reserved_for_the_phone_is_kept_for_ever_in_the_range_or_not(site, phone, address: str) -> None:
    anew(site, reservations=[Reservation(IPv4Address(address), phone.mac)])
    lease = left(site, phone)
    assert site.server.keeping(lease) == (True, "reserved, for ever")
    assert comes_back_to(site, phone) == IPv4Address(address)


def test_an_address_outside_the_range_is_not_given_again(site, phone) -> None:
    lease = left(site, phone)
    anew(site, first=IPv4Address("10.0.0.11"))
    kept, words = site.server.keeping(lease)
    assert not kept
    assert words == "it is outside the range of scope lan; write a [[reservation]] if the phone shall have it again"
    assert comes_back_to(site, phone) != lease.address


def test_an_address_that_is_reserved_for_another_phone_is_not_given_again(site, phone, make_phone) -> None:
    lease = left(site, phone)
    other = make_phone(site, 9).mac
    anew(site, reservations=[Reservation(lease.address, other)])
    kept, words = site.server.keeping(lease)
    assert (kept, words) == (False, f"it is reserved for {other}; correct that [[reservation]] if the phone shall have it again")
    assert comes_back_to(site, phone) != lease.address


def test_a_phone_that_got_a_reservation_meanwhile_goes_there(site, phone) -> None:
    lease = left(site, phone)
    anew(site, reservations=[Reservation(OUTSIDE, phone.mac)])
    assert site.server.keeping(lease) == (False, "a [[reservation]] gives it 10.0.0.200")
    assert comes_back_to(site, phone) == OUTSIDE


def test_a_reservation_by_circuit_is_for_whoever_asks_by_it(site, phone) -> None:
    lease = left(site, phone)
    anew(site, reservations=[Reservation(lease.address, circuit_id=b"port-\x1b")])
    assert site.server.keeping(lease) == (True, "reserved for whoever asks by circuit 70:6f:72:74:2d:1b")


def test_an_address_of_no_scope_is_not_given_again(site, phone) -> None:
    lease = left(site, phone)
    assert not site.server.keeping(replace_scope(lease, "gone")).kept
    assert "lies in no scope any more" in site.server.keeping(replace_scope(lease, "gone")).words


def test_an_address_that_another_machine_uses_is_not_given_again(site, phone) -> None:
    lease = left(site, phone)
    site.server.book.contest("lan", lease.address, site.now + 3600)
    kept, words = site.server.keeping(lease)
    assert (kept, words.partition(";")[0]) == (False, "another machine was found to use it")
    assert comes_back_to(site, phone) != lease.address


@pytest.mark.parametrize(
    ("address", "words"), [("10.0.0.77", "which may give it to another"), ("10.0.0.253", "nobody else gets it")]
)
def test_an_address_set_by_hand_stays_the_phones_wherever_it_is(site, phone, address: str, words: str) -> None:
    anew(site, last=IPv4Address("10.0.0.100"))
    site.tell(phone.client.inform(IPv4Address(address)))
    site.wait(40 * 86400.0)
    kept, told = site.server.keeping(site.leases[phone.mac])
    assert kept
    assert told.startswith("set by hand")
    assert words in told


def replace_scope(lease: Lease, scope: str) -> Lease:
    return Lease(lease.mac, lease.client_id, scope, lease.address, lease.phone_class, lease.host_name, lease.expires)
