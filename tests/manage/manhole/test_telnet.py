"""The manhole over telnet: user and password, then Python; and what is no telnet does no harm."""

from typing import Any

import pytest
from twisted.conch.telnet import AYT, DO, DONT, ECHO, IAC, NAWS, SB, SE, SGA, WILL
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.manage.manhole.ground import Ground
from voxpath.core.errors import LocalError
from voxpath.manage.manhole.gate import ATTEMPTS_LIMIT, CONNECTIONS_LIMIT
from voxpath.manage.manhole.telnet import ANSWER_LIMIT, SUBNEGOTIATION_LIMIT, Factory, Transport

PASSWORD = "correct horse battery"


class Wire(StringTransport):
    """A connection whose end is noted."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class Client:
    """Somebody at the other end."""

    def __init__(self, ground: Ground, checked: "Deferred[None] | None" = None, **names: Any) -> None:
        self.ground = ground
        self.tried: list[tuple[str, str]] = []
        self.wire = Wire()
        visit = ground.gate.admit("telnet", "127.0.0.1:40000")
        assert visit is not None

        def check(user: str, password: str) -> "Deferred[None]":
            self.tried.append((user, password))
            if checked is not None:
                return checked
            return succeed(None) if password == PASSWORD else fail(LocalError("wrong user or password"))

        self.protocol = Transport(visit, check, lambda: names)
        self.protocol.makeConnection(self.wire)

    def sends(self, octets: bytes) -> bytes:
        self.protocol.dataReceived(octets)
        return self.takes()

    def takes(self) -> bytes:
        octets = self.wire.value()
        self.wire.clear()
        return octets

    def leaves(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def ground() -> Ground:
    return Ground()


def test_a_user_with_a_password_comes_to_python(ground: Ground) -> None:
    client = Client(ground, x=5)
    assert b"user: " in client.takes()
    asked = client.sends(b"op\r\n")
    assert asked == IAC + WILL + ECHO + b"password: ", "the client stops showing what is typed"
    assert b">>> " in client.sends(PASSWORD.encode() + b"\r\0")
    assert b"\r\n6\r\n>>> " in client.sends(b"x + 1\r\0")
    assert ground.texts("MANHOLE_ENTERED") == ["op entered the manhole by telnet from 127.0.0.1:40000"]
    assert ground.lines() == ["x + 1"]
    client.sends(b"\x04")
    assert client.wire.disconnecting
    client.leaves()
    assert ground.is_left()


def test_a_wrong_password_is_told_and_asked_again_for_a_few_times(ground: Ground) -> None:
    client = Client(ground)
    for _ in range(ATTEMPTS_LIMIT - 1):
        assert client.sends(b"op\nwrong\n").endswith(b"not admitted\r\nuser: ")
    client.sends(b"op\nwrong\n")
    assert client.wire.aborted
    assert ground.ids() == ["MANHOLE_LOGIN_REFUSED"] * ATTEMPTS_LIMIT + ["MANHOLE_REFUSED"]
    assert client.tried == [("op", "wrong")] * ATTEMPTS_LIMIT
    client.sends(b"op\nwrong\n")
    assert len(client.tried) == ATTEMPTS_LIMIT, "what still arrives is not looked at"
    client.leaves()
    assert ground.is_left()


def test_nothing_of_a_password_is_told_to_anybody(ground: Ground) -> None:
    client = Client(ground)
    client.sends(b"op\nsecret of mine\n")
    assert b"secret" not in client.takes()
    assert not any("secret" in event.text for event in ground.told)
    client.leaves()


def test_what_is_typed_while_a_password_is_checked_is_taken_afterwards(ground: Ground) -> None:
    checking: Deferred[None] = Deferred()
    client = Client(ground, checking)
    client.sends(b"op\nwhatever\n1 + ")
    client.sends(b"1\n")
    assert ground.told == []
    checking.callback(None)
    assert client.takes().endswith(b"2\r\n>>> ")
    client.leaves()


def test_a_check_that_ends_after_the_connection_admits_nobody(ground: Ground) -> None:
    for end in (lambda deferred: deferred.callback(None), lambda deferred: deferred.errback(LocalError("wrong"))):
        checking: Deferred[None] = Deferred()
        client = Client(ground, checking)
        client.sends(b"op\nwhatever\n")
        client.leaves()
        end(checking)
    assert ground.told == []
    assert ground.is_left()


def test_answers_are_corrected_and_bounded(ground: Ground) -> None:
    client = Client(ground)
    client.sends(b"\n\r\nox\x7fp\n" + PASSWORD.encode() + b"x\b\n")
    assert client.tried == [("op", PASSWORD)]
    client.leaves()
    client = Client(ground)
    client.sends(b"x" * (ANSWER_LIMIT + 1))
    assert client.wire.aborted
    assert ground.texts("MANHOLE_REFUSED")[-1].endswith(f"more than {ANSWER_LIMIT} octets as user or password")
    client.leaves()


@pytest.mark.parametrize(
    "octets",
    [
        b"\0" * 10_000_000,
        IAC + SB + b"\0" * 1_000_000,
        IAC + SB + b"\0" * (SUBNEGOTIATION_LIMIT + 1),
        IAC + SB + IAC + SE,
        IAC + b"\x01",
        IAC + SE,
        b"\xfe" * 1000,
        (IAC + DO + b"\x99") * 40_000,
    ],
)
def test_what_is_no_telnet_ends_the_connection_in_one_line(ground: Ground, octets: bytes) -> None:
    """Zeros, a subnegotiation without end, an empty one, commands that do not exist; no traceback either."""
    client = Client(ground)
    for at in range(0, len(octets), 65536):
        client.sends(octets[at : at + 65536])
        assert len(client.takes()) < 2 * 65536, "answers are no more than questions"
    assert client.wire.aborted
    assert ground.ids() == ["MANHOLE_REFUSED"]
    client.leaves()
    assert ground.is_left()


def test_commands_that_exist_do_no_harm(ground: Ground) -> None:
    client = Client(ground)
    for option in (ECHO, SGA, NAWS, b"\x99"):
        for verb in (WILL, DO, DONT, WILL):
            client.sends(IAC + verb + option)
    client.sends(IAC + AYT + IAC + SB + NAWS + b"\0\x50\0\x18" + IAC + SE + IAC + SB + NAWS + b"\0" + IAC + SE)
    assert not client.wire.aborted
    client.sends(b"op\n" + PASSWORD.encode() + b"\n")
    client.sends(IAC + SB + NAWS + b"\0\x84\0\x32" + IAC + SE)
    assert b"\r\n2\r\n" in client.sends(b"1 + 1\n")
    client.leaves()
    assert ground.ids()[0] == "MANHOLE_ENTERED"


def test_connections_come_through_the_gate(ground: Ground) -> None:
    from pathlib import Path

    factory = Factory(ground.gate, lambda function: succeed(function()), Path("/nowhere/passwords"), dict)
    made = [factory.buildProtocol(None) for _ in range(CONNECTIONS_LIMIT)]
    assert all(made)
    assert factory.buildProtocol(None) is None
    ground.gate.close()


def test_a_bug_of_ours_in_a_login_is_logged_and_admits_nobody(ground: Ground, no_logged_failure: list[Any]) -> None:
    checking: Deferred[None] = Deferred()
    client = Client(ground, checking)
    client.sends(b"op\nwhatever\n")
    checking.errback(ZeroDivisionError())
    assert client.wire.aborted
    assert ground.ids() == ["MANHOLE_REFUSED"]
    assert no_logged_failure.pop()["log_failure"].check(ZeroDivisionError)
    client.leaves()
