"""Phones behind relays: whom the server believes, what it echoes, where its answers go (RFC 2131 4.1, 3046, 3527, 3011, 5107)."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from scapy.layers.dhcp import BOOTP, DHCP

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged, Offered, Refused
from voxpath.dhcp.event import DhcpDropped, DhcpExhausted, DhcpIgnoredClass
from voxpath.dhcp.message import ANY, MessageType
from voxpath.dhcp.relay import NO_AGENT, RelayAgent, relay_agent
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Endpoint
from voxpath.model.phone import Reservation, Scope

GIADDR, OTHER = IPv4Address("10.2.0.2"), IPv4Address("10.3.0.2")
SERVER = IPv4Address("10.0.0.1")
AGENT = b"\x01\x06port-7\x02\x02sw"


def far(name: str, second: int, **more: object) -> Scope:
    def at(number: int) -> IPv4Address:
        return IPv4Address(f"10.{second}.0.{number}")

    given = {"router": at(1), "relays": (at(2),), **more}
    return Scope(name, "eth0", IPv4Network(f"10.{second}.0.0/24"), SERVER, at(10), at(13), "site", **given)


@pytest.fixture
def site(make_site):
    """The usual site, with two scopes behind a relay each beyond eth0."""
    made = make_site()
    made.scopes += [far("far", 2), far("further", 3)]
    made.start()
    return made


def relayed(payload: bytes, giaddr: IPv4Address = GIADDR, agent: bytes | None = AGENT, **options: bytes) -> bytes:
    """The same message as a relay passes it on."""
    message = decode(payload)
    added = {code.RELAY_AGENT: agent} if agent is not None else {}
    added.update({int(option[1:]): value for option, value in options.items()})
    return encode(message._replace(giaddr=giaddr, hops=1, options={**message.options, **added}))


def booted(phone):
    offered = phone.ask(relayed(phone.client.discover()))
    assert isinstance(offered, Offered)
    answer = phone.ask(relayed(phone.client.request(offered.lease)))
    assert isinstance(answer, Acknowledged)
    return answer.lease


def test_a_phone_behind_a_relay_gets_an_address_of_its_scope(site, phone) -> None:
    lease = booted(phone)
    assert str(lease.address) == "10.2.0.10"
    assert str(lease.router) == "10.2.0.1"
    assert lease.server == SERVER
    assert site.leases[phone.mac].scope == "far"


def test_answers_go_to_the_relay_at_the_servers_port_whatever_the_phone_can_take(site, make_phone) -> None:
    """RFC 2131 section 4.1: giaddr comes before the broadcast flag and the Ethernet address."""
    for number, broadcast in ((1, True), (2, False)):
        phone = make_phone(site, number, broadcast=broadcast)
        booted(phone)
    assert {(send.destination, send.interface, send.link) for send in site.sent} == {(Endpoint("10.2.0.2", 67), "eth0", b"")}
    assert all(decode(send.payload).giaddr == GIADDR for send in site.sent)


def test_option_82_is_the_last_option_of_every_reply_as_it_came(site, phone) -> None:
    """RFC 3046 section 2.2: OFFER, ACK, NAK, and the answers to INIT-REBOOT and INFORM."""
    lease = booted(phone)
    site.tell(relayed(phone.client.reboot(lease)))
    site.tell(relayed(phone.client.reboot(replace(lease, address=IPv4Address("10.2.0.12")))))
    site.tell(relayed(phone.client.inform(lease.address)))
    kinds = [decode(send.payload).type for send in site.sent]
    assert kinds == [MessageType.OFFER, MessageType.ACK, MessageType.ACK, MessageType.NAK, MessageType.ACK]
    for send in site.sent:
        assert list(decode(send.payload).options.items())[-1] == (code.RELAY_AGENT, AGENT)
        options = BOOTP(send.payload)[DHCP].options
        assert ("relay_agent_information", AGENT) in options or any(each[0] == "relay_agent_information" for each in options)


def test_a_nak_lets_the_relay_broadcast_it(site, make_phone) -> None:
    """RFC 2131 section 4.3.2: the phone's own address may be wrong on its link."""
    phone = make_phone(site, 1, broadcast=False)
    lease = booted(phone)
    assert isinstance(phone.ask(relayed(phone.client.reboot(replace(lease, address=IPv4Address("10.0.0.10"))))), Refused)
    message = decode(site.sent[-1].payload)
    assert message.broadcast
    assert message.giaddr == GIADDR
    assert site.sent[-1].destination == Endpoint("10.2.0.2", 67)


