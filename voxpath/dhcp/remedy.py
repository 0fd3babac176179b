"""What an operator has to do so that probes leave, and whatever else is sent to phones."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from voxpath.model.phone import Scope


def route_command(subnet: IPv4Network, relays: Iterable[IPv4Address], interface: str) -> str:
    """The command that leads to the phones beyond a relay: by that of its addresses which is not on their side, if one is named."""
    near = next((str(relay) for relay in relays if relay not in subnet), "ROUTER")
    return f"ip route replace {subnet} via {near} dev {interface}"


def remedy(scope: Scope) -> str:
    """What to do when a probe of a scope did not leave."""
    if not scope.relays:
        return f"see that {scope.interface} is there and up"
    command = route_command(scope.subnet, scope.relays, scope.interface)
    return f"write the missing route, such as {command}, or let this host's firewall pass ICMP echo"
