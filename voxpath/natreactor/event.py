"""What an operator may see of the NAT."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class SpoofedPort(Event, frozen=True, kw_only=True):
    """A phone sent from a port that is not in its block (NAP-5); ``peer`` is the phone that holds the port, where one does."""

    ID: ClassVar[str] = "NAT_SPOOFED_PORT"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{phone} at {address} sent from port {port}, which is not its own: {packets} packets dropped"

    address: str
    port: int
    packets: int


class UnknownPhone(Event, frozen=True, kw_only=True):
    """An inside address that holds no port block sent to the outside."""

    ID: ClassVar[str] = "NAT_UNKNOWN_PHONE"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{address} holds no port block and sent from port {port}: {packets} packets dropped"

    address: str
    port: int
    packets: int


class UnleasedPort(Event, frozen=True, kw_only=True):
    """Packets came for ports that nobody holds (NAP-6): usually somebody outside who scans."""

    ID: ClassVar[str] = "NAT_UNLEASED_PORT"
    TEXT: ClassVar[str] = "{packets} packets to public ports that nobody holds were dropped"

    packets: int


class Dropped(Event, frozen=True, kw_only=True):
    """Packets were dropped for any other reason of :class:`voxpath.nappt.verdict.Reason`."""

    ID: ClassVar[str] = "NAT_DROPPED"
    TEXT: ClassVar[str] = "{packets} packets dropped: {reason}"

    reason: str
    packets: int


class PeersAdmitted(Event, frozen=True, kw_only=True):
    """In the call-aware mode: the two ends of a call reach each other from now on, as far as they are behind this gateway."""

    ID: ClassVar[str] = "NAT_ADMITTED"
    TEXT: ClassVar[str] = "for the call of {phone} and {peer} open: {pinholes}"

    pinholes: str


class PeersNotAdmitted(Event, frozen=True, kw_only=True):
    """In the call-aware mode: pinholes for a call could not be opened, so its media does not come in."""

    ID: ClassVar[str] = "NAT_NOT_ADMITTED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "no media comes in for the call of {phone} and {peer}: {reason}"

    reason: str


class TableLeft(Event, frozen=True, kw_only=True):
    """This machine still translates by the table of a previous run, and nobody keeps it up to date.

    The host is a standby now, or another back end was chosen, such as ``memory``, that knows nothing of it.
    It is not removed by itself: only the operator knows whether calls still pass here.
    """

    ID: ClassVar[str] = "NAT_LEFT"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = (
        "the NAT table {table}, of generation {generation}, still translates here as in a previous run, "
        "and nobody keeps it up to date; when no call passes here any more remove it: {remedy}"
    )

    table: str
    generation: int
    remedy: str


class TableAdopted(Event, frozen=True, kw_only=True):
    """The kernel's table of a previous run goes on being used, so running calls never stopped."""

    ID: ClassVar[str] = "NAT_ADOPTED"
    TEXT: ClassVar[str] = "took over {mappings} mappings of generation {generation} from a previous run"

    generation: int
    mappings: int


class TableLost(Event, frozen=True, kw_only=True):
    """Somebody else removed or changed our kernel table, such as a firewall's restart; it was built again."""

    ID: ClassVar[str] = "NAT_TABLE_LOST"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the kernel's NAT table was changed from outside and was built again: {reason}"

    reason: str


class FirewallLost(Event, frozen=True, kw_only=True):
    """Somebody else removed the table that closes this host to the outside, such as a firewall's restart; it was made again."""

    ID: ClassVar[str] = "FIREWALL_LOST"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "this host was open to the outside and is closed again: {reason}"

    reason: str


class Unwatched(Event, frozen=True, kw_only=True):
    """The kernel's counters cannot be read; packets may still be translated."""

    ID: ClassVar[str] = "NAT_UNWATCHED"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the NAT's state cannot be read or repaired: {reason}"

    reason: str


class SlowPathLost(Event, frozen=True, kw_only=True):
    """The process that translates ICMP and fragments, or all packets with the back end ``tun``, has ended; it was started again."""

    ID: ClassVar[str] = "NAT_SLOW_PATH_LOST"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "the NAT's slow path was started again: {reason}"

    reason: str


class NoSlowPath(Event, frozen=True, kw_only=True):
    """The kernel translates UDP, TCP and SCTP; the process that translates the rest cannot run, or is lost."""

    ID: ClassVar[str] = "NAT_NO_SLOW_PATH"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "ICMP and fragments are dropped: {reason}"

    reason: str


class SlowPathFault(Event, frozen=True, kw_only=True):
    """Packets made the translation fail, which is a fault of voxpath: they were dropped."""

    ID: ClassVar[str] = "NAT_SLOW_PATH_FAULT"
    LEVEL: ClassVar[Level] = Level.ERROR
    TEXT: ClassVar[str] = "{packets} packets made the NAT's slow path fail and were dropped: {fault}"

    packets: int
    fault: str


class FastForm(Event, frozen=True, kw_only=True):
    """The fast form of the nftables back end carries the packets of calls, past routing and the host's own firewall rules."""

    ID: ClassVar[str] = "NAT_FAST"
    TEXT: ClassVar[str] = "packets of calls go straight {ways}"

    ways: str


class NoFastForm(Event, frozen=True, kw_only=True):
    """The fast form of the nftables back end cannot be used; packets of calls take the usual way."""

    ID: ClassVar[str] = "NAT_NOT_FAST"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "nat.fast has no effect, packets of calls take the usual way through the kernel: {reason}"

    reason: str


class HostSetting(Event, frozen=True, kw_only=True):
    """A setting of the host was changed because translation needs it."""

    ID: ClassVar[str] = "NAT_HOST_SETTING"
    TEXT: ClassVar[str] = "{key} was {before} and is now {after}"

    key: str
    before: str
    after: str


class BackEndChosen(Event, frozen=True, kw_only=True):
    """Which NAT back end runs, and why."""

    ID: ClassVar[str] = "NAT_BACK_END"
    TEXT: ClassVar[str] = "NAT back end {name}: {reason}"

    name: str
    reason: str
