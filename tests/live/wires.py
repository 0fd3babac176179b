"""Raw Ethernet at the two ends of a gateway, so that tests see exactly what leaves it and what does not."""

import fcntl
import os
import select
import socket
import struct
from array import array
from ipaddress import IPv4Address
from types import TracebackType

from tests.live.namespaces import Namespaces

ETH_ALL = 3
ETH_IP = b"\x08\x00"
ETH_ARP = b"\x08\x06"
OUTGOING = 4
ANSWER_S = 2.0
MOST = 65536

SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2C


def receive_frames(net: Namespaces, name: str, interface: str) -> None:
    """Let an end of a virtual cable take frames that an XDP program sends at the other end: it does so while GRO is on."""
    wanted = array("I", [ETHTOOL_SGRO, 1])
    with net.entered(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        fcntl.ioctl(kernel, SIOCETHTOOL, struct.pack("16sQ16x", interface.encode(), wanted.buffer_info()[0]))


class Wire:
    """A host's end of the cable to a gateway: sends IP packets as they are, and hears all that arrives.

    :ivar gateway: the gateway's address on this cable, which has to answer ARP.
    """

    def __init__(self, net: Namespaces, name: str, interface: str, gateway: str) -> None:
        with net.entered(name):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        self._socket.bind((interface, ETH_ALL))
        self._socket.setblocking(False)
        self.mac: bytes = self._socket.getsockname()[4]
        self._gateway = IPv4Address(gateway).packed
        self._gateway_mac = b"\xff" * 6
        self._heard: list[bytes] = []
        self._gateway_mac = self.settle()

    def send(self, packet: bytes) -> None:
        """Send an IP packet to the gateway."""
        self._socket.send(self._gateway_mac + self.mac + ETH_IP + packet)

    def send_frame(self, destination: bytes | None, frame: bytes) -> None:
        """Send a frame, without its addresses, to an Ethernet address; ``None``: the gateway's."""
        self._socket.send((destination or self._gateway_mac) + self.mac + frame)

    def settle(self) -> bytes:
        """Wait until the gateway has dealt with everything sent so far: it answers ARP in turn. Give its Ethernet address."""
        question = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + self.mac + bytes(4) + bytes(6) + self._gateway
        self._socket.send(self._gateway_mac + self.mac + ETH_ARP + question)
        while select.select([self._socket], [], [], ANSWER_S)[0]:
            answer = self._take()
            if answer is not None and answer[:2] == ETH_ARP and answer[8:10] == b"\0\x02":
                return answer[10:16]
        raise AssertionError("the gateway does not answer ARP")

    def heard(self) -> list[bytes]:
        """The IP packets that arrived since the last call."""
        while select.select([self._socket], [], [], 0)[0]:
            self._take()
        heard, self._heard = self._heard, []
        return heard

    def close(self) -> None:
        """Let go of the cable."""
        self._socket.close()

    def _take(self) -> bytes | None:
        frame, address = self._socket.recvfrom(MOST)
        if address[2] == OUTGOING:
            return None
        if frame[12:14] == ETH_IP:
            self._heard.append(frame[14:])
        return frame[12:]


class OneProcessor:
    """Keeps the thread on one processor: packets between namespaces then keep the order in which they were sent.

    Test processes that run at the same time have one each.
    """

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0)
        process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        os.sched_setaffinity(0, {sorted(self._before)[process % len(self._before)]})

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        os.sched_setaffinity(0, self._before)
