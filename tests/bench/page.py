"""Writes docs/performance.md."""

import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench.measure import STATE_PARENT, Measured
from tests.bench.servers import BASE

FLUSHES = 200

METHOD = """\
## Method

- One run measures all servers in turn at each rate, and every figure is the median over the runs.
  Only the ratios of one table mean anything: machines differ, and the cores are shared with the load generator.
- perfdhcp (Kea's own load generator) sits in a network namespace of its own, at the other end of a veth cable.
  It makes full DISCOVER, OFFER, REQUEST, ACK exchanges in direct mode: it broadcasts, from port 68, without any relay.
  It would write its own address into giaddr even so; nftables rules on its side of the cable clear giaddr and hops on the way out,
  and bring replies that are sent to the Ethernet address of a client to its socket.
  They are the same for every server.
- No client comes twice in a measurement, and each sends option 60.
  Each measurement starts a new server with an empty state directory.
- *voxpath* is `twistd voxpath-sg` as an operator starts it.
  Ethernet address and vendor class are checked, and every phone gets an address and a block of 64 ports.
  No ACK leaves before lease and block are in SQLite (WAL, `synchronous=FULL`) and the block is in the kernel's nftables map.
  *voxpath, NAT in memory* leaves out the kernel's map alone.
- *Kea* runs the configuration `tests/bench/kea.json.in`: one thread, and a memory file with `persist`.
  That file is written and not flushed, so a power failure may lose acknowledged leases; Kea keeps no port blocks and no NAT.
- CPU is user and system time of the server's process tree (`/proc/PID/stat`) per ACK.
  It is taken from the first request to half a second after the last one.
  The kernel's soft interrupts are in it as far as the kernel accounts them to the process.
- *lost* counts exchanges that were begun and got no ACK, not even late.
  *sustained* means that less than 1 % was lost and 97 % of the rate was reached in most runs.
- p50 and p99 are perfdhcp's, from REQUEST to ACK (and DISCOVER to OFFER).

## What is not measured

- Renewals, relays, several scopes, and leases that are there already: each run begins with none and ends with rate times seconds.
- A disk that is slower than this one: the group commit trades its latency against the rate.
- The NAT's data path, TFTP and MEGACO under load.
- Kea with several threads or a database behind it.
"""


def written(machine_facts: dict[str, str], runs: int, seconds: int, command: str, table: list[Measured]) -> str:
    """The page."""
    facts = "\n".join(f"- {name}: {value}" for name, value in machine_facts.items())
    rows = "\n".join(_row(line, _base(table, line.rate)) for line in table)
    best = "\n".join(f"- {name}: {rate}" for name, rate in sustained(table).items())
    return f"""# Performance

Written by `{command}`; do not edit.

{facts}

## DHCP: new phones, four messages each

Medians of {runs} runs of {seconds} s.

| asked/s | server | done/s | lost | sustained | CPU us per exchange | x {BASE} | OFFER p99 ms | ACK p50 ms | ACK p99 ms |
|---:|---|---:|---:|---|---:|---:|---:|---:|---:|
{rows}

The highest rate of the table that was sustained, in exchanges per second:

{best}

{METHOD}"""


def sustained(table: list[Measured]) -> dict[str, str]:
    """The highest sustained rate of each server."""
    best: dict[str, int] = {}
    for line in table:
        best[line.server] = max(best.get(line.server, 0), line.rate if line.sustained else 0)
    return {server: str(rate) if rate else "none of them" for server, rate in best.items()}


def _base(table: list[Measured], rate: int) -> Measured | None:
    return next((line for line in table if line.rate == rate and line.server == BASE), None)


def _row(line: Measured, base: Measured | None) -> str:
    ratio = f"{line.cpu_us / base.cpu_us:.2f}" if base is not None else ""
    cells = (
        str(line.rate), line.server, f"{line.achieved:.0f}", f"{line.lost:.1%}", "yes" if line.sustained else "no",
        f"{line.cpu_us:.0f}", ratio, f"{line.offer_p99_ms:.1f}", f"{line.ack_ms:.1f}", f"{line.ack_p99_ms:.1f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def machine() -> dict[str, str]:
    """What the figures depend on, and when they were taken."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "voxpath": _first_line("git", "describe", "--always", "--dirty"),
        "Kea": _first_line("kea-dhcp4", "-v"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "other load": f"{os.getloadavg()[0]:.1f} processes wanted to run, by the minute before the first measurement",
        "disk": f"{_first_line('stat', '-f', '-c', '%T', STATE_PARENT)}, "
        f"{1000 * flush_s(Path(STATE_PARENT)):.2f} ms to append and flush 200 octets (median of {FLUSHES})",
    }


def flush_s(directory: Path, clock: Callable[[], float] = time.perf_counter) -> float:
    """The median time of a small append that is flushed to the disk: what a commit costs at the least."""
    path = directory / f"voxpath-flush-{os.getpid()}"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            before = clock()
            file.write(b"x" * 200)
            os.fdatasync(file.fileno())
            taken.append(clock() - before)
    path.unlink()
    return median(taken)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.strip().partition("\n")[0] or "unknown"
