"""How much room uploads have: all boxes together have a limit, and the disk keeps some space free for what else lies on it (TFT-5).

The database of leases may lie on the same disk, and phones must not fill it.
"""

import os
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import NamedTuple

from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Admitted, Refused

MOST_IN_ALL = 10_000
"""Files in all boxes: so many can be listed, and copied to a standby."""
RECOUNT_S = 600.0
"""So long what was counted is believed, since others remove and add files, too."""
FULL_RECOUNT_S = 5.0
"""The same when that was too much: an operator may have made room, but a flood must not have all boxes read each time."""

REASON = "there is no room for uploads"
"""What the phone is told; the operator is told which limit it was."""


class Limits(NamedTuple):
    """How much is taken, in octets: of one file, of all files of one phone, and of all phones.

    :ivar floor: so much stays free on the disk.
    """

    file: int
    box: int
    total: int = 1 << 30
    floor: int = 0


def free_octets(path: str) -> int:
    """What is free on the disk of a path for users without privileges; the path need not be there yet."""
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


class Room:
    """What all boxes hold together; threads share it.

    :param root: the directory of the boxes.
    :param sizes: the sizes of all files in them, read from the disk.
    :param now: seconds of any clock that only goes forward.
    """

    def __init__(
        self,
        limits: Limits,
        root: str,
        sizes: Callable[[], Iterable[int]],
        free: Callable[[str], int] = free_octets,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._limits = limits
        self._root = root
        self._sizes = sizes
        self._free = free
        self._now = now
        self._lock = Lock()
        self._files = self._octets = 0
        self._counted_at: float | None = None

    def left(self) -> Admitted | Refused:
        """Octets that still fit, one at least, and why no more do; raise :class:`OSError`."""
        with self._lock:
            spare = self._free(self._root) - self._limits.floor
            if spare <= 0:
                return Refused(
                    ErrorCode.DISK_FULL, REASON, f"less than tftp.upload_floor is free on the disk of {self._root}; make room"
                )
            self._count_if_older_than(RECOUNT_S)
            if self._shortage():
                self._count_if_older_than(FULL_RECOUNT_S)
            shortage = self._shortage()
            if shortage:
                return Refused(ErrorCode.DISK_FULL, REASON, shortage)
            rest = self._limits.total - self._octets
            floor = f"the disk of {self._root} has no more above tftp.upload_floor; make room there"
            total = f"all files below {self._root} come to tftp.upload_total with it; remove some"
            return Admitted(min(spare, rest), Refused(ErrorCode.DISK_FULL, REASON, floor if spare < rest else total))

    def took(self, octets: int) -> None:
        """A file was kept."""
        with self._lock:
            self._files += 1
            self._octets += octets

    @property
    def summary(self) -> str:
        """How much there is, as far as it was counted; empty: it was not."""
        if self._counted_at is None:
            return ""
        return f"{self._files} of {MOST_IN_ALL} files, {self._octets} of {self._limits.total} octets"

    def _shortage(self) -> str:
        if self._octets >= self._limits.total:
            return f"all files below {self._root} have reached tftp.upload_total; remove some"
        return f"there are {MOST_IN_ALL} files below {self._root}; remove some" if self._files >= MOST_IN_ALL else ""

    def _count_if_older_than(self, seconds: float) -> None:
        if self._counted_at is None or self._now() - self._counted_at >= seconds:
            sizes = list(self._sizes())
            self._files, self._octets, self._counted_at = len(sizes), sum(sizes), self._now()
