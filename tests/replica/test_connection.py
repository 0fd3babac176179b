"""The active's connection is made again soon after whatever ended it, and never a moment too often (DHC-19, RED-3)."""

from typing import Any

import pytest
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoRouteError,
    TimeoutError,
)
from twisted.python.failure import Failure

from voxpath.replica.connection import CONNECT_S, LONGEST_PAUSE_S, REFUSED_PAUSE_S, Connection
from voxpath.replica.trouble import reason_of
from voxpath.testing.clock import HeapClock, VirtualClock

BACK_S = 5.0
"""So soon after its cable a standby has to be back."""


class Transport:
    """Ends when it is cut."""

    def __init__(self, link: Any) -> None:
        self.link = link

    def abortConnection(self) -> None:
        self.link.connectionLost(Failure(ConnectionAborted()))

    def getPeer(self) -> str:
        return "there"

    def getHost(self) -> str:
        return "here"


class User:
    """Who is told."""

    def __init__(self) -> None:
        self.was_refused = False
        self.told: list[str] = []

    def connected(self, link: Any) -> None:
        self.told.append("up")

    def disconnected(self, link: Any, reason: str) -> None:
        self.told.append(f"down: {reason}")

    def unreachable(self, reason: str) -> None:
        self.told.append(reason)


class Far:
    """A standby behind a cable: an attempt while that is pulled ends by its own time limit."""

    def __init__(self) -> None:
        self.reactor = HeapClock()
        self.clock = VirtualClock(self.reactor)
        self.plugged = True
        self.begins = True
        self.attempts: list[float] = []
        self.user = User()
        self.link: Any = None
        self.connection = Connection(self.user, self, self.clock)

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts.append(self.clock.now())
        made: Deferred[Any] = Deferred(lambda made: made.errback(CancelledError()))
        if self.plugged:
            self.link = factory.buildProtocol(None)
            if self.begins:
                self.link.makeConnection(Transport(self.link))
                made.callback(self.link)
        else:
            self.clock.call_at(self.clock.now() + CONNECT_S, lambda: made.called or made.errback(TimeoutError()))
        return made

    def lose(self) -> None:
        self.link.connectionLost(Failure(ConnectionLost()))


@pytest.mark.parametrize("cut_s", [0.1, 1.0, 3.3, 10.0, 29.7, 300.0])
def test_a_connection_is_back_soon_after_the_cable_however_long_it_was_pulled(cut_s: float) -> None:
    far = Far()
    far.connection.begin()
    far.plugged = False
    far.lose()
    far.reactor.advance(cut_s)
    far.plugged = True
    far.reactor.advance(BACK_S)
    assert far.user.told[-1] == "up"
    far.connection.end()


def test_a_standby_that_is_away_is_tried_every_few_seconds_and_not_more_often() -> None:
    far = Far()
    far.plugged = False
    far.connection.begin()
    far.reactor.advance(600.0)
    assert 600 / (CONNECT_S + LONGEST_PAUSE_S) <= len(far.attempts) <= 600 / (CONNECT_S + LONGEST_PAUSE_S) + 3
    far.connection.end()


def test_one_that_refuses_is_left_alone_for_longer() -> None:
    far = Far()
    far.connection.begin()
    far.user.was_refused = True
    for _ in range(5):
        far.lose()
        far.reactor.advance(REFUSED_PAUSE_S)
    assert [later - at for at, later in zip(far.attempts, far.attempts[1:], strict=False)] == [REFUSED_PAUSE_S] * 5
    far.connection.end()


def test_an_error_of_who_uses_it_keeps_it_neither_from_coming_back_nor_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    far = Far()
    far.connection.begin()
    monkeypatch.delattr(User, "disconnected")
    with pytest.raises(AttributeError, match="disconnected"):
        far.lose()
    far.reactor.advance(BACK_S)
    assert far.user.told == ["up", "up"]
    with pytest.raises(AttributeError, match="disconnected"):
        far.connection.end()
    assert far.connection._over is not None
    assert far.connection._over.called
    far.reactor.advance(BACK_S)
    assert far.user.told == ["up", "up"]


@pytest.mark.parametrize("state", ["up", "connecting", "pausing"])
def test_it_ends_from_every_state_and_leaves_no_timer(state: str) -> None:
    far = Far()
    far.plugged = state == "up"
    far.connection.begin()
    if state == "pausing":
        far.reactor.advance(CONNECT_S)
    told = len(far.user.told)
    assert far.connection.end().called
    far.reactor.advance(60.0)
    assert len(far.attempts) == 1
    assert len(far.user.told) - told == (state == "up")
    assert not far.reactor.getDelayedCalls()


def test_it_ends_although_a_link_was_made_that_never_began() -> None:
    """What is between it and the network, such as TLS, may fail before it has given it a transport."""
    far = Far()
    far.begins = False
    far.connection.begin()
    assert far.link is not None
    assert far.connection.end().called
    far.reactor.advance(60.0)
    assert len(far.attempts) == 1
    assert not far.reactor.getDelayedCalls()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), "compare that with its tls.certificate"),
        (SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")]), "does not take this host's certificate (unknown ca)"),
        (SSL.Error([("SSL routines", "", "sslv3 alert certificate expired")]), "(certificate expired); compare tls.certificate"),
        (SSL.Error([("SSL routines", "", "peer did not return a certificate")]), "it showed no certificate"),
        (SSL.Error([("SSL routines", "", "wrong version number")]), "no TLS could be agreed on (wrong version number)"),
        (SSL.Error(), "no TLS could be agreed on (Error)"),
        (SSL.SysCallError(104, "ECONNRESET"), "the connection was lost"),
        (VerificationError(errors=[]), "for another name than redundancy.peer"),
        (ConnectionRefusedError(), "nothing listens there"),
        (NoRouteError(), "there is no way to its address"),
        (TimeoutError(), "its address does not answer"),
        (ConnectError(osError="Network is unreachable"), "no way to its address (network is unreachable); look at the cable"),
        (ConnectionDone(), "the other side closed the connection"),
        (ConnectionLost(), "the connection was lost"),
        (RuntimeError("a\nb"), "a\\nb"),
    ],
)  # fmt: skip
def test_what_ended_a_connection_is_told_in_words(error: Exception, told: str) -> None:
    """What is wrong, where, and what to do: no list of Python's, and one line."""
    text = reason_of(Failure(error))
    assert told in text
    assert "\n" not in text
    assert "[" not in text
