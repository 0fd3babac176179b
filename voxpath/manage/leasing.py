"""Commands about leases, port blocks, scopes and pools: what there is, and what an operator may have done to them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from ipaddress import AddressValueError, IPv4Address
from itertools import islice
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from voxpath.manage import rows
from voxpath.manage.command import Answer, Command, Console
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import Row
from voxpath.model.address import Mac, mac_beginning
from voxpath.model.event import printable
from voxpath.model.phone import Lease
from voxpath.model.ports import MAX_DIGITS, BindingState, PortBinding, PortBlock

Item = TypeVar("Item")
Shown_contra = TypeVar("Shown_contra", contravariant=True)

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


def filters(verb: str, arguments: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Read arguments such as ``state=held``.

    :raises CommandError: one is none, or there is no such filter.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in known or name in found:
            todo = f"write each of {', '.join(f'{each}=...' for each in known)} at most once"
            raise CommandError(verb, f"{printable(argument, 40)!r} is no filter here", todo)
        found[name] = mac_beginning(value.lower()) if name == "phone" else value.lower() if name == "state" else value
    return found


def _fits(wanted: Mapping[str, str], **facts: str) -> bool:
    if not facts.pop("phone").startswith(wanted.get("phone", "")):
        return False
    return all(wanted.get(name, value) == value for name, value in facts.items())


class _Leases:
    def __init__(self, wanted: Mapping[str, str], now: float) -> None:
        self._wanted = {("phone_class" if name == "class" else name): value for name, value in wanted.items()}
        self._now = now

    def key(self, lease: Lease) -> bytes:
        return lease.mac

    def row(self, lease: Lease) -> rows.LeaseRow | None:
        state = "held" if lease.expires > self._now else "expired"
        if not _fits(self._wanted, phone=lease.phone, scope=lease.scope, phone_class=lease.phone_class, state=state):
            return None
        return rows.LeaseRow(
            phone=lease.phone,
            address=str(lease.address),
            scope=lease.scope,
            phone_class=lease.phone_class,
            host_name=printable(lease.host_name),
            expires=rows.when(lease.expires),
            state=state,
        )


class _Blocks:
    def __init__(self, wanted: Mapping[str, str], now: float) -> None:
        self._wanted = wanted
        self._now = now

    def key(self, binding: PortBinding) -> tuple[int, int]:
        return int(binding.block.public), binding.block.first

    def row(self, binding: PortBinding) -> rows.BlockRow | None:
        state, public = self._state(binding), str(binding.block.public)
        if not _fits(self._wanted, phone=binding.holder, realm=binding.realm, public=public, state=state):
            return None
        return rows.BlockRow(
            phone=binding.holder,
            block=str(binding.block),
            private="" if binding.private is None else str(binding.private),
            realm=binding.realm,
            state=state,
            until="for ever" if binding.reserved else rows.when(binding.until),
            generation=binding.generation,
        )

    def _state(self, binding: PortBinding) -> str:
        if binding.state is BindingState.HELD:
            return str(binding.state.value)
        if binding.reserved:
            return "reserved"
        return "quarantined" if binding.until > self._now else binding.state.value


def _leases(console: Console, arguments: Sequence[str]) -> "Answer | Deferred[Answer]":
    shape = _Leases(filters("leases", arguments, ("scope", "class", "state", "phone")), console.facts.now())
    return _listed(console, rows.LeaseRow, list(console.facts.leases()), shape)


def _blocks(console: Console, arguments: Sequence[str]) -> "Answer | Deferred[Answer]":
    shape = _Blocks(filters("blocks", arguments, ("realm", "public", "state", "phone")), console.facts.now())
    return _listed(console, rows.BlockRow, list(console.facts.blocks()), shape)


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


def _mac(verb: str, text: str) -> str:
    try:
        return str(Mac.parse(text))
    except ValueError:
        raise CommandError(verb, f"{printable(text, 40)!r} is no Ethernet address", "write for example 02:00:00:00:0a:01") from None


def _release(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    return _told("released", console.facts.release(_mac("release", arguments[0])))


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
        raise CommandError("reserve", printable(str(error), 120), "write for example 203.0.113.1:2048-2111") from None
    return _told("reserved", console.facts.reserve(phone, block))


def _unreserve(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    return _told("unreserved", console.facts.unreserve(_mac("unreserve", arguments[0])))


def _reboot(console: Console, arguments: Sequence[str]) -> "Deferred[Answer]":
    return _told("asked", console.facts.reboot(_mac("reboot", arguments[0])))


def _told(item: str, outcome: "Deferred[str]") -> "Deferred[Answer]":
    return outcome.addCallback(lambda value: Answer(rows.ItemRow, [rows.ItemRow(item, value)]))


LEASES = Command(
    "leases",
    ("[scope=NAME]", "[class=NAME]", "[state=STATE]", "[phone=BEGINNING]"),
    "DHCP leases, all or those that fit; state: held, expired",
    _leases,
)
BLOCKS = Command(
    "blocks",
    ("[realm=NAME]", "[public=ADDRESS]", "[state=STATE]", "[phone=BEGINNING]"),
    "port blocks and who holds them; state: held, released, quarantined, reserved",
    _blocks,
)
SCOPES = Command("scopes", (), "how full the scopes are, and which threshold is passed", _scopes)
POOLS = Command("pools", (), "how full the port pools are, and which threshold is passed", _pools)
RELEASE = Command("release", ("MAC",), "take lease and port block away from a phone", _release)
MOVE = Command("move", ("MAC", "PUBLIC[:FIRST]"), "give a phone another port block now; it hears of it when it renews", _move)
RESERVE = Command(
    "reserve", ("MAC", "[PUBLIC:FIRST-LAST]"), "keep a port block for a phone for ever: its own, or this one", _reserve
)
UNRESERVE = Command("unreserve", ("MAC",), "end what reserve has begun; the phone keeps its block", _unreserve)
REBOOT = Command("reboot", ("MAC",), "have a phone boot anew: by SIP check-sync, or by FORCERENEW where its class has it", _reboot)
