"""The control socket end to end, and the command line that asks it."""

import errno
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread

from voxpath.core.errors import LocalError
from voxpath.io.bus import Record
from voxpath.manage.client import NoServer, Refused, ask
from voxpath.manage.commands import Console
from voxpath.manage.control import CONNECTIONS_LIMIT, IDLE_S, ControlFactory, ControlService, prepare
from voxpath.manage.facts import NoFacts
from voxpath.manage.memory import Memory
from voxpath.manage.wire import REQUEST_LIMIT
from voxpath.model.address import Mac
from voxpath.model.event import MessageEvent
from voxpath.model.phone import Lease

PHONE = "02:00:00:00:0a:01"


class Small(NoFacts):
    def status(self) -> list[tuple[str, str]]:
        return [("name", "sg-a")]

    def nat(self) -> Any:
        raise ZeroDivisionError


def service(path: Path, at: float = 1.0, summary: str = "DISCOVER") -> ControlService:
    memory = Memory()
    memory(Record(at, "dhcp", MessageEvent(phone=PHONE, protocol="DHCP", sender=PHONE, receiver="dhcp", summary=summary)))
    return ControlService(reactor, path, Console(Small(), memory))


@pytest_twisted.async_yield_fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    running = service(tmp_path / "own" / "control.sock")
    running.startService()
    yield str(tmp_path / "own" / "control.sock")
    await running.stopService()


def exchange(path: str, octets: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall(octets)
        answer = b""
        while not answer.endswith(b"\n"):
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
        return answer


@pytest_twisted.ensureDeferred
async def test_a_command_is_answered(path: str) -> None:
    reply = await deferToThread(ask, path, "status")
    assert reply.rows == [{"item": "name", "value": "sg-a"}]


@pytest_twisted.ensureDeferred
async def test_only_the_owner_may_open_it(path: str) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(Path(path).parent).st_mode) == 0o700


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"[]", b"{}", b'{"verb": 1}', b'{"verb": "leases", "more": 1}', b"\xff\xfe", b'{"verb": "why"}', b"[" * 4000],
)
async def test_a_malformed_request_is_answered(path: str, line: bytes) -> None:
    answer = json.loads(await deferToThread(exchange, path, line + b"\n"))
    assert answer["error"]
    assert answer["error"].isprintable()


@pytest_twisted.ensureDeferred
async def test_too_many_arguments_are_answered(path: str) -> None:
    with pytest.raises(Refused, match="8 arguments at the most"):
        await deferToThread(ask, path, "leases", ["x"] * 9)


@pytest_twisted.ensureDeferred
async def test_an_oversized_request_is_refused_before_it_is_read(path: str) -> None:
    answer = await deferToThread(exchange, path, b"x" * (REQUEST_LIMIT * 20))
    assert b"octets at the most" in answer
    with pytest.raises(Refused, match="shorten"):
        await deferToThread(ask, path, "why", ["x" * REQUEST_LIMIT])


@pytest_twisted.ensureDeferred
async def test_several_requests_on_one_connection(tmp_path: Path) -> None:
    def twice() -> int:
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as stream:
            connection.connect(path)
            for _ in range(2):
                stream.write(b'{"verb": "status"}\n')
                stream.flush()
                assert b"sg-a" in stream.readline()
        return 2

    path = str(tmp_path / "c.sock")
    running = service(Path(path))
    running.startService()
    assert await deferToThread(twice) == 2
    await running.stopService()


def connected(running: ControlService) -> tuple[Any, StringTransport]:
    protocol, transport = ControlFactory(running).buildProtocol(None), StringTransport()
    assert protocol is not None
    protocol.makeConnection(transport)
    return protocol, transport


def test_a_bug_in_a_command_is_answered_and_logged(tmp_path: Path) -> None:
    from twisted.logger import globalLogPublisher

    seen: list[Any] = []
    running = ControlService(Clock(), tmp_path / "x", Console(Small(), Memory()))
    protocol, transport = connected(running)

    # The observer takes the failure out, since the fixture for all tests fails on one.
    def observe(event: Any) -> None:
        if event.get("log_failure") is not None:
            seen.append(event.pop("log_failure"))

    observers = globalLogPublisher._observers
    observers.insert(0, observe)
    protocol.dataReceived(b'{"verb": "nat"}\n')
    observers.remove(observe)
    assert b"failed inside voxpath" in transport.value()
    assert seen[0].check(ZeroDivisionError)
    protocol.connectionLost()


def test_an_idle_connection_is_closed() -> None:
    clock = Clock()
    running = ControlService(clock, Path("x"), Console(Small(), Memory()))
    protocol, transport = connected(running)
    clock.advance(IDLE_S - 1)
    protocol.dataReceived(b'{"verb": "status"}\n')
    clock.advance(IDLE_S - 1)
    assert not transport.disconnecting
    clock.advance(2)
    assert transport.disconnected
    protocol.connectionLost()
    assert clock.getDelayedCalls() == []


def test_connections_are_bounded() -> None:
    running = ControlService(Clock(), Path("x"), Console(Small(), Memory()))
    open_ones = [connected(running)[0] for _ in range(CONNECTIONS_LIMIT)]
    assert ControlFactory(running).buildProtocol(None) is None
    open_ones[0].connectionLost()
    assert ControlFactory(running).buildProtocol(None) is not None


