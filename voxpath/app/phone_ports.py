"""Local ports of software phones: all phones on one interface share one DHCP socket, told apart by their Ethernet address."""

import fcntl
import socket
from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorFDSet

from voxpath.core.effects import Answer, Burst, Datagram, Direct, Send
from voxpath.dhcp.message import CLIENT_PORT
from voxpath.dhcp.wire import CHADDR_AT
from voxpath.io.datagrams import UdpPort
from voxpath.io.ports import UdpPorts
from voxpath.model.address import ANY_HOST, MAC_LENGTH, Endpoint, Mac
from voxpath.phone.renewal import DHCP_PORT

CLIENT = Endpoint(ANY_HOST, CLIENT_PORT)
"""A client without an address can bind to nothing else (RFC 2131 section 4.1)."""


SIOCGIFADDR = 0x8915
SYSCTL = Path("/proc/sys/net/ipv4/conf")


def deaf(interface: str, sysctl: Path = SYSCTL) -> str:
    """Why DHCP would wait in vain on an interface; empty: it would not.

    The stricter of two values counts, and with either filter the kernel drops what comes for an interface without an address.
    """
    for name in ("all", interface):
        file = sysctl / name / "rp_filter"
        value = file.read_text(encoding="ascii").strip() if file.exists() else "0"
        if value != "0" and not _has_address(interface):
            what = f"answers to {interface} are dropped while it has no address"
            return f"net/ipv4/conf/{name}/rp_filter is {value}: {what}; set it to 0"
    return ""


def _has_address(interface: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            fcntl.ioctl(probe, SIOCGIFADDR, interface.encode().ljust(40, b"\0"))
        except OSError:
            return False
    return True


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

    def burst(self, burst: Burst) -> None:
        """Send several datagrams from one of the phone's own ports."""
        self._own.burst(burst)

    def direct(self, direct: Direct, answer: Answer | None) -> None:
        """Let one of the phone's own ports answer by the short way."""
        self._own.direct(direct, answer)

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
