"""Real UDP ports on loopback: arrival interface, destination address, bursts, sources."""

import socket
from collections.abc import Callable

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from voxpath.core.effects import Burst, Datagram, Direct, Send, Train
from voxpath.io.local import LocalPort
from voxpath.io.packet import udp_packet
from voxpath.io.ports import UdpPorts
from voxpath.model.address import Endpoint

ANY = Endpoint("127.0.0.1", 0)


async def test_a_datagram_tells_where_it_arrived() -> None:
    ports = UdpPorts(reactor)
    arrived: Deferred[Datagram] = Deferred()
    ports.open("p", Endpoint("0.0.0.0", 0), arrived.callback)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.sendto(b"hello", ("127.0.0.2", ports.local("p").port))
        datagram = await arrived
        assert datagram == Datagram(b"hello", Endpoint(*client.getsockname()), "127.0.0.2", "lo", "p")
    ports.close_all()


async def test_a_port_with_an_address_of_its_own_hears_and_answers_by_that_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the cheap way: no datagram of it may need ancillary data."""
    ports = UdpPorts(reactor)
    asked: Deferred[Datagram] = Deferred()
    answered: Deferred[Datagram] = Deferred()
    monkeypatch.setattr("voxpath.io.datagrams._ANCILLARY", -1)
    monkeypatch.setattr("voxpath.io.datagrams._PKTINFO", None)
    ports.open("server", Endpoint("127.0.0.2", 0), asked.callback)
    ports.open("client", Endpoint("127.0.0.3", 0), answered.callback)
    ports.send(Send(b"ask", ports.local("server"), "client"))
    datagram = await asked
    assert datagram == Datagram(b"ask", ports.local("client"), "127.0.0.2", "", "server")
    ports.send(Send(b"answer", datagram.source, "server", datagram.destination))
    assert await answered == Datagram(b"answer", ports.local("server"), "127.0.0.3", "", "client")
    ports.close_all()


async def test_a_burst_is_not_lost() -> None:
    ports = UdpPorts(reactor)
    seen: list[bytes] = []
    complete: Deferred[None] = Deferred()

    def receive(datagram: Datagram) -> None:
        seen.append(datagram.payload)
        if len(seen) == 2000:
            complete.callback(None)

    ports.open("p", ANY, receive)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(2000):
            client.sendto(b"%d" % number, ports.local("p"))
        await complete
    assert seen == [b"%d" % number for number in range(2000)]
    ports.close_all()


async def test_a_reply_leaves_from_the_address_it_names() -> None:
    ports = UdpPorts(reactor)
    arrived: Deferred[Datagram] = Deferred()
    ports.open("server", Endpoint("0.0.0.0", 0), lambda datagram: None)
    ports.open("client", ANY, arrived.callback)
    ports.send(Send(b"x", ports.local("client"), "server", source="127.0.0.3"))
    assert (await arrived).source == Endpoint("127.0.0.3", ports.local("server").port)
    ports.close_all()


@pytest.mark.parametrize(("host", "source"), [("127.0.0.2", ""), ("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.3")])
async def test_several_datagrams_leave_together_in_their_order(host: str, source: str) -> None:
    ports = UdpPorts(reactor)
    seen: list[Datagram] = []
    complete: Deferred[None] = Deferred()

    def receive(datagram: Datagram) -> None:
        seen.append(datagram)
        if len(seen) == 3:
            complete.callback(None)

    ports.open("client", Endpoint("127.0.0.1", 0), receive)
    ports.open("server", Endpoint(host, 0), receive)
    ports.burst(Burst((b"1", b"2", b"3"), ports.local("client"), "server", source))
    await complete
    assert [datagram.payload for datagram in seen] == [b"1", b"2", b"3"]
    assert {datagram.source.host for datagram in seen} == {source or host}
    ports.close_all()
    with pytest.raises(OSError, match="not open"):
        ports.burst(Burst((b"1", b"2"), Endpoint("127.0.0.1", 9), "server"))


async def test_a_port_answers_its_peer_without_the_core_as_long_as_there_is_an_answer() -> None:
    ports = UdpPorts(reactor)
    heard: list[bytes] = []
    received: list[Datagram] = []
    complete: Deferred[None] = Deferred()

    def receive(datagram: Datagram) -> None:
        received.append(datagram)
        if len(received) == 3:
            complete.callback(None)

    ports.open("server", ANY, receive)
    ports.open("peer", ANY, lambda datagram: heard.append(datagram.payload))
    ports.open("other", ANY, lambda datagram: None)
    to, peer = ports.local("server"), ports.local("peer")
    answers = {b"one": Train(b"1", 9), b"two": Train(b"222", 2)}
    ports.direct(Direct("server", peer, None), answers.get)
    for payload in (b"one", b"two", b"three"):
        ports.send(Send(payload, to, "peer"))
    ports.send(Send(b"one", to, "other"))
    while len(received) < 2 or len(heard) < 3:
        await deferLater(reactor, 0.01)
    ports.direct(Direct("server", peer, None), None)
    ports.send(Send(b"one", to, "peer"))
    await complete
    assert heard == [b"1", b"22", b"2"]
    assert received[2] == Datagram(b"one", peer, to.host, "", "server")
    assert {(datagram.payload, datagram.source) for datagram in received[:2]} == {(b"three", peer), (b"one", ports.local("other"))}
    ports.close_all()


async def test_an_answer_that_cannot_leave_is_lost_and_the_port_goes_on() -> None:
    ports = UdpPorts(reactor)
    heard: Deferred[bytes] = Deferred()
    ports.open("server", ANY, lambda datagram: None)
    ports.open("peer", ANY, lambda datagram: heard.callback(datagram.payload))
    ports.direct(Direct("server", ports.local("peer"), None), lambda payload: Train(payload * 20_000, 1 << 20))
    for payload in (b"too long", b"x"):
        ports.send(Send(payload, ports.local("server"), "peer"))
    assert await heard == b"x" * 20_000
    ports.close_all()


async def test_a_port_with_every_address_gives_all_to_the_core() -> None:
    """Each datagram has to tell the address that it was sent to, which the answer leaves from."""
    ports = UdpPorts(reactor)
    received: Deferred[Datagram] = Deferred()
    ports.open("server", Endpoint("0.0.0.0", 0), received.callback)
    ports.open("peer", ANY, lambda datagram: None)
    ports.direct(Direct("server", ports.local("peer"), None), lambda payload: Train(b"1", 1))
    ports.direct(Direct("closed", ports.local("peer"), None), lambda payload: Train(b"1", 1))
    ports.send(Send(b"one", Endpoint("127.0.0.1", ports.local("server").port), "peer"))
    assert (await received).payload == b"one"
    ports.close_all()


async def test_a_receiver_that_raises_does_not_make_the_port_deaf(no_logged_failure: list[LogEvent]) -> None:
    ports = UdpPorts(reactor)
    second: Deferred[bytes] = Deferred()

    def receive(datagram: Datagram) -> None:
        if datagram.payload == b"poison":
            raise ZeroDivisionError("a bug")
        second.callback(datagram.payload)

    ports.open("p", ANY, receive)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"poison", ports.local("p"))
        client.sendto(b"good", ports.local("p"))
        assert await second == b"good"
    ports.close_all()
    assert [event["log_failure"].type for event in no_logged_failure] == [ZeroDivisionError]
    no_logged_failure.clear()


async def test_a_port_that_cannot_be_read_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: Deferred[str] = Deferred()
    ports = UdpPorts(reactor, lost.callback)
    ports.open("p", Endpoint("0.0.0.0", 0), lambda datagram: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        local = ports.local("p")
        monkeypatch.setattr("voxpath.io.datagrams._ANCILLARY", -1)
        client.sendto(b"x", local)
        assert str(local) in await lost
    ports.close_all()


class Connected(LocalPort):
    """A port that gets errors with nothing to read, as one on an interface that goes down does."""

    given_up: Deferred[None]
    peer: tuple[str, int]

    def reader(self) -> Callable[[], Datagram]:
        return lambda: Datagram(self._socket.recv(100), ANY, "", "", self.name)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self.given_up.callback(None)


async def given_up(told: Callable[[str], None]) -> Connected:
    """A port that the reactor has given up on, since nobody hears where it is connected to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.connect(nobody.getsockname())
    opened.setblocking(False)
    local = Endpoint(*opened.getsockname())
    port = Connected(reactor, "p", opened, local, lambda datagram: told(datagram.payload.decode()), "", told)
    port.given_up, port.peer = Deferred(), opened.getpeername()
    opened.send(b"to nobody")
    await port.given_up
    return port


