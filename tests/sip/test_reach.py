"""Which address of a contact a caller is given: the ledger's word, the packet's source, the phone's own claim."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from voxpath.flow.triangle import select
from voxpath.model.address import Endpoint
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.realm import Realm
from voxpath.model.user import Showing
from voxpath.ports.copy import LedgerCopy
from voxpath.sip.reach import Nature, Reach, Whereabouts, combination, locate, place_at, reach
from voxpath.sip.uri import SipUri

LAN = IPv4Network("10.0.0.0/24")
A, B = "203.0.113.1", "203.0.113.2"
REALMS = (Realm("a", (LAN,), (IPv4Address(A),)), Realm("b", (LAN,), (IPv4Address(B),)))
A1, A2, B1 = "02:00:00:00:0a:01", "02:00:00:00:0a:02", "02:00:00:00:0b:01"


def held(holder: str, public: str, first: int, private: str | None, realm: str) -> PortBinding:
    address = IPv4Address(private) if private else None
    return PortBinding(holder, PortBlock(IPv4Address(public), first, 64), address, realm, BindingState.HELD, 0.0, 1)


def ledger(stale: bool = False) -> LedgerCopy:
    """Two phones at A, one at B with the same inside address as the first one, and a service of A's gateway."""
    copy = LedgerCopy()
    rows = [
        held(A1, A, 2048, "10.0.0.11", "a"),
        held(A2, A, 2112, "10.0.0.12", "a"),
        held(B1, B, 2048, "10.0.0.11", "b"),
        held("service:sip", A, 5056, None, ""),
    ]
    copy.snapshot("gateways", 1, rows)
    if stale:
        copy.stale("gateways")
    return copy


OF_A1, OF_A2, OF_B1 = Endpoint(A, 2048), Endpoint(A, 2112), Endpoint(B, 2048)
STRANGER = Endpoint("192.0.2.77", 5060)


def where(contact: str, source: Endpoint, stale: bool = False, realms: tuple[Realm, ...] = REALMS) -> Whereabouts:
    return locate(SipUri.parse(contact), source, ledger(stale), realms)


def given(
    contact: str,
    source: Endpoint,
    caller: Endpoint,
    *,
    showing: Showing = Showing.NOT,
    claim: str = "",
    stale: bool = False,
    realms: tuple[Realm, ...] = REALMS,
) -> Reach:
    """What a caller is given for a contact that was registered from a source; ``claim`` is the caller's own contact."""
    place = place_at(caller, SipUri.parse(claim) if claim else None, ledger(stale), realms)
    return reach(contact, where(contact, source, stale, realms), showing, place, select, realms)


@pytest.mark.parametrize(
    ("contact", "source", "nature"),
    [
        ("sip:a1@203.0.113.1:2048", OF_A1, Nature.COMBINATION),
        ("sip:a1@203.0.113.1:2100", OF_A1, Nature.COMBINATION),
        ("sip:a1@203.0.113.1:2048", Endpoint("10.0.0.11", 2048), Nature.COMBINATION),
        ("sip:a1@203.0.113.1:2112", OF_A1, Nature.FOREIGN),
        ("sip:a1@203.0.113.2:2048", OF_A1, Nature.FOREIGN),
        ("sip:x@203.0.113.1:2048", STRANGER, Nature.FOREIGN),
        ("sip:a1@203.0.113.1", OF_A1, Nature.FOREIGN),
        ("sip:a1@10.0.0.11:2048", OF_A1, Nature.INSIDE),
        ("sip:a1@127.0.0.1:2048", OF_A1, Nature.INSIDE),
        ("sip:a1@255.255.255.255:2048", OF_A1, Nature.INSIDE),
        ("sip:a1@0.0.0.0:2048", OF_A1, Nature.INSIDE),
        ("sip:a1@224.0.1.75:2048", OF_A1, Nature.INSIDE),
        ("sip:x@192.0.2.77", STRANGER, Nature.PUBLIC),
        ("sip:x@203.0.113.1:9000", STRANGER, Nature.PUBLIC),
        ("sip:x@phone.voip.example", STRANGER, Nature.NAME),
        ("sip:x@phone.voip.example.", STRANGER, Nature.NAME),
        ("sip:x@7phones", STRANGER, Nature.INSIDE),
        ("sip:x@[2001:db8::1]", STRANGER, Nature.INSIDE),
        ("sip:x@198.51.100.7", STRANGER, Nature.PUBLIC),
    ],
)
def test_a_contact_is_what_the_ledger_says_of_its_address(contact: str, source: Endpoint, nature: Nature) -> None:
    """DNT-4: a combination address is recognised from either side of the NAT; port 5060 of A is the gateway's own service."""
    assert where(contact, source).nature is nature


