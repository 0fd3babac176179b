"""kill -9 of the gateway at random moments of a DHCP load: nothing that was acknowledged is lost, nothing is given twice.

What was acknowledged is read from the wire, at the far end of the cable, so the server's own opinion does not count.
"""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

from tests.bench.dhcp import load
from tests.bench.dhcp.servers import SERVERS
from tests.bench.dhcp.site import GATEWAY, LOAD, PHONES, Cable
from tests.bench.part import STATE_PARENT
from tests.bench.site import START_S, Site
from voxpath.core.errors import RemoteError
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.options import read_assignment
from voxpath.dhcp.wire import decode
from voxpath.manage.client import NoServer, Refused, ask
from voxpath.manage.wire import Reply
from voxpath.model.ports import PortBlock

RATES = (50, 400)
LIFE_S = (0.1, 1.5)
"""Bounds of the load's rate, and of the time from its begin to the kill."""

GROUPS = 20
"""Groups of phones that come back in later rounds: their leases are renewed and killed again."""

SO_RCVBUFFORCE = 33
"""socket(7); the module socket does not name it."""
BUFFER_OCTETS = 64 * 1024 * 1024

ETHERTYPE_IP = 0x0800
IP_AND_UDP = 28
ELEMENT = re.compile(r"(\d+\.\d+\.\d+\.\d+) \. (\d+) counter")
SERVER_PORT = (67).to_bytes(2, "big")
LOAD_S = 3
"""Longer than any life, in whole seconds, as perfdhcp wants it."""
LATEST_S = 1.0
"""Replies in the cable's queue are read this long after the kill."""


class Acked(NamedTuple):
    """What an ACK on the wire told a phone."""

    address: IPv4Address
    block: PortBlock


class Recorder:
    """Reads every ACK that comes out of the cable.

    :ivar acked: what each phone was told.
    :ivar moved: phones that were told something else later, although they always came back within their lease.
    :ivar total: how many ACKs there were.
    """

    def __init__(self, site: Site) -> None:
        self.acked: dict[str, Acked] = {}
        self.moved: list[str] = []
        self.total = 0
        with site.net.entered(PHONES):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS)
        self._socket.bind((LOAD, ETHERTYPE_IP))
        self._socket.settimeout(0.1)
        self._ended = False
        self._thread = Thread(target=self._read, name="recorder", daemon=True)

    @contextmanager
    def running(self) -> Iterator["Recorder"]:
        """Record for the length of a ``with`` block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended = True
            self._thread.join()
            self._socket.close()

    def _read(self) -> None:
        while not self._ended:
            try:
                packet, (_, _, kind, *_) = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if kind != socket.PACKET_OUTGOING and packet[20:22] == SERVER_PORT:
                self._take(packet[IP_AND_UDP:])

    def _take(self, payload: bytes) -> None:
        try:
            message = decode(payload)
        except RemoteError:
            return
        if message.type is MessageType.ACK:
            block = read_assignment(message.options).block
            assert block is not None
            self.total += 1
            phone, told = str(message.mac), Acked(message.yiaddr, block)
            if self.acked.setdefault(phone, told) != told:
                self.moved.append(f"{phone} was told {self.acked[phone]}, then {told}")


def crash_sweep(seed: int, crashes: int) -> str:
    """Kill the gateway so many times; after each restart it must know all that was ever acknowledged."""
    chance = Random(seed)
    gateway = SERVERS[0]
    with Cable() as site, TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-soak-") as name:
        directory = Path(name)
        argv, log = gateway.prepare(directory), directory / "output"
        recorder = Recorder(site)
        with recorder.running():
            for number in range(crashes):
                server = site.start(argv, log)
                _load_until_killed(site, server, chance)
                server = site.start(argv, log)
                try:
                    check(site, directory, dict(recorder.acked))
                    assert not recorder.moved
                except AssertionError as error:
                    error.add_note(f"after crash {number + 1} of seed {seed}")
                    raise
                site.net.end(server, signal.SIGKILL if chance.random() < 0.5 else signal.SIGTERM)
        assert recorder.acked, "no ACK was seen: nothing was proven"
        return (
            f"{crashes} kills during {recorder.total} ACKs to {len(recorder.acked)} phones: "
            "every lease and block there after each restart, in store, ledger and kernel, no address or port with two owners"
        )


def _load_until_killed(site: Site, server: subprocess.Popen[bytes], chance: Random) -> None:
    first_mac = f"00:0c:{chance.randrange(GROUPS):02x}:00:00:00"
    command = load.command(chance.randint(*RATES), LOAD_S, first_mac)
    with site.net.running(PHONES, command, stderr=subprocess.DEVNULL):
        time.sleep(chance.uniform(*LIFE_S))
        assert server.poll() is None, "the gateway ended by itself"
        site.net.end(server, signal.SIGKILL)
        # What was acknowledged before the kill may still be on its way to the recorder, and nothing tells that it has come.
        time.sleep(LATEST_S)


def check(site: Site, directory: Path, acked: dict[str, Acked]) -> None:
    """Compare what the restarted gateway, its NAT and the phones believe."""
    control = str(directory / "control.sock")
    leases = answer(control, "leases")
    blocks = answer(control, "blocks")
    assert not leases.left_off
    assert not blocks.left_off
    held = {row["phone"]: row["address"] for row in leases.rows if row["state"] == "held"}
    assert len(set(held.values())) == len(held), "two phones have one address"
    owned = {row["phone"]: row for row in blocks.rows}
    ranges = sorted(_range(row["block"]) for row in blocks.rows)
    for (public, _, last), (other, first, _) in pairwise(ranges):
        assert public != other or last < first, f"two owners of ports at {public}:{first}"
    kernel = _kernel_blocks(site)
    for phone, told in acked.items():
        assert held.get(phone) == str(told.address), f"{phone} was told {told}, the gateway has {held.get(phone)}"
        row = owned.get(phone)
        assert row is not None, f"{phone} was told {told}, the gateway has no block"
        assert (row["block"], row["state"]) == (str(told.block), "held"), f"{phone} was told {told}, the gateway has {row}"
        assert (str(told.block.public), told.block.first) in kernel, f"{phone} was told {told}, which is not in the kernel"


def answer(control: str, verb: str, *arguments: str) -> Reply:
    """Ask the gateway; the control socket may come a moment after the DHCP port, and a role that failed starts again."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return ask(control, verb, arguments)
        except (NoServer, Refused) as error:
            if time.monotonic() > deadline or (isinstance(error, Refused) and "not running" not in str(error)):
                raise
            # Another process makes the socket: there is no event to wait for.
            time.sleep(0.05)


def _range(text: str) -> tuple[str, int, int]:
    public, _, ports = text.partition(":")
    first, _, last = ports.partition("-")
    return public, int(first), int(last or first)


def _kernel_blocks(site: Site) -> set[tuple[str, int]]:
    """Public address and first port of all blocks that the kernel translates."""
    listed = site.net.run(GATEWAY, ["nft", "--numeric", "list", "map", "ip", "voxpath", "in_block"]).stdout
    return {(public, int(port)) for public, port in ELEMENT.findall(listed)}
