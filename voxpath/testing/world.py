"""A whole world in memory and in virtual time: sites with gateway and phones, a provider network, controllers.

Everything above the packets is the product itself: cores, driver, event bus, ledger, policy.
Below them stand the memory network, the memory NAT and the store in memory.
A seed decides every loss, delay and random number, so a run can be repeated.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from twisted.internet.defer import Deferred, succeed

from voxpath.core.retransmit import Entropy
from voxpath.dhcp.client import DhcpClient
from voxpath.dhcp.message import SERVER_PORT
from voxpath.dhcp.server import DhcpServer
from voxpath.dhcp.settings import DhcpSettings
from voxpath.flow.admit import Admission
from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.flow.route import NumberPlan
from voxpath.flow.triangle import select
from voxpath.io.bus import EventBus
from voxpath.io.driver import Driver
from voxpath.megaco.message import MId
from voxpath.megaco.mgc import Controller, ControllerSettings
from voxpath.model.address import ANY_HOST, Endpoint, Mac
from voxpath.model.call import Line
from voxpath.model.phone import BootLease, OwnAddress, PhoneClass, Provision, Scope
from voxpath.model.ports import Transaction
from voxpath.model.realm import Realm
from voxpath.natreactor.group import BackEnd, Told, apply_alone
from voxpath.natreactor.interface import Outside
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.sessions import MediaSessions
from voxpath.natreactor.settings import NatSettings
from voxpath.phone.gateway import Gateway as MediaGateway
from voxpath.phone.gateway import GatewaySettings
from voxpath.phone.host import Enable
from voxpath.phone.media import Media
from voxpath.phone.phone import Phone
from voxpath.phone.state import BootSettings
from voxpath.phone.user import Habits, User
from voxpath.ports.change import LedgerChange
from voxpath.ports.copy import LedgerCopy
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import Pool
from voxpath.store.memory import MemoryStore
from voxpath.testing.clock import HeapClock, VirtualClock
from voxpath.testing.network import Gateway, Host, MemoryNetwork, Quality, Segment
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Fetch, Refused
from voxpath.tftp.server import TftpServer

LAN = "10.0.0.0/16"
SERVER = "10.0.0.1"
PROVIDER = "198.51.100.0/24"
VENDOR_CLASS = "voxpath-phone"
IMAGE = "phone-1.0.bin"


@dataclass
class PhoneHost:
    """One phone: its machine on the network, its core and its driver."""

    mac: Mac
    host: Host
    user: User
    driver: Driver

    @property
    def name(self) -> str:
        """Its identity."""
        return str(self.mac)

    @property
    def gateway(self) -> MediaGateway | None:
        """Its MEGACO side; ``None`` while it boots."""
        gateway = self.user.phone.gateway
        return gateway if isinstance(gateway, MediaGateway) else None


@dataclass
class Site:
    """A customer's site."""

    name: str
    public: str
    lan: Segment
    ledger: Ledger
    dhcp: DhcpServer
    nat: MemoryNAT
    store: MemoryStore
    drivers: list[Driver]
    phones: list[PhoneHost] = field(default_factory=list)

    # What the file policy asks.

    def provision_of(self, phone: str) -> Provision | None:
        """What a phone was given."""
        return self.dhcp.provision_of(Mac.parse(phone))

    def phone_at(self, address: str, port: int) -> str:
        """Who lives at an address."""
        return self.dhcp.phone_at(address, port)


class AtOnce:
    """Applies each transaction by itself: in virtual time a group would not be larger."""

    def __init__(self, nat: BackEnd) -> None:
        self._nat = nat

    def apply(self, transaction: Transaction, done: Told) -> None:
        """Apply it now."""
        apply_alone(self._nat, transaction, done)


