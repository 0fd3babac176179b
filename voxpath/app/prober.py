"""What verifies addresses in a real site: its ports, or the reason why there are none (DHC-16)."""

from collections.abc import Callable

from voxpath.app import values
from voxpath.app.node import Node
from voxpath.core.effects import Datagram
from voxpath.dhcp.event_probe import DhcpProbeOff
from voxpath.dhcp.probe import ARP_PORT, ECHO_PORT, Prober
from voxpath.dhcp.server import DhcpServer
from voxpath.io.ports import UdpPorts


def open_prober(node: Node, role: str, server: DhcpServer, ports: UdpPorts, receive: Callable[[Datagram], None]) -> Prober | None:
    """Open the ports and make the prober; without the right to do so the server goes without, and one event says it.

    :param receive: is given what the ports hear.
    :return: ``None``: addresses are not verified.
    """
    config = node.config
    if not (config.dhcp.enabled and config.dhcp.probe and config.scopes):
        return None
    # Beside the kernel's interfaces there is no ARP: a VLAN that has none goes without.
    tagged = frozenset(scope.name for scope in config.scopes if scope.vlan)
    scopes = [scope for name, scope in server.book.scopes.items() if name not in tagged and not scope.shared]
    try:
        for interface in dict.fromkeys(scope.interface for scope in scopes if not scope.relays):
            ports.open_arp(ARP_PORT, receive, interface)
        if any(scope.relays for scope in scopes):
            ports.open_echo(ECHO_PORT, receive)
    except OSError as error:
        ports.close(ARP_PORT)
        node.bus.publish(role, DhcpProbeOff(reason=error.strerror or str(error)))
        return None
    return Prober(server.book, values.probe_settings(config, node.entropy.getrandbits(16)), without=tagged)
