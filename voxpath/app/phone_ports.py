"""Local ports of software phones: all phones on one interface share one DHCP socket, told apart by their Ethernet address."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet

from voxpath.core.effects import Datagram, Send
from voxpath.dhcp.message import CLIENT_PORT
from voxpath.dhcp.wire import CHADDR_AT
from voxpath.io.datagrams import UdpPort
from voxpath.io.ports import UdpPorts
from voxpath.model.address import ANY_HOST, MAC_LENGTH, Endpoint, Mac
from voxpath.phone.renewal import DHCP_PORT

CLIENT = Endpoint(ANY_HOST, CLIENT_PORT)
"""A client without an address can bind to nothing else (RFC 2131 section 4.1)."""


class DhcpPort:
    """The DHCP client port of an interface.

    :raises OSError: another client has it, or the right to it is missing.
    """

    def __init__(self, reactor: IReactorFDSet, interface: str, on_lost: Callable[[str], None]) -> None:
        self._receivers: dict[bytes, Callable[[Datagram], None]] = {}
        self._port = UdpPort(reactor, DHCP_PORT, CLIENT, self._receive, interface, on_lost)

    def join(self, mac: Mac, receive: Callable[[Datagram], None]) -> None:
        """Let a phone have the messages to its Ethernet address."""
        self._receivers[bytes(mac)] = receive

    def leave(self, mac: Mac) -> None:
        """A phone wants no more messages."""
        self._receivers.pop(bytes(mac), None)

    def send(self, send: Send) -> None:
        """Send for any phone."""
        self._port.send(send)

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    def _receive(self, datagram: Datagram) -> None:
        receive = self._receivers.get(datagram.payload[CHADDR_AT : CHADDR_AT + MAC_LENGTH])
        if receive is not None:
            receive(datagram)


class PhonePorts:
    """The ports of one phone: its share of the DHCP port, and UDP ports of its own."""

    def __init__(self, reactor: IReactorFDSet, mac: Mac, dhcp: DhcpPort | None) -> None:
        self._own = UdpPorts(reactor)
        self._mac = mac
        self._dhcp = dhcp

    def open(self, name: str, local: Endpoint, receive: Callable[[Datagram], None]) -> None:
        """Open a port; raise :class:`OSError` when that is impossible."""
        if name == DHCP_PORT and self._dhcp is not None:
            self._dhcp.join(self._mac, receive)
        else:
            self._own.open(name, local, receive)

    def send(self, send: Send) -> None:
        """Send from the port it names."""
        if send.port == DHCP_PORT and self._dhcp is not None:
            self._dhcp.send(send)
        else:
            self._own.send(send)

    def close(self, name: str) -> None:
        """Close a port."""
        if name == DHCP_PORT and self._dhcp is not None:
            self._dhcp.leave(self._mac)
        else:
            self._own.close(name)

    def close_all(self) -> None:
        """Close all ports of this phone."""
        if self._dhcp is not None:
            self._dhcp.leave(self._mac)
        self._own.close_all()
