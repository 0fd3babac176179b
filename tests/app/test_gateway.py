"""A gateway's start over what an earlier configuration left in the store."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from voxpath.app.decode import decode
from voxpath.app.event import StoreRowRefused
from voxpath.app.gateway import STORM, STORM_EVENTS_PER_SECOND, GatewayRole
from voxpath.app.node import Node
from voxpath.app.role import RoleState
from voxpath.core.effects import Datagram, Put
from voxpath.dhcp.event import DhcpDropped
from voxpath.dhcp.explain import Question
from voxpath.dhcp.wire import CHADDR_AT
from voxpath.io.backlog import Backlog
from voxpath.io.bus import EventBus
from voxpath.manage.facts import CommandError
from voxpath.manage.memory import Memory
from voxpath.model.address import Endpoint, Mac
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


@pytest.fixture
def role(tmp_path: Path) -> Iterator[GatewayRole]:
    """A gateway with DHCP on one interface of nobody, whose port is not opened."""
    scope = '[[scope]]\nname = "lan"\ninterface = "lan0"\nsubnet = "10.0.0.0/24"\nserver = "10.0.0.1"\n'
    scope += 'range = ["10.0.0.10", "10.0.0.20"]\nrealm = "a"\n[[class]]\nlike = "yealink"\n'
    config = decode(f'state = "{tmp_path}"\n{TEXT}{scope}'.encode()).config
    assert config is not None
    reactor: Any = MemoryReactorClock()
    clock = VirtualClock(reactor)
    memory, bus = Memory(), EventBus(clock)
    bus.subscribe(memory)
    made = GatewayRole(Node(config, reactor, clock, bus, memory, SystemRandom(), MemoryStore()))
    made.startService()
    assert made.state is RoleState.RUNNING
    yield made
    made.stopService()


MAC = Mac.parse("02:00:00:00:0a:01")


def test_an_address_is_adopted_explained_and_disowned(role: GatewayRole) -> None:
    serving = role.serving()
    question = Question(MAC, b"yealink SIP-T46G")
    assert "not among" in dict(serving.explain(question))["Ethernet address"]
    done: list[str] = []
    serving.adopt(MAC).addCallback(done.append)
    assert [adoption.phone for adoption in serving.adopted()] == [str(MAC)]
    assert dict(serving.explain(question))["answer"] == "OFFER 10.0.0.10 of scope lan"
    serving.disown(MAC).addCallback(done.append)
    assert done == [str(MAC), str(MAC)]
    assert list(serving.adopted()) == []


def test_what_cannot_be_adopted_or_explained_is_told(role: GatewayRole) -> None:
    serving = role.serving()
    store = role._node.store
    assert isinstance(store, MemoryStore)
    with pytest.raises(CommandError, match="not adopted"):
        serving.disown(MAC)
    with pytest.raises(CommandError, match="no scope"):
        serving.explain(Question(MAC, interface="eth9"))
    store.refusal = "the disk is full"
    refused: list[Failure] = []
    serving.adopt(MAC).addErrback(refused.append)
    assert "the disk is full" in refused[0].getErrorMessage()
    assert list(serving.adopted()) == []


def test_dropped_discovers_are_counted_and_some_of_them_told(role: GatewayRole) -> None:
    backlog = Backlog(lambda datagram: None, lambda payload: True, Clock(), role._given_up, limit=1)
    role._backlog = backlog
    payload = bytes(CHADDR_AT) + MAC + bytes(300)
    for _ in range(30):
        backlog.add(Datagram(payload, Endpoint("0.0.0.0", 68)))
    assert role.silent()[STORM] == 29
    told = [record.event for record in role._node.memory.of(str(MAC)) if isinstance(record.event, DhcpDropped)]
    assert len(told) == STORM_EVENTS_PER_SECOND
