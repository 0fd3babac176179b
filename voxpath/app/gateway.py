"""The role ``dhcp``: port ledger, NAT back end, DHCP server, and the feed to subscribers; they stand and fall together."""

from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from ipaddress import IPv4Address
from typing import Any, cast

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall

from voxpath.app import garbage, values
from voxpath.app.check import machine_for
from voxpath.app.clockwatch import ClockWatch
from voxpath.app.event import BlockNotReserved, BlocksAstray, FeedFailed, FeedLink, NatRepaired, OwnPortsTaken, StoreRowRefused
from voxpath.app.firewall import close_host
from voxpath.app.linkwatch import LinkWatch
from voxpath.app.node import Node
from voxpath.app.orders import PhoneOrders
from voxpath.app.prober import open_prober
from voxpath.app.role import Role
from voxpath.app.serving import Serving
from voxpath.app.values_nat import CALL_AWARE, nat_settings
from voxpath.core.effects import Datagram, Effect
from voxpath.core.errors import LocalError
from voxpath.core.rate import PerSecond
from voxpath.dhcp.event import DhcpDropped
from voxpath.dhcp.message import SERVER_PORT
from voxpath.dhcp.probe import Prober
from voxpath.dhcp.server import DhcpServer
from voxpath.dhcp.verified import VerifiedServer
from voxpath.dhcp.wire import CHADDR_AT, client_of, is_discover
from voxpath.io.backlog import Backlog
from voxpath.io.carrier import link_state
from voxpath.io.driver import Driver
from voxpath.io.feed import Feed
from voxpath.io.paced import Paced
from voxpath.io.ports import UdpPorts
from voxpath.model.address import ANY_HOST, MAC_LENGTH, Endpoint, Mac, is_mac
from voxpath.model.event import printable
from voxpath.model.phone import Adoption, Lease, Probation, Provision
from voxpath.model.ports import Mapping, PortBinding, PortBlock
from voxpath.natreactor.event import BackEndChosen
from voxpath.natreactor.firewall import HostFirewall
from voxpath.natreactor.group import TransactionGroup
from voxpath.natreactor.interface import Adopted, Capabilities
from voxpath.natreactor.leftover import table_left
from voxpath.natreactor.registry import OF_MACHINE, Selection, capabilities, select
from voxpath.natreactor.sessions import MediaSessions
from voxpath.natreactor.settings import NatSettings
from voxpath.ports.buddy import blocks_of
from voxpath.ports.change import LedgerChange, Taken
from voxpath.ports.ledger import Ledger

PORT = "dhcp"

STORM = "more came than could be served, and the oldest DISCOVERs were dropped"
STORM_EVENTS_PER_SECOND = 10
"""Dropped DISCOVERs that become events; all are counted, and their clients repeat them."""

LOOK_S = 2.0
"""How often the interfaces are looked at, and how full scopes and pools are."""


