"""Ports that rest between two readings while datagrams come thick."""

import errno
import os
from typing import Any

import pytest
from twisted.python.failure import Failure

from tests.io.turns import Turns
from voxpath.core.effects import Datagram, Send
from voxpath.io.backlog import Backlog
from voxpath.io.paced import REST_S, THICK_S, Paced
from voxpath.io.ports import UdpPorts
from voxpath.model.address import Endpoint


class Site:
    """A port with a backlog, and what it received."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.received: list[bytes] = []
        self.lost: list[str] = []
        self.backlog = Backlog(lambda each: self.received.append(each.payload), lambda payload: False, self.turns)
        self.ports = UdpPorts(self.turns, self.lost.append, Paced(self.turns))
        self.ports.open("dhcp", Endpoint("127.0.0.1", 0), self.never, backlog=self.backlog)
        self.ports.open("client", Endpoint("127.0.0.1", 0), self.never)
        self.turns.readers = [reader for reader in self.turns.readers if reader.logPrefix() == "dhcp"]

    @staticmethod
    def never(datagram: Datagram) -> None:
        pytest.fail(f"{datagram} passed the backlog by")

    def send(self, payload: bytes) -> None:
        self.ports.send(Send(payload, self.ports.local("dhcp"), "client"))


@pytest.fixture
def site() -> Site:
    return Site()


def test_what_comes_after_a_quiet_time_is_read_at_once(site: Site) -> None:
    for number in range(3):
        site.turns.advance(THICK_S)
        site.send(b"%d" % number)
        site.turns.turn()
        assert len(site.received) == number + 1
        assert len(site.turns.readers) == 1


def test_what_comes_thick_is_read_together(site: Site) -> None:
    site.turns.advance(1)
    for payload in (b"1", b"2"):
        site.send(payload)
        site.turns.turn()
    for payload in (b"3", b"4", b"5"):
        site.send(payload)
        site.turns.turn()
    assert site.received == [b"1", b"2"]
    site.turns.advance(REST_S)
    site.turns.turn()
    assert site.received == [b"1", b"2", b"3", b"4", b"5"]


def test_a_port_that_is_closed_while_it_rests_stays_closed(site: Site) -> None:
    for _ in range(2):
        site.turns.turn()
    assert site.turns.readers == []
    site.ports.close("dhcp")
    site.turns.advance(1)
    assert site.turns.readers == []
    assert site.turns.getDelayedCalls() == []


def test_a_port_that_is_closed_before_it_rests_is_read_no_more(site: Site) -> None:
    site.ports.close("dhcp")
    assert site.turns.readers == []


def test_a_port_that_lives_on_after_an_error_is_read_again(site: Site) -> None:
    """As when its interface was down for a moment."""
    (reader,) = site.turns.readers
    site.turns.removeReader(reader)
    port = site.ports._ports["dhcp"][0]
    port._socket = Passing(port._socket)
    reader.connectionLost(Failure(OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))))
    assert site.lost == []
    site.send(b"again")
    site.turns.turn()
    assert site.received == [b"again"]


def test_a_port_that_is_lost_is_told_and_read_no_more(site: Site) -> None:
    (reader,) = site.turns.readers
    site.turns.removeReader(reader)
    reader.connectionLost(Failure(OSError(errno.EIO, "broken")))
    assert len(site.lost) == 1
    assert site.turns.readers == []


class Passing:
    """A socket whose error passes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def getsockopt(self, *_: int) -> int:
        return errno.ENETDOWN
