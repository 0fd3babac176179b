"""The configuration: one typed structure per section, with default, effect and example of each option.

This module and those whose names begin with ``schema_`` are the only places where an option is described.
``etc/voxpath.toml`` and ``docs/reference/configuration.md`` are generated from it (:mod:`voxpath.app.reference`).
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from msgspec import field

from voxpath.app.kinds import EndpointText
from voxpath.app.schema_dhcp import Dhcp, PhoneClass, Reservation, Scope
from voxpath.app.schema_firewall import Firewall
from voxpath.app.schema_manhole import Manhole
from voxpath.app.schema_redundancy import Redundancy
from voxpath.app.schema_sip import Domain, Sip, User
from voxpath.app.schema_tftp import Tftp
from voxpath.app.section import Port, Section, doc
from voxpath.model.address import Mac
from voxpath.ports.ledger import QUARANTINE_S
from voxpath.ports.pools import RESERVED_PORTS

NUMBER = {"pattern": r"^[0-9*#]{1,32}\Z", "words": "1 to 32 of 0-9, * and #"}
"""Limits of a telephone number."""


class Realm(Section, frozen=True):
    """Addresses that reach each other without NAT, and the public addresses that they stand behind.

    Two phones of one realm are connected by their private addresses, all others by their public ones.
    """

    name: Annotated[str, doc("Name that pools and scopes refer to.", "site-a", min_length=1)]
    private: Annotated[tuple[IPv4Network, ...], doc("Inside prefixes.", ["10.0.0.0/24"], min_length=1)]
    public: Annotated[tuple[IPv4Address, ...], doc("Public addresses in front of them.", ["203.0.113.1"], min_length=1)]


class Pool(Section, frozen=True):
    """Ports of one public address that are given to phones as blocks."""

    public: Annotated[IPv4Address, doc("The public address.", "203.0.113.1")]
    ports: Annotated[tuple[Port, Port], doc("First and last port, from 1024 on.", [20000, 29999])]
    realm: Annotated[str, doc("Realm whose phones get these ports.", "site-a", min_length=1)]


class Block(Section, frozen=True):
    """A port block that is kept for one phone for ever; nobody else gets it, whether the phone is there or not.

    It is the phone's at the next start, whatever size its class has; a phone that holds another block is moved.
    A block that another phone holds at the start stays with that phone, and an event tells it.
    """

    mac: Annotated[Mac, doc("The phone.", "02:00:00:00:0a:01")]
    public: Annotated[IPv4Address, doc("The public address, one of a pool.", "203.0.113.1")]
    ports: Annotated[
        tuple[Port, Port],
        doc("First and last port: 1, 2, 4 ... 1024 of them, beginning at a multiple of their number.", [20032, 20095]),
    ]


class ServicePort(Section, frozen=True):
    """A port of a public address that a role of the gateway itself owns; it is never part of a phone's block."""

    name: Annotated[str, doc("Name of the owner.", "mgc", min_length=1)]
    public: Annotated[IPv4Address, doc("The public address.", "203.0.113.1")]
    port: Annotated[Port, doc("The port.", 2944)]


class Ports(Section, frozen=True):
    """Rules for all port blocks."""

    block: Annotated[
        int, doc("Ports of a phone whose class names neither lines nor ports; a power of two.", 128, ge=1, le=1024)
    ] = 64
    quarantine_s: Annotated[float, doc("Seconds for which nobody else gets a released block.", 600.0, ge=0)] = QUARANTINE_S
    reserved: Annotated[tuple[Port, ...], doc("Ports that no block contains, on any address.", [5060, 5061])] = tuple(
        sorted(RESERVED_PORTS)
    )
    services: Annotated[tuple[ServicePort, ...], doc("Ports of the gateway's own roles.", [])] = field(name="service", default=())


