"""A gateway with two scopes, and a driver of its effects whose store and NAT a test can hold up or make fail."""

import random
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network

import pytest

from voxpath.core.effects import Apply, Commit, Datagram, Delete, Done, Effect, Emit, Failed, Put, Send
from voxpath.dhcp.client import Acknowledged, Answer, DhcpClient, Offered
from voxpath.dhcp.server import DhcpServer
from voxpath.dhcp.settings import DhcpSettings
from voxpath.flow.admit import Admission
from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import Event
from voxpath.model.phone import Adoption, BootLease, Lease, PhoneClass, Probation, Reservation, Scope
from voxpath.model.ports import PortBinding, PortBlock
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import Pool

PUBLIC = IPv4Address("198.51.100.1")
DESK = PhoneClass("desk", ("desk",), 64, 3600, "desk.bin", ("192.0.2.1:2944", "192.0.2.2"), layout="voxpath")
LOBBY = PhoneClass("lobby", ("lobby",), 8, 600, mgcs=("192.0.2.9:2955",), forcerenew=True)


def scope(name: str, third: int, first: int, last: int) -> Scope:
    def at(number: int) -> IPv4Address:
        return IPv4Address(f"10.0.{third}.{number}")

    dns = (at(1), IPv4Address("192.0.2.53"))
    return Scope(name, f"eth{third}", IPv4Network(f"10.0.{third}.0/24"), at(1), at(first), at(last), "site", dns, "phones.example")


def mac(number: int) -> Mac:
    return Mac(b"\x02\0\0\0\x0a" + bytes((number,)))


