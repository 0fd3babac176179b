"""Phone classes and leases: what a phone is given when it boots."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from math import isinf

from msgspec import Struct

from voxpath.model.address import Endpoint, Mac
from voxpath.model.ports import LARGEST_BLOCK, PortBlock

MEGACO_PORT = 2944
"""Where a controller listens that is named without a port (RFC 3525 annex D.1)."""
PORTS_PER_CHANNEL = 2
SIGNALLING_PORTS = 1
STATIC_LIMIT = 64
"""Static phones of one scope that have a block, if the configuration names no other number."""
STATIC_S = 30 * 86400
"""How long a static phone keeps its block without a further INFORM, if the configuration names no other time."""


def identity_of(text: str) -> str:
    """A phone's identity from how a person writes it: a MAC in any form, else a message identifier, which has no letter case."""
    try:
        return str(Mac.parse(text))
    except ValueError:
        return text.lower()


def block_size(lines: int, extra: int) -> int:
    """Ports for a phone: two per two-way channel, one for signalling, and the extra ones (GEN-5), as a power of two.

    :raises ValueError: no block is that large.
    """
    wanted = PORTS_PER_CHANNEL * lines + SIGNALLING_PORTS + extra
    size = 1 << max(0, wanted - 1).bit_length()
    if size > LARGEST_BLOCK:
        raise ValueError(f"{wanted} ports are wanted, a block has {LARGEST_BLOCK} at the most")
    return size


@dataclass(frozen=True, slots=True)
class PhoneClass:
    """What phones of one kind get (GEN-4, DHC-5, DHC-25, TFT-8).

    :ivar vendor_classes: the option 60 texts that select this class, with ``*`` for any octets; matched after trailing NULs are
        stripped.
    :ivar ports: size of the port block, a power of two.
    :ivar lease_s: length of the lease on the wire, in seconds.
    :ivar image: name of the boot image on the TFTP server; empty: the phone needs none.
    :ivar mgcs: addresses of the primary and the backup media gateway controller, in this order, with ports or without.
    :ivar layout: how the phones want to be told of their servers, by a name of :data:`voxpath.dhcp.layout.LAYOUTS` (decision D1).
    :ivar url: where they fetch their configuration; empty: from the TFTP server.
    :ivar parameters: ``name=value`` texts for layouts that are made of such texts.
    :ivar options: further DHCP options by code, encoded; they replace the scope's.
    :ivar sub_options: further sub-options of option 43, encoded.
    :ivar image_octets: size of the image; 0: not known.
    :ivar root_path: path of the phone's root directory on the file server; empty: it has none.
    :ivar forcerenew: whether these phones take a FORCERENEW (RFC 3203).
    :ivar application: what the phone loads after its boot image and its configuration, which names it (TFT-10); empty: nothing.
    :ivar settings: lines of the phone program's configuration file that do not follow from the lease, with place-holders.
    :ivar client_ids: the client identifiers (option 61) that select it when no vendor class does.
    :ivar fingerprints: the parameter request lists (option 55), octet by octet, that select it when neither does.
    """

    name: str
    vendor_classes: tuple[str, ...]
    ports: int
    lease_s: int
    image: str = ""
    mgcs: tuple[str, ...] = ()
    layout: str = "none"
    image_octets: int = 0
    root_path: str = ""
    settings: tuple[str, ...] = ()
    client_ids: tuple[bytes, ...] = ()
    fingerprints: tuple[bytes, ...] = ()
    url: str = ""
    parameters: tuple[str, ...] = ()
    options: tuple[tuple[int, bytes], ...] = ()
    sub_options: tuple[tuple[int, bytes], ...] = ()
    forcerenew: bool = False
    application: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Addresses that DHCP gives out on one link: that of an interface, or one behind relays (DHC-11, DHC-14).

    :ivar interface: towards the phones, or towards the relays.
    :ivar server: the server's own address there, by which phones know it (option 54).
    :ivar router: the default router told to phones; ``None``: the server itself.
    :ivar relays: the relays whose phones it is for, by giaddr, and the addresses that these send from; empty: it is for phones on
        the interface's own link.
    :ivar group: scopes of one link with the same name here are a super-scope: when one is exhausted, the next one gives.
    :ivar trust_circuits: whether a switch on the interface's own link, and no phone, writes the circuit identifier (option 82).
    :ivar options: further DHCP options by code, encoded.
    :ivar shared: whether phones share the public addresses, each with its own ports of one of them (RFC 7618).
    :ivar inform: whether phones that have their address by hand are answered (RFC 2131 section 4.3.5).
    :ivar static_limit: how many of these may have a block that no configuration names them for.
    :ivar static_s: how long each keeps it without a further INFORM, in seconds; 0: for ever.
    """

    name: str
    interface: str
    subnet: IPv4Network
    server: IPv4Address
    first: IPv4Address
    last: IPv4Address
    realm: str
    dns: tuple[IPv4Address, ...] = ()
    domain: str = ""
    router: IPv4Address | None = None
    relays: tuple[IPv4Address, ...] = ()
    group: str = ""
    trust_circuits: bool = False
    options: tuple[tuple[int, bytes], ...] = ()
    shared: bool = False
    inform: bool = True
    static_limit: int = STATIC_LIMIT
    static_s: int = STATIC_S

    def is_host(self, address: IPv4Address) -> bool:
        """Whether this can be the address of a phone: it is in the subnet, and nobody else's by its nature."""
        subnet = self.subnet
        others = (self.server, self.router, subnet.network_address, subnet.broadcast_address, *self.relays)
        return address in subnet and address not in others


