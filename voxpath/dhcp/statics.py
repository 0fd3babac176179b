"""Phones with an address by hand that have a block since they asked by INFORM: so many of a scope, and no more (PHN-18).

Whoever can write Ethernet addresses that are served could else take every block of a pool, one INFORM each, for ever.
"""

from collections.abc import Container, Iterable
from ipaddress import IPv4Address

from voxpath.dhcp.record import Client
from voxpath.model.address import Mac
from voxpath.model.phone import Scope
from voxpath.ports.ledger import Ledger


class Statics:
    """The static phones of each scope; every operation costs the same however many there are.

    One that has its address or its block by the configuration, or on an operator's word, is not counted.

    :param reserved: the addresses that the configuration keeps for somebody.
    """

    __slots__ = ("_ledger", "_phones", "_reserved")

    def __init__(self, scopes: Iterable[Scope], reserved: Container[IPv4Address], ledger: Ledger) -> None:
        self._phones: dict[str, set[Mac]] = {scope.name: set() for scope in scopes}
        self._reserved = reserved
        self._ledger = ledger

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

    def sort(self, client: Client) -> None:
        """Count a phone where it belongs now."""
        lease = client.lease
        counted = lease is not None and lease.static and client.bound and not self._is_named(client.phone, lease.address)
        for name, phones in self._phones.items():
            if lease is not None and counted and lease.scope == name:
                phones.add(client.mac)
            else:
                phones.discard(client.mac)

    def _is_named(self, phone: str, address: IPv4Address) -> bool:
        row = self._ledger.binding_of(phone)
        return address in self._reserved or (row is not None and self._ledger.lasting(row))
