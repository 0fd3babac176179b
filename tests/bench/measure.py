"""One measurement: a server with empty state, one load, and what the server's processes cost meanwhile."""

import os
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench import load
from tests.bench.load import Load
from tests.bench.servers import Server
from tests.bench.site import Site

TICKS = os.sysconf("SC_CLK_TCK")

STATE_PARENT = "/var/tmp"
"""Where states are kept: a real disk, as /tmp may be memory."""


class Measured(NamedTuple):
    """What one load did to one server.

    :ivar cpu_us: processor time of the server's process tree per finished exchange, in microseconds.
    :ivar lost: share of exchanges that were begun and not finished.
    :ivar ack_ms: median time from REQUEST to ACK, and the 99th percentile after it.
    """

    server: str
    rate: int
    achieved: float
    lost: float
    cpu_us: float
    offer_p99_ms: float
    ack_ms: float
    ack_p99_ms: float
    sustained: bool


def tree(root: int) -> set[int]:
    """The process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def stat(pid: int) -> list[str]:
    """The fields of a process after its name; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_s(root: int) -> float:
    """Processor time, user and system, of a process tree and of its children that ended; all threads count."""
    return sum(sum(int(ticks) for ticks in fields[11:15]) for pid in tree(root) if (fields := stat(pid))) / TICKS


def measure(server: Server, rate: int, seconds: int) -> Measured:
    """Start the server from nothing, load it, end it."""
    with Site() as site, TemporaryDirectory(dir=STATE_PARENT, prefix="voxpath-bench-") as name:
        directory = Path(name)
        process = site.start(server.prepare(directory), directory / "output", server.environment(directory))
        before = cpu_s(process.pid)
        seen = load.run(site, rate, seconds)
        spent = cpu_s(process.pid) - before
        if process.poll() is not None:
            raise AssertionError(f"{server.name} ended under load:\n{(directory / 'output').read_text()[-4000:]}")
        site.net.end(process)
    return summed(server.name, seen, spent)


def summed(name: str, seen: Load, spent_s: float) -> Measured:
    """Make a measurement out of what the load generator saw and the processor time that the server took."""
    return Measured(
        name,
        seen.rate,
        seen.achieved,
        seen.unfinished,
        1e6 * spent_s / seen.acks if seen.acks else float("nan"),
        load.percentile(seen.offer_ms, 0.99),
        load.percentile(seen.ack_ms, 0.5),
        load.percentile(seen.ack_ms, 0.99),
        seen.sustained,
    )


def medians(runs: Iterable[Measured]) -> list[Measured]:
    """The median of every figure over the runs of the same server and rate, in the order of the first runs."""
    groups: dict[tuple[int, str], list[Measured]] = {}
    for run in runs:
        groups.setdefault((run.rate, run.server), []).append(run)
    return [
        Measured(server, rate, *(median(values) for values in zip(*(run[2:-1] for run in group), strict=True)), _most(group))
        for (rate, server), group in groups.items()
    ]


def _most(group: list[Measured]) -> bool:
    return sum(run.sustained for run in group) * 2 > len(group)
