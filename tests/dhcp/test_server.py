"""The server's decisions: whom it answers, with what, where to, and in which order (RFC 2131 section 4.3)."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from scapy.layers.dhcp import BOOTP, DHCP

from voxpath.core.effects import Apply, Commit, Datagram, Emit, Put, Send
from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged, Offered, Refused
from voxpath.dhcp.ending import MAX_DECLINED
from voxpath.dhcp.event import (
    DhcpAck,
    DhcpDeclined,
    DhcpDropped,
    DhcpEnded,
    DhcpExhausted,
    DhcpIgnoredClass,
    DhcpIgnoredMac,
    DhcpNak,
    DhcpOffer,
)
from voxpath.dhcp.listing import MAX_LISTED
from voxpath.dhcp.message import BOOTREPLY, INFINITE_S, MessageType
from voxpath.dhcp.reply import common_of, rebinding_s, renewal_s
from voxpath.dhcp.server import MESSAGES_TOLD, DhcpServer
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Endpoint
from voxpath.model.event import MessageEvent
from voxpath.model.phone import PhoneClass, Reservation
from voxpath.model.ports import BindingState, PortBlock

PUBLIC = IPv4Address("198.51.100.1")
FIRST, SECOND = IPv4Address("10.0.0.10"), IPv4Address("10.0.0.11")


def edited(payload: bytes, **fields: object) -> bytes:
    """The same message with other fields or options; an option set to ``None`` is left out."""
    message = decode(payload)
    options = dict(message.options)
    for option, value in fields.pop("options", {}).items():
        options.pop(option, None)
        if value is not None:
            options[option] = value
    return encode(message._replace(options=options, **fields))


# What a phone gets.


def test_a_phone_gets_all_that_it_needs(phone) -> None:
    lease = phone.boot()
    assert lease.address == FIRST
    assert lease.prefix_length == 24
    assert lease.router == lease.server == IPv4Address("10.0.0.1")
    assert lease.lease_s == 3600
    assert (lease.tftp, lease.boot_file) == ("10.0.0.1", "desk.bin")
    assert lease.block == PortBlock(PUBLIC, 20480, 64)
    assert lease.mgcs == (Endpoint("192.0.2.1", 2944), Endpoint("192.0.2.2", 2944))
    assert lease.dns == (IPv4Address("10.0.0.1"), IPv4Address("192.0.2.53"))
    assert (lease.domain, lease.host_name) == ("phones.example", "phone-020000000a01")


def test_another_class_gets_another_size_and_other_controllers(site, make_phone) -> None:
    """GEN-4, DHC-25."""
    lease = make_phone(site, 2, "lobby").boot()
    assert lease.block.size == 8
    assert lease.mgcs == (Endpoint("192.0.2.9", 2955),)
    assert lease.boot_file == ""


def test_scapy_finds_every_option_of_the_offer(site, phone) -> None:
    packet = BOOTP(site.tell(phone.client.discover())[0].payload)
    options = {option[0]: option[1:] for option in packet[DHCP].options if isinstance(option, tuple)}
    assert packet.siaddr == "10.0.0.1"
    assert packet.sname.rstrip(b"\0") == b"10.0.0.1"
    assert packet.file.rstrip(b"\0") == b"desk.bin"
    assert options["message-type"] == (2,)
    assert options["subnet_mask"] == ("255.255.255.0",)
    assert options["router"] == ("10.0.0.1",)
    assert options["name_server"] == ("10.0.0.1", "192.0.2.53")
    assert options["hostname"] == (b"phone-020000000a01",)
    assert options["domain"] == (b"phones.example",)
    assert options["lease_time"] == (3600,)
    assert options["server_id"] == ("10.0.0.1",)
    assert options["renewal_time"] == (1800,)
    assert options["rebinding_time"] == (3150,)
    assert options["tftp_server_name"] == (b"10.0.0.1",)
    assert options["boot-file-name"] == (b"desk.bin",)
    assert options["client_id"] == (b"\x01\x02\x00\x00\x00\x0a\x01",)
    block = bytes.fromhex("c63364015000503f")
    assert options["vendor_specific"][0].startswith(b"\x01\x08" + block)
    assert options[224] == (block,)
    assert options[226] == (PUBLIC.packed,)


@pytest.mark.parametrize(
    ("octets", "told"), [(0, None), (1, 1), (512, 1), (513, 2), (512 * 0xFFFF, 0xFFFF), (512 * 0xFFFF + 1, None), (100 << 20, None)]
)
def test_the_size_of_the_image_is_told_as_far_as_the_option_can_say_it(site, octets: int, told: int | None) -> None:
    """DHC-12: option 13 counts 512 octets in 16 bits."""
    options = common_of(
        site.scopes[0], PhoneClass("big", ("big",), 8, 600, "big.bin", image_octets=octets, root_path="/desk")
    ).options
    size = options.get(code.BOOT_FILE_SIZE)
    assert (None if size is None else int.from_bytes(size, "big")) == told
    assert options[code.ROOT_PATH] == b"/desk"


def test_the_offer_of_a_small_class_has_these_octets(site, make_phone) -> None:
    """Laid out by hand from RFC 2131 figure 1 and the table of voxpath.dhcp.options."""
    client = make_phone(site, 2, "lobby").client
    asked = edited(client.discover(), xid=0x01020304, options={code.PARAMETER_REQUEST_LIST: b"\xe0", code.CLIENT_ID: None})
    payload = site.tell(asked)[0].payload
    expected = (
        bytes.fromhex("020106000102030400008000000000000a00000a0a00000100000000020000000a02")
        + bytes(10)
        + b"10.0.0.1".ljust(64, b"\0")
        + bytes(128)
        + bytes.fromhex("6382536335010236040a0000013304000002583a040000012c3b040000020d")
        + bytes.fromhex("0104ffffff0003040a000001")
        + bytes.fromhex("e008c633640150005007")
        + b"\x42\x0810.0.0.1"
        + bytes.fromhex("06080a000001c0000235")
        + b"\x0c\x12phone-020000000a02"
        + b"\x0f\x0ephones.example"
        + b"\xff"
    )
    assert payload == expected.ljust(300, b"\0")


def test_flat_options_go_to_those_who_list_them_and_option_43_to_own_classes(site, make_phone) -> None:
    """Decision D1: a foreign phone that asks for none of 224 to 226 is not confused by them."""
    phone = make_phone(site, 3, "lobby")
    options = decode(site.tell(edited(phone.client.discover(), options={55: b"\x01\x03\x2b"}))[0].payload).options
    assert not {43, 224, 225, 226} & options.keys()
    options = decode(site.tell(edited(phone.client.discover(), options={55: None}))[0].payload).options
    assert {224, 225, 226} <= options.keys()
    own = decode(site.tell(edited(make_phone(site, 4).client.discover(), options={55: b"\x01"}))[0].payload).options
    assert code.VENDOR in own


def test_the_name_that_a_phone_sends_is_kept_if_it_is_a_label(site, make_phone) -> None:
    for sent, kept in (
        (b"kitchen", b"kitchen"),
        (b"SEP01.example", b"SEP01"),
        (b"-x", b"phone-020000000a01"),
        (b"a b", b"phone-020000000a01"),
    ):
        payload = site.tell(edited(make_phone(site, 1).client.discover(), options={code.HOST_NAME: sent}))[0].payload
        assert decode(payload).options[code.HOST_NAME] == kept


def test_a_reply_never_exceeds_what_the_client_takes(site, make_phone) -> None:
    """576 octets of IP unless option 57 says more (RFC 2132 section 9.10): the least needed options go first."""
    ask = edited(make_phone(site, 1).client.discover(), options={code.CLIENT_ID: b"\x01" * 180})
    payload = site.tell(ask)[0].payload
    assert len(payload) <= 548
    options = decode(payload).options
    assert code.DOMAIN not in options
    assert {code.VENDOR, code.SERVER_ID, code.LEASE_TIME} <= options.keys()
    roomy = decode(site.tell(edited(ask, options={code.MAX_MESSAGE_SIZE: b"\x05\xdc"}))[0].payload)
    assert code.DOMAIN in roomy.options


def test_an_infinite_lease_is_never_renewed() -> None:
    assert renewal_s(INFINITE_S) == rebinding_s(INFINITE_S) == INFINITE_S


def test_a_lease_without_end_is_told_in_words(site, make_phone) -> None:
    site.classes = [replace(site.classes[0], lease_s=INFINITE_S), site.classes[1]]
    site.start()
    make_phone(site, 1).boot()
    assert site.last_event(DhcpAck).text == "leased 10.0.0.10 with ports 198.51.100.1:20480-20543 for ever, class desk"
    make_phone(site, 2, "lobby").boot()
    assert "for 600 s" in site.last_event(DhcpAck).text


# Whom the server answers: address first, then class (DHC-2 to DHC-4).


@pytest.mark.parametrize("kind", ["discover", "request", "reboot", "renew", "inform"])
@pytest.mark.parametrize(
    ("number", "vendor_class", "event"),
    [
        (1, "desk", None),
        (1, "laptop", DhcpIgnoredClass),
        (0x100, "desk", DhcpIgnoredMac),
        (0x100, "laptop", DhcpIgnoredMac),
    ],
)
def test_address_and_class_are_checked_in_this_order_for_every_message(site, make_phone, kind, number, vendor_class, event) -> None:
    """DHC-23: a REQUEST without a DISCOVER passes the same checks; a stranger hears nothing, no NAK either."""
    wrong = make_phone(site, 9, "desk").boot()
    phone = make_phone(site, number, vendor_class)
    builds = {
        "discover": phone.client.discover,
        "request": lambda: phone.client.request(wrong),
        "reboot": lambda: phone.client.reboot(wrong),
        "renew": lambda: phone.client.renew(wrong),
        "inform": lambda: phone.client.inform(IPv4Address("10.0.0.77")),
    }
    site.events.clear()
    sent = site.tell(builds[kind]())
    if event is None:
        assert len(sent) == 1
    else:
        assert sent == []
        assert isinstance(site.events[-1], event)
        assert site.events[-1].phone == str(phone.mac)
        assert sum(site.server.dropped.values()) == 1


def test_no_vendor_class_at_all_is_silence_with_a_reason(site, phone) -> None:
    assert site.tell(edited(phone.client.discover(), options={code.VENDOR_CLASS: None})) == []
    assert "option 60" in site.last_event(DhcpIgnoredClass).text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"giaddr": IPv4Address("10.0.0.2")}, "relay"),
        ({"op": BOOTREPLY}, "no request"),
        ({"htype": 6}, "no request"),
        ({"options": {code.MESSAGE_TYPE: b"\x02"}}, "type"),
        ({"options": {code.MESSAGE_TYPE: b"\xc8"}}, "type"),
    ],
)
def test_what_is_not_served_is_dropped_and_counted(site, phone, change, reason) -> None:
    assert site.tell(edited(phone.client.discover(), **change)) == []
    assert reason in site.last_event(DhcpDropped).text
    assert list(site.server.dropped.values()) == [1]


def test_an_interface_without_scope_is_not_served(site, phone) -> None:
    assert site.tell(phone.client.discover(), "eth9") == []
    assert site.tell(phone.client.discover(), "") == []


def test_a_port_that_does_not_tell_the_interface_serves_a_single_scope(site, phone) -> None:
    server = DhcpServer(site.scopes[:1], site.server._policy, site.ledger)
    effects = list(server.receive(Datagram(phone.client.discover(), Endpoint("0.0.0.0", 68)), 0.0))
    assert isinstance(effects[-1], Send)


def test_a_malformed_message_is_the_peers_error(site) -> None:
    for payload in (b"", bytes(300)):
        with pytest.raises(RemoteError):
            site.tell(payload)


# Persistence before acknowledgement (DHC-6, DHC-7).


def test_the_ack_stands_behind_the_nat_change_and_that_behind_the_commit(site, phone) -> None:
    request = phone.client.request(phone.offer())
    assert site.ledger.bindings() == ()
    effects = list(site.server.receive(Datagram(request, Endpoint("0.0.0.0", 68), interface="eth0", port="dhcp"), site.now))
    assert [type(effect) for effect in effects] == [Emit, Commit]
    commit = effects[1]
    assert [type(change.value).__name__ for change in commit.changes] == ["Lease", "PortBinding"]
    assert all(isinstance(change, Put) for change in commit.changes)
    (apply,) = commit.then
    assert isinstance(apply, Apply)
    assert apply.transaction.add[0].private == FIRST
    assert [type(effect) for effect in apply.then] == [Emit, Emit, Send]
    assert isinstance(apply.then[0].event, DhcpAck)
    assert decode(apply.then[2].payload).type is MessageType.ACK
    assert site.server.phone_at("10.0.0.10") == ""


def test_a_repeated_request_while_the_commit_is_under_way_doubles_nothing(site, phone) -> None:
    request = phone.client.request(phone.offer())
    site.holding = True
    assert site.tell(request) == site.tell(request) == site.tell(phone.client.discover()) == []
    assert len(site.held) == 1
    site.holding = False
    phone.client.xid = decode(request).xid
    site.conclude(site.held.pop())
    assert len(site.sent) == 2
    assert isinstance(phone.client.read(site.sent[-1].payload), Acknowledged)


def test_a_failed_commit_sends_nothing_and_the_repeated_request_succeeds(site, phone) -> None:
    offered = phone.offer()
    site.store_fails = True
    request = phone.client.request(offered)
    assert site.tell(request) == []
    assert (site.leases, site.bindings, site.nat) == ({}, {}, {})
    assert site.ledger.bindings() == ()
    assert site.events[-1].text == "lease of 10.0.0.10 failed at the store: broken"
    site.store_fails = False
    answer = phone.ask(request)
    assert isinstance(answer, Acknowledged)
    assert answer.lease == offered


def test_a_failed_commit_of_a_renewal_leaves_the_lease_as_it_was(site, phone) -> None:
    lease = phone.boot()
    before = site.server.provision_of(phone.mac)
    site.now += 1000
    site.store_fails = True
    assert phone.ask(phone.client.renew(lease)) is None
    assert site.server.provision_of(phone.mac) == before


def test_a_failed_nat_change_is_taken_back_in_the_store(site, phone) -> None:
    request = phone.client.request(phone.offer())
    site.nat_fails = True
    assert site.tell(request) == []
    assert (site.leases, site.bindings, site.nat) == ({}, {}, {})
    site.nat_fails = False
    assert isinstance(phone.ask(request), Acknowledged)


def test_a_failed_undo_keeps_the_space_taken_and_is_tried_again(site, phone, make_phone) -> None:
    """The rows are still in the store: giving the space to another phone would make two owners."""
    request = phone.client.request(phone.offer())
    site.holding = True
    site.tell(request)
    site.conclude(site.held.pop())
    site.conclude(site.held.pop(), fail=True)
    site.conclude(site.held.pop(), fail=True)
    site.holding = False
    assert len(site.bindings) == 1
    assert make_phone(site, 2).boot().block == PortBlock(PUBLIC, 20544, 64)
    assert site.tell(request) == []
    site.wait(5.0)
    assert list(site.leases) == [make_phone(site, 2).mac]
    assert isinstance(phone.ask(request), Acknowledged)


# Selecting, renewing, rebinding, init-reboot.


def test_the_same_phone_gets_the_same_address_and_block_again(site, phone) -> None:
    first = phone.boot()
    assert phone.boot() == first
    assert len(site.leases) == len(site.bindings) == len(site.nat) == 1


def test_a_renewal_is_stored_before_it_is_acknowledged(site, phone) -> None:
    lease = phone.boot()
    site.now += 1800
    answer = phone.ask(phone.client.renew(lease))
    assert isinstance(answer, Acknowledged)
    assert answer.lease == lease
    assert site.sent[-1].destination == Endpoint("10.0.0.10", 68)
    assert site.sent[-1].link == b""
    assert site.leases[phone.mac].expires == site.now + 3600


def test_init_reboot_with_the_right_address_is_acknowledged(site, phone) -> None:
    lease = phone.boot()
    answer = phone.ask(phone.client.reboot(lease))
    assert isinstance(answer, Acknowledged)


@pytest.mark.parametrize(
    ("address", "reason"), [("10.0.0.12", "not leased"), ("192.168.1.5", "another network"), ("10.0.0.99", "not for")]
)
def test_a_wrong_address_is_refused_by_broadcast(site, phone, address, reason) -> None:
    lease = replace(phone.boot(), address=IPv4Address(address))
    for build in (phone.client.reboot, phone.client.renew):
        answer = phone.ask(build(lease))
        assert isinstance(answer, Refused)
        assert reason in answer.reason
        sent = site.sent[-1]
        assert (sent.destination.host, sent.interface, sent.source) == ("255.255.255.255", "eth0", "10.0.0.1")
        assert decode(sent.payload).yiaddr == IPv4Address(0)
    assert isinstance(site.events[-2], MessageEvent | DhcpNak)


def test_the_nak_has_only_what_the_table_allows(site, phone) -> None:
    """RFC 2131 table 3."""
    site.tell(phone.client.reboot(replace(phone.boot(), address=SECOND)))
    assert decode(site.sent[-1].payload).options.keys() == {53, 54, 56, 61}


def test_without_authority_a_wrong_address_meets_silence(make_site, make_phone) -> None:
    site = make_site(authoritative=False)
    phone = make_phone(site, 1)
    assert phone.ask(phone.client.reboot(replace(phone.boot(), address=SECOND))) is None


def test_a_phone_that_chose_another_server_frees_its_offer(site, phone, make_phone) -> None:
    """DHC-13: option 54 differs."""
    offered = phone.offer()
    assert phone.ask(phone.client.request(replace(offered, server=IPv4Address("10.0.0.200")))) is None
    assert make_phone(site, 2).offer().address == offered.address


def test_an_offer_that_a_restart_has_forgotten_is_still_honoured(site, phone) -> None:
    request = phone.client.request(phone.offer())
    site.start()
    assert isinstance(phone.ask(request), Acknowledged)


def test_a_request_that_names_no_address_is_dropped(site, phone) -> None:
    offered = phone.offer()
    assert phone.ask(edited(phone.client.request(offered), options={code.REQUESTED_ADDRESS: None})) is None


def test_the_requested_address_is_given_if_it_is_free(site, phone, make_phone) -> None:
    ask = edited(phone.client.discover(), options={code.REQUESTED_ADDRESS: IPv4Address("10.0.0.12").packed})
    answer = phone.ask(ask)
    assert isinstance(answer, Offered)
    assert answer.lease.address == IPv4Address("10.0.0.12")
    other = make_phone(site, 2)
    answer = other.ask(edited(other.client.discover(), options={code.REQUESTED_ADDRESS: IPv4Address("10.0.0.12").packed}))
    assert isinstance(answer, Offered)
    assert answer.lease.address == FIRST


def test_a_change_of_class_gives_another_block_in_one_transaction(site, phone, make_phone) -> None:
    old = phone.boot()
    new = make_phone(site, 1, "lobby").boot()
    assert new.address == old.address
    assert new.block.size == 8
    assert site.nat == {new.block: new.address}
    row = site.ledger.row_at(PUBLIC, old.block.first)
    assert row.state is BindingState.RELEASED


# Where answers go (RFC 2131 section 4.1).


def test_the_broadcast_flag_is_obeyed(site, phone) -> None:
    phone.offer()
    sent = site.sent[-1]
    assert sent == Send(sent.payload, Endpoint("255.255.255.255", 68), "dhcp", "10.0.0.1", "eth0", b"")


def test_without_the_flag_the_frame_goes_to_the_ethernet_address(site, make_phone) -> None:
    phone = make_phone(site, 1, broadcast=False)
    phone.boot()
    for sent in site.sent:
        assert sent == Send(sent.payload, Endpoint("10.0.0.10", 68), "dhcp", "10.0.0.1", "eth0", bytes(phone.mac))


# Scopes.


def test_each_interface_has_its_scope(site, phone, make_phone) -> None:
    assert phone.boot("eth0").address == FIRST
    assert make_phone(site, 2).boot("eth1").address == IPv4Address("10.0.1.10")


def test_a_phone_that_moves_takes_its_block_along(site, phone, make_phone) -> None:
    old = phone.boot("eth0")
    new = phone.boot("eth1")
    assert new.address == IPv4Address("10.0.1.10")
    assert new.block == old.block
    assert site.nat == {new.block: new.address}
    assert site.server.phone_at("10.0.0.10") == ""
    assert make_phone(site, 2).boot("eth0").address == FIRST
    assert isinstance(phone.ask(phone.client.reboot(old), "eth0"), Refused)


# Reservations (DHC-15).


def test_a_reservation_gives_its_address_and_nobody_else_gets_it(make_site, make_phone) -> None:
    phones = [make_phone(None, number) for number in range(5)]
    site = make_site(reservations={phones[1].mac: IPv4Address("10.0.0.10"), phones[2].mac: IPv4Address("10.0.0.200")})
    got = [make_phone(site, number).boot().address for number in range(5)]
    assert [str(address) for address in got] == ["10.0.0.11", "10.0.0.10", "10.0.0.200", "10.0.0.12", "10.0.0.13"]


def test_a_new_reservation_takes_over_when_the_address_is_no_longer_used(site, phone, make_phone) -> None:
    lease = phone.boot()
    site.reservations = [Reservation(FIRST, make_phone(site, 2).mac)]
    site.start()
    assert make_phone(site, 2).ask(make_phone(site, 2).client.discover()) is None
    assert "still used" in site.last_event(DhcpExhausted).text
    assert isinstance(phone.ask(phone.client.renew(lease)), Refused)
    assert phone.boot().address == SECOND
    assert make_phone(site, 2).boot().address == FIRST


# Ends.


def test_a_release_is_stored_and_its_ports_leave_the_nat(site, phone) -> None:
    lease = phone.boot()
    assert phone.ask(phone.client.release(lease)) is None
    assert site.nat == {}
    assert site.bindings[str(phone.mac)].state is BindingState.RELEASED
    assert site.leases[phone.mac].expires == site.now
    assert site.server.provision_of(phone.mac) is None
    assert site.last_event(DhcpEnded).text == "lease of 10.0.0.10 released"
    assert phone.boot() == lease


def test_a_stranger_releases_nothing(site, phone, make_phone) -> None:
    lease = phone.boot()
    for wrong in (make_phone(site, 2), make_phone(site, 0x100)):
        wrong.ask(wrong.client.release(lease))
    phone.ask(phone.client.release(replace(lease, address=SECOND)))
    phone.ask(phone.client.release(replace(lease, server=SECOND)))
    assert len(site.nat) == 1


def test_a_lease_runs_out(site, phone) -> None:
    lease = phone.boot()
    site.wait(3599)
    assert len(site.nat) == 1
    site.wait(1)
    assert site.nat == {}
    assert site.leases[phone.mac].address == lease.address
    assert site.server.phone_at("10.0.0.10") == ""
    assert phone.boot() == lease


def test_an_expiry_that_fails_is_tried_again(site, phone) -> None:
    phone.boot()
    site.store_fails = True
    site.wait(3601)
    assert len(site.nat) == 1
    site.store_fails = False
    site.wait(5)
    assert site.nat == {}


def test_an_offer_ends(site, phone, make_phone) -> None:
    phone.offer()
    site.wait(60)
    assert site.server.next_due() is None
    assert make_phone(site, 2).offer().address == FIRST


@pytest.mark.parametrize("source", ["10.0.0.66", "0.0.0.0", "10.0.1.10", "10.0.0.10"])
def test_a_release_is_heard_from_the_address_that_it_gives_back(site, phone, source: str) -> None:
    """Anybody can write a phone's Ethernet address, client identifier and IP address into a message (RFC 2131 section 7)."""
    site.tell(phone.client.release(phone.boot()), source=source)
    assert bool(site.nat) == (source != "10.0.0.10")
    if site.nat:
        assert site.last_event(DhcpDropped).reason == "it was sent from another address than it gives back"


