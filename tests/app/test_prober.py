"""DHC-16: a gateway without the right to raw sockets serves as before, and says that it does not verify addresses."""

import errno
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from voxpath.app import values
from voxpath.app.decode import decode
from voxpath.app.node import Node
from voxpath.app.prober import open_prober
from voxpath.dhcp.event_probe import DhcpProbeOff
from voxpath.dhcp.probe import ARP_PORT, ECHO_PORT
from voxpath.dhcp.server import DhcpServer
from voxpath.io.bus import EventBus
from voxpath.io.ports import UdpPorts
from voxpath.manage.memory import Memory
from voxpath.ports.ledger import Ledger
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock

TEXT = """
[[realm]]
name = "a"
private = ["10.0.0.0/8"]
public = ["203.0.113.1"]
[[pool]]
public = "203.0.113.1"
ports = [2048, 65535]
realm = "a"
[[class]]
like = "yealink"
[[scope]]
name = "near"
interface = "lan0"
subnet = "10.0.0.0/24"
server = "10.0.0.1"
range = ["10.0.0.10", "10.0.0.20"]
realm = "a"
[[scope]]
name = "far"
interface = "lan0"
subnet = "10.2.0.0/24"
server = "10.0.0.1"
router = "10.2.0.1"
relays = ["10.2.0.1"]
range = ["10.2.0.10", "10.2.0.20"]
realm = "a"
"""


class Ports(UdpPorts):
    """Ports in name only.

    :ivar opened: those that are open.
    """

    def __init__(self, refused: str = "") -> None:
        super().__init__(MemoryReactorClock())
        self.opened: list[str] = []
        self._refused = refused

    def open_arp(self, name: str, receive: Callable[..., None], device: str) -> None:
        self._open(name)

    def open_echo(self, name: str, receive: Callable[..., None]) -> None:
        self._open(name)

    def close(self, name: str) -> None:
        self.opened = [each for each in self.opened if each != name]

    def _open(self, name: str) -> None:
        if name == self._refused:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        self.opened.append(name)


def probed(directory: Path, ports: Ports, more: str = "") -> tuple[bool, list[DhcpProbeOff]]:
    """Whether there is a prober, and what was told."""
    config = decode(f'state = "{directory}"\n{TEXT}{more}'.encode()).config
    assert config is not None
    reactor: Any = MemoryReactorClock()
    clock = VirtualClock(reactor)
    memory, bus = Memory(), EventBus(clock)
    bus.subscribe(memory)
    node = Node(config, reactor, clock, bus, memory, SystemRandom(), MemoryStore())
    server = DhcpServer(values.scopes(config), values.admission(config), Ledger(values.pools(config)), values.dhcp_settings(config))
    prober = open_prober(node, "dhcp", server, ports, lambda datagram: None)
    return prober is not None, [record.event for record in memory.last(10) if isinstance(record.event, DhcpProbeOff)]


def test_a_link_is_asked_by_arp_and_what_is_beyond_a_relay_by_echo(tmp_path: Path) -> None:
    ports = Ports()
    assert probed(tmp_path, ports) == (True, [])
    assert ports.opened == [ARP_PORT, ECHO_PORT]


@pytest.mark.parametrize("refused", [ARP_PORT, ECHO_PORT])
def test_without_the_right_one_event_says_what_is_needed_and_no_port_stays_open(tmp_path: Path, refused: str) -> None:
    ports = Ports(refused)
    there, (told,) = probed(tmp_path, ports)
    assert not there
    assert ports.opened == []
    assert told.text == (
        "addresses are not verified before they are offered: Operation not permitted; needed is the right CAP_NET_RAW"
    )


def test_nothing_is_opened_or_told_when_it_is_switched_off(tmp_path: Path) -> None:
    ports = Ports(ARP_PORT)
    assert probed(tmp_path, ports, "[dhcp]\nprobe = false\n") == (False, [])
