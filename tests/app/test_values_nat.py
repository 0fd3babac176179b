"""From the configuration to what the NAT is told of the call-aware mode."""

from ipaddress import IPv4Address

from voxpath.app import values
from voxpath.app.decode import decode

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
