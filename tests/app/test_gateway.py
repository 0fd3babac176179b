"""A gateway's start over what an earlier configuration left in the store."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from random import SystemRandom
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.app.tlsfiles import write_made
from voxpath.app.decode import decode
from voxpath.app.event import BlockNotReserved, BlocksAstray, ClockBehind, FeedFailed, OwnPortsTaken, StoreRowRefused
from voxpath.app.facts import ProcessFacts
from voxpath.app.gateway import LOOK_S, STORM, STORM_EVENTS_PER_SECOND, GatewayRole
from voxpath.app.node import Node
from voxpath.app.role import RoleState
from voxpath.app.secret import secret_in
from voxpath.core.effects import Datagram, Put
from voxpath.core.errors import LocalError
from voxpath.dhcp.event import DhcpDropped, PortsLow, PortsRecovered
from voxpath.dhcp.message import BOOTREQUEST, BROADCAST_FLAG, Message
from voxpath.dhcp.question import Question
from voxpath.dhcp.wire import CHADDR_AT, encode
from voxpath.io.backlog import Backlog
from voxpath.io.bus import EventBus
from voxpath.manage.commands import COMMANDS, Answer, Console
from voxpath.manage.facts import CommandError, NoFacts
from voxpath.manage.memory import Memory
from voxpath.manage.rows import EventRow
from voxpath.model.address import Endpoint, Mac
from voxpath.model.clock import ClockMark
from voxpath.model.event import Event
from voxpath.model.media import MediaEnd, MediaSession
from voxpath.model.phone import Probation
from voxpath.model.ports import BindingState, Mapping, PortBinding, PortBlock
from voxpath.natreactor.memory import MemoryNAT
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock
from voxpath.testing.nat.packets import udp

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


class Bench:
    """A gateway without DHCP, over a store in memory.

    :ivar role: the role, running.
    """

    def __init__(self, tmp_path: Path, more: str = "", rows: Iterable[PortBinding] = (), store: MemoryStore | None = None) -> None:
        config = decode(f'state = "{tmp_path}"\n{TEXT}{more}'.encode()).config
        assert config is not None
        self.reactor: Any = MemoryReactorClock()
        clock = VirtualClock(self.reactor)
        self.store, self.memory, bus = store or MemoryStore(), Memory(), EventBus(clock)
        bus.subscribe(self.memory)
        self.store.commit(tuple(Put(row) for row in rows), lambda reason: None)
        self.role = GatewayRole(Node(config, self.reactor, clock, bus, self.memory, SystemRandom(), self.store))
        self.role.startService()
        assert self.role.state is RoleState.RUNNING

    def told(self, kind: type[Event]) -> list[Any]:
        return [record.event for record in self.memory.last(100) if isinstance(record.event, kind)]

    def nat(self) -> set[Mapping]:
        nat = self.role.selection.nat
        assert isinstance(nat, MemoryNAT)
        return set(nat._table)

    def done(self, outcome: "Deferred[str]") -> str:
        found: list[Any] = []
        outcome.addBoth(found.append)
        self.reactor.advance(1)
        [result] = found
        if isinstance(result, Failure):
            result.raiseException()
        return str(result)


ONE = held(1, "203.0.113.1", "10.0.0.11")
TWO = held(2, "203.0.113.1", "10.0.0.12")
FAR = PortBlock(IPv4Address("203.0.113.1"), 40960, 64)


def test_a_start_with_a_clock_that_is_behind_changes_no_quarantine(tmp_path: Path) -> None:
    """Else the ports of a phone that has left would be nobody's for the time by which the clock is wrong."""
    store = MemoryStore()
    until = 1_000_000.0 + 300
    row = PortBinding(ONE.holder, ONE.block, ONE.private, "a", BindingState.RELEASED, until, 1)
    store.commit((Put(ClockMark("server", 1_000_000.0)),), lambda reason: None)
    bench = Bench(tmp_path, rows=[row], store=store)
    assert isinstance(bench.told(ClockBehind)[0], ClockBehind)

    def quarantined() -> int:
        return sum(usage.quarantined for usage in bench.role.ledger.usage(bench.role.clock.now()))

    bench.reactor.advance(299)
    assert quarantined() == 64
    bench.reactor.advance(2)
    assert quarantined() == 0
    bench.role.stopService()
    assert store.load(ClockMark)[0].at == 1_000_301.0


