"""What the kernel says of routes and routing rules, octet by octet; without a kernel."""

from ipaddress import IPv4Address, IPv4Network
from struct import pack

import pytest

from voxpath.natreactor.netlink import attribute
from voxpath.natreactor.rtnetlink import (
    FRA_PRIORITY,
    FRA_SRC,
    MAIN,
    RTA_DST,
    RTA_ENCAP,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_VIA,
    Route,
    Rtnetlink,
    Rule,
)

WAN = 3
ROUTER, FAR = IPv4Address("198.51.100.2"), IPv4Network("192.0.2.0/24")


def told(monkeypatch: pytest.MonkeyPatch, prefixes: bytes, *content: bytes, service: int = 0) -> Rtnetlink:
    """A kernel that tells of one thing: with the lengths of its two prefixes, a type of service, and these attributes."""
    octets = pack("=BBBBBBBBI", 2, *prefixes, service, MAIN, 0, 0, 1, 0) + b"".join(content)
    monkeypatch.setattr(Rtnetlink, "__init__", lambda _: None)
    monkeypatch.setattr(Rtnetlink, "dumped", lambda *_: [octets])
    return Rtnetlink()


def by(link: int) -> bytes:
    return attribute(RTA_OIF, pack("=I", link))


def test_a_route_has_its_interface_and_its_router(monkeypatch: pytest.MonkeyPatch) -> None:
    destination = attribute(RTA_DST, FAR.network_address.packed)
    kernel = told(monkeypatch, bytes((24, 0)), destination, by(WAN), attribute(RTA_GATEWAY, ROUTER.packed))
    assert kernel.routes((MAIN,)) == {Route(MAIN, FAR, WAN, via=ROUTER)}


@pytest.mark.parametrize(
    ("more", "service"),
    [(attribute(RTA_VIA, bytes(18)), 0), (attribute(RTA_ENCAP, bytes(4)), 0), (b"", 16)],
    ids=["router of IPv6", "wrapped", "type of service"],
)
def test_a_way_that_is_more_than_an_address_is_none(monkeypatch: pytest.MonkeyPatch, more: bytes, service: int) -> None:
    """What is there would else be looked for as a neighbour."""
    destination = attribute(RTA_DST, FAR.network_address.packed)
    assert told(monkeypatch, bytes((24, 0)), destination, by(WAN), more, service=service).routes((MAIN,)) == {Route(MAIN, FAR)}


def test_a_rule_for_an_address_of_which_only_the_first_bits_count_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel keeps it as it was written."""
    source = attribute(FRA_SRC, IPv4Address("10.0.0.5").packed)
    kernel = told(monkeypatch, bytes((0, 24)), source, attribute(FRA_PRIORITY, pack("=I", 99)))
    assert kernel.rules() == {Rule(99, MAIN, source=IPv4Network("10.0.0.0/24"))}
