"""What commands may ask of the running process, and what they may have it do."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed

from voxpath.core.errors import LocalError
from voxpath.dhcp.keeping import Keeping
from voxpath.dhcp.question import Finding, Question
from voxpath.manage.rows import CallRow, ContactRow, CounterRow, FileRow, PhoneRow, PoolRow, RoleRow, ScopeRow, UploadRow
from voxpath.model.address import Mac
from voxpath.model.phone import Adoption, Lease
from voxpath.model.ports import PortBinding, PortBlock
from voxpath.model.registration import Registration

Some = TypeVar("Some")


class CommandError(LocalError):
    """A command cannot be carried out.

    :ivar what: what is wrong.
    :ivar where: which verb, argument or part it is about.
    :ivar todo: what to do about it.
    """

    def __init__(self, where: str, what: str, todo: str) -> None:
        super().__init__(f"{where}: {what}; {todo}")
        self.where = where
        self.what = what
        self.todo = todo


@dataclass(frozen=True, slots=True)
class NatFacts:
    """The state of the NAT back end.

    :ivar backend: its name.
    :ivar reason: why it was chosen, in one line.
    :ivar kernel: whether translation goes on while voxpath is not running.
    :ivar generation: the last generation applied.
    :ivar ledger: the last generation of the ledger; equal to ``generation`` when nothing is under way.
    :ivar drops: dropped packets by reason.
    :ivar mode: whom phones are reached from: ``open`` or ``call-aware``.
    :ivar mappings: how many there are.
    :ivar pinholes: how many are open, in the call-aware mode.
    :ivar probes: every back end that there is, with what it can do here and why.
    """

    backend: str
    reason: str
    kernel: bool
    generation: int
    ledger: int
    drops: Mapping[str, int] = field(default_factory=dict)
    mode: str = "open"
    mappings: int = 0
    pinholes: int = 0
    probes: tuple["NatProbe", ...] = ()


class NatProbe(NamedTuple):
    """What a back end can do on this machine, with these rights.

    :ivar reason: in one line.
    """

    backend: str
    usable: bool
    reason: str


class UserFacts(NamedTuple):
    """What is known of a SIP user.

    :ivar listed: whether the configuration has it.
    :ivar contacts: how many contacts are bound.
    :ivar hidden: whether its phone shows no combination address.
    """

    listed: bool
    contacts: int
    hidden: bool


class Facts(Protocol):
    """The facts of one process; whatever it does not run raises :class:`CommandError` (see :class:`NoFacts`).

    All methods are called on the reactor thread.
    """

    def now(self) -> float:
        """The server's clock."""

    def status(self) -> Iterable[tuple[str, str]]:
        """Name, version, start, what is off and why: named facts in the order in which they are shown."""

    def roles(self) -> Iterable[RoleRow]:
        """The roles of the process."""

    def decides(self, verb: str) -> None:
        """Whether this process decides anything about phones; raise :class:`CommandError` where another host does."""

    def leases(self) -> Iterable[Lease]:
        """All leases, expired ones included."""

    def keeping(self, lease: Lease) -> Keeping:
        """Whether a phone whose lease has ended gets its address again."""

    def blocks(self) -> Iterable[PortBinding]:
        """All port bindings, released ones included."""

    def gives(self, row: PortBinding) -> bool:
        """Whether the holder of a block could get it again: a pool has it."""

    def names(self) -> Mapping[str, Collection[str]]:
        """What the configuration names, by kind: ``scope``, ``class``, ``realm`` and ``public`` addresses of pools."""

    def fixed_blocks(self) -> Mapping[str, PortBlock]:
        """The port blocks that the configuration reserves, by holder."""

    def registrations(self) -> Iterable[Registration]:
        """All registered media gateways."""

    def contacts(self, identity: str = "") -> Iterable[ContactRow]:
        """All SIP bindings, or those of one phone or address-of-record."""

    def aors(self) -> Iterable[str]:
        """The addresses-of-record of all users, and of all bindings."""

    def phones_of(self, aor: str) -> tuple[str, ...]:
        """The identities of the phones of a user: where it is registered, and what the configuration says."""

    def user(self, aor: str) -> UserFacts | None:
        """What is known of a SIP user; ``None``: no SIP server here, or nobody known."""

    def calls(self) -> Iterable[CallRow]:
        """Calls under way, and the last ones that were redirected."""

    def nat(self) -> NatFacts:
        """The NAT back end."""

    def counters(self, phone: str = "") -> Iterable[CounterRow]:
        """What went through the NAT by phone, and what did not; of one phone, if it is named."""

    def uploads(self) -> "Deferred[list[UploadRow]]":
        """The files that phones wrote, in the order of phones and names."""

    def files(self, phone: str) -> Iterable[FileRow]:
        """The files that a phone would be given."""

    def render(self, phone: str, name: str, secrets: bool) -> str:
        """The text of a file that a phone would be given, with its passwords or without."""

    def phones(self) -> Iterable[PhoneRow]:
        """The software phones of this process."""

    def off_hook(self, phone: str, line: int) -> None:
        """Lift a software phone's handset."""

    def dial(self, phone: str, line: int, digits: str) -> None:
        """Dial on a software phone."""

    def on_hook(self, phone: str, line: int) -> None:
        """Put a software phone's handset down."""

    def gather(self, items: "Iterable[Some | None]") -> "Deferred[list[Some]]":
        """Take many items that cost something each, in so many turns that nothing else has to wait for them; ``None`` is none."""

    def scopes(self) -> Iterable[ScopeRow]:
        """How full the DHCP scopes are."""

    def pools(self) -> Iterable[PoolRow]:
        """How full the pools of the port ledger are."""

    def explain(self, question: Question) -> Iterable[Finding]:
        """What a DISCOVER would lead to, step by step; nothing is changed."""

    def unheard(self, phone: str) -> Iterable[str]:
        """Why DHCP cannot hear a phone at the moment, or does not listen; empty: nothing is known to be in its way."""

    def adopted(self) -> Iterable[Adoption]:
        """The adopted Ethernet addresses, the oldest first."""

    def adopt(self, mac: Mac) -> "Deferred[str]":
        """Serve an Ethernet address that the configuration does not name; fires once that is stored."""

    def disown(self, mac: Mac) -> "Deferred[str]":
        """Take an adoption back; fires once that is stored."""

    def standby(self) -> Iterable[tuple[str, str]]:
        """How this host and its standby, or its active server, stand to each other: named facts."""

    def sync_standby(self) -> "Deferred[None]":
        """Compare and copy the files of the standby; the Deferred fires when that is done."""

    def release(self, phone: str) -> "Deferred[str]":
        """Take lease and port block away from a phone; the Deferred fires with what was released, once it is stored."""

    def end_probation(self, address: IPv4Address) -> "Deferred[str]":
        """Let an address be given again that is on probation; the Deferred fires with it, once that is stored."""

    def move(self, phone: str, public: IPv4Address, first: int | None) -> "Deferred[str]":
        """Give a phone another port block; the Deferred fires with it, once it is stored and in the NAT."""

    def reserve(self, phone: str, block: PortBlock | None) -> "Deferred[str]":
        """Keep a port block for a phone for ever, its own or this one; the Deferred fires with it, once it is stored."""

    def unreserve(self, phone: str) -> "Deferred[str]":
        """End a reservation; the Deferred fires with the block, once it is stored."""

    def reboot(self, phone: str) -> "Deferred[list[tuple[str, str]]]":
        """Have a phone boot anew; the Deferred fires with the ways that were tried, each with what became of it."""