def test_a_certificate_that_openssl_does_not_take_is_told_and_phones_are_served(tmp_path: Path) -> None:
    subscriber = '[[subscriber]]\nname = "mgc-1"\naddress = "192.0.2.10:2946"\n'
    bench = Bench(tmp_path, subscriber + write_made(tmp_path, key=rsa.generate_private_key(65537, 1024)))
    [event] = bench.told(FeedFailed)
    assert f"{tmp_path / 'own.pem'}" in event.text
    assert "ee key too small; have one made with RSA (2048 bits) or P-256" in event.text
    bench.role.stopService()
    assert bench.role.state is RoleState.OFF


def test_a_move_by_command_is_in_the_store_and_the_nat_when_it_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rows=[ONE, TWO])
    orders = bench.role.orders()
    told = bench.done(orders.move(ONE.holder, FAR.public, FAR.first))
    assert told == f"from {ONE.block} to {FAR}"
    assert bench.nat() == {Mapping(IPv4Address("10.0.0.11"), FAR), Mapping(IPv4Address("10.0.0.12"), TWO.block)}
    [row] = [row for row in bench.store.load(PortBinding) if row.holder == ONE.holder]
    assert row.block == FAR
    with pytest.raises(CommandError, match="00:00:0a:01 holds"):
        orders.move(TWO.holder, FAR.public, FAR.first)
    with pytest.raises(CommandError, match="has no block"):
        orders.move("02:00:00:00:0a:09", FAR.public, None)
    with pytest.raises(CommandError, match="09 holds no lease; see known for the phones"):
        orders.recall("02:00:00:00:0a:09")
    bench.role.stopService()


def test_an_order_that_the_store_refuses_is_one_clear_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rows=[ONE])
    bench.store.refusal = "the disk is full"
    with pytest.raises(CommandError, match=r"move: move of 203\.0\.113\.1:40960-41023 failed at the store: the disk is full"):
        bench.done(bench.role.orders().move(ONE.holder, FAR.public, FAR.first))
    bench.store.refusal = None
    assert bench.nat() == {ONE.mapping}
    bench.role.stopService()


def test_a_block_is_reserved_and_loosened_by_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rows=[ONE])
    orders = bench.role.orders()
    assert bench.done(orders.reserve(ONE.holder, None)) == f"{ONE.block} for {ONE.holder}"
    assert bench.done(orders.reserve(TWO.holder, FAR)) == f"{FAR} for {TWO.holder}"
    stored = {row.holder: row.reserved for row in bench.store.load(PortBinding)}
    assert stored == {ONE.holder: True, TWO.holder: True}
    assert bench.done(orders.unreserve(ONE.holder)) == str(ONE.block)
    with pytest.raises(CommandError, match="no block is reserved"):
        orders.unreserve(ONE.holder)
    bench.role.stopService()


BLOCK = """
[[block]]
mac = "02:00:00:00:0a:01"
public = "203.0.113.1"
ports = [40960, 41023]
"""


def test_a_block_of_the_configuration_is_its_phones_from_the_start(tmp_path: Path) -> None:
    """A phone that holds another one is moved, in store, ledger and NAT."""
    bench = Bench(tmp_path, BLOCK, [ONE])
    assert bench.nat() == {Mapping(IPv4Address("10.0.0.11"), FAR)}
    row = bench.role.ledger.binding_of(ONE.holder)
    assert row is not None
    assert bench.role.ledger.lasting(row)
    bench.role.stopService()
    again = Bench(tmp_path, "", store=bench.store)
    row = again.role.ledger.binding_of(ONE.holder)
    assert row is not None
    assert not again.role.ledger.lasting(row), "what left the configuration is an ordinary block"
    again.role.stopService()


def test_a_block_of_the_configuration_that_another_phone_holds_stays_with_that_phone_and_it_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BLOCK, [replace(TWO, block=FAR)])
    assert bench.nat() == {Mapping(IPv4Address("10.0.0.12"), FAR)}
    [event] = bench.told(BlockNotReserved)
    assert (event.phone, event.block) == (ONE.holder, str(FAR))
    assert TWO.holder in event.text
    bench.role.stopService()


