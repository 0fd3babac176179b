"""The local ports of one core, by name."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet

from voxpath.core.effects import Datagram, Send
from voxpath.io.datagrams import UdpPort
from voxpath.model.address import Endpoint

MAX_PORTS = 4096
"""Ports that one core may have open: a bound on file descriptors."""


class UdpPorts:
    """Real UDP ports.

    A name may stand for several sockets, one for each interface; a send then names its interface.
    """

    def __init__(self, reactor: IReactorFDSet) -> None:
        self._reactor = reactor
        self._ports: dict[tuple[str, str], UdpPort] = {}

    def open(self, name: str, local: Endpoint, receive: Callable[[Datagram], None], device: str = "") -> None:
        """Open a port; raise :class:`OSError` when that is impossible, or when too many are open."""
        if len(self._ports) >= MAX_PORTS:
            raise OSError(f"{MAX_PORTS} ports are open already")
        if (name, device) in self._ports:
            self._ports.pop((name, device)).close()
        self._ports[name, device] = UdpPort(self._reactor, name, local, receive, device)

    def local(self, name: str, device: str = "") -> Endpoint:
        """Where a port is bound; raise :class:`KeyError` when it is not open."""
        return self._ports[name, device].local

    def send(self, send: Send) -> None:
        """Send a datagram from the port it names; raise :class:`OSError` when that is not open or the kernel refuses."""
        port = self._ports.get((send.port, send.interface)) or self._ports.get((send.port, ""))
        if port is None:
            raise OSError(f"port {send.port!r} is not open")
        port.send(send)

    def close(self, name: str) -> None:
        """Close a port on all its interfaces."""
        for key in [key for key in self._ports if key[0] == name]:
            self._ports.pop(key).close()

    def close_all(self) -> None:
        """Close every port."""
        while self._ports:
            self._ports.popitem()[1].close()
