"""A disk that fails under a DHCP load: power that goes at the n-th flush, torn pages, errors of write and flush, a full disk.

strace injects the faults into the real gateway, and what was acknowledged is read from the wire.
"""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.dhcp import load
from tests.bench.dhcp.servers import SERVERS
from tests.bench.dhcp.site import PHONES, Cable
from tests.bench.part import STATE_PARENT
from tests.bench.site import Site
from tests.soak.crash import GROUPS, LATEST_S, Recorder, answer, check
from voxpath.app.node import DATABASE
from voxpath.store.recovery import log_octets

FLUSHES = 100
"""The kills are spread over the first so many flushes of a run."""
RATE = 200
LOAD_S = 4
"""Of a load, in whole seconds; the disk fails, and is good again, somewhere in it."""
PATIENCE = 5
"""Loads until the gateway has to serve again: a file that failed is tried again once a second, and each try may fail anew."""
SECTOR = 512
TMPFS_MIB = 16
"""Room for the database and for a log of 4 MiB, at which SQLite takes that into the database, with some to spare."""
FAULT_EVENTS = {"COMMIT_REFUSED", "ROLE_FAILED", "ROLE_RELOADED"}
"""Identifiers of the events by which the server says that its disk failed."""

WRITES = re.compile(r"pwrite64\(\d+<(?P<path>[^>]+)>, .*?, (?P<size>\d+), (?P<at>\d+)\b")
FLUSHES_IT = re.compile(r"^(?P<thread>\d+) +fdatasync\(\d+<(?P<path>[^>]+)>(?P<end>\) += 0$| <unfinished)")
FLUSHED = re.compile(r"^(?P<thread>\d+) +<\.\.\. fdatasync resumed>\) += 0$")
"""What strace writes; a call during which another thread was seen stands on two lines."""


class Fault(NamedTuple):
    """What strace injects.

    :ivar expression: as strace's option ``inject`` takes it.
    """

    name: str
    expression: str


# A start flushes some 16 times and writes some 60 times; later ones are about leases.
ERRORS = (
    Fault("EIO on flush", "fdatasync:error=EIO:when=30..34"),
    Fault("ENOSPC on flush", "fdatasync:error=ENOSPC:when=30..34"),
    Fault("EIO on write", "pwrite64:error=EIO:when=150..160"),
    Fault("ENOSPC on write", "pwrite64:error=ENOSPC:when=150..160"),
)


def traced(argv: Sequence[str], fault: str = "", log: Path | None = None) -> list[str]:
    """The command line of a server whose system calls are watched, and altered where a fault is given."""
    inject = ["-e", f"inject={fault}"] if fault else []
    output = str(log) if log is not None else "/dev/null"
    return ["strace", "-f", "-qq", "-y", "-s", "0", "-o", output, "-e", "trace=pwrite64,fdatasync", *inject, *argv]


