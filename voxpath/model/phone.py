"""Phone classes and leases: what a phone is given when it boots."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from voxpath.model.address import Endpoint, Mac
from voxpath.model.ports import LARGEST_BLOCK, PortBlock
from voxpath.model.user import SipAccount

MEGACO_PORT = 2944
"""Where a controller listens that is named without a port (RFC 3525 annex D.1)."""
PORTS_PER_CHANNEL = 2
SIGNALLING_PORTS = 1


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
    """What phones of one vendor class get (GEN-4, DHC-5, DHC-25, TFT-8).

    :ivar vendor_classes: the exact option 60 texts that select this class; matched after trailing NULs are stripped.
    :ivar ports: size of the port block, a power of two.
    :ivar lease_s: length of the lease on the wire, in seconds.
    :ivar image: name of the boot image on the TFTP server; empty: the phone needs none.
    :ivar mgcs: addresses of the primary and the backup media gateway controller, in this order, with ports or without.
    :ivar own_options: whether the class understands voxpath's layout of option 43 (decision D1).
    :ivar image_octets: size of the image; 0: not known.
    :ivar root_path: path of the phone's root directory on the file server; empty: it has none.
    :ivar forcerenew: whether these phones take a FORCERENEW (RFC 3203).
    :ivar settings: lines of the phone program's configuration file that do not follow from the lease, with place-holders.
    """

    name: str
    vendor_classes: tuple[str, ...]
    ports: int
    lease_s: int
    image: str = ""
    mgcs: tuple[str, ...] = ()
    own_options: bool = False
    image_octets: int = 0
    root_path: str = ""
    settings: tuple[str, ...] = ()
    forcerenew: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Addresses that DHCP gives out on one interface (DHC-11, DHC-14).

    :ivar router: the default router told to phones; ``None``: the server itself.
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


@dataclass(frozen=True, slots=True)
class Lease:
    """A phone's lease, as it stands in the store before the ACK leaves (DHC-6).

    :ivar expires: end of the lease in seconds of the server's clock; the row itself stays (decision D17).
    """

    mac: Mac
    client_id: bytes
    scope: str
    address: IPv4Address
    phone_class: str
    host_name: str
    expires: float

    @property
    def phone(self) -> str:
        """The phone's identity in events, ledger and commands."""
        return str(self.mac)


@dataclass(frozen=True, slots=True)
class Provision:
    """All that one phone was given: its lease, its port block and its class; files are rendered from it (TFT-9).

    :ivar accounts: the SIP users of this phone.
    """

    lease: Lease
    block: PortBlock
    phone_class: PhoneClass
    scope: Scope
    accounts: tuple[SipAccount, ...] = ()


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
