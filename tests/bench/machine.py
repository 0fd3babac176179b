"""What the figures depend on: the machine, the programs' versions, and when it was."""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench.part import STATE_PARENT

FLUSHES = 200

WRITTEN = ("docs/performance.md", "docs/soak.md")
"""What benches and proofs write themselves: a second part is not measured on another program for the first one's page."""


def machine(versions: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The facts by name; ``versions`` are the commands that tell those of the peers."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "voxpath": commit(Path(__file__).parents[2]),
        **{name: _first_line(*command) for name, command in versions.items()},
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


def commit(root: Path) -> str:
    """What was measured: the commit of the tree, with ``-dirty`` when anything else stands there than was committed."""
    at = ("git", "-C", str(root))
    pages = tuple(f":!{page}" for page in WRITTEN)
    changed = subprocess.run((*at, "diff", "--quiet", "HEAD", "--", ".", *pages), timeout=10, check=False).returncode
    return _first_line(*at, "describe", "--always") + ("-dirty" if changed else "")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[0].strip() if lines else "unknown"