def test_a_phone_renews_past_the_relay_and_rebinds_through_it(site, phone) -> None:
    lease = booted(phone)
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)
    assert site.sent[-1].destination == Endpoint("10.2.0.10", 68)
    assert isinstance(phone.ask(relayed(phone.client.renew(lease))), Acknowledged)
    assert site.sent[-1].destination == Endpoint("10.2.0.2", 67)
    wrong = replace(lease, address=IPv4Address("10.2.0.12"))
    assert isinstance(phone.ask(phone.client.renew(wrong)), Refused)
    assert site.sent[-1].destination == Endpoint("10.2.0.12", 68)


def test_the_answer_to_an_inform_goes_past_the_relay_to_the_phone(site, phone, make_phone) -> None:
    """RFC 2131 section 4.3.5: to ciaddr; a relay would pass it on to yiaddr, which is 0. So for static and for leased phones."""
    static = IPv4Address("10.2.0.77")
    (told,) = site.tell(relayed(phone.client.inform(static)))
    assert (told.destination, told.interface, told.link) == (Endpoint("10.2.0.77", 68), "eth0", b"")
    assert list(site.nat.values()) == [static]
    leased = make_phone(site, 2)
    lease = booted(leased)
    (told,) = site.tell(relayed(leased.client.inform(lease.address)))
    assert told.destination == Endpoint("10.2.0.10", 68)


def test_a_release_and_a_decline_past_the_relay_are_taken(site, phone, make_phone) -> None:
    lease = booted(phone)
    phone.ask(phone.client.release(lease))
    assert site.nat == {}
    other = make_phone(site, 2)
    declined = booted(other)
    other.ask(relayed(other.client.decline(declined)))
    assert site.nat == {}


def test_a_relay_is_believed_from_its_own_addresses_alone(site, phone) -> None:
    """Anybody can write a relay's address into giaddr; option 82 would make him any circuit, and link selection any link."""
    asked = relayed(phone.client.discover())
    for forger in ("10.0.0.66", "10.3.0.2", "0.0.0.0", "10.2.0.10"):
        assert site.tell(asked, source=forger) == []
        told = site.last_event(DhcpDropped)
        assert told.phone == str(phone.mac)
        assert f"10.2.0.2, sent from {forger}" in told.reason
    assert site.server.dropped["it was not sent by the relay that it names"] == 4
    assert site.server.book.offers == 0
    assert len(site.tell(asked, source="10.2.0.2")) == 1


def test_a_relay_may_send_from_another_of_its_configured_addresses(site, phone) -> None:
    """Nothing says from which; isc-dhcp-relay takes the address of its side towards the server."""
    site.scopes[2] = far("far", 2, relays=(GIADDR, IPv4Address("10.9.0.2")))
    site.start()
    sent = site.tell(relayed(phone.client.discover()), source="10.9.0.2")
    assert [send.destination for send in sent] == [Endpoint("10.2.0.2", 67)]
    assert site.tell(relayed(phone.client.discover()), source="10.9.0.3") == []


@pytest.mark.parametrize("giaddr", [GIADDR, OTHER])
def test_a_release_that_another_relay_passes_on_ends_nothing(site, phone, giaddr: IPv4Address) -> None:
    lease = booted(phone)
    site.tell(relayed(phone.client.release(lease), giaddr))
    assert bool(site.nat) == (giaddr == OTHER)


