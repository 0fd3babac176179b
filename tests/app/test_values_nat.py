"""From the configuration to what the NAT is told."""

from ipaddress import IPv4Address

from twisted.internet.task import Clock

from voxpath.app import values
from voxpath.app.decode import decode
from voxpath.app.values_nat import nat_settings
from voxpath.nappt.pool import PoolPorts
from voxpath.natreactor.settings import nobody

CLASSES = """
[[class]]
name = "desk"
vendor_classes = ["desk"]
mgcs = ["198.51.100.10:2944", "198.51.100.11:2944"]
[[class]]
name = "wall"
vendor_classes = ["wall"]
mgcs = ["198.51.100.10:2944"]
[nat]
mode = "call-aware"
trusted = ["198.51.100.11", "198.51.100.20"]
"""


def test_the_controllers_of_all_classes_reach_every_phone_beside_those_that_are_named() -> None:
    config = decode(CLASSES.encode()).config
    assert config is not None
    assert values.trusted(config) == tuple(IPv4Address(f"198.51.100.{host}") for host in (10, 11, 20))


def test_the_ordinary_napt_has_ports_of_its_own_and_its_address_is_a_public_one() -> None:
    """NAP-15."""
    config = decode(b'[nat]\nnapt = "203.0.113.9:60000-64999"\nmss = 1360\nfast = true\n').config
    assert config is not None
    made = nat_settings(config, Clock(), nobody)
    assert made.pool == PoolPorts(int(IPv4Address("203.0.113.9")), 60000, 64999)
    assert made.outside.public == (IPv4Address("203.0.113.9"),)
    assert made.mss == 1360
    assert made.fast
    config = decode(CLASSES.encode()).config
    assert config is not None
    made = nat_settings(config, Clock(), nobody)
    assert (made.pool, made.outside.public, made.mss) == (None, (), 0)