class Nat(Section, frozen=True):
    """The NAPPT data path."""

    backend: Annotated[
        str,
        doc(
            "`auto`: nftables, else tun, where they can run and `outside` names an interface; else memory. Or its name.", "nftables"
        ),
    ] = "auto"
    inside: Annotated[tuple[str, ...], doc("Interfaces towards the phones: those of all scopes.", ["eth1"])] = ()
    outside: Annotated[tuple[str, ...], doc("Interfaces whose traffic is translated.", ["eth0"])] = ()
    mode: Annotated[
        Literal["open", "call-aware"],
        doc(
            "Whom packets reach phones from: `open`: from everybody, by every leased port; `call-aware`: from `trusted` addresses, "
            "and from the peer of a call, while it lasts, that a controller or SIP server tells of: that of this process, or one "
            "in `[[subscriber]]`.",
            "call-aware",
        ),
    ] = "open"
    trusted: Annotated[
        tuple[IPv4Address, ...],
        doc(
            "Addresses that reach every leased port in the call-aware mode, beside the controllers of all classes: SIP proxies, "
            "time and file servers outside.",
            ["198.51.100.10"],
        ),
    ] = ()
    napt: Annotated[
        str,
        doc(
            "Public address and ports, of no pool, for an ordinary NAPT of what phones send from ports outside their blocks (DNS, "
            "NTP, HTTPS); empty: that is dropped.",
            "203.0.113.1:60000-64999",
            "an address, a colon, first and last port with a hyphen between",
            pattern=r"^([0-9]{1,3}(\.[0-9]{1,3}){3}:[0-9]{1,5}-[0-9]{1,5})?\Z",
        ),
    ] = ""
    mss: Annotated[
        int,
        doc(
            "Octets of a TCP segment that may be announced at the most, for tunnels with a smaller MTU; 0: any.",
            1360,
            ge=0,
            le=65495,
        ),
    ] = 0
    fast: Annotated[
        bool,
        doc(
            "Whether nftables leads packets of calls from one interface to the other before the kernel routes them, where plain "
            "routes tell how; they pass no other firewall rules of this host then.",
            True,
        ),
    ] = False
    table: Annotated[
        str,
        doc(
            "Name of the nftables table, and of the slow path's devices.",
            "voxpath_a",
            "a lower-case letter, then up to 30 of a-z, 0-9 and _",
            pattern=r"^[a-z][a-z0-9_]{0,30}\Z",
        ),
    ] = "voxpath"


class Mgc(Section, frozen=True):
    """The media gateway controller: registration and calls by MEGACO."""

    enabled: Annotated[bool, doc("Whether the role starts.", False)] = True
    listen: Annotated[tuple[EndpointText, ...], doc("Where it listens.", ["192.0.2.10:2944"], min_length=1)] = (
        EndpointText("127.0.0.1:2944"),
    )
    mid: Annotated[str, doc("Its message identifier; empty: made from the first address of `listen`.", "<mgc.example>")] = ""
    dial_plan: Annotated[
        str, doc("Digit map (RFC 3525, 7.1.14) that phones collect digits by; empty: made from the numbers.", "(xxxx|0x.)")
    ] = ""
    compact: Annotated[bool, doc("Whether messages are written in the short form.", True)] = False
    ring_s: Annotated[float, doc("Seconds after which an unanswered call is given up.", 30.0, gt=0)] = 120.0


class Number(Section, frozen=True):
    """A telephone number and the line that it rings."""

    number: Annotated[str, doc("The digits.", "1001", **NUMBER)]
    phone: Annotated[str, doc("The phone's Ethernet address, or the message identifier of a gateway.", "02:00:00:00:0a:01")]
    termination: Annotated[str, doc("The line's termination on that phone.", "line/1", min_length=1, max_length=64)] = "line/1"


class Subscriber(Section, frozen=True):
    """A role on another host that gets a copy of this gateway's port ledger over TLS."""

    name: Annotated[str, doc("Name that its certificate must carry.", "mgc-1.example", min_length=1)]
    address: Annotated[EndpointText, doc("Where it listens (its `subscription.listen`).", "192.0.2.10:2946")]


