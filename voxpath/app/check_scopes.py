"""Checks of scopes and reservations."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Hashable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address

from voxpath.app.check_addresses import duplicates, is_foreign, unknown_realm
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.ranges import Range, overlapping
from voxpath.app.schema import Config, Realm
from voxpath.app.schema_dhcp import Reservation, Scope
from voxpath.app.unread import as_far_as_read, each_read
from voxpath.app.values import link_of

MARKS = ("mac", "client_id", "circuit_id")
"""What a reservation knows its phone by."""


def check_scopes(config: Config, machine: Machine) -> Iterator[Problem]:
    """A scope's addresses lie in its subnet, the subnet in its realm, and no two scopes share addresses."""
    yield from duplicates("scope", "name", config.scopes, lambda scope: scope.name, "give each scope a name of its own")
    for place, scope in enumerate(config.scopes):
        yield from as_far_as_read(_scope_inside(scope, f"scope[{place}]"))
        yield from as_far_as_read(_check_relays(scope, f"scope[{place}]"))
    subnets = dict(each_read(config.scopes, lambda scope: scope.subnet))
    ranges = (Range(None, int(net.network_address), int(net.broadcast_address), place) for place, net in subnets.items())
    for place, before in sorted((max(pair), min(pair)) for pair in overlapping(ranges)):
        what = f"{subnets[place]} overlaps scope[{before}]"
        yield Problem(f"scope[{place}].subnet", what, "give each scope a subnet of its own")


def check_scopes_here(config: Config, machine: Machine) -> Iterator[Problem]:
    """A scope's interface and its server's address are this machine's."""
    for place, scope in enumerate(config.scopes if config.dhcp.enabled else ()):
        yield from as_far_as_read(_scope_on_machine(scope, machine, f"scope[{place}]"))


def check_scopes_realms(config: Config, machine: Machine) -> Iterator[Problem]:
    """A scope's subnet lies in its realm, which has ports."""
    realms = {realm.name: realm for realm in config.realms}
    for place, scope in enumerate(config.scopes):
        yield from as_far_as_read(_scope_in_realm(scope, f"scope[{place}]", realms))
    pools = {pool.realm for pool in config.pools}
    for place, scope in enumerate(config.scopes):
        yield from as_far_as_read(_scope_has_ports(scope, f"scope[{place}]", realms, pools))


def _scope_in_realm(scope: Scope, path: str, realms: Mapping[str, Realm]) -> Iterator[Problem]:
    realm = realms.get(scope.realm)
    if realm is None:
        yield unknown_realm(f"{path}.realm", scope.realm, realms)
    elif not any(scope.subnet.subnet_of(prefix) for prefix in realm.private):
        yield Problem(f"{path}.subnet", f"{scope.subnet} is not in realm {realm.name!r}", "add it to the realm's private")


def _scope_has_ports(scope: Scope, path: str, realms: Mapping[str, Realm], pools: Container[str]) -> Iterator[Problem]:
    if scope.realm in realms and scope.realm not in pools:
        what = f"no pool has ports for realm {scope.realm!r}"
        yield Problem(f"{path}.realm", what, f'add a [[pool]] with realm = "{scope.realm}"')


def _scope_on_machine(scope: Scope, machine: Machine, path: str) -> Iterator[Problem]:
    if scope.interface not in machine.interfaces:
        known = ", ".join(sorted(machine.interfaces))
        yield Problem(f"{path}.interface", f"this machine has no {scope.interface}", f"name one of {known}")
    if is_foreign(scope.server, machine):
        todo = f"add it to {scope.interface}, or name the address that {scope.interface} has"
        yield Problem(f"{path}.server", f"{scope.server} is not this machine's own address", todo)


def _scope_inside(scope: Scope, path: str) -> Iterator[Problem]:
    subnet, (first, last) = scope.subnet, scope.addresses
    named = {"server": scope.server, "range[0]": first, "range[1]": last}
    if scope.router is not None:
        named["router"] = scope.router
    if scope.relays and scope.server not in subnet:
        del named["server"]
    for option, address in named.items():
        if address not in subnet:
            yield Problem(f"{path}.{option}", f"{address} is outside {subnet}", "choose an address of the subnet")
        elif subnet.prefixlen < 31 and address in (subnet.network_address, subnet.broadcast_address):
            yield Problem(f"{path}.{option}", f"{address} is {subnet}'s network or broadcast address", "choose another one")
    if last < first:
        yield Problem(f"{path}.range", f"{last} comes before {first}", "write the lower address first")
    for option in ("server", "router"):
        if option in named and first <= named[option] <= last:
            yield Problem(f"{path}.{option}", f"{named[option]} lies in the range for phones", "shorten the range")


