"""Notes about routes to the phones beyond relays; they are notes, since a routing daemon may write such a route later."""

import errno
from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Address

from voxpath.app.schema import Config
from voxpath.dhcp.remedy import route_command
from voxpath.io.route import way_to

NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


def route_notes(config: Config, way: Callable[[IPv4Address], str] = way_to) -> Iterator[str]:
    """Tell which phones beyond a relay this machine would not reach: they renew, and are probed, past their relay.

    :param way: tells by which interface the kernel would send to an address; raises :class:`OSError` when by none.
    """
    for place, scope in enumerate(config.scopes if config.dhcp.enabled else ()):
        reason = _astray(scope.addresses[0], config.nat.outside, way) if scope.relays else ""
        if reason:
            command = route_command(scope.subnet, scope.relays, scope.interface)
            what = f"{reason}: renewals of its phones get no answer, and its addresses are not verified"
            yield f"scope[{place}].subnet: {what}; write the missing route, such as {command}"


def _astray(address: IPv4Address, outside: Collection[str], way: Callable[[IPv4Address], str]) -> str:
    """Why what is sent to an address does not arrive there; empty: it may."""
    try:
        interface = way(address)
    except OSError as error:
        return f"this machine has no route to {address}" if error.errno in NO_ROUTE else ""
    return f"{address} would be sent to by {interface}, which is in nat.outside" if interface in outside else ""
