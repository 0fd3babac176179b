"""A memory network in virtual time: segments, hosts and gateways, with seeded loss, duplication, delay and reordering.

It stands in for the kernel below the real driver, so that a whole journey runs in one process with no packet on any wire.
Two segments may use the same prefix and even the same addresses, as two customers' sites do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from random import Random

from twisted.internet.interfaces import IReactorTime

from voxpath.core.effects import Answer, Burst, Datagram, Direct, Send
from voxpath.io.packet import udp_packet
from voxpath.model.address import ANY_HOST, BROADCAST_HOST, Endpoint
from voxpath.nappt.verdict import Translated
from voxpath.natreactor.memory import MemoryNAT

HEADERS = 28

Receive = Callable[[Datagram], None]
Tap = Callable[["Segment", Endpoint, Endpoint, bytes], None]


@dataclass(frozen=True, slots=True)
class Quality:
    """How a segment treats datagrams; shares are between 0 and 1, delays in seconds.

    Datagrams overtake each other when the delay varies.
    """

    loss: float = 0.0
    duplication: float = 0.0
    least_delay_s: float = 0.0005
    most_delay_s: float = 0.002


class Segment:
    """A broadcast domain with a prefix; what is not on it goes to its gateway, if it has one."""

    def __init__(self, network: "MemoryNetwork", name: str, prefix: IPv4Network, quality: Quality) -> None:
        self.name = name
        self.prefix = prefix
        self.quality = quality
        self.gateway: Gateway | None = None
        self.interfaces: dict[bytes, Interface] = {}
        self.owners: dict[str, Interface | Gateway] = {}
        self.lost = 0
        self._network = network

    def carry(self, payload: bytes, source: Endpoint, destination: Endpoint, link: bytes = b"") -> None:
        """Take a datagram, and deliver it later: never, once or twice."""
        self._network.tap(self, source, destination, payload)
        entropy, quality = self._network.entropy, self.quality
        copies = 1 + (entropy.random() < quality.duplication)
        for _ in range(copies):
            if entropy.random() < quality.loss:
                self.lost += 1
                continue
            delay = quality.least_delay_s + entropy.random() * (quality.most_delay_s - quality.least_delay_s)
            self._network.clock.callLater(delay, self._deliver, payload, source, destination, link)

    def _deliver(self, payload: bytes, source: Endpoint, destination: Endpoint, link: bytes) -> None:
        if destination.host == BROADCAST_HOST:
            for interface in list(self.interfaces.values()):
                interface.deliver(payload, source, destination)
        elif link:
            if (addressed := self.interfaces.get(link)) is not None:
                addressed.deliver(payload, source, destination)
        elif (owner := self.owners.get(destination.host)) is not None:
            owner.deliver(payload, source, destination)
        elif self.gateway is not None and IPv4Address(destination.host) not in self.prefix:
            self.gateway.leave(payload, source, destination)


class Interface:
    """A host's foot in a segment."""

    def __init__(self, host: "Host", name: str, segment: Segment, link: bytes, address: str) -> None:
        self.host = host
        self.name = name
        self.segment = segment
        self.link = link
        self.address = ANY_HOST
        segment.interfaces[link] = self
        if address:
            self.enable(address)

    def enable(self, address: str) -> None:
        """Give the interface its address."""
        self.segment.owners.pop(self.address, None)
        self.address = address
        self.segment.owners[address] = self

    def deliver(self, payload: bytes, source: Endpoint, destination: Endpoint) -> None:
        """Hand a datagram to the host."""
        self.host.deliver(self, payload, source, destination)