def flush_numbers(amount: int) -> list[int]:
    """At which flushes to kill: evenly over the first :data:`FLUSHES`."""
    return [1 + (2 * number + 1) * FLUSHES // (2 * amount) if amount < FLUSHES else 1 + number for number in range(amount)]


def kill_at_flush(seed: int, amount: int) -> str:
    """Kill the gateway at the n-th flush of the disk; after each restart it must know all that was ever acknowledged."""
    return _sweep(seed, amount, torn=False)


def torn_pages(seed: int, amount: int) -> str:
    """The same, and what was not flushed is torn: sectors of it were never written, or hold something else."""
    return _sweep(seed, amount, torn=True)


def _sweep(seed: int, amount: int, torn: bool) -> str:
    chance = Random(seed)
    told = damaged = recovered = 0
    with _gateway() as (site, directory, argv, recorder):
        for number in flush_numbers(amount):
            calls = _kill(site, directory, argv, number, chance)
            damaged += tear(calls, chance) if torn else 0
            dirty = log_octets(directory / DATABASE) > 0
            server = site.start(argv, directory / "output")
            try:
                check(site, directory, dict(recorder.acked))
                assert not recorder.moved
                assert _tells(directory, "STORE_RECOVERED") is dirty, "what was left of the store is not what is told"
            except AssertionError as error:
                error.add_note(f"after the kill at flush {number} of seed {seed}")
                raise
            told += 1
            recovered += dirty
            site.net.end(server)
    assert recorder.acked, "no ACK was seen: nothing was proven"
    assert recovered, "no kill left anything to recover: nothing was proven"
    torn_words = f", {damaged} of which had unflushed sectors torn" if torn else ""
    return (
        f"{told} kills at a flush{torn_words}, during {recorder.total} ACKs to {len(recorder.acked)} phones: "
        f"every lease and block there after each restart, no address or port with two owners, {recovered} recoveries told"
    )


def _kill(site: Site, directory: Path, argv: list[str], number: int, chance: Random) -> str:
    """Let a gateway be killed at its n-th flush, under a load if it lives so long; give what strace saw.

    :raises AssertionError: it was not killed there.
    """
    log = directory / "calls"
    server = _start(site, traced(argv, f"fdatasync:signal=KILL:when={number}", log), directory)
    for _ in range(PATIENCE):
        if server is not None and server.poll() is None:
            with _load(site, chance):
                _await_end(server)
    if server is not None:
        site.net.end(server, signal.SIGKILL)
    # What was acknowledged before the end may still be on its way to the recorder, and nothing tells that it has come.
    time.sleep(LATEST_S)
    calls = log.read_text(errors="replace")
    assert killed_at(calls, "fdatasync") == number, f"it was to be killed at flush {number}: {calls[-2000:]}"
    return calls


def killed_at(calls: str, flush: str) -> int:
    """At which flush of a thread strace killed a process; 0: it did not.

    :param flush: the name of the system call.
    """
    begun = Counter(re.findall(rf"^(\d+) +{flush}\(", calls, re.MULTILINE))
    return max(begun.values(), default=0) if "+++ killed by SIGKILL +++" in calls else 0


def _tells(directory: Path, event: str) -> bool:
    """Whether the gateway that runs has told an event."""
    return any(entry.id == event for entry in answer(str(directory / "control.sock"), "events", "100000").entries)


def disk_errors(seed: int, amount: int) -> str:
    """Errors of write and flush, and a full disk: each is told, loses nothing, and ends without a restart."""
    chance = Random(seed)
    seen = []
    for number in range(amount):
        if number % (len(ERRORS) + 1) == len(ERRORS):
            seen.append(_full_disk(chance))
        else:
            seen.append(_error(ERRORS[number % (len(ERRORS) + 1)], chance))
    acks = sum(seen)
    return (
        f"{amount} disks that failed, {acks} ACKs: each failure told, every lease and block there, service back without a restart"
    )


def _error(fault: Fault, chance: Random) -> int:
    with _gateway() as (site, directory, argv, recorder):
        server = _start(site, traced(argv, fault.expression), directory)
        assert server is not None, f"{fault.name}: the gateway did not start"
        with _load(site, chance):
            time.sleep(LOAD_S)
        _prove_recovery(site, directory, argv, server, recorder, chance, fault.name)
        return recorder.total


def _full_disk(chance: Random) -> int:
    with _gateway(TMPFS_MIB) as (site, directory, argv, recorder):
        server = site.start(argv, directory.parent / "output")
        ballast = directory / "ballast"
        with _load(site, chance):
            # Early: a log that has its full size is written anew from its beginning, and needs no more room.
            time.sleep(LOAD_S / 16)
            _fill(ballast)
            time.sleep(LOAD_S / 2)
            ballast.unlink()
            time.sleep(LOAD_S / 4)
        _prove_recovery(site, directory, argv, server, recorder, chance, "full disk")
        return recorder.total


def _prove_recovery(
    site: Site,
    directory: Path,
    argv: list[str],
    server: subprocess.Popen[bytes],
    recorder: Recorder,
    chance: Random,
    name: str,
) -> None:
    """It told of the fault, serves again in the same process, and a restart loses nothing."""
    assert server.poll() is None, f"{name}: the gateway ended"
    # As after a kill: the last acknowledgements may still be on their way.
    time.sleep(LATEST_S)
    control = str(directory / "control.sock")
    told = {entry.id for entry in answer(control, "events", "100000").entries}
    assert told & FAULT_EVENTS, f"{name}: the gateway told nothing of it"
    check(site, directory, dict(recorder.acked))
    assert _acknowledges(site, recorder, chance), f"{name}: no ACK after the disk was good again"
    site.net.end(server, signal.SIGKILL)
    server = site.start(argv, directory.parent / "output")
    check(site, directory, dict(recorder.acked))
    assert not recorder.moved
    site.net.end(server)


def _acknowledges(site: Site, recorder: Recorder, chance: Random) -> bool:
    """Whether a gateway that runs acknowledges anything under a load, within :data:`PATIENCE` of them."""
    before = recorder.total
    for _ in range(PATIENCE):
        with _load(site, chance):
            # The load is of so many seconds; how many phones it serves in them is not asked for.
            time.sleep(LOAD_S)
        # As after a kill: the last acknowledgements may still be on their way.
        time.sleep(LATEST_S)
        if recorder.total > before:
            return True
    return False


# The site.


@contextmanager
def _gateway(tmpfs_mib: int = 0) -> Iterator[tuple[Cable, Path, list[str], Recorder]]:
    """A gateway with an empty state, on a small file system of its own if wanted, and a recorder of its ACKs."""
    with Cable() as site, TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-soak-") as name:
        directory = Path(name) / "state"
        directory.mkdir(mode=0o700)
        if tmpfs_mib:
            options = f"size={tmpfs_mib}m,mode=700"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], check=True)
        try:
            recorder = Recorder(site)
            with recorder.running():
                yield site, directory, SERVERS[0].prepare(directory), recorder
        finally:
            if tmpfs_mib:
                site.net.close()
                subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _start(site: Site, argv: list[str], directory: Path) -> subprocess.Popen[bytes] | None:
    """Start a server that may be killed before it listens; ``None``: it was."""
    try:
        return site.start(argv, directory / "output")
    except AssertionError as error:
        if "does not listen" not in str(error):
            raise
        return None