class GatewayRole(Role):
    """Gives out addresses and ports.

    :ivar ready: whether it serves; the attributes below are there only then.
    :ivar sessions: the calls that the other roles of this process set up.
    """

    ledger: Ledger
    server: DhcpServer
    selection: Selection

    def __init__(self, node: Node) -> None:
        super().__init__("dhcp", node.clock, node.bus)
        self.ready = False
        self._node = node
        self._driver: Driver | None = None
        self._feed: Feed | None = None
        self._links: list[ClientService] = []
        self._look: IDelayedCall | None = None
        self._backlog: Backlog | None = None
        self._storm = PerSecond(STORM_EVENTS_PER_SECOND)
        self._clock_watch = ClockWatch(node)
        self._link_watch = LinkWatch(node, link_state)
        self._loaded: list[Effect] = []
        self._firewall: HostFirewall | None = None
        self.prober: Prober | None = None
        self.sessions = MediaSessions(node.reactor, self, lambda event: self.bus.publish("nat", event))

    @property
    def detail(self) -> str:
        """Without DHCP the role still keeps ledger and NAT; without a link it runs and hears nobody."""
        return f"ledger and NAT only: {self.off}" if self.off else "; ".join(self.lost_links.values())

    @property
    def off(self) -> str:
        """Why no phone gets an answer by DHCP, whatever it asks; empty: DHCP is on."""
        if not self._node.config.dhcp.enabled:
            return "DHCP is off, by dhcp.enabled = false"
        return "" if self._node.config.scopes else "DHCP is off, since no [[scope]] names an interface"

    async def begin(self) -> None:
        """Adopt the kernel's tables, load the store, make them equal, then listen."""
        node, config = self._node, self._node.config
        self._clock_watch.begin(self.role)
        self.selection = select(config.nat.backend, self._nat_settings())
        self.bus.publish(self.role, BackEndChosen(name=self.selection.name, reason=self.selection.reason))
        self.selection.nat.watch(lambda event: self.bus.publish("nat", event))
        self._tell_left()
        adopted = await self.selection.nat.start()
        self._firewall = close_host(config, node.reactor, lambda event: self.bus.publish(self.role, event))
        fixed = values.fixed_blocks(config)
        self.ledger = Ledger(values.pools(config), frozenset(config.ports.reserved), config.ports.quarantine_s, fixed)
        refused = self.ledger.load(node.store.load(PortBinding), adopted.generation)
        for row in refused:
            event = StoreRowRefused(table="block", row=f"{row.block} of {row.holder}", reason="it overlaps another row")
            self.bus.publish(self.role, event)
        self._tell_astray()
        self.server = DhcpServer(values.scopes(config), values.admission(config), self.ledger, values.dhcp_settings(config))
        adoptions, probations = node.store.load(Adoption), node.store.load(Probation)
        self._loaded = self.server.load(node.store.load(Lease), self.clock.now(), adoptions, probations)
        await self._claim_own_ports()
        await self._place_fixed(fixed)
        await self._repair(adopted)
        garbage.spare()
        self._start_feed()
        self._listen()
        self.ready = True
        public = (pool.public for pool in config.pools)
        await self.sessions.attach(self.selection.nat, public, call_aware=config.nat.mode == CALL_AWARE)

    def _tell_left(self) -> None:
        """A back end that knows nothing of the kernel's does not take away what one of those has left."""
        nat = self._node.config.nat
        if self.selection.name not in OF_MACHINE and nat.outside and (left := table_left(nat.table, nat.inside)) is not None:
            self.bus.publish("nat", left)

    def _tell_astray(self) -> None:
        ledger = self.ledger
        astray = [row for row in ledger.bindings() if is_mac(row.holder) and not ledger.gives(row)]
        if astray:
            self.bus.publish(self.role, BlocksAstray(phone=astray[0].holder, block=str(astray[0].block), blocks=len(astray)))

    async def end(self) -> None:
        """Finish every commit and NAT change that was begun, then close; kernel tables stay."""
        if self.ready:
            self._clock_watch.end()
        self.ready = False
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._backlog is not None:
            self._backlog.close()
            self._backlog = None
        await self._node.stop_drivers(self.role)
        self._driver = None
        for link in self._links:
            await link.stopService()
        self._links = []
        if self._feed is not None:
            self._feed.stop()
            self._feed = None
        if self._firewall is not None:
            self._firewall.stop()
            self._firewall = None
        if hasattr(self, "selection"):
            self.sessions.detach(self.selection.nat)
            await self.selection.nat.stop()

    # What the other roles and the commands ask.

    @property
    def lost_links(self) -> dict[str, str]:
        """Interfaces on which no phone can be heard at the moment, a line for each."""
        return self._link_watch.lost if self.ready else {}

    def unheard(self, phone: str) -> list[str]:
        """Why a phone cannot be heard at the moment, whatever it says, in lines; where it is not known, that of any link."""
        if self.off:
            return [self.off]
        if not self.ready:
            return [f"the service gateway is not running{f': {self.trouble}' if self.trouble else ''}"]
        lost, place = self._deaf(), self.server.place_of(Mac.parse(phone))
        return list(dict.fromkeys(lost.values() if not place else [lost[place]] if place in lost else []))

    def _deaf(self) -> dict[str, str]:
        """The lost links by their own names: a VLAN goes with the interface that carries it."""
        lost = self.lost_links
        return {values.link_of(scope): lost[scope.interface] for scope in self._node.config.scopes if scope.interface in lost}

    def phone_at(self, address: str, port: int = 0) -> str:
        """The phone that is bound to this inside address, or to this port of a shared one; empty: nobody."""
        return self.server.phone_at(address, port) if self.ready else ""

    def provision_of(self, phone: str) -> Provision | None:
        """What a phone was given; ``None`` unless it holds a lease."""
        return self.server.provision_of(Mac.parse(phone)) if self.ready else None

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Who holds this public port."""
        return self.ledger.holder_of(public, port) if self.ready else None

    def binding_of(self, holder: str) -> PortBinding | None:
        """What this holder holds."""
        return self.ledger.binding_of(holder) if self.ready else None

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """Whose inside address this is."""
        return self.ledger.by_private(realm, private) if self.ready else None

    def verified(self) -> Iterable[tuple[str, str]]:
        """What is known of free addresses, and of those that nobody gets for a while: named facts for commands (DHC-16)."""
        if not self.ready:
            return ()
        now = self.clock.now()
        return [*(self.prober.summary(now) if self.prober is not None else ()), *self.server.summary(now)]

    def silent(self) -> ReadOnly[str, int]:
        """How many DHCP messages got no answer, by reason (DHC-3, DHC-4)."""
        if not self.ready:
            return {}
        return {**self.server.dropped, STORM: self._backlog.given_up} if self._backlog is not None else self.server.dropped

    def probes(self) -> list[Capabilities]:
        """What every NAT back end can do here; asked anew each time."""
        return capabilities(self._nat_settings())

    def orders(self) -> PhoneOrders:
        """What an operator may have it do; only while it is ready."""
        assert self._driver is not None
        return PhoneOrders(self.server, self.ledger, self._driver, self.bus, self.clock)

    def serving(self) -> Serving:
        """What an operator may have it do about whom it serves; only while it is ready."""
        assert self._driver is not None
        return Serving(self.server, self._driver, self.bus, self.clock, self._deaf())

    # Starting.

    def _nat_settings(self) -> NatSettings:
        return nat_settings(self._node.config, self._node.reactor, lambda address: self.phone_at(str(address)))

    async def _claim_own_ports(self) -> None:
        """Enter the ports of the gateway itself, so that no phone can get them (decision D18)."""
        claims = dict(values.service_blocks(self._node.config))
        machine = machine_for(self._node.config)
        for public in machine.addresses:
            for block in blocks_of(public, *machine.ephemeral):
                claims[f"gateway:{block}"] = block
        for holder, block in claims.items():
            try:
                change = self.ledger.claim(holder, block)
            except Taken as error:
                # One phone's ports are no reason to serve none.
                self.bus.publish(self.role, OwnPortsTaken(block=str(block), reason=str(error)))
                continue
            await self._store(change, f"the own port {block}")

    async def _place_fixed(self, fixed: ReadOnly[str, PortBlock]) -> None:
        """Give phones the blocks that the configuration reserves for them; the NAT follows when it is made equal to the ledger."""
        for holder, block in fixed.items():
            try:
                change = self.ledger.place(holder, block, self.clock.now())
            except Taken as error:
                self.bus.publish(self.role, BlockNotReserved(phone=holder, block=str(block), reason=str(error)))
                continue
            await self._store(change, f"the block {block} reserved for {holder}")

    async def _store(self, change: LedgerChange, what: str) -> None:
        """Make a change at the start durable, before the NAT has to follow; raise :class:`LocalError` when that is impossible."""
        if change:
            stored: Deferred[str | None] = Deferred()
            self._node.store.commit(change.changes, stored.callback)
            reason = await stored
            if reason is not None:
                raise LocalError(f"{what} could not be stored: {reason}")
            self.ledger.settle(change)

    async def _repair(self, adopted: Adopted) -> None:
        """Make the NAT's table equal to the ledger; what is equal already is not touched."""
        mappings = self._served_mappings()
        generation = self.ledger.generation
        if adopted.mappings != mappings:
            await self.selection.nat.replace_all(generation, mappings)
            if adopted.generation:
                event = NatRepaired(found=adopted.generation, generation=generation, mappings=len(adopted.mappings))
                self.bus.publish(self.role, event)

    def _served_mappings(self) -> frozenset[Mapping]:
        """The mappings of held rows; those of a pool or realm that the configuration has no longer are left out.

        Their phones cannot be reached until they renew, and then get other ports; all others must not suffer by it.
        """
        table = self._nat_settings().make_table()
        mappings = set()
        for row in self.ledger.bindings():
            if (mapping := row.mapping) is None:
                continue
            if table.is_inside(int(mapping.private)) and table.is_public(int(mapping.block.public)):
                mappings.add(mapping)
            else:
                reason = "the configuration has no place for it any more"
                event = StoreRowRefused(table="block", row=f"{row.block} for {mapping.private} of {row.holder}", reason=reason)
                self.bus.publish(self.role, event)
        return frozenset(mappings)

    def _start_feed(self) -> None:
        node, config = self._node, self._node.config
        if not config.subscribers:
            return
        identity = values.identity(config)
        try:
            options = {subscriber.name: identity.client_options(subscriber.name) for subscriber in config.subscribers}
        # Phones need no other host.
        except LocalError as error:
            self.bus.publish(self.role, FeedFailed(reason=printable(str(error))))
            return
        self._feed = Feed(config.name, self.ledger, node.clock, self._linked, self.sessions)
        self.ledger.watch(self._feed.changed)
        for subscriber in config.subscribers:
            address = subscriber.address.endpoint
            endpoint = HostnameEndpoint(cast("Any", node.reactor), address.host, address.port)
            link = self._feed.service(subscriber.name, wrapClientTLS(options[subscriber.name], endpoint))
            link.startService()
            self._links.append(link)

    def _linked(self, name: str, up: bool) -> None:
        self.bus.publish(self.role, FeedLink(name=name, state="up" if up else "down"))

    def _listen(self) -> None:
        node = self._node
        ports = UdpPorts(node.reactor, self.restart, Paced(node.reactor))
        self.prober = open_prober(node, self.role, self.server, ports, self._heard)
        self._driver = Driver(
            self.role,
            self.server if self.prober is None else VerifiedServer(self.server, self.prober),
            node.clock,
            node.bus,
            ports=ports,
            store=node.store,
            nat=TransactionGroup(self.selection.nat, node.reactor),
            on_fault=self.fault,
            source_of=_client,
            phone_of=_phone,
        )
        node.own(self.role, self._driver)
        if node.config.dhcp.enabled:
            feed = self._driver.feed
            self._backlog = Backlog(feed, is_discover, node.reactor, self._given_up)
            for scope in {values.link_of(scope): scope for scope in reversed(node.config.scopes)}.values():
                if scope.vlan:
                    interface, vlan, priority = scope.interface, scope.vlan, scope.priority
                    ports.open_trunk(PORT, feed, interface, vlan, SERVER_PORT, priority, self._backlog)
                else:
                    ports.open(PORT, Endpoint(ANY_HOST, SERVER_PORT), feed, scope.interface, scope.priority, self._backlog)
        # What was found at the start, and the prober's first requests.
        self._driver.act(lambda now: [*self._loaded, *self.server.pressure.look(now)])
        self._watch(ports)

    def _heard(self, datagram: Datagram) -> None:
        if self._driver is not None:
            self._driver.feed(datagram)

    def _given_up(self, datagram: Datagram) -> None:
        if self._storm.admits(self.clock.now()):
            self.bus.publish(self.role, DhcpDropped(phone=_client(datagram), message="DISCOVER", reason=STORM))

    def _watch(self, ports: UdpPorts) -> None:
        """A bridge or VLAN that is made anew takes the sockets of its predecessor with it; and time is stored as it passes.

        It also frees what was in quarantine or on probation, without any change that would show it.
        """
        self._clock_watch.look()
        if self._driver is not None:
            self._driver.act(self.server.pressure.look)
        self._link_watch.look(self.role)
        orphans = ports.orphans()
        if orphans:
            self._look = None
            self.reload(f"interface {', '.join(orphans)} was made anew, and its sockets are opened again")
        else:
            self._look = self.clock.call_at(self.clock.now() + LOOK_S, lambda: self._watch(ports))


def _client(datagram: Datagram) -> str:
    """Who sent a DHCP message: most clients have no address yet, so their Ethernet address tells them apart."""
    return datagram.payload[CHADDR_AT : CHADDR_AT + MAC_LENGTH].hex(":")


def _phone(datagram: Datagram) -> str:
    """The phone whose message was refused, for ``why`` and ladders; ARP and ICMP name none."""
    mac = client_of(datagram.payload) if datagram.port == PORT else None
    return str(mac or "")
