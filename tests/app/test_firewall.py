"""From the configuration to what of this host may be reached from outside."""

from voxpath.app.decode import decode
from voxpath.app.firewall import openings
from voxpath.natreactor.firewall import Opening

ROLES = """
[mgc]
listen = ["198.51.100.1:2944"]
[sip]
enabled = false
listen = ["198.51.100.1:5060"]
[tftp]
listen = ["0.0.0.0:69"]
data_ports = [40000, 40999]
[subscription]
enabled = true
listen = "198.51.100.1:2946"
[manhole]
ssh = ["127.0.0.1:2222"]
[[ports.service]]
name = "sip"
public = "203.0.113.1"
port = 5060
[firewall]
enabled = true
open = ["tcp/22", "esp", "udp/500", "udp/500"]
"""


def both(port: int, host: str) -> set[Opening]:
    return {Opening(protocol, port, port, host) for protocol in ("tcp", "udp")}


def test_what_roles_listen_on_and_what_is_named_may_be_reached() -> None:
    """FWL-1: a role that is off opens nothing."""
    config = decode(ROLES.encode()).config
    assert config is not None
    found = openings(config)
    assert set(found) == {
        *both(2944, "198.51.100.1"),
        *both(69, "0.0.0.0"),
        *both(2946, "198.51.100.1"),
        *both(2222, "127.0.0.1"),
        *both(5060, "203.0.113.1"),
        Opening("udp", 40000, 40999),
        Opening("tcp", 22, 22),
        Opening("esp"),
        Opening("udp", 500, 500),
    }
    assert len(found) == len(set(found))
