"""Where stored leases belong when the configuration's scopes have changed: each is of the scope that its address lies in.

A scope that was only given another name keeps its leases thereby; else their addresses would be offered although the ledger knows
whose they are.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from voxpath.core.effects import Commit, Effect, Emit, Put
from voxpath.dhcp.event import DhcpLeasesAstray, DhcpLeasesMoved
from voxpath.dhcp.record import is_shared
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import Lease, Scope

ROWS_PER_COMMIT = 500
"""Leases that are written at once when they get another scope."""


class Homes(NamedTuple):
    """All leases of the store.

    :ivar leases: each with the scope that it is of now; that of a stray one is not there.
    :ivar effects: what is to be stored and told of those that have another one than before.
    """

    leases: tuple[Lease, ...]
    effects: list[Effect]


def find_homes(leases: Iterable[Lease], scopes: Iterable[Scope]) -> Homes:
    """Give each lease the scope that its address lies in; one whose address is another phone's there stays as it is."""
    by_name = {scope.name: scope for scope in scopes}
    in_order = sorted(by_name.values(), key=lambda scope: scope.subnet)
    begins = [scope.subnet.network_address for scope in in_order]
    stay: list[Lease] = []
    others: list[Lease] = []
    for lease in leases:
        (stay if _fits(lease, by_name.get(lease.scope)) else others).append(lease)
    if not others:
        return Homes(tuple(stay), [])
    taken = {_place(lease) for lease in stay}
    moved: list[Lease] = []
    astray: list[Lease] = []
    # Of several, whoever was there last.
    for lease in sorted(others, key=lambda lease: lease.expires, reverse=True):
        at = bisect_right(begins, lease.address) - 1
        scope = in_order[at] if at >= 0 else None
        now = replace(lease, scope=scope.name) if scope is not None and _fits(lease, scope) else None
        if now is None or _place(now) in taken:
            astray.append(lease)
        else:
            taken.add(_place(now))
            moved.append(now)
    former = {lease.mac: lease.scope for lease in others}
    return Homes((*stay, *moved, *astray), [*_stored(moved), *_told(moved, astray, former)])


def _fits(lease: Lease, scope: Scope | None) -> bool:
    return scope is not None and lease.address in scope.subnet and is_shared(lease) == scope.shared


def _place(lease: Lease) -> tuple[object, ...]:
    return lease.scope, lease.address, lease.first_port


def _stored(moved: list[Lease]) -> Iterable[Effect]:
    for first in range(0, len(moved), ROWS_PER_COMMIT):
        yield Commit(tuple(map(Put, moved[first : first + ROWS_PER_COMMIT])))


def _told(moved: list[Lease], astray: list[Lease], former: dict[Mac, str]) -> Iterable[Effect]:
    for (before, after), count in Counter((former[lease.mac], lease.scope) for lease in moved).items():
        yield Emit(DhcpLeasesMoved(former=printable(before), scope=printable(after), leases=count))
    for scope, count in Counter(lease.scope for lease in astray).items():
        yield Emit(DhcpLeasesAstray(scope=printable(scope), leases=count))
