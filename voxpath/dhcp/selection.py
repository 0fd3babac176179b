"""Which address a phone is offered (RFC 2131 section 4.3.1).

Its own one comes first, then the one that it asks for, then any free one.
At the very last another phone's gives way, one that is remembered for a phone whose lease has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.dhcp.addresses import AddressPool, Demand
from voxpath.dhcp.record import Client, lease_fits
from voxpath.dhcp.remembered import Remembered, quarantine_end
from voxpath.model.address import Mac
from voxpath.model.phone import Scope
from voxpath.ports.change import MAKE_ROOM, Exhausted
from voxpath.ports.ledger import Ledger

PASSED_ON = (
    "it is reserved by client identifier or circuit: if several phones send the same one, such as all behind a relay, reserve it "
    "by mac; if that phone is gone, voxpath ctl release it"
)
"""What there is to do when a reserved address is used by another phone that is known by the same."""

WAIT = "nothing: that takes seconds, and when it is found unused the phone gets it by asking again"
"""What there is to do while an address is looked at."""


class Choice(NamedTuple):
    """An address to offer.

    :ivar fresh: it was free, and is taken now.
    :ivar victim: the client that it is remembered for, whose lease has ended; ``None``: it is no other phone's.
    :ivar stocked: it was found unused lately.
    :ivar reserved: it is fixed for the phone, and no stock has it.
    """

    address: IPv4Address
    fresh: bool
    victim: Client | None = None
    stocked: bool = False
    reserved: bool = False

    @property
    def unverified(self) -> bool:
        """Whether it is given without having been found unused lately, though it is not the phone's own."""
        return self.victim is not None or (self.fresh and not (self.stocked or self.reserved))


@dataclass(frozen=True, slots=True)
class Selection:
    """Chooses among the addresses of a book, whose tables it reads.

    :ivar pools: the addresses of each scope.
    :ivar remembered: the phones of each scope whose addresses may give way.
    :ivar owners: whose an address is, by a lease that may have ended.
    :ivar demand: which scopes' addresses can be looked at.
    :ivar reserved: addresses that the configuration keeps for somebody.
    """

    ledger: Ledger
    pools: Mapping[str, AddressPool]
    remembered: Mapping[str, Remembered]
    clients: Mapping[Mac, Client]
    owners: Mapping[IPv4Address, Client]
    demand: Demand
    reserved: Mapping[IPv4Address, Mac | None]

    def entitled(self, fixed: IPv4Address | None, scope: Scope, address: IPv4Address) -> bool:
        """Whether the phone that ``fixed`` is reserved for may have this address in this scope, and nobody else answers for it."""
        if self.pools[scope.name].is_contested(address):
            return False
        if fixed is not None and fixed in scope.subnet:
            return address == fixed
        return self.pools[scope.name].serves(address)

    def choose(
        self, client: Client, scope: Scope, wanted: IPv4Address | None, fixed: IPv4Address | None, now: float, *, others: bool
    ) -> Choice:
        """An address of a scope; a fresh one is taken at once.

        :param others: whether one that is remembered for another phone will do.
        :raises Exhausted: there is none.
        """
        pool, lease = self.pools[scope.name], client.lease
        if client.displaced:
            # The other phone's change removes this one's row: until it is settled or withdrawn no new row may be written.
            raise Exhausted(f"the former address of {client.phone} is being given to another phone")
        if lease is not None and lease_fits(lease, scope) and self.entitled(fixed, scope, lease.address):
            if not client.bound:
                pool.doubt(lease.address)
            return Choice(lease.address, False)
        if fixed is not None and fixed in scope.subnet:
            return self._choose_fixed(client, scope, fixed, now)
        free = _take(pool, wanted)
        if free is not None:
            return free
        if not others:
            raise Exhausted(f"no address of scope {scope.name} is free")
        victim = self._victim(scope, now)
        assert victim.lease is not None  # only remembered leases stand in the queue
        return Choice(victim.lease.address, False, victim)

    def _victim(self, scope: Scope, now: float) -> Client:
        remembered = self.remembered[scope.name]
        try:
            return self.clients[remembered.first(now, unseen=not self.demand.verifies(scope.name))]
        except Exhausted:
            # A phone that may be, or was found, at its former address may have left it: who asks again gets it then.
            mac = remembered.doubtful(now)
            lease = self.clients[mac].lease if mac is not None else None
            if lease is not None:
                self.pools[scope.name].doubt(lease.address)
            raise

    def _choose_fixed(self, client: Client, scope: Scope, fixed: IPv4Address, now: float) -> Choice:
        victim = self.former_owner(client.mac, scope, fixed, now)
        return Choice(fixed, self.pools[scope.name].take_exactly(fixed), victim, reserved=True)

    def former_owner(self, mac: Mac, scope: Scope, fixed: IPv4Address, now: float) -> Client | None:
        """The client whose former address may be another phone's now; ``None``: the address is free.

        :param mac: the other phone, which the address is fixed for.
        :raises Exhausted: somebody uses it, or did too lately.
        """
        pool = self.pools[scope.name]
        if pool.is_contested(fixed):
            raise Exhausted(f"another machine answers for the reserved address {fixed}")
        if pool.is_free(fixed):
            return None
        owner = self.owners.get(fixed)
        # A client identifier or a circuit can be one phone's after the other; an Ethernet address is one phone's alone.
        todo = PASSED_ON if fixed in self.reserved and self.reserved[fixed] is None else MAKE_ROOM
        if owner is None or not owner.gives_way:
            raise Exhausted(f"{fixed} is still used by {owner.phone if owner else 'another machine'}", todo)
        if self.remembered[scope.name].lingers(owner.mac):
            pool.doubt(fixed)
            raise Exhausted(f"{fixed} is still used by {owner.phone}, which answers for it though its lease has ended", todo)
        quarantined = quarantine_end(owner, self.ledger) - now
        if quarantined > 0 and self.reserved.get(fixed) != mac:
            raise Exhausted(f"{fixed} was left by {owner.phone}, whose ports are in quarantine for {quarantined:.0f} s more", todo)
        if self.remembered[scope.name].is_unseen(owner.mac) and self.demand.verifies(scope.name):
            pool.doubt(fixed)
            raise Exhausted(f"{fixed} is looked at first, since {owner.phone} may use it still though its lease has ended", WAIT)
        return owner


def _take(pool: AddressPool, wanted: IPv4Address | None) -> Choice | None:
    """Take the address that is asked for if it is free, else one of the stock, else any; ``None``: none is free."""
    if wanted is not None and pool.serves(wanted):
        stocked = pool.is_verified(wanted)
        if pool.take_exactly(wanted):
            return Choice(wanted, True, stocked=stocked)
    stocked = pool.stocked > 0
    free = pool.take()
    return Choice(free, True, stocked=stocked) if free is not None else None
