"""Site A alone: one gateway, phones with stock programs, and a host outside that hears what comes through the NAT."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from tests.live.capture import Capture
from tests.live.dhcpclients import Phone, Ports
from tests.live.sites import CONTROLLERS, PROVIDER, SITE_A, Stage, until
from voxpath.manage.client import ask

GATEWAY = SITE_A.gateway
OUTSIDE = "isp"
RELAY, CIRCUIT = "relay", "down0"
"""A router with a relay, and its interface to phones, whose name is their circuit."""

ENTRY = 64
"""Ports of one entry of the kernel's map of blocks, by the default of `ports.block`."""
FOREIGN_MAC = "06:00:00:00:00:{:02x}"
OWN_MAC = "02:00:00:00:0c:{:02x}"


class Bench(Stage):
    """One gateway between phones and :data:`OUTSIDE`, whose address is ``PROVIDER``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, ledger_feed=False)
        self._phones = 0

    def build(self) -> None:
        """Lay the cables of the site, without any phone."""
        net = self.net
        net.create(OUTSIDE)
        net.bridge(OUTSIDE, "wan")
        net.address(OUTSIDE, "wan", f"{PROVIDER}/24")
        self.connect(GATEWAY, SITE_A.wan)
        net.route(OUTSIDE, f"{SITE_A.public}/32", SITE_A.wan)
        self.add_lan("lan0", "10.0.0.1/24")

    def add_lan(self, name: str, prefix: str) -> None:
        """Give the gateway a LAN."""
        self.net.bridge(GATEWAY, name)
        self.net.address(GATEWAY, name, prefix)

    def add_relay(self) -> None:
        """Put the host :data:`RELAY` beyond ``trunk0``: a router to 10.2.0.0/24, whose phones stand on :data:`CIRCUIT`."""
        net = self.net
        self.add_lan("trunk0", "10.9.0.1/24")
        net.create(RELAY)
        net.veth(RELAY, "up0", GATEWAY, "cable0")
        net.plug(GATEWAY, "trunk0", "cable0")
        net.address(RELAY, "up0", "10.9.0.2/24")
        net.route(RELAY, "default", "10.9.0.1")
        net.sysctl(RELAY, "net.ipv4.ip_forward", "1")
        net.bridge(RELAY, CIRCUIT)
        net.address(RELAY, CIRCUIT, "10.2.0.1/24")
        net.route(GATEWAY, "10.2.0.0/24", "10.9.0.2")

    def relays(self, upwards: str = "-iu") -> AbstractContextManager[Popen[bytes]]:
        """Let isc-dhcp-relay pass on what it hears, with the circuit in option 82.

        :param upwards: ``-U``: it names its side towards the server in giaddr, and the phones' link in sub-option 5 of option 82.
        """
        pid = str(self.directory / "dhcrelay.pid")
        argv = ["dhcrelay", "-4", "-d", "-a", "-pf", pid, "-id", CIRCUIT, upwards, "up0", "10.9.0.1"]
        return self.net.running(RELAY, argv)

    def configure(self, text: str) -> None:
        """Write a configuration of one's own."""
        self.write(GATEWAY, text)

    def begin(self, command: str = "voxpath-sg") -> None:
        """Start the gateway and wait until it serves."""
        self.start(GATEWAY, command)
        self.serving(GATEWAY)

    def controller(self, name: str) -> None:
        """Add a controller, and wait until it serves."""
        self.connect(name, CONTROLLERS[name])
        self.write_controller(name)
        self.start(name, "voxpath-mgc")
        self.serving(name)

    def phone(self, *, lan: str = "lan0", mac: str = "") -> Phone:
        """Plug a new phone into a LAN; unless told otherwise its Ethernet address is one that is served."""
        self._phones += 1
        name = f"p{self._phones}"
        chosen = mac or OWN_MAC.format(self._phones)
        self.net.create(name)
        self.net.veth(name, "eth0", GATEWAY, name)
        self.net.mac(name, "eth0", chosen)
        self.net.plug(GATEWAY, lan, name)
        return Phone(self.net, name, chosen, self.directory)

    def far_phone(self, *, mac: str = "") -> Phone:
        """Plug a new phone in behind :data:`RELAY`."""
        phone = self.phone(mac=mac)
        self.net.ip(GATEWAY, "link", "set", phone.name, "nomaster")
        self.net.ip(GATEWAY, "link", "set", phone.name, "netns", self.net.full(RELAY))
        self.net.plug(RELAY, CIRCUIT, phone.name)
        return phone

    def capture(self, name: str, interface: str, expression: str = "") -> Capture:
        """See what passes an interface."""
        return Capture(self.net, name, interface, self.directory, expression)

    # What the gateway says.

    def ask(self, verb: str, *arguments: str) -> list[dict[str, Any]]:
        """Rows of a command."""
        return [dict(row) for row in self.rows(GATEWAY, verb, *arguments)]

    def items(self, verb: str = "status", *arguments: str) -> dict[str, str]:
        """What a command tells by name."""
        return {row["item"]: row["value"] for row in self.ask(verb, *arguments)}

    def row_of(self, verb: str, phone: Phone) -> dict[str, Any]:
        """A phone's row of a command; empty if it has none."""
        return next((row for row in self.ask(verb) if row["phone"] == phone.mac), {})

    def why(self, phone: Phone, event: str = "") -> list[dict[str, Any]]:
        """Decisions about a phone, all of them or those of one event type."""
        return [row for row in self.ask("why", phone.mac) if event in {"", row["id"]}]

    def events(self, event: str) -> list[dict[str, Any]]:
        """The last events of one type."""
        entries = ask(self.socket(GATEWAY), "events", ("100",)).entries
        return [{"text": entry.text, **entry.fields} for entry in entries if entry.id == event]

    def role(self, name: str, process: str = GATEWAY) -> dict[str, Any]:
        """The row of a role."""
        return dict(next(row for row in self.rows(process, "roles") if row["role"] == name))

    def dropped(self, reason: str) -> int:
        """Packets that the NAT dropped for a reason."""
        return int(next(row["value"] for row in self.ask("nat") if row["item"] == f"drops {reason}"))

    def kernel(self) -> set[tuple[str, int, str]]:
        """The kernel's mappings: public address, first port of each entry, private address."""
        listed = json.loads(self.net.run(GATEWAY, ["nft", "-j", "list", "map", "ip", "voxpath", "in_block"]).stdout)
        elements = next(part["map"] for part in listed["nftables"] if "map" in part).get("elem", [])
        found = set()
        for key, private in elements:
            public, port = key["elem"]["val"]["concat"]
            found.add((public, port, private))
        return found

    def has_block(self, phone: Phone, ports: Ports, address: str) -> None:
        """The block that the phone was told of is its own in ``blocks``, and all of it is in the kernel."""
        row = self.row_of("blocks", phone)
        assert (row["block"], row["state"], row["private"]) == (str(ports), "held", address)
        assert {(ports.public, first, address) for first in range(ports.first, ports.last + 1, ENTRY)} == {
            entry for entry in self.kernel() if entry[2] == address
        }

    def whole_log(self, name: str = GATEWAY) -> str:
        """All of a process's log, unless it says otherwise the gateway's."""
        return super().whole_log(name)

    def is_sound(self, *names: str) -> None:
        """No process fell over anything; unless some are named, the gateway is meant."""
        super().is_sound(*(names or (GATEWAY,)))

    # Traffic.

    def udp(self, name: str, port: int, host: str = "") -> socket.socket:
        """A UDP socket on a host, with a time-out."""
        with self.net.entered(name):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.settimeout(3)
        opened.bind((host, port))
        return opened

    def tcp(self, name: str, port: int, host: str = "") -> socket.socket:
        """A TCP socket on a host, with a time-out."""
        with self.net.entered(name):
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.settimeout(3)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        return opened


