"""What tcpdump saw on one interface, as frames or as tshark understands them."""

import re
import struct
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import NamedTuple

from tests.live.namespaces import Namespaces
from tests.live.sites import until

ETHERNET, RECORD, FILE = 14, 16, 24
UDP, TCP = 17, 6
BROADCAST = "255.255.255.255"
RTP_OCTETS = 12 + 160
"""A header, and 20 ms of G.711."""
LAN = IPv4Network("10.0.0.0/24")
MOST_OCTETS, BUFFER_KIB = 65535, 16384
"""Of one packet, for each of which the kernel keeps so much room, and of those that tcpdump has not taken yet: some 256.

By default it is eight, which a window of sixteen overruns while tcpdump waits for a processor.
"""
TRACEROUTE = re.compile(r"Possible traceroute: hop #\d+, attempt #\d+,?")
"""What tshark guesses from nothing but a port of 33434 to 33523, which a kernel may have chosen for a client."""


class Frame(NamedTuple):
    """One IPv4 packet with its Ethernet addresses; ports are 0 unless it is UDP or TCP."""

    link_to: str
    link_from: str
    protocol: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    payload: bytes


def rtp(frames: Iterable[Frame]) -> list[Frame]:
    """Those that carry 20 ms of sound."""
    return [frame for frame in frames if frame.protocol == UDP and len(frame.payload) == RTP_OCTETS]


class Passed(NamedTuple):
    """One UDP packet of a host as the other end knows it: all that a gateway that keeps ports must leave as it is."""

    outwards: bool
    port: int
    peer: str
    peer_port: int
    payload: bytes


def passed(frames: Iterable[Frame], own: str, neighbours: IPv4Network = LAN) -> Counter[Passed]:
    """The UDP packets of the host with the address ``own`` at one place of their way, without those to its neighbours.

    Before and after a gateway, each with the address that the host has there, these must be the same.
    """
    found: Counter[Passed] = Counter()
    for frame in frames:
        if frame.protocol != UDP or own not in {frame.source, frame.destination}:
            continue
        outwards = frame.source == own
        peer, peer_port = (frame.destination, frame.destination_port) if outwards else (frame.source, frame.source_port)
        if IPv4Address(peer) not in neighbours and peer != BROADCAST:
            found[Passed(outwards, frame.source_port if outwards else frame.destination_port, peer, peer_port, frame.payload)] += 1
    return found


class Capture:
    """tcpdump on an interface, for the length of a ``with`` block; it listens when the block begins.

    That something did *not* pass is shown by a later packet that did: wait for that one with :meth:`sees` first.
    """

    def __init__(self, net: Namespaces, name: str, interface: str, directory: Path, expression: str = "") -> None:
        self._file = directory / f"{name}-{interface}.pcap"
        self._log = directory / f"{name}-{interface}.tcpdump"
        self._net = net
        self._name = name
        options = ["-U", "--immediate-mode", "-Z", "root", "-s", str(MOST_OCTETS), "-B", str(BUFFER_KIB), "-n"]
        self._argv = ["tcpdump", *options, "-i", interface, "-w", str(self._file), *expression.split()]

    def __enter__(self) -> "Capture":
        self._file.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._process = self._net.spawn(self._name, self._argv, stderr=log)
        until(lambda: "listening on" in self._log.read_text(), f"tcpdump listens: {self._log.read_text()}", 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._net.end(self._process)

    def frames(self) -> list[Frame]:
        """All IPv4 packets so far."""
        return [frame for frame in map(_frame, _records(self._file.read_bytes())) if frame is not None]

    def sees(self, payload: bytes) -> Frame:
        """Wait for the first packet with this payload."""

        def found() -> list[Frame]:
            return [frame for frame in self.frames() if frame.payload == payload]

        first: Frame = until(found, f"{payload[:40]!r} passes {self._file.stem}", 5)[0]
        return first

    def tshark(self, display: str, *fields: str) -> list[tuple[str, ...]]:
        """The packets that a display filter selects, each as the values of some fields; several values stand with commas."""
        options = [word for field in fields for word in ("-e", field)]
        argv = ["tshark", "-n", "-r", str(self._file), "-Y", display, "-T", "fields", "-E", "separator=/t", *options]
        said = TRACEROUTE.sub("", self._net.run(self._name, argv).stdout)
        return [tuple(line.split("\t")) for line in said.splitlines()]

    def count(self, display: str) -> int:
        """How many packets a display filter selects."""
        return len(self.tshark(display, "frame.number"))

    def complaints(self, display: str) -> list[tuple[str, ...]]:
        """Packets that tshark finds malformed or warns of: severity 0x600000 is a warning, 0x800000 an error."""
        bad = f"({display}) && (_ws.malformed || _ws.expert.severity >= 0x600000)"
        return self.tshark(bad, "frame.number", "_ws.expert.message")


def _records(content: bytes) -> list[bytes]:
    found, at = [], FILE
    while at + RECORD <= len(content):
        length = struct.unpack_from("<I", content, at + 8)[0]
        if at + RECORD + length > len(content):
            break  # tcpdump is just writing it
        found.append(content[at + RECORD : at + RECORD + length])
        at += RECORD + length
    return found


def _frame(octets: bytes) -> Frame | None:
    if octets[12:14] != b"\x08\x00":
        return None
    packet = octets[ETHERNET : ETHERNET + int.from_bytes(octets[16:18], "big")]
    header, protocol = (packet[0] & 15) * 4, packet[9]
    ports, start = (0, 0), header
    if protocol in {UDP, TCP}:
        ports = struct.unpack_from("!HH", packet, header)
        start = header + (8 if protocol == UDP else (packet[header + 12] >> 4) * 4)
    source, destination = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
    return Frame(octets[:6].hex(":"), octets[6:12].hex(":"), protocol, source, ports[0], destination, ports[1], packet[start:])
