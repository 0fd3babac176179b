"""Processor time of a server with all its threads and children, those that have ended included: a control group counts it.

atftpd has a thread and tftpd-hpa a process for each transfer; what ended is in no file of ``/proc``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
V1 = GROUPS / "cpuacct"


class Account:
    """A control group; :param place: its directory."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def cpu_s(self) -> float:
        """Seconds that its members have had of processors so far."""
        if (self._place / "cpuacct.usage").exists():
            return int((self._place / "cpuacct.usage").read_text()) / 1e9
        words = (self._place / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6

    def members(self) -> list[int]:
        """The processes in it."""
        return [int(pid) for pid in (self._place / "cgroup.procs").read_text().split()]

    def move(self, pids: list[int], place: Path) -> None:
        """Bring processes elsewhere; one that has ended meanwhile does not matter."""
        for pid in pids:
            try:
                (place / "cgroup.procs").write_text(str(pid))
            except ProcessLookupError:
                continue


@contextmanager
def accounted(pid: int) -> Iterator[Account]:
    """Count what a process and its descendants of from now on take, for the length of a ``with`` block."""
    top = V1 if V1.is_dir() else GROUPS
    place = top / f"voxpath-bench-{os.getpid()}-{pid}"
    place.mkdir()
    account = Account(place)
    try:
        account.move([pid], place)
        yield account
    finally:
        account.move(account.members(), top)
        place.rmdir()
