"""What a server costs: processor time and memory of all its processes, as the kernel counts them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


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
    return text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def text(path: Path) -> str:
    """A file below /proc; empty when its process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


def cpu_s(root: int) -> float:
    """Processor time of a process tree, user and system.

    Threads that live are counted to the nanosecond, children that ended to the tick; threads that ended are not counted.
    """
    living = sum(nanoseconds for pid in tree(root) for nanoseconds in _threads_ns(pid))
    ended = sum(int(ticks) for pid in tree(root) for ticks in stat(pid)[13:15])
    return living / 1e9 + ended / TICKS


def _threads_ns(pid: int) -> Iterator[int]:
    for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        # Time on a processor, time in the queue, times on a processor: see proc-schedstat of the kernel.
        yield from (int(number) for number in text(schedule).split()[:1])


def memory_kib(root: int) -> int:
    """Memory of a process tree; what processes share is counted once."""
    return sum(int(size) for pid in tree(root) for size in PSS.findall(text(Path(f"/proc/{pid}/smaps_rollup"))))
