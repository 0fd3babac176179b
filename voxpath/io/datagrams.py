"""UDP ports with what Twisted's own do not tell: the arrival interface and the address a datagram was sent to.

A port is read until it would block, so that a burst is taken out of the kernel's buffer at once.
A socket that is bound to one address hears nothing that was sent to another one: it need not ask, which makes it a third cheaper.
"""

import errno
import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from voxpath.core.effects import Burst, Datagram, Send
from voxpath.io.packet import udp_packet
from voxpath.model.address import ANY_HOST, BROADCAST_HOST, Endpoint

log = Logger()

BUFFER_OCTETS = 4 * 1024 * 1024
"""Kernel buffers: a burst of some thousand requests must not be dropped before it is seen."""

LARGEST_DATAGRAM = 65535

LOOK_AGAIN = 8
"""Where datagrams come one at a time, only every so many turns ask whether there is a second one: that costs a system call."""

READ_PER_TURN = 64
"""Datagrams that are read in one turn of the reactor: a flood on one port must not hold up the others, nor finished commits."""

PASSING = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EINTR})
"""Errors that say something of an earlier datagram, or that the interface is down at the moment; the socket lives on."""

PKTINFO_OCTETS = 12
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_PKTINFO = struct.Struct("=I4s4s")
_ANCILLARY = socket.CMSG_SPACE(PKTINFO_OCTETS)


@lru_cache(maxsize=256)
def _interface_name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


@implementer(IReadDescriptor)
class UdpPort:
    """A UDP socket on the reactor.

    :param name: the core's name for it.
    :param local: where to bind; port 0 lets the kernel choose, and :attr:`local` then tells.
    :param receive: is given every datagram.
    :param device: bind to this interface alone, and send broadcasts by it.
    :ivar told: the address that datagrams were sent to when each need not tell its own; such datagrams tell no interface.
    :param on_lost: is told why, when the port cannot be read any more; it then has to be opened anew.
    :raises OSError: the address is in use, is not ours, or its port needs rights that we lack.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        name: str,
        local: Endpoint,
        receive: Callable[[Datagram], None],
        device: str = "",
        on_lost: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.name = name
        self.device = device
        self._reactor = reactor
        self._receive = receive
        self._on_lost = on_lost
        self._socket = _bound_socket(local, device)
        self._index = socket.if_nametoindex(device) if device else 0
        self._turns_of_one = 0
        self._frames = _FrameSocket(device) if device else None
        host, port = self._socket.getsockname()
        self.local = Endpoint(host, port)
        self.told = "" if device or host == ANY_HOST else host
        reactor.addReader(self)

    def send(self, send: Send) -> None:
        """Send a datagram; raise :class:`OSError` when the kernel does not take it."""
        payload, to, _, source, interface, link = send
        if not link and not interface and (not source or source == self.told):
            # The way of nearly all.
            self._socket.sendto(payload, to)
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
        index = socket.if_nametoindex(send.interface) if send.interface else 0
        source = socket.inet_aton(send.source) if send.source else b"\0\0\0\0"
        info = _PKTINFO.pack(index, source, b"\0\0\0\0")
        self._socket.sendmsg([send.payload], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, destination)

    def burst(self, burst: Burst) -> None:
        """Send several datagrams; raise :class:`OSError` when the kernel does not take one."""
        _, destination, _, source = burst
        if source in {"", self.told}:
            for payload in burst.payloads:
                self._socket.sendto(payload, destination)
            return
        for payload in burst.payloads:
            self.send(Send(payload, destination, burst.port, source))

    @property
    def is_orphan(self) -> bool:
        """Whether its interface was made anew under the old name: the socket is bound to the one that is gone."""
        try:
            return bool(self.device) and socket.if_nametoindex(self.device) != self._index
        except OSError:
            # Gone and not yet back.
            return False

    def close(self) -> None:
        """Stop reading and close the socket."""
        self._reactor.removeReader(self)
        self._socket.close()
        if self._frames is not None:
            self._frames.close()

    # IReadDescriptor

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Read until it would block."""
        receive, read = self._receive, self._read_plain if self.told else self._read
        for number in range(READ_PER_TURN):
            if number == 1 and self._turns_of_one % LOOK_AGAIN:
                # Lock step: the next one comes when the answer to this one has arrived.
                self._turns_of_one += 1
                return
            try:
                datagram = read()
            except BlockingIOError:
                self._turns_of_one = self._turns_of_one + 1 if number == 1 else 0
                return
            except OSError as error:
                if error.errno in PASSING:
                    continue
                raise
            try:
                receive(datagram)
            except Exception:
                # The reactor drops a reader that raises, and the port would be deaf from then on.
                log.failure("a datagram from {source} on {name}", source=datagram.source, name=self.name)
            if self._socket.fileno() < 0:
                # What was received closed this port.
                return

    def _read(self) -> Datagram:
        payload, ancillary, _flags, source = self._socket.recvmsg(LARGEST_DATAGRAM, _ANCILLARY)
        interface, destination = "", ""
        for _level, kind, info in ancillary:
            if kind == IP_PKTINFO:
                index, _local, addressed = _PKTINFO.unpack(info)
                interface, destination = _interface_name(index), socket.inet_ntoa(addressed)
        return Datagram(payload, Endpoint(*source), destination, interface, self.name)

    def _read_plain(self) -> Datagram:
        payload, source = self._socket.recvfrom(LARGEST_DATAGRAM)
        return Datagram(payload, Endpoint(*source), self.told, "", self.name)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gave up on the socket."""
        self._socket.close()
        self._on_lost(f"the UDP port {self.local} cannot be read: {reason.getErrorMessage()}")

    def logPrefix(self) -> str:
        """The name in Twisted's log."""
        return self.name


class _FrameSocket:
    """Sends IPv4 packets to an Ethernet address without asking ARP; needs the right to raw frames."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._socket: Any = None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        except PermissionError:
            self._socket = None

    @property
    def usable(self) -> bool:
        return self._socket is not None

    def send(self, packet: bytes, link: bytes) -> None:
        self._socket.sendto(packet, (self._device, 0x0800, 0, 0, link))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def _bound_socket(local: Endpoint, device: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        if device or local.host == ANY_HOST:
            made.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            made.setsockopt(socket.SOL_SOCKET, option, BUFFER_OCTETS)
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
