"""Random histories on a link where machines use addresses that nobody gave them: phones of a former server, and strangers.

Besides what :mod:`tests.dhcp.test_histories` says, nobody is given an address while another machine's probation lasts.
"""

from ipaddress import IPv4Address

import pytest

from tests.dhcp.test_histories import History
from tests.dhcp.test_probe import STRANGER, Link, at
from tests.dhcp.test_server import edited
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Offered
from voxpath.dhcp.machine import Book
from voxpath.dhcp.probe import ProbeSettings
from voxpath.dhcp.record import Timer
from voxpath.model.address import Mac
from voxpath.model.phone import BootLease

STEPS = 150
PHONES = 12
NUMBERS = range(9, 16)
"""Addresses that machines use: those of the pool, and some outside of it."""
SETTINGS = ProbeSettings(wait_s=1.0, stock=3, age_s=100.0, probation_s=300.0)
KINDS = ("discover", "select", "elsewhere", "reboot", "renew", "inform")


class Crowd(History):
    """One random history.

    :ivar hosts: who uses which address.
    :ivar found: who was found at which address and has not got it by a lease, and until when nobody else may.
    """

    def __init__(self, seed: int, site, phones) -> None:
        super().__init__(seed, site, phones)
        self.hosts: dict[IPv4Address, Mac] = {}
        self.found: dict[IPv4Address, tuple[str, float]] = {}
        self.start()

    def start(self) -> None:
        self.site.start()
        self.told = len(self.site.events)
        self.found.clear()
        self.link = Link(self.site, SETTINGS)
        self.link.hosts = self.hosts

    def step(self) -> None:
        choice, dice = self.entropy.random(), self.entropy
        if choice < 0.15:
            self.link.wait(dice.choice((0.1, 1.0, 3.0, 30.0, 400.0)))
        elif choice < 0.17:
            self.site.now += dice.choice((1.0, 1000.0))
            self.start()
        elif choice < 0.22:
            self.site.store_fails, self.site.nat_fails, self.site.holding = (dice.random() < 0.3 for _ in range(3))
        elif choice < 0.32 and self.site.held:
            self.site.conclude(self.site.held.pop(dice.randrange(len(self.site.held))), fail=dice.random() < 0.3)
        elif choice < 0.45:
            where, who = at(dice.choice(NUMBERS)), dice.choice([STRANGER, *(phone.mac for phone in self.phones)])
            self.hosts[where] = who
            if dice.random() < 0.3:
                self.link.claims(where, who)
            elif dice.random() < 0.4:
                del self.hosts[where]
        elif choice < 0.47:
            self.link.cut = dice.choice(("", "the network is down"))
        else:
            self.message(dice.randrange(PHONES))
        self.note()
        self.check()

    def message(self, number: int) -> None:
        """Half of the phones go on as they are told; the others ask for what they use."""
        phone, kind = self.phones[number], self.entropy.choice(KINDS)
        mine = [where for where, mac in self.hosts.items() if mac == phone.mac]
        if not mine or self.entropy.random() < 0.3:
            super().message(number)
            return
        address = self.entropy.choice(mine)
        lease = BootLease(phone.mac, address, 24, at(1), at(1), 3600, "", "", None, (), (), "", "")
        payload = {
            "discover": lambda: edited(phone.client.discover(), options={code.REQUESTED_ADDRESS: address.packed}),
            "elsewhere": lambda: edited(phone.client.request(lease), options={code.SERVER_ID: at(99).packed}),
            "inform": lambda: phone.client.inform(address),
            "reboot": lambda: phone.client.reboot(lease),
            "renew": lambda: phone.client.renew(lease),
            "select": lambda: phone.client.request(lease),
        }[kind]()
        self.leases.pop(number, None)
        self.hear(number, payload, "eth0")

    def hear(self, number: int, payload: bytes, interface: str) -> None:
        phone = self.phones[number]
        for sent in self.site.tell(payload, interface):
            answer = phone.client.read(sent.payload)
            if isinstance(answer, Offered):
                by, until = self.found.get(answer.lease.address, ("", 0.0))
                assert by in ("", str(phone.mac)) or until <= self.site.now
                self.offered[number] = answer.lease

    def note(self) -> None:
        """Note who was found where, and who has got that by a lease since."""
        occupied = {event.address for event in self.site.events[self.told :] if event.ID == "DHCP_OCCUPIED"}
        self.told = len(self.site.events)
        for conflict in self.link.prober.conflicts.standing(self.site.now):
            if str(conflict.address) in occupied:
                self.found[conflict.address] = (str(conflict.mac), conflict.until)
        for lease in self.site.leases.values():
            self.found.pop(lease.address, None)

    def check(self) -> None:
        served, self.site.server = self.site.server, self.link._server
        super().check()
        self.site.server = served
        prober = self.link.prober
        assert prober._looks == sum(probe.look for probe in prober._under_way.values())

    def check_addresses(self, book: Book) -> None:
        """What is used is used by somebody, and each probation ends."""
        for name, pool in book._pools.items():
            assert not pool._used & pool._stock.keys()
            for address in map(IPv4Address, pool._used):
                contested = pool.is_contested(address)
                assert contested or address in book._owners or address in book._offered or book.declined._standing
                assert contested == (Timer("probation", scope=name, address=address) in book.timers)
                assert not (contested and address in book._offered)


@pytest.mark.parametrize("seed", range(8, 16))
def test_nobody_is_given_an_address_that_another_machine_was_found_to_use(seed: int, make_site, make_phone) -> None:
    site = make_site(last=13, blocks=10)
    phones = [make_phone(site, number, "desk" if number % 3 else "lobby") for number in range(PHONES)]
    crowd = Crowd(seed, site, phones)
    for _ in range(STEPS):
        crowd.step()
    # Everything heals: every former address has been looked at, and nothing is under way.
    site.store_fails = site.nat_fails = site.holding = False
    crowd.link.cut = ""
    while site.held:
        site.conclude(site.held.pop(0))
    crowd.hosts.clear()
    crowd.link.wait(20_000)
    book = crowd.link._server.book
    assert not any(queue._unseen or queue._lingering for queue in book._unbound.values())
    assert (book.offers, book.demand.conflicts.standing(site.now)) == (0, [])
