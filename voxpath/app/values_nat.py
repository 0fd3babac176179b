"""From ``[nat]`` to what a NAT back end is made from."""

from collections.abc import Callable
from ipaddress import IPv4Address

from twisted.internet.interfaces import IReactorTime

from voxpath.app import values
from voxpath.app.schema import Config
from voxpath.nappt.pool import PoolPorts
from voxpath.natreactor.interface import Outside
from voxpath.natreactor.settings import NatSettings

CALL_AWARE = "call-aware"
"""The mode in which calls open ports (FWL-4)."""


def nat_settings(config: Config, clock: IReactorTime, identify: Callable[[IPv4Address], str]) -> NatSettings:
    """All that a back end needs to know.

    :param identify: names the phone that has an inside address.
    """
    nat, napt = config.nat, pool_ports(config)
    # Phones that share public addresses have them themselves: nothing of theirs is translated.
    shared = {scope.realm for scope in config.scopes if scope.shared}
    private = dict.fromkeys(str(prefix) for realm in config.realms if realm.name not in shared for prefix in realm.private)
    public = dict.fromkeys(pool.public for pool in config.pools if pool.realm not in shared)
    if napt is not None:
        public[IPv4Address(napt.public)] = None
    services = tuple(values.service_blocks(config).values())
    return NatSettings(
        Outside(nat.inside, nat.outside, tuple(private), tuple(public), services),
        clock,
        table=nat.table,
        identify=identify,
        call_aware=nat.mode == CALL_AWARE,
        trusted=values.trusted(config),
        pool=napt,
        mss=nat.mss,
        fast=nat.fast,
    )


def pool_ports(config: Config) -> PoolPorts | None:
    """The ports of the ordinary NAPT (NAP-15); ``None``: there is none.

    :raises ValueError: the address is none.
    """
    public, _, ports = config.nat.napt.partition(":")
    if not public:
        return None
    first, _, last = ports.partition("-")
    return PoolPorts(int(IPv4Address(public)), int(first), int(last))