def test_a_foreign_contact_names_its_holder() -> None:
    """For the operator."""
    assert where("sip:a1@203.0.113.2:2048", OF_A1).holder == B1
    assert where("sip:a1@203.0.113.1:5060", OF_A1).holder == "service:sip"


@pytest.mark.parametrize("caller", [OF_A2, OF_B1, STRANGER, Endpoint("10.0.0.12", 2112)])
def test_a_combination_contact_is_given_to_everyone_as_it_is(caller: Endpoint) -> None:
    """DNT-4: inside callers go by the gateway's hairpin, since the phone talks of its public address only."""
    contact = "sip:a1@203.0.113.1:2048;transport=udp"
    for showing in Showing:
        found = given(contact, OF_A1, caller, showing=showing)
        assert (found.uri, found.private, found.needs_proxy) == (contact, False, False)


def test_a_foreign_contact_is_replaced_by_where_the_packets_come_from() -> None:
    """Nobody gets calls to another phone's ports by registering them."""
    contact = "sip:a1@203.0.113.2:2048"
    assert given(contact, OF_A1, STRANGER).uri == "sip:a1@203.0.113.1:2048"
    assert given(contact, OF_A1, OF_A2).uri == "sip:a1@10.0.0.11:2048"
    assert given("sip:x@203.0.113.2:2048", STRANGER, OF_A1).uri == "sip:x@192.0.2.77:5060"


def test_a_foreign_contact_is_not_believed_in_any_other_way() -> None:
    """A phone of which only an inside address is known cannot have calls for it sent to another site's public address."""
    found = where("sip:x@203.0.113.2:2048", Endpoint("10.0.0.99", 5060))
    assert (found.nature, found.outside) == (Nature.FOREIGN, None)
    assert found.place.public == Endpoint("10.0.0.99", 5060)


def test_a_private_contact_is_given_inside_its_realm_only() -> None:
    """Issue 3: to all others the packet's source is given."""
    contact = "sip:a1-0x55@10.0.0.11:2048;ob"
    inside, other_site, stranger = (given(contact, OF_A1, caller) for caller in (OF_A2, OF_B1, STRANGER))
    assert (inside.uri, inside.private) == (contact, True)
    assert inside.reason == "both are in realm a"
    assert (other_site.uri, other_site.private) == ("sip:a1-0x55@203.0.113.1:2048;ob", False)
    assert other_site.reason == "realms a and b differ"
    assert stranger.uri == "sip:a1-0x55@203.0.113.1:2048;ob"


def test_the_port_of_a_private_contact_is_kept_if_it_lies_in_the_block() -> None:
    """NAP-3: a phone may send from one port of its block and listen at another; a port outside it leads nowhere."""
    assert given("sip:a1@10.0.0.11:2060", OF_A1, STRANGER).uri == "sip:a1@203.0.113.1:2060"
    assert given("sip:a1@10.0.0.11:5060", OF_A1, STRANGER).uri == "sip:a1@203.0.113.1:2048"
    assert given("sip:a1@10.0.0.11", OF_A1, STRANGER).uri == "sip:a1@203.0.113.1:2048"
    assert given("sip:a1@10.0.0.11", OF_A1, OF_A2).uri == "sip:a1@10.0.0.11"


def test_an_inside_address_that_is_not_the_phones_is_replaced_inside_too() -> None:
    """A phone behind a second NAT of its own, or one that does not know its address."""
    for contact in ("sip:a1@192.168.7.7:5060", "sip:a1@0.0.0.0:5060", "sip:a1@10.0.0.12:2112"):
        assert given(contact, OF_A1, OF_A2).uri == "sip:a1@10.0.0.11:2048"
        assert given(contact, OF_A1, OF_B1).uri == "sip:a1@203.0.113.1:2048"


