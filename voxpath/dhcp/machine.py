"""The clients of one gateway over time: offers, leases, and the changes between them.

A client is *offered* something, then *bound*, then unbound again when its lease was released or ran out.
An unbound client's lease is remembered, and its address is given to another phone only when the scope has no free one left; the
phone whose lease ended first gives way first.

This module decides nothing about messages and makes no effects; :mod:`voxpath.dhcp.server` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from math import isinf
from typing import NamedTuple

from voxpath.core.effects import Change, Delete, Put
from voxpath.core.timers import TimerHeap
from voxpath.dhcp.addresses import AddressPool, AddressUsage
from voxpath.model.address import Mac
from voxpath.model.phone import Lease, PhoneClass, Scope
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.change import Exhausted, LedgerChange
from voxpath.ports.ledger import Ledger


class Kind(Enum):
    """What a change does to a client; the values are the words of events."""

    BIND = "lease"
    RELEASE = "release"
    EXPIRE = "expiry"
    DECLINE = "decline"
    MOVE = "move"
    RESERVE = "reservation"


OF_BLOCKS = (Kind.MOVE, Kind.RESERVE)
"""Changes of a phone's port block alone, on an operator's word; its lease stays as it is."""


class Timer(NamedTuple):
    """What a timer is for: the end of an offer, lease, probation, or of the pause before a repeated undo or FORCERENEW."""

    what: str
    mac: Mac | None = None
    scope: str = ""
    address: IPv4Address | None = None
    number: int = 0


@dataclass(slots=True)
class Offer:
    """What is kept for a client until it asks for it.

    :ivar fresh: the address was free before the offer, and is free again if nothing comes of it.
    :ivar victim: the unbound client that the address is remembered for.
    """

    scope: Scope
    address: IPv4Address
    phone_class: PhoneClass
    block: PortBlock
    fresh: bool
    victim: "Client | None"


class Client:
    """One phone.

    :ivar lease: its last lease, bound or not, as the store has it.
    :ivar pending: number of the change that is under way; 0: none.
    :ivar displaced: its remembered address is on offer to another phone.
    :ivar recalled: it is to boot anew when it renews.
    """

    __slots__ = ("bound", "displaced", "lease", "mac", "offer", "pending", "phone", "recalled")

    def __init__(self, mac: Mac) -> None:
        self.mac = mac
        self.phone = str(mac)
        self.lease: Lease | None = None
        self.bound = False
        self.offer: Offer | None = None
        self.pending = 0
        self.displaced = False
        self.recalled = False

    @property
    def known(self) -> bool:
        """Whether something is kept for it: a lease, also one that has ended, or an offer."""
        return self.lease is not None or self.offer is not None


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a client, from its beginning until it is settled or withdrawn.

    :ivar lease: the lease after it; ``None``: none.
    :ivar offer: what it was made from, if it was.
    """

    kind: Kind
    client: Client
    ledger: LedgerChange
    before: Lease | None
    lease: Lease | None
    offer: Offer | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """The rows to write; an address leaves its former lease before it enters another."""
        return (*self._victims(Delete), *_lease_rows(self.before, self.lease), *self.ledger.changes)

    @property
    def undo(self) -> tuple[Change, ...]:
        """The rows that take the change back."""
        return (*self.ledger.undo, *_lease_rows(self.lease, self.before), *self._victims(Put))

    @property
    def about(self) -> str:
        """The address that it is about, or the block; for events."""
        lease = self.lease or self.before
        if self.kind in OF_BLOCKS or lease is None:
            return str(self.ledger.written[-1].block)
        return str(lease.address)

    def _victims(self, change: type[Put] | type[Delete]) -> tuple[Change, ...]:
        victim = self.offer.victim if self.offer is not None else None
        return () if victim is None else (change(victim.lease),)


def _lease_rows(before: Lease | None, after: Lease | None) -> tuple[Change, ...]:
    if after is not None:
        return () if after == before else (Put(after),)
    return () if before is None else (Delete(before),)