class Subscription(Section, frozen=True):
    """The receiving side of `[[subscriber]]`: copies of the port ledgers of gateways on other hosts."""

    enabled: Annotated[bool, doc("Whether gateways may feed this process.", True)] = False
    listen: Annotated[EndpointText, doc("Where gateways connect to.", "192.0.2.10:2946")] = EndpointText("127.0.0.1:2946")


class Tls(Section, frozen=True):
    """Certificates for feeds between hosts; both sides must show one of the same authority."""

    ca: Annotated[str, doc("Certificate of the authority (PEM); a relative path lies in `state`.", "tls/ca.pem")] = ""
    certificate: Annotated[str, doc("This host's certificate (PEM).", "tls/sg-a.pem")] = ""
    key: Annotated[str, doc("Its private key (PEM), readable for this server only.", "tls/sg-a.key")] = ""


class Control(Section, frozen=True):
    """The control socket, for `voxpath ctl`."""

    enabled: Annotated[bool, doc("Whether the socket is opened.", False)] = True
    socket: Annotated[str, doc("Its path; a relative one lies in `state`.", "/run/voxpath/control.sock", min_length=1)] = (
        "control.sock"
    )
    mode: Annotated[int, doc("Its permission bits; never any for others.", "0o660", ge=0, le=0o777)] = 0o600


class Log(Section, frozen=True):
    """What is written of events; messages are kept for ladders, not logged, and every line of the manhole's audit is written.

    Lines of text go where `twistd` logs to; `twistd --logger voxpath.manage.log.json_lines` writes JSON to standard output.
    """

    level: Annotated[Literal["info", "warning", "error"], doc("The least important events that are written.", "warning")] = "info"


class Static(Section, frozen=True):
    """What a phone without a lease is told by hand; it asks for the rest by INFORM.

    What is told here comes before what the INFORM's answer tells.
    A phone that is told NAT address, ports and controllers sends no INFORM, and has nothing but what is told here.
    """

    address: Annotated[IPv4Interface, doc("The phone's address and prefix length.", "10.0.0.11/24")]
    public: Annotated[IPv4Address | None, doc("The NAT address, told with `ports`; not set: asked for.", "203.0.113.1")] = None
    ports: Annotated[tuple[Port, Port] | None, doc("First and last port of its block, told with `public`.", [20032, 20095])] = None
    mgcs: Annotated[tuple[EndpointText, ...], doc("Primary and backup controllers; empty: asked for.", ["192.0.2.10:2944"])] = ()
    router: Annotated[IPv4Address | None, doc("Its router; not set: the answer's, or none.", "10.0.0.1")] = None
    tftp: Annotated[
        IPv4Address | None, doc("TFTP server, for the image alone; not set: the answer's, or no file is fetched.", "10.0.0.1")
    ] = None
    boot_file: Annotated[str, doc("Boot image on the TFTP server; empty: the answer's, or none.", "desk-1.4.bin")] = ""


class Call(Section, frozen=True):
    """A call that the phones make by themselves, for demonstrations and load tests."""

    phone: Annotated[Mac, doc("The calling phone.", "02:00:00:00:0a:01")]
    number: Annotated[str, doc("The number dialled.", "1002", **NUMBER)]
    after_s: Annotated[float, doc("Seconds from registration to the first call.", 2.0, ge=0)] = 1.0
    length_s: Annotated[float, doc("Seconds from answer to hang-up.", 20.0, gt=0)] = 10.0
    every_s: Annotated[float, doc("Seconds from call to call; 0: one call only.", 60.0, ge=0)] = 0.0


