"""The addresses of one scope: which are used, which is the lowest free one, and which of the free were found unused lately.

A free address is *drawn* to be probed, and joins the *stock* when nobody answered (:mod:`voxpath.dhcp.probe`).
Addresses are taken from the stock first; an empty stock delays nobody, it only makes the next address an unverified one.
An address that somebody else answers for is *contested*: it is given to nobody until its probation ends (DHC-16).
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.dhcp.conflicts import Conflicts
from voxpath.model.phone import Scope

MAX_DOUBTS = 1024
"""Addresses that wait for a look in the background; further ones go without it, which is counted."""


class Demand:
    """What there is to probe; the pools write it and the prober reads it.

    :ivar scopes: the names of those whose stock may be short, in the order in which they became it.
    :ivar doubts: addresses that are not free and yet worth a look, each with its scope's name, oldest first.
    :ivar unseen: the names of scopes with former addresses that nobody has looked at yet (:mod:`voxpath.dhcp.remembered`), those
        first whose turn it is.
    :ivar overlooked: how many were not noted, for want of room.
    :ivar probed: the names of the scopes whose addresses are verified; the prober writes it.
    :ivar conflicts: addresses that others answered for; the prober writes it, and a phone that was one of those others ends it.
    :ivar unsent: why the last probe of a scope did not leave, and what to do, by the scope's name; the prober writes it, too.
    """

    __slots__ = ("conflicts", "doubts", "overlooked", "probed", "scopes", "unseen", "unsent")

    def __init__(self) -> None:
        self.scopes: dict[str, None] = {}
        self.doubts: dict[IPv4Address, str] = {}
        self.unseen: dict[str, None] = {}
        self.overlooked = 0
        self.conflicts = Conflicts()
        self.probed: frozenset[str] = frozenset()
        self.unsent: dict[str, str] = {}

    def verifies(self, scope: str) -> bool:
        """Whether addresses of a scope can be looked at now."""
        return scope in self.probed and scope not in self.unsent

    def doubt(self, scope: str, address: IPv4Address) -> None:
        """Have an address looked at when there is time."""
        if len(self.doubts) < MAX_DOUBTS or address in self.doubts:
            self.doubts[address] = scope
        else:
            self.overlooked += 1


class AddressUsage(NamedTuple):
    """Addresses of one scope by what they are used for; those of reservations are not counted.

    :ivar total: addresses that any phone may get.
    :ivar used: bound, on offer, or given to nobody for a while, as long as the ports of the phone that left it are in quarantine,
        or as it uses it still.
    :ivar kept: remembered for phones whose lease has ended; they give way when nothing is free.
    """

    total: int
    used: int
    kept: int

    @property
    def free(self) -> int:
        """Addresses that nobody has or had."""
        return self.total - self.used - self.kept


class Mark(NamedTuple):
    """What a pool knows of its free addresses; see :class:`AddressPool`."""

    stock: tuple[int, ...]
    drawn: tuple[int, ...]
    unverified: int


class AddressPool:
    """Free and used addresses; every operation costs the same however many leases there are.

    :param barred: addresses that are given only by name, those of reservations; the server's own is added.
    :ivar unverified: how many addresses were given without having been probed lately.
    """

    __slots__ = (
        "_barred", "_contested", "_demand", "_drawn", "_first", "_last", "_name", "_next", "_returned", "_returned_set", "_stock",
        "_taken", "_used", "total", "unverified",
    )  # fmt: skip

    def __init__(self, scope: Scope, barred: Iterable[IPv4Address] = (), demand: Demand | None = None) -> None:
        self.unverified = 0
        self._name = scope.name
        self._demand = demand or Demand()
        self._first, self._last = int(scope.first), int(scope.last)
        never = (scope.server, scope.router or scope.server, scope.subnet.network_address, scope.subnet.broadcast_address)
        self._barred = {int(address) for address in (*barred, *never, *scope.relays)}
        self.total = self._last - self._first + 1 - sum(self._first <= address <= self._last for address in self._barred)
        self._taken = 0
        self._used: set[int] = set()
        # Addresses from here on were never taken in order; those before it that came back stand in a heap.
        self._next = self._first
        self._returned: list[int] = []
        self._returned_set: set[int] = set()
        # Free ones that stand neither in the heap nor behind _next; dictionaries keep their order.
        self._drawn: dict[int, None] = {}
        self._stock: dict[int, None] = {}
        self._contested: set[int] = set()

    def __len__(self) -> int:
        """How many addresses are used."""
        return len(self._used)

    @property
    def taken(self) -> int:
        """How many addresses are used of those that any phone may have."""
        return self._taken

    def serves(self, address: IPv4Address) -> bool:
        """Whether any phone may have this address without a reservation."""
        number = int(address)
        return self._is_common(number) and number not in self._contested

    def mark(self) -> Mark:
        """How its free addresses stand, for :meth:`restore`."""
        return Mark(tuple(self._stock), tuple(self._drawn), self.unverified)

    def restore(self, mark: Mark) -> None:
        """Put free addresses where they stood; whatever was taken since the mark was given back."""
        self._stock, self._drawn = dict.fromkeys(mark.stock), dict.fromkeys(mark.drawn)
        self.unverified = mark.unverified

    def take(self) -> IPv4Address | None:
        """Take the address of the stock that stands there longest, else the lowest free one; ``None`` when there is none."""
        number = next(iter(self._stock), None)
        if number is None:
            # An address whose probe is under way may be occupied as well as any other, but less will be known of it.
            number = self._lowest()
            if number is None:
                number = next(iter(self._drawn), None)
            if number is None:
                return None
        self._use(number)
        return IPv4Address(number)

    def take_exactly(self, address: IPv4Address) -> bool:
        """Take this address if it is free, a barred one too; tell whether it was."""
        number = int(address)
        if number in self._used:
            return False
        self._use(number)
        return True

    def give(self, address: IPv4Address) -> None:
        """Give an address back; a contested one stays used until its probation ends."""
        number = int(address)
        if number in self._contested:
            return
        if number in self._used:
            self._used.remove(number)
            self._taken -= self._is_common(number)
        self._put_back(number)
        self._demand.scopes[self._name] = None

    def put_back(self, address: IPv4Address, *, stocked: bool) -> None:
        """Give back what was taken a moment ago and told to nobody.

        :param stocked: whether it was in the stock; there it is the next one then.
        """
        self.give(address)
        if stocked:
            self._stock = {int(address): None, **self._stock}

    def note_unverified(self, address: IPv4Address) -> None:
        """It is being given without having been found unused lately: count it, and have it looked at."""
        self.unverified += 1
        self.doubt(address)

    def doubt(self, address: IPv4Address) -> None:
        """Have an address looked at when there is time."""
        self._demand.doubt(self._name, address)

    # What the prober asks and says.

    @property
    def stocked(self) -> int:
        """How many free addresses were found unused lately."""
        return len(self._stock)

    @property
    def drawn(self) -> int:
        """How many free addresses are being probed."""
        return len(self._drawn)

    def draw(self) -> IPv4Address | None:
        """The lowest free address that is not drawn yet, to be probed; ``None`` when there is none."""
        number = self._lowest()
        if number is None:
            return None
        self._drawn[number] = None
        return IPv4Address(number)

    def is_verified(self, address: IPv4Address) -> bool:
        """Whether it is in the stock."""
        return int(address) in self._stock

    def verify(self, address: IPv4Address) -> bool:
        """Nobody answered: put a drawn address into the stock, the last place again if it is there already.

        Tell whether it is there; it is not when a phone got it meanwhile.
        """
        number = int(address)
        known = number in self._drawn or number in self._stock
        if known:
            self._drawn.pop(number, None)
            self._stock.pop(number, None)
            self._stock[number] = None
        return known

    def unverify(self, address: IPv4Address) -> None:
        """It could not be asked for again: an address of the stock is drawn once more."""
        number = int(address)
        if number in self._stock:
            del self._stock[number]
            self._drawn[number] = None

    def is_free(self, address: IPv4Address) -> bool:
        """Whether nobody has it, neither by a lease nor by an offer nor on probation."""
        return int(address) not in self._used

    def is_contested(self, address: IPv4Address) -> bool:
        """Whether somebody else answers for it."""
        return int(address) in self._contested

    def contest(self, address: IPv4Address) -> None:
        """Somebody answered: nobody gets this address before :meth:`trust`."""
        number = int(address)
        self._use(number)
        self._contested.add(number)

    def trust(self, address: IPv4Address) -> None:
        """The probation of an address ends."""
        self._contested.discard(int(address))

    # Parts.

    def _lowest(self) -> int | None:
        """Remove the lowest address from those that are free and not drawn."""
        while self._returned:
            number = heappop(self._returned)
            self._returned_set.remove(number)
            if not self._is_taken(number):
                return number
        while self._next <= self._last:
            number = self._next
            self._next += 1
            if number not in self._barred and not self._is_taken(number):
                return number
        return None

    def _is_common(self, number: int) -> bool:
        """Whether it is among those that any phone may get."""
        return self._first <= number <= self._last and number not in self._barred

    def _is_taken(self, number: int) -> bool:
        return number in self._used or number in self._drawn or number in self._stock

    def _use(self, number: int) -> None:
        self._drawn.pop(number, None)
        self._stock.pop(number, None)
        if number not in self._used:
            self._used.add(number)
            self._taken += self._is_common(number)
        self._demand.scopes[self._name] = None

    def _put_back(self, number: int) -> None:
        if self._first <= number < self._next and number not in self._barred and number not in self._returned_set:
            self._returned_set.add(number)
            heappush(self._returned, number)
