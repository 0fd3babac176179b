"""INFORM (RFC 2131 section 4.3.5): a phone with an address of its own learns the rest, and gets its block for ever (PHN-18)."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.effects import Apply, Commit, Datagram, Send
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged, Incomplete
from voxpath.dhcp.event import DhcpDropped, DhcpIgnoredClass, DhcpStaticRefused
from voxpath.dhcp.message import INFINITE_S, MessageType
from voxpath.dhcp.options import read_assignment
from voxpath.dhcp.read import PORTS
from voxpath.dhcp.wire import decode
from voxpath.model.address import Endpoint
from voxpath.model.phone import OwnAddress, Reservation
from voxpath.model.ports import BindingState, PortBlock

PUBLIC = IPv4Address("198.51.100.1")
STATIC = IPv4Address("10.0.0.77")
BLOCK = PortBlock(PUBLIC, 20480, 64)


def test_a_static_phone_gets_block_controllers_nat_and_tftp_address_by_inform(site, phone) -> None:
    """PHN-18: all but a lease; the block is in the NAT and in the store before the ACK leaves."""
    sent = site.tell(phone.client.inform(STATIC))[0]
    assert sent.destination == Endpoint("10.0.0.77", 68)
    message = decode(sent.payload)
    assert message.type is MessageType.ACK
    assert not {code.LEASE_TIME, code.RENEWAL_TIME} & message.options.keys()
    assert message.yiaddr == IPv4Address(0)
    told = read_assignment(message.options)
    assert told.block == BLOCK
    assert told.nat == PUBLIC
    assert [mgc.host for mgc in told.mgcs] == ["192.0.2.1", "192.0.2.2"]
    assert message.options[code.TFTP_SERVER] == b"10.0.0.1"
    assert site.nat == {BLOCK: STATIC}
    assert site.leases[phone.mac].permanent
    assert site.server.phone_at("10.0.0.77") == str(phone.mac)


def test_the_phone_reads_what_it_was_told_and_what_a_person_told_it_comes_first(site, phone) -> None:
    """PHN-18: the address is its own, for ever; the router is the gateway where nobody configured another one."""
    payload = site.tell(phone.client.inform(STATIC))[0].payload
    told = phone.client.read_told(payload, OwnAddress(phone.mac, STATIC, 24))
    assert isinstance(told, Acknowledged)
    lease = told.lease
    assert (lease.address, lease.prefix_length, str(lease.router), lease.lease_s) == (STATIC, 24, "10.0.0.1", INFINITE_S)
    assert (lease.block, [mgc.host for mgc in lease.mgcs], lease.tftp) == (BLOCK, ["192.0.2.1", "192.0.2.2"], "10.0.0.1")
    router, block, mgcs = IPv4Address("10.0.0.2"), PortBlock(PUBLIC, 40960, 64), (Endpoint("192.0.2.9", 2944),)
    own = OwnAddress(phone.mac, STATIC, 16, router, "10.0.0.3", "mine.img", block, mgcs)
    told = phone.client.read_told(payload, own)
    assert isinstance(told, Acknowledged)
    lease = told.lease
    assert (lease.prefix_length, lease.router, lease.tftp, lease.boot_file) == (16, router, "10.0.0.3", "mine.img")
    assert (lease.block, lease.mgcs) == (block, mgcs)


def test_an_inform_asks_for_no_lease_time_and_its_answer_answers_nothing_else(site, phone) -> None:
    """RFC 2131 section 4.4.3."""
    asked = decode(phone.client.inform(STATIC)).options[code.PARAMETER_REQUEST_LIST]
    assert not {code.LEASE_TIME, code.RENEWAL_TIME, code.REBINDING_TIME} & set(asked)
    payload = site.tell(phone.client.inform(STATIC))[0].payload
    phone.client.inform(STATIC)
    assert phone.client.read_told(payload, OwnAddress(phone.mac, STATIC, 24)) is None


def test_the_answer_stands_behind_the_nat_change_and_that_behind_the_commit(site, phone) -> None:
    site.holding = True
    assert site.tell(phone.client.inform(STATIC)) == []
    commit = site.held.pop()
    assert isinstance(commit, Commit)
    assert isinstance(commit.then[0], Apply)
    assert any(isinstance(effect, Send) for effect in commit.then[0].then)
    assert site.tell(phone.client.inform(STATIC)) == []
    assert "under way" in site.last_event(DhcpDropped).text


def test_a_failed_commit_gives_nothing_and_the_repeated_inform_succeeds(site, phone) -> None:
    site.store_fails = True
    assert site.tell(phone.client.inform(STATIC)) == []
    assert site.nat == {}
    site.store_fails = False
    assert len(site.tell(phone.client.inform(STATIC))) == 1
    assert site.nat == {BLOCK: STATIC}


def test_a_static_phone_keeps_its_block_for_ever_and_over_a_restart(site, phone) -> None:
    site.tell(phone.client.inform(STATIC))
    site.wait(10_000_000)
    site.start()
    site.wait(10_000_000)
    assert site.nat == {BLOCK: STATIC}
    again = decode(site.tell(phone.client.inform(STATIC))[0].payload)
    assert read_assignment(again.options).block == BLOCK


def test_the_static_address_is_given_to_nobody_else(make_site, make_phone) -> None:
    site = make_site(last=11)
    make_phone(site, 1).ask(make_phone(site, 1).client.inform(IPv4Address("10.0.0.10")))
    assert [str(make_phone(site, 2).boot().address)] == ["10.0.0.11"]
    assert make_phone(site, 3).ask(make_phone(site, 3).client.discover()) is None


def test_a_leased_phone_that_asks_for_the_rest_is_told_and_keeps_its_lease(site, phone) -> None:
    lease = phone.boot()
    before = dict(site.leases)
    message = decode(site.tell(phone.client.inform(lease.address))[0].payload)
    assert read_assignment(message.options).block == lease.block
    assert code.LEASE_TIME not in message.options
    assert site.leases == before


def test_a_static_phone_that_turns_to_dhcp_takes_its_block_along(site, phone) -> None:
    site.tell(phone.client.inform(STATIC))
    lease = phone.boot()
    assert lease.block == BLOCK
    assert str(lease.address) == "10.0.0.10"
    assert not site.leases[phone.mac].permanent
    assert site.nat == {BLOCK: lease.address}


@pytest.mark.parametrize("static", [False, True])
def test_an_inform_takes_nothing_from_the_phone_whose_name_it_bears(site, phone, static: bool) -> None:
    """Anybody on the LAN can write a phone's Ethernet address into an INFORM of his own."""
    other = IPv4Address("10.0.0.78")
    bound = site.tell(phone.client.inform(STATIC)) and STATIC if static else phone.boot().address
    before = site.leases[phone.mac]
    assert site.tell(phone.client.inform(other)) == []
    assert site.nat == {BLOCK: bound}
    assert site.leases[phone.mac] == before
    assert "release that first" in site.last_event(DhcpDropped).reason
    site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    site.tell(phone.client.inform(other))
    assert site.nat == {BLOCK: other}, "a phone that was released may have another address by hand, and takes its block along"


