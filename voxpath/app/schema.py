"""The configuration: one typed structure per section, with default, effect and example of each option.

This module and those whose names begin with ``schema_`` are the only places where an option is described.
``etc/voxpath.toml`` and ``docs/reference/configuration.md`` are generated from it (:mod:`voxpath.app.reference`).
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from msgspec import Meta, field

from voxpath.app.kinds import EndpointText, MacRange, OctetsText
from voxpath.app.schema_manhole import Manhole
from voxpath.app.schema_options import (
    MAX_ENTERPRISE,
    OPTIONS_LIMIT,
    LayoutName,
    NtpServers,
    Option,
    Parameter,
    SipServers,
    TftpServers,
    TimeServers,
    Url,
)
from voxpath.app.schema_redundancy import Redundancy
from voxpath.app.schema_sip import Domain, Sip, User
from voxpath.app.schema_tftp import FilesName, Tftp
from voxpath.app.section import FramePriority, Port, Section, doc
from voxpath.model.address import Mac
from voxpath.ports.ledger import QUARANTINE_S
from voxpath.ports.pools import RESERVED_PORTS

MAC_RULES_LIMIT = 4096
"""Entries of ``dhcp.macs``."""

SELECTORS_LIMIT = 256
"""Texts, client identifiers or fingerprints of one phone class."""

VendorClass = Annotated[str, Meta(min_length=1, max_length=255)]
OptionCode = Annotated[int, Meta(ge=1, le=254)]

SETTINGS_LIMIT = 100
"""Lines of ``class.settings``."""

SettingsLine = Annotated[
    str,
    Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,500}\Z", extra={"words": "one line of 1 to 500 characters"}),
]

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


class Dhcp(Section, frozen=True):
    """The DHCP server; it starts when at least one `[[scope]]` names an interface."""

    enabled: Annotated[bool, doc("Whether the role starts.", False)] = True
    macs: Annotated[
        tuple[MacRange, ...],
        doc(
            "Ethernet addresses that may be served, single ones and ranges; all others get no answer at all.",
            ["02:00:00:00:00:00-02:00:00:ff:ff:ff", "00:00:5e:00:53:01"],
            max_length=MAC_RULES_LIMIT,
        ),
    ] = ()
    authoritative: Annotated[
        bool, doc("Whether a served client that asks for an address which is not its own gets a NAK.", False)
    ] = True
    probation_s: Annotated[
        float, doc("Seconds for which nobody gets an address that another machine was found to use.", 600.0, ge=1)
    ] = 3600.0
    probe: Annotated[
        bool,
        doc(
            "Whether free addresses are verified unused ahead of need, by ARP on the link and by ICMP echo beyond a relay; "
            "it needs root or CAP_NET_RAW, and no offer ever waits for it.",
            False,
        ),
    ] = True
    probe_wait_s: Annotated[float, doc("Seconds that an answer to each of three requests is waited for.", 0.5, ge=0.05, le=10)] = (
        1.0
    )
    probe_stock: Annotated[int, doc("Free addresses of each scope that are kept verified.", 100, ge=1, le=1024)] = 32
    probe_age_s: Annotated[float, doc("Seconds after which a verified address is probed again.", 300.0, ge=10)] = 600.0
    enterprise: Annotated[
        int,
        doc(
            "Your own enterprise number: option 125 tells port range, controllers and NAT address under it; 0: it does not.",
            32473,
            ge=0,
            le=MAX_ENTERPRISE,
        ),
    ] = 0


class Scope(Section, frozen=True):
    """Addresses that DHCP gives out on one link: that of an interface, or one behind relays.

    Several scopes may share a link.
    New phones get an address of the first one, and of the others of its `group` when it is exhausted.
    """

    name: Annotated[str, doc("Name, for leases and logs.", "lan", min_length=1)]
    interface: Annotated[str, doc("Interface towards the phones, or towards the relays.", "eth1", min_length=1, max_length=15)]
    subnet: Annotated[IPv4Network, doc("The phones' prefix.", "10.0.0.0/24")]
    server: Annotated[
        IPv4Address, doc("The server's own address: in the subnet, or with `relays` any that phones and relays reach.", "10.0.0.1")
    ]
    addresses: Annotated[
        tuple[IPv4Address, IPv4Address], doc("First and last address for phones.", ["10.0.0.10", "10.0.0.250"])
    ] = field(name="range")
    realm: Annotated[str, doc("Realm of these addresses.", "site-a", min_length=1)]
    router: Annotated[IPv4Address | None, doc("Router told to phones; not set: `server`.", "10.0.0.254")] = None
    relays: Annotated[
        tuple[IPv4Address, ...],
        doc(
            "Relays (by giaddr) that are trusted to speak for this scope's phones; empty: these are on the interface's own link.",
            ["10.0.0.2"],
            max_length=64,
        ),
    ] = ()
    group: Annotated[
        str, doc("Super-scope: when a scope is exhausted, the next one of its link with the same name here gives.", "floor-1")
    ] = ""
    trust_circuits: Annotated[
        bool,
        doc("Whether a switch on the interface's link writes option 82, so that circuits may be believed without a relay.", True),
    ] = False
    dns: Annotated[tuple[IPv4Address, ...], doc("Name servers told to phones.", ["10.0.0.1"])] = ()
    domain: Annotated[str, doc("Domain name told to phones.", "phones.example")] = ""
    vlan: Annotated[
        int,
        doc(
            "VLAN of the phones if `interface` is a trunk without an interface for it: DHCP then reads and writes tagged frames; "
            "0: `interface` is the VLAN's own, such as eth1.20.",
            20,
            ge=0,
            le=4094,
        ),
    ] = 0
    priority: Annotated[
        FramePriority | None,
        doc("802.1p priority of DHCP's answers, 0 to 7; not set: that of the request on a trunk, else the kernel's choice.", 5),
    ] = None
    shared: Annotated[
        bool,
        doc(
            "Whether phones share public addresses: each gets the one of its port block as its own, and its ports by option 159 "
            "(RFC 7618); `range` then holds the public addresses of the realm's pools, and nothing is translated.",
            False,
        ),
    ] = False
    time_servers: TimeServers = ()
    ntp_servers: NtpServers = ()
    tftp_servers: TftpServers = ()
    sip_servers: SipServers = ()
    options: Annotated[tuple[Option, ...], doc("Options by number.", [], max_length=OPTIONS_LIMIT)] = field(
        name="option", default=()
    )


class PhoneClass(Section, frozen=True):
    """What phones of one kind get.

    What a phone says of itself selects its class: its vendor class, else its client identifier, else the options that it asks for.
    `like` takes every option that is not set here from a class of `docs/reference/phone-classes.md`.
    """

    name: Annotated[str, doc("Name, for leases and logs; with `like` it may be left out.", "desk", min_length=1)]
    like: Annotated[str, doc("A shipped class whose options count where none is set here; empty: none.", "yealink")] = ""
    vendor_classes: Annotated[
        tuple[VendorClass, ...],
        doc(
            "Texts of DHCP option 60 that select this class; `*` stands for any characters. "
            "An exact text comes before one with `*`, and a longer one before a shorter one.",
            ["voxpath-phone", "Yealink*"],
            max_length=SELECTORS_LIMIT,
        ),
    ] = ()
    client_ids: Annotated[
        tuple[OctetsText, ...],
        doc(
            "Client identifiers (option 61) that select this class when no vendor class does: ASCII text, or hexadecimal pairs.",
            ["desk-7", "01:02:00:00:00:0a:01"],
            max_length=SELECTORS_LIMIT,
        ),
    ] = ()
    fingerprints: Annotated[
        tuple[tuple[OptionCode, ...], ...],
        doc(
            "Lists of options, exactly as phones ask for them (option 55), that select this class when neither does.",
            [[1, 66, 6, 3, 15, 150, 35]],
            max_length=SELECTORS_LIMIT,
        ),
    ] = ()
    lines: Annotated[
        int,
        doc("Two-way channels: two ports each and one for signalling; 0: a block of `ports.block` ports.", 2, ge=0, le=511),
    ] = 0
    extra: Annotated[int, doc("Ports beyond those of the lines, for paging and such.", 4, ge=0, le=1024)] = 0
    ports: Annotated[
        int, doc("Ports of a block, a power of two, instead of what follows from `lines`; 0: not set.", 32, ge=0, le=1024)
    ] = 0
    lease_s: Annotated[
        int, doc("Length of a lease, in seconds; 4294967295: for ever, never renewed.", 86400, ge=60, le=0xFFFFFFFF)
    ] = 3600
    image: Annotated[str, doc("Boot image below `tftp.root`; empty: the phone needs none.", "desk-1.4.bin")] = ""
    application: Annotated[
        str,
        doc(
            "What the phone loads after its configuration, which names it: firmware or telephony application below `tftp.root`.",
            "desk-app-1.4.bin",
        ),
    ] = ""
    files: Annotated[
        FilesName,
        doc(
            "Whose configuration files are rendered for these phones, by a name of `docs/reference/phone-files.md`; "
            "empty: those of `layout`, if it has any; `none`: nothing, all files lie below `tftp.root`.",
            "yealink",
        ),
    ] = ""
    root_path: Annotated[str, doc("Root path told to phones (DHCP option 17); empty: none.", "/desk", max_length=255)] = ""
    mgcs: Annotated[
        tuple[EndpointText, ...],
        doc("Primary and backup media gateway controllers.", ["192.0.2.10:2944", "192.0.2.11:2944"], max_length=8),
    ] = ()
    layout: Annotated[
        LayoutName,
        doc(
            "How these phones want to be told of their servers: option 43 and others in their maker's way; `voxpath` tells ports, "
            "controllers and NAT address, and `none` leaves option 43 out. Options 224 to 226 go to any phone that asks for them.",
            "mitel",
        ),
    ] = "none"
    url: Annotated[
        Url,
        doc(
            "Where they fetch their configuration, told in option 66 and where `layout` says; empty: the TFTP server.",
            "http://10.0.0.1/phones",
        ),
    ] = ""
    parameters: Annotated[
        tuple[Parameter, ...],
        doc(
            "Texts that the layouts `mitel` and `avaya` add as they are.",
            ["vlan=1056", "dscp=46"],
            max_length=OPTIONS_LIMIT,
        ),
    ] = ()
    time_servers: TimeServers = ()
    ntp_servers: NtpServers = ()
    tftp_servers: TftpServers = ()
    sip_servers: SipServers = ()
    options: Annotated[tuple[Option, ...], doc("Options by number.", [], max_length=OPTIONS_LIMIT)] = field(
        name="option", default=()
    )
    settings: Annotated[
        tuple[SettingsLine, ...],
        doc(
            "Lines added to the files of phone programs, such as their audio devices; those that begin with ; are parameters of "
            "each account. Place-holders: "
            "{mac}, {address}, {public_address}, {first_port}, {last_port}.",
            ["module alsa.so", "audio_source alsa,default", "audio_player alsa,default", ";answermode=auto"],
            max_length=SETTINGS_LIMIT,
        ),
    ] = ()


class Reservation(Section, frozen=True):
    """A fixed address for one phone, which is known by any of `mac`, `client_id` and `circuit_id`.

    A phone that is named by `mac` need not stand in `dhcp.macs`; the others must.
    """

    address: Annotated[IPv4Address, doc("Its address, in the subnet of a scope.", "10.0.0.5")]
    mac: Annotated[Mac | None, doc("The phone's Ethernet address.", "02:00:00:00:0a:01")] = None
    client_id: Annotated[
        OctetsText | None, doc("Its client identifier (option 61): ASCII text, or hexadecimal pairs.", "desk-7")
    ] = None
    circuit_id: Annotated[
        OctetsText | None, doc("The circuit that its relay names (option 82, sub-option 1).", "switch-1 port 7")
    ] = None
    phone_class: Annotated[
        str, doc("Class that this phone has, whatever it says of itself; BOOTP needs it; empty: that which it selects.", "desk")
    ] = field(name="class", default="")


class Nat(Section, frozen=True):
    """The NAPPT data path."""

    backend: Annotated[
        str,
        doc("`auto`: nftables where it can run and `outside` names an interface, else memory; or one by its name.", "nftables"),
    ] = "auto"
    inside: Annotated[tuple[str, ...], doc("Interfaces towards the phones.", ["eth1"])] = ()
    outside: Annotated[tuple[str, ...], doc("Interfaces whose traffic is translated.", ["eth0"])] = ()
    table: Annotated[
        str,
        doc(
            "Name of the nftables table.",
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
    """What a phone that does not use DHCP is told by hand."""

    address: Annotated[IPv4Interface, doc("The phone's address and prefix length.", "10.0.0.11/24")]
    public: Annotated[IPv4Address, doc("The NAT address.", "203.0.113.1")]
    ports: Annotated[tuple[Port, Port], doc("First and last port of its block.", [20032, 20095])]
    mgcs: Annotated[tuple[EndpointText, ...], doc("Primary and backup controllers.", ["192.0.2.10:2944"], min_length=1)]
    router: Annotated[IPv4Address | None, doc("Its router; not set: none.", "10.0.0.1")] = None
    tftp: Annotated[IPv4Address | None, doc("TFTP server; not set: no image and no file is fetched.", "10.0.0.1")] = None
    boot_file: Annotated[str, doc("Boot image on that server.", "desk-1.4.bin")] = ""


class Call(Section, frozen=True):
    """A call that the phones make by themselves, for demonstrations and load tests."""

    phone: Annotated[Mac, doc("The calling phone.", "02:00:00:00:0a:01")]
    number: Annotated[str, doc("The number dialled.", "1002", **NUMBER)]
    after_s: Annotated[float, doc("Seconds from registration to the first call.", 2.0, ge=0)] = 1.0
    length_s: Annotated[float, doc("Seconds from answer to hang-up.", 20.0, gt=0)] = 10.0
    every_s: Annotated[float, doc("Seconds from call to call; 0: one call only.", 60.0, ge=0)] = 0.0


class Phone(Section, frozen=True):
    """The software phones of `voxpath-phone`; no other command reads this section."""

    interface: Annotated[str, doc("Interface that DHCP runs on; with DHCP it must be named.", "eth0", max_length=15)] = ""
    mac: Annotated[Mac, doc("Ethernet address of the first phone; the others follow by one each.", "02:00:00:00:0b:01")] = Mac(
        b"\x02\x00\x00\x00\x0a\x01"
    )
    count: Annotated[int, doc("Phones in this process.", 100, ge=1, le=10000)] = 1
    vendor_class: Annotated[str, doc("Text of DHCP option 60.", "desk-phone", min_length=1, max_length=255)] = "voxpath-phone"
    lines: Annotated[int, doc("Lines of each phone.", 2, ge=1, le=511)] = 1
    dhcp: Annotated[bool, doc("Whether it asks DHCP; otherwise `[phone.static]` tells everything.", False)] = True
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
    ports: Ports = Ports()
    dhcp: Dhcp = Dhcp()
    scopes: Annotated[tuple[Scope, ...], doc("Scopes.", [])] = field(name="scope", default=())
    classes: Annotated[tuple[PhoneClass, ...], doc("Phone classes.", [])] = field(name="class", default=())
    reservations: Annotated[tuple[Reservation, ...], doc("Reservations.", [])] = field(name="reservation", default=())
    tftp: Tftp = Tftp()
    nat: Nat = Nat()
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
