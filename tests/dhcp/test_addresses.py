"""The addresses of a scope."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from voxpath.dhcp.addresses import AddressPool
from voxpath.model.phone import Scope


def at(number: int) -> IPv4Address:
    return IPv4Address(f"10.0.0.{number}")


@pytest.fixture
def pool() -> AddressPool:
    scope = Scope("lan", "eth0", IPv4Network("10.0.0.0/29"), at(1), at(0), at(7), "site", router=at(6))
    return AddressPool(scope, [at(3)])


def test_server_router_network_broadcast_and_reservations_are_left_out(pool) -> None:
    assert [pool.take() for _ in range(4)] == [at(2), at(4), at(5), None]


def test_the_lowest_free_address_comes_first(pool) -> None:
    for _ in range(3):
        pool.take()
    pool.give(at(5))
    pool.give(at(2))
    assert [pool.take(), pool.take(), pool.take()] == [at(2), at(5), None]


def test_an_address_taken_by_name_is_not_taken_again(pool) -> None:
    assert pool.take_exactly(at(4))
    assert not pool.take_exactly(at(4))
    assert pool.take_exactly(at(3))
    assert [pool.take(), pool.take(), pool.take()] == [at(2), at(5), None]
    pool.give(at(3))
    assert pool.take() is None
    pool.give(at(4))
    assert pool.take_exactly(at(4))
    assert pool.take() is None
    assert len(pool) == 3


def test_what_is_served_is_told(pool) -> None:
    assert pool.serves(at(2))
    assert not pool.serves(at(3))
