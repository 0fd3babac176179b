"""A storm: the oldest DISCOVERs are dropped first, never a REQUEST, and the core is served in portions."""

import socket

import pytest
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from voxpath.core.effects import Datagram
from voxpath.io import backlog as module
from voxpath.io.backlog import MOST_PER_TURN, SERVED_PER_TURN, TURNS_WAITING, Backlog
from voxpath.io.ports import UdpPorts
from voxpath.model.address import Endpoint


def datagram(text: str) -> Datagram:
    return Datagram(text.encode(), Endpoint("10.0.0.2", 68))


class Storm:
    """A backlog whose repeatable datagrams begin with D."""

    def __init__(self, limit: int = 100) -> None:
        self.clock = Clock()
        self.served: list[str] = []
        self.dropped: list[str] = []

        def note(into: list[str]):
            return lambda each: into.append(each.payload.decode())

        self.backlog = Backlog(note(self.served), lambda payload: payload[:1] == b"D", self.clock, note(self.dropped), limit)

    def add(self, *texts: str) -> None:
        for text in texts:
            self.backlog.add(datagram(text))


def test_without_a_storm_all_is_served_in_the_turn_in_which_it_was_read() -> None:
    storm = Storm()
    storm.add("D1", "D2")
    storm.backlog.work()
    assert storm.served == ["D1", "D2"]
    assert storm.clock.getDelayedCalls() == []


def test_the_oldest_discovers_are_dropped_and_counted() -> None:
    storm = Storm(limit=3)
    storm.add("D1", "D2", "R1", "D3", "D4", "D5")
    storm.backlog.work()
    assert storm.dropped == ["D1", "D2"]
    assert storm.backlog.given_up == 2
    assert storm.served == ["R1", "D3", "D4", "D5"]


def test_never_a_request_however_many_discovers_come() -> None:
    storm = Storm(limit=5)
    for number in range(1000):
        storm.add(f"R{number}", *(f"D{number}.{each}" for each in range(10)))
    storm.backlog.work()
    while storm.clock.getDelayedCalls():
        storm.clock.advance(0)
    assert [text for text in storm.served if text[0] == "R"] == [f"R{number}" for number in range(1000)]
    assert [text for text in storm.served if text[0] == "D"] == [f"D999.{each}" for each in range(5, 10)]
    assert not [text for text in storm.dropped if text[0] == "R"]


@pytest.mark.parametrize(("waiting", "served"), [(20, SERVED_PER_TURN), (TURNS_WAITING * 30, 30), (5000, MOST_PER_TURN)])
def test_the_more_wait_the_longer_is_a_turn(waiting: int, served: int) -> None:
    """A turn that serves few lets commits be told soon; when far too many came, what counts is how many are served."""
    storm = Storm(limit=10_000)
    storm.add(*(f"D{number}" for number in range(waiting)))
    storm.backlog.work()
    assert len(storm.served) == served


def test_one_turn_serves_a_portion_and_requests_come_first() -> None:
    storm = Storm(limit=1000)
    storm.add(*(f"D{number}" for number in range(SERVED_PER_TURN + 10)))
    storm.backlog.work()
    assert len(storm.served) == SERVED_PER_TURN
    storm.add("R1")
    storm.backlog.work()
    assert len(storm.served) == SERVED_PER_TURN, "a turn is under way already"
    storm.clock.advance(0)
    assert storm.served[SERVED_PER_TURN] == "R1"
    assert len(storm.served) == SERVED_PER_TURN + 11
    assert storm.clock.getDelayedCalls() == []


def test_a_closed_backlog_serves_nothing_more() -> None:
    storm = Storm(limit=1000)
    storm.add(*(f"D{number}" for number in range(SERVED_PER_TURN + 1)))
    storm.backlog.work()
    storm.backlog.close()
    storm.backlog.close()
    assert storm.clock.getDelayedCalls() == []
    assert len(storm.backlog) == 0


async def test_a_socket_is_emptied_into_the_backlog_and_left_alone_while_that_is_full(monkeypatch) -> None:
    """Too many urgent ones wait in the kernel, which drops none that is there already."""
    monkeypatch.setattr(module, "URGENT_LIMIT", 10)
    served: list[bytes] = []
    complete: Deferred[None] = Deferred()
    waiting: list[int] = []

    def serve(each: Datagram) -> None:
        served.append(each.payload)
        waiting.append(len(line))
        if len(served) == 500:
            complete.callback(None)

    line = Backlog(serve, lambda payload: False, real_reactor)
    ports = UdpPorts(real_reactor)
    ports.open("p", Endpoint("127.0.0.1", 0), lambda each: None, backlog=line)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(500):
            client.sendto(b"%d" % number, ports.local("p"))
        await complete
    assert served == [b"%d" % number for number in range(500)]
    assert max(waiting) <= 10 + 1024
    line.close()
    ports.close_all()
