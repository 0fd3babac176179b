"""An interface that carries nothing is told once, stands in ``status`` until it is back, and costs nobody else anything."""

from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from voxpath.app.assembly import Process
from voxpath.app.decode import decode
from voxpath.app.event import LinkBack, LinkLost, RoleFailed, RoleReloaded
from voxpath.app.facts import ProcessFacts
from voxpath.app.gateway import LOOK_S
from voxpath.app.node import Node
from voxpath.app.parts import Part
from voxpath.app.role import FIRST_PAUSE_S, RoleState
from voxpath.core.effects import Datagram
from voxpath.dhcp.message import BOOTREQUEST, BROADCAST_FLAG, Message
from voxpath.dhcp.wire import encode
from voxpath.io.bus import EventBus
from voxpath.io.carrier import LinkState
from voxpath.io.ports import UdpPorts
from voxpath.manage.commands import COMMANDS, Answer, Console
from voxpath.manage.facts import CommandError
from voxpath.manage.memory import Memory
from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import Event
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock

SCOPE = """
[[scope]]
name = "{name}"
interface = "{interface}"
subnet = "10.0.{net}.0/24"
server = "10.0.{net}.1"
range = ["10.0.{net}.10", "10.0.{net}.20"]
realm = "a"
"""
TEXT = (
    """
[control]
enabled = false
[tftp]
enabled = false
[nat]
backend = "memory"
[dhcp]
probe = false
[[realm]]
name = "a"
private = ["10.0.0.0/16"]
public = ["203.0.113.1"]
[[pool]]
public = "203.0.113.1"
ports = [2048, 65535]
realm = "a"
"""
    + SCOPE.format(name="lan", interface="eth1", net=0)
    + SCOPE.format(name="lan2", interface="eth1", net=1)
    + SCOPE.format(name="attic", interface="eth2", net=2)
)
PHONE = "02:00:00:00:0a:01"
DOWN = "eth1 is down: no phone of lan, lan2 is heard"


