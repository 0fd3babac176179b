"""The local ports of one core, by name."""

from collections.abc import Callable

from voxpath.core.effects import Answer, Burst, Datagram, Direct, Send
from voxpath.io.backlog import Backlog
from voxpath.io.datagrams import UdpPort
from voxpath.io.local import LocalPort, Readers
from voxpath.io.neighbours import ArpPort, EchoPort
from voxpath.io.trunk import TrunkPort
from voxpath.model.address import Endpoint

MAX_PORTS = 4096
"""Ports that one core may have open: a bound on file descriptors."""


class UdpPorts:
    """Real UDP ports.

    A name may stand for several sockets: one for each interface, or for each address that a server listens on.
    A send then takes the one of its interface, or of its source address, or else the first.

    :param on_lost: is told why, when a port cannot be read any more.
    :param paced: reads the ports that have a backlog; ``None``: the reactor.
    """

    def __init__(
        self, reactor: Readers, on_lost: Callable[[str], None] = lambda reason: None, paced: Readers | None = None
    ) -> None:
        self._reactor = reactor
        self._paced = paced or reactor
        self._on_lost = on_lost
        self._ports: dict[str, list[LocalPort]] = {}
        self._count = 0

    def open(
        self,
        name: str,
        local: Endpoint,
        receive: Callable[[Datagram], None],
        device: str = "",
        priority: int | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        """Open a port; raise :class:`OSError` when that is impossible, or when too many are open.

        :param backlog: takes the datagrams in place of ``receive``.
        """
        if self._count >= MAX_PORTS:
            raise OSError(f"{MAX_PORTS} ports are open already")
        reactor = self._reactor if backlog is None else self._paced
        self._add(UdpPort(reactor, name, local, receive, device, self._on_lost, priority, backlog))

    def open_trunk(
        self,
        name: str,
        receive: Callable[[Datagram], None],
        device: str,
        vid: int,
        port: int,
        priority: int | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        """Hear and answer DHCP in one VLAN of an interface that carries several; raise :class:`OSError` when that is impossible."""
        reactor = self._reactor if backlog is None else self._paced
        self._add(TrunkPort(reactor, name, receive, device, vid, port, priority, self._on_lost, backlog))

    def open_arp(self, name: str, receive: Callable[[Datagram], None], device: str) -> None:
        """Hear and send ARP on an interface; raise :class:`OSError` when that is impossible."""
        self._add(ArpPort(self._reactor, name, receive, device, self._on_lost))

    def open_echo(self, name: str, receive: Callable[[Datagram], None]) -> None:
        """Send ICMP echo messages and hear the replies; raise :class:`OSError` when that is impossible."""
        self._add(EchoPort(self._reactor, name, receive, self._on_lost))

    def _add(self, port: LocalPort) -> None:
        """Take a port that is open; from now on it is closed here."""
        self._ports.setdefault(port.name, []).append(port)
        self._count += 1

    def local(self, name: str) -> Endpoint:
        """Where a port is bound; raise :class:`KeyError` when it is not open."""
        return self._ports[name][0].local

    def send(self, send: Send) -> None:
        """Send a datagram from the port it names; raise :class:`OSError` when that is not open or the kernel refuses."""
        ports = self._ports.get(send.port)
        if ports is None:
            raise OSError(f"port {send.port!r} is not open")
        port = ports[0] if len(ports) == 1 else _choose(ports, send)
        port.send(send)

    def burst(self, burst: Burst) -> None:
        """Send several datagrams from the port they name; raise :class:`OSError` as :meth:`send` does."""
        first = Send(burst.payloads[0], burst.destination, burst.port, burst.source)
        ports = self._ports.get(burst.port)
        if ports is None:
            raise OSError(f"port {burst.port!r} is not open")
        (ports[0] if len(ports) == 1 else _choose(ports, first)).burst(burst)

    def direct(self, direct: Direct, answer: Answer | None) -> None:
        """Let ``answer`` have first what the peer sends to the port that answers it, if that is open."""
        ports = self._ports.get(direct.port)
        if ports is not None:
            _choose(ports, Send(b"", direct.peer, direct.port, direct.source)).direct(direct.peer, answer)

    def orphans(self) -> list[str]:
        """Interfaces that were made anew since their ports were opened, each once; those ports hear nothing any more."""
        return list(dict.fromkeys(port.device for ports in self._ports.values() for port in ports if port.is_orphan))

    def close(self, name: str) -> None:
        """Close a port with all its sockets."""
        for port in self._ports.pop(name, ()):
            self._count -= 1
            port.close()

    def close_all(self) -> None:
        """Close every port."""
        for name in list(self._ports):
            self.close(name)


def _choose(ports: list[LocalPort], send: Send) -> LocalPort:
    for port in ports:
        if send.interface and port.answers_for(send.interface):
            return port
    for port in ports:
        if send.source and port.local.host == send.source:
            return port
    return ports[0]
