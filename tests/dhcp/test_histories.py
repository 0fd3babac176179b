"""Random histories of many phones, with an operator's orders, lost answers, failing stores and NATs, expiry and restarts.

Whatever happens, no address and no port has two owners, and what was acknowledged is stored and translated.
"""

import random
from contextlib import suppress
from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import LocalError
from voxpath.dhcp.client import Acknowledged, Offered
from voxpath.dhcp.machine import Book
from voxpath.model.address import Mac
from voxpath.model.phone import BootLease
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.change import Taken

PUBLIC = IPv4Address("198.51.100.1")

SEEDS = range(25)
STEPS = 250
PHONES = 12
KINDS = ("discover", "discover", "request", "request", "renew", "reboot", "release", "decline", "inform")


class History:
    """One random history; the driver of the site refuses what the real store would refuse."""

    def __init__(self, seed: int, site, phones) -> None:
        self.entropy = random.Random(seed)
        self.site = site
        self.phones = phones
        self.offered: dict[int, BootLease] = {}
        self.leases: dict[int, tuple[BootLease, float]] = {}

    def step(self) -> None:
        choice = self.entropy.random()
        if choice < 0.1:
            self.site.wait(self.entropy.choice((1.0, 30.0, 400.0, 2000.0)))
        elif choice < 0.12:
            self.site.now += self.entropy.choice((1.0, 1000.0))
            self.site.start()
        elif choice < 0.2:
            self.site.store_fails = self.entropy.random() < 0.3
            self.site.nat_fails = self.entropy.random() < 0.3
            self.site.holding = self.entropy.random() < 0.5
        elif choice < 0.4 and self.site.held:
            effect = self.site.held.pop(self.entropy.randrange(len(self.site.held)))
            self.site.conclude(effect, fail=self.entropy.random() < 0.3)
        elif choice < 0.45:
            self.order(self.phones[self.entropy.randrange(PHONES)].mac)
        else:
            self.message(self.entropy.randrange(PHONES))
        self.check()

    def order(self, mac: Mac) -> None:
        orders, now = self.site.server.orders, self.site.now
        first = 20480 + 64 * self.entropy.randrange(10)
        order = self.entropy.choice(
            (
                lambda: orders.move(mac, PUBLIC, self.entropy.choice((first, None)), now),
                lambda: orders.reserve(mac, self.entropy.choice((PortBlock(PUBLIC, first, 64), None)), now),
                lambda: orders.loosen(mac, now),
                lambda: orders.loosen(mac, now),
                lambda: orders.withdraw_lease(mac, now),
            )
        )
        with suppress(Taken, LocalError):
            self.site.run(order())

    def message(self, number: int) -> None:
        phone = self.phones[number]
        kind = self.entropy.choice(KINDS)
        known = self.offered.get(number) if kind == "request" else self.leases.get(number, (None,))[0]
        interface = self.entropy.choice(("eth0", "eth0", "eth0", "eth1"))
        if kind == "discover":
            self.hear(number, phone.client.discover(), interface)
        elif kind == "inform":
            # Addresses of the pool and beyond it, two phones that have the same one by hand, and a phone's own lease.
            self.leases.pop(number, None)
            self.hear(number, phone.client.inform(IPv4Address(f"10.0.0.{14 + number // 2}")), "eth0")
        elif known is not None:
            if kind in ("release", "decline"):
                self.leases.pop(number, None)
            self.hear(number, getattr(phone.client, kind)(known), interface)

    def hear(self, number: int, payload: bytes, interface: str) -> None:
        phone = self.phones[number]
        for sent in self.site.tell(payload, interface):
            answer = phone.client.read(sent.payload)
            if isinstance(answer, Offered):
                self.offered[number] = answer.lease
            elif isinstance(answer, Acknowledged):
                self.acknowledged(number, answer.lease)

    def acknowledged(self, number: int, lease: BootLease) -> None:
        mac = self.phones[number].mac
        row = self.site.bindings[str(mac)]
        assert (row.block, row.private, row.state) == (lease.block, lease.address, BindingState.HELD)
        assert self.site.leases[mac].address == lease.address
        assert self.site.nat[lease.block] == lease.address
        self.leases[number] = (lease, self.site.now)

    def check(self) -> None:
        server, now = self.site.server, self.site.now
        addresses: dict[IPv4Address, str] = {}
        for lease in server.leases():
            assert addresses.setdefault(lease.address, lease.phone) == lease.phone
            bound = server.phone_at(str(lease.address))
            assert bound in ("", lease.phone)
        assert len(set(self.site.nat.values())) == len(self.site.nat)
        if not self.site.held:
            assert {row.holder: row for row in self.site.ledger.bindings()} == self.site.bindings or len(server._steps)
        self.check_addresses(server._book)
        assert server._book.offers == sum(client.offer is not None for client in server._book._clients.values())
        for number, (lease, since) in self.leases.items():
            client = server._book.known(self.phones[number].mac)
            if client is None or client.pending or now >= since + lease.lease_s:
                continue
            if client.bound and client.lease is not None and client.lease.address == lease.address:
                assert server.phone_at(str(lease.address)) == str(lease.mac)

    def check_addresses(self, book: Book) -> None:
        """Exactly those remembered addresses give way that nobody has spoken for, and the counts are those of a recount."""
        for name, queue in book._unbound.items():
            pool = book._pools[name]
            for client in book._clients.values():
                lease = client.lease
                gives_way = lease is not None and lease.scope == name and pool.serves(lease.address) and client.gives_way
                assert (client.mac in queue) == (gives_way and not book.former.holds(client))
            assert pool.taken == sum(pool.serves(IPv4Address(number)) for number in pool._used)
            assert book.usage(name, self.site.now).free >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_no_address_and_no_port_has_two_owners(seed, make_site, make_phone) -> None:
    site = make_site(last=17, blocks=10, quarantine_s=100.0)
    phones = [make_phone(site, number, "desk" if number % 3 else "lobby") for number in range(PHONES)]
    history = History(seed, site, phones)
    for _ in range(STEPS):
        history.step()
    # Everything heals: once store and NAT work and all leases ran out, nothing is translated or under way.
    site.store_fails = site.nat_fails = site.holding = False
    while site.held:
        site.conclude(site.held.pop(0))
    site.wait(10_000)
    for phone in phones:
        # Static phones keep theirs until an operator takes it.
        site.run(site.server.orders.withdraw_lease(phone.mac, site.now))
    assert site.nat == {}
    assert len(site.server._steps) == site.server._book.offers == 0
    assert all(row.state is BindingState.RELEASED for row in site.bindings.values())
    assert {row.holder: row for row in site.ledger.bindings()} == site.bindings
    assert {lease.mac: lease for lease in site.server.leases()} == site.leases
