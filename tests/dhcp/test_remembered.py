"""Addresses that give way: in which order, and never so fast that a scope binds more blocks than it has addresses."""

import random
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.dhcp.conftest import Phone, Site, mac
from voxpath.dhcp import options as code
from voxpath.dhcp.event import AddressesLow, DhcpExhausted, DhcpStaticRefused
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.remembered import Remembered
from voxpath.dhcp.wire import decode, encode
from voxpath.model.phone import Reservation
from voxpath.model.ports import BindingState
from voxpath.ports.change import Exhausted

ADDRESSES = 4
STATICS = 2
FIXED = IPv4Address("10.0.0.200")


def bound(site: Site) -> int:
    """How many blocks nobody else can have now."""
    return sum(row.state is BindingState.HELD or row.until > site.now for row in site.bindings.values())


def circling(phone: Phone) -> bool:
    """Take a lease and give it back at once; tell whether there was one."""
    if phone.ask(phone.client.discover()) is None:
        return False
    phone.ask(phone.client.release(phone.boot()))
    return True


def as_static(phone: Phone, kind: MessageType, address: IPv4Address) -> None:
    """Send a message from an address that a person set."""
    message = decode(phone.client.inform(address))
    options = {**message.options, code.MESSAGE_TYPE: bytes((kind,))}
    if kind is MessageType.DECLINE:
        options[code.REQUESTED_ADDRESS] = address.packed
    phone.site.tell(encode(message._replace(options=options)), source=str(address))


def test_a_machine_that_takes_and_releases_under_many_names_binds_no_more_blocks_than_its_scope_has_addresses(make_phone) -> None:
    site = Site(blocks=16, quarantine_s=300.0)
    known = make_phone(site, 0xEE)
    kept = known.boot("eth1")
    site.tell(known.client.release(kept), "eth1")
    site.wait(4000)
    assert sum(circling(make_phone(site, number)) for number in range(1, 60)) == ADDRESSES
    assert bound(site) == ADDRESSES
    told = site.last_event(DhcpExhausted).reason
    assert told == "no address of scope lan is left; those that 4 phones left are kept until their ports are out of quarantine"
    assert site.last_event(AddressesLow).used == ADDRESSES, "the operator learns of it"
    assert known.boot("eth1").block == kept.block
    make_phone(site, 0xEF).boot("eth1")


def test_a_phone_that_comes_back_gets_its_own_at_once_and_the_others_when_the_quarantine_ends(make_site, make_phone) -> None:
    site = make_site(last=10)
    one, two = make_phone(site, 1), make_phone(site, 2)
    lease = one.boot()
    one.ask(one.client.release(lease))
    assert two.ask(two.client.discover()) is None
    assert one.boot() == lease
    one.ask(one.client.release(lease))
    site.start()
    site.wait(99)
    assert two.ask(two.client.discover()) is None, "a restart does not shorten it"
    site.wait(1)
    assert two.boot().address == lease.address


def test_what_an_operator_released_is_free_for_others_at_once(make_site, make_phone) -> None:
    site = make_site(last=10)
    one, two = make_phone(site, 1), make_phone(site, 2)
    lease = one.boot()
    site.run(site.server.orders.withdraw_lease(one.mac, site.now))
    assert two.boot().address == lease.address


def test_a_declined_address_waits_for_the_quarantine_too(make_site, make_phone) -> None:
    site = make_site(last=10, probation_s=10.0)
    one, two = make_phone(site, 1), make_phone(site, 2)
    one.ask(one.client.decline(one.boot()))
    site.wait(99)
    assert two.ask(two.client.discover()) is None
    site.wait(1)
    two.boot()


