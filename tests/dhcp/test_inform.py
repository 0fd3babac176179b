"""INFORM (RFC 2131 section 4.3.5): a phone with an address of its own learns the rest, and gets a block (PHN-18)."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from voxpath.core.effects import Apply, Commit, Datagram, Send
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged, Incomplete
from voxpath.dhcp.event import DhcpAck, DhcpDropped, DhcpEnded, DhcpIgnoredClass, DhcpStaticRefused
from voxpath.dhcp.message import INFINITE_S, MessageType
from voxpath.dhcp.options import read_assignment
from voxpath.dhcp.read import PORTS
from voxpath.dhcp.wire import decode
from voxpath.model.address import Endpoint
from voxpath.model.phone import STATIC_S, OwnAddress, Reservation
from voxpath.model.ports import BindingState, PortBlock

PUBLIC = IPv4Address("198.51.100.1")
STATIC = IPv4Address("10.0.0.77")
BLOCK = PortBlock(PUBLIC, 20480, 64)


def change_scope(site, **changes: object) -> None:
    """Start the site anew with another first scope."""
    site.scopes[0] = replace(site.scopes[0], **changes)
    site.start()


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
    assert site.leases[phone.mac].static
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


def test_the_events_of_a_static_phone_do_not_call_its_address_leased(site, make_phone) -> None:
    site.tell(make_phone(site, 1).client.inform(STATIC))
    told = site.last_event(DhcpAck)
    assert told.static
    assert told.text == f"acknowledged static address {STATIC} with ports {BLOCK} for {STATIC_S} s, class desk"
    make_phone(site, 2).boot()
    assert not site.last_event(DhcpAck).static
    assert site.last_event(DhcpAck).text.startswith("leased 10.0.0.10 with")


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


def test_a_static_phone_that_asks_again_keeps_its_block_also_over_a_restart(site, phone) -> None:
    for _ in range(4):
        again = decode(site.tell(phone.client.inform(STATIC))[0].payload)
        assert read_assignment(again.options).block == BLOCK
        site.wait(STATIC_S / 2)
        site.start()
        site.wait(STATIC_S / 2 - 1)
        assert site.nat == {BLOCK: STATIC}


def test_the_block_of_a_static_phone_that_asks_no_more_goes_the_way_of_any_lease_that_ends(site, phone) -> None:
    """Released, in quarantine, and kept for the phone's return."""
    site.tell(phone.client.inform(STATIC))
    site.wait(STATIC_S)
    assert site.nat == {}
    assert site.last_event(DhcpEnded).text == f"lease of static address {STATIC} expired"
    assert site.bindings[str(phone.mac)].state is BindingState.RELEASED
    again = decode(site.tell(phone.client.inform(STATIC))[0].payload)
    assert read_assignment(again.options).block == BLOCK


def test_a_site_may_let_static_phones_keep_their_blocks_for_ever(site, phone) -> None:
    change_scope(site, static_s=0)
    site.tell(phone.client.inform(STATIC))
    assert "for ever" in site.last_event(DhcpAck).text
    site.wait(100 * STATIC_S)
    site.start()
    site.wait(100 * STATIC_S)
    assert site.nat == {BLOCK: STATIC}


def test_a_static_phone_that_the_configuration_names_keeps_its_block_for_ever_and_is_not_counted(site, make_phone) -> None:
    """By a reservation of its address, or of its block."""
    change_scope(site, static_limit=0)
    by_address, by_block, stranger = (make_phone(site, number) for number in (1, 2, 3))
    site.reservations = [Reservation(STATIC, by_address.mac)]
    site.start()
    site.run(site.server.orders.reserve(by_block.mac, PortBlock(PUBLIC, 20544, 64), site.now))
    for phone, last in ((by_address, 77), (by_block, 78), (stranger, 79)):
        for _ in range(2):
            site.tell(phone.client.inform(IPv4Address(f"10.0.0.{last}")))
    site.wait(100 * STATIC_S)
    assert {str(private): block.first for block, private in site.nat.items()} == {"10.0.0.77": 20480, "10.0.0.78": 20544}


def test_a_phone_that_is_named_after_its_inform_keeps_its_block_for_ever_and_makes_room(site, make_phone) -> None:
    change_scope(site, static_limit=1)
    one, two = make_phone(site, 1), make_phone(site, 2)
    site.tell(one.client.inform(STATIC))
    site.run(site.server.orders.reserve(one.mac, None, site.now))
    assert site.leases[one.mac].permanent, "the store knows"
    site.tell(two.client.inform(IPv4Address("10.0.0.78")))
    site.wait(STATIC_S)
    assert list(site.nat.values()) == [STATIC], "nobody else is named"
    site.start()
    site.wait(100 * STATIC_S)
    assert list(site.nat.values()) == [STATIC]


@pytest.mark.parametrize("static_s", [3600, 0])
def test_a_phone_that_is_named_no_longer_counts_and_ages_at_once_without_an_inform(site, phone, static_s: int) -> None:
    change_scope(site, static_s=static_s)
    orders, statics = site.server.orders, site.server.book.statics
    site.run(orders.reserve(phone.mac, BLOCK, site.now))
    site.tell(phone.client.inform(STATIC))
    assert statics.count("lan", site.now) == 0
    site.wait(10_000)
    site.run(orders.loosen(phone.mac, site.now))
    assert statics.count("lan", site.now) == 1
    site.run(orders.move(phone.mac, PUBLIC, None, site.now + 1))
    site.wait(3599)
    assert list(site.nat.values()) == [STATIC]
    site.wait(1)
    assert list(site.nat.values()) == ([] if static_s else [STATIC])