class Site:
    """A gateway with DHCP on two interfaces, whose states a test sets; its sockets are not opened."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch, text: str = TEXT) -> None:
        config = decode(f'state = "{state}"\n{text}'.encode()).config
        assert config is not None
        self.states: dict[str, LinkState | OSError] = {}
        self.orphans: list[str] = []
        monkeypatch.setattr("voxpath.app.gateway.link_state", self.state_of)
        monkeypatch.setattr(UdpPorts, "open", lambda *arguments: None)
        monkeypatch.setattr(UdpPorts, "orphans", lambda ports: [self.orphans.pop()] if self.orphans else [])
        self.reactor: Any = MemoryReactorClock()
        clock = VirtualClock(self.reactor)
        self.memory, bus = Memory(), EventBus(clock)
        bus.subscribe(self.memory)
        self.process = Process(Node(config, self.reactor, clock, bus, self.memory, SystemRandom(), MemoryStore()), (Part.GATEWAY,))

    def state_of(self, interface: str) -> LinkState:
        state = self.states.get(interface, LinkState.RUNNING)
        if isinstance(state, OSError):
            raise state
        return state

    def become(self, state: LinkState | OSError, interface: str = "eth1") -> None:
        """An interface changes, and some time passes."""
        self.states[interface] = state
        self.reactor.pump([LOOK_S] * 10)

    def ask(self, verb: str, *arguments: str) -> Answer:
        answer = COMMANDS[verb].run(Console(ProcessFacts(self.process), self.memory), arguments)
        assert isinstance(answer, Answer)
        return answer

    def explained(self, interface: str) -> dict[str, str]:
        return {row.item: row.value for row in self.ask("explain", PHONE, "class=x", f"interface={interface}").rows}

    def hear(self, interface: str) -> None:
        """A DISCOVER comes by an interface; its Ethernet address is not served."""
        (driver,) = self.process.node.drivers["dhcp"]
        asking = encode(Message(BOOTREQUEST, 1, Mac.parse(PHONE), {53: b"\1"}, flags=BROADCAST_FLAG))
        driver.feed(Datagram(asking, Endpoint("0.0.0.0", 68), interface=interface, port="dhcp"))

    def told(self, *kinds: type[Event]) -> list[str]:
        return [record.event.text for record in self.memory.last(100) if isinstance(record.event, kinds)]

    def status(self) -> list[str]:
        return [value for item, value in ProcessFacts(self.process).status() if item == "interface"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path, monkeypatch)
    made.process.startService()
    yield made
    made.process.stopService()
    assert made.reactor.getDelayedCalls() == []


def test_a_site_whose_links_are_up_is_told_nothing(site: Site) -> None:
    site.become(LinkState.RUNNING)
    assert site.told(LinkLost, LinkBack) == site.status() == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (LinkState.DOWN, f"{DOWN}; set it up: ip link set eth1 up"),
        (
            LinkState.NO_CARRIER,
            "eth1 is without carrier: no phone of lan, lan2 is heard; look at its cable, and at what is at the other end of it",
        ),
        (
            LinkState.GONE,
            "eth1 is gone: no phone of lan, lan2 is heard; make it again, and its sockets are opened again by themselves; "
            "or name another one in the configuration",
        ),
    ],
)
def test_a_dead_interface_is_told_once_with_its_scopes_and_what_to_do(site: Site, state: LinkState, words: str) -> None:
    site.become(state)
    assert site.told(LinkLost, LinkBack) == [words]


def test_it_stands_in_status_and_roles_until_it_is_back(site: Site) -> None:
    site.become(LinkState.DOWN)
    (row,) = ProcessFacts(site.process).roles()
    assert (row.state, row.detail, site.status()) == ("running", DOWN, [DOWN])
    site.become(LinkState.RUNNING)
    (row,) = ProcessFacts(site.process).roles()
    assert (row.detail, site.status()) == ("", [])
    assert site.told(LinkBack) == ["eth1 is running again: phones of lan, lan2 are heard"]


def test_why_tells_of_a_dead_interface_that_a_phone_which_was_not_heard_may_be_on(site: Site) -> None:
    """It does not hint that the phone is to blame; where the phone was heard, only that interface counts."""
    assert site.ask("why", PHONE).note == f"nothing was heard of {PHONE} since the start: its messages do not arrive here"
    site.become(LinkState.DOWN)
    assert site.ask("why", PHONE).note == f"nothing was heard of {PHONE} since the start; {DOWN}"
    site.become(LinkState.GONE, "eth2")
    attic = "eth2 is gone: no phone of attic is heard"
    assert site.ask("why", PHONE).note.endswith(f"; {DOWN}; {attic}")
    site.hear("eth2")
    note = site.ask("why", PHONE).note
    assert note.endswith(f"; {attic}")
    assert DOWN not in note
    site.become(LinkState.RUNNING, "eth2")
    assert "eth" not in site.ask("why", PHONE).note


def test_a_dry_run_on_a_dead_interface_says_first_that_nobody_is_heard_there(site: Site) -> None:
    assert "interface" not in site.explained("eth1")
    site.become(LinkState.GONE)
    assert site.explained("eth1")["interface"] == "eth1 is gone: no phone of lan, lan2 is heard; if it were heard:"
    assert "interface" not in site.explained("eth2")


def test_while_the_gateway_does_not_run_why_tells_that(site: Site) -> None:
    gateway = site.process.gateway
    assert gateway is not None
    gateway.restart("the disk is full")
    assert site.ask("why", PHONE).note.endswith("; the service gateway is not running: the disk is full")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT.replace("[dhcp]", "[dhcp]\nenabled = false"), "DHCP is off, by dhcp.enabled = false"),
        (TEXT.partition("[[scope]]")[0], "DHCP is off, since no [[scope]] names an interface"),
    ],
    ids=["by the configuration", "without a scope"],
)
def test_while_dhcp_is_off_why_and_explain_tell_that_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    site = Site(tmp_path, monkeypatch, text)
    site.process.startService()
    assert site.ask("why", PHONE).note == f"nothing was heard of {PHONE} since the start; {reason}"
    with pytest.raises(CommandError) as caught:
        site.ask("explain", PHONE)
    assert str(caught.value) == f"explain: {reason}: no phone hears an answer; see status for what is off"
    (row,) = ProcessFacts(site.process).roles()
    assert row.detail == f"ledger and NAT only: {reason}"
    site.process.stopService()


def test_another_trouble_of_the_same_interface_has_another_remedy(site: Site) -> None:
    for state in (LinkState.GONE, LinkState.DOWN, LinkState.NO_CARRIER, LinkState.RUNNING):
        site.become(state)
    assert [text.partition(":")[0] for text in site.told(LinkLost, LinkBack)] == [
        "eth1 is gone",
        "eth1 is down",
        "eth1 is without carrier",
        "eth1 is running again",
    ]


def test_a_kernel_that_does_not_tell_is_no_news_and_the_others_are_looked_at(site: Site) -> None:
    site.become(LinkState.DOWN)
    site.become(OSError(24, "Too many open files"))
    assert site.status() == [DOWN]
    site.become(LinkState.NO_CARRIER, "eth2")
    assert site.status() == [DOWN, "eth2 is without carrier: no phone of attic is heard"]


def test_an_interface_that_is_made_anew_reads_as_a_recovery(site: Site) -> None:
    """It is no failure of the role, and its pauses do not grow as those of one."""
    site.become(LinkState.GONE)
    gateway = site.process.gateway
    assert gateway is not None
    site.states["eth1"], site.orphans = LinkState.RUNNING, ["eth1"]
    site.reactor.advance(LOOK_S)
    assert gateway.state is RoleState.PAUSED
    site.reactor.advance(FIRST_PAUSE_S)
    assert gateway.state is RoleState.RUNNING
    assert site.told(RoleFailed, LinkBack, RoleReloaded) == [
        "eth1 is running again: phones of lan, lan2 are heard",
        "the role dhcp begins anew in 1 s: interface eth1 was made anew, and its sockets are opened again",
    ]
