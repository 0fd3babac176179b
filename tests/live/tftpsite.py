"""A gateway that serves files by TFTP without the rest of voxpath, with a phone and a stranger on its LAN."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from tests.io.test_files import plant
from tests.live.capture import Capture
from tests.live.namespaces import Namespaces
from tests.live.sites import until

SERVER, PHONE, OTHER = "10.9.0.1", "10.9.0.2", "10.9.0.3"
BOX = "020000000a01"
"""The phone's drop box."""
IMAGE = Random(1).randbytes(300_000)
LOG = b"".join(b"line %d of the log\n" % number for number in range(4000))
SCRIPT = Path(__file__).parent / "tftp_serve.py"
PUTS: dict[str, Callable[[str, str], list[str]]] = {
    "tftp-hpa": lambda file, name: ["tftp", "-m", "binary", SERVER, "-c", "put", file, name],
    "curl": lambda file, name: ["curl", "-sS", "-m", "20", "-T", file, f"tftp://{SERVER}/{name}"],
    "atftp": lambda file, name: ["atftp", "-p", "-l", file, "-r", name, SERVER],
    "atftp in windows": lambda file, name: [
        "atftp", "--option", "blksize 1428", "--option", "windowsize 8", "-p", "-l", file, "-r", name, SERVER,
    ],
    "busybox": lambda file, name: ["busybox", "tftp", "-p", "-b", "1400", "-l", file, "-r", name, SERVER],
}  # fmt: skip
"""How each stock client writes a file under a name."""


class Site:
    """A gateway that serves files, a phone that holds a lease, and another host that holds none."""

    def __init__(self, net: Namespaces, directory: Path) -> None:
        self.net = net
        self.images, self.uploads = plant(directory), directory / "uploads"
        self._directory = directory
        (self.images / "f.bin").write_bytes(IMAGE)
        (directory / "log.txt").write_bytes(LOG)
        net.create("gw", "phone", "other")
        net.veth("gw", "p1", "phone", "eth0")
        net.veth("gw", "p2", "other", "eth0")
        net.bridge("gw", "lan", "p1", "p2")
        net.address("gw", "lan", f"{SERVER}/24")
        net.address("phone", "eth0", f"{PHONE}/24")
        net.address("other", "eth0", f"{OTHER}/24")

    @contextmanager
    def serving(self, *before: str, read_only: bool = False, **settings: Any) -> Iterator[None]:
        """Run the server with these settings; ``before`` stands before its command line."""
        boxes = "" if read_only else str(self.uploads)
        argv = [*before, sys.executable, str(SCRIPT), SERVER, str(self.images), PHONE, boxes, json.dumps(settings)]
        log = self._directory / "log"
        with log.open("w") as output, self.net.running("gw", argv, stdout=output, stderr=subprocess.STDOUT):
            self.tells("ready")
            yield

    @contextmanager
    def captured(self) -> Iterator[Capture]:
        """See what passes the LAN."""
        with Capture(self.net, "gw", "lan", self._directory, "udp") as capture:
            yield capture

    def told(self) -> str:
        """What the server has told so far."""
        return (self._directory / "log").read_text()

    def tells(self, text: str, times: int = 1) -> None:
        """Wait until the server has told of something; a client may hear of it first."""
        until(lambda: self.told().count(text) >= times, f"{text!r} {times} times in:\n{self.told()}", 20)

    def kept(self) -> dict[str, bytes]:
        """The files in the phone's box."""
        return {file.name: file.read_bytes() for file in (self.uploads / BOX).iterdir()}

    def put(self, program: str, name: str, host: str = "phone") -> subprocess.CompletedProcess[str]:
        """Let a client write the log."""
        return self.net.run(host, PUTS[program](str(self._directory / "log.txt"), name), check=False, timeout=60)


def is_sound(wire: Capture) -> None:
    """TFT-2: tshark finds nothing wrong with what the server sent."""
    sent = wire.tshark(f"tftp && ip.src == {SERVER}", "tftp.opcode", "_ws.expert.message", "_ws.malformed")
    assert sent
    assert {row[1:] for row in sent} == {("", "")}
