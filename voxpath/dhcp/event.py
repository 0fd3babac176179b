"""What the DHCP server tells an operator; each of these is also a decision in ``voxpath ctl why``."""

from typing import ClassVar

from voxpath.dhcp.message import INFINITE_S
from voxpath.model.event import Event, Level


class DhcpIgnoredMac(Event, frozen=True, kw_only=True):
    """A client's Ethernet address is not among those that are served: no answer at all (DHC-3)."""

    ID: ClassVar[str] = "DHCP_IGNORED_MAC"
    TEXT: ClassVar[str] = "{message} ignored, Ethernet address refused: {reason}"

    message: str
    reason: str


class DhcpIgnoredClass(Event, frozen=True, kw_only=True):
    """A client's Ethernet address is valid and its vendor class is not: no answer at all (DHC-4)."""

    ID: ClassVar[str] = "DHCP_IGNORED_CLASS"
    TEXT: ClassVar[str] = "{message} ignored, Ethernet address accepted, vendor class refused: {reason}"

    message: str
    reason: str


class DhcpDropped(Event, frozen=True, kw_only=True):
    """A message was not answered for another reason."""

    ID: ClassVar[str] = "DHCP_DROPPED"
    TEXT: ClassVar[str] = "{message} not answered: {reason}"

    message: str
    reason: str


class DhcpExhausted(Event, frozen=True, kw_only=True):
    """A valid phone gets no offer: no address or no port block is left (DHC-24).

    :ivar waiting: how many addresses are on probation and how many port blocks in quarantine, and when the next of each is free;
        empty: none is.
    :ivar todo: what there is to do about it.
    """

    ID: ClassVar[str] = "DHCP_EXHAUSTED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "nothing left for a phone of class {phone_class} in scope {scope}: {reason}{waiting}; {todo}"

    scope: str
    phone_class: str
    reason: str
    waiting: str
    todo: str


class DhcpOffer(Event, frozen=True, kw_only=True):
    """An address and a port block were offered; both are kept for the phone until the offer ends."""

    ID: ClassVar[str] = "DHCP_OFFER"
    LEVEL: ClassVar[Level] = Level.TRACE
    TEXT: ClassVar[str] = "offered {address} with ports {block}, class {phone_class}"

    address: str
    block: str
    phone_class: str


class DhcpAck(Event, frozen=True, kw_only=True):
    """A lease is stored, its port block is in the NAT, and the phone was told (DHC-6, DHC-7).

    :ivar static: the phone has its address by hand, and asked for the rest by INFORM (PHN-18); the text says so.
    """

    ID: ClassVar[str] = "DHCP_ACK"
    TEXT: ClassVar[str] = "leased {address} with ports {block} for {lease_s} s, class {phone_class}"

    address: str
    block: str
    lease_s: int
    phone_class: str
    static: bool = False

    @property
    def text(self) -> str:
        """The event in one line; a lease without end is told in words, and what is none is not called one."""
        text = super().text.replace(f"for {INFINITE_S} s", "for ever")
        return text.replace("leased ", "acknowledged static address ", 1) if self.static else text


class DhcpNak(Event, frozen=True, kw_only=True):
    """A phone that passes both checks asked for an address that is not its own (decision D22)."""

    ID: ClassVar[str] = "DHCP_NAK"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "refused {address}: {reason}"

    address: str
    reason: str


class DhcpStaticRefused(Event, frozen=True, kw_only=True):
    """A phone that has its address by hand was told everything but a port block, which it cannot have at that address (PHN-18)."""

    ID: ClassVar[str] = "DHCP_STATIC_REFUSED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "no port block for the static address {address}: {reason}"

    address: str
    reason: str


class DhcpAdopted(Event, frozen=True, kw_only=True):
    """An operator let an Ethernet address be served that the configuration does not name."""

    ID: ClassVar[str] = "DHCP_ADOPTED"
    TEXT: ClassVar[str] = "{mac} is served from now on, by an operator's word"

    mac: str


class DhcpDisowned(Event, frozen=True, kw_only=True):
    """An operator took back that an Ethernet address is served."""

    ID: ClassVar[str] = "DHCP_DISOWNED"
    TEXT: ClassVar[str] = "{mac} is no longer adopted"

    mac: str


class DhcpAdoptionFailed(Event, frozen=True, kw_only=True):
    """An adoption, or its end, could not be stored: nothing has changed."""

    ID: ClassVar[str] = "DHCP_ADOPTION_FAILED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "whether {mac} is served could not be changed: {reason}"

    mac: str
    reason: str


class DhcpLeasesMoved(Event, frozen=True, kw_only=True):
    """A scope has another name than before, or other addresses: leases are of the scope that their addresses lie in now.

    :ivar former: the name of their scope before the start.
    """

    ID: ClassVar[str] = "DHCP_LEASES_MOVED"
    TEXT: ClassVar[str] = "{leases} leases of scope {former} lie in scope {scope} now, and are kept there"

    former: str
    scope: str
    leases: int