@pytest.mark.parametrize("kind", ["release", "decline"])
def test_a_release_or_a_decline_from_another_link_ends_nothing(site, phone, kind: str) -> None:
    lease = phone.boot()
    message = getattr(phone.client, kind)(lease)
    site.tell(edited(message, options={code.SERVER_ID: None}), "eth1", str(lease.address))
    assert site.nat == {lease.block: lease.address}
    assert site.last_event(DhcpDropped).reason == "it came from another link than its lease is of"


def test_a_declined_address_is_given_to_nobody_for_a_while(site, phone, make_phone) -> None:
    lease = phone.boot()
    phone.ask(phone.client.decline(lease))
    assert site.last_event(DhcpDeclined).phone == str(phone.mac)
    assert (site.leases, site.nat) == ({}, {})
    again = phone.boot()
    assert again.address == SECOND
    assert again.block == lease.block
    site.wait(3600)
    site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert make_phone(site, 2).boot().address == FIRST


def test_an_operator_ends_a_lease(site, phone) -> None:
    phone.boot()
    site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert site.nat == {}
    assert site.last_event(DhcpEnded).text.endswith("withdrawn")
    assert site.server.orders.withdraw_lease(phone.mac, site.now) == []


# Nothing left (DHC-24).


def test_without_a_block_there_is_no_offer_but_an_event(make_site, make_phone) -> None:
    site = make_site(blocks=1)
    make_phone(site, 1).boot()
    other = make_phone(site, 2)
    assert other.ask(other.client.discover()) is None
    assert "no block of 64 ports" in site.last_event(DhcpExhausted).text
    small = make_phone(site, 3)
    assert small.ask(small.client.discover()) is None
    assert len(site.server._book._pools["lan"]) == 1