@dataclass(frozen=True, slots=True)
class Reservation:
    """A fixed address for one phone, known by at least one of three marks (DHC-15, DHC-22).

    :ivar mac: the phone's Ethernet address; it passes the first check by this.
    :ivar client_id: its client identifier (option 61).
    :ivar circuit_id: the line or switch port that it is connected to (option 82, sub-option 1).
    :ivar phone_class: name of the class that it has whatever it says of itself; empty: that which it selects.
    """

    address: IPv4Address
    mac: Mac | None = None
    client_id: bytes | None = None
    circuit_id: bytes | None = None
    phone_class: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """An operator's word that an Ethernet address may be served, whatever the configuration says.

    :ivar since: when it was given, in seconds of the server's clock.
    """

    mac: Mac
    since: float

    @property
    def phone(self) -> str:
        """The phone's identity in events and commands."""
        return str(self.mac)


@dataclass(frozen=True, slots=True)
class Probation:
    """An address that a phone found in use by another machine: nobody gets it for a while, also over a restart (RFC 2131 4.3.3).

    :ivar mac: the phone that declined it.
    :ivar until: the end, in seconds of the server's clock.
    """

    address: IPv4Address
    scope: str
    mac: Mac
    until: float


class Lease(Struct, frozen=True, gc=False):
    """A phone's lease, as it stands in the store before the ACK leaves (DHC-6).

    :ivar expires: end of the lease in seconds of the server's clock; the row itself stays (decision D17).
    :ivar first_port: the first port of its block if the address is shared with other phones; 0: the address is its alone.
    :ivar static: a person gave the phone its address, and the lease stands for that since it asked by INFORM (PHN-18).
    """

    mac: Mac
    client_id: bytes
    scope: str
    address: IPv4Address
    phone_class: str
    host_name: str
    expires: float
    first_port: int = 0
    static: bool = False

    @property
    def permanent(self) -> bool:
        """Whether it never ends by itself (DHC-18): a class may want that, and static phones and BOOTP clients have no other."""
        return isinf(self.expires)

    @property
    def phone(self) -> str:
        """The phone's identity in events, ledger and commands."""
        return str(self.mac)


@dataclass(frozen=True, slots=True)
class Provision:
    """All that one phone was given: its lease, its port block and its class; files are rendered from it (TFT-9)."""

    lease: Lease
    block: PortBlock
    phone_class: PhoneClass
    scope: Scope


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """The address that a person gave to a phone, and what else they told it; an INFORM asks for the rest (PHN-18).

    A part that was not told is ``None`` or empty.
    """

    mac: Mac
    address: IPv4Address
    prefix_length: int
    router: IPv4Address | None = None
    tftp: str = ""
    boot_file: str = ""
    block: PortBlock | None = None
    mgcs: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class BootLease:
    """The lease as the phone knows it when it has booted (PHN-8, PHN-17).

    :ivar server: the DHCP server's identifier (option 54): where renewals and the release go.
    :ivar lease_s: length of the lease in seconds.
    :ivar tftp: address or name of the file server.
    :ivar boot_file: name of the boot image; empty: none is indicated.
    :ivar block: the phone's ports; its public address is the NAT address that stands for this phone outside (DHC-9).
    :ivar mgcs: the media gateway controllers, primary first.
    """

    mac: Mac
    address: IPv4Address
    prefix_length: int
    router: IPv4Address | None
    server: IPv4Address
    lease_s: int
    tftp: str
    boot_file: str
    block: PortBlock
    mgcs: tuple[Endpoint, ...]
    dns: tuple[IPv4Address, ...] = ()
    domain: str = ""
    host_name: str = ""