@pytest.mark.parametrize("part", ["store", "NAT"])
def test_a_reservation_that_fails_leaves_a_static_lease_as_it_was(site, phone, part: str) -> None:
    site.tell(phone.client.inform(STATIC))
    before = dict(site.leases)
    site.store_fails, site.nat_fails = part == "store", part == "NAT"
    site.run(site.server.orders.reserve(phone.mac, PortBlock(PUBLIC, 20544, 64), site.now))
    site.store_fails = site.nat_fails = False
    assert site.leases == before
    assert site.server.book.statics.count("lan", site.now) == 1
    site.wait(STATIC_S)
    assert site.nat == {}


def test_what_the_configuration_names_anew_or_no_longer_counts_from_the_start(site, phone) -> None:
    site.tell(phone.client.inform(STATIC))
    site.wait(10)
    site.reservations = [Reservation(STATIC, phone.mac)]
    site.start()
    assert site.leases[phone.mac].permanent
    site.wait(100 * STATIC_S)
    assert site.nat == {BLOCK: STATIC}
    site.reservations = []
    site.start()
    assert site.server.book.statics.count("lan", site.now) == 1
    site.wait(STATIC_S)
    assert site.nat == {}


def test_a_static_phone_that_is_named_no_longer_is_counted_and_ages_like_the_others(site, phone) -> None:
    site.tell(phone.client.inform(STATIC))
    site.run(site.server.orders.reserve(phone.mac, None, site.now))
    site.tell(phone.client.inform(STATIC))
    site.start()
    assert site.server.book.statics.count("lan", site.now) == 0
    site.run(site.server.orders.loosen(phone.mac, site.now))
    site.tell(phone.client.inform(STATIC))
    assert site.server.book.statics.count("lan", site.now) == 1
    site.wait(STATIC_S)
    assert site.nat == {}


def test_static_phones_take_so_many_blocks_of_a_scope_and_no_more(site, make_phone) -> None:
    """Whoever can write Ethernet addresses that are served could else take the pool; further ones still learn the rest."""
    change_scope(site, static_limit=2)
    phones = [make_phone(site, number) for number in range(1, 5)]
    for number, phone in enumerate(phones):
        assert len(site.tell(phone.client.inform(IPv4Address(f"10.0.0.{100 + number}")))) == 1
    assert len(site.nat) == 2
    assert "scope lan has 2 static phones already" in site.last_event(DhcpStaticRefused).text
    site.start()
    site.tell(phones[3].client.inform(IPv4Address("10.0.0.103")))
    assert len(site.nat) == 2, "they count over a restart, too"
    site.tell(phones[0].client.inform(IPv4Address("10.0.0.100")))
    assert site.last_event(DhcpAck).address == "10.0.0.100", "one of those that have a block may ask again"
    site.run(site.server.orders.withdraw_lease(phones[0].mac, site.now))
    site.tell(phones[3].client.inform(IPv4Address("10.0.0.103")))
    assert {str(private) for private in site.nat.values()} == {"10.0.0.101", "10.0.0.103"}
    phones[1].boot()
    site.tell(phones[2].client.inform(IPv4Address("10.0.0.102")))
    assert len(site.nat) == 3, "one that turns to DHCP makes room"


def test_that_an_address_is_anothers_is_told_before_the_limit_of_the_scope(site, make_phone) -> None:
    """While that phone has it, and as long as its ports are in quarantine; only who could have the address is told of the limit."""
    change_scope(site, static_limit=0)
    holder, static = make_phone(site, 1), make_phone(site, 2)
    address = holder.boot().address
    site.tell(static.client.inform(address))
    assert site.last_event(DhcpStaticRefused).reason == f"{address} is still used by {holder.mac}"
    site.wait(3600)
    site.tell(static.client.inform(address))
    assert f"was left by {holder.mac}" in site.last_event(DhcpStaticRefused).reason
    site.wait(100)
    site.tell(static.client.inform(address))
    assert "static_limit" in site.last_event(DhcpStaticRefused).reason
    offered = static.offer().address
    site.tell(static.client.inform(offered))
    assert "static_limit" in site.last_event(DhcpStaticRefused).reason, "an address on offer to it is not another's"


def test_many_informs_at_the_same_time_pass_no_limit_and_a_failed_one_makes_room(site, make_phone) -> None:
    change_scope(site, static_limit=2)
    site.holding = True
    for number in range(1, 5):
        site.tell(make_phone(site, number).client.inform(IPv4Address(f"10.0.0.{100 + number}")))
    assert len(site.held) == 2
    site.conclude(site.held.pop(0), fail=True)
    site.tell(make_phone(site, 4).client.inform(IPv4Address("10.0.0.104")))
    site.holding = False
    while site.held:
        site.conclude(site.held.pop(0))
    assert {str(private) for private in site.nat.values()} == {"10.0.0.102", "10.0.0.104"}


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


def test_informs_may_be_switched_off_for_a_scope(site, make_phone) -> None:
    change_scope(site, inform=False)
    assert site.tell(make_phone(site, 1).client.inform(STATIC)) == []
    assert "inform = false" in site.last_event(DhcpDropped).reason
    assert site.leases == {}
    assert len(site.tell(make_phone(site, 2).client.inform(IPv4Address("10.0.1.77")), "eth1")) == 1
