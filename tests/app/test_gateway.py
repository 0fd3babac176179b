"""A gateway's start over what an earlier configuration left in the store."""

from ipaddress import IPv4Address
from pathlib import Path
from random import SystemRandom
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from voxpath.app.decode import decode
from voxpath.app.event import StoreRowRefused
from voxpath.app.gateway import GatewayRole
from voxpath.app.node import Node
from voxpath.app.role import RoleState
from voxpath.core.effects import Put
from voxpath.io.bus import EventBus
from voxpath.manage.memory import Memory
from voxpath.model.ports import BindingState, Mapping, PortBinding, PortBlock
from voxpath.natreactor.memory import MemoryNAT
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock

TEXT = """
[control]
enabled = false
[[realm]]
name = "a"
private = ["10.0.0.0/24"]
public = ["203.0.113.1"]
[[pool]]
public = "203.0.113.1"
ports = [2048, 65535]
realm = "a"
[dhcp]
enabled = false
[nat]
backend = "memory"
"""


def held(number: int, public: str, private: str) -> PortBinding:
    block = PortBlock(IPv4Address(public), 2048 + 64 * number, 64)
    return PortBinding(f"02:00:00:00:0a:{number:02x}", block, IPv4Address(private), "a", BindingState.HELD, 0.0, number)


def test_rows_that_the_configuration_has_no_place_for_do_not_stop_the_gateway(tmp_path: Path) -> None:
    """A public address was exchanged, or a subnet renumbered: the phones that can be served are served at once."""
    config = decode(f'state = "{tmp_path}"\n{TEXT}'.encode()).config
    assert config is not None
    reactor: Any = MemoryReactorClock()
    clock = VirtualClock(reactor)
    store, memory, bus = MemoryStore(), Memory(), EventBus(clock)
    bus.subscribe(memory)
    rows = [held(1, "203.0.113.1", "10.0.0.11"), held(2, "203.0.113.9", "10.0.0.12"), held(3, "203.0.113.1", "10.9.0.13")]
    store.commit(tuple(Put(row) for row in rows), lambda reason: None)
    role = GatewayRole(Node(config, reactor, clock, bus, memory, SystemRandom(), store))
    role.startService()
    assert role.state is RoleState.RUNNING
    nat = role.selection.nat
    assert isinstance(nat, MemoryNAT)
    assert set(nat._table) == {Mapping(IPv4Address("10.0.0.11"), rows[0].block)}
    told = [record.event for record in memory.last(10) if isinstance(record.event, StoreRowRefused)]
    assert {event.row.split()[0] for event in told} == {str(rows[1].block), str(rows[2].block)}
    role.stopService()
