"""What of this host may be reached from outside (FWL-1): where its roles listen, and what ``[firewall]`` names."""

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IReactorTime

from voxpath.app.kinds import EndpointText
from voxpath.app.schema import Config
from voxpath.model.event import Event
from voxpath.natreactor.firewall import TCP, UDP, HostFirewall, Opening, open_host


def close_host(config: Config, clock: IReactorTime, tell: Callable[[Event], None]) -> HostFirewall | None:
    """Close this host to the outside, before anything listens; ``None``: it is to be open.

    :raises LocalError: nftables is missing, or the kernel refuses.
    """
    if not config.firewall.enabled:
        open_host(config.nat.table)
        return None
    made = HostFirewall(clock, config.nat.table, config.nat.outside, openings(config), tell)
    made.start()
    return made


def openings(config: Config) -> tuple[Opening, ...]:
    """All that may be reached."""
    return tuple(dict.fromkeys((*_of_roles(config), *(opening.value for opening in config.firewall.open))))


def _of_roles(config: Config) -> Iterator[Opening]:
    for endpoint in _endpoints(config):
        where = endpoint.endpoint
        for protocol in (TCP, UDP):
            yield Opening(protocol, where.port, where.port, where.host)
    for service in config.ports.services:
        for protocol in (TCP, UDP):
            yield Opening(protocol, service.port, service.port, str(service.public))
    if config.tftp.enabled and config.tftp.data_ports:
        first, last = config.tftp.data_ports
        yield Opening(UDP, first, last)


def _endpoints(config: Config) -> Iterator[EndpointText]:
    for role in (config.mgc, config.sip, config.tftp):
        if role.enabled:
            yield from role.listen
    if config.subscription.enabled:
        yield config.subscription.listen
    yield from config.manhole.ssh
