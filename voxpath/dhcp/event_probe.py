"""What the DHCP server tells an operator of addresses that others use: probes, conflicts and the end of probations (DHC-16)."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class DhcpProbationEnded(Event, frozen=True, kw_only=True):
    """An operator ended the probation of an address before its time: it can be given again.

    :ivar phone: who declined it, or whose answer was heard.
    """

    ID: ClassVar[str] = "DHCP_PROBATION_ENDED"
    TEXT: ClassVar[str] = "the probation of {address} is over, by an operator's word: it can be given again"

    address: str


class DhcpProbationKept(Event, frozen=True, kw_only=True):
    """The end of a probation could not be stored: nobody gets the address, as before."""

    ID: ClassVar[str] = "DHCP_PROBATION_KEPT"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the probation of {address} could not be ended: {reason}"

    address: str
    reason: str


class DhcpOccupied(Event, frozen=True, kw_only=True):
    """Somebody answers for an address that is leased to nobody: it is not offered until its probation ends (DHC-16).

    :ivar by: the Ethernet address that answered.
    """

    ID: ClassVar[str] = "DHCP_OCCUPIED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{by} uses {address} of scope {scope} without a lease; it is not given out for {probation_s:.0f} s"

    address: str
    scope: str
    by: str
    probation_s: float


class DhcpConflict(Event, frozen=True, kw_only=True):
    """An address that is leased or on offer to a phone is used by another machine, too.

    :ivar phone: the phone that the server gives the address to.
    :ivar by: the Ethernet address of the other machine, which needs another address.
    :ivar state: ``leased`` or ``on offer``.
    """

    ID: ClassVar[str] = "DHCP_CONFLICT"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "{by} uses {address}, which is {state} to {phone}; set another address on {by}, or let that one ask by DHCP"
    )

    address: str
    by: str
    state: str


class DhcpNotBelieved(Event, frozen=True, kw_only=True):
    """A machine answers for so many free addresses that it cannot have them all: a router with proxy ARP, or an attack."""

    ID: ClassVar[str] = "DHCP_NOT_BELIEVED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "answers for more than {addresses} free addresses, and is not believed any more; look for proxy ARP there"

    addresses: int


class DhcpProbeOff(Event, frozen=True, kw_only=True):
    """Addresses are offered without having been verified: the probes cannot be sent (DHC-16)."""

    ID: ClassVar[str] = "DHCP_PROBE_OFF"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "addresses are not verified before they are offered: {reason}; needed is the right CAP_NET_RAW"

    reason: str


class DhcpProbeUnsent(Event, frozen=True, kw_only=True):
    """A probe did not leave: what it asks for does not count as verified, and is offered all the same (DHC-16).

    It is told once for each scope, until all of its probes leave again; each is tried anew every half a minute.

    :ivar todo: what there is to do about it: beyond a relay it names the command for the route that is missing.
    """

    ID: ClassVar[str] = "DHCP_PROBE_UNSENT"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "the probe of {address} was not sent: {reason}; {todo}; addresses of scope {scope} are offered unverified until that works"
    )

    address: str
    scope: str
    reason: str
    todo: str


class DhcpProbeRestored(Event, frozen=True, kw_only=True):
    """Probes of a scope leave again: its free addresses are being verified (DHC-16)."""

    ID: ClassVar[str] = "DHCP_PROBE_RESTORED"
    TEXT: ClassVar[str] = "the probes of scope {scope} are sent again"

    scope: str