class Site:
    """The server, its ledger, a store and a NAT in memory."""

    def __init__(
        self,
        last: int = 13,
        blocks: int = 16,
        reservations: dict[Mac, IPv4Address] | None = None,
        quarantine_s: float = 100.0,
        **settings: object,
    ) -> None:
        self.scopes = [scope("lan", 0, 10, last), scope("attic", 1, 10, 13)]
        self.pools = [Pool(PUBLIC, 20480, 20480 + 64 * blocks - 1)]
        self.reservations = [Reservation(address, each) for each, address in (reservations or {}).items()]
        self.classes = [DESK, LOBBY]
        self.quarantine_s = quarantine_s
        self.settings = DhcpSettings(**settings)
        self.now = 1000.0
        self.leases: dict[Mac, Lease] = {}
        self.adoptions: dict[Mac, Adoption] = {}
        self.probations: dict[IPv4Address, Probation] = {}
        self.bindings: dict[str, PortBinding] = {}
        self.nat: dict[PortBlock, IPv4Address] = {}
        self.store_fails = self.nat_fails = self.holding = False
        self.held: list[Commit | Apply] = []
        self.sent: list[Send] = []
        self.events: list[Event] = []
        self.start()

    def start(self) -> None:
        """Start the gateway from what the store has."""
        self.ledger = Ledger(self.pools, quarantine_s=self.quarantine_s)
        assert self.ledger.load(self.bindings.values()) == ()
        macs = [(mac(0), mac(0xF0))]
        self.server = DhcpServer(self.scopes, Admission(macs, self.classes, self.reservations), self.ledger, self.settings)
        self.held.clear()
        self.run(self.server.load(self.leases.values(), self.now, self.adoptions.values(), self.probations.values()))
        # The assembly makes the NAT equal to the ledger before any role starts.
        self.nat = {mapping.block: mapping.private for row in self.ledger.bindings() if (mapping := row.mapping) is not None}

    # Carrying out effects.

    def run(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.sent.append(effect)
            elif isinstance(effect, Emit):
                self.events.append(effect.event)
                assert effect.event.text
            elif self.holding:
                assert isinstance(effect, Commit | Apply)
                self.held.append(effect)
            else:
                assert isinstance(effect, Commit | Apply)
                self.conclude(effect, fail=self.store_fails if isinstance(effect, Commit) else self.nat_fails)

    def conclude(self, effect: Commit | Apply, *, fail: bool = False) -> None:
        if fail:
            if effect.token is not None:
                self.run(self.server.resolve(effect.token, Failed("broken"), self.now))
            return
        if isinstance(effect, Commit):
            self.write(effect)
        else:
            for mapping in effect.transaction.remove:
                assert self.nat.pop(mapping.block) == mapping.private
            for mapping in effect.transaction.add:
                assert mapping.block not in self.nat
                self.nat[mapping.block] = mapping.private
        if effect.token is not None:
            self.run(self.server.resolve(effect.token, Done(), self.now))
        self.run(effect.then)

    def write(self, commit: Commit) -> None:
        """Write rows as the real store does, with its constraints after every row."""
        for change in commit.changes:
            row = change.value
            if isinstance(row, Adoption):
                if isinstance(change, Put):
                    self.adoptions[row.mac] = row
                else:
                    del self.adoptions[row.mac]
            elif isinstance(row, Probation):
                self.probations.pop(row.address, None)
                if isinstance(change, Put):
                    self.probations[row.address] = row
            elif isinstance(row, Lease):
                if isinstance(change, Delete):
                    del self.leases[row.mac]
                    continue
                assert not any(
                    (row.scope, row.address, row.first_port) == (other.scope, other.address, other.first_port)
                    for other in self.leases.values()
                    if other.mac != row.mac
                ), f"{row.address} has two leases"
                self.leases[row.mac] = row
            else:
                assert isinstance(row, PortBinding)
                if isinstance(change, Put):
                    assert not any(
                        row.block.overlaps(other.block) for other in self.bindings.values() if other.holder != row.holder
                    ), f"{row.block} has two owners"
                    self.bindings[row.holder] = row
                else:
                    del self.bindings[row.holder]

    # Messages.

    def tell(self, payload: bytes, interface: str = "eth0", source: str = "") -> list[Send]:
        """Give the server a datagram; return what it sent.

        :param source: where it comes from; empty: from the relay that it names, or from the address that its client has.
        """
        before = len(self.sent)
        if not source:
            giaddr, ciaddr = (IPv4Address(payload[at : at + 4].ljust(4, b"\0")) for at in (24, 12))
            source = str(giaddr if int(giaddr) else ciaddr)
        datagram = Datagram(payload, Endpoint(source, 68), "255.255.255.255", interface, "dhcp")
        self.run(self.server.receive(datagram, self.now))
        return self.sent[before:]

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (due := self.server.next_due()) is not None and due <= end:
            self.now = max(due, self.now)
            self.run(self.server.tick(self.now))
        self.now = end

    def last_event(self, kind: type[Event]) -> Event:
        return next(event for event in reversed(self.events) if isinstance(event, kind))


class Phone:
    """A client at a site."""

    def __init__(self, site: Site, number: int, vendor_class: str = "desk", broadcast: bool = True) -> None:
        self.site = site
        self.mac = mac(number) if number <= 0xFF else Mac(b"\x02\0\0\xff\xff\xff")
        self.client = DhcpClient(self.mac, vendor_class, random.Random(number), broadcast=broadcast)

    def ask(self, payload: bytes, interface: str = "eth0") -> Answer | None:
        """Send a message, and read the answer if there is one."""
        sent = self.site.tell(payload, interface)
        assert len(sent) <= 1
        return self.client.read(sent[0].payload) if sent else None

    def offer(self, interface: str = "eth0") -> BootLease:
        answer = self.ask(self.client.discover(), interface)
        assert isinstance(answer, Offered), answer
        return answer.lease

    def boot(self, interface: str = "eth0") -> BootLease:
        answer = self.ask(self.client.request(self.offer(interface)), interface)
        assert isinstance(answer, Acknowledged), answer
        return answer.lease


@pytest.fixture
def make_site() -> Callable[..., Site]:
    return Site


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def phone(site: Site) -> Phone:
    return Phone(site, 1)


@pytest.fixture
def make_phone() -> Callable[..., Phone]:
    return Phone