class DhcpLeasesAstray(Event, frozen=True, kw_only=True):
    """Stored leases lie in no scope of the configuration, or at an address that another phone has there; told at each start.

    Each keeps its port block until it ends, and no longer than until its phone asks for an address.
    """

    ID: ClassVar[str] = "DHCP_LEASES_ASTRAY"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "{leases} leases of scope {scope} lie in no scope of the configuration; their phones get other addresses when they ask, "
        "or give the scope back, or take the leases by voxpath ctl release"
    )

    scope: str
    leases: int


class DhcpEnded(Event, frozen=True, kw_only=True):
    """A lease ended: its ports are out of the NAT and in quarantine; address and block stay remembered (decision D17).

    :ivar cause: ``released``, ``expired``, ``declined`` or ``withdrawn``.
    :ivar static: it stood for an address that the phone has by hand; that one expires when no INFORM comes (PHN-18).
    """

    ID: ClassVar[str] = "DHCP_ENDED"
    TEXT: ClassVar[str] = "lease of {address} {cause}"

    address: str
    cause: str
    static: bool = False

    @property
    def text(self) -> str:
        """The event in one line."""
        return super().text.replace("lease of", "lease of static address", 1) if self.static else super().text


class DhcpDeclined(Event, frozen=True, kw_only=True):
    """A phone found its address in use by somebody else; nobody gets it for a while."""

    ID: ClassVar[str] = "DHCP_DECLINED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{address} is used by another machine, the phone says; it is not given out for {probation_s:.0f} s"

    address: str
    probation_s: float


class DhcpFailed(Event, frozen=True, kw_only=True):
    """A change could not be stored or not be brought into the NAT: it was withdrawn, and nothing was acknowledged."""

    ID: ClassVar[str] = "DHCP_FAILED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "{change} of {address} failed at the {step}: {reason}"

    change: str
    address: str
    step: str
    reason: str


class BlockMoved(Event, frozen=True, kw_only=True):
    """An operator gave a phone another block: it is stored and in the NAT, and the phone hears of it at its next renewal.

    The former block is in quarantine; its mapping is gone, so calls under way lose their media until the phone has renewed.
    """

    ID: ClassVar[str] = "BLOCK_MOVED"
    TEXT: ClassVar[str] = "moved from ports {former} to {block}"

    block: str
    former: str


class BlockReserved(Event, frozen=True, kw_only=True):
    """A block is reserved for a phone: nobody else ever gets it."""

    ID: ClassVar[str] = "BLOCK_RESERVED"
    TEXT: ClassVar[str] = "ports {block} are reserved"

    block: str


class BlockLoosened(Event, frozen=True, kw_only=True):
    """A reservation has ended: the phone keeps the block as any other phone does."""

    ID: ClassVar[str] = "BLOCK_LOOSENED"
    TEXT: ClassVar[str] = "ports {block} are reserved no longer"

    block: str


class AddressesLow(Event, frozen=True, kw_only=True):
    """A scope's addresses run short: so many percent of them are in use that a threshold was passed (DHC-24).

    Scopes of one group on one link are counted together, since each helps the others out.

    :ivar scope: its name, or the names of all scopes of the group.
    :ivar used: those that a new phone cannot get; remembered ones give way and are not counted once their ports are out of
        quarantine, or at once if an operator ended the lease.
    """

    ID: ClassVar[str] = "ADDRESSES_LOW"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "scope {scope}: {used} of {total} addresses are in use, which passes {threshold} %"

    scope: str
    used: int
    total: int
    threshold: int


class AddressesRecovered(Event, frozen=True, kw_only=True):
    """The addresses in use of a scope, or of its group, fell clearly below a threshold again."""

    ID: ClassVar[str] = "ADDRESSES_RECOVERED"
    TEXT: ClassVar[str] = "scope {scope}: {used} of {total} addresses are in use, well below {threshold} % again"

    scope: str
    used: int
    total: int
    threshold: int


class PortsLow(Event, frozen=True, kw_only=True):
    """A pool's ports run short: so many percent of them are in use that a threshold was passed (DHC-24).

    :ivar used: those that a new phone cannot get: held, reserved, in quarantine, or on offer.
    """

    ID: ClassVar[str] = "PORTS_LOW"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "pool {pool}: {used} of {total} ports are in use, which passes {threshold} %"

    pool: str
    used: int
    total: int
    threshold: int


class PortsRecovered(Event, frozen=True, kw_only=True):
    """A pool's ports in use fell clearly below a threshold again."""

    ID: ClassVar[str] = "PORTS_RECOVERED"
    TEXT: ClassVar[str] = "pool {pool}: {used} of {total} ports are in use, well below {threshold} % again"

    pool: str
    used: int
    total: int
    threshold: int


class DhcpRecalled(Event, frozen=True, kw_only=True):
    """An operator has a phone boot anew: it was sent a FORCERENEW, and its next renewal is refused, so that it begins at DISCOVER.

    A client that ignores the FORCERENEW boots when it renews by itself.
    """

    ID: ClassVar[str] = "DHCP_RECALLED"
    TEXT: ClassVar[str] = "FORCERENEW sent to {address}; its next renewal is refused, and it boots anew"

    address: str
