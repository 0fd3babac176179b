"""A NAT back end in a real kernel: phone -- gateway -- outside, with a wire at each side."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from twisted.internet.task import Clock

from tests.live.namespaces import Namespaces
from tests.live.wires import OneProcessor, Wire
from voxpath.model.event import Event
from voxpath.natreactor.interface import Adopted, INATReactor
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.address import peer_of, socket_name
from voxpath.testing.nat.packets import FAR
from voxpath.testing.nat.rig import result_of, settings

LAN, WAN = "10.0.0.1", "198.51.100.1"
INSIDE = IPv4Address(LAN).packed[:3]
ICMP_ERRORS = (3, 11, 12)


@contextmanager
def gateway_site() -> Iterator[Namespaces]:
    """One gateway between a LAN and the outside."""
    with Namespaces() as net, OneProcessor():
        net.create("phone", "gw", "out")
        net.veth("phone", "eth0", "gw", "lan0")
        net.veth("out", "eth0", "gw", "wan0")
        net.mac("phone", "eth0", "02:00:00:00:aa:01")
        net.mac("out", "eth0", "02:00:00:00:bb:01")
        net.address("gw", "lan0", f"{LAN}/24")
        net.address("gw", "wan0", f"{WAN}/24")
        net.route("gw", "default", FAR)
        for host in range(2, 100):
            net.ip("gw", "neigh", "add", f"10.0.0.{host}", "lladdr", "02:00:00:00:aa:01", "dev", "lan0")
        net.ip("gw", "neigh", "add", FAR, "lladdr", "02:00:00:00:bb:01", "dev", "wan0")
        net.sysctl("gw", "net.ipv4.icmp_ratelimit", "0")
        net.sysctl("gw", "net.ipv4.conf.all.rp_filter", "0")
        yield net


class KernelRig:
    """The back end in the gateway's namespace, and a wire at each side."""

    def __init__(self, net: Namespaces, make: Callable[[NatSettings], INATReactor]) -> None:
        self.net = net
        self.clock = Clock()
        self.events: list[Event] = []
        self.phone = Wire(net, "phone", "eth0", LAN)
        self.out = Wire(net, "out", "eth0", WAN)
        self.answers: list[bytes] = []
        self.more: dict[str, object] = {}
        self._make = make
        self.nat = make(settings(self.clock))
        self.begin(settings(self.clock))

    def begin(self, chosen: NatSettings) -> Adopted:
        self.nat = self._make(chosen)
        self.nat.watch(self.events.append)
        with self.net.entered("gw"):
            adopted = result_of(self.nat.start())
        assert isinstance(adopted, Adopted)
        return adopted

    def restart(self, **more: object) -> Adopted:
        result_of(self.nat.stop())
        self.more |= more
        return self.begin(settings(self.clock, **self.more))

    def carry(self, packet: bytes, from_inside: bool) -> bytes | None:
        """Send a packet through the kernel; the gateway's own ICMP errors go to ``answers``."""
        self._send(packet, from_inside)
        self.settle()
        return self._came()

    def carry_at_once(self, packet: bytes, from_inside: bool) -> bytes | None:
        """The same without asking the back end for anything, so that it notices nothing of what happened."""
        self._send(packet, from_inside)
        self.phone.settle()
        self.out.settle()
        return self._came()

    def _send(self, packet: bytes, from_inside: bool) -> None:
        self.phone.heard()
        self.out.heard()
        sender = self.phone if from_inside else self.out
        sender.send(packet)
        sender.settle()

    def _came(self) -> bytes | None:
        own = (IPv4Address(LAN).packed, IPv4Address(WAN).packed)
        inside, outside = self.phone.heard(), self.out.heard()
        assert not any(map(shows_inside, outside)), "an inside address has left"
        assert IPv4Address(FAR).packed not in {packet[16:20] for packet in inside}, "what is for the outside was sent inside"
        everything = [*inside, *outside]
        self.answers = [each for each in everything if each[12:16] in own]
        came = [each for each in everything if each[12:16] not in own]
        assert len(came) <= 1
        return came[0] if came else None

    def settle(self) -> None:
        """Wait until the slow path has dealt with what it was given: it does so before it tells of drops."""
        with self.net.entered("gw"):
            self.nat.drops()
        self.phone.settle()
        self.out.settle()

    def close(self) -> None:
        result_of(self.nat.stop())
        self.phone.close()
        self.out.close()


def shows_inside(packet: bytes) -> bool:
    """Whether a packet tells an inside address: its own header, or that of the packet in an ICMP error."""
    header = (packet[0] & 15) * 4
    told = [packet[12:16], packet[16:20]]
    if packet[9] == 1 and packet[header] in ICMP_ERRORS:
        about = packet[header + 8 :]
        told += [about[12:16], about[16:20]]
    return any(address.startswith(INSIDE) for address in told)


def process_of(rig: KernelRig) -> int:
    """The slow path's process."""
    with rig.net.entered("gw"), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(socket_name("voxpath"))
        return peer_of(connection)[0]


def kill(process: int) -> None:
    """Kill a process that has no parent to wait for it, and wait until it is gone."""
    watched = os.pidfd_open(process)
    os.kill(process, signal.SIGKILL)
    assert select.select([watched], [], [], 5)[0]
    os.close(watched)