def test_without_an_address_there_is_no_offer_but_an_event(make_site, make_phone) -> None:
    site = make_site(last=11)
    for number in (1, 2):
        make_phone(site, number).boot()
    other = make_phone(site, 3)
    assert other.ask(other.client.discover()) is None
    told = site.last_event(DhcpExhausted).text
    assert "no address of scope lan" in told
    assert told.endswith("; enlarge what is full (voxpath ctl scopes, pools), or voxpath ctl release a phone that is gone")


def test_the_address_that_ended_first_gives_way_first(make_site, make_phone) -> None:
    site = make_site(last=11)
    one, two, three = (make_phone(site, number) for number in (1, 2, 3))
    for each in (one, two):
        each.boot()
    two.ask(two.client.release(replace(one.boot(), address=SECOND)))
    site.wait(1)
    one.ask(one.client.release(one.boot()))
    site.wait(100)
    offered = three.offer()
    assert offered.address == SECOND
    assert two.ask(two.client.discover()) is None
    assert isinstance(three.ask(three.client.request(offered)), Acknowledged)
    assert set(site.leases) == {one.mac, three.mac}
    assert two.boot().address == FIRST


def test_a_lapsed_offer_gives_a_remembered_address_back(make_site, make_phone) -> None:
    site = make_site(last=10)
    one, two = make_phone(site, 1), make_phone(site, 2)
    lease = one.boot()
    one.ask(one.client.release(lease))
    site.wait(100)
    two.offer()
    site.wait(60)
    assert one.boot() == lease


