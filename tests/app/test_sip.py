"""The role ``sip``: it loads what is stored, asks the right ledger, counts what it refuses, and is read anew after a failure."""

import socket
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from voxpath.app.assembly import Process
from voxpath.app.decode import decode
from voxpath.app.facts import ProcessFacts
from voxpath.app.node import Node
from voxpath.app.parts import Part
from voxpath.app.role import FIRST_PAUSE_S, RoleState
from voxpath.core.effects import Datagram, Put
from voxpath.io.bus import EventBus
from voxpath.manage.commands import COMMANDS, Answer, Console
from voxpath.manage.facts import CommandError
from voxpath.manage.memory import Memory
from voxpath.manage.rows import ContactRow
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
    made.node.on_reopened("the store failed: disk I/O error")
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


SITE = (
    CONFIG.replace("[[user]]", "open = true\n[[user]]")
    + """
phone = "02:00:00:00:0a:01"
[[user]]
name = "a2"
password = "secret"
showing = "gruu"
[[user]]
name = "a3"
password = "secret"
phone = "02:00:00:00:0a:03"
[[realm]]
name = "site-a"
private = ["10.0.0.0/24"]
public = ["203.0.113.1"]
"""
)


def registered(tmp_path: Path) -> ProcessFacts:
    """A process without a ledger, whose users are registered with private contacts, one of them with a public one as well."""
    made = process(tmp_path, SITE)
    now = made.node.clock.now()
    inside = contact(now + 600)._replace(source_host="203.0.113.1", source_port=2048, uri="sip:a1@10.0.0.11:2048", agent="x\x1b[2J")
    rows = (
        inside,
        inside._replace(aor="a2@voip.example", uri="sip:a2@10.0.0.11:2048", phone="02:00:00:00:0a:02"),
        inside._replace(aor="x@voip.example", uri="sip:x@203.0.113.9:5070", q=500),
    )
    made.node.store.commit(tuple(map(Put, rows)), lambda reason: None)
    made.startService()
    return ProcessFacts(made)


def test_a_binding_tells_both_addresses_and_what_its_phone_shows(tmp_path: Path) -> None:
    facts = registered(tmp_path)
    found = {row.aor: row for row in facts.contacts()}
    first, second = found["a1@voip.example"], found["a2@voip.example"]
    assert (first.source, first.public, first.private) == ("203.0.113.1:2048", "203.0.113.1:2048", "10.0.0.11:2048")
    assert (first.realm, first.shows, first.q, first.agent) == ("site-a", "private", 1.0, "x\\x1b[2J")
    assert second.shows == "gruu"
    assert (found["x@voip.example"].shows, found["x@voip.example"].q) == ("public", 0.5)
    assert [row.aor for row in facts.contacts("02:00:00:00:0a:02")] == ["a2@voip.example"]
    assert [row.aor for row in facts.contacts("x@voip.example")] == ["x@voip.example"]


def test_many_bindings_are_told_in_turns_so_that_nothing_else_waits(tmp_path: Path) -> None:
    facts = registered(tmp_path)
    reactor = facts._node.reactor
    assert isinstance(reactor, MemoryReactorClock)
    answer = COMMANDS["bindings"].run(Console(facts, Memory()), ())
    assert isinstance(answer, Deferred)
    assert not answer.called
    reactor.advance(0)
    found: list[Answer] = []
    answer.addCallback(found.append)
    assert [row.aor for row in found[0].rows if isinstance(row, ContactRow)] == [
        f"{name}@voip.example" for name in ("a1", "a2", "x")
    ]


def test_a_user_is_known_by_its_binding_or_by_the_configuration(tmp_path: Path) -> None:
    facts = registered(tmp_path)
    assert set(facts.aors()) == {f"{name}@voip.example" for name in ("a1", "a2", "a3", "x")}
    assert facts.phones_of("a1@voip.example") == ("02:00:00:00:0a:01",)
    assert facts.phones_of("a2@voip.example") == ("02:00:00:00:0a:02",)
    assert facts.phones_of("a3@voip.example") == ("02:00:00:00:0a:03",)
    assert facts.phones_of("nobody@voip.example") == ()
    assert facts.user("a1@voip.example") == (True, 1, True)
    assert facts.user("a2@voip.example") == (True, 1, False)
    assert facts.user("a3@voip.example") == (True, 0, True)
    assert facts.user("x@voip.example") == (False, 1, False)
    assert facts.user("nobody@voip.example") is None


def test_a_redirected_call_is_a_call(tmp_path: Path) -> None:
    facts = registered(tmp_path)
    (driver,) = facts._node.drivers["sip"]
    driver.feed(Datagram(request("INVITE", "a2@voip.example"), Endpoint("192.0.2.9", 5060), "127.0.0.1", "", PORT))
    (call,) = facts.calls()
    assert (call.phone, call.peer, call.number) == ("x@192.0.2.9", "02:00:00:00:0a:02", "a2@voip.example")
    assert (call.state, call.path) == ("redirected", "public")
    assert call.reason.startswith("sip:a2@203.0.113.1:2048: ")


def test_without_the_role_its_tables_say_so(tmp_path: Path) -> None:
    facts = ProcessFacts(process(tmp_path, SITE, (Part.GATEWAY,)))
    for ask in (facts.contacts, facts.calls):
        with pytest.raises(CommandError, match="this process runs no"):
            list(ask())
    assert facts.user("a1@voip.example") is None
    assert facts.phones_of("a1@voip.example") == ("02:00:00:00:0a:01",), "a gateway serves its phone's files"


def test_while_the_role_does_not_run_its_tables_say_so(tmp_path: Path) -> None:
    facts = ProcessFacts(process(tmp_path, SITE))
    with pytest.raises(CommandError, match="the SIP server is not running"):
        facts.contacts()
    assert facts.phones_of("a2@voip.example") == ()
