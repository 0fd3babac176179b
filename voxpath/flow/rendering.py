"""Configuration files from what a phone was given: one function for each kind of phone."""

import re
from collections.abc import Callable

from voxpath.model.address import Endpoint
from voxpath.model.event import printable
from voxpath.model.phone import MEGACO_PORT, Provision
from voxpath.model.ports import PortBlock

FORM = "voxpath-phone 1"
"""First word: who reads it; second: the version of the form."""

PLACE_HOLDERS: dict[str, Callable[[Provision], object]] = {
    "mac": lambda provision: provision.lease.mac,
    "address": lambda provision: provision.lease.address,
    "public_address": lambda provision: provision.block.public,
    "first_port": lambda provision: provision.block.first,
    "last_port": lambda provision: provision.block.last,
}
"""What may stand in braces in the lines that a phone class adds: nothing that a phone could choose itself."""

_PLACE_HOLDER = re.compile(r"\{([a-z_]+)\}")


def place_holders(line: str) -> list[str]:
    """The names in braces; all other braces stand for themselves."""
    return _PLACE_HOLDER.findall(line)


def added_lines(provision: Provision) -> tuple[str, ...]:
    """The lines that the phone's class adds, place-holders filled in."""

    def filled(found: re.Match[str]) -> str:
        value = PLACE_HOLDERS.get(found[1])
        return str(value(provision)) if value is not None else found[0]

    return tuple(_PLACE_HOLDER.sub(filled, line) for line in provision.phone_class.settings)


MEDIA_BLOCK = 4
"""Ports of the smallest block with room for media: signalling, one left out, RTP, RTCP."""


def signalling_port(block: PortBlock) -> int:
    """The port for signalling, whatever its protocol: the first of the block."""
    return block.first


def media_ports(block: PortBlock) -> range:
    """The ports for RTP and RTCP: from the first even one behind the signalling port (decision D15); empty for one port."""
    return range(block.first + 2, block.last + 1)


def voxpath_phone(provision: Provision) -> str:
    """Lines of ``key=value`` for voxpath-phone; the same lease always makes the same text.

    Lists are separated by commas.
    An empty value means that there is none.
    """
    lease, block, scope, kind = provision.lease, provision.block, provision.scope, provision.phone_class
    media = media_ports(block)
    values = {
        "mac": lease.mac,
        "address": lease.address,
        "prefix_length": scope.subnet.prefixlen,
        "router": scope.router or scope.server,
        "server": scope.server,
        "lease_s": kind.lease_s,
        "tftp": scope.server,
        "boot_file": kind.image,
        "host_name": lease.host_name,
        "domain": scope.domain,
        "dns": ",".join(map(str, scope.dns)),
        "class": kind.name,
        "public_address": block.public,
        "first_port": block.first,
        "last_port": block.last,
        "megaco_port": signalling_port(block),
        "sip_port": signalling_port(block),
        "rtp_first_port": media[0] if media else "",
        "rtp_last_port": media[-1] if media else "",
        "mgcs": ",".join(str(Endpoint.parse(mgc, MEGACO_PORT)) for mgc in kind.mgcs),
    }
    return f"# {FORM}\n" + "".join(f"{key}={_in_one_line(str(value))}\n" for key, value in values.items())


def _in_one_line(text: str) -> str:
    """A host name comes from the wire: no value brings a line of its own, and none is cut, since a part means something else."""
    return printable(text, len(text))