def test_ports_of_the_gateway_that_a_phone_has_are_told_and_everybody_is_served(tmp_path: Path) -> None:
    service = f'[[ports.service]]\nname = "web"\npublic = "{ONE.block.public}"\nport = {ONE.block.first + 3}\n'
    bench = Bench(tmp_path, service, [ONE, TWO])
    assert bench.role.ready
    [event] = bench.told(OwnPortsTaken)
    assert ONE.holder in event.text
    assert {row.holder for row in bench.role.ledger.bindings()} == {ONE.holder, TWO.holder}
    bench.role.stopService()


def test_the_secret_of_forcerenew_outlives_the_process(tmp_path: Path) -> None:
    secret = secret_in(tmp_path / "key")
    assert secret_in(tmp_path / "key") == secret
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(LocalError, match="remove it"):
        secret_in(tmp_path / "key")


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
    astray = [record.event for record in memory.last(10) if isinstance(record.event, BlocksAstray)]
    assert [(event.blocks, event.block, event.phone) for event in astray] == [(1, str(rows[1].block), rows[1].holder)]
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
    assert done == [
        f"{MAC}, served from now on; it was not heard yet: its next DISCOVER is answered if what it says selects a class",
        f"{MAC}, not adopted any more; its lease, if it has one, stays until it runs out, or release takes it",
    ]
    assert list(serving.adopted()) == []


@pytest.mark.parametrize(
    ("vendor_class", "words"),
    [
        (
            b"yealink SIP-T46G",
            "served from now on as class yealink, by vendor class 'yealink*'; "
            "its next DISCOVER is answered by OFFER 10.0.0.10 of scope lan",
        ),
        (b"laptop", "its Ethernet address is accepted from now on, but its next DISCOVER is not answered: "),
    ],
)
def test_an_adoption_tells_for_which_class_and_scope_and_what_comes_next(
    role: GatewayRole, vendor_class: bytes, words: str
) -> None:
    asking = Message(BOOTREQUEST, 1, MAC, {53: b"\1", 60: vendor_class}, flags=BROADCAST_FLAG)
    role.server.receive(Datagram(encode(asking), Endpoint("0.0.0.0", 68), interface="lan0", port="dhcp"), 0.0)
    done: list[str] = []
    role.serving().adopt(MAC).addCallback(done.append)
    (told,) = done
    assert told.startswith(f"{MAC}, {words}")
    assert "\n" not in told


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


def test_declined_addresses_are_facts_for_commands_also_where_nothing_is_verified(role: GatewayRole) -> None:
    now = role.clock.now()
    assert role.prober is None
    role.server.book.load_probations([Probation(IPv4Address("10.0.0.11"), "lan", MAC, now + 300)], now)
    assert list(role.verified()) == [
        ("on probation in lan", "1 address, the next one is free in 300 s"),
        ("probation of 10.0.0.11", f"declined by {MAC}; 300 s left"),
    ]


def test_release_of_an_address_waits_until_the_end_of_its_probation_is_stored(role: GatewayRole) -> None:
    now, address = role.clock.now(), IPv4Address("10.0.0.11")
    store = role._node.store
    assert isinstance(store, MemoryStore)
    probation = Probation(address, "lan", MAC, now + 300)
    store.commit((Put(probation),), lambda reason: None)
    role.server.book.load_probations([probation], now)
    store.refusal = "the disk is full"
    refused: list[Failure] = []
    role.orders().end_probation(address).addErrback(refused.append)
    assert "could not be ended: the disk is full" in refused[0].getErrorMessage()
    store.refusal = ""
    done: list[str] = []
    role.orders().end_probation(address).addCallback(done.append)
    assert done == ["10.0.0.11 from its probation"]
    assert store.load(Probation) == []
    assert list(role.verified()) == []
    with pytest.raises(CommandError, match=r"10\.0\.0\.11 is not on probation; status lists those that are"):
        role.orders().end_probation(address)


def test_the_end_of_a_quarantine_is_told_without_any_change_that_would_show_it(tmp_path: Path) -> None:
    """DHC-24: an operator who waits for room hears of it; ``pools`` and the events agree."""
    until = VirtualClock(MemoryReactorClock()).now() + 60
    blocks = [PortBlock(IPv4Address("203.0.113.1"), 2048 + 1024 * number, 1024) for number in range(55)]
    rows = [
        PortBinding(f"02:00:00:00:0a:{number:02x}", block, None, "a", BindingState.RELEASED, until, number)
        for number, block in enumerate(blocks)
    ]
    bench = Bench(tmp_path, rows=rows)
    assert [event.threshold for event in bench.told(PortsLow)] == [80]
    bench.reactor.pump([LOOK_S] * 20)
    assert bench.told(PortsRecovered) == []
    bench.reactor.pump([LOOK_S] * 20)
    (told,) = bench.told(PortsRecovered)
    (usage,) = bench.role.ledger.usage(bench.role.clock.now())
    assert (told.used, told.threshold) == (usage.used, 80) == (0, 80)
    bench.role.stopService()


