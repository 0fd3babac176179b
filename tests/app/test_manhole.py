"""The role ``manhole``: off unless it is configured, checked before it starts, and what visitors find in a whole process."""

import os
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransport

from voxpath.app.assembly import Process
from voxpath.app.check import check, notes
from voxpath.app.decode import decode
from voxpath.app.machine import Machine
from voxpath.app.manhole import Absent, ManholeRole
from voxpath.app.node import Node
from voxpath.app.parts import Part
from voxpath.app.role import RoleState
from voxpath.app.schema import Config
from voxpath.core.errors import LocalError
from voxpath.io.bus import EventBus
from voxpath.manage.manhole import gate, python, session
from voxpath.manage.manhole.gate import CONNECTIONS_LIMIT
from voxpath.manage.manhole.passwords import line_of
from voxpath.manage.memory import Memory
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import VirtualClock

MACHINE = Machine(root=True, interfaces=frozenset({"lo"}), addresses=frozenset())
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUlxbgfxJ2tqPUQbb9LVZ2vmMJ7XK1vB0u5y0vF8J2n op@desk\n"
SSH = '[manhole]\nssh = ["127.0.0.1:2222"]\n'
TELNET = '[manhole]\ntelnet = ["127.0.0.1:2323"]\n'
BOTH = SSH + 'telnet = ["127.0.0.1:2323"]\n'
QUIET = "[control]\nenabled = false\n[tftp]\nenabled = false\n[mgc]\nenabled = false\n[sip]\nenabled = false\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory in which everything is as it should be."""
    folder = tmp_path / "manhole"
    folder.mkdir()
    (folder / "authorized_keys").write_text(KEY)
    (folder / "passwords").write_text(line_of("op", "correct horse battery", bytes(16)) + "\n")
    (folder / "passwords").chmod(0o600)
    return tmp_path


def config(state: Path, text: str) -> Config:
    decoded = decode(f'state = "{state}"\n{text}'.encode())
    assert decoded.config is not None, decoded.problems
    return decoded.config


def wrong(state: Path, text: str) -> dict[str, str]:
    return {problem.path: str(problem) for problem in check(config(state, text), MACHINE)}


def test_it_is_off_unless_an_address_is_given(tmp_path: Path) -> None:
    assert wrong(tmp_path, "") == {}, "off, it needs no files"
    assert not [note for note in notes(config(tmp_path, "")) if "manhole" in note]
    _, process = made(tmp_path, QUIET)
    assert "manhole" not in [role.role for role in process.roles]


def test_with_its_files_it_can_be_started_and_a_note_says_what_it_means(state: Path) -> None:
    assert wrong(state, BOTH) == {}
    told = [note for note in notes(config(state, BOTH)) if note.startswith("manhole")]
    assert told == [
        "manhole.ssh: is on at 127.0.0.1:2222: whoever has a key of authorized_keys can do everything that this process can",
        "manhole.telnet: is on at 127.0.0.1:2323: whoever has a password can do everything that this process can",
    ]
    open_to_all = config(state, SSH.replace("127.0.0.1", "0.0.0.0"))
    assert "manhole.ssh[0]: 0.0.0.0:2222 can be reached from beyond this machine" in notes(open_to_all)


def test_without_its_files_it_is_not_started(tmp_path: Path) -> None:
    told = wrong(tmp_path, BOTH)
    assert set(told) == {"manhole.authorized_keys", "manhole.passwords"}
    assert all("No such file or directory; name a file that this user can read" in text for text in told.values())


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.1", "203.0.113.1"])
def test_telnet_beyond_this_machine_is_refused(state: Path, address: str) -> None:
    told = wrong(state, TELNET.replace("127.0.0.1", address))["manhole.telnet[0]"]
    assert "telnet encrypts nothing; write an address of loopback such as 127.0.0.1, or use ssh" in told


def test_files_that_others_can_use_are_refused(state: Path) -> None:
    folder = state / "manhole"
    (folder / "host_key").write_text("nothing")
    for name in ("authorized_keys", "passwords", "host_key"):
        (folder / name).chmod(0o666)
    told = wrong(state, BOTH)
    assert {path: text.rsplit("; ", 1)[1] for path, text in told.items()} == {
        "manhole.authorized_keys": "chmod go-w it",
        "manhole.passwords": "chmod 600 it",
        "manhole.host_key": "chmod 600 it",
    }


def test_a_place_where_no_key_can_be_made_is_refused(state: Path) -> None:
    assert wrong(state, SSH + 'host_key = "/proc/version/key"\n')["manhole.host_key"].endswith(
        "name a place where this user can make it"
    )