@pytest.mark.parametrize(("giaddr", "interface"), [("10.2.0.3", "eth0"), ("10.2.0.2", "eth1"), ("10.0.0.1", "eth0")])
def test_an_unknown_relay_is_dropped_with_a_reason(site, phone, giaddr, interface) -> None:
    """A relay is trusted by its address and the interface that it stands behind; the count has nothing that a stranger chose."""
    assert site.tell(relayed(phone.client.discover(), IPv4Address(giaddr)), interface) == []
    assert giaddr in site.last_event(DhcpDropped).text
    assert "relay" in site.last_event(DhcpDropped).text
    assert all(giaddr not in reason for reason in site.server.dropped)


def test_a_scope_behind_a_relay_is_not_given_on_the_link_itself(site, make_phone) -> None:
    assert str(make_phone(site, 1).boot().address) == "10.0.0.10"
    site.scopes = site.scopes[2:]
    site.start()
    phone = make_phone(site, 2)
    assert site.tell(phone.client.discover()) == []
    assert "relays only" in site.last_event(DhcpDropped).text


def test_the_checks_are_the_same_behind_a_relay(site, make_phone) -> None:
    stranger = make_phone(site, 3, "laptop")
    assert site.tell(relayed(stranger.client.discover())) == []
    assert site.last_event(DhcpIgnoredClass)


# Which subnet (RFC 3527, RFC 3011).


def test_link_selection_chooses_among_the_scopes_of_the_relay(make_site, make_phone) -> None:
    """A relay may speak for several links from one address."""
    site = make_site()
    site.scopes += [far("far", 2), far("further", 3, relays=(GIADDR,))]
    site.start()
    for number, (options, expected) in enumerate(
        [
            ({"agent": None}, "10.2.0.10"),
            ({"agent": b"\x05\x04\x0a\x03\x00\x00"}, "10.3.0.10"),
            ({"agent": None, "o118": b"\x0a\x03\x00\x00"}, "10.3.0.11"),
            ({"agent": b"\x05\x04\x0a\x02\x00\x00", "o118": b"\x0a\x03\x00\x00"}, "10.2.0.11"),
        ]
    ):
        phone = make_phone(site, number)
        answer = phone.ask(relayed(phone.client.discover(), **options))
        assert isinstance(answer, Offered)
        assert str(answer.lease.address) == expected
        message = decode(site.sent[-1].payload)
        assert message.options.get(118) == options.get("o118")


@pytest.mark.parametrize("options", [{"agent": b"\x05\x04\x0a\x00\x00\x00"}, {"o118": b"\x0a\x03\x00\x00"}])
def test_a_subnet_that_is_not_of_this_relay_cannot_be_selected(site, phone, options) -> None:
    """Else whoever stands behind one relay could empty the scopes of all."""
    assert site.tell(relayed(phone.client.discover(), **options)) == []
    assert "selects a subnet" in site.last_event(DhcpDropped).text


def test_a_phone_may_select_a_subnet_of_its_own_link_only(make_site, make_phone) -> None:
    site = make_site()
    site.scopes.append(replace(far("second", 2), relays=()))
    site.start()
    phone = make_phone(site, 1)
    message = decode(phone.client.discover())
    for subnet, expected in ((b"\x0a\x02\0\0", "10.2.0.10"), (b"\x0a\x01\0\0", None)):
        sent = site.tell(encode(message._replace(options={**message.options, 118: subnet})))
        assert [str(decode(each.payload).yiaddr) for each in sent] == ([expected] if expected else [])


# Circuits and servers (RFC 3046, RFC 5107).