class World:
    """Everything.

    :param seed: decides all that is random.
    :param lan: how the sites' segments treat datagrams.
    :param wan: the same for the provider's.
    :param trusted: addresses that reach every phone, if the NATs are in the call-aware mode; ``None``: they are in the open one.
    """

    def __init__(
        self,
        seed: int,
        lan: Quality | None = None,
        wan: Quality | None = None,
        image: bytes = b"image" * 100,
        trusted: Iterable[str] | None = None,
    ) -> None:
        self.clock = HeapClock()
        self.time = VirtualClock(self.clock)
        self.bus = EventBus(self.time)
        self.network = MemoryNetwork(self.clock, seed)
        self.entropy: Entropy = self.network.entropy
        self.provider = self.network.segment("provider", PROVIDER, wan)
        self.copy = LedgerCopy()
        self.trusted = None if trusted is None else tuple(map(IPv4Address, trusted))
        self.sessions = MediaSessions(self.clock, self.copy, lambda event: self.bus.publish("nat", event))
        self.sites: list[Site] = []
        self.controllers: dict[str, tuple[Host, Controller, Driver]] = {}
        self.numbers: dict[str, Line] = {}
        self._image = image
        self._lan = lan

    # Building.

    def add_site(self, name: str, public: str, mgcs: Iterable[str]) -> Site:
        """A site with its gateway; every site has the same inside addresses."""
        lan = self.network.segment(name, LAN, self._lan)
        host = Host(name)
        host.attach(lan, "lan0", b"\x02gate" + bytes([len(self.sites)]), SERVER)
        pool = Pool(IPv4Address(public), 2048, 65535, name)
        ledger = Ledger([pool])
        outside = Outside(("lan0",), ("wan0",), (LAN,), (pool.public,))
        nat = MemoryNAT(NatSettings(outside, self.clock, call_aware=self.trusted is not None, trusted=self.trusted or ()))
        nat.start()
        self.sessions.attach(nat, (pool.public,), call_aware=self.trusted is not None)
        scope = Scope(
            name="lan",
            interface="lan0",
            subnet=IPv4Network(LAN),
            server=IPv4Address(SERVER),
            first=IPv4Address("10.0.1.0"),
            last=IPv4Address("10.0.255.250"),
            realm=name,
        )
        phone_class = PhoneClass("phones", (VENDOR_CLASS,), 32, 86400, IMAGE, tuple(mgcs), layout="voxpath", forcerenew=True)
        everybody = [(Mac(b"\x02" + bytes(5)), Mac(b"\x02" + b"\xff" * 5))]
        dhcp = DhcpServer([scope], Admission(everybody, [phone_class]), ledger, DhcpSettings(secret=b"of the test"))
        store = MemoryStore()
        site = Site(name, public, lan, ledger, dhcp, nat, store, [])
        site.drivers = [self._serve_dhcp(site, host), self._serve_files(site, host)]
        Gateway(nat, lan, self.provider, (public,))
        self.copy.snapshot(name, 0, ())

        def tell(change: LedgerChange) -> None:
            self.copy.apply(name, change.generation, change.written, change.removed)

        ledger.watch(tell)
        self.sites.append(site)
        return site

    def add_controller(self, address: str) -> Controller:
        """A controller on the provider's network; numbers must be there before."""
        host = Host(f"mgc {address}")
        host.attach(self.provider, "wan0", b"\x02mgc" + IPv4Address(address).packed[2:], address)
        realms = tuple(Realm(site.name, (IPv4Network(LAN),), (IPv4Address(site.public),)) for site in self.sites)
        settings = ControllerSettings(MId.parse(f"[{address}]:2944"), realms)
        core = Controller(settings, NumberPlan(self.numbers), select, self.entropy, self.copy)
        ports = host.ports()
        driver = Driver("mgc", core, self.time, self.bus, ports=ports, store=MemoryStore(), sessions=self.sessions)
        ports.open("megaco", Endpoint(address, 2944), driver.feed)
        self.controllers[address] = host, core, driver
        return core

    def add_phone(self, site: Site, mac: Mac, tone_hz: float, habits: Habits, own: OwnAddress | None = None) -> PhoneHost:
        """A phone that is still switched off.

        :param own: its address, if it is a static phone.
        """
        host = Host(str(mac))
        interface = host.attach(site.lan, "eth0", bytes(mac))
        client = DhcpClient(mac, VENDOR_CLASS, self.entropy)

        def gateway_of(lease: BootLease) -> MediaGateway:
            return MediaGateway(lease, 1, self.entropy, lambda: Media(tone_hz, self.entropy, str(mac)), GatewaySettings())

        def answer(question: object) -> "Deferred[object]":
            if isinstance(question, Enable):
                interface.enable(str(question.address))
            return succeed(None)

        user = User(Phone(BootSettings(mac, static=own), client, self.entropy, gateway_of), habits)
        driver = Driver("phone", user, self.time, self.bus, ports=host.ports(), answer=answer)
        phone = PhoneHost(mac, host, user, driver)
        site.phones.append(phone)
        return phone

    def _serve_dhcp(self, site: Site, host: Host) -> Driver:
        ports = host.ports()
        driver = Driver("dhcp", site.dhcp, self.time, self.bus, ports=ports, store=site.store, nat=AtOnce(site.nat))
        ports.open("dhcp", Endpoint(ANY_HOST, SERVER_PORT), driver.feed)
        return driver

    def _serve_files(self, site: Site, host: Host) -> Driver:
        policy = FilePolicy(site)

        def answer(question: object) -> "Deferred[object]":
            assert isinstance(question, Fetch)
            match policy.choose(question):
                case Rendered(content):
                    return succeed(content)
                case Image(name) if name == IMAGE:
                    return succeed(self._image)
                case Refused() as refused:
                    return succeed(refused)
            return succeed(Refused(ErrorCode.NOT_FOUND, "no such file"))

        ports = host.ports()
        driver = Driver("tftp", TftpServer(site.dhcp, self.entropy), self.time, self.bus, ports=ports, answer=answer)
        ports.open("tftp", Endpoint(SERVER, 69), driver.feed)
        return driver

    # Running.

    def power_on(self, phones: Iterable[PhoneHost]) -> None:
        """Switch phones on, all at once."""
        for phone in phones:
            phone.driver.act(phone.user.start)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def run_until(self, condition: Callable[[], bool], limit_s: float) -> float:
        """Let time pass until the condition holds; give the seconds that it took.

        :raises AssertionError: it did not come to hold.
        """
        began = self.time.now()
        while not condition():
            if self.time.now() - began > limit_s:
                raise AssertionError(f"not within {limit_s:g} s of virtual time")
            self.run(0.05)
        return self.time.now() - began

    def stop(self) -> None:
        """Stop every driver: no timer is left."""
        everywhere = [driver for site in self.sites for driver in site.drivers]
        everywhere += [phone.driver for site in self.sites for phone in site.phones]
        for driver in (*everywhere, *(driver for _, _, driver in self.controllers.values())):
            driver.stop()
        for site in self.sites:
            site.nat.stop()
        self.sessions.stop()
