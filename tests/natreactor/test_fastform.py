"""The ways of the fast form, from the kernel's routes, and its rules; without a kernel."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import cast

import pytest
from twisted.internet.task import Clock

from voxpath.core.errors import LocalError
from voxpath.natreactor import fastform
from voxpath.natreactor.fastform import Plan, Way, plan, rules
from voxpath.natreactor.interface import Outside
from voxpath.natreactor.rtnetlink import LOCAL, MAIN, Link, Route, Rtnetlink, Rule
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.steering import numbers

LAN, WAN, OTHER = 2, 3, 4
ROUTER, INNER = IPv4Address("198.51.100.2"), IPv4Address("10.0.0.9")
EVERYTHING = IPv4Network("0.0.0.0/0")
SETTINGS = NatSettings(
    Outside(("lan0",), ("wan0",), ("10.0.0.0/16",), (IPv4Address("203.0.113.1"), IPv4Address("203.0.113.2"))), Clock()
)
DEFAULT = Route(MAIN, EVERYTHING, WAN, via=ROUTER)
CONNECTED = Route(MAIN, IPv4Network("198.51.100.0/24"), WAN)
PHONES = Route(MAIN, IPv4Network("10.0.0.0/16"), LAN)


class Kernel:
    """Routes, rules and links of a machine."""

    def __init__(self, *routes: Route) -> None:
        self.links = {"lan0": Link(LAN, "lan0", 1500, 0, True), "wan0": Link(WAN, "wan0", 1492, 0, True)}
        self.known = {*routes, Route(LOCAL, IPv4Network("192.0.2.1/32"), LAN)}
        own, _ = numbers(SETTINGS.table)
        self.all_rules = {Rule(10, own[0], mark=1), Rule(20, LOCAL), Rule(32766, MAIN), Rule(32767, 253)}

    def link(self, name: str) -> Link | None:
        return self.links.get(name)

    def routes(self, tables: tuple[int, ...]) -> set[Route]:
        return {route for route in self.known if route.table in tables}

    def rules(self) -> set[Rule]:
        return self.all_rules

    def plan(self, settings: NatSettings = SETTINGS) -> Plan:
        return plan(cast(Rtnetlink, self), settings)


def test_plain_routes_are_its_ways() -> None:
    made = Kernel(DEFAULT, CONNECTED, PHONES).plan()
    assert made.inward == (Way(PHONES.prefix, "lan0", LAN, None),)
    assert made.outward == (Way(CONNECTED.prefix, "wan0", WAN, None), Way(EVERYTHING, "wan0", WAN, ROUTER))
    assert (made.mtu, made.indexes) == (1492, (LAN, WAN))
    assert str(made) == "to 10.0.0.0/16 by lan0, to 198.51.100.0/24 by wan0, to 0.0.0.0/0 by wan0 and 198.51.100.2"


def test_longer_prefixes_come_first_and_a_shorter_one_serves_no_more_than_the_phones() -> None:
    inner = Route(MAIN, IPv4Network("10.0.7.0/24"), LAN, via=INNER)
    made = Kernel(DEFAULT, Route(MAIN, IPv4Network("10.0.0.0/8"), LAN), inner).plan()
    assert list(map(str, made.inward)) == ["to 10.0.7.0/24 by lan0 and 10.0.0.9", "to 10.0.0.0/16 by lan0"]


def test_of_two_routes_to_a_prefix_the_lower_metric_counts() -> None:
    other = Route(MAIN, EVERYTHING, OTHER, 100, via=INNER)
    assert Kernel(DEFAULT, PHONES, other).plan().outward[-1].via == ROUTER
    with pytest.raises(LocalError, match="no default route that leads to one router"):
        Kernel(replace(DEFAULT, metric=200), PHONES, other).plan()


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        ((PHONES,), "no default route"),
        ((PHONES, Route(MAIN, EVERYTHING, WAN)), "no default route"),
        ((PHONES, Route(MAIN, EVERYTHING, LAN, via=INNER)), "no default route"),
        ((PHONES, DEFAULT, Route(MAIN, EVERYTHING)), "no default route"),
        ((DEFAULT,), "no route leads to all of 10.0.0.0/16"),
        ((DEFAULT, Route(MAIN, IPv4Network("10.0.0.0/24"), LAN)), "no route leads to all of 10.0.0.0/16"),
        ((DEFAULT, PHONES, Route(MAIN, IPv4Network("10.0.9.0/24"), WAN)), "10.0.9.0/24 leads to no single inside interface"),
        ((DEFAULT, PHONES, Route(MAIN, IPv4Network("10.0.9.0/24"))), "10.0.9.0/24 leads to no single inside interface"),
        (
            (DEFAULT, PHONES, *(Route(MAIN, IPv4Network((f"10.0.{host}.0", 24)), LAN) for host in range(16))),
            "make 17 ways, which are more than 16",
        ),
        (
            (DEFAULT, PHONES, *(Route(MAIN, IPv4Network((f"192.0.{host}.0", 24)), OTHER) for host in range(64))),
            "make 68 exceptions, which are more than 32",
        ),
    ],
)
def test_other_routes_are_refused_with_the_reason(routes: tuple[Route, ...], reason: str) -> None:
    with pytest.raises(LocalError, match=reason):
        Kernel(*routes).plan()


def test_rules_of_others_and_links_without_neighbours_are_refused() -> None:
    kernel = Kernel(DEFAULT, PHONES)
    kernel.all_rules.add(Rule(100, 77))
    with pytest.raises(LocalError, match="routing rule of priority 100 leads into the table 77"):
        kernel.plan()
    kernel = Kernel(DEFAULT, PHONES)
    kernel.links["wan0"] = replace(kernel.links["wan0"], ethernet=False)
    with pytest.raises(LocalError, match="wan0 is no Ethernet interface"):
        kernel.plan()
    del kernel.links["wan0"]
    with pytest.raises(LocalError, match="the interface wan0 is not there"):
        kernel.plan()


def test_what_leads_elsewhere_is_left_alone() -> None:
    """Inside addresses and our own, what is never forwarded, and what other interfaces lead to; the longest prefix counts."""
    made = Kernel(DEFAULT, CONNECTED, PHONES, Route(MAIN, IPv4Network("198.51.100.128/25"), OTHER)).plan()
    text = rules(SETTINGS, made)
    assert [line.strip() for line in text.splitlines() if "@nh,128" in line] == [
        "@nh,128,32 { 0xc0000201, 0xcb007101, 0xcb007102 } accept",
        "@nh,128,32 & 0xffffff80 == 0xc6336480 accept",
        "@nh,128,24 0xc63364 goto out_0",
        "@nh,128,16 0xa00 accept",
        "@nh,128,8 0x7f accept",
        "@nh,128,8 1-223 goto out_1",
    ]
    assert [line.strip() for line in text.splitlines() if "@nh,96" in line] == [
        "@nh,96,32 { 0xc0000201, 0xcb007101, 0xcb007102 } accept",
        "@nh,96,32 & 0xffffff80 == 0xc6336480 accept",
        "@nh,96,16 0xa00 accept",
        "@nh,96,8 0x7f accept",
        "@nh,96,8 1-223 goto inward",
    ]
    assert "map @out_block fwd ip to ip daddr device 3" in text
    assert "map @out_block fwd ip to 198.51.100.2 device 3" in text
    assert "@nh,16,16 46-1492" in text


def test_a_public_address_turns_back_here_even_if_a_route_leads_out() -> None:
    made = Kernel(DEFAULT, PHONES, Route(MAIN, IPv4Network("203.0.113.1/32"), WAN, via=ROUTER)).plan()
    chosen = [line for line in rules(SETTINGS, made).splitlines() if "@nh,128" in line]
    assert "0xcb007101" in chosen[0]
    assert chosen[0].endswith("accept")
    assert not any("0xcb007101" in line for line in chosen[1:])


def test_a_route_to_a_group_is_no_way() -> None:
    made = Kernel(DEFAULT, PHONES, Route(MAIN, IPv4Network("239.0.0.0/8"), WAN)).plan()
    assert [way.prefix for way in made.outward] == [EVERYTHING]


def test_calls_and_limited_segments_are_left_to_the_usual_form() -> None:
    made = Kernel(DEFAULT, PHONES).plan()
    assert "chain arrive" in rules(SETTINGS, made)
    assert "chain arrive" not in rules(replace(SETTINGS, call_aware=True), made)
    assert "@th,110,1" not in rules(SETTINGS, made)
    assert "@th,110,1 0" in rules(replace(SETTINGS, mss=1360), made)


def test_other_rules_and_other_interfaces_have_another_digest() -> None:
    made = Kernel(DEFAULT, PHONES).plan()
    digests = {
        fastform.digest(settings, each)
        for settings in (SETTINGS, replace(SETTINGS, mss=1360))
        for each in (made, replace(made, indexes=(LAN, 9)), replace(made, mtu=1500))
    }
    assert len(digests) == 6