@pytest.mark.parametrize("source", [OF_A2, Endpoint("10.0.0.12", 2112)])
def test_a_phone_is_recognised_on_either_side_of_the_nat(source: Endpoint) -> None:
    """Decision D3: the server may stand inside A, and sees the inside address then."""
    for contact in ("sip:a2@10.0.0.12:2112", "sip:a2@203.0.113.1:2112"):
        assert where(contact, source).place.phone == A2
        assert given(contact, source, OF_B1).uri == "sip:a2@203.0.113.1:2112"
        assert given(contact, source, STRANGER).uri == "sip:a2@203.0.113.1:2112"


def test_of_two_phones_with_one_inside_address_neither_is_guessed() -> None:
    """Decision D3: a server inside A that knows both ledgers hears 10.0.0.11, which also B has; the public address would tell."""
    source = Endpoint("10.0.0.11", 2048)
    assert where("sip:a1@10.0.0.11:2048", source).place.phone == ""
    assert where("sip:a1@203.0.113.1:2048", source).place.phone == A1
    assert where("sip:b1@203.0.113.2:2048", source).place.phone == B1


def test_without_the_ledger_the_packets_source_is_used_and_realms_still_decide() -> None:
    """REG-23: the phone's word tells its inside address, its packets the outside one."""
    contact = "sip:a1@10.0.0.11:5070"
    assert given(contact, OF_A1, OF_A2, claim="sip:a2@10.0.0.12:2112", stale=True).uri == contact
    assert given(contact, OF_A1, OF_B1, claim="sip:b1@10.0.0.11:2048", stale=True).uri == "sip:a1@203.0.113.1:2048"
    assert given(contact, OF_A1, STRANGER, stale=True).uri == "sip:a1@203.0.113.1:2048"


def test_without_realms_equal_public_addresses_decide() -> None:
    """TRI-1: as the triangle decision does for MEGACO."""
    found = given("sip:a1@10.0.0.11", OF_A1, OF_A2, claim="sip:a2@10.0.0.12:2112", stale=True, realms=())
    assert (found.uri, found.private) == ("sip:a1@10.0.0.11", True)
    found = given("sip:a1@10.0.0.11", OF_A1, OF_B1, claim="sip:b1@10.0.0.12", stale=True, realms=())
    assert (found.uri, found.private) == ("sip:a1@203.0.113.1:2048", False)


@pytest.mark.parametrize("contact", ["sip:x@phone.voip.example;q=1", "sip:x@192.0.2.77:5066"])
def test_names_and_addresses_of_no_ledger_are_given_as_they_are(contact: str) -> None:
    """Phones elsewhere on the Internet know best where they are."""
    for caller in (OF_A1, STRANGER):
        found = given(contact, STRANGER, caller)
        assert (found.uri, found.private, found.needs_proxy) == (contact, False, False)


def test_what_shows_its_private_address_needs_a_proxy_for_callers_beyond_its_realm() -> None:
    """Issue 3: ACK and BYE of a redirected call would go to that address."""
    contact = "sip:a1@10.0.0.11:2048"
    assert given(contact, OF_A1, OF_B1).needs_proxy
    assert given(contact, OF_A1, STRANGER, showing=Showing.SELF).needs_proxy
    assert not given(contact, OF_A1, OF_A2).needs_proxy
    assert not given(contact, OF_A1, OF_B1, showing=Showing.GRUU).needs_proxy
    assert not given("sip:a1@203.0.113.1:2048", OF_A1, OF_B1).needs_proxy


def test_a_gruu_that_cannot_be_made_does_not_help() -> None:
    """Neither the ledger nor a realm knows the public address."""
    contact = "sip:x@10.0.0.11:5060"
    assert given(contact, STRANGER, OF_B1, showing=Showing.GRUU).needs_proxy
    assert not given(contact, OF_A1, OF_B1, showing=Showing.GRUU, stale=True).needs_proxy


def test_an_inside_address_alone_is_never_given_to_the_outside() -> None:
    """Its packets reach the server without any NAT, and no ledger tells its public address."""
    inside = Endpoint("172.16.0.5", 5060)
    for caller in (STRANGER, OF_B1):
        assert given("sip:x@172.16.0.5", inside, caller).uri == ""
        assert given("sip:x@10.0.0.99:5060", inside, caller).uri == ""


