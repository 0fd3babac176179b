"""Checks of realms, pools and listening roles: addresses and ports that must lie in, or outside of, each other."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import TypeVar

from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.ranges import Range, overlapping
from voxpath.app.schema import Config, Pool, Realm
from voxpath.app.unread import as_far_as_read, each_read
from voxpath.model.address import ANY_HOST, Endpoint
from voxpath.model.ports import LOWEST_PORT, PortBlock

Entry = TypeVar("Entry")


def duplicates(
    section: str, option: str, entries: Iterable[Entry], key: Callable[[Entry], Hashable], todo: str
) -> Iterator[Problem]:
    """Tell entries of a list of tables whose option repeats an earlier one's."""
    seen: dict[Hashable, int] = {}
    for place, value in each_read(entries, key):
        if value in seen:
            yield Problem(f"{section}[{place}].{option}", f"{value} stands in {section}[{seen[value]}] already", todo)
        seen.setdefault(value, place)


def check_realms(config: Config, machine: Machine) -> Iterator[Problem]:
    """Two realms may use the same inside prefixes, but then not behind the same public address."""
    yield from duplicates("realm", "name", config.realms, lambda realm: realm.name, "give each realm a name of its own")
    realms = dict(each_read(config.realms, lambda realm: (realm.name, tuple(realm.public), tuple(realm.private))))
    ranges = (
        Range(public, int(prefix.network_address), int(prefix.broadcast_address), (place, number))
        for place, (_, publics, privates) in realms.items()
        for public in set(publics)
        for number, prefix in enumerate(privates)
    )
    found = {(max(pair), min(pair)[0]) for pair in overlapping(ranges) if pair[0][0] != pair[1][0]}
    for (place, number), before in sorted(found):
        (name, *_), (_, _, privates) = realms[before], realms[place]
        shared = min(set(realms[before][1]) & set(realms[place][1]))
        what = f"{privates[number]} overlaps realm {name!r}, and both stand behind {shared}"
        todo = "make it one realm, or give them different public addresses"
        yield Problem(f"realm[{place}].private[{number}]", what, todo)


def check_pools(config: Config, machine: Machine) -> Iterator[Problem]:
    """Pools are of a realm's public address, and do not overlap each other."""
    for place, pool in enumerate(config.pools):
        yield from as_far_as_read(_pool_ports(pool, f"pool[{place}]"))
    pools = dict(each_read(config.pools, lambda pool: (pool.public, pool.ports)))
    ranges = (Range(public, *ports, place) for place, (public, ports) in pools.items())
    for place, before in sorted((max(pair), min(pair)) for pair in overlapping(ranges)):
        what = f"overlaps pool[{before}] on {pools[place][0]}"
        yield Problem(f"pool[{place}].ports", what, "give each port to one pool")
    realms = {realm.name: realm for realm in config.realms}
    for place, pool in enumerate(config.pools):
        yield from as_far_as_read(_pool_realm(pool, f"pool[{place}]", realms))


def _pool_ports(pool: Pool, path: str) -> Iterator[Problem]:
    first, last = pool.ports
    if last < first:
        yield Problem(f"{path}.ports", f"{last} comes before {first}", f"write ports = [{last}, {first}]")
    elif first < LOWEST_PORT:
        yield Problem(f"{path}.ports[0]", f"{first} is a well-known port", f"begin at {LOWEST_PORT} or above")


def _pool_realm(pool: Pool, path: str, realms: Mapping[str, Realm]) -> Iterator[Problem]:
    realm = realms.get(pool.realm)
    if realm is None:
        yield unknown_realm(f"{path}.realm", pool.realm, realms)
    elif pool.public not in realm.public:
        yield Problem(f"{path}.public", f"{pool.public} is not of realm {realm.name!r}", "add it to the realm's public")


def check_blocks(config: Config, machine: Machine) -> Iterator[Problem]:
    """A reserved block is a block of one pool without ports that nobody gets, and of one phone."""
    yield from duplicates("block", "mac", config.blocks, lambda entry: entry.mac, "keep one of them")
    good: dict[int, PortBlock] = {}
    for place, entry in enumerate(config.blocks):
        path = f"block[{place}].ports"
        first, last = entry.ports
        try:
            block = PortBlock(entry.public, first, last - first + 1)
        except ValueError as error:
            yield Problem(path, str(error), "write for example ports = [20032, 20095]")
            continue
        if not any(pool.public == entry.public and pool.ports[0] <= first and last <= pool.ports[1] for pool in config.pools):
            yield Problem(path, f"{block} lies in no pool", "choose ports of a [[pool]]")
        for port in config.ports.reserved:
            if port in block:
                yield Problem(path, f"{port} is in ports.reserved", "choose ports without it")
        good[place] = block
    ranges = (Range(block.public, block.first, block.last, place) for place, block in good.items())
    for place, before in sorted((max(pair), min(pair)) for pair in overlapping(ranges)):
        yield Problem(f"block[{place}].ports", f"{good[place]} overlaps block[{before}]", "give each port to one phone")