def test_a_circuit_may_have_a_reserved_address_and_keeps_it_at_renewals_past_the_relay(site, phone, make_phone) -> None:
    site.reservations = [Reservation(IPv4Address("10.2.0.99"), circuit_id=b"port-7", phone_class="lobby")]
    site.start()
    lease = booted(phone)
    assert str(lease.address) == "10.2.0.99"
    assert site.leases[phone.mac].phone_class == "lobby"
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)
    assert site.leases[phone.mac].phone_class == "lobby"
    site.start()
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)
    other = make_phone(site, 2)
    assert isinstance(other.ask(relayed(other.client.discover(), agent=b"\x01\x06port-8")), Offered)
    assert isinstance(other.ask(other.client.renew(lease)), Refused)


def test_a_reservation_by_a_circuit_that_several_phones_share_is_told_with_its_remedy(site, phone, make_phone) -> None:
    """Some relays write one circuit for their whole link: the first phone gets the address, and all others nothing."""
    site.reservations = [Reservation(IPv4Address("10.2.0.99"), circuit_id=b"port-7")]
    site.start()
    booted(phone)
    other = make_phone(site, 2)
    assert other.ask(relayed(other.client.discover())) is None
    told = site.last_event(DhcpExhausted).text
    assert f"10.2.0.99 is still used by {phone.mac}; it is reserved by client identifier or circuit" in told
    assert "if several phones send the same one, such as all behind a relay, reserve it by mac" in told


@pytest.mark.parametrize(("trusted", "address"), [(False, "10.0.0.10"), (True, "10.0.0.99")])
def test_what_a_phone_writes_into_option_82_counts_only_where_a_switch_writes_it(make_site, make_phone, trusted, address) -> None:
    site = make_site()
    site.scopes[0] = replace(site.scopes[0], trust_circuits=trusted)
    site.reservations = [Reservation(IPv4Address("10.0.0.99"), circuit_id=b"port-7")]
    site.start()
    phone = make_phone(site, 1)
    answer = phone.ask(relayed(phone.client.discover(), giaddr=ANY))
    assert isinstance(answer, Offered)
    assert str(answer.lease.address) == address
    assert decode(site.sent[-1].payload).options[code.RELAY_AGENT] == AGENT


def test_a_relay_may_stand_for_the_server(site, phone) -> None:
    """RFC 5107: phones then renew by the relay, which adds option 82 to that, too."""
    agent = AGENT + b"\x0b\x04" + GIADDR.packed
    offered = phone.ask(relayed(phone.client.discover(), agent=agent))
    assert isinstance(offered, Offered)
    assert offered.lease.server == GIADDR
    assert isinstance(phone.ask(relayed(phone.client.request(offered.lease), agent=agent)), Acknowledged)
    assert phone.ask(relayed(phone.client.request(offered.lease))) is None
    assert "another server" in site.last_event(DhcpDropped).text


def test_a_phone_cannot_stand_for_the_server(site, phone) -> None:
    agent = b"\x0b\x04\x0a\x00\x00\x63\x05\x04\x0a\x03\x00\x00"
    assert relay_agent(decode(relayed(phone.client.discover(), ANY, agent))) == NO_AGENT
    answer = phone.ask(relayed(phone.client.discover(), ANY, agent))
    assert isinstance(answer, Offered)
    assert answer.lease.server == SERVER


def test_the_sub_options_are_read(phone) -> None:
    agent = AGENT + b"\x05\x04\x0a\x02\0\0" + b"\x97\x00"
    read = relay_agent(decode(relayed(phone.client.discover(), agent=agent)))
    assert read == RelayAgent(b"port-7", b"sw", IPv4Address("10.2.0.0"), None)


@pytest.mark.parametrize("agent", [b"\x01", b"\x01\x05abc", b"\x05\x03abc", b"\x0b\x00"])
def test_a_malformed_option_82_is_the_relays_error(site, phone, agent) -> None:
    with pytest.raises(RemoteError):
        site.tell(relayed(phone.client.discover(), agent=agent))