def test_dropped_discovers_are_counted_and_some_of_them_told(role: GatewayRole) -> None:
    backlog = Backlog(lambda datagram: None, lambda payload: True, Clock(), role._given_up, limit=1)
    role._backlog = backlog
    payload = bytes(CHADDR_AT) + MAC + bytes(300)
    for _ in range(30):
        backlog.add(Datagram(payload, Endpoint("0.0.0.0", 68)))
    assert role.silent()[STORM] == 29
    told = [record.event for record in role._node.memory.of(str(MAC)) if isinstance(record.event, DhcpDropped)]
    assert len(told) == STORM_EVENTS_PER_SECOND


def test_why_tells_of_a_phone_whose_message_cannot_be_read(role: GatewayRole) -> None:
    """The header names the phone, whatever is wrong with the options behind it."""
    memory = role._node.memory
    (driver,) = role._node.drivers["dhcp"]
    asking = encode(Message(BOOTREQUEST, 1, MAC, {53: b"\1"}))
    driver.feed(Datagram(asking[:243] + bytes((60, 200)) + b"yealink", Endpoint("0.0.0.0", 68), interface="lan0", port="dhcp"))
    answer = COMMANDS["why"].run(Console(NoFacts(), memory), (str(MAC),))
    assert isinstance(answer, Answer)
    (told,) = answer.rows
    assert isinstance(told, EventRow)
    assert (told.id, told.phone) == ("MALFORMED", str(MAC))
    assert told.text == "dhcp message from 0.0.0.0:68 refused: option 60 runs over the end at 243 (RFC 2132 section 2)"
    assert answer.note == ""


def test_what_is_no_dhcp_names_no_phone_when_it_cannot_be_read(role: GatewayRole) -> None:
    (driver,) = role._node.drivers["dhcp"]
    driver.feed(Datagram(b"\1\1\6" + bytes(200), Endpoint("10.0.0.9", 0), interface="lan0", port="arp"))
    assert role._node.memory.phones() == []


def test_a_gateway_in_the_call_aware_mode_lets_the_peers_of_calls_in(tmp_path: Path) -> None:
    """As the controller of its process tells of them, also if it began before the gateway did."""
    bench = Bench(tmp_path, 'mode = "call-aware"\n', rows=[ONE])
    far = MediaEnd("far", IPv4Address("198.51.100.2"), (4000,))
    assert ONE.private is not None
    bench.role.sessions.connect("mgc", MediaSession("1", MediaEnd(ONE.holder, ONE.block.public, (2112, 2113), ONE.private), far))
    nat = bench.role.selection.nat
    assert {pinhole.port for pinhole in nat.pinholes()} == {2112, 2113}
    bench.role.stopService()
    assert not bench.reactor.getDelayedCalls()
    bench.role.startService()
    assert {pinhole.port for pinhole in bench.role.selection.nat.pinholes()} == {2112, 2113}
    bench.role.sessions.disconnect("mgc", "1")
    assert bench.role.selection.nat.pinholes() == set()
    bench.role.stopService()
    assert not bench.reactor.getDelayedCalls()


def test_counters_tell_what_was_dropped_of_each_phone_and_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 'mode = "call-aware"\n', rows=[ONE, TWO])
    nat = bench.role.selection.nat
    assert isinstance(nat, MemoryNAT)
    nat.carry(udp("10.0.0.11", 2112, "198.51.100.2", 9), True)
    nat.carry(udp("10.0.0.11", 2176, "198.51.100.2", 9), True)
    nat.carry(udp("198.51.100.2", 9, "203.0.113.1", 2176), False)
    process: Any = SimpleNamespace(node=bench.role._node, gateway=bench.role)
    rows = {row.phone: row for row in ProcessFacts(process).counters()}
    assert (rows[ONE.holder].out_packets, rows[ONE.holder].out_drops) == (1, "spoofed_port=1")
    assert (rows[TWO.holder].in_packets, rows[TWO.holder].in_drops) == (0, "stranger=1")
    bench.role.stopService()
