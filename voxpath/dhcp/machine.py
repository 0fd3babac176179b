"""The clients of one gateway over time: offers, leases, and the changes between them.

A client is *offered* something, then *bound*, then unbound again when its lease was released or ran out.
An unbound client's lease is remembered, and its address is given to another phone only when no free one is left
(:mod:`voxpath.dhcp.former`, :mod:`voxpath.dhcp.selection`).

This module decides nothing about messages and makes no effects; :mod:`voxpath.dhcp.server` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from voxpath.core.timers import TimerHeap
from voxpath.dhcp.addresses import AddressPool, AddressUsage, Demand
from voxpath.dhcp.conflicts import Conflict
from voxpath.dhcp.declined import Declined
from voxpath.dhcp.former import Former
from voxpath.dhcp.record import OF_BLOCKS, Client, Kind, Offer, Step, Timer, is_shared
from voxpath.dhcp.remembered import Remembered
from voxpath.dhcp.selection import Selection
from voxpath.dhcp.statics import Statics
from voxpath.model.address import Mac
from voxpath.model.phone import Lease, PhoneClass, Probation, Scope
from voxpath.ports.change import Exhausted
from voxpath.ports.ledger import Ledger


class Book:
    """All clients of a gateway and the addresses of its scopes; O(1) for every packet.

    :param reserved: addresses that the configuration keeps for somebody, each with the phone if that is known by its MAC.
    """

    def __init__(self, scopes: Iterable[Scope], reserved: Mapping[IPv4Address, Mac | None], ledger: Ledger) -> None:
        self.ledger = ledger
        self.scopes = {scope.name: scope for scope in scopes}
        self.timers: TimerHeap[Timer] = TimerHeap()
        self.offers = 0
        self.statics = Statics(self.scopes.values(), reserved, ledger)
        self._reserved = reserved
        self.demand = Demand()
        self._pools = {name: AddressPool(scope, self._reserved, self.demand) for name, scope in self.scopes.items()}
        self._clients: dict[Mac, Client] = {}
        self._owners: dict[IPv4Address, Client] = {}
        # Those of shared scopes are several phones', and are not here.
        self._offered: dict[IPv4Address, Client] = {}
        self.declined = Declined()
        # When those of each scope end, the declined and the contested ones.
        self.probations: dict[str, TimerHeap[IPv4Address]] = {name: TimerHeap() for name in self.scopes}
        self._unbound = {name: Remembered(name) for name in self.scopes}
        self.former = Former(self._unbound, self._pools, self._clients, self._owners, ledger, self.demand)
        self.selection = Selection(ledger, self._pools, self._unbound, self._clients, self._owners, self.demand, reserved)

    # Look-ups.

    def known(self, mac: Mac) -> Client | None:
        """A client that has an offer or a lease."""
        return self._clients.get(mac)

    def visit(self, mac: Mac) -> Client:
        """A client whose block is going to change, known or not; what it was offered is withdrawn, since it no longer holds."""
        client = self._clients.get(mac)
        if client is not None and not client.pending:
            self.drop_offer(client)
        return self._clients.setdefault(mac, client or Client(mac, str(mac)))

    def leave(self, client: Client) -> None:
        """Forget a client that has neither lease nor offer nor a change under way: it was only visited."""
        if not client.known and not client.pending:
            self._clients.pop(client.mac, None)

    def at(self, address: IPv4Address) -> Client | None:
        """The client that is bound to an address."""
        client = self._owners.get(address)
        return client if client is not None and client.bound else None

    def pool(self, scope: str) -> AddressPool:
        """The addresses of a scope; raise :class:`KeyError` when there is none of this name."""
        return self._pools[scope]

    def used(self, scope: str, now: float) -> int:
        """How many addresses of a scope a new phone cannot get, not even one that is remembered for another phone."""
        return self._pools[scope].taken - self._unbound[scope].ready(now)

    def usage(self, scope: str, now: float) -> AddressUsage:
        """What the addresses of a scope are used for."""
        pool, kept = self._pools[scope], self._unbound[scope].ready(now)
        return AddressUsage(pool.total, pool.taken - kept, kept)

    def holder(self, address: IPv4Address) -> Client | None:
        """The client that an address is leased to or remembered for."""
        return self._owners.get(address)

    def is_of(self, address: IPv4Address, mac: Mac) -> bool:
        """Whether an address is leased or on offer to this phone, or is nobody else's now and remembered or reserved for it."""
        user = self.user(address)
        if user is not None:
            return user.mac == mac
        owner = self._owners.get(address)
        return (owner is not None and owner.mac == mac) or self._reserved.get(address) == mac

    def user(self, address: IPv4Address) -> Client | None:
        """The client that an address is leased to, or on offer to."""
        return self.at(address) or self._offered.get(address)

    def reserved(self) -> list[tuple[str, IPv4Address]]:
        """The reserved addresses, each with the name of its scope."""
        return [(name, address) for address in self._reserved for name, scope in self.scopes.items() if address in scope.subnet]

    def leases(self) -> list[Lease]:
        """All leases, those that ended too."""
        return [client.lease for client in self._clients.values() if client.lease is not None]

    def is_reserved(self, address: IPv4Address) -> bool:
        """Whether the configuration keeps this address for somebody."""
        return address in self._reserved

    # Start.

    def load(self, leases: Iterable[Lease], now: float) -> None:
        """Take the leases of the store; a lease is bound if it has time left and the ledger says that its block is held.

        A lease of no scope keeps its block until it ends, and its phone is told at its next renewal (:mod:`voxpath.dhcp.homes`).
        """
        for lease in sorted(leases, key=lambda lease: lease.expires):
            client = self._clients.setdefault(lease.mac, Client(lease.mac, lease.phone))
            client.lease = lease
            if lease.scope in self._pools and not is_shared(lease):
                self._pools[lease.scope].take_exactly(lease.address)
                self._owners[lease.address] = client
            held = self.former.holds(client)
            client.bound = held and lease.expires > now and lease.scope in self._pools
            if lease.static:
                self.statics.sort(client, lease)
            if held:
                # One that ran out while we were down is due at once, and then gives its block back.
                self._arm_lease(client)
            else:
                self.former.remember(client)

    # Offers.

    def offer(
        self,
        mac: Mac,
        scope: Scope,
        phone_class: PhoneClass,
        wanted: IPv4Address | None,
        now: float,
        fixed: IPv4Address | None = None,
        *,
        others: bool = True,
    ) -> Client:
        """Keep an address and a block for a phone; what it was offered before, if that still fits.

        :param wanted: what it asks for, and gets if that is free.
        :param fixed: the only address that it may have in this scope; ``None``: any.
        :param others: whether an address that is remembered for another phone will do.
        :raises Exhausted: no address or no block is left.
        """
        client = self._clients.get(mac) or Client(mac, str(mac))
        offer = client.offer
        if offer is not None:
            if offer.scope is scope and offer.phone_class == phone_class and self.selection.entitled(fixed, scope, offer.address):
                return client
            self.drop_offer(client)
        if scope.shared:
            return self._offer_shared(client, scope, phone_class, now)
        choice, pool = self.selection.choose(client, scope, wanted, fixed, now, others=others), self._pools[scope.name]
        try:
            block = self.ledger.reserve(client.phone, phone_class.ports, scope.realm, now)
        except Exhausted:
            if choice.fresh:
                pool.put_back(choice.address, stocked=choice.stocked)
            raise
        if choice.victim is not None:
            choice.victim.displaced = True
            self.former.sort(choice.victim)
        if choice.unverified:
            pool.note_unverified(choice.address)
        client.offer = Offer(scope, choice.address, phone_class, block, choice.fresh, choice.victim)
        self._offered[choice.address] = client
        self._clients[mac] = client
        self.former.sort(client)
        self.offers += 1
        return client

    def _offer_shared(self, client: Client, scope: Scope, phone_class: PhoneClass, now: float) -> Client:
        """Keep a block for a phone, whose address is the public one of the block (RFC 7618 section 8)."""
        if client.displaced:
            raise Exhausted(f"the former address of {client.phone} is being given to another phone")
        block = self.ledger.reserve(client.phone, phone_class.ports, scope.realm, now)
        client.offer = Offer(scope, block.public, phone_class, block, False, None)
        self._clients[client.mac] = client
        self.former.sort(client)
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
        if offer.found is not None:
            self.resume(offer.found)
        if client.lease is None:
            del self._clients[client.mac]

    def take_back(self, address: IPv4Address) -> None:
        """Drop the offer of an address, unless its phone has asked for it already: what is being stored is not undone.

        It was another machine that answered: no probation for the sake of this phone goes on.
        """
        client = self._offered.get(address)
        if client is not None and client.offer is not None and not client.pending:
            client.offer.found = None
            self.drop_offer(client)

    def resume(self, conflict: Conflict) -> None:
        """An address where a phone was found does not become that phone's, which may use it still: its probation goes on."""
        if self.contest(conflict.scope, conflict.address, conflict.until):
            self.demand.conflicts.add(conflict)

    def _end_offer(self, client: Client) -> None:
        assert client.offer is not None
        self._offered.pop(client.offer.address, None)
        victim, client.offer = client.offer.victim, None
        if victim is not None:
            victim.displaced = False
            self.former.sort(victim)
        self.former.sort(client)
        self.offers -= 1
        self.timers.disarm(Timer("offer", client.mac))

    # Changes.

    def begin(self, client: Client, number: int) -> None:
        """A change is under way: until it is over, nobody else gets what is remembered for this phone."""
        client.pending = number
        self.former.sort(client)

    def settle(self, step: Step) -> None:
        """The change is stored and applied."""
        client, before = step.client, step.before
        self.ledger.settle(step.ledger)
        client.pending = 0
        if step.kind in OF_BLOCKS:
            self._settle_block(client, step.lease)
            return
        if step.offer is not None:
            self._end_offer(client)
            self._forget(step.offer.victim)
        if before is not None:
            self._leave(client, before, step.lease)
        client.lease = step.lease
        client.bound = step.kind is Kind.BIND
        client.withdrawn = step.kind is Kind.WITHDRAW
        if step.touches_static:
            self.statics.sort(client, client.lease or before)
        self.timers.disarm(Timer("lease", client.mac))
        if step.probation is not None:
            self._put_on_probation(step.probation)
        if client.lease is None:
            self.drop_offer(client)
            self._clients.pop(client.mac, None)
            return
        if not is_shared(client.lease) and client.lease.scope in self._pools:
            self._owners[client.lease.address] = client
        if client.bound:
            self._arm_lease(client)
        else:
            self.former.remember(client)

    def _settle_block(self, client: Client, lease: Lease | None) -> None:
        if lease is not None and lease.static:
            client.lease = lease
            self.statics.sort(client, lease)
            self.timers.disarm(Timer("lease", client.mac))
            if client.bound:
                self._arm_lease(client)
        self.former.sort(client)
        self.leave(client)

    def withdraw(self, step: Step) -> None:
        """The change failed: everything is as it was before it; an offer still stands."""
        self.ledger.withdraw(step.ledger)
        step.client.pending = 0
        self.former.sort(step.client)
        if step.touches_static:
            self.statics.sort(step.client, step.client.lease or step.lease)
        if step.kind in OF_BLOCKS:
            self.leave(step.client)

    def contest(self, scope: str, address: IPv4Address, until: float) -> bool:
        """Somebody else answers for an address: nobody gets it for a while.

        Tell whether that could be done: an address that is leased or on offer is its phone's matter, which may decline it.
        """
        owner, pool = self._owners.get(address), self._pools[scope]
        if not (pool.is_free(address) if owner is None else owner.gives_way):
            return False
        pool.contest(address)
        if owner is not None:
            self.former.looked_at(address, found=False)
        self.timers.arm(Timer("probation", scope=scope, address=address), until)
        self.probations[scope].arm(address, until)
        return True

    def load_probations(self, probations: Iterable[Probation], now: float) -> list[Probation]:
        """Take those of the store, after the leases; return those that are over, or whose address is of no scope or leased."""
        over = []
        for each in probations:
            # The scope may have another name than it had.
            home = next((name for name, scope in self.scopes.items() if each.address in scope.subnet), "")
            if home and each.until > now and self._pools[home].take_exactly(each.address):
                self._put_on_probation(replace(each, scope=home))
            else:
                over.append(each)
        return over

    def _put_on_probation(self, probation: Probation) -> None:
        """Its address is used by nobody's lease, and stays so."""
        self.timers.arm(Timer("probation", probation.mac, probation.scope, probation.address), probation.until)
        self.declined.add(probation)
        if probation.scope in self.probations:
            self.probations[probation.scope].arm(probation.address, probation.until)

    def end_probation(self, scope: str, address: IPv4Address, declined_by: Mac | None) -> None:
        """A declined or contested address may be given again; one that is remembered for a phone stays so."""
        if declined_by is not None:
            self.declined.end(address)
        if scope in self._pools:
            self.probations[scope].disarm(address)
            self._pools[scope].trust(address)
            owner = self._owners.get(address)
            if owner is None:
                self._pools[scope].give(address)
            else:
                self.former.sort(owner)
            if address in self._reserved:
                self.demand.doubt(scope, address)

    def _leave(self, client: Client, before: Lease, after: Lease | None) -> None:
        if before.scope not in self._pools:
            return
        self._unbound[before.scope].forget(client.mac)
        if is_shared(before):
            return
        if after is None or (after.scope, after.address) != (before.scope, before.address):
            if self._owners.get(before.address) is client:
                del self._owners[before.address]
            if after is not None:
                self._pools[before.scope].give(before.address)

    def _forget(self, victim: Client | None) -> None:
        if victim is not None and victim.lease is not None:
            self._unbound[victim.lease.scope].forget(victim.mac)
            del self._owners[victim.lease.address]
            del self._clients[victim.mac]

    def _arm_lease(self, client: Client) -> None:
        assert client.lease is not None
        if not client.lease.permanent:
            self.timers.arm(Timer("lease", client.mac), client.lease.expires)
