"""Addresses that phones declined: nobody gets them until their probation ends (RFC 2131 section 4.3.3)."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from voxpath.model.address import Mac
from voxpath.model.phone import Probation


class Declined:
    """The probations that stand; every operation but the listing costs the same however many there are."""

    __slots__ = ("_by", "_standing")

    def __init__(self) -> None:
        self._standing: dict[IPv4Address, Probation] = {}
        self._by: dict[Mac, int] = {}

    def __len__(self) -> int:
        return len(self._standing)

    def standing(self) -> Iterable[Probation]:
        """All of them, in the order in which they were declined or loaded."""
        return self._standing.values()

    def at(self, address: IPv4Address) -> Probation | None:
        """The probation of an address; ``None``: nobody has declined it."""
        return self._standing.get(address)

    def by(self, mac: Mac) -> int:
        """How many addresses are on probation because this phone declined them."""
        return self._by.get(mac, 0)

    def add(self, probation: Probation) -> None:
        """An address is declined; it is not on probation yet."""
        self._standing[probation.address] = probation
        self._by[probation.mac] = self.by(probation.mac) + 1

    def end(self, address: IPv4Address) -> None:
        """The probation of an address is over."""
        mac = self._standing.pop(address).mac
        self._by[mac] -= 1
        if not self._by[mac]:
            del self._by[mac]
