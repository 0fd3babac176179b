"""Many ports as one reader of the reactor."""

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.io.turns import Turns
from voxpath.core.effects import Datagram, Send
from voxpath.io.gathered import READ_PER_TURN, Gathered
from voxpath.io.ports import UdpPorts
from voxpath.model.address import Endpoint

ANY = Endpoint("127.0.0.1", 0)


def asked(ports: UdpPorts, count: int, received: list[Datagram]) -> None:
    """Open so many ports, and send to each."""
    for number in range(count):
        ports.open(str(number), ANY, received.append)
    for number in range(count):
        ports.send(Send(b"x", ports.local(str(number)), "0"))


def test_the_reactor_knows_one_reader_as_long_as_there_is_any() -> None:
    turns = Turns()
    ports = UdpPorts(Gathered(turns))
    assert turns.readers == []
    received: list[Datagram] = []
    asked(ports, 3, received)
    assert len(turns.readers) == 1
    turns.turn()
    assert sorted(datagram.port for datagram in received) == ["0", "1", "2"]
    for name in ("0", "1"):
        ports.close(name)
    assert len(turns.readers) == 1
    ports.close("2")
    assert turns.readers == []


def test_a_turn_is_bounded_and_each_port_has_its_turn() -> None:
    turns = Turns()
    ports = UdpPorts(Gathered(turns))
    received: list[Datagram] = []
    asked(ports, READ_PER_TURN + 9, received)
    turns.turn()
    assert len(received) == READ_PER_TURN
    turns.turn()
    assert {datagram.port for datagram in received} == {str(number) for number in range(READ_PER_TURN + 9)}
    ports.close_all()


def test_a_port_that_was_closed_by_another_one_in_the_same_turn_reads_nothing() -> None:
    turns = Turns()
    ports = UdpPorts(Gathered(turns))
    received: list[str] = []

    def receive(datagram: Datagram) -> None:
        received.append(datagram.port)
        ports.close("b" if datagram.port == "a" else "a")

    for name in "ab":
        ports.open(name, ANY, receive)
    for name in "ab":
        ports.send(Send(b"x", ports.local(name), "a"))
    turns.turn()
    turns.turn()
    assert len(received) == 1
    ports.close_all()
    assert turns.readers == []


def test_a_port_that_cannot_be_read_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()
    lost: list[str] = []
    ports = UdpPorts(Gathered(turns), lost.append)
    received: list[Datagram] = []
    ports.open("broken", Endpoint("0.0.0.0", 0), received.append)
    ports.open("good", ANY, received.append)
    monkeypatch.setattr("voxpath.io.datagrams._ANCILLARY", -1)
    ports.send(Send(b"x", Endpoint("127.0.0.1", ports.local("broken").port), "good"))
    ports.send(Send(b"x", ports.local("good"), "good"))
    turns.turn()
    assert len(lost) == 1
    turns.turn()
    assert [datagram.port for datagram in received] == ["good"]
    ports.close_all()
    assert turns.readers == []


def test_all_are_told_when_the_reactor_gives_up() -> None:
    turns = Turns()
    lost: list[str] = []
    ports = UdpPorts(Gathered(turns), lost.append)
    asked(ports, 2, [])
    turns.readers[0].connectionLost(Failure(OSError("gone")))
    assert len(lost) == 2
    ports.close_all()


async def test_the_real_reactor_reads_them() -> None:
    ports = UdpPorts(Gathered(reactor))
    arrived: Deferred[Datagram] = Deferred()
    ports.open("a", ANY, arrived.callback)
    ports.open("b", ANY, lambda datagram: None)
    ports.send(Send(b"x", ports.local("a"), "b"))
    assert (await arrived).payload == b"x"
    ports.close_all()
