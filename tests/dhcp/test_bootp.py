"""BOOTP: one request, one reply, an address for ever, for reserved phones alone (RFC 951, RFC 1534, DHC-21, DHC-26)."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from scapy.layers.dhcp import BOOTP

from voxpath.dhcp import options as code
from voxpath.dhcp.event import DhcpDropped, DhcpExhausted, DhcpIgnoredClass, DhcpIgnoredMac
from voxpath.dhcp.message import BOOTREPLY, BOOTREQUEST, Message
from voxpath.dhcp.options import read_assignment
from voxpath.dhcp.wire import MIN_MESSAGE, decode, encode
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import Reservation

RESERVED = IPv4Address("10.0.0.99")


def mac(number: int) -> Mac:
    return Mac(b"\x02\0\0\0\x0a" + bytes((number,)))


def asking(number: int, **fields: object) -> bytes:
    return encode(Message(BOOTREQUEST, 77, mac(number), {}, **fields))


@pytest.fixture
def site(make_site):
    made = make_site()
    made.reservations = [Reservation(RESERVED, mac(1), phone_class="desk"), Reservation(IPv4Address("10.0.0.98"), mac(2))]
    made.start()
    return made


def test_a_reserved_phone_gets_its_address_for_ever(site) -> None:
    sent = site.tell(asking(1))
    message = decode(sent[0].payload)
    assert (message.op, message.xid, message.yiaddr, message.siaddr) == (BOOTREPLY, 77, RESERVED, IPv4Address("10.0.0.1"))
    assert message.file == b"desk.bin"
    assert not {code.MESSAGE_TYPE, code.SERVER_ID, code.LEASE_TIME, code.RENEWAL_TIME} & message.options.keys()
    assert read_assignment(message.options).block is not None
    assert sent[0].destination == Endpoint(str(RESERVED), 68)
    assert sent[0].link == mac(1)
    assert site.leases[mac(1)].permanent
    site.wait(10_000_000)
    assert list(site.nat.values()) == [RESERVED]


def test_the_reply_is_no_longer_than_a_bootp_client_takes(site) -> None:
    """RFC 951 section 3: 300 octets, and what does not fit is left out."""
    payload = site.tell(asking(1))[0].payload
    assert len(payload) == MIN_MESSAGE
    assert BOOTP(payload).yiaddr == str(RESERVED)


def test_a_client_that_knows_no_options_is_answered(site) -> None:
    """The vendor area may be empty: not even the cookie of RFC 1497 is there."""
    payload = bytearray(asking(1))
    payload[236:] = bytes(64)
    assert decode(site.tell(bytes(payload))[0].payload).yiaddr == RESERVED


def test_the_same_request_gets_the_same_answer(site) -> None:
    first, second = (site.tell(asking(1))[0].payload for _ in range(2))
    assert first == second
    assert len(site.leases) == 1


def test_the_reply_waits_for_the_store(site) -> None:
    site.store_fails = True
    assert site.tell(asking(1)) == []
    assert site.leases == {}
    site.store_fails = False
    assert len(site.tell(asking(1))) == 1


@pytest.mark.parametrize(("number", "event"), [(0xF1, DhcpIgnoredMac), (2, DhcpIgnoredClass), (3, DhcpIgnoredClass)])
def test_all_others_hear_nothing(site, number, event) -> None:
    """A reservation without a class is not enough, nor is an address that may be served."""
    assert site.tell(asking(number)) == []
    assert site.last_event(event)


def test_a_vendor_class_makes_no_dhcp_client_of_it(site) -> None:
    message = Message(BOOTREQUEST, 77, mac(3), {code.VENDOR_CLASS: b"desk"})
    assert site.tell(encode(message)) == []
    assert "BOOTP carries no class" in site.last_event(DhcpIgnoredClass).text


def test_a_request_for_another_server_is_dropped(site) -> None:
    assert site.tell(asking(1, sname=b"elsewhere")) == []
    assert "another server" in site.last_event(DhcpDropped).text
    assert len(site.tell(asking(1, sname=b"10.0.0.1"))) == 1


def test_a_phone_away_from_its_reserved_network_is_dropped(site) -> None:
    assert site.tell(asking(1), "eth1") == []
    assert "another network" in site.last_event(DhcpDropped).text


def test_without_a_block_there_is_no_reply_but_an_event(make_site, make_phone) -> None:
    site = make_site(blocks=1)
    site.reservations = [Reservation(RESERVED, mac(1), phone_class="desk")]
    site.start()
    make_phone(site, 5).boot()
    assert site.tell(asking(1)) == []
    assert site.last_event(DhcpExhausted)


def test_a_relay_gets_the_reply(make_site) -> None:
    site = make_site()
    site.scopes[0] = replace(site.scopes[0], relays=(IPv4Address("10.0.0.2"),))
    site.reservations = [Reservation(RESERVED, mac(1), phone_class="desk")]
    site.start()
    sent = site.tell(asking(1, giaddr=IPv4Address("10.0.0.2")))
    assert sent[0].destination == Endpoint("10.0.0.2", 67)