class Host:
    """A machine on the network: the :class:`voxpath.io.driver.Ports` of the cores that run on it come from :meth:`ports`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = True
        self._interfaces: list[Interface] = []
        self._bound: dict[tuple[str, int], tuple[str, Receive]] = {}
        self._next_port = 32768

    def attach(self, segment: Segment, interface: str, link: bytes, address: str = "") -> Interface:
        """Add an interface."""
        made = Interface(self, interface, segment, link, address)
        self._interfaces.append(made)
        return made

    def ports(self) -> "MemoryPorts":
        """Local ports for one core."""
        return MemoryPorts(self)

    def bind(self, name: str, local: Endpoint, receive: Receive) -> Endpoint:
        """Bind a port; raise :class:`OSError` when it is taken."""
        port = local.port
        if not port:
            while (local.host, self._next_port) in self._bound:
                self._next_port += 1
            port = self._next_port
            self._next_port = 32768 if port == 65535 else port + 1
        if (local.host, port) in self._bound:
            raise OSError(98, "Address already in use")
        self._bound[local.host, port] = (name, receive)
        return Endpoint(local.host, port)

    def unbind(self, local: Endpoint) -> None:
        """Free a port."""
        self._bound.pop((local.host, local.port), None)

    def send(self, send: Send, local: Endpoint) -> None:
        """Send from a bound port by the interface that the send names, or else by the one that leads there."""
        if not self.up:
            return
        interface = self._interface_for(send)
        source = next((host for host in (send.source, local.host) if host not in {"", ANY_HOST}), interface.address)
        interface.segment.carry(send.payload, Endpoint(source, local.port), send.destination, send.link)

    def _interface_for(self, send: Send) -> Interface:
        for interface in self._interfaces:
            if interface.name == send.interface:
                return interface
        if send.destination.host != BROADCAST_HOST:
            address = IPv4Address(send.destination.host)
            for interface in self._interfaces:
                if address in interface.segment.prefix:
                    return interface
        return self._interfaces[-1]

    def deliver(self, interface: Interface, payload: bytes, source: Endpoint, destination: Endpoint) -> None:
        """Give a datagram to whoever has bound its port."""
        if not self.up:
            return
        for host in (destination.host, interface.address, ANY_HOST):
            if (bound := self._bound.get((host, destination.port))) is not None:
                name, receive = bound
                receive(Datagram(payload, source, destination.host, interface.name, name))
                return


class MemoryPorts:
    """The local ports of one core on one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._local: dict[str, Endpoint] = {}

    def open(self, name: str, local: Endpoint, receive: Receive) -> None:
        """Open a port."""
        self.close(name)
        self._local[name] = self._host.bind(name, local, receive)

    def send(self, send: Send) -> None:
        """Send from an open port."""
        if send.port not in self._local:
            raise OSError(f"port {send.port!r} is not open")
        self._host.send(send, self._local[send.port])

    def burst(self, burst: Burst) -> None:
        """Send several datagrams from an open port."""
        for payload in burst.payloads:
            self.send(Send(payload, burst.destination, burst.port, burst.source))

    def direct(self, direct: Direct, answer: Answer | None) -> None:
        """Everything goes the long way here."""

    def close(self, name: str) -> None:
        """Close a port, if it is open."""
        if (local := self._local.pop(name, None)) is not None:
            self._host.unbind(local)

    def close_all(self) -> None:
        """Close every port."""
        for name in list(self._local):
            self.close(name)


class Gateway:
    """The packet side of a service gateway: translates between an inside and an outside segment by a memory NAT."""

    def __init__(self, nat: MemoryNAT, inside: Segment, outside: Segment, public: tuple[str, ...]) -> None:
        self._nat = nat
        self._inside = inside
        self._outside = outside
        inside.gateway = self
        for address in public:
            outside.owners[address] = self

    def leave(self, payload: bytes, source: Endpoint, destination: Endpoint) -> None:
        """Translate a datagram on its way out."""
        self._cross(payload, source, destination, from_inside=True, to=self._outside)

    def deliver(self, payload: bytes, source: Endpoint, destination: Endpoint) -> None:
        """Translate a datagram that came to one of the public addresses."""
        self._cross(payload, source, destination, from_inside=False, to=self._inside)

    def _cross(self, payload: bytes, source: Endpoint, destination: Endpoint, *, from_inside: bool, to: Segment) -> None:
        (verdict,) = self._nat.carry(udp_packet(payload, source, destination), from_inside=from_inside)
        if isinstance(verdict, Translated):
            packet = verdict.packet
            hosts = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
            numbers = int.from_bytes(packet[20:22], "big"), int.from_bytes(packet[22:24], "big")
            if from_inside and IPv4Address(hosts[1]) in self._inside.prefix:
                # From one inside phone to another one's public address: the hairpin.
                to = self._inside
            to.carry(packet[HEADERS:], Endpoint(hosts[0], numbers[0]), Endpoint(hosts[1], numbers[1]))


class MemoryNetwork:
    """All segments, one clock and one source of randomness.

    :ivar tap: is shown every datagram as it enters a segment.
    """

    def __init__(self, clock: IReactorTime, seed: int) -> None:
        self.clock = clock
        self.entropy = Random(seed)  # noqa: S311 - a seeded simulation
        self.tap: Tap = lambda segment, source, destination, payload: None

    def segment(self, name: str, prefix: str, quality: Quality | None = None) -> Segment:
        """Make a segment."""
        return Segment(self, name, IPv4Network(prefix), quality or Quality())
