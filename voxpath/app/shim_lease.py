"""Which leases a shim is made of; pure.

A shim bends the routes of a whole host, so a careless or hostile DHCP server must not be able to make it the host's router,
its neighbour or its loopback address.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from voxpath.core.errors import LocalError
from voxpath.model.ports import LOWEST_PORT
from voxpath.phone.host import ShimUp

THIS_NETWORK = IPv4Network("0.0.0.0/8")
"""Addresses that exist only as sources of hosts that have none yet (RFC 1122 section 3.2.1.3)."""

POINT_TO_POINT = 31
"""The longest prefix that holds a phone and its router (RFC 3021)."""

_INTERFACE = re.compile(r"[A-Za-z0-9_.@:-]{1,15}")


def check(wanted: ShimUp) -> None:
    """See whether a shim can be made of this lease.

    :raises LocalError: why not, in one line.
    """
    reason = next(_reasons(wanted), "")
    if reason:
        raise LocalError(reason)


def _reasons(wanted: ShimUp) -> Iterator[str]:
    """What speaks against it, the first thing first; each may rely on those before."""
    if not _INTERFACE.fullmatch(wanted.interface):
        yield f"{wanted.interface!r} cannot name an interface in the kernel's rules"
    if wanted.router is None:
        yield "the lease names no router: other phones behind the same public address could not be reached"
    if not 0 < wanted.prefix_length <= POINT_TO_POINT:
        yield f"the lease's prefix length {wanted.prefix_length} makes no link of the phone and its router"
    link = IPv4Interface(f"{wanted.address}/{wanted.prefix_length}").network
    if wanted.router is not None:
        yield from _of_router(wanted.router, wanted.address, link)
    yield from _of_public(wanted, link)
    if wanted.block.first < LOWEST_PORT:
        yield f"{wanted.block} lies below port {LOWEST_PORT}: the kernel gives such ports to programs only when they ask for them"


def _of_router(router: IPv4Address, phone: IPv4Address, link: IPv4Network) -> Iterator[str]:
    if router == phone:
        yield f"the lease's router {router} is the phone itself"
    if router not in link:
        yield f"the lease's router {router} is not on the phone's link {link}"
    if link.prefixlen < POINT_TO_POINT and router in {link.network_address, link.broadcast_address}:
        yield f"the lease's router {router} is no host of the link {link}"


def _of_public(wanted: ShimUp, link: IPv4Network) -> Iterator[str]:
    public = wanted.block.public
    kinds = {
        "a loopback address": public.is_loopback,
        "an unspecified address": public in THIS_NETWORK,
        "a multicast address": public.is_multicast,
        "a reserved or broadcast address": public.is_reserved,
        "a link-local address": public.is_link_local,
        "the phone's private address": public == wanted.address,
        "its router's address": public == wanted.router,
        f"on the phone's own link {link}": public in link,
    }
    yield from (f"the lease's public address {public} is {kind}" for kind, so in kinds.items() if so)