def test_open_offers_are_limited(make_site, make_phone) -> None:
    site = make_site(max_offers=1)
    first, second = make_phone(site, 1), make_phone(site, 2)
    first.offer()
    assert second.ask(second.client.discover()) is None
    assert "too many offers" in site.last_event(DhcpDropped).text
    first.boot()
    second.boot()


# Look-ups, restart.


def test_a_bound_phone_is_found_by_its_address(site, phone) -> None:
    phone.offer()
    assert site.server.provision_of(phone.mac) is None
    lease = phone.boot()
    provision = site.server.provision_of(phone.mac)
    assert provision.block == lease.block
    assert provision.scope is site.scopes[0]
    assert provision.phone_class.name == "desk"
    assert site.server.phone_at("10.0.0.10") == str(phone.mac)
    assert site.server.phone_at("10.0.0.11") == site.server.phone_at("nonsense") == ""
    assert [lease.address for lease in site.server.leases()] == [FIRST]


def test_a_restart_changes_nothing_for_phones(site, phone, make_phone) -> None:
    lease = phone.boot()
    other = make_phone(site, 2)
    gone = other.boot()
    other.ask(other.client.release(gone))
    site.now += 100
    site.start()
    assert site.server.phone_at("10.0.0.10") == str(phone.mac)
    assert site.server.phone_at("10.0.0.11") == ""
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)
    assert make_phone(site, 3).boot().address == IPv4Address("10.0.0.12")
    assert other.boot() == gone