class NoFacts:
    """A process that runs nothing; :mod:`voxpath.app` overrides what it has."""

    def now(self) -> float:
        """Time stands still where nothing runs."""
        return 0.0

    def status(self) -> Iterable[tuple[str, str]]:
        """Nothing to tell."""
        return ()

    def roles(self) -> Iterable[RoleRow]:
        """No role."""
        return ()

    def decides(self, verb: str) -> None:
        """Nobody else does."""

    def leases(self) -> Iterable[Lease]:
        """No DHCP server here."""
        raise _absent("leases", "DHCP server")

    def keeping(self, lease: Lease) -> Keeping:
        """No DHCP server here."""
        raise _absent("why", "DHCP server")

    def blocks(self) -> Iterable[PortBinding]:
        """No port ledger here."""
        raise _absent("blocks", "port ledger")

    def gives(self, row: PortBinding) -> bool:
        """No port ledger here."""
        raise _absent("why", "port ledger")

    def names(self) -> Mapping[str, Collection[str]]:
        """Nothing is named."""
        return {}

    def fixed_blocks(self) -> Mapping[str, PortBlock]:
        """Nothing is reserved."""
        return {}

    def registrations(self) -> Iterable[Registration]:
        """No controller here."""
        raise _absent("registrations", "media gateway controller")

    def contacts(self, identity: str = "") -> Iterable[ContactRow]:
        """No SIP server here."""
        raise _absent("bindings", "SIP server")

    def aors(self) -> Iterable[str]:
        """No user."""
        return ()

    def phones_of(self, aor: str) -> tuple[str, ...]:
        """No phone."""
        return ()

    def user(self, aor: str) -> UserFacts | None:
        """Nobody."""
        return None

    def calls(self) -> Iterable[CallRow]:
        """Neither controller nor SIP server here."""
        raise _absent("calls", "media gateway controller and no SIP server")

    def nat(self) -> NatFacts:
        """No NAT here."""
        raise _absent("nat", "NAT")

    def counters(self, phone: str = "") -> Iterable[CounterRow]:
        """No NAT here."""
        raise _absent("counters", "NAT")

    def uploads(self) -> "Deferred[list[UploadRow]]":
        """No file server here."""
        raise _absent("uploads", "file server")

    def files(self, phone: str) -> Iterable[FileRow]:
        """No file server here."""
        raise _absent("files", "file server")

    def render(self, phone: str, name: str, secrets: bool) -> str:
        """No file server here."""
        raise _absent("render", "file server")

    def phones(self) -> Iterable[PhoneRow]:
        """No software phone here."""
        raise _absent("phones", "software phone")

    def off_hook(self, phone: str, line: int) -> None:
        """No software phone here."""
        raise _absent("off-hook", "software phone")

    def dial(self, phone: str, line: int, digits: str) -> None:
        """No software phone here."""
        raise _absent("dial", "software phone")

    def on_hook(self, phone: str, line: int) -> None:
        """No software phone here."""
        raise _absent("on-hook", "software phone")

    def gather(self, items: "Iterable[Some | None]") -> "Deferred[list[Some]]":
        """Nothing else waits here."""
        return succeed([item for item in items if item is not None])

    def scopes(self) -> Iterable[ScopeRow]:
        """No DHCP server here."""
        raise _absent("scopes", "DHCP server")

    def pools(self) -> Iterable[PoolRow]:
        """No port ledger here."""
        raise _absent("pools", "port ledger")

    def explain(self, question: Question) -> Iterable[Finding]:
        """No DHCP server here."""
        raise _absent("explain", "DHCP server")

    def unheard(self, phone: str) -> Iterable[str]:
        """Nobody is expected to be heard."""
        return ()

    def adopted(self) -> Iterable[Adoption]:
        """No DHCP server here."""
        raise _absent("adopted", "DHCP server")

    def adopt(self, mac: Mac) -> "Deferred[str]":
        """No DHCP server here."""
        raise _absent("adopt", "DHCP server")

    def disown(self, mac: Mac) -> "Deferred[str]":
        """No DHCP server here."""
        raise _absent("disown", "DHCP server")

    def standby(self) -> Iterable[tuple[str, str]]:
        """No other host."""
        raise _absent("standby", "pair of an active server and a standby")

    def sync_standby(self) -> "Deferred[None]":
        """No other host."""
        raise _absent("standby", "pair of an active server and a standby")

    def release(self, phone: str) -> "Deferred[str]":
        """No port ledger here."""
        raise _absent("release", "port ledger")

    def end_probation(self, address: IPv4Address) -> "Deferred[str]":
        """No DHCP server here."""
        raise _absent("release", "DHCP server")

    def move(self, phone: str, public: IPv4Address, first: int | None) -> "Deferred[str]":
        """No port ledger here."""
        raise _absent("move", "port ledger")

    def reserve(self, phone: str, block: PortBlock | None) -> "Deferred[str]":
        """No port ledger here."""
        raise _absent("reserve", "port ledger")

    def unreserve(self, phone: str) -> "Deferred[str]":
        """No port ledger here."""
        raise _absent("unreserve", "port ledger")

    def reboot(self, phone: str) -> "Deferred[list[tuple[str, str]]]":
        """Neither DHCP nor SIP here."""
        raise _absent("reboot", "DHCP server and no SIP server")


def _absent(verb: str, part: str) -> CommandError:
    return CommandError(verb, f"this process runs no {part}", "ask another process by --socket")