async def test_an_error_that_passes_leaves_the_port_open() -> None:
    told: Deferred[str] = Deferred()
    port = await given_up(told.callback)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(port.peer)
        peer.sendto(b"heard", port.local)
        assert await told == "heard"
    port.close()


async def test_an_error_that_does_not_pass_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxpath.io.local.PASSING", frozenset())
    told: list[str] = []
    port = await given_up(told.append)
    assert told == [f"the UDP port {port.local} cannot be read: Connection refused"]


def test_sending_from_a_port_that_is_not_open_is_an_error() -> None:
    with pytest.raises(OSError, match="not open"):
        UdpPorts(reactor).send(Send(b"x", ANY, "nothing"))


def test_a_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    ports = UdpPorts(reactor)
    ports.open("first", ANY, lambda datagram: None)
    with pytest.raises(OSError, match="in use"):
        ports.open("second", ports.local("first"), lambda datagram: None)
    ports.close("first")
    ports.close_all()


@pytest.mark.parametrize("payload", [b"", b"x", b"even", b"\xff" * 301])
def test_a_packet_made_by_hand_has_right_checksums(payload: bytes) -> None:
    packet = udp_packet(payload, Endpoint("10.0.0.1", 67), Endpoint("10.0.0.11", 68))

    def total(octets: bytes) -> int:
        octets += b"\0" * (len(octets) % 2)
        value = sum(int.from_bytes(octets[place : place + 2], "big") for place in range(0, len(octets), 2))
        while value >> 16:
            value = (value & 0xFFFF) + (value >> 16)
        return value

    assert total(packet[:20]) == 0xFFFF
    pseudo = packet[12:20] + b"\0\x11" + (8 + len(payload)).to_bytes(2, "big")
    assert total(pseudo + packet[20:]) == 0xFFFF
    assert packet[28:] == payload