def test_a_lease_that_ran_out_while_the_gateway_was_down_ends_at_once(site, phone) -> None:
    phone.boot()
    site.now += 4000
    site.start()
    assert site.server.phone_at("10.0.0.10") == ""
    site.wait(0)
    assert site.nat == {}
    assert site.bindings[str(phone.mac)].state is BindingState.RELEASED


def test_a_lease_of_a_scope_that_is_gone_ends_when_it_runs_out(site, phone) -> None:
    lease = phone.boot("eth1")
    site.scopes = site.scopes[:1]
    site.start()
    assert site.server.provision_of(phone.mac) is None
    assert phone.boot("eth0").block == lease.block
    assert len(site.leases) == 1
    site.wait(3600)
    assert site.nat == {}


def test_a_class_that_is_gone_provisions_nothing(site, phone) -> None:
    phone.boot()
    site.classes = []
    site.start()
    assert site.server.provision_of(phone.mac) is None


def test_every_message_is_an_arrow_of_the_ladder(site, phone) -> None:
    phone.boot()
    arrows = [event for event in site.events if isinstance(event, MessageEvent)]
    who = str(phone.mac)
    assert [(arrow.sender, arrow.receiver, arrow.summary.split()[0]) for arrow in arrows] == [
        (who, "dhcp", "DISCOVER"),
        ("dhcp", who, "OFFER"),
        (who, "dhcp", "REQUEST"),
        ("dhcp", who, "ACK"),
    ]
    assert all(event.phone == who for event in site.events)


