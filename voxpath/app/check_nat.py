"""Checks of ``[nat]``: its back end, and the interfaces on both of its sides."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from voxpath.app.check_addresses import against_gateway
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.schema import Config, Pool
from voxpath.app.unread import each_read
from voxpath.app.values import link_of
from voxpath.app.values_nat import pool_ports
from voxpath.core.errors import LocalError
from voxpath.model.event import printable
from voxpath.model.ports import LOWEST_PORT
from voxpath.natreactor import nftables
from voxpath.natreactor.registry import AUTO, OF_MACHINE, back_ends

LAST_PORT = 0xFFFF

LEAST_MSS = 536
"""What a host may send that was told nothing (RFC 9293 section 3.7.1)."""


def check_backend(config: Config, machine: Machine) -> Iterator[Problem]:
    """The NAT back end is one of ours, or a plug-in of this machine."""
    name = config.nat.backend
    try:
        known = (AUTO, *back_ends())
    except LocalError as error:
        yield Problem("nat.backend", str(error), "uninstall one of the packages that bring them")
        return
    if name not in known:
        what = f"there is no NAT back end {printable(name, 40)!r}"
        yield Problem("nat.backend", what, f"choose one of {', '.join(known)}")


def check_fast(config: Config, machine: Machine) -> Iterator[Problem]:
    """Only one back end has a fast form beside its usual one."""
    if config.nat.fast and config.nat.backend not in (AUTO, nftables.NAME):
        yield Problem("nat.fast", f"means nothing to {config.nat.backend}", 'leave it out, or write backend = "nftables"')


def check_mode(config: Config, machine: Machine) -> Iterator[Problem]:
    """In the call-aware mode somebody has to know of calls."""
    nat = config.nat
    if nat.mode == "call-aware" and not (config.mgc.enabled or config.sip.enabled or config.subscribers):
        what = "nobody here knows of calls, so no media would reach any phone"
        yield Problem("nat.mode", what, 'run mgc or sip here, name a controller in [[subscriber]], or write mode = "open"')
    if nat.mode == "open" and nat.trusted:
        yield Problem("nat.trusted", "says nothing in the open mode", 'leave it out, or write mode = "call-aware"')


def check_firewall(config: Config, machine: Machine) -> Iterator[Problem]:
    """What closes this host to the outside knows where that is (FWL-1)."""
    if config.firewall.enabled and not config.nat.outside:
        yield Problem(
            "firewall.enabled", "nat.outside names no interface, so nothing is closed", 'write outside = ["eth0"] in [nat]'
        )
    if config.firewall.open and not config.firewall.enabled:
        yield Problem("firewall.open", "says nothing while nothing is closed", "write enabled = true, or leave it out")


def check_napt(config: Config, machine: Machine) -> Iterator[Problem]:
    """The ordinary NAPT has an address and ports of its own (NAP-15)."""
    path, todo = "nat.napt", 'write for example napt = "203.0.113.1:60000-64999"'
    try:
        pool = pool_ports(config)
    except ValueError as error:
        yield Problem(path, f"begins with no address: {error}", todo)
        return
    if pool is None:
        return
    public, first, last = IPv4Address(pool.public), pool.first, pool.last
    if not LOWEST_PORT <= first <= last <= LAST_PORT:
        yield Problem(path, f"ports {first} to {last} do not lie within {LOWEST_PORT} to {LAST_PORT}", todo)
        return
    for place, (address, ports) in each_read(config.pools, lambda pool: (pool.public, pool.ports)):
        if address == public and first <= ports[1] and ports[0] <= last:
            yield Problem(path, f"overlaps pool[{place}] on {public}", "give each port to one of them")
    for place, prefixes in each_read(config.realms, lambda realm: realm.private):
        if any(public in prefix for prefix in prefixes):
            yield Problem(path, f"{public} is an inside address of realm[{place}]", "name a public address")
    yield from against_gateway(config, machine, Pool(public, (first, last), ""), path, path)


def check_mss(config: Config, machine: Machine) -> Iterator[Problem]:
    """A limit leaves segments that every host takes."""
    if 0 < config.nat.mss < LEAST_MSS:
        what = f"{config.nat.mss} octets are less than what every path carries"
        yield Problem("nat.mss", what, f"write at least {LEAST_MSS}, or 0 for no limit")


def check_nat(config: Config, machine: Machine) -> Iterator[Problem]:
    """The back ends that translate packets of this machine need rights and interfaces."""
    nat = config.nat
    if nat.backend in OF_MACHINE:
        if not machine.root:
            yield Problem("nat.backend", f"{nat.backend} needs root", 'run as root, or write backend = "memory"')
        if not nat.outside:
            yield Problem("nat.outside", "is empty: nothing would be translated", 'write for example outside = ["eth0"]')
    for place, name in enumerate(nat.outside):
        if name in nat.inside:
            yield Problem(f"nat.outside[{place}]", f"{name} is an inside interface, too", "name it on one side only")
    if nat.backend != "memory":
        for option, names in (("inside", nat.inside), ("outside", nat.outside)):
            for place, name in enumerate(names):
                if name not in machine.interfaces:
                    todo = f"name one of {', '.join(sorted(machine.interfaces))}"
                    yield Problem(f"nat.{option}[{place}]", f"this machine has no {name}", todo)


def check_inside(config: Config, machine: Machine) -> Iterator[Problem]:
    """The interfaces of phones are on the inside: only what comes by these is turned back to a phone of the same gateway.

    The router of a relay's phones may lead elsewhere, the kernel has no interface for a ``vlan``, and nothing is translated for
    phones that share addresses: of these nobody can tell.
    """
    if not _is_kernel(config):
        return
    if not config.nat.inside:
        what = "is empty: the kernel's NAT needs an interface on each side"
        yield Problem("nat.inside", what, 'write for example inside = ["eth1"]')
        return
    apart = each_read(config.scopes, lambda scope: (scope.interface, scope.shared or scope.vlan or scope.relays))
    for place, (interface, unclear) in apart:
        # Of one that this machine does not have check_scopes tells.
        if not unclear and interface in machine.interfaces and interface not in config.nat.inside:
            what = f"{interface} is not in nat.inside: its phones cannot reach each other by their public addresses"
            yield Problem(f"scope[{place}].interface", what, f"add {interface} to nat.inside")


def nat_notes(config: Config) -> Iterator[str]:
    """Tell which inside interfaces DHCP does not serve, and which one of a relay is not inside."""
    if not (_is_kernel(config) and config.scopes):
        return
    served = {name for scope in config.scopes for name in (scope.interface, link_of(scope))}
    for place, name in enumerate(config.nat.inside):
        if name not in served:
            yield f"nat.inside[{place}]: no scope is on {name}: phones on its own link get no lease and no ports"
    for place, scope in enumerate(config.scopes):
        if scope.relays and not scope.shared and scope.interface not in config.nat.inside:
            what = f"{scope.interface} is not in nat.inside: right if its phones' packets come by another one"
            yield f"scope[{place}].interface: {what}"


def _is_kernel(config: Config) -> bool:
    """Whether the kernel may translate for phones that DHCP serves."""
    return config.dhcp.enabled and config.nat.backend != "memory" and bool(config.nat.outside)
