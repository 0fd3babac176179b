"""Power returns: thousands of phones boot at the same moment, each with the timers of RFC 2131 section 4.1."""

import select
import socket
import time
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.bench.dhcp.servers import SERVERS, VENDOR_CLASS
from tests.bench.dhcp.site import LOAD, PHONES, Cable
from tests.bench.part import STATE_PARENT
from tests.bench.site import Site
from tests.soak.crash import BUFFER_OCTETS, SO_RCVBUFFORCE, Acked, check
from voxpath.core.timers import TimerHeap
from voxpath.dhcp.client import Acknowledged, DhcpClient, Offered, Refused
from voxpath.dhcp.message import CLIENT_PORT, SERVER_PORT
from voxpath.dhcp.wire import CHADDR_AT
from voxpath.model.address import BROADCAST_HOST, MAC_LENGTH, Mac

FIRST_WAIT_S, LONGEST_WAIT_S = 4.0, 64.0
"""After so many seconds, more or less one, a client asks again; each further wait is twice as long, up to the longest."""

GIVEN_UP_AFTER_S = 120.0
AT_ONCE = 64
"""Messages that are sent, or read, before the others have their turn."""


class Booting:
    """One phone on its way to a lease.

    :ivar acked: what it was told; ``None``: it has no lease yet.
    """

    def __init__(self, mac: Mac, chance: Random) -> None:
        self.acked: Acked | None = None
        self._wait_s = FIRST_WAIT_S
        self._chance = chance
        self._client = DhcpClient(mac, VENDOR_CLASS, chance, registers=False)
        self._message = self._client.discover()

    def send(self) -> tuple[bytes, float]:
        """The message to send now, and the time until it is sent again."""
        wait_s, self._wait_s = self._wait_s, min(LONGEST_WAIT_S, 2 * self._wait_s)
        return self._message, wait_s + self._chance.uniform(-1, 1)

    def receive(self, payload: bytes) -> bool:
        """Take an answer; tell whether there is another message to send."""
        match self._client.read(payload):
            case Offered(lease):
                self._message = self._client.request(lease)
            case Refused():
                self._message = self._client.discover()
            case Acknowledged(lease):
                self.acked = Acked(lease.address, lease.block)
                return False
            case _:
                return False
        self._wait_s = FIRST_WAIT_S
        return True


class Storm:
    """All phones on one cable.

    :ivar sent: messages of all phones.
    """

    def __init__(self, site: Site, phones: int, chance: Random) -> None:
        self.sent = 0
        macs = [Mac(b"\0\x0c" + number.to_bytes(4, "big")) for number in range(phones)]
        self.phones: dict[bytes, Booting] = {mac: Booting(mac, chance) for mac in macs}
        self._timers: TimerHeap[bytes] = TimerHeap()
        with site.net.entered(PHONES):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, LOAD.encode() + b"\0")
        self._socket.bind(("", CLIENT_PORT))
        self._socket.setblocking(False)

    def run(self) -> float:
        """Let all boot at once; tell after how many seconds the last one had its lease."""
        began = time.monotonic()
        for mac in self.phones:
            self._timers.arm(mac, began)
        while len(self._timers):
            now = time.monotonic()
            assert now < began + GIVEN_UP_AFTER_S, f"{len(self._timers)} phones have no lease after {GIVEN_UP_AFTER_S:.0f} s"
            for mac in list(islice(self._timers.due(now), AT_ONCE)):
                self._send(mac, now)
            self._read()
        return time.monotonic() - began

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, mac: bytes, now: float) -> None:
        payload, wait_s = self.phones[mac].send()
        self._socket.sendto(payload, (BROADCAST_HOST, SERVER_PORT))
        self._timers.arm(mac, now + wait_s)
        self.sent += 1

    def _read(self) -> None:
        due = self._timers.next_due()
        idle_s = 0.0 if due is None else max(0.0, due - time.monotonic())
        if not select.select([self._socket], [], [], idle_s)[0]:
            return
        for _ in range(AT_ONCE):
            try:
                payload = self._socket.recv(4096)
            except BlockingIOError:
                return
            mac = payload[CHADDR_AT : CHADDR_AT + MAC_LENGTH]
            phone = self.phones[mac]
            if phone.receive(payload):
                self._send(mac, time.monotonic())
            elif phone.acked is not None:
                self._timers.disarm(mac)


def storm(seed: int, phones: int) -> str:
    """Boot so many phones at once; what they were told has to be what the gateway, its store and the kernel have."""
    chance = Random(seed)
    with Cable() as site, TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-soak-") as name:
        directory = Path(name)
        server = site.start(SERVERS[0].prepare(directory), directory / "output")
        weather = Storm(site, phones, chance)
        try:
            taken_s = weather.run()
        finally:
            weather.close()
        acked = {str(mac): phone.acked for mac, phone in weather.phones.items() if phone.acked is not None}
        assert len(acked) == phones
        assert len({told.address for told in acked.values()}) == phones, "two phones were told one address"
        assert len({told.block for told in acked.values()}) == phones, "two phones were told one block of ports"
        check(site, directory, acked)
        site.net.end(server)
        return f"{phones} phones booted within {taken_s:.1f} s, by {weather.sent} messages; no address or port has two owners"