def test_two_roles_do_not_share_a_port(state: Path) -> None:
    told = wrong(state, SSH + 'telnet = ["127.0.0.1:2222"]\n')
    assert "used by manhole.ssh[0]" in told["manhole.telnet[0]"]


def made(state: Path, text: str) -> tuple[Any, Process]:
    reactor: Any = MemoryReactorClock()
    clock = VirtualClock(reactor)
    memory, bus = Memory(), EventBus(clock)
    bus.subscribe(memory)
    node = Node(config(state, text), reactor, clock, bus, memory, SystemRandom(), MemoryStore())
    return reactor, Process(node, (Part.SIP,))


def role_of(process: Process) -> ManholeRole:
    return next(role for role in process.roles if isinstance(role, ManholeRole))


def test_it_listens_where_it_is_told_and_says_so(state: Path) -> None:
    reactor, process = made(state, QUIET + BOTH)
    process.startService()
    role = role_of(process)
    assert role.state is RoleState.RUNNING
    assert [(host, port) for port, _, _, host in reactor.tcpServers] == [("127.0.0.1", 2222), ("127.0.0.1", 2323)]
    warnings = [record.event.text for record in process.node.memory.last(10) if record.event.ID == "MANHOLE_OPENED"]
    assert warnings == [
        f"the manhole is open by {way} at 127.0.0.1:{port}: whoever may log in can do everything that this process can"
        for way, port in (("SSH", 2222), ("telnet", 2323))
    ]
    factory = reactor.tcpServers[1][1]
    for number in range(CONNECTIONS_LIMIT):
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000 + number))
        protocol.makeConnection(Aborted())
    assert factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000)) is None
    assert list(role.silent().values()) == [1]
    process.stopService()
    assert reactor.getDelayedCalls() == []


class Aborted(StringTransport):
    def abortConnection(self) -> None:
        self.disconnecting = True


def test_without_a_key_that_it_can_use_it_fails_alone_and_says_why(state: Path) -> None:
    (state / "manhole" / "host_key").write_text("nothing")
    (state / "manhole" / "host_key").chmod(0o644)
    reactor, process = made(state, QUIET + SSH)
    process.startService()
    role = role_of(process)
    assert role.state is RoleState.PAUSED
    assert "chmod 600 it" in role.trouble
    assert reactor.tcpServers == []
    process.stopService()
    assert reactor.getDelayedCalls() == []


def test_visitors_find_the_process_and_its_roles(state: Path) -> None:
    _, process = made(state, QUIET + SSH)
    names = role_of(process).names()
    assert names["process"] is process
    assert names["services"] == {"manhole": role_of(process)}
    assert {"ctl", "leases", "blocks", "registrations", "bindings", "calls", "help", "exit"} <= set(names)
    assert repr(names["ledger"]) == "the service gateway does not run here now"
    assert "this process runs no" in repr(names["bindings"])


def test_what_does_not_run_says_so_whatever_is_asked_of_it() -> None:
    absent = Absent("it does not run here")
    with pytest.raises(LocalError, match="it does not run here"):
        absent.usage(0.0)
    assert not hasattr(absent, "__len__")


def test_the_page_tells_the_limits_that_the_code_has() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "console.md").read_text()
    limits = (
        ("connections at one time, SSH and telnet together", f"{gate.CONNECTIONS_LIMIT}"),
        ("connections that begin without a login", f"{gate.STARTS_LIMIT} in {gate.STARTS_WINDOW_S:g} s"),
        ("time for a login", f"{gate.LOGIN_S:g} s"),
        ("octets before a login", f"{gate.BEFORE_LOGIN_LIMIT:,}".replace(",", " ")),
        ("logins that fail on one connection", f"{gate.ATTEMPTS_LIMIT}"),
        ("time in which nothing is typed", f"{gate.IDLE_S / 60:g} min"),
        ("one line", f"{python.LINE_LIMIT} characters"),
        ("one statement", f"{python.LINES_LIMIT} lines"),
        ("what one line shows", f"{python.OUTPUT_LIMIT // 1024} Ki characters"),
        ("sessions on one SSH connection", f"{session.CHANNELS_LIMIT}"),
    )
    assert [f"| {what} | {limit} |" for what, limit in limits if f"| {what} | {limit} |" not in page] == []


def test_the_key_is_made_in_a_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEY)
    _, process = made(tmp_path, QUIET + SSH + f'authorized_keys = "{tmp_path}/keys"\n')
    process.startService()
    assert os.stat(tmp_path / "manhole").st_mode & 0o077 == 0
    process.stopService()
