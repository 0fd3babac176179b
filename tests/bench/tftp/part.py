"""TFTP beside tftpd-hpa and atftpd: one large image, many small ones, and a burst of requests."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.bench.goal import Goal
from tests.bench.part import Load, Measured, Part, Server
from tests.bench.tftp import client
from tests.bench.tftp.account import Account, accounted
from tests.bench.tftp.servers import BASE, FILES, SERVERS, files, program
from tests.bench.tftp.site import CLIENTS, SERVER_ADDRESS, Cable

MIB = 1 << 20
SETTLE_S = 0.3
"""Before and after a measurement, so that it counts what it caused and nothing else."""
PATIENCE_S = 90


class Work(NamedTuple):
    """What is asked: a file, by so many clients at once, in blocks and windows of a size."""

    file: str
    clients: int
    block: int
    window: int = 1


WINDOWS = "8 MiB, blocks of 1468 octets, windows of 16"
IMAGES = "1 MiB each, blocks of 1468 octets"
BURST = "4 KiB each, blocks of 512 octets"
WORKS = {
    "8 MiB, blocks of 512 octets": Work("image.bin", 1, 512),
    "8 MiB, blocks of 1468 octets": Work("image.bin", 1, 1468),
    WINDOWS: Work("image.bin", 1, 1468, 16),
    IMAGES: Work("phone.bin", 100, 1468),
    BURST: Work("phone.cfg", 300, 512),
}
RATE, SHARE = 150 / 196, 8000 / 6500
"""Required in windows of 16 and of 100 images: of atftpd's rate, and of its time."""
MIB_S, LOST = 0, 1
"""Where these stand among the figures."""

METHOD = """\
### Method

- One run measures all servers in turn, each with the same work again and again until its clients were busy for so long.
  Every figure is the median over the runs.
  Only the ratios of one table mean anything: machines differ.
- Server and clients sit in network namespaces, at the two ends of a veth cable; with two processors or more the clients have the
  last one, and the server the others.
  The clients are one process (`tests/bench/tftp/client.py`) that compares every block with the file; all requests leave at once.
- *voxpath* is `twistd voxpath-sg` as an operator starts it, with its ladders, events and control socket, and with no DHCP.
  *voxpath, single port* has all transfers on port 69.
- CPU is the time that the server has had of processors for each MiB that arrived, with all its threads and child processes.
  A control group counts it.
  What the kernel does to deliver a datagram over the cable is charged to its sender, for every server alike.
- *lost* are requests of a run that were not answered within a second and had to be sent again; *repeated* are all messages that
  clients sent again.
  *complete* means in most runs that every client got the file, and no request was lost.
- *window* is the window size that the server agreed to; tftpd-hpa knows none.

### What is wanted

- Required, on the machine where atftpd carries 196 MiB/s in windows of 16 and needs 6500 us for each MiB of 100 images:
  150 MiB/s, which is 0.77 of atftpd's rate, and 8000 us, which is 1.23 of its time; and no request of 300 at once lost.
- Aimed at: not more time than atftpd in any table.
- Where one client waits for each block, the server sleeps before each, and waking up costs Python and Twisted more than the block.
  A Twisted server that did nothing but read an ACK and send a block took 1.2 to 1.9 of atftpd's time there: that is the floor.

### What is not measured

- Loss and long round trips, where windows matter most.
- Files that are not in the kernel's page cache.
- Files that are rendered for a phone, and writes.
"""


@contextmanager
def ready(work: str, server: Server) -> Iterator[Load]:
    """Start the server; the load is the work, again and again."""
    on_first, on_last = _pinned(os.cpu_count() or 1)
    pinned = server._replace(prepare=lambda directory: [*on_first, *server.prepare(directory)])
    with TemporaryDirectory() as name, Cable() as site, site.serving(pinned) as process, accounted(process.pid) as account:
        command = [*on_last, sys.executable, client.__file__, SERVER_ADDRESS]
        expected = files(Path(name))
        yield lambda clients, seconds: measure(site, account, work, server.name, command, expected, clients, seconds)


def measure(
    site: Cable, account: Account, work: str, server: str, before: list[str], expected: Path, clients: int, seconds: int
) -> Measured:
    """Read the file by so many clients, until that took so long; ``expected`` is a directory of the same files."""
    asked = WORKS[work]
    command = [*before, asked.file, str(expected / asked.file), str(clients), str(asked.block), str(asked.window)]
    told: list[dict[str, Any]] = []
    time.sleep(SETTLE_S)
    spent = -account.cpu_s()
    while not told or sum(reading["seconds"] for reading in told) < seconds:
        told.append(json.loads(site.net.run(CLIENTS, command, timeout=PATIENCE_S).stdout))
    time.sleep(SETTLE_S)
    spent += account.cpu_s()
    return summed(work, server, clients, told, spent)


def summed(work: str, server: str, clients: int, told: list[dict[str, Any]], spent_s: float) -> Measured:
    """Make a measurement out of what the clients tell of each reading, and of what the server took for all."""
    octets, seconds, lost, repeated = (sum(reading[what] for reading in told) for what in ("octets", "seconds", "lost", "repeated"))
    mib = octets / MIB
    complete = all(reading["done"] == clients for reading in told) and not lost
    figures = (mib / seconds, lost, repeated, min(reading["window"] for reading in told))
    return Measured(work, server, clients, 1e6 * spent_s / mib if mib else float("nan"), complete, figures)


def goals(table: Sequence[Measured]) -> Iterable[Goal]:
    """What is wanted of each of our servers in each table."""
    bases = {line.work: line for line in table if line.server == BASE}
    for line in table:
        base = bases.get(line.work)
        if base is None or not line.server.startswith("voxpath"):
            continue
        where = f"{line.work}, {line.server}"
        if line.work == WINDOWS:
            yield Goal(f"{where}: MiB/s, x {BASE}", line.figures[MIB_S] / base.figures[MIB_S], RATE, more=True)
        if line.work == BURST:
            yield Goal(f"{where}: requests that were lost", line.figures[LOST], 0)
        yield Goal(f"{where}: time, x {BASE}", line.cpu_us / base.cpu_us, SHARE if line.work == IMAGES else None, 1.0)


def _pinned(processors: int) -> tuple[list[str], list[str]]:
    """The words before a command line that keep server and clients on processors of their own; none on a machine of one."""
    last = processors - 1
    return (["taskset", "-c", f"0-{last - 1}"], ["taskset", "-c", str(last)]) if last else ([], [])


assert {work.file for work in WORKS.values()} <= set(FILES)

TFTP = Part(
    name="tftp",
    title="TFTP",
    works=tuple(WORKS),
    servers=SERVERS,
    base=BASE,
    rates=(),
    kept_up="complete",
    columns={"MiB/s": ".1f", "lost": ".0f", "repeated": ".0f", "window": ".0f"},
    versions={"tftpd-hpa": (program("tftpd-hpa", "in.tftpd"), "-V"), BASE: (program("atftpd", "atftpd"), "--version")},
    method=METHOD,
    ready=ready,
    asked="clients",
    own_rates={name: (work.clients,) for name, work in WORKS.items()},
    goals=goals,
)
