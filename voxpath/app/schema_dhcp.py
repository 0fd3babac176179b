"""Options of DHCP: the server, its scopes, phone classes and reservations (see :mod:`voxpath.app.schema`)."""

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from msgspec import Meta, field

from voxpath.app.kinds import EndpointText, MacRange, OctetsText
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
from voxpath.app.schema_tftp import FilesName
from voxpath.app.section import FramePriority, Section, doc
from voxpath.dhcp.pressure import WARN_AT
from voxpath.model.address import Mac
from voxpath.model.phone import STATIC_LIMIT, STATIC_S

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
    warn_at: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...],
        doc(
            "Shares of the addresses of a scope (or of all scopes of its group), or of a pool's ports, in percent and rising, "
            "from which on an event warns; another one tells when they are 5 points below again.",
            [70, 90],
            max_length=8,
        ),
    ] = WARN_AT


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
            "Relays that are trusted to speak for this scope's phones: the addresses that they write into giaddr, and those that "
            "they send from; empty: the phones are on the interface's own link.",
            ["10.0.0.2", "10.9.0.2"],
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
    inform: Annotated[
        bool,
        doc("Whether static phones, which have their address by hand, are told the rest by INFORM, and get a block.", False),
    ] = True
    static_limit: Annotated[
        int,
        doc(
            "How many static phones may have a block; further ones are told everything but that. "
            "Those are not counted whose address a `[[reservation]]`, or whose block a `[[block]]`, names.",
            200,
            ge=0,
            le=1 << 20,
        ),
    ] = STATIC_LIMIT
    static_s: Annotated[
        int,
        doc(
            "Seconds after which the block of a static phone is released that has sent no further INFORM; 0: never. "
            "Longer than your phones run without a restart, as most send one only then.",
            7776000,
            ge=0,
            le=0xFFFFFFFF,
        ),
    ] = STATIC_S
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
        doc(
            "Primary and backup media gateway controllers; DHCP tells phones of the first four.",
            ["192.0.2.10:2944", "192.0.2.11:2944"],
            max_length=8,
        ),
    ] = ()
    layout: Annotated[
        LayoutName,
        doc(
            "How these phones want to be told of their servers: option 43 and others in their maker's way; `voxpath` tells ports, "
            "controllers and NAT address, and `none` leaves option 43 out. Options 224 to 226 go to any phone that asks for them.",
            "mitel",
        ),
    ] = "none"
    forcerenew: Annotated[
        bool,
        doc(
            "Whether `voxpath ctl reboot` may ask these phones by DHCP: a FORCERENEW now, and a NAK to the next renewal, which "
            "ends a call. Most clients ignore a FORCERENEW and boot at that renewal; voxpath-phone heeds it, proven by RFC 6704.",
            True,
        ),
    ] = False
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