class Phone(Section, frozen=True):
    """The software phones of `voxpath-phone`; no other command reads this section."""

    interface: Annotated[str, doc("Interface that DHCP and INFORM run on; with these it must be named.", "eth0", max_length=15)] = (
        ""
    )
    mac: Annotated[Mac, doc("Ethernet address of the first phone; the others follow by one each.", "02:00:00:00:0b:01")] = Mac(
        b"\x02\x00\x00\x00\x0a\x01"
    )
    count: Annotated[int, doc("Phones in this process.", 100, ge=1, le=10000)] = 1
    vendor_class: Annotated[str, doc("Text of DHCP option 60.", "desk-phone", min_length=1, max_length=255)] = "voxpath-phone"
    lines: Annotated[int, doc("Lines of each phone.", 2, ge=1, le=511)] = 1
    dhcp: Annotated[bool, doc("Whether it asks DHCP for a lease; otherwise `[phone.static]` tells its address.", False)] = True
    static: Annotated[Static | None, doc("Configuration by hand, for one phone.", None)] = None
    shim: Annotated[
        bool,
        doc(
            "Whether the phone sets up a shim instead of registering: other programs in its network namespace then show the leased "
            "public address and ports as their own; for one phone, with DHCP, as root; `voxpath-phone --shim` says the same.",
            True,
        ),
    ] = False
    images: Annotated[str, doc("Directory of its stored boot images; a relative path lies in `state`.", "/tmp/images")] = "flash"  # noqa: S108 - an example
    answer: Annotated[bool, doc("Whether it answers calls by itself.", False)] = True
    answer_after_s: Annotated[float, doc("Seconds that it rings before it answers.", 3.0, ge=0)] = 1.0
    registration_timeout_s: Annotated[float, doc("Seconds per controller before the other one is tried.", 30.0, gt=0)] = 10.0
    tone_hz: Annotated[float, doc("Tone that it sends in a call; 0: silence.", 440.0, ge=0, lt=4000)] = 1000.0
    calls: Annotated[tuple[Call, ...], doc("Calls made by themselves.", [])] = field(name="call", default=())


class Config(Section, frozen=True):
    """The whole file. An empty one starts the loopback set: TFTP, controller, SIP, control socket, NAT in memory, no DHCP."""

    name: Annotated[str, doc("Name of this host, for logs and feeds.", "sg-a", min_length=1, max_length=63)] = "voxpath"
    state: Annotated[str, doc("Directory of the database and all relative paths; made if missing.", "/var/lib/voxpath")] = "run"
    realms: Annotated[tuple[Realm, ...], doc("Realms.", [])] = field(name="realm", default=())
    pools: Annotated[tuple[Pool, ...], doc("Port pools.", [])] = field(name="pool", default=())
    blocks: Annotated[tuple[Block, ...], doc("Reserved blocks.", [])] = field(name="block", default=())
    ports: Ports = Ports()
    dhcp: Dhcp = Dhcp()
    scopes: Annotated[tuple[Scope, ...], doc("Scopes.", [])] = field(name="scope", default=())
    classes: Annotated[tuple[PhoneClass, ...], doc("Phone classes.", [])] = field(name="class", default=())
    reservations: Annotated[tuple[Reservation, ...], doc("Reservations.", [])] = field(name="reservation", default=())
    tftp: Tftp = Tftp()
    nat: Nat = Nat()
    firewall: Firewall = Firewall()
    mgc: Mgc = Mgc()
    numbers: Annotated[tuple[Number, ...], doc("Numbers.", [])] = field(name="number", default=())
    sip: Sip = Sip()
    domains: Annotated[tuple[Domain, ...], doc("SIP domains.", [])] = field(name="domain", default=())
    users: Annotated[tuple[User, ...], doc("SIP users.", [])] = field(name="user", default=())
    subscribers: Annotated[tuple[Subscriber, ...], doc("Subscribers.", [])] = field(name="subscriber", default=())
    subscription: Subscription = Subscription()
    redundancy: Redundancy = Redundancy()
    tls: Tls = Tls()
    control: Control = Control()
    manhole: Manhole = Manhole()
    log: Log = Log()
    phone: Phone = Phone()