def check_pools_apart(config: Config, machine: Machine) -> Iterator[Problem]:
    """Pools must not overlap service ports, our own sockets, or the machine's ephemeral ports.

    A reserved port may lie within a pool: no block contains it.
    """
    for place, pool in enumerate(config.pools):
        path = f"pool[{place}]"
        yield from as_far_as_read(against_gateway(config, machine, pool, path, f"{path}.ports"))


def against_gateway(config: Config, machine: Machine, pool: Pool, path: str, ports: str) -> Iterator[Problem]:
    """Tell what of the gateway itself lies among the ports of a pool.

    :param path: of the pool; ``ports``: of what says its ports.
    """
    first, last = pool.ports
    reserved = frozenset(config.ports.reserved)
    for place, service in enumerate(config.ports.services):
        if service.port not in reserved and service.public == pool.public and first <= service.port <= last:
            what = f"{service.public}:{service.port} lies in {path}"
            yield Problem(f"ports.service[{place}].port", what, "choose a port outside all pools")
    for name, local in listening(config):
        if local.port not in reserved and local.host in (str(pool.public), ANY_HOST) and first <= local.port <= last:
            yield Problem(name, f"{local} lies in {path}, whose ports belong to phones", "listen outside all pools")
    low, high = machine.ephemeral
    if pool.public in machine.addresses and not pool.public.is_loopback and first <= high and low <= last:
        what = f"overlaps this machine's own outgoing ports {low}-{high} on {pool.public}"
        yield Problem(ports, what, "move the pool, or narrow net.ipv4.ip_local_port_range by sysctl")


def check_services(config: Config, machine: Machine) -> Iterator[Problem]:
    """What listens on a public address of a pool is reached only by a port that the NAPPT leaves to this host.

    A port that is a phone's is told by :func:`check_pools_apart`.
    """
    if config.nat.backend == "memory" or not config.nat.outside:
        return
    services = {(str(service.public), service.port) for service in config.ports.services}
    public = {config.nat.napt.partition(":")[0], *(str(pool.public) for pool in config.pools)}
    for name, local in listening(config):
        of_phones = local.port not in config.ports.reserved and any(
            local.host == str(pool.public) and pool.ports[0] <= local.port <= pool.ports[1] for pool in config.pools
        )
        if local.host in public and not of_phones and (local.host, local.port) not in services:
            todo = f'add [[ports.service]] with public = "{local.host}" and port = {local.port}'
            yield Problem(name, f"{local} is a port of a pool's address, and nobody could reach it", todo)


def unknown_realm(path: str, name: str, realms: Iterable[str]) -> Problem:
    """Make the problem of a realm that does not exist."""
    known = ", ".join(sorted(realms)) or "none"
    return Problem(path, f"there is no realm {name!r}", f"add a [[realm]] of that name, or use one of: {known}")


def check_listening_addresses(config: Config, machine: Machine) -> Iterator[Problem]:
    """A role can listen on an address of this machine only."""
    for name, local in listening(config):
        if local.host != ANY_HOST and is_foreign(IPv4Address(local.host), machine):
            what = f"{local.host} is not this machine's own address"
            yield Problem(name, what, f"name an address of this machine, or {ANY_HOST} for all of them")


def is_foreign(address: IPv4Address, machine: Machine) -> bool:
    """Whether an address is known not to be this machine's own.

    A network namespace of software phones may have its loopback interface down, and it does not start these roles.
    """
    return address in machine.foreign and not address.is_loopback


def used_addresses(config: Config) -> frozenset[IPv4Address]:
    """The addresses that have to be the machine's own, for the roles that are on."""
    listens = (IPv4Address(local.host) for _, local in listening(config))
    return frozenset((*as_far_as_read(_servers(config)), *listens))


def _servers(config: Config) -> Iterator[IPv4Address]:
    for _, server in each_read(config.scopes if config.dhcp.enabled else (), lambda scope: scope.server):
        yield server


def listening(config: Config) -> Iterator[tuple[str, Endpoint]]:
    """Tell where the roles that are on listen: the key, and the endpoint."""
    for section in ("tftp", "mgc", "sip"):
        yield from as_far_as_read(_role_listens(config, section))
    for feed in (_subscription_listens, _standby_listens, _manhole_listens):
        yield from as_far_as_read(feed(config))


def _role_listens(config: Config, section: str) -> Iterator[tuple[str, Endpoint]]:
    role = getattr(config, section)
    for place, text in enumerate(role.listen if role.enabled else ()):
        yield f"{section}.listen[{place}]", text.endpoint


def _subscription_listens(config: Config) -> Iterator[tuple[str, Endpoint]]:
    if config.subscription.enabled:
        yield "subscription.listen", config.subscription.listen.endpoint


def _standby_listens(config: Config) -> Iterator[tuple[str, Endpoint]]:
    if config.redundancy.role == "standby":
        yield "redundancy.address", config.redundancy.address.endpoint


def _manhole_listens(config: Config) -> Iterator[tuple[str, Endpoint]]:
    for option, texts in (("ssh", config.manhole.ssh), ("telnet", config.manhole.telnet)):
        for place, text in enumerate(texts):
            yield f"manhole.{option}[{place}]", text.endpoint
