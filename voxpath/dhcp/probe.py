"""Finding out ahead of need that addresses are unused, so that no OFFER waits for it (DHC-16, RFC 2131 section 2.2).

Each scope keeps a small *stock* of free addresses that nobody answered for; it is refilled in the background, and what stands in
it for long is probed again.
On the link ARP asks, beyond a relay an ICMP echo does.
Some addresses are looked at without being free: those that were given without a probe, since the stock was empty; those of phones
whose lease ended, before the start too; and reserved ones.
A phone that is found at its address after its lease has ended keeps it from all others until a later look does not find it there.
Silence counts only after requests that left: what could not be asked for is not verified, and is asked for again after a while.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.effects import Datagram, Effect, Emit, Failed, Outcome, Send
from voxpath.core.timers import TimerHeap
from voxpath.dhcp import arp, echo
from voxpath.dhcp.conflicts import MAX_PER_MAC, Conflict
from voxpath.dhcp.event_probe import DhcpConflict, DhcpNotBelieved, DhcpOccupied, DhcpProbeRestored, DhcpProbeUnsent
from voxpath.dhcp.listing import probations
from voxpath.dhcp.machine import Book
from voxpath.dhcp.remedy import remedy
from voxpath.model.address import BROADCAST_HOST, Endpoint, Mac
from voxpath.model.phone import Scope

ARP_PORT, ECHO_PORT = "arp", "icmp"
"""The names of the local ports that probes leave by, and that answers come to."""

REQUESTS = 3
"""How often is asked before silence counts as an answer (RFC 5227, PROBE_NUM)."""

MAX_LOOKS = 64
"""Addresses that are not free and are looked at at once."""

RETRY_S = 30.0
"""Pause after a request that did not leave: without a route, or while an interface is down, the next one would not either."""

MAX_UNSENT = 2 * MAX_LOOKS
"""Addresses of a scope that wait for such a pause; further ones that are not free go without a look."""

MAX_REFUSED = 256
"""Machines that are remembered not to be believed; if there are more, some of them are told of once more."""

BEYOND = "a machine beyond a relay"
"""Who answered an echo: the Ethernet address that it came from is a router's."""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Times and sizes.

    :ivar wait_s: how long an answer to each request is waited for, in seconds.
    :ivar stock: how many verified addresses each scope keeps.
    :ivar age_s: after this time an address of the stock is probed again.
    :ivar probation_s: how long an address that somebody answered for is given to nobody.
    :ivar identifier: of our ICMP echo messages, 16 bits.
    """

    wait_s: float = 1.0
    stock: int = 32
    age_s: float = 600.0
    probation_s: float = 3600.0
    identifier: int = 0


class ProbeToken(NamedTuple):
    """Which address a request was about that did not leave."""

    address: IPv4Address


@dataclass(slots=True)
class Probe:
    """One address that is being asked for.

    :ivar requests: how many went out since the last that did not.
    :ivar look: whether it is none of the free ones.
    :ivar owner: whether the phone that the address is leased to, or remembered for, answered.
    """

    scope: Scope
    address: IPv4Address
    look: bool
    requests: int = 0
    owner: bool = False


class Prober:
    """The core; it changes the pools of a book, and the book tells it by its demand what to do.

    :param book: the clients and addresses of a gateway.
    :param without: names of scopes that cannot be probed; shared scopes are not either, since their phones answer for each address.
    :ivar conflicts: addresses that others answered for.
    """

    def __init__(self, book: Book, settings: ProbeSettings = ProbeSettings(), without: Collection[str] = ()) -> None:
        self.conflicts = book.demand.conflicts
        self._book = book
        self._settings = settings
        self._under_way: dict[IPv4Address, Probe] = {}
        self._looks = 0
        # The end of a wait for each probe under way, and the age of each address in a stock.
        self._timers: TimerHeap[IPv4Address] = TimerHeap()
        self._scopes: dict[IPv4Address, Scope] = {}
        self._refused: set[Mac] = set()
        self._probed = {name: scope for name, scope in book.scopes.items() if name not in without and not scope.shared}
        # The addresses that wait since a request did not leave, for each scope that has, or had, such ones.
        self._unsent: dict[str, set[IPv4Address]] = {}
        book.demand.probed = frozenset(self._probed)
        book.demand.scopes.update(dict.fromkeys(book.scopes))
        for name, address in book.reserved():
            book.demand.doubt(name, address)

    # The core.

    def receive(self, datagram: Datagram, now: float) -> list[Effect]:
        """Take an ARP packet or an ICMP message: what the port of this name hears.

        :raises RemoteError: it is cut off.
        """
        if datagram.port == ARP_PORT:
            claim = arp.read_claim(datagram.payload)
            return [] if claim is None else self._answered(claim.address, claim.mac, datagram.interface, now)
        if echo.is_reply(datagram.payload, self._settings.identifier):
            return self._answered(IPv4Address(datagram.source.host), None, "", now)
        return []

    def next_due(self) -> float | None:
        """When the next timer is due; 0, which is at once, while there is something to begin."""
        demand = self._book.demand
        if demand.scopes or ((demand.doubts or demand.unseen) and self._looks < MAX_LOOKS):
            return 0.0
        return self._timers.next_due()

    def tick(self, now: float) -> list[Effect]:
        """Ask again, draw conclusions from silence, and begin what is wanted."""
        effects: list[Effect] = []
        for address in self._timers.due(now):
            probe = self._under_way.get(address)
            if probe is None:
                effects += self._probe_again(address, now)
                continue
            if probe.requests:
                effects += self._left(probe)
            if probe.requests < REQUESTS:
                effects += self._ask(probe, now)
            else:
                self._silent(probe, now)
        effects += self._refill(now)
        effects += self._look(now)
        return effects

    def resolve(self, token: ProbeToken, outcome: Outcome, now: float) -> list[Effect]:
        """Take the news that a request did not leave: it is made again after a pause, and told once for each scope."""
        probe = self._under_way.get(token.address)
        if probe is None or not isinstance(outcome, Failed):
            return []
        name, unsent = probe.scope.name, self._book.demand.unsent
        known, todo = name in unsent, remedy(probe.scope)
        unsent[name] = f"{outcome.reason}; {todo}"
        self._postpone(probe, now)
        told = DhcpProbeUnsent(address=str(probe.address), scope=name, reason=outcome.reason, todo=todo)
        return [] if known else [Emit(told)]

    def summary(self, now: float) -> Iterator[tuple[str, str]]:
        """What an operator may want to know: a line for each scope, and for each of the first conflicts."""
        for name in self._probed:
            pool = self._book.pool(name)
            numbers = f"{pool.stocked} verified, {pool.drawn} being probed, {pool.unverified} were given unverified"
            reason = self._book.demand.unsent.get(name)
            yield f"free addresses of {name}", numbers + (f"; probes are not sent: {reason}" if reason else "")
        standing = [(each.address, f"{each.mac or BEYOND} answers for it", each.until) for each in self.conflicts.standing(now)]
        yield from probations("that others answer for", standing, now)

    # Beginning.

    def _refill(self, now: float) -> Iterator[Effect]:
        demand = self._book.demand
        for name in demand.scopes:
            scope, pool = self._probed.get(name), self._book.pool(name)
            while scope is not None and pool.stocked + pool.drawn < self._settings.stock and (address := pool.draw()) is not None:
                yield from self._begin(Probe(scope, address, look=False), now)
        demand.scopes.clear()

    def _look(self, now: float) -> Iterator[Effect]:
        doubts = self._book.demand.doubts
        while doubts and self._looks < MAX_LOOKS:
            address = next(iter(doubts))
            scope = self._probed.get(doubts.pop(address))
            if scope is not None and address not in self._under_way:
                self._looks += 1
                yield from self._begin(Probe(scope, address, look=True), now)
        yield from self._look_at_unseen(now)

    def _look_at_unseen(self, now: float) -> Iterator[Effect]:
        """Look at former addresses, one of each scope in turn; a scope is left out until a look, or a pause of it, is over."""
        demand = self._book.demand
        while demand.unseen and self._looks < MAX_LOOKS:
            name = next(iter(demand.unseen))
            del demand.unseen[name]
            address = self._book.former.unseen(name) if demand.verifies(name) else None
            if address is not None and address not in self._under_way:
                demand.unseen[name] = None
                self._looks += 1
                yield from self._begin(Probe(self._probed[name], address, look=True), now)

    def _probe_again(self, address: IPv4Address, now: float) -> Iterable[Effect]:
        """The last answer is old, but better than none: an address of the stock stays in it meanwhile."""
        if name := self._book.former.lingers_in(address):
            # Its former phone was found there; when there is no room for a look now, there is later.
            self._watch(address, now)
            self._book.demand.doubt(name, address)
            return ()
        scope = self._scopes.pop(address, None)
        if scope is None or not self._book.pool(scope.name).is_verified(address):
            return ()
        return self._begin(Probe(scope, address, look=False), now)

    def _begin(self, probe: Probe, now: float) -> list[Effect]:
        # An address that was taken and given back while it was being probed is probed anew.
        self._end(self._under_way.get(probe.address))
        self._under_way[probe.address] = probe
        return self._ask(probe, now)

    def _ask(self, probe: Probe, now: float) -> list[Effect]:
        probe.requests += 1
        self._timers.arm(probe.address, now + self._settings.wait_s)
        scope, address = probe.scope, probe.address
        token = ProbeToken(address)
        if scope.relays:
            message = echo.request(self._settings.identifier, probe.requests)
            return [Send(message, Endpoint(str(address), 0), ECHO_PORT, token=token)]
        request = arp.request(address, scope.server)
        return [Send(request, Endpoint(BROADCAST_HOST, 0), ARP_PORT, interface=scope.interface, token=token)]

    # Requests that do not leave.

    def _postpone(self, probe: Probe, now: float) -> None:
        """Ask again after a pause, as if nothing had been asked yet; meanwhile a look takes nobody's place."""
        name, address = probe.scope.name, probe.address
        waiting = self._unsent.setdefault(name, set())
        if probe.look and address not in waiting and len(waiting) >= MAX_UNSENT:
            self._book.demand.overlooked += 1
            self._end(probe)
            self._watch(address, now)
            return
        waiting.add(address)
        self._looks -= probe.look
        probe.look, probe.requests = False, 0
        self._book.pool(name).unverify(address)
        self._timers.arm(address, now + RETRY_S)

    def _left(self, probe: Probe) -> list[Effect]:
        """The last request of a probe left; if that is so of all that waited, the scope is verified again."""
        name = probe.scope.name
        waiting = self._unsent.get(name)
        if waiting is None:
            return []
        waiting.discard(probe.address)
        if waiting:
            return []
        del self._unsent[name]
        self._book.demand.unsent.pop(name, None)
        self._book.demand.unseen[name] = None
        return [Emit(DhcpProbeRestored(scope=name))]

    # Concluding.

    def _silent(self, probe: Probe, now: float) -> None:
        """Nobody else answered."""
        self._end(probe)
        self._book.former.looked_at(probe.address, found=probe.owner)
        self._watch(probe.address, now)
        if self._book.pool(probe.scope.name).verify(probe.address):
            self._scopes[probe.address] = probe.scope
            self._timers.arm(probe.address, now + self._settings.age_s)

    def _watch(self, address: IPv4Address, now: float) -> None:
        """Look again after a while at an address whose former phone uses it still."""
        if self._book.former.lingers_in(address):
            self._timers.arm(address, now + self._settings.probation_s)

    def _answered(self, address: IPv4Address, mac: Mac | None, interface: str, now: float) -> list[Effect]:
        """Somebody uses an address; most of what is heard is about addresses that nobody asked for."""
        probe = self._under_way.get(address)
        scope = probe.scope if probe is not None else self._scopes.get(address)
        if scope is None or (mac is None) != bool(scope.relays) or (mac is not None and scope.interface != interface):
            # Whoever is on the way to a relay knows nothing of the link beyond it, and one beyond it nothing of ours.
            return []
        if mac is not None and self._book.is_of(address, mac):
            # The phone itself; somebody else may answer as well.
            holder = self._book.holder(address)
            if probe is not None and holder is not None and holder.mac == mac:
                probe.owner = True
            return []
        free = self._book.pool(scope.name).is_free(address)
        if probe is None and not free:
            # It was taken out of the stock: what is heard now is the phone that got it.
            return []
        if mac is None and (not free or self._book.is_reserved(address)):
            return self._echoed(probe, scope, address, now)
        if mac is not None and not self._believes(mac, now):
            return self._refuse(mac)
        self._end(probe)
        return self._contest(scope, address, mac, now)

    def _echoed(self, probe: Probe | None, scope: Scope, address: IPv4Address, now: float) -> list[Effect]:
        """An echo does not tell phones apart: it counts as that of the phone which the address is, or was, for."""
        if probe is not None:
            probe.owner = True
        holder = self._book.holder(address)
        if holder is None or not holder.displaced:
            return []
        self._end(probe)
        return self._contest(scope, address, None, now)

    def _contest(self, scope: Scope, address: IPv4Address, mac: Mac | None, now: float) -> list[Effect]:
        """Let nobody have an address for a while, not even by an offer; one that its former phone uses stays that phone's."""
        book, by = self._book, str(mac) if mac is not None else ""
        effects: list[Effect] = []
        user, holder = book.user(address), book.holder(address)
        if user is not None:
            state = "leased" if book.at(address) is not None else "on offer"
            effects.append(Emit(DhcpConflict(phone=user.phone, address=str(address), by=by or BEYOND, state=state)))
        former = holder is not None and (holder.mac == mac or (holder.displaced and mac is None))
        room, lasts_s = self.conflicts.has_room(now), self._settings.probation_s
        if former or room:
            book.take_back(address)
        if former or not (room and book.contest(scope.name, address, now + lasts_s)):
            # Whoever is there: a former address is nobody else's until a later look.
            book.former.looked_at(address, found=True)
            self._watch(address, now)
            return effects
        self.conflicts.add(Conflict(address, scope.name, mac, now + lasts_s))
        told = DhcpOccupied(phone=by, address=str(address), scope=scope.name, by=by or BEYOND, probation_s=lasts_s)
        return [*effects, Emit(told)]

    def _believes(self, mac: Mac, now: float) -> bool:
        if self.conflicts.answers(mac, now) < MAX_PER_MAC:
            self._refused.discard(mac)
            return True
        return False

    def _refuse(self, mac: Mac) -> list[Effect]:
        """Say once of a machine that it is not believed; its answers count as silence."""
        if mac in self._refused:
            return []
        if len(self._refused) >= MAX_REFUSED:
            self._refused.clear()
        self._refused.add(mac)
        return [Emit(DhcpNotBelieved(phone=str(mac), addresses=MAX_PER_MAC))]

    def _end(self, probe: Probe | None) -> None:
        if probe is not None:
            del self._under_way[probe.address]
            if probe.scope.name in self._unsent:
                self._unsent[probe.scope.name].discard(probe.address)
            self._timers.disarm(probe.address)
            self._looks -= probe.look
            # Also a free address may have become a former one meanwhile, whose turn was this.
            self._book.demand.unseen[probe.scope.name] = None
