"""The ports for ARP and ICMP echo, with a real kernel at both ends."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any

import pytest

from tests.live.namespaces import Namespaces
from tests.live.sites import until
from voxpath.core.effects import Datagram, Send
from voxpath.dhcp import arp, echo
from voxpath.dhcp.arp import Claim
from voxpath.io.ports import UdpPorts
from voxpath.model.address import BROADCAST_HOST, Endpoint, Mac

pytestmark = pytest.mark.live

OWN, OTHER = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
OTHER_MAC = Mac.parse("06:00:00:00:00:02")


class Readers:
    """A reactor that reads when it is told to."""

    def __init__(self) -> None:
        self.ports: list[Any] = []

    def addReader(self, port: Any) -> None:
        self.ports.append(port)

    def removeReader(self, port: Any) -> None:
        self.ports.remove(port)

    def read(self) -> None:
        for port in self.ports:
            port.doRead()


@pytest.fixture
def net() -> Iterator[Namespaces]:
    with Namespaces() as made:
        made.create("one", "two")
        made.veth("one", "eth0", "two", "eth0")
        made.mac("two", "eth0", str(OTHER_MAC))
        made.address("one", "eth0", f"{OWN}/24")
        made.address("two", "eth0", f"{OTHER}/24")
        yield made


def heard(reactor: Readers, found: list[Any], what: str) -> Any:
    return until(lambda: reactor.read() or found, what, 5)[0]


def test_the_neighbour_answers_arp(net: Namespaces) -> None:
    """The question carries the interface's own Ethernet address, so the answer comes back."""
    reactor, claims = Readers(), []
    ports = UdpPorts(reactor)

    def receive(datagram: Datagram) -> None:
        assert (datagram.interface, datagram.port) == ("eth0", "arp")
        claims.append(arp.read_claim(datagram.payload))

    with net.entered("one"):
        ports.open_arp("arp", receive, "eth0")
    ports.send(Send(arp.request(OTHER, OWN), Endpoint(BROADCAST_HOST, 0), "arp", interface="eth0"))
    assert heard(reactor, claims, "the neighbour answers") == Claim(OTHER, OTHER_MAC)
    ports.close_all()
    assert reactor.ports == []


def test_a_host_beyond_the_link_answers_an_echo_and_nothing_else_is_heard(net: Namespaces) -> None:
    """The kernel passes on echo replies alone: neither the other host's own echo nor that a port is closed."""
    reactor, here, there = Readers(), [], []
    ports = UdpPorts(reactor)
    with net.entered("one"):
        ports.open_echo("icmp", here.append)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, suppress(OSError):
            udp.sendto(b"to a closed port", (str(OTHER), 9))
    with net.entered("two"):
        ports.open_echo("there", there.append)
    ports.send(Send(echo.request(5, 1), Endpoint(str(OWN), 0), "there"))
    heard(reactor, there, "this host answers the other one")
    ports.send(Send(echo.request(7, 1), Endpoint(str(OTHER), 0), "icmp"))
    first = heard(reactor, here, "the echo comes back")
    assert (first.source.host, first.port) == (str(OTHER), "icmp")
    assert echo.is_reply(first.payload, 7)
    ports.close_all()


def test_without_its_interface_there_is_no_port() -> None:
    """The error names the interface."""
    with pytest.raises(OSError, match="ARP on none0 cannot be heard"):
        UdpPorts(Readers()).open_arp("arp", print, "none0")
