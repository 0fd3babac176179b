"""Phones write logs to a gateway whose disk fails: power that goes at the n-th flush, errors of write and of flush (TFT-5).

strace injects the faults into the real gateway, curl writes, and what was acknowledged is what curl was told.
"""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeAlias

from tests.bench.part import STATE_PARENT, twistd
from tests.live.bench import GATEWAY, Bench
from tests.live.dhcpclients import Phone
from tests.live.sites import SITE_A, until
from tests.soak.disk import flush_numbers, killed_at
from voxpath.io.uploads import TEMPORARY

PHONES = 3
BATCH = 25
"""Files that each phone writes at once; all phones give theirs the same names."""
LARGEST = 6000
"""Octets of the largest file: some blocks."""
BATCHES = 40
"""So many at the most until the gateway is killed: strace counts the flushes of each thread, and there may be ten."""
TRANSFER_S = 5
"""Of a client's patience with one file."""
LATEST_S = 0.5
"""What was sent before the kill is read so long after it."""
FILES = 'uploads = "uploads"\nupload_floor = 0\n'
SERVER = "10.0.0.1"
TOLD = re.compile(r"^done (\d+) tftp://\S+/(\S+)$", re.MULTILINE)
Files: TypeAlias = dict[str, dict[str, bytes]]
"""Contents by phone and name."""
ERRORS = {"EIO": "Input/output error", "ENOSPC": "No space left on device"}
"""What the gateway has to tell its operator of each error."""
FAULTS = ({"fsync": "EIO", "write": "ENOSPC"}, {"fsync": "ENOSPC", "write": "EIO"})
"""Which system calls fail in one run of the gateway, and how."""
WHEN = {"write": "2..4", "fsync": "6..9"}
"""Which calls of a thread fail.

A file is flushed, then its box: so one fails that has its name already, and three that have none yet.
"""


class Site(Bench):
    """A gateway with drop boxes, and phones that hold a lease.

    :ivar told: how many files were acknowledged.
    """

    def __init__(self, directory: Path, chance: Random) -> None:
        super().__init__(directory)
        self.boxes = directory / GATEWAY / "uploads"
        self.told = 0
        self._chance = chance
        self._writers: list[Phone] = []

    def prepare(self) -> None:
        """Give the phones their leases."""
        self.build()
        self.write_gateway(SITE_A, files=FILES)
        self.run()
        self._writers = [self.phone() for _ in range(PHONES)]
        for phone in self._writers:
            phone.udhcpc()
        self.end(GATEWAY)

    def run(self) -> subprocess.Popen[bytes]:
        """Start the gateway, and wait until it serves."""
        argv = twistd("voxpath-sg", self.directory / f"{GATEWAY}.toml")
        with (self.directory / f"{GATEWAY}.log").open("ab") as log:
            server = self.net.spawn(GATEWAY, argv, stdout=log, stderr=log, cwd=self.directory / GATEWAY)
        self.processes[GATEWAY] = server
        self.serving(GATEWAY)
        return server

    @contextmanager
    def injected(self, server: subprocess.Popen[bytes], injected: dict[str, str], *paths: Path) -> Iterator[Path]:
        """Let strace alter system calls of a gateway that runs, for the length of a ``with`` block; it writes them to a file.

        :param injected: what is injected into each call.
        :param paths: only calls for these files are meant, all if there are none.
        """
        calls, said = self.directory / "calls", self.directory / "strace"
        inject = [word for call, what in injected.items() for word in ("-e", f"inject={call}:{what}")]
        only = [word for path in paths for word in ("-P", str(path))]
        argv = ["strace", "-f", "-o", str(calls), "-e", f"trace={','.join(injected)}", *inject, *only, "-p", str(server.pid)]
        with said.open("wb") as output, self.net.running(GATEWAY, argv, stderr=output):
            until(lambda: "attached" in said.read_text(), "strace has the gateway")
            yield calls

    def write_batch(self, server: subprocess.Popen[bytes]) -> tuple[Files, Files]:
        """Let every phone write a batch, or until the gateway ends: give what they sent, and what of it they were told is kept."""
        sent: Files = {}
        clients = []
        for phone in self._writers:
            logs = self.directory / f"{phone.name}-logs"
            logs.mkdir(exist_ok=True)
            sent[phone.mac] = {f"log-{n}": self._chance.randbytes(self._chance.randint(1, LARGEST)) for n in range(BATCH)}
            for name, octets in sent[phone.mac].items():
                (logs / name).write_bytes(octets)
            clients.append(self._curl(phone, logs))
        until(lambda: server.poll() is not None or all(client.poll() is not None for client in clients), "the batch ends", 120)
        if server.poll() is not None:
            # What was acknowledged before the kill may still be on its way to the clients, and nothing tells that it has come.
            time.sleep(LATEST_S)
        kept = {phone.mac: self._kept(phone, client, sent[phone.mac]) for phone, client in zip(self._writers, clients, strict=True)}
        return sent, kept

    def _curl(self, phone: Phone, logs: Path) -> subprocess.Popen[bytes]:
        # Standard error is not buffered: what was told is in the file also when the client is ended.
        words = ("-sS", "-m", str(TRANSFER_S), "-w", "%{stderr}done %{exitcode} %{url_effective}\\n")
        argv = ["curl", *words, "-T", f"{logs}/log-[0-{BATCH - 1}]", f"tftp://{SERVER}/"]
        with (self.directory / f"{phone.name}.told").open("wb") as told:
            return self.net.spawn(phone.name, argv, stderr=told)

    def _kept(self, phone: Phone, client: subprocess.Popen[bytes], sent: dict[str, bytes]) -> dict[str, bytes]:
        self.net.end(client, signal.SIGKILL)
        told = (self.directory / f"{phone.name}.told").read_text()
        kept = {name: sent[name] for code, name in TOLD.findall(told) if code == "0"}
        self.told += len(kept)
        return kept

    def found(self) -> Files:
        """What lies in the boxes, but for the hidden name under which nothing is visible to anybody."""
        boxes = self.boxes.iterdir() if self.boxes.exists() else ()
        found = {":".join(re.findall("..", box.name)): self._content(box) for box in boxes}
        assert found.keys() <= {phone.mac for phone in self._writers}, f"boxes of nobody: {found.keys()}"
        return {phone.mac: found.get(phone.mac, {}) for phone in self._writers}

    @staticmethod
    def _content(box: Path) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in box.iterdir() if file.name != TEMPORARY}

    def lists_what_is_there(self) -> None:
        """The gateway that runs tells of the files in the boxes, and of no others; then its operator takes them away."""
        found = self.found()
        rows = {(row["phone"], row["name"], row["octets"]) for row in self.ask("uploads")}
        assert rows == {(phone, name, len(octets)) for phone, files in found.items() for name, octets in files.items()}
        for phone, files in found.items():
            for name in files:
                (self.boxes / phone.replace(":", "") / name).unlink()

    def tells(self, reason: str) -> bool:
        """Whether the gateway told its operator why a file was refused."""
        return any(reason in text for text in self.texts(GATEWAY, "TFTP_REFUSED"))


