"""What the server keeps of a phone: its offer, its lease, and a change of them that is under way."""

from enum import Enum
from ipaddress import IPv4Address

from msgspec import Struct

from voxpath.core.effects import Change, Delete, Put
from voxpath.dhcp.conflicts import Conflict
from voxpath.model.address import Mac
from voxpath.model.phone import Lease, PhoneClass, Probation, Scope
from voxpath.model.ports import PortBlock
from voxpath.ports.change import LedgerChange


class Kind(Enum):
    """What a change does to a client; the values are the words of events."""

    BIND = "lease"
    RELEASE = "release"
    WITHDRAW = "withdrawal"
    EXPIRE = "expiry"
    DECLINE = "decline"
    MOVE = "move"
    RESERVE = "reservation"


OF_BLOCKS = (Kind.MOVE, Kind.RESERVE)
"""Changes of a phone's port block alone, on an operator's word; its lease stays as it is, but for the end of a static one."""


class Timer(Struct, frozen=True, gc=False):
    """What a timer is for: the end of an offer, lease, probation, or of the pause before a repeated undo or FORCERENEW."""

    what: str
    mac: Mac | None = None
    scope: str = ""
    address: IPv4Address | None = None
    number: int = 0


class Offer(Struct, gc=False):
    """What is kept for a client until it asks for it.

    :ivar fresh: the address was free before the offer, and is free again if nothing comes of it.
    :ivar victim: the unbound client that the address is remembered for.
    :ivar found: the probation that rests while its phone, which was found at the address, may ask for it.
    """

    scope: Scope
    address: IPv4Address
    phone_class: PhoneClass
    block: PortBlock
    fresh: bool
    victim: "Client | None"
    found: Conflict | None = None


class Client(Struct, gc=False, eq=False):
    """One phone.

    :ivar lease: its last lease, bound or not, as the store has it.
    :ivar pending: number of the change that is under way; 0: none.
    :ivar displaced: its remembered address is on offer to another phone.
    :ivar recalled: it is to boot anew when it renews.
    :ivar withdrawn: an operator ended its lease; that is forgotten by a restart.
    """

    mac: Mac
    phone: str
    lease: Lease | None = None
    bound: bool = False
    offer: Offer | None = None
    pending: int = 0
    displaced: bool = False
    recalled: bool = False
    withdrawn: bool = False

    @property
    def known(self) -> bool:
        """Whether something is kept for it: a lease, also one that has ended, or an offer."""
        return self.lease is not None or self.offer is not None

    @property
    def gives_way(self) -> bool:
        """Whether its address may be given to another phone: its lease has ended, and nothing is under way about it."""
        return not (self.bound or self.pending or self.offer or self.displaced)


class Step(Struct, frozen=True, gc=False):
    """One change of a client, from its beginning until it is settled or withdrawn.

    :ivar lease: the lease after it; ``None``: none.
    :ivar offer: what it was made from, if it was.
    :ivar probation: that of the address, if the phone declined it.
    """

    kind: Kind
    client: Client
    ledger: LedgerChange
    before: Lease | None
    lease: Lease | None
    offer: Offer | None = None
    probation: Probation | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """The rows to write; an address leaves its former lease before it enters another."""
        rows = (*self._victims(Delete), *_lease_rows(self.before, self.lease), *self.ledger.changes)
        return rows if self.probation is None else (*rows, Put(self.probation))

    @property
    def touches_static(self) -> bool:
        """Whether it is about a static phone's lease."""
        return (self.lease is not None and self.lease.static) or (self.before is not None and self.before.static)

    @property
    def undo(self) -> tuple[Change, ...]:
        """The rows that take the change back."""
        rows = (*self.ledger.undo, *_lease_rows(self.lease, self.before), *self._victims(Put))
        return rows if self.probation is None else (Delete(self.probation), *rows)

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


def is_shared(lease: Lease) -> bool:
    """Whether its address is one that several phones have, so that no table of addresses holds it (RFC 7618)."""
    return bool(lease.first_port)


def lease_fits(lease: Lease, scope: Scope) -> bool:
    """Whether it is a lease of this scope as it is configured now; the scope may have become a shared one."""
    return lease.scope == scope.name and is_shared(lease) == scope.shared