@pytest.mark.parametrize("ending", [MessageType.RELEASE, MessageType.DECLINE])
def test_static_phones_count_until_their_blocks_are_out_of_quarantine(site, make_phone, ending: MessageType) -> None:
    """INFORM and RELEASE, or DECLINE, in turn take no more blocks than INFORM alone."""
    site.scopes[0] = replace(site.scopes[0], static_limit=STATICS)
    site.start()
    for number in range(1, 20):
        address = IPv4Address(f"10.0.0.{100 + number}")
        phone = make_phone(site, number)
        site.tell(phone.client.inform(address))
        as_static(phone, ending, address)
    assert bound(site) == STATICS
    assert "has 2 static phones already" in site.last_event(DhcpStaticRefused).reason
    site.now += 101
    site.tell(make_phone(site, 30).client.inform(FIXED))
    assert site.nat.values()


@pytest.mark.parametrize("ending", [MessageType.RELEASE, MessageType.DECLINE])
def test_a_static_phone_that_comes_back_from_quarantine_is_one_of_those_that_count(site, make_phone, ending: MessageType) -> None:
    site.scopes[0] = replace(site.scopes[0], static_limit=1)
    site.start()
    one, two = make_phone(site, 1), make_phone(site, 2)
    for last in (100, 101):
        address = IPv4Address(f"10.0.0.{last}")
        site.tell(one.client.inform(address))
        assert list(site.nat.values()) == [address]
        as_static(one, ending, address)
    site.store_fails = True
    site.tell(one.client.inform(FIXED))
    site.store_fails = False
    site.tell(two.client.inform(IPv4Address("10.0.0.201")))
    assert site.nat == {}, "nor does one that failed make room before its time"
    site.tell(one.client.inform(FIXED))
    site.now += 1000
    site.tell(two.client.inform(IPv4Address("10.0.0.201")))
    assert list(site.nat.values()) == [FIXED]


def test_an_address_set_by_hand_passes_from_phone_to_phone_only_after_the_quarantine(site, make_phone) -> None:
    one, two = make_phone(site, 1), make_phone(site, 2)
    site.tell(one.client.inform(FIXED))
    as_static(one, MessageType.RELEASE, FIXED)
    site.now += 40
    site.tell(two.client.inform(FIXED))
    assert (
        site.last_event(DhcpStaticRefused).reason == f"{FIXED} was left by {one.mac}, whose ports are in quarantine for 60 s more"
    )
    site.now += 60
    site.tell(two.client.inform(FIXED))
    assert list(site.nat.values()) == [FIXED]


def test_an_address_reserved_by_ethernet_address_is_its_phones_at_once(site, make_phone) -> None:
    """Whoever had it before: it is one phone's alone, so nobody takes it in turn."""
    stranger, owner = make_phone(site, 1), make_phone(site, 2)
    stranger.ask(stranger.client.release(stranger.boot()))
    address = site.leases[stranger.mac].address
    site.reservations.append(Reservation(address, owner.mac))
    site.start()
    assert owner.boot().address == address


@pytest.mark.parametrize("by_operator", [False, True])
def test_an_address_reserved_by_circuit_passes_on_after_the_quarantine_or_when_an_operator_ended_the_lease(
    site, make_phone, by_operator: bool
) -> None:
    site.scopes[0] = replace(site.scopes[0], trust_circuits=True)
    site.reservations.append(Reservation(FIXED, circuit_id=b"port 7"))
    site.start()
    one, two = make_phone(site, 1), make_phone(site, 2)

    def heard(payload: bytes) -> bytes:
        message = decode(payload)
        return encode(message._replace(options={**message.options, code.RELAY_AGENT: b"\1\6port 7"}))

    def boots(phone: Phone) -> bool:
        sent = site.tell(heard(phone.client.discover()))
        if not sent:
            return False
        lease = phone.client.read(sent[0].payload).lease
        assert lease.address == FIXED
        return bool(site.tell(heard(phone.client.request(lease))))

    assert boots(one)
    if by_operator:
        site.run(site.server.orders.withdraw_lease(one.mac, site.now))
    else:
        as_static(one, MessageType.RELEASE, FIXED)
    assert boots(two) == by_operator
    if not by_operator:
        assert f"left by {one.mac}" in site.last_event(DhcpExhausted).reason
        site.now += 100
        assert boots(two)