def uploads(seed: int, amount: int) -> str:
    """Kill the gateway at its n-th flush, and let its disk fail: what was acknowledged is whole, in the box of its owner alone."""
    chance = Random(seed)
    faults = FAULTS[:amount]
    with TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-soak-") as name, Site(Path(name), chance) as site:
        site.prepare()
        for number in flush_numbers(amount):
            try:
                _kill(site, number)
            except AssertionError as error:
                error.add_note(f"around the kill at flush {number} of seed {seed}")
                raise
        for errors in faults:
            _fail(site, errors)
        site.run()
        site.lists_what_is_there()
        assert site.told, "no file was acknowledged: nothing was proven"
        return (
            f"{amount} kills at a flush and {len(faults)} disks that failed, during {site.told} uploads of {PHONES} phones: "
            "each that was acknowledged is whole, in the box of its phone alone, and listed; nothing half is visible"
        )


def _kill(site: Site, number: int) -> None:
    """Start a gateway that dies at a flush, look at what the one before left, and let phones write until it dies."""
    server = site.run()
    site.lists_what_is_there()
    with site.injected(server, {"fsync": f"signal=KILL:when={number}"}) as calls:
        for _ in range(BATCHES):
            sent, told = site.write_batch(server)
            for phone, files in site.found().items():
                assert told[phone].items() <= files.items(), f"{phone} was told of {sorted(told[phone])}, there are {sorted(files)}"
                assert files.items() <= sent[phone].items(), f"not all of {sorted(files)} is what {phone} sent"
            if server.poll() is not None:
                break
            site.lists_what_is_there()
        assert server.poll() == -signal.SIGKILL, f"it lives after {BATCHES} batches, or ended otherwise: {server.poll()}"
    seen = killed_at(calls.read_text(errors="replace"), "fsync")
    assert seen == number, f"it was to be killed at flush {number}, not {seen}"
    site.end(GATEWAY)


def _fail(site: Site, errors: dict[str, str]) -> None:
    """Let some calls of a gateway fail: phones are told, the operator is told, and then all is as before, without a restart."""
    server = site.run()
    site.lists_what_is_there()
    boxes = [site.boxes / phone.replace(":", "") for phone in site.found()]
    injected = {call: f"error={error}:when={WHEN[call]}" for call, error in errors.items()}
    with site.injected(server, injected, *boxes, *(box / TEMPORARY for box in boxes)):
        assert _refused(site, server), f"{errors}: no write failed, nothing was proven"
    assert not _refused(site, server), f"{errors}: phones cannot write although the disk is good again"
    for error in errors.values():
        assert site.tells(ERRORS[error]), f"{errors}: the gateway told nothing of {error}"
    site.end(GATEWAY, signal.SIGKILL)


def _refused(site: Site, server: subprocess.Popen[bytes]) -> int:
    """Let phones write a batch; give how many files they were told are not kept, and indeed are not."""
    sent, told = site.write_batch(server)
    assert site.found() == told, "what is kept is not what the phones were told"
    site.lists_what_is_there()
    return sum(map(len, sent.values())) - sum(map(len, told.values()))