def test_a_storm_is_told_by_its_decisions_and_not_by_its_messages(site, make_phone) -> None:
    """Memory for ladders is bounded, and a storm must not push out all that it holds."""
    phone = make_phone(site, 1)
    for _ in range(MESSAGES_TOLD + 5):
        phone.offer()
    told = [event for event in site.events if isinstance(event, MessageEvent)]
    assert len(told) == 2 * MESSAGES_TOLD
    assert sum(isinstance(event, DhcpOffer) for event in site.events) == MESSAGES_TOLD + 5
    site.now += 1
    phone.offer()
    assert sum(isinstance(event, MessageEvent) for event in site.events) == 2 * MESSAGES_TOLD + 2


def test_requests_for_forgotten_offers_are_bounded_as_offers_are(make_site, make_phone) -> None:
    """A flood of selecting REQUESTs leaves no offer open that nobody was told of, and opens none beyond the limit."""
    site = make_site(max_offers=1)
    strange = make_phone(site, 1)
    request = edited(
        strange.client.discover(),
        options={
            code.MESSAGE_TYPE: bytes((MessageType.REQUEST,)),
            code.SERVER_ID: bytes((10, 0, 0, 1)),
            code.REQUESTED_ADDRESS: bytes((10, 0, 0, 99)),
        },
    )
    assert strange.client.read(site.tell(request)[0].payload).reason
    assert site.server.book.offers == 0
    make_phone(site, 2).offer()
    late = make_phone(site, 3)
    wanted = edited(
        late.client.discover(),
        options={
            code.MESSAGE_TYPE: bytes((MessageType.REQUEST,)),
            code.SERVER_ID: bytes((10, 0, 0, 1)),
            code.REQUESTED_ADDRESS: bytes((10, 0, 0, 12)),
        },
    )
    assert isinstance(late.ask(wanted), Refused)
    assert site.server.book.offers == 1


