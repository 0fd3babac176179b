"""UDP ports with what Twisted's own do not tell: the arrival interface and the address a datagram was sent to.

A port is read until it would block, so that a burst is taken out of the kernel's buffer at once.
A socket that is bound to one address hears nothing that was sent to another one: it need not ask, which makes it a third cheaper.
"""

import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from voxpath.core.effects import Answer, Burst, Datagram, Send, Train
from voxpath.io.backlog import Backlog
from voxpath.io.local import LocalPort, Readers
from voxpath.io.packet import udp_packet
from voxpath.model.address import ANY_HOST, BROADCAST_HOST, Endpoint

BUFFER_OCTETS = 4 * 1024 * 1024
"""Kernel buffers: a burst of some thousand requests must not be dropped before it is seen."""

LARGEST_DATAGRAM = 65535

PKTINFO_OCTETS = 12
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_PKTINFO = struct.Struct("=I4s4s")
Ancillary = tuple[int, int, bytes]
_ANCILLARY = socket.CMSG_SPACE(PKTINFO_OCTETS)


@lru_cache(maxsize=256)
def _interface_name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


class UdpPort(LocalPort):
    """A UDP socket on the reactor.

    :param name: the core's name for it.
    :param local: where to bind; port 0 lets the kernel choose, and :attr:`local` then tells.
    :param receive: is given every datagram.
    :param device: bind to this interface alone, and send broadcasts by it.
    :ivar told: the address that datagrams were sent to when each need not tell its own; such datagrams tell no interface.
    :param on_lost: is told why, when the port cannot be read any more; it then has to be opened anew.
    :param priority: of what it sends, 0 to 7, where the interface is a VLAN's; ``None``: the kernel's choice.
    :param backlog: takes the datagrams in place of ``receive``, more of them a turn, and gives them to the core at its own pace.
    :raises OSError: the address is in use, is not ours, or its port needs rights that we lack.
    """

    def __init__(
        self,
        reactor: Readers,
        name: str,
        local: Endpoint,
        receive: Callable[[Datagram], None],
        device: str = "",
        on_lost: Callable[[str], None] = lambda reason: None,
        priority: int | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        opened = _bound_socket(local, device, priority)
        host, port = opened.getsockname()
        super().__init__(reactor, name, opened, Endpoint(host, port), receive, device, on_lost, backlog)
        self.told = "" if device or host == ANY_HOST else host
        self._frames = _FrameSocket(device, priority) if device else None
        self._answers: dict[tuple[str, int], Answer] = {}

    def send(self, send: Send) -> None:
        """Send a datagram; raise :class:`OSError` when the kernel does not take it."""
        source = send.source
        if not send.link and not send.interface and (not source or source == self.told):
            # The way of nearly all.
            self._socket.sendto(send.payload, send.destination)
        else:
            self._send_by(send)

    def _send_by(self, send: Send) -> None:
        """Send by an interface, from an address, or to a host that has no address yet."""
        if send.link and self._frames is not None and self._frames.usable:
            packet = udp_packet(send.payload, Endpoint(send.source or self.local.host, self.local.port), send.destination)
            self._frames.send(packet, send.link)
            return
        # Without the right to send frames a broadcast reaches a client that has no address yet; RFC 2131 4.1 allows it.
        destination = Endpoint(BROADCAST_HOST, send.destination.port) if send.link else send.destination
        # A socket that is bound to an interface sends by it anyway.
        interface = "" if send.interface == self.device else send.interface
        self._socket.sendmsg([send.payload], [_origin(send.source, interface)], 0, destination)

    def burst(self, burst: Burst) -> None:
        """Send several datagrams; raise :class:`OSError` when the kernel does not take one."""
        source = burst.source
        origin = () if source in {"", self.told} else (_origin(source),)
        for payload in burst.payloads:
            if origin:
                self._socket.sendmsg([payload], origin, 0, burst.destination)
            else:
                self._socket.sendto(payload, burst.destination)

    def direct(self, peer: Endpoint, answer: Answer | None) -> None:
        """Let ``answer`` have what comes from one peer first; a port that has to ask for the address of each datagram does not."""
        if answer is None:
            self._answers.pop(peer, None)
        elif self.told:
            self._answers[peer] = answer

    def close(self) -> None:
        """Stop reading and close the sockets."""
        super().close()
        if self._frames is not None:
            self._frames.close()

    # Reading.

    def reader(self) -> Callable[[], Datagram | None]:
        """How one datagram is read."""
        return self._read_plain if self.told else self._read

    def _read(self) -> Datagram:
        payload, ancillary, _flags, source = self._socket.recvmsg(LARGEST_DATAGRAM, _ANCILLARY)
        interface, destination = "", ""
        for _level, kind, info in ancillary:
            if kind == IP_PKTINFO:
                index, _local, addressed = _PKTINFO.unpack(info)
                interface, destination = _interface_name(index), socket.inet_ntoa(addressed)
        return Datagram(payload, Endpoint(*source), destination, interface, self.name)

    def _read_plain(self) -> Datagram | None:
        payload, source = self._socket.recvfrom(LARGEST_DATAGRAM)
        answer = self._answers.get(source)
        if answer is not None and (train := answer(payload)) is not None:
            self._say(train, source)
            return None
        return Datagram(payload, Endpoint(*source), self.told, "", self.name)

    def _say(self, train: Train, peer: tuple[str, int]) -> None:
        """Answer; what does not leave is lost, as on any wire: the core repeats it in time, and that is told if it fails, too.

        Each datagram leaves by a system call of its own: the peer reads the first ones while the others are on their way.
        One call for all (UDP_SEGMENT) takes no less time of the processors, and lets the peer sleep until its end.
        """
        send = self._socket.sendto
        try:
            for datagram in train.datagrams():
                send(datagram, peer)
        except OSError:
            return


class _FrameSocket:
    """Sends IPv4 packets to an Ethernet address without asking ARP; needs the right to raw frames."""

    def __init__(self, device: str, priority: int | None) -> None:
        self._device = device
        self._socket: Any = None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        except PermissionError:
            return
        _set_priority(self._socket, priority)

    @property
    def usable(self) -> bool:
        return self._socket is not None

    def send(self, packet: bytes, link: bytes) -> None:
        self._socket.sendto(packet, (self._device, 0x0800, 0, 0, link))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def _origin(source: str, interface: str = "") -> Ancillary:
    """What tells the kernel where a datagram leaves: from an address, by an interface; empty: its own choice."""
    return socket.IPPROTO_IP, IP_PKTINFO, _pktinfo(socket.if_nametoindex(interface) if interface else 0, source)


@lru_cache(maxsize=256)
def _pktinfo(index: int, source: str) -> bytes:
    return _PKTINFO.pack(index, socket.inet_aton(source or ANY_HOST), bytes(4))


def _set_priority(opened: socket.socket, priority: int | None) -> None:
    """What a VLAN's interface makes the priority bits of its frames from (``egress-qos-map``)."""
    if priority is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)


def _bound_socket(local: Endpoint, device: str, priority: int | None) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        if device or local.host == ANY_HOST:
            made.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            made.setsockopt(socket.SOL_SOCKET, option, BUFFER_OCTETS)
        _set_priority(made, priority)
        if device:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            # One socket per interface, all on the same port.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(local)
    except OSError as error:
        made.close()
        where = f"{local} on {device}" if device else str(local)
        raise OSError(error.errno, f"UDP port {where} cannot be opened: {error.strerror}") from error
    return made
