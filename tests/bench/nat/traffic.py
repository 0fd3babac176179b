"""``python -m tests.bench.nat.traffic OBJECT INTERFACE MAC WAY PHONES PACKETS``: send packets of many phones, made in the kernel.

It runs on the first processor, as does what a kernel back end makes of the packets, and prints how many seconds that took.
"""

import ctypes
import os
import socket
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path
from struct import Struct

from voxpath.model.ports import Mapping, PortBlock
from voxpath.natreactor.ebpf.libbpf import LIBRARY, BpfObject
from voxpath.testing.nat.packets import udp

SOURCE = Path(__file__).with_name("traffic.bpf.c")

BLOCK = 64
FIRST_PORT = 1536
PHONES_OF_ONE = 1000
"""Phones behind one public address: all blocks that it has from the first port on."""
PEER, PEER_PORT = "198.51.100.9", 40000
MOST_PORTS, MOST_FLOWS = 32, 32_000
PAYLOAD = 172
"""Octets of an RTP packet of 20 ms of G.711."""

OUTWARD, INWARD, UNTRANSLATED = "outward", "inward", "untranslated"
WAYS = (OUTWARD, INWARD, UNTRANSLATED)
"""From phones; to their public addresses; and to their inside addresses, where nothing is translated."""

LIVE_FRAMES, BATCH = 2, 64
ETHERNET, HEADERS = 14, 42
ORDER = Struct("=IIIIIII6s2x")


class RunOptions(ctypes.Structure):
    """``struct bpf_test_run_opts``."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_char_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


def compiled(directory: Path) -> Path:
    """The programs as an object, made with Debian's compiler."""
    made = directory / "traffic.bpf.o"
    headers = next(Path("/usr/include").glob("*-linux-gnu"))
    command = [
        "clang-14",
        "-target",
        "bpfel",
        "-mcpu=v3",
        "-O2",
        "-g",
        "-idirafter",
        str(headers),
        "-c",
        str(SOURCE),
        "-o",
        str(made),
    ]
    subprocess.run(command, check=True, timeout=60)
    return made


def mapping(phone: int) -> Mapping:
    """The block of a phone, as the generator numbers phones."""
    private = IPv4Address("10.1.1.1") + (phone // 250 << 8) + phone % 250
    public = IPv4Address("203.0.113.1") + phone // PHONES_OF_ONE
    return Mapping(private, PortBlock(public, FIRST_PORT + phone % PHONES_OF_ONE * BLOCK, BLOCK))


def packet(row: Mapping, way: str, payload: bytes) -> bytes:
    """One packet of a phone."""
    private, public, port = str(row.private), str(row.block.public), row.block.first
    if way == OUTWARD:
        return udp(private, port, PEER, PEER_PORT, payload)
    return udp(PEER, PEER_PORT, public if way == INWARD else private, port, payload)


def template() -> bytes:
    """A frame without all that the program writes."""
    plain = bytearray(udp("0.0.0.0", 0, "0.0.0.0", 0, bytes(PAYLOAD)))
    plain[10:12] = plain[26:28] = b"\0\0"
    return bytes(12) + b"\x08\x00" + bytes(plain)


def ports_of(phones: int) -> int:
    """How many ports of each phone send and receive: a power of two, and not more flows than connection tracking has room for."""
    return 1 << min(MOST_PORTS, MOST_FLOWS // phones).bit_length() - 1


def sum_of(octets: bytes) -> int:
    """The sum of words that a checksum begins with."""
    return sum(int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2))


def send(made: BpfObject, interface: str, mac: bytes, way: str, phones: int, packets: int) -> float:
    """Send so many packets; give the seconds."""
    frame = template()
    length = 8 + PAYLOAD
    sums = sum_of(frame[ETHERNET : ETHERNET + 20]), socket.IPPROTO_UDP + 2 * length
    order = ORDER.pack(phones, BLOCK, ports_of(phones), WAYS.index(way), socket.if_nametoindex(interface), *sums, mac)
    made.map("orders").put(bytes(4), order)
    library = ctypes.CDLL(LIBRARY)
    options = RunOptions(
        sz=ctypes.sizeof(RunOptions),
        data_in=frame,
        data_size_in=len(frame),
        repeat=packets,
        flags=LIVE_FRAMES,
        batch_size=BATCH,
    )
    before = time.perf_counter()
    result = library.bpf_prog_test_run_opts(made.program("generate"), ctypes.byref(options))
    taken = time.perf_counter() - before
    if result:
        raise SystemExit(f"the kernel sends nothing: {os.strerror(-result)}")
    return taken


def main(words: list[str]) -> int:
    """Send, and tell the seconds."""
    os.sched_setaffinity(0, {0})
    file, interface, mac, way, phones, packets = words
    made = BpfObject(Path(file), {}, {})
    print(send(made, interface, bytes.fromhex(mac.replace(":", "")), way, int(phones), int(packets)))
    made.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
