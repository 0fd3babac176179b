"""What an operator orders of a running gateway, and how full it is: from the command to the core and back."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

from twisted.internet.defer import Deferred

from voxpath.core.effects import Effect
from voxpath.core.errors import LocalError
from voxpath.dhcp.event import BlockLoosened, BlockMoved, BlockReserved, DhcpEnded, DhcpFailed
from voxpath.dhcp.event_probe import DhcpProbationEnded, DhcpProbationKept
from voxpath.dhcp.server import DhcpServer
from voxpath.io.bus import EventBus, Record
from voxpath.io.clock import Clock
from voxpath.io.driver import Driver
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import PoolRow, ScopeRow
from voxpath.model.address import Mac
from voxpath.model.event import Event
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.change import Taken
from voxpath.ports.ledger import Ledger

LATER = "try again in a moment"


class PhoneOrders:
    """Orders about one phone each; their Deferreds fire when the change is stored and in the NAT, or with what is wrong."""

    def __init__(self, server: DhcpServer, ledger: Ledger, driver: Driver, bus: EventBus, clock: Clock) -> None:
        self._server = server
        self._ledger = ledger
        self._driver = driver
        self._bus = bus
        self._clock = clock

    def release(self, phone: str) -> "Deferred[str]":
        """Take lease and block away; fires with the block once that is stored and the NAT has forgotten it."""
        binding, mac = self._ledger.binding_of(phone), Mac.parse(phone)
        if binding is None or binding.state is not BindingState.HELD:
            raise CommandError("release", f"{phone} holds no lease", "see leases")
        ended = self._order("release", phone, DhcpEnded, lambda now: self._server.orders.withdraw_lease(mac, now))
        return ended.addCallback(lambda _: str(binding.block))

    def end_probation(self, address: IPv4Address) -> "Deferred[str]":
        """Let an address be given again that is on probation; fires with it once that is stored."""
        try:
            effects = self._server.probations.end(address, self._clock.now())
        except LocalError as error:
            holder = self._server.phone_at(str(address))
            todo = f"it is leased to {holder}: release {holder} takes the lease" if holder else "status lists those that are"
            raise CommandError("release", str(error), todo) from None
        ended = self._outcome("release", effects, lambda event: _is_end_of(event, str(address)))
        return ended.addCallback(lambda _: f"{address} from its probation")

    def move(self, phone: str, public: IPv4Address, first: int | None) -> "Deferred[str]":
        """Give a phone another block of its size."""
        mac = Mac.parse(phone)
        done = self._order("move", phone, BlockMoved, lambda now: self._server.orders.move(mac, public, first, now))
        return done.addCallback(lambda event: f"from {event.fields()['former']} to {event.fields()['block']}")

    def reserve(self, phone: str, block: PortBlock | None) -> "Deferred[str]":
        """Keep a block for a phone for ever."""
        mac = Mac.parse(phone)
        done = self._order("reserve", phone, BlockReserved, lambda now: self._server.orders.reserve(mac, block, now))
        return done.addCallback(lambda event: f"{event.fields()['block']} for {phone}")

    def unreserve(self, phone: str) -> "Deferred[str]":
        """End a reservation."""
        binding, mac = self._ledger.binding_of(phone), Mac.parse(phone)
        if binding is None or not binding.reserved:
            raise CommandError("unreserve", f"no block is reserved for {phone} by command", "see blocks, and [[block]] of the file")
        done = self._order("unreserve", phone, BlockLoosened, lambda now: self._server.orders.loosen(mac, now))
        return done.addCallback(lambda event: str(event.fields()["block"]))

    def recall(self, phone: str) -> str:
        """Have a phone boot anew by DHCP; tell what was done."""
        mac = Mac.parse(phone)
        lease = self._server.lease_of(mac)
        if lease is None:
            raise CommandError("reboot", f"{phone} holds no lease", "see known for the phones that are here, and why for this one")
        try:
            effects = self._server.recall.ask(mac, self._clock.now())
        except LocalError as error:
            raise CommandError("reboot", str(error), "write forcerenew = true in its class if it does") from None
        self._driver.act(lambda now: effects)
        rest = "one that ignores it boots when it renews by itself"
        if lease.static:
            rest = "its address was set by hand, so it renews nothing: boot it by hand if it ignores that"
        return f"FORCERENEW sent to {lease.address}; {rest}"

    def _order(self, verb: str, phone: str, told: type[Event], order: Callable[[float], list[Effect]]) -> "Deferred[Event]":
        """Give an order about a phone, and wait for the event that tells its end."""
        try:
            effects = order(self._clock.now())
        except Taken as error:
            raise CommandError(verb, str(error), "see blocks and pools") from None
        except LocalError as error:
            raise CommandError(verb, str(error), LATER) from None
        if not effects:
            raise CommandError(verb, f"a change for {phone} is under way", LATER)
        return self._outcome(verb, effects, lambda event: event.phone == phone and isinstance(event, told | DhcpFailed))

    def _outcome(self, verb: str, effects: list[Effect], tells: Callable[[Event], bool]) -> "Deferred[Event]":
        """Carry out an order, and wait for the event that tells its end."""
        outcome: Deferred[Event] = Deferred()

        def heard(record: Record) -> None:
            event = record.event
            if not tells(event):
                return
            unsubscribe()
            if isinstance(event, DhcpFailed | DhcpProbationKept):
                outcome.errback(CommandError(verb, event.text, "see events for the reason, then try again"))
            else:
                outcome.callback(event)

        unsubscribe = self._bus.subscribe(heard)
        self._driver.act(lambda now: effects)
        return outcome


def _is_end_of(event: Event, address: str) -> bool:
    return isinstance(event, DhcpProbationEnded | DhcpProbationKept) and event.address == address


def scope_rows(server: DhcpServer, now: float) -> Iterator[ScopeRow]:
    """How full the scopes are."""
    for scope, usage in server.scopes(now):
        yield ScopeRow(
            scope=scope.name,
            interface=scope.interface,
            realm=scope.realm,
            group=scope.group,
            total=usage.total,
            used=usage.used,
            free=usage.free,
            kept=usage.kept,
            percent=_percent(usage.used, usage.total),
            passed=server.pressure.level_of_scope(scope.name),
        )


def pool_rows(server: DhcpServer, now: float) -> Iterator[PoolRow]:
    """How full the pools are."""
    for usage in server.book.ledger.usage(now):
        yield PoolRow(
            pool=str(usage.pool),
            realm=usage.pool.realm,
            total=usage.total,
            used=usage.used,
            free=usage.free,
            held=usage.held,
            reserved=usage.reserved,
            quarantined=usage.quarantined,
            kept=usage.kept,
            pending=usage.pending,
            percent=_percent(usage.used, usage.total),
            passed=server.pressure.level_of_pool(usage.pool),
        )


def _percent(used: int, total: int) -> int:
    return used * 100 // total if total else 100