def test_an_inform_is_heard_from_the_address_that_it_names(site, phone) -> None:
    payload = phone.client.inform(STATIC)
    for source, answers in (("10.0.0.250", 0), (str(STATIC), 1)):
        datagram = Datagram(payload, Endpoint(source, 68), "255.255.255.255", "eth0", "dhcp")
        before = len(site.sent)
        site.run(site.server.receive(datagram, site.now))
        assert len(site.sent) - before == answers


def test_an_operator_ends_it(site, phone) -> None:
    site.tell(phone.client.inform(STATIC))
    site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert site.nat == {}
    assert site.bindings[str(phone.mac)].state is BindingState.RELEASED


def test_an_address_that_is_somebody_elses_gets_no_block_but_the_rest(site, phone, make_phone) -> None:
    """Nobody's lease suffers by what a person wrote into another phone, and the operator learns of it."""
    lease = phone.boot()
    site.reservations = [Reservation(IPv4Address("10.0.0.200"), make_phone(site, 9).mac)]
    site.start()
    for address in (str(lease.address), "10.0.0.1", "10.0.0.255", "10.0.0.200"):
        other = make_phone(site, 2)
        sent = site.tell(other.client.inform(IPv4Address(address)))[0]
        told = other.client.read_told(sent.payload, OwnAddress(other.mac, IPv4Address(address), 24))
        assert told == Incomplete(MessageType.ACK, (PORTS,))
        assert code.PORT_RANGE not in decode(sent.payload).options
        assert address in site.last_event(DhcpStaticRefused).text
    assert site.nat == {lease.block: lease.address}


def test_an_address_of_another_network_is_dropped(site, phone) -> None:
    assert site.tell(phone.client.inform(IPv4Address("10.9.9.9"))) == []
    assert "another network" in site.last_event(DhcpDropped).text


def test_without_a_vendor_class_there_is_no_answer(site, make_phone) -> None:
    stranger = make_phone(site, 3, "laptop")
    assert site.tell(stranger.client.inform(STATIC)) == []
    assert site.last_event(DhcpIgnoredClass)
    assert site.nat == {}


def test_an_inform_may_be_switched_off(make_site, make_phone) -> None:
    site = make_site(inform=False)
    assert site.tell(make_phone(site, 1).client.inform(STATIC)) == []
    assert site.leases == {}
