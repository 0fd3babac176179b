"""Phones with an address by hand that have a block since they asked by INFORM: so many of a scope, and no more (PHN-18).

Whoever can write Ethernet addresses that are served could else take every block of a pool, one INFORM each, for ever.
One that ended counts until its block has left quarantine, so that INFORM and RELEASE in turn take no more.
"""

from collections.abc import Container, Iterable
from ipaddress import IPv4Address
from math import inf

from msgspec.structs import replace

from voxpath.core.timers import TimerHeap
from voxpath.dhcp.record import Client
from voxpath.dhcp.remembered import quarantine_end
from voxpath.model.address import Mac
from voxpath.model.phone import Lease, Scope
from voxpath.model.ports import BindingState, PortBinding
from voxpath.ports.ledger import Ledger


class Statics:
    """The static phones of each scope; every operation costs the same however many there are.

    One that has its address or its block by the configuration, or on an operator's word, is not counted.

    :param reserved: the addresses that the configuration keeps for somebody.
    """

    __slots__ = ("_ledger", "_phones", "_reserved", "_scopes")

    def __init__(self, scopes: Iterable[Scope], reserved: Container[IPv4Address], ledger: Ledger) -> None:
        self._scopes = {scope.name: scope for scope in scopes}
        # Each until when it counts.
        self._phones: dict[str, TimerHeap[Mac]] = {name: TimerHeap() for name in self._scopes}
        self._reserved = reserved
        self._ledger = ledger

    def count(self, scope: str, now: float) -> int:
        """How many static phones of a scope have a block, have one in quarantine, or are just being given one."""
        phones = self._phones[scope]
        for _ in phones.due(now):
            pass
        return len(phones)

    def admits(self, scope: Scope, mac: Mac, now: float) -> bool:
        """Whether this phone may have a block: it is one of them already, or there is room for one more."""
        return self.count(scope.name, now) < scope.static_limit or mac in self._phones[scope.name]

    def enter(self, scope: str, mac: Mac) -> None:
        """A phone is being given a block; :meth:`sort` tells what came of it."""
        self._phones[scope].arm(mac, inf)

    def sort(self, client: Client, lease: Lease | None) -> None:
        """Count a phone where it belongs now.

        :param lease: its last one, which it may have lost by a DECLINE.
        """
        until = inf if client.bound else quarantine_end(client, self._ledger)
        row = self._ledger.binding_of(client.phone)
        counted = lease is not None and lease.static and until and not self._is_named(lease.address, row)
        for name, phones in self._phones.items():
            if lease is not None and counted and lease.scope == name:
                phones.arm(client.mac, until)
            else:
                phones.disarm(client.mac)

    def aged(self, lease: Lease, row: PortBinding | None, now: float) -> Lease:
        """A lease as it is when its phone has this row: that of a static phone that is named is for ever, the others' end.

        One that was for ever has the whole time left, as if an INFORM had come now; one that has ended stays so.
        """
        scope = self._scopes.get(lease.scope)
        held = row is not None and row.state is BindingState.HELD
        if scope is None or not (lease.static and held and lease.expires > now):
            return lease
        permanent = self._is_named(lease.address, row) or not scope.static_s
        return lease if lease.permanent == permanent else replace(lease, expires=inf if permanent else now + scope.static_s)

    def _is_named(self, address: IPv4Address, row: PortBinding | None) -> bool:
        return address in self._reserved or (row is not None and self._ledger.lasting(row))