def test_a_request_names_one_address(site, phone) -> None:
    """RFC 2131 section 4.3.2 has no message with both; the answer would go to an address of the sender's choice."""
    lease = phone.boot()
    for option, ciaddr in ((lease.address, IPv4Address("8.8.8.8")), (lease.address, IPv4Address("10.0.0.77"))):
        assert site.tell(edited(phone.client.reboot(lease), ciaddr=ciaddr, options={50: option.packed})) == []
    assert "another address than its own" in site.last_event(DhcpDropped).reason


@pytest.mark.parametrize("kind", ["release", "decline"])
def test_a_lease_is_given_up_by_the_identifier_that_it_was_given_to(site, phone, kind: str) -> None:
    """RFC 2131 section 4.2: a client uses one identifier in all its messages."""
    lease = phone.boot()
    payload = getattr(phone.client, kind)(lease)
    site.tell(edited(payload, options={61: b"\1another"}))
    assert site.nat == {lease.block: lease.address}
    assert "another client identifier" in site.last_event(DhcpDropped).reason
    site.tell(payload)
    assert site.nat == {}


def test_a_declined_address_is_given_to_nobody_after_a_restart_either(make_site, make_phone) -> None:
    site = make_site(probation_s=1000.0)
    phone = make_phone(site, 1)
    site.tell(phone.client.decline(phone.boot()))
    site.wait(400)
    site.start()
    assert make_phone(site, 2).boot().address == SECOND
    assert site.server.book.declined.by(phone.mac) == 1
    site.wait(500)
    site.start()
    assert list(site.probations) == [FIRST]
    site.wait(200)
    assert site.probations == {}
    assert make_phone(site, 3).boot().address == FIRST


