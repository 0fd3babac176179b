"""Commands about leases, port blocks, scopes and pools: what there is, and what an operator may have done to them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from ipaddress import AddressValueError, IPv4Address
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from voxpath.manage import rows
from voxpath.manage.command import Answer, Command, Console
from voxpath.manage.facts import CommandError
from voxpath.manage.filters import Choices, filters, fits
from voxpath.manage.rows import Row
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import Lease
from voxpath.model.ports import MAX_DIGITS, BindingState, PortBinding, PortBlock
from voxpath.ports.room import FORMER

Item = TypeVar("Item")
Shown_contra = TypeVar("Shown_contra", contravariant=True)

HELD, RELEASED, LEFT, QUARANTINED, RESERVED = "held", "released", "left", "quarantined", "reserved"
LEASE_STATES = (HELD, "expired")
DYNAMIC, STATIC = LEASE_KINDS = ("dynamic", "static")
BLOCK_STATES = (HELD, RELEASED, LEFT, QUARANTINED, RESERVED)

AT_ONCE = 500
"""Items that are sorted in one go: well below a millisecond."""


class Shape(Protocol[Shown_contra]):
    """How an item is sorted and shown; ``None``: it is not asked for."""

    def key(self, item: Shown_contra) -> Any:
        """By what it is sorted."""

    def row(self, item: Shown_contra) -> Row | None:
        """How it is shown."""


def in_order(items: Iterable[Item], shape: Shape[Item]) -> Iterator[Row | None]:
    """Sort and show however many items, a little at each step, so that nothing else has to wait; ``None`` where no row is ready."""
    left = iter(items)
    sorted_parts = []
    while part := sorted(islice(left, AT_ONCE), key=shape.key):
        sorted_parts.append(part)
        yield None
    for item in merge(*sorted_parts, key=shape.key):
        yield shape.row(item)


class _Leases:
    def __init__(self, wanted: Mapping[str, str], now: float) -> None:
        self._wanted = {("phone_class" if name == "class" else name): value for name, value in wanted.items()}
        self._now = now

    def key(self, lease: Lease) -> bytes:
        return lease.mac

    def row(self, lease: Lease) -> rows.LeaseRow | None:
        state = "held" if lease.expires > self._now else "expired"
        kind = STATIC if lease.static else DYNAMIC
        if not fits(self._wanted, phone=lease.phone, scope=lease.scope, phone_class=lease.phone_class, state=state, kind=kind):
            return None
        return rows.LeaseRow(
            phone=lease.phone,
            address=str(lease.address),
            scope=lease.scope,
            phone_class=lease.phone_class,
            host_name=printable(lease.host_name),
            expires=rows.when(lease.expires),
            state=state,
            kind=kind,
        )


class _Blocks:
    """Port bindings.

    :param fixed: the blocks that the configuration reserves, by holder.
    """

    def __init__(self, wanted: Mapping[str, str], fixed: Mapping[str, PortBlock], now: float) -> None:
        # Asked for reserved blocks, those in use are meant, too.
        self._reserved_only = wanted.get("state") == RESERVED
        self._wanted = {name: value for name, value in wanted.items() if not (self._reserved_only and name == "state")}
        self._fixed = fixed
        self._now = now

    def key(self, binding: PortBinding) -> tuple[int, int]:
        return int(binding.block.public), binding.block.first

    def row(self, binding: PortBinding) -> rows.BlockRow | None:
        reserved = self._reserved(binding)
        state, public = self._state(binding, reserved), str(binding.block.public)
        if self._reserved_only and not reserved:
            return None
        # A block that a phone left for another one is found by the phone, too.
        names = dict.fromkeys((binding.holder, binding.holder.removeprefix(FORMER)))
        if not any(fits(self._wanted, phone=name, realm=binding.realm, public=public, state=state) for name in names):
            return None
        return rows.BlockRow(
            phone=binding.holder,
            block=str(binding.block),
            private="" if binding.private is None else str(binding.private),
            realm=binding.realm,
            state=state,
            reserved=reserved,
            until="for ever" if reserved else rows.when(binding.until),
            generation=binding.generation,
        )

    def _reserved(self, binding: PortBinding) -> str:
        if self._fixed.get(binding.holder) == binding.block:
            return "file"
        return "command" if binding.reserved else ""

    def _state(self, binding: PortBinding, reserved: str) -> str:
        if binding.state is BindingState.HELD:
            return HELD
        if reserved:
            return RESERVED
        if binding.until > self._now:
            return QUARANTINED
        return LEFT if binding.holder.startswith(FORMER) else RELEASED


def _leases(console: Console, arguments: Sequence[str]) -> "Answer | Deferred[Answer]":
    facts = console.facts
    leases = list(facts.leases())
    names = facts.names()
    choices: Choices = {
        "scope": lambda: chain(names.get("scope", ()), (lease.scope for lease in leases)),
        "class": lambda: chain(names.get("class", ()), (lease.phone_class for lease in leases)),
        "state": lambda: LEASE_STATES,
        "kind": lambda: LEASE_KINDS,
    }
    wanted = filters("leases", arguments, ("scope", "class", "state", "kind", "phone"), choices)
    return _listed(console, rows.LeaseRow, leases, _Leases(wanted, facts.now()))


def _blocks(console: Console, arguments: Sequence[str]) -> "Answer | Deferred[Answer]":
    facts = console.facts
    blocks = list(facts.blocks())
    names = facts.names()
    choices: Choices = {
        "realm": lambda: chain(names.get("realm", ()), (binding.realm for binding in blocks)),
        "public": lambda: chain(names.get("public", ()), (str(binding.block.public) for binding in blocks)),
        "state": lambda: BLOCK_STATES,
    }
    wanted = filters("blocks", arguments, ("realm", "public", "state", "phone"), choices)
    return _listed(console, rows.BlockRow, blocks, _Blocks(wanted, facts.fixed_blocks(), facts.now()))


def _listed(console: Console, kind: type[Row], items: list[Item], shape: Shape[Item]) -> "Answer | Deferred[Answer]":
    steps = in_order(items, shape)
    if len(items) <= AT_ONCE:
        return Answer(kind, [row for row in steps if row is not None])
    return console.facts.gather(steps).addCallback(lambda told: Answer(kind, told))


def _scopes(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.ScopeRow, list(console.facts.scopes()))


def _pools(console: Console, arguments: Sequence[str]) -> Answer:
    return Answer(rows.PoolRow, list(console.facts.pools()))


# Orders.


def _mac(verb: str, text: str, more: str = "") -> str:
    try:
        return str(Mac.parse(text))
    except ValueError:
        what, todo = f"{printable(text, 40)!r} is no Ethernet address", f"write for example 02:00:00:00:0a:01{more}"
        raise CommandError(verb, what, todo) from None


def _release(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    try:
        address = IPv4Address(arguments[0])
    except AddressValueError:
        phone = _mac("release", arguments[0], ", or an address that is on probation")
        return _told("released", console.facts.release(phone))
    return _told("released", console.facts.end_probation(address))


def _move(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    phone = _mac("move", arguments[0])
    host, colon, port = arguments[1].partition(":")
    try:
        public = IPv4Address(host)
    except AddressValueError:
        raise CommandError("move", f"{printable(host, 40)!r} is no address", "write PUBLIC or PUBLIC:FIRST") from None
    if colon and not (port.isascii() and port.isdigit() and len(port) <= MAX_DIGITS):
        raise CommandError("move", f"{printable(port, 40)!r} is no port", "write PUBLIC or PUBLIC:FIRST")
    return _told("moved", console.facts.move(phone, public, int(port) if colon else None))


def _reserve(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    phone = _mac("reserve", arguments[0])
    try:
        block = PortBlock.parse(arguments[1]) if len(arguments) > 1 else None
    except ValueError as error:
        raise CommandError("reserve", printable(str(error), 120), "write for example 203.0.113.1:20032-20095") from None
    return _told("reserved", console.facts.reserve(phone, block))


def _unreserve(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    return _told("unreserved", console.facts.unreserve(_mac("unreserve", arguments[0])))


def _reboot(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    asked = console.facts.reboot(_mac("reboot", arguments[0]))
    return asked.addCallback(lambda ways: Answer(rows.ItemRow, [rows.ItemRow(way, outcome) for way, outcome in ways]))


def _told(item: str, outcome: "Deferred[str]") -> "Deferred[Answer]":
    return outcome.addCallback(lambda value: Answer(rows.ItemRow, [rows.ItemRow(item, value)]))


LEASES = Command(
    "leases",
    ("[scope=NAME]", "[class=NAME]", "[state=STATE]", "[kind=KIND]", "[phone=BEGINNING]"),
    "DHCP leases, all or those that fit; state: held, expired; kind: dynamic, or static, which is set by hand and told by INFORM",
    _leases,
)
BLOCKS = Command(
    "blocks",
    ("[realm=NAME]", "[public=ADDRESS]", "[state=STATE]", "[phone=BEGINNING]"),
    "port blocks and who holds them, or left them; state: held, released, left, quarantined, or reserved, which is in use or not",
    _blocks,
)
SCOPES = Command("scopes", (), "how full the scopes are, and which threshold is passed", _scopes)
POOLS = Command("pools", (), "how full the port pools are, and which threshold is passed", _pools)
RELEASE = Command(
    "release", ("MAC|ADDRESS",), "take lease and port block away from a phone, or end the probation of an address", _release
)
MOVE = Command("move", ("MAC", "PUBLIC[:FIRST]"), "give a phone another port block now; it hears of it when it renews", _move)
RESERVE = Command(
    "reserve", ("MAC", "[PUBLIC:FIRST-LAST]"), "keep a port block for a phone for ever: its own, or this one", _reserve
)
UNRESERVE = Command("unreserve", ("MAC",), "end what reserve has begun; the phone keeps its block", _unreserve)
REBOOT = Command("reboot", ("MAC",), "have a phone boot anew: by SIP check-sync, else by FORCERENEW if its class has it", _reboot)
