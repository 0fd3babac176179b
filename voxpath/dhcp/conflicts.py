"""Which addresses others answer for, and whom to believe that."""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.timers import TimerHeap
from voxpath.model.address import Mac

MAX_CONFLICTS = 4096
"""Addresses that are on probation at once since somebody answered for them, but for those that were on offer meanwhile."""

MAX_PER_MAC = 16
"""Addresses that one machine can be believed to have.

A router with proxy ARP answers for every address, and so does an attacker who wants no phone to get one.
"""


class Conflict(NamedTuple):
    """An address on probation.

    :ivar mac: who answered; ``None``: it was heard through a router.
    :ivar until: when its probation ends, in seconds of the server's clock.
    """

    address: IPv4Address
    scope: str
    mac: Mac | None
    until: float


class Conflicts:
    """The conflicts that stand; every operation costs the same however many there are."""

    def __init__(self) -> None:
        self._standing: dict[IPv4Address, Conflict] = {}
        self._ends: TimerHeap[IPv4Address] = TimerHeap()
        self._by: dict[Mac, dict[IPv4Address, None]] = {}

    def __len__(self) -> int:
        return len(self._standing)

    def has_room(self, now: float) -> bool:
        """Whether one more may be entered."""
        self._end(now)
        return len(self._standing) < MAX_CONFLICTS

    def standing(self, now: float) -> list[Conflict]:
        """Those that have not ended, in the order in which they were found."""
        self._end(now)
        return list(self._standing.values())

    def answers(self, mac: Mac, now: float) -> int:
        """For how many addresses on probation a machine answered."""
        self._end(now)
        return len(self._by.get(mac, ()))

    def of(self, mac: Mac, now: float) -> list[Conflict]:
        """Those that a machine answered for, :data:`MAX_PER_MAC` at the most."""
        self._end(now)
        return [self._standing[address] for address in self._by.get(mac, ())]

    def at(self, address: IPv4Address, now: float) -> Conflict | None:
        """The conflict about an address; ``None``: there is none."""
        self._end(now)
        return self._standing.get(address)

    def end(self, address: IPv4Address) -> None:
        """The conflict about an address is over before its time."""
        self._ends.disarm(address)
        self._remove(address)

    def add(self, conflict: Conflict) -> None:
        """Enter one; the caller has looked whether there is room."""
        self._remove(conflict.address)
        self._standing[conflict.address] = conflict
        self._ends.arm(conflict.address, conflict.until)
        if conflict.mac is not None:
            self._by.setdefault(conflict.mac, {})[conflict.address] = None

    def _end(self, now: float) -> None:
        for address in self._ends.due(now):
            self._remove(address)

    def _remove(self, address: IPv4Address) -> None:
        conflict = self._standing.pop(address, None)
        if conflict is None or conflict.mac is None:
            return
        mine = self._by[conflict.mac]
        del mine[address]
        if not mine:
            del self._by[conflict.mac]
