"""The addresses of one scope: which are used, and which is the lowest free one."""

from collections.abc import Iterable
from heapq import heappop, heappush
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.model.phone import Scope


class AddressUsage(NamedTuple):
    """Addresses of one scope by what they are used for; those of reservations are not counted.

    :ivar total: addresses that any phone may get.
    :ivar used: bound, on offer, or given to nobody for a while.
    :ivar kept: remembered for phones whose lease has ended; they give way when nothing is free.
    """

    total: int
    used: int
    kept: int

    @property
    def free(self) -> int:
        """Addresses that nobody has or had."""
        return self.total - self.used - self.kept


class AddressPool:
    """Free and used addresses; every operation costs the same however many leases there are.

    :param barred: addresses that are given only by name, those of reservations; the server's own is added.
    """

    __slots__ = ("_barred", "_first", "_last", "_next", "_returned", "_returned_set", "_taken", "_used", "total")

    def __init__(self, scope: Scope, barred: Iterable[IPv4Address] = ()) -> None:
        self._first, self._last = int(scope.first), int(scope.last)
        never = (scope.server, scope.router or scope.server, scope.subnet.network_address, scope.subnet.broadcast_address)
        self._barred = {int(address) for address in (*barred, *never)}
        self.total = self._last - self._first + 1 - sum(self._first <= address <= self._last for address in self._barred)
        self._taken = 0
        self._used: set[int] = set()
        # Addresses from here on were never taken in order; those before it that came back stand in a heap.
        self._next = self._first
        self._returned: list[int] = []
        self._returned_set: set[int] = set()

    def __len__(self) -> int:
        """How many addresses are used."""
        return len(self._used)

    @property
    def taken(self) -> int:
        """How many addresses are used of those that any phone may have."""
        return self._taken

    def serves(self, address: IPv4Address) -> bool:
        """Whether any phone may have this address without a reservation."""
        number = int(address)
        return self._first <= number <= self._last and number not in self._barred

    def take(self) -> IPv4Address | None:
        """Take the lowest free address; ``None`` when there is none."""
        while self._returned:
            number = heappop(self._returned)
            self._returned_set.remove(number)
            if number not in self._used:
                self._used.add(number)
                self._taken += 1
                return IPv4Address(number)
        while self._next <= self._last:
            number = self._next
            self._next += 1
            if number not in self._used and number not in self._barred:
                self._used.add(number)
                self._taken += 1
                return IPv4Address(number)
        return None

    def take_exactly(self, address: IPv4Address) -> bool:
        """Take this address if it is free, a barred one too; tell whether it was."""
        number = int(address)
        if number in self._used:
            return False
        self._used.add(number)
        self._taken += self.serves(address)
        return True

    def give(self, address: IPv4Address) -> None:
        """Give an address back."""
        number = int(address)
        if number in self._used:
            self._used.remove(number)
            self._taken -= self.serves(address)
        if self._first <= number < self._next and number not in self._barred and number not in self._returned_set:
            self._returned_set.add(number)
            heappush(self._returned, number)