def test_phones_in_the_servers_own_network_reach_each_other() -> None:
    """A laboratory without any gateway, on one LAN or on one host."""
    contact = "sip:x@127.0.0.1:5070"
    found = given(contact, Endpoint("127.0.0.1", 5070), Endpoint("127.0.0.1", 5080), realms=())
    assert (found.uri, found.private, found.needs_proxy) == (contact, True, False)
    found = given("sip:x@192.168.1.5", Endpoint("192.168.1.5", 5060), Endpoint("192.168.1.6", 5060), realms=())
    assert found.uri == "sip:x@192.168.1.5"


@pytest.mark.parametrize(
    ("contact", "source", "stale", "expected"),
    [
        ("sip:a1@10.0.0.11:2060", OF_A1, False, Endpoint(A, 2060)),
        ("sip:a1@10.0.0.11:5060", OF_A1, False, Endpoint(A, 2048)),
        ("sip:a1@203.0.113.1:2050", OF_A1, False, Endpoint(A, 2050)),
        ("sip:a1@203.0.113.2:2048", OF_A1, False, Endpoint(A, 2048)),
        ("sip:a1@phone.voip.example", OF_A1, False, Endpoint(A, 2048)),
        ("sip:a1@10.0.0.11:5060", OF_A1, True, Endpoint(A, 2048)),
        ("sip:a1@203.0.113.2:2048", OF_A1, True, Endpoint(A, 2048)),
        ("sip:a2@10.0.0.12:2120", Endpoint("10.0.0.12", 2112), False, Endpoint(A, 2120)),
        ("sip:x@10.0.0.11:2060", STRANGER, False, None),
        ("sip:x@192.0.2.77", STRANGER, False, None),
        ("sip:x@172.16.0.5", Endpoint("172.16.0.5", 5060), False, None),
    ],
)
def test_the_combination_address_comes_from_the_ledger_or_from_a_source_that_a_realm_has(
    contact: str, source: Endpoint, stale: bool, expected: Endpoint | None
) -> None:
    """DNT-4: it is what the registrar returns as pub-gruu, so it must be the phone's own."""
    assert combination(where(contact, source, stale), REALMS) == expected


HIDDEN = ["[::ffff:10.0.0.11]", "[::ffff:a00:b]", "[fd00::11]", "[::1]", "[2001:db8::1]", "10.11", "010.0.0.11", "167772171"]
HIDDEN += ["0xa00000b", "10.0.0.11.", "10.0.0.0xb", "localhost", "localhost.", "phone.localhost", "phone.local", "Phone.LOCAL."]
HIDDEN += ["100.64.0.9", "198.18.0.1", "198.19.255.255", "192.0.0.8", "0.0.0.7", "10..11", "-.1"]


@pytest.mark.parametrize("host", HIDDEN)
def test_an_inside_address_is_replaced_however_it_is_written(host: str) -> None:
    """Resolvers read numbers in many ways; a caller outside would send to a host of his own network, or learn the phone's."""
    assert given(f"sip:a1@{host}:2048;ob", OF_A1, STRANGER).uri == "sip:a1@203.0.113.1:2048;ob"
    assert given(f"sip:a1@{host}:2048;ob", OF_A1, OF_A2).uri == "sip:a1@10.0.0.11:2048;ob"
    assert given(f"sip:x@{host}", Endpoint("172.16.0.5", 5060), STRANGER).uri == ""


@pytest.mark.parametrize(
    ("host", "source"),
    [("203.0.113.1:2048", OF_A1), ("10.0.0.11:2048", OF_A1), ("192.0.2.77:5066", STRANGER), ("phone.example", STRANGER)],
)
@pytest.mark.parametrize("more", [";maddr=10.0.0.11", ";received=10.0.0.11", "?Route=%3Csip:10.0.0.11%3E", ";MADDR=x;received?a=b"])
def test_a_second_address_within_a_contact_is_given_to_nobody(host: str, source: Endpoint, more: str) -> None:
    """Whatever the first one is, and to whomever."""
    for caller in (OF_A2, OF_B1, STRANGER):
        plain = given(f"sip:a1@{host};ob", source, caller).uri
        assert plain
        assert given(f"sip:a1@{host};ob{more}", source, caller).uri == plain