class Slow(NoFacts):
    def __init__(self) -> None:
        self.under_way: Deferred[str] = Deferred()

    def release(self, phone: str) -> "Deferred[str]":
        return self.under_way


def test_an_answer_that_comes_after_the_connection_is_dropped() -> None:
    facts, clock = Slow(), Clock()
    protocol, transport = connected(ControlService(clock, Path("x"), Console(facts, Memory())))
    protocol.dataReceived(b'{"verb": "release", "arguments": ["02:00:00:00:0a:01"]}\n')
    protocol.connectionLost()
    facts.under_way.callback("done")
    assert transport.value() == b""
    assert clock.getDelayedCalls() == []


def test_one_request_at_a_time() -> None:
    facts = Slow()
    protocol, transport = connected(ControlService(Clock(), Path("x"), Console(facts, Memory())))
    protocol.dataReceived(b'{"verb": "release", "arguments": ["02:00:00:00:0a:01"]}\n' * 2)
    assert b"one request at a time" in transport.value()
    assert transport.disconnecting
    protocol.connectionLost()
    facts.under_way.callback("done")


def test_a_stale_socket_is_replaced_and_anything_else_is_not(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.listen()
    with pytest.raises(LocalError, match="another process listens"):
        prepare(path)
    stale.close()
    prepare(path)
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(LocalError, match="is no socket"):
        prepare(path)
    os.chmod(tmp_path, 0o777)
    with pytest.raises(LocalError, match="chmod go-w"):
        prepare(path)


def test_the_client_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoServer, match="No such file or directory; start voxpath"):
        ask(str(tmp_path / "nobody"), "status")
    with pytest.raises(NoServer, match="--socket"):
        ask("x" * 200, "status")


def test_the_client_of_a_user_who_may_not_says_how_he_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("voxpath.manage.client._exchange", refused)
    with pytest.raises(NoServer, match="Permission denied; run it by sudo, or let others in by control"):
        ask(str(tmp_path / "control.sock"), "status")


def voxpath(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "voxpath.app.cli", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest_twisted.ensureDeferred
async def test_the_command_line_asks(path: str) -> None:
    done = await deferToThread(voxpath, "ctl", "--socket", path, "status")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ITEM  VALUE\nname  sg-a\n", "")
    refused = await deferToThread(voxpath, "ctl", "--socket", path, "leases")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "voxpath ctl: leases: this process runs no DHCP server; ask another process by --socket\n"


@pytest_twisted.ensureDeferred
async def test_the_command_line_merges_the_ladder_of_two_processes(path: str, tmp_path: Path) -> None:
    second = service(tmp_path / "second.sock", at=0.5, summary="earlier")
    second.startService()
    sockets = ["--socket", path, "--socket", str(tmp_path / "second.sock")]
    drawn = await deferToThread(voxpath, "ctl", *sockets, "ladder", PHONE.upper())
    rows = await deferToThread(voxpath, "ctl", *sockets, "--json", "ladder", PHONE)
    await second.stopService()
    assert [line.split()[-1] for line in drawn.stdout.splitlines()[-2:]] == ["earlier", "DISCOVER"]
    assert [json.loads(line)["at"] for line in rows.stdout.splitlines()] == [0.5, 1.0]


def test_exit_codes_of_the_command_line(tmp_path: Path) -> None:
    nobody = voxpath("ctl", "--socket", str(tmp_path / "nobody"), "status")
    assert nobody.returncode == 3
    assert nobody.stderr.count("\n") == 1
    for arguments in (("ctl", "leasse"), ("ctl", "why"), ("ctl", "--socket", "a", "--socket", "b", "leases"), ()):
        assert voxpath(*arguments).returncode == 2
    assert "verbs:" in voxpath("ctl", "--help").stdout
    assert voxpath("version").stdout.startswith("voxpath")


ROWS = 3000


class Large(NoFacts):
    """Facts with many leases, and how often other work had its turn while they were told."""

    def leases(self) -> list[Lease]:
        return [Lease(Mac(n.to_bytes(6, "big")), b"", "lan", IPv4Address(n + 1), "desk", "", 0.0) for n in range(ROWS)]


@pytest_twisted.ensureDeferred
async def test_many_rows_are_the_same_answer_as_few(tmp_path: Path) -> None:
    """They are encoded in steps, and the reader sees no difference."""
    large = ControlService(reactor, tmp_path / "own" / "control.sock", Console(Large(), Memory()))
    large.startService()
    reply = await deferToThread(ask, str(tmp_path / "own" / "control.sock"), "leases")
    assert [row["phone"] for row in reply.rows] == [str(Mac(n.to_bytes(6, "big"))) for n in range(ROWS)]
    assert reply.columns == list(reply.rows[0])
    assert not reply.left_off
    few = await deferToThread(ask, str(tmp_path / "own" / "control.sock"), "leases", ["phone=00:00:00:00:00:01"])
    assert few.rows == [reply.rows[1]]
    await large.stopService()