class Book:
    """All clients of a gateway and the addresses of its scopes; O(1) for every packet."""

    def __init__(self, scopes: Iterable[Scope], reservations: Mapping[Mac, IPv4Address], ledger: Ledger) -> None:
        self.ledger = ledger
        self.scopes = {scope.name: scope for scope in scopes}
        self.timers: TimerHeap[Timer] = TimerHeap()
        self.offers = 0
        self._reservations = reservations
        self._reserved = frozenset(reservations.values())
        self._pools = {name: AddressPool(scope, self._reserved) for name, scope in self.scopes.items()}
        self._clients: dict[Mac, Client] = {}
        self._owners: dict[IPv4Address, Client] = {}
        self._unbound: dict[str, TimerHeap[Mac]] = {name: TimerHeap() for name in self.scopes}

    # Look-ups.

    def known(self, mac: Mac) -> Client | None:
        """A client that has an offer or a lease."""
        return self._clients.get(mac)

    def visit(self, mac: Mac) -> Client:
        """A client whose block is going to change, known or not; what it was offered is withdrawn, since it no longer holds."""
        client = self._clients.get(mac)
        if client is not None and not client.pending:
            self.drop_offer(client)
        return self._clients.setdefault(mac, client or Client(mac))

    def at(self, address: IPv4Address) -> Client | None:
        """The client that is bound to an address."""
        client = self._owners.get(address)
        return client if client is not None and client.bound else None

    def usage(self, scope: str) -> AddressUsage:
        """What the addresses of a scope are used for."""
        pool, kept = self._pools[scope], len(self._unbound[scope])
        return AddressUsage(pool.total, pool.taken - kept, kept)

    def leave(self, client: Client) -> None:
        """Forget a client that has neither lease nor offer nor a change under way: it was only visited."""
        if not client.known and not client.pending:
            self._clients.pop(client.mac, None)

    def leases(self) -> list[Lease]:
        """All leases, those that ended too."""
        return [client.lease for client in self._clients.values() if client.lease is not None]

    def entitled(self, mac: Mac, scope: Scope, address: IPv4Address) -> bool:
        """Whether the configuration lets this phone have this address in this scope."""
        fixed = self._reservations.get(mac)
        if fixed is not None and fixed in scope.subnet:
            return address == fixed
        return self._pools[scope.name].serves(address)

    # Start.

    def load(self, leases: Iterable[Lease], now: float) -> None:
        """Take the leases of the store; a lease is bound if it has time left and the ledger says that its block is held."""
        for lease in sorted(leases, key=lambda lease: lease.expires):
            client = self._clients.setdefault(lease.mac, Client(lease.mac))
            client.lease = lease
            if lease.scope in self._pools:
                self._pools[lease.scope].take_exactly(lease.address)
                self._owners[lease.address] = client
            held = self._holds(client)
            client.bound = held and lease.expires > now and lease.scope in self._pools
            if held:
                # One that ran out while we were down is due at once, and then gives its block back.
                self._arm_lease(client)
            else:
                self._sort(client)

    # Offers.

    def offer(self, mac: Mac, scope: Scope, phone_class: PhoneClass, wanted: IPv4Address | None, now: float) -> Client:
        """Keep an address and a block for a phone; what it was offered before, if that still fits.

        :raises Exhausted: no address or no block is left.
        """
        client = self._clients.get(mac) or Client(mac)
        offer = client.offer
        if offer is not None:
            if offer.scope is scope and offer.phone_class == phone_class and self.entitled(mac, scope, offer.address):
                return client
            self.drop_offer(client)
        address, fresh, victim = self._choose(client, scope, wanted, now)
        try:
            block = self.ledger.reserve(client.phone, phone_class.ports, scope.realm, now)
        except Exhausted:
            if fresh:
                self._pools[scope.name].give(address)
            raise
        if victim is not None:
            victim.displaced = True
            self._sort(victim)
        client.offer = Offer(scope, address, phone_class, block, fresh, victim)
        self._clients[mac] = client
        self._sort(client)
        self.offers += 1
        return client

    def drop_offer(self, client: Client) -> None:
        """Let go of what was kept; a client that never had a lease is forgotten."""
        offer = client.offer
        if offer is None:
            return
        self._end_offer(client)
        self.ledger.unreserve(client.phone)
        if offer.fresh:
            self._pools[offer.scope.name].give(offer.address)
        if client.lease is None:
            del self._clients[client.mac]

    def _end_offer(self, client: Client) -> None:
        assert client.offer is not None
        victim, client.offer = client.offer.victim, None
        if victim is not None:
            victim.displaced = False
            self._sort(victim)
        self._sort(client)
        self.offers -= 1
        self.timers.disarm(Timer("offer", client.mac))

    def _choose(
        self, client: Client, scope: Scope, wanted: IPv4Address | None, now: float
    ) -> tuple[IPv4Address, bool, Client | None]:
        """An address, whether it was free, and the unbound client that it was remembered for."""
        pool = self._pools[scope.name]
        fixed = self._reservations.get(client.mac)
        lease = client.lease
        if client.displaced:
            # The other phone's change removes this one's row: until it is settled or withdrawn no new row may be written.
            raise Exhausted(f"the former address of {client.phone} is being given to another phone")
        if lease is not None and lease.scope == scope.name and self.entitled(client.mac, scope, lease.address):
            return lease.address, False, None
        if fixed is not None and fixed in scope.subnet:
            return self._choose_fixed(pool, fixed)
        if wanted is not None and pool.serves(wanted) and pool.take_exactly(wanted):
            return wanted, True, None
        free = pool.take()
        if free is not None:
            return free, True, None
        victim = self._longest_unbound(scope, now)
        if victim is None or victim.lease is None:
            raise Exhausted(f"no address of scope {scope.name} is left")
        return victim.lease.address, False, victim

    def _choose_fixed(self, pool: AddressPool, fixed: IPv4Address) -> tuple[IPv4Address, bool, Client | None]:
        if pool.take_exactly(fixed):
            return fixed, True, None
        owner = self._owners.get(fixed)
        if owner is not None and self._gives_way(owner):
            return fixed, False, owner
        raise Exhausted(f"the reserved address {fixed} is still used by {owner.phone if owner else 'another machine'}")

    def _longest_unbound(self, scope: Scope, now: float) -> Client | None:
        queue = self._unbound[scope.name]
        passed = []
        found = None
        for mac in queue.due(now):
            client = self._clients[mac]
            assert client.lease is not None  # only remembered leases stand in the queue
            passed.append(client.lease)
            if self._gives_way(client):
                found = client
                break
        for lease in passed:
            queue.arm(lease.mac, lease.expires)
        return found

    def _holds(self, client: Client) -> bool:
        row = self.ledger.binding_of(client.phone)
        return row is not None and row.state is BindingState.HELD

    @staticmethod
    def _gives_way(client: Client) -> bool:
        return not (client.bound or client.pending or client.offer or client.displaced)

    # Changes.

    def settle(self, step: Step, now: float, probation_s: float) -> None:
        """The change is stored and applied."""
        client, before = step.client, step.before
        self.ledger.settle(step.ledger)
        client.pending = 0
        if step.kind in OF_BLOCKS:
            self.leave(client)
            return
        if step.offer is not None:
            self._end_offer(client)
            self._forget(step.offer.victim)
        if before is not None:
            self._leave(client, before, step.lease)
        client.lease = step.lease
        client.bound = step.kind is Kind.BIND
        self.timers.disarm(Timer("lease", client.mac))
        if step.kind is Kind.DECLINE and before is not None:
            self.timers.arm(Timer("probation", scope=before.scope, address=before.address), now + probation_s)
        if client.lease is None:
            self.drop_offer(client)
            self._clients.pop(client.mac, None)
            return
        self._owners[client.lease.address] = client
        if client.bound:
            self._arm_lease(client)
        else:
            self._sort(client)

    def withdraw(self, step: Step) -> None:
        """The change failed: everything is as it was before it; an offer still stands."""
        self.ledger.withdraw(step.ledger)
        step.client.pending = 0
        if step.kind in OF_BLOCKS:
            self.leave(step.client)

    def end_probation(self, scope: str, address: IPv4Address) -> None:
        """A declined address is free again."""
        if scope in self._pools:
            self._pools[scope].give(address)

    def _leave(self, client: Client, before: Lease, after: Lease | None) -> None:
        if before.scope not in self._pools:
            return
        self._unbound[before.scope].disarm(client.mac)
        if after is None or (after.scope, after.address) != (before.scope, before.address):
            self._owners.pop(before.address, None)
            if after is not None:
                self._pools[before.scope].give(before.address)

    def _forget(self, victim: Client | None) -> None:
        if victim is not None and victim.lease is not None:
            self._unbound[victim.lease.scope].disarm(victim.mac)
            del self._owners[victim.lease.address]
            del self._clients[victim.mac]

    def _sort(self, client: Client) -> None:
        """Let a remembered address give way, or not while it is on offer or its phone is back."""
        lease = client.lease
        if lease is None or lease.scope not in self._unbound:
            return
        queue = self._unbound[lease.scope]
        # A lease that ran out while we were down holds its block until its expiry is stored.
        free = self._gives_way(client) and not self._holds(client)
        if not (free and self._pools[lease.scope].serves(lease.address)):
            queue.disarm(client.mac)
        elif client.mac not in queue:
            queue.arm(client.mac, lease.expires)

    def _arm_lease(self, client: Client) -> None:
        assert client.lease is not None
        if not isinf(client.lease.expires):
            self.timers.arm(Timer("lease", client.mac), client.lease.expires)
