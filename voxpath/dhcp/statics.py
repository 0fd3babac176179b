"""Phones with an address by hand that have a block since they asked by INFORM: so many of a scope, and no more (PHN-18).

Whoever can write Ethernet addresses that are served could else take every block of a pool, one INFORM each, for ever.
"""

from collections.abc import Iterable

from voxpath.dhcp.record import Client
from voxpath.model.address import Mac
from voxpath.model.phone import Scope


class Statics:
    """The static phones of each scope; every operation costs the same however many there are."""

    __slots__ = ("_phones",)

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._phones: dict[str, set[Mac]] = {scope.name: set() for scope in scopes}

    def count(self, scope: str) -> int:
        """How many static phones of a scope have a block, or are just being given one."""
        return len(self._phones[scope])

    def admits(self, scope: Scope, mac: Mac) -> bool:
        """Whether this phone may have a block: it is one of them already, or there is room for one more."""
        phones = self._phones[scope.name]
        return mac in phones or len(phones) < scope.static_limit

    def enter(self, scope: str, mac: Mac) -> None:
        """A phone is being given a block; :meth:`sort` tells what came of it."""
        self._phones[scope].add(mac)

    def sort(self, client: Client, named: bool) -> None:
        """Count a phone where it belongs now; one that the configuration or an operator names is not counted."""
        lease = client.lease
        for name, phones in self._phones.items():
            if lease is not None and lease.static and client.bound and lease.scope == name and not named:
                phones.add(client.mac)
            else:
                phones.discard(client.mac)
