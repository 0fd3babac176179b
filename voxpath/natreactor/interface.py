"""What a NAT back end provides: the NAT reactor component."""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from twisted.internet.defer import Deferred
from zope.interface import Interface

from voxpath.model.event import Event
from voxpath.model.ports import Mapping, PortBlock, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a back end can do here, and why it was or was not chosen.

    :ivar name: its name in the configuration.
    :ivar usable: whether it can run on this machine, with these rights.
    :ivar reason: one line for the operator.
    :ivar kernel: whether translation goes on while voxpath is not running.
    """

    name: str
    usable: bool
    reason: str
    kernel: bool = False


@dataclass(frozen=True, slots=True)
class Adopted:
    """What :meth:`INATReactor.start` found of a previous run.

    :ivar generation: the ledger generation of the state found; 0: nothing was found.
    :ivar mappings: the mappings found.
    :ivar pinholes: those that are open: calls of the previous run that go on.
    """

    generation: int = 0
    mappings: frozenset[Mapping] = field(default_factory=frozenset)
    pinholes: frozenset[Pinhole] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class PhoneCounters:
    """Packets and octets of one phone that went through, in each direction, and packets that were dropped.

    :ivar out_drops: packets of what the phone sent, by the reason why they were dropped
        (:class:`voxpath.nappt.verdict.Reason`): above all those from ports that are not its own.
    :ivar in_drops: packets of what was for its ports: above all those of strangers, in the call-aware mode.
        Of other reasons a back end counts what it can tell to be this phone's.
    """

    out_packets: int = 0
    out_octets: int = 0
    in_packets: int = 0
    in_octets: int = 0
    out_drops: Table[str, int] = field(default_factory=dict)
    in_drops: Table[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outside:
    """Where the translation stands in the machine.

    :ivar inside: names of the interfaces towards phones.
    :ivar outside: names of the interfaces whose traffic is translated (decision D21).
    :ivar private: the inside prefixes as text, such as ``10.0.0.0/24``.
    :ivar public: all public addresses of the ledger's pools.
    :ivar services: ports of them that roles of the gateway itself serve, each a block of one port: they are left to the host.
    """

    inside: tuple[str, ...]
    outside: tuple[str, ...]
    private: tuple[str, ...]
    public: tuple[IPv4Address, ...]
    services: tuple[PortBlock, ...] = ()


class INATReactor(Interface):
    """A NAT back end: applies the ledger's transactions to the data path (NAP-14).

    All methods are called on the reactor thread.
    """

    def capabilities() -> Capabilities:
        """Tell what the back end can do here; changes nothing."""

    def start() -> Deferred[Adopted]:
        """Begin: keep the state of a previous run if there is any, and tell what it was; else begin empty.

        The Deferred fails with :class:`~voxpath.core.errors.LocalError` when the back end cannot run here.
        """

    def stop() -> Deferred[None]:
        """End; a kernel back end leaves its tables in place, so running calls go on (NAP-4)."""

    def apply(transaction: Transaction) -> Deferred[None]:
        """Apply one transaction as a whole or not at all; the Deferred fires when packets see it.

        Idempotent: a removal of what is absent and an addition of what is present change nothing.
        The Deferred fails with :class:`~voxpath.core.errors.LocalError`, and then nothing was changed.
        """

    def replace_all(generation: int, mappings: Iterable[Mapping]) -> Deferred[None]:
        """Make the table equal to these mappings, in one step: no packet sees a half of it."""

    def admit(change: PinholeChange) -> Deferred[None]:
        """Open and close pinholes, all of them or none; the Deferred fires when packets see it (FWL-4).

        In the call-aware mode a packet from outside passes only by a pinhole for its source, or if that is a trusted address;
        another phone of this gateway counts by its public address, and the peer's port is not looked at.
        In the open mode nothing happens.
        Idempotent: what is open and opened again is open once, and closing what is not open changes nothing.
        A pinhole to a port that nobody holds is not opened, and one whose port's lease ends is closed by that.
        The Deferred fails with :class:`~voxpath.core.errors.LocalError`, and then nothing was changed.
        """

    def generation() -> int:
        """The generation of the last transaction that was applied."""

    def counters(private: IPv4Address) -> PhoneCounters:
        """What went through for one phone."""

    def drops() -> Table[str, int]:
        """Dropped packets by reason; the reasons are the values of :class:`voxpath.nappt.verdict.Reason`."""

    def watch(listener: Callable[[Event], None]) -> None:
        """Register who is told of drops, and of what becomes of the table (:mod:`voxpath.natreactor.event`)."""
