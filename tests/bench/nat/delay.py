"""How long single packets take through a gateway, and how soon a lease is seen there."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import NamedTuple

from tests.bench.nat.site import GATEWAY_MACS, INSIDE_MAC, OUT, OUTSIDE_MAC, PHONES
from tests.bench.nat.traffic import BLOCK, FIRST_PORT, HEADERS, INWARD, OUTWARD, PAYLOAD, mapping, packet
from tests.live.namespaces import Namespaces
from voxpath.model.ports import Mapping, PortBlock, Transaction
from voxpath.natreactor.interface import INATReactor
from voxpath.testing.nat.rig import result_of

ETH_IP = 0x0800
RATE = 5000
"""Packets a second."""
LOST_S = 0.05
"""After so long a packet does not come any more."""
CHANGES = 20
CHANGING = Mapping(IPv4Address("10.1.200.1"), PortBlock(IPv4Address("203.0.113.11"), FIRST_PORT, BLOCK))
"""A lease that no phone of the generator has."""


class Ends(NamedTuple):
    """A socket at each side of the gateway.

    :ivar header: the Ethernet header of what is sent.
    """

    sender: socket.socket
    receiver: socket.socket
    header: bytes

    def delay_s(self, ip: bytes, marker: bytes) -> float | None:
        """Send a packet that has the marker at the beginning of its payload; ``None``: it does not come."""
        before = time.perf_counter()
        self.sender.send(self.header + ip)
        while time.perf_counter() < before + LOST_S:
            try:
                frame = self.receiver.recv(2048)
            except BlockingIOError:
                continue
            if frame[HEADERS : HEADERS + len(marker)] == marker:
                return time.perf_counter() - before
        return None


@contextmanager
def ends(net: Namespaces, way: str) -> Iterator[Ends]:
    """Sockets from the one side to the other."""
    names = (PHONES, OUT) if way == OUTWARD else (OUT, PHONES)
    opened = []
    try:
        for name in names:
            with net.entered(name):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_IP))
            opened.append(made)
            made.bind(("eth0", ETH_IP))
            made.setblocking(False)
        own = INSIDE_MAC if way == OUTWARD else OUTSIDE_MAC
        header = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (GATEWAY_MACS[names[0]], own))
        yield Ends(*opened, header + ETH_IP.to_bytes(2, "big"))
    finally:
        for made in opened:
            made.close()


def delays(net: Namespaces, way: str, phones: int, seconds: float) -> tuple[list[float], int]:
    """Microseconds of packets of all phones in turn, in order of length, and how many did not come."""
    found: list[float] = []
    lost = 0
    with ends(net, way) as both:
        begin = time.perf_counter()
        for number in range(int(RATE * seconds)):
            while time.perf_counter() < begin + number / RATE:
                pass
            marker = number.to_bytes(8, "big")
            taken = both.delay_s(packet(mapping(number % phones), way, marker.ljust(PAYLOAD, b"\0")), marker)
            if taken is None:
                lost += 1
            else:
                found.append(1e6 * taken)
    return sorted(found), lost


def lease_ms(net: Namespaces, nat: INATReactor) -> list[float]:
    """Milliseconds from a change to when the first packet sees it, which is tried; in order of length.

    :raises AssertionError: a packet did not see it.
    """
    found = []
    with ends(net, INWARD) as both:
        for number in range(CHANGES):
            marker = f"lease{number:03}".encode()
            arriving = packet(CHANGING, INWARD, marker.ljust(PAYLOAD, b"\0"))
            before = time.perf_counter()
            result_of(nat.apply(Transaction(nat.generation() + 1, (CHANGING,))))
            found.append(1000 * (time.perf_counter() - before))
            assert both.delay_s(arriving, marker) is not None, "a lease is not seen"
            result_of(nat.apply(Transaction(nat.generation() + 1, (), (CHANGING,))))
            assert both.delay_s(arriving, marker) is None, "the end of a lease is not seen"
    return sorted(found)