@contextmanager
def _load(site: Site, chance: Random) -> Iterator[None]:
    """Phones that boot, of one of some groups: those of a group that was there already come back."""
    command = load.command(RATE, LOAD_S, f"00:0c:{chance.randrange(GROUPS):02x}:00:00:00")
    with site.net.running(PHONES, command, stderr=subprocess.DEVNULL):
        yield


def _await_end(server: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        server.wait(LOAD_S)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(SECTOR))


# Torn pages.


def tear(calls: str, chance: Random) -> int:
    """Damage what was written and not flushed, sector by sector; tell whether there was anything.

    A sector keeps its content, or has never been written (zeros), or holds something else.
    """
    unflushed = unflushed_writes(calls)
    torn = False
    for path, spans in unflushed.items():
        if not os.path.exists(path):
            continue
        with open(path, "r+b") as file:
            for at, size in spans:
                for sector in range(at, at + size, SECTOR):
                    length = min(SECTOR, at + size - sector)
                    damage = chance.choice((None, bytes(length), chance.randbytes(length)))
                    if damage is not None:
                        file.seek(sector)
                        file.write(damage)
                        torn = True
    return int(torn)


def unflushed_writes(calls: str) -> dict[str, list[tuple[int, int]]]:
    """What strace saw written to each file since that file was flushed last: offsets and sizes."""
    spans: dict[str, list[tuple[int, int]]] = {}
    flushing: dict[str, str] = {}
    for line in calls.splitlines():
        if wrote := WRITES.search(line):
            spans.setdefault(wrote["path"], []).append((int(wrote["at"]), int(wrote["size"])))
        elif begun := FLUSHES_IT.search(line):
            flushing[begun["thread"]] = begun["path"]
            if begun["end"].endswith("0"):
                spans.pop(begun["path"], None)
        elif done := FLUSHED.search(line):
            spans.pop(flushing[done["thread"]], None)
    # The shared memory of the WAL is an index that is made anew.
    return {path: found for path, found in spans.items() if not path.endswith("-shm")}