@contextmanager
def bench_of(directory: Path, configure: Callable[[Bench], None] | None = None, command: str = "voxpath-sg") -> Iterator[Bench]:
    """A bench that serves; without ``configure`` it has the ordinary configuration of site A."""
    with Bench(directory) as bench:
        bench.build()
        if configure is None:
            bench.write_gateway(SITE_A)
        else:
            configure(bench)
        bench.begin(command)
        yield bench


class Echo:
    """A UDP echo outside, in a thread of its own."""

    def __init__(self, bench: Bench, port: int) -> None:
        self._socket = bench.udp(OUTSIDE, port)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Echo":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                octets, source = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            self._socket.sendto(octets, source)


class Stream:
    """Numbered datagrams every 5 ms, and which of them came back.

    :ivar sent: how many were sent.
    :ivar back: the numbers that came back.
    """

    SPACING_S = 0.005

    def __init__(self, outgoing: socket.socket, far: tuple[str, int]) -> None:
        self.sent = 0
        self.back: set[int] = set()
        self._socket = outgoing
        self._far = far
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]

    def __enter__(self) -> "Stream":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def flows(self, more: int = 20) -> None:
        """Wait until so many further datagrams came back."""
        wanted = len(self.back) + more
        until(lambda: len(self.back) >= wanted, f"{more} more of {self.sent} datagrams come back", 5)

    def finish(self) -> list[int]:
        """Stop sending; give the numbers that were lost."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return sorted(set(range(self.sent)) - self.back)

    def _send(self) -> None:
        while not self._ended.wait(self.SPACING_S):
            self._socket.sendto(self.sent.to_bytes(4, "big"), self._far)
            self.sent += 1

    def _receive(self) -> None:
        self._socket.settimeout(0.3)
        while True:
            try:
                self.back.add(int.from_bytes(self._socket.recv(16), "big"))
            except TimeoutError:
                if self._ended.is_set():
                    return