@pytest.mark.parametrize("fails", [False, True])
def test_phones_whose_return_is_being_stored_stand_in_nobodys_way_and_a_newcomer_passes_none_of_them(
    site, make_phone, fails: bool
) -> None:
    """However many come back at once, the search costs the same: it looks at none of those whose change is under way."""
    phones = [make_phone(site, number) for number in range(1, 1 + ADDRESSES)]
    leases = [phone.boot() for phone in phones]
    site.wait(4000)
    queue = site.server.book._unbound["lan"]
    assert len(queue) == ADDRESSES
    site.holding = True
    for phone, lease in zip(phones[1:], leases[1:], strict=True):
        site.tell(phone.client.reboot(lease))
    assert len(queue) == 1
    assert make_phone(site, 20).offer().address == leases[0].address
    site.holding = False
    while site.held:
        site.conclude(site.held.pop(), fail=fails)
    assert len(queue) == (ADDRESSES - 1 if fails else 0)


def test_a_phone_whose_released_block_an_order_reserves_gives_way_at_once(make_site, make_phone) -> None:
    """Its block is never another's: there is no quarantine any more that others would have to wait for."""
    site = make_site(last=10)
    one, two = make_phone(site, 1), make_phone(site, 2)
    one.ask(one.client.release(one.boot()))
    assert two.ask(two.client.discover()) is None
    site.run(site.server.orders.reserve(one.mac, None, site.now))
    assert two.boot().address == IPv4Address("10.0.0.10")


@pytest.mark.parametrize("seed", range(10))
def test_whatever_phones_do_a_scope_binds_no_more_blocks_than_it_has_addresses(seed: int) -> None:
    """A random history of many names; an operator does nothing in it."""
    entropy = random.Random(seed)
    site = Site(blocks=64, probation_s=50.0)
    site.scopes[0] = replace(site.scopes[0], static_limit=STATICS, static_s=300)
    site.start()
    phones = [Phone(site, number) for number in range(1, 200)]
    most = 0
    for _ in range(400):
        phone = entropy.choice(phones)
        by_hand = IPv4Address(f"10.0.0.{100 + entropy.randrange(8)}")
        what = entropy.choice(("boot", "offer", "inform"))
        if what == "inform":
            site.tell(phone.client.inform(by_hand))
        elif phone.ask(phone.client.discover()) is not None and what == "boot":
            phone.boot()
        lease = site.server.lease_of(phone.mac)
        if lease is not None and entropy.random() < 0.9:
            as_static(phone, entropy.choice((MessageType.RELEASE, MessageType.RELEASE, MessageType.DECLINE)), lease.address)
        site.wait(entropy.choice((0.0, 0.1, 1.0, 30.0)))
        most = max(most, bound(site))
    assert most == ADDRESSES + STATICS


# The queue alone.


def test_the_phone_whose_lease_ended_first_gives_way_first_of_those_whose_quarantine_is_over() -> None:
    queue = Remembered("lan")
    queue.add(mac(1), 10.0, 500.0)
    queue.add(mac(2), 20.0, 0.0)
    queue.add(mac(3), 15.0, 100.0)
    assert queue.first(50.0, unseen=False) == mac(2)
    assert queue.first(100.0, unseen=False) == queue.first(100.0, unseen=False) == mac(3)
    assert queue.first(500.0, unseen=False) == mac(1)
    queue.remove(mac(1))
    assert (len(queue), queue.ready(500.0), mac(1) in queue) == (2, 2, False)
    queue.remove(mac(2))
    queue.remove(mac(3))
    with pytest.raises(Exhausted, match=r"is left$"):
        queue.first(500.0, unseen=False)
