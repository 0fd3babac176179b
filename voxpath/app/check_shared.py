"""Checks of scopes whose phones share public addresses (RFC 7618)."""

from collections.abc import Iterator

from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.schema import Config
from voxpath.app.schema_dhcp import Scope
from voxpath.app.values import link_of


def check_shared(config: Config, machine: Machine) -> Iterator[Problem]:
    """The addresses of a shared scope are those of its realm's pools, which no other kind of scope uses."""
    unshared = {scope.realm: place for place, scope in enumerate(config.scopes) if not scope.shared}
    for place, scope in enumerate(config.scopes):
        if not scope.shared:
            continue
        path = f"scope[{place}]"
        if scope.realm in unshared:
            what = f"scope[{unshared[scope.realm]}] of realm {scope.realm!r} is translated"
            yield Problem(f"{path}.shared", what, "give shared scopes a realm, and pools, of their own")
        yield from _check_link(config, scope, path)
        yield from _check_pools(config, scope, path)
        for number, entry in enumerate(config.reservations):
            if entry.address in scope.subnet:
                what = f"{entry.address} is shared by several phones"
                yield Problem(f"reservation[{number}].address", what, "remove it; a phone keeps its ports anyway")


def _check_link(config: Config, scope: Scope, path: str) -> Iterator[Problem]:
    """Phones with one address are told apart by their Ethernet addresses, and a link tells all of them alike."""
    if scope.relays:
        yield Problem(f"{path}.relays", "a router cannot tell phones with one address apart", "remove relays, or shared")
    for number, other in enumerate(config.scopes):
        if not (other.shared or other.relays) and link_of(other) == link_of(scope):
            what = f"scope[{number}] is on the same link, and its phones share nothing"
            yield Problem(f"{path}.interface", what, "give shared scopes an interface, or a VLAN, of their own")


def _check_pools(config: Config, scope: Scope, path: str) -> Iterator[Problem]:
    first, last = scope.addresses
    for number, pool in enumerate(config.pools):
        if pool.realm == scope.realm and not first <= pool.public <= last:
            what = f"{pool.public} of pool[{number}] is outside of it"
            yield Problem(f"{path}.range", what, "let the range hold the public address of each pool of this realm")
