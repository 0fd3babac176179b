"""Ports for finding out who uses an address: ARP on a link, ICMP echo beyond it; both need the right to raw sockets."""

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address

from voxpath.core.effects import Datagram, Send
from voxpath.io.local import LocalPort, Readers
from voxpath.io.route import way_to
from voxpath.model.address import ANY_HOST, MAC_LENGTH, Endpoint

ETH_P_ARP = 0x0806
BROADCAST_LINK = b"\xff" * 6
LARGEST_PACKET = 2048
BUFFER_OCTETS = 256 * 1024
"""Kernel buffers: all hosts of a link may speak at once."""

SENDER = slice(8, 14)
"""Where an ARP packet has its sender's Ethernet address (RFC 826)."""

_SOL_RAW, _ICMP_FILTER = 255, 1
_ALL_BUT_REPLIES = (0xFFFFFFFF ^ 1).to_bytes(4, "little")
"""The kernel passes on the types whose bits are not set: echo replies, type 0, alone."""

_ADDRESS = 4
"""Which part of a packet socket's name is the Ethernet address."""


class ArpPort(LocalPort):
    """All ARP packets that an interface hears, and our own broadcast on it.

    :raises PermissionError: this process may not open raw sockets.
    :raises OSError: there is no such interface.
    """

    def __init__(
        self,
        reactor: Readers,
        name: str,
        receive: Callable[[Datagram], None],
        device: str,
        on_lost: Callable[[str], None] = lambda reason: None,
    ) -> None:
        # With the protocol 0 it hears nothing until it is bound: packets of other interfaces must not be in its buffer.
        opened = _prepared(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
        try:
            opened.bind((device, ETH_P_ARP))
        except OSError as error:
            opened.close()
            raise OSError(error.errno, f"ARP on {device} cannot be heard: {error.strerror}") from error
        super().__init__(reactor, name, opened, Endpoint(ANY_HOST, 0), receive, device, on_lost)

    def send(self, send: Send) -> None:
        """Broadcast a packet; the sender's Ethernet address is the interface's of this moment."""
        own = self._socket.getsockname()[_ADDRESS]
        if len(own) != MAC_LENGTH:
            raise OSError(errno.ENODEV, f"the interface {self.device} is gone")
        packet = bytearray(send.payload)
        packet[SENDER] = own
        self._socket.sendto(packet, (self.device, ETH_P_ARP, 0, 0, BROADCAST_LINK))

    def reader(self) -> Callable[[], Datagram]:
        """How one packet is read."""
        return self._read

    def _read(self) -> Datagram:
        return Datagram(self._socket.recv(LARGEST_PACKET), self.local, "", self.device, self.name)


class EchoPort(LocalPort):
    """The echo replies that this host gets, and our own messages.

    :raises PermissionError: this process may not open raw sockets.
    """

    def __init__(
        self,
        reactor: Readers,
        name: str,
        receive: Callable[[Datagram], None],
        on_lost: Callable[[str], None] = lambda reason: None,
    ) -> None:
        opened = _prepared(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        opened.setsockopt(_SOL_RAW, _ICMP_FILTER, _ALL_BUT_REPLIES)
        super().__init__(reactor, name, opened, Endpoint(ANY_HOST, 0), receive, "", on_lost)

    def send(self, send: Send) -> None:
        """Send a message; the kernel writes the IP header.

        :raises OSError: it did not leave; where a firewall refused it, such as this gateway's own table, the text tells the way.
        """
        try:
            self._socket.sendto(send.payload, send.destination)
        except PermissionError as error:
            raise PermissionError(error.errno, f"{error.strerror}{_way(send.destination.host)}") from None

    def reader(self) -> Callable[[], Datagram]:
        """How one message is read, without its IP header."""
        return self._read

    def _read(self) -> Datagram:
        packet, (host, _) = self._socket.recvfrom(LARGEST_PACKET)
        return Datagram(packet[(packet[0] & 15) * 4 :], Endpoint(host, 0), "", "", self.name)


def _way(host: str) -> str:
    try:
        interface = way_to(IPv4Address(host))
    except OSError:
        return ""
    return f", since it would leave by {interface}" if interface else ""


def _prepared(opened: socket.socket) -> socket.socket:
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    return opened
