"""Leases that a shim is made of, and those it is not."""

from ipaddress import IPv4Address

import pytest

from tests.app.test_shim_rules import WANTED
from voxpath.app.shim_lease import check
from voxpath.core.errors import LocalError
from voxpath.model.ports import PortBlock


@pytest.mark.parametrize(
    ("public", "reason"),
    [
        ("127.0.0.1", "is a loopback address"),
        ("0.0.0.0", "is an unspecified address"),
        ("0.1.2.3", "is an unspecified address"),
        ("224.0.0.1", "is a multicast address"),
        ("240.0.0.1", "is a reserved or broadcast address"),
        ("255.255.255.255", "is a reserved or broadcast address"),
        ("169.254.1.1", "is a link-local address"),
        ("10.0.0.21", "is the phone's private address"),
        ("10.0.0.1", "is its router's address"),
        ("10.0.0.77", "is on the phone's own link 10.0.0.0/24"),
        ("10.0.0.255", "is on the phone's own link 10.0.0.0/24"),
    ],
)
def test_a_public_address_that_would_bend_the_hosts_own_routes_is_refused(public: str, reason: str) -> None:
    with pytest.raises(LocalError) as caught:
        check(WANTED._replace(block=PortBlock(IPv4Address(public), 2048, 64)))
    assert str(caught.value) == f"the lease's public address {public} {reason}"


@pytest.mark.parametrize(
    ("router", "reason"),
    [
        ("10.0.0.21", "10.0.0.21 is the phone itself"),
        ("192.0.2.1", "192.0.2.1 is not on the phone's link 10.0.0.0/24"),
        ("127.0.0.1", "127.0.0.1 is not on the phone's link 10.0.0.0/24"),
        ("10.0.0.0", "10.0.0.0 is no host of the link 10.0.0.0/24"),
        ("10.0.0.255", "10.0.0.255 is no host of the link 10.0.0.0/24"),
    ],
)
def test_a_router_that_packets_cannot_be_given_to_is_refused(router: str, reason: str) -> None:
    with pytest.raises(LocalError) as caught:
        check(WANTED._replace(router=IPv4Address(router)))
    assert str(caught.value) == f"the lease's router {reason}"


@pytest.mark.parametrize("prefix_length", [-1, 0, 32, 33])
def test_a_prefix_without_a_link_is_refused(prefix_length: int) -> None:
    with pytest.raises(LocalError, match=f"prefix length {prefix_length} makes no link"):
        check(WANTED._replace(prefix_length=prefix_length))


def test_a_lease_without_a_router_and_a_strange_interface_are_refused() -> None:
    with pytest.raises(LocalError, match="names no router"):
        check(WANTED._replace(router=None))
    for name in ('e"0', "eth0 }", "", "x" * 16):
        with pytest.raises(LocalError, match="cannot name an interface"):
            check(WANTED._replace(interface=name))


@pytest.mark.parametrize("first", [53, 1023])
def test_ports_that_the_kernel_gives_to_nobody_of_its_own_accord_are_refused(first: int) -> None:
    with pytest.raises(LocalError, match=f"203.0.113.1:{first} lies below port 1024"):
        check(WANTED._replace(block=PortBlock(WANTED.block.public, first, 1)))


@pytest.mark.parametrize(
    ("public", "prefix_length", "router"),
    [
        ("203.0.113.1", 24, "10.0.0.1"),
        ("203.0.113.1", 31, "10.0.0.20"),
        ("203.0.113.1", 30, "10.0.0.22"),
        ("192.168.7.1", 24, "10.0.0.1"),
        ("100.64.0.9", 8, "10.0.0.1"),
    ],
    ids=["ordinary", "point to point", "four addresses", "a private network outside", "a carrier's address"],
)
def test_leases_that_only_look_strange_are_taken(public: str, prefix_length: int, router: str) -> None:
    check(WANTED._replace(prefix_length=prefix_length, router=IPv4Address(router), block=PortBlock(IPv4Address(public), 2048, 64)))