def test_an_operator_sees_which_addresses_are_on_probation_by_whom_they_were_declined_and_how_long(make_site, make_phone) -> None:
    """Also after a restart, and no longer than it lasts."""
    site = make_site(probation_s=1000.0)
    phone = make_phone(site, 1)
    assert list(site.server.summary(site.now)) == []
    site.tell(phone.client.decline(phone.boot()))
    site.wait(400)
    shown = [
        ("on probation in lan", "1 address, the next one is free in 600 s"),
        (f"probation of {FIRST}", f"declined by {phone.mac}; 600 s left"),
    ]
    assert list(site.server.summary(site.now)) == shown
    site.start()
    assert list(site.server.summary(site.now)) == shown
    site.wait(600)
    assert list(site.server.summary(site.now)) == []
    assert len(site.server.book.declined) == 0


def test_only_the_first_addresses_on_probation_are_listed_and_the_others_counted(make_site, make_phone) -> None:
    site = make_site(last=200, blocks=64)
    for number in range(MAX_LISTED + 3):
        phone = make_phone(site, number)
        site.tell(phone.client.decline(phone.boot()))
    shown = list(site.server.summary(site.now))
    assert len(shown) == MAX_LISTED + 3
    assert shown[0] == ("on probation in lan", f"{MAX_LISTED + 3} addresses, the next one is free in 3600 s")
    assert shown[-1] == ("further probations", "3 addresses that phones declined")


def test_a_declined_address_stays_on_probation_when_its_scope_gets_another_name(make_site, make_phone) -> None:
    site = make_site(probation_s=1000.0)
    phone = make_phone(site, 1)
    site.tell(phone.client.decline(phone.boot()))
    site.scopes[0] = replace(site.scopes[0], name="house")
    site.start()
    assert make_phone(site, 2).boot().address == SECOND
    site.wait(1000)
    assert site.probations == {}
    assert make_phone(site, 3).boot().address == FIRST


def test_a_probation_that_ended_while_the_server_was_down_is_over(make_site, make_phone) -> None:
    site = make_site(probation_s=1000.0)
    phone = make_phone(site, 1)
    site.tell(phone.client.decline(phone.boot()))
    site.now += 1001
    site.start()
    assert site.probations == {}
    assert make_phone(site, 2).boot().address == FIRST


@pytest.mark.parametrize("part", ["store", "nat"])
def test_a_decline_that_fails_leaves_no_probation(site, phone, part: str) -> None:
    lease = phone.boot()
    setattr(site, f"{part}_fails", True)
    site.tell(phone.client.decline(lease))
    assert site.probations == {}
    assert site.leases[phone.mac].address == lease.address


def test_a_phone_that_declines_whatever_it_gets_is_not_believed_for_ever(make_site, make_phone) -> None:
    site = make_site(last=30)
    phone = make_phone(site, 1)
    for _ in range(MAX_DECLINED + 10):
        lease = phone.boot()
        site.tell(phone.client.decline(lease))
    declined = [event for event in site.events if isinstance(event, DhcpDeclined)]
    assert len(declined) == MAX_DECLINED
    assert "is not believed" in site.last_event(DhcpDropped).reason
    assert make_phone(site, 2).boot().address is not None
    site.wait(3600.0)
    site.tell(phone.client.decline(phone.boot()))
    assert len([event for event in site.events if isinstance(event, DhcpDeclined)]) == MAX_DECLINED + 1