def _check_relays(scope: Scope, path: str) -> Iterator[Problem]:
    """Phones beyond a relay reach a server outside of their subnet by their router."""
    if scope.relays and scope.server not in scope.subnet and scope.router is None:
        yield Problem(f"{path}.router", "must be given, since the server is not in the subnet", "name these phones' router")
    for number, relay in enumerate(scope.relays):
        if relay.is_unspecified or relay.is_multicast or relay == scope.server:
            yield Problem(f"{path}.relays[{number}]", f"{relay} is no relay", "name the address that the relay writes into giaddr")


def scope_notes(config: Config) -> Iterator[str]:
    """State which scopes are alone in their group, most often since it is misspelt; a group helps out on one link only (DHC-14)."""
    sizes = Counter(place for scope in config.scopes for place in _places_of(scope))
    for number, scope in enumerate(config.scopes):
        if scope.group and all(sizes[place] == 1 for place in _places_of(scope)):
            what = f"no other scope of its link is in group {scope.group!r}: when it is exhausted no other one gives"
            yield f"scope[{number}].group: {what}"


def _places_of(scope: Scope) -> set[tuple[str, IPv4Address | None, str]]:
    """The links that a scope is on, each with its group: one for each of its relays."""
    return {(link_of(scope), relay, scope.group) for relay in scope.relays or (None,)}


def check_reservations(config: Config, machine: Machine) -> Iterator[Problem]:
    """A reservation is of one phone, in a scope's subnet, and fixes a class that exists."""
    yield from duplicates("reservation", "address", config.reservations, lambda entry: entry.address, "keep one of them")
    seen: dict[Hashable, int] = {}
    for place, entry in enumerate(config.reservations):
        yield from as_far_as_read(_check_marks(entry, f"reservation[{place}]", place, seen))
    classes = {entry.name for entry in config.classes}
    for place, entry in enumerate(config.reservations):
        yield from as_far_as_read(_check_class(entry, f"reservation[{place}]", classes))
    # Where a scope's subnet could not be read, nobody knows what lies in it.
    scope_of = _finder(config.scopes)
    for place, entry in enumerate(config.reservations):
        yield from as_far_as_read(_check_address(entry, f"reservation[{place}]", scope_of))


def _check_class(entry: Reservation, path: str, classes: Collection[str]) -> Iterator[Problem]:
    if entry.phone_class and entry.phone_class not in classes:
        known = ", ".join(sorted(classes)) or "none"
        yield Problem(f"{path}.class", f"there is no class {entry.phone_class!r}", f"add a [[class]], or use one of: {known}")


def _check_address(entry: Reservation, path: str, scope_of: Callable[[IPv4Address], Scope | None]) -> Iterator[Problem]:
    scope = scope_of(entry.address)
    if scope is None:
        yield Problem(f"{path}.address", f"{entry.address} is in no scope's subnet", "choose an address of a scope")
    elif entry.address in _taken(scope):
        yield Problem(f"{path}.address", f"{entry.address} is no address for a phone", "choose another one")


def _finder(scopes: Iterable[Scope]) -> Callable[[IPv4Address], Scope | None]:
    """What tells the first scope that an address lies in, for the same price however many scopes there are."""
    by_length: dict[int, dict[int, Scope]] = {}
    for scope in scopes:
        by_length.setdefault(int(scope.subnet.netmask), {}).setdefault(int(scope.subnet.network_address), scope)

    def find(address: IPv4Address) -> Scope | None:
        number = int(address)
        found = (subnets.get(number & mask) for mask, subnets in by_length.items())
        return next((scope for scope in found if scope is not None), None)

    return find


def _check_marks(entry: Reservation, path: str, place: int, seen: dict[Hashable, int]) -> Iterator[Problem]:
    marks = {option: getattr(entry, option) for option in MARKS if getattr(entry, option) is not None}
    if not marks:
        yield Problem(f"{path}.mac", "names no phone", f"write one of {', '.join(MARKS)}")
    for option, mark in marks.items():
        value = mark if option == "mac" else mark.octets.removeprefix(b"\0")
        if (option, value) in seen:
            yield Problem(f"{path}.{option}", f"{mark} stands in reservation[{seen[option, value]}] already", "keep one of them")
        seen.setdefault((option, value), place)
    if entry.mac is not None and entry.mac.is_group:
        yield Problem(f"{path}.mac", f"{entry.mac} is a group address", "write the address of one phone")


def _taken(scope: Scope) -> tuple[IPv4Address | None, ...]:
    return scope.server, scope.router, scope.subnet.network_address, scope.subnet.broadcast_address, *scope.relays
