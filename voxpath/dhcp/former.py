"""The former addresses of phones whose lease has ended: which of them may be given to another phone now.

:mod:`~voxpath.dhcp.remembered` keeps the queue of each scope; here stands what moves a phone into it and out of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from voxpath.dhcp.addresses import AddressPool, Demand
from voxpath.dhcp.record import Client, is_shared
from voxpath.dhcp.remembered import Remembered, quarantine_end
from voxpath.model.address import Mac
from voxpath.model.ports import BindingState
from voxpath.ports.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Former:
    """What a book remembers of leases that have ended; every operation costs the same however many there are.

    :ivar queues: the phones of each scope whose addresses may give way.
    :ivar clients: all phones of the book.
    :ivar owners: whose an address is, by a lease that may have ended.
    """

    queues: Mapping[str, Remembered]
    pools: Mapping[str, AddressPool]
    clients: Mapping[Mac, Client]
    owners: Mapping[IPv4Address, Client]
    ledger: Ledger
    demand: Demand

    def holds(self, client: Client) -> bool:
        """Whether a phone holds its block; by a lease of no scope it does so without being bound."""
        row = self.ledger.binding_of(client.phone)
        return row is not None and row.state is BindingState.HELD

    def remember(self, client: Client) -> None:
        """A phone whose lease has ended may be on its address: others get it after a look, or at once on an operator's word."""
        lease = client.lease
        if lease is None or lease.scope not in self.queues or is_shared(lease):
            return
        if client.withdrawn:
            self.demand.doubt(lease.scope, lease.address)
        else:
            self.queues[lease.scope].suspect(client.mac)
            self.demand.unseen[lease.scope] = None
        self.sort(client)

    def sort(self, client: Client) -> None:
        """Let a remembered address give way, or not while it is on offer, its phone is back, or a machine answers for it."""
        lease = client.lease
        if lease is None or lease.scope not in self.queues or is_shared(lease):
            return
        queue = self.queues[lease.scope]
        # A lease that ran out while we were down holds its block until its expiry is stored.
        free = client.gives_way and not self.holds(client) and not queue.lingers(client.mac)
        if not (free and self.pools[lease.scope].serves(lease.address)):
            queue.remove(client.mac)
        else:
            queue.add(client.mac, lease.expires, quarantine_end(client, self.ledger))

    # Looks at former addresses (DHC-16).

    def looked_at(self, address: IPv4Address, *, found: bool) -> None:
        """A look at an address is over: a former phone that was found there keeps it from all others, one that was not does not."""
        owner = self.owners.get(address)
        if owner is not None and owner.lease is not None and not owner.bound:
            self.queues[owner.lease.scope].linger(owner.mac, found=found)
            self.sort(owner)

    def unseen(self, scope: str) -> IPv4Address | None:
        """A former address that nobody has looked at since its lease ended, each in turn; ``None``: there is none."""
        mac = self.queues[scope].unseen()
        lease = self.clients[mac].lease if mac is not None else None
        return lease.address if lease is not None else None

    def lingers_in(self, address: IPv4Address) -> str:
        """The scope of an address whose former phone was found to use it still; empty: none was."""
        owner = self.owners.get(address)
        lease = owner.lease if owner is not None else None
        return lease.scope if lease is not None and self.queues[lease.scope].lingers(lease.mac) else ""
