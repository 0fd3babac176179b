"""tshark as a judge of messages that were never on a wire: it is given a file with one datagram for each."""

import socket
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

FIELDS = ("_ws.col.Protocol", "_ws.expert.severity", "_ws.expert.message", "_ws.malformed")


class Verdict(NamedTuple):
    """What tshark says of a datagram.

    :ivar protocol: the innermost one that it recognised.
    :ivar severities: of its remarks; empty: it has none.
    :ivar remarks: their texts.
    :ivar malformed: empty: it could read the datagram to its end.
    """

    protocol: str
    severities: str
    remarks: str
    malformed: str


def pcap(datagrams: list[bytes], port: int) -> bytes:
    """A pcap file (link type 101, raw IP) with UDP datagrams from a port to the same port of another host."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, 101)]
    for payload in datagrams:
        udp = struct.pack(">HHHH", port, port, 8 + len(payload), 0) + payload
        addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
        packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses + udp
        parts.append(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
    return b"".join(parts)


def verdicts(datagrams: list[bytes], port: int, directory: Path) -> list[Verdict]:
    """What tshark says of each datagram."""
    file = directory / "judged.pcap"
    file.write_bytes(pcap(datagrams, port))
    program = ["tshark", "-r", str(file), "-T", "fields", *(word for field in FIELDS for word in ("-e", field))]
    rows = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert len(rows) == len(datagrams)
    return [Verdict(*row.split("\t")) for row in rows]
