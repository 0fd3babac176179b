"""The role ``sip``: it loads what is stored, asks the right ledger, counts what it refuses, and is read anew after a failure."""

import socket
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from voxpath.app.assembly import Process
from voxpath.app.decode import decode
from voxpath.app.facts import ProcessFacts
from voxpath.app.node import Node
from voxpath.app.parts import Part
from voxpath.app.role import FIRST_PAUSE_S, RoleState
from voxpath.core.effects import Datagram, Put
from voxpath.io.bus import EventBus
from voxpath.manage.memory import Memory
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.ports.directory import NoDirectory
from voxpath.sip.settings import PORT
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock

CONFIG = """
[control]
enabled = false
[[domain]]
name = "voip.example"
[[user]]
name = "a1"
password = "secret"
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def process(state: Path, text: str = CONFIG, parts: tuple[Part, ...] = (Part.SIP,)) -> Process:
    whole = f'state = "{state}"\n{text}\n[sip]\nlisten = ["127.0.0.1:{free_port()}"]\n'
    config, problems = decode(whole.encode())
    assert config is not None, problems
    reactor: Any = MemoryReactorClock()
    clock = VirtualClock(reactor)
    return Process(Node(config, reactor, clock, EventBus(clock), Memory(), SystemRandom(), MemoryStore()), parts)


def contact(expires: float) -> Contact:
    home = ("198.51.100.7", 5060)
    return Contact("a1@voip.example", "k", "sip:a1@198.51.100.7", 1000, *home, "call", 1, expires, 0.0, "phone", "a1@voip.example")


def request(method: str, aor: str) -> bytes:
    lines = (
        f"{method} sip:{aor} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;rport",
        "From: <sip:x@192.0.2.9>;tag=1",
        f"To: <sip:{aor}>",
        "Call-ID: 1",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        "Contact: <sip:x@192.0.2.9>",
        "Content-Length: 0",
    )
    return "".join(line + "\r\n" for line in (*lines, "")).encode()


def test_the_bindings_of_the_store_are_there_after_a_start_and_after_a_failure_of_the_disk(tmp_path: Path) -> None:
    made = process(tmp_path)
    store, reactor = made.node.store, made.node.reactor
    store.commit((Put(contact(made.node.clock.now() + 600)),), lambda reason: None)
    made.startService()
    role = made.sip
    assert role is not None
    assert role.core is not None
    assert [one.aor for one in role.core.contacts()] == ["a1@voip.example"]
    other = contact(made.node.clock.now() + 600)._replace(key="k2")
    store.commit((Put(other),), lambda reason: None)
    made.node.on_reopened()
    assert role.state is RoleState.PAUSED
    assert role.core is None
    assert role.silent() == {}
    assert isinstance(reactor, MemoryReactorClock)
    reactor.advance(FIRST_PAUSE_S)
    assert role.core is not None
    assert len(role.core.contacts()) == 2
    made.stopService()
    assert reactor.getDelayedCalls() == []


def test_what_is_refused_and_what_is_not_answered_is_told_with_the_role(tmp_path: Path) -> None:
    made = process(tmp_path)
    made.startService()
    (driver,) = made.node.drivers["sip"]
    source = Endpoint("192.0.2.9", 5060)
    for payload in (request("INVITE", "nobody@voip.example"), b"SIP/2.0 200 OK\r\n\r\n", b"\r\n\r\n"):
        driver.feed(Datagram(payload, source, "127.0.0.1", "", PORT))
    (row,) = ProcessFacts(made).roles()
    assert (row.role, row.state, row.faults) == ("sip", "running", 0)
    assert "1 times: refused: 404 Not Found" in row.detail
    made.stopService()


@pytest.mark.parametrize("text", ["", "[mgc]\nenabled = false\n"])
def test_controller_and_sip_share_one_copy_of_the_gateways_ledgers(tmp_path: Path, text: str) -> None:
    made = process(tmp_path, CONFIG + text + "[subscription]\nenabled = true\n", (Part.CONTROLLER, Part.SIP))
    names = [role.role for role in made.roles]
    assert names == ["subscription", *(["mgc"] if not text else []), "sip"]
    assert made.sip is not None
    assert not isinstance(made.sip.directory, NoDirectory)


def test_a_gateway_in_the_same_process_is_asked_itself(tmp_path: Path) -> None:
    made = process(tmp_path, parts=(Part.GATEWAY, Part.SIP))
    assert made.sip is not None
    assert made.sip.directory is made.gateway


def test_a_switched_off_role_is_not_there(tmp_path: Path) -> None:
    made = process(tmp_path, parts=(Part.GATEWAY, Part.CONTROLLER))
    assert made.sip is None
    assert [role.role for role in made.roles] == ["dhcp", "tftp", "mgc"]
