"""What the boot machine and the shim ask of the host that the phone runs on (:class:`~voxpath.core.effects.Ask`)."""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.model.address import Mac
from voxpath.model.ports import PortBlock


class Enable(NamedTuple):
    """Ask: bring the leased address up on the phone's interface (step 572); the answer means that it is."""

    mac: Mac
    address: IPv4Address
    prefix_length: int
    router: IPv4Address | None


class Disable(NamedTuple):
    """Ask: take the address off the interface again; nobody waits for the answer."""

    mac: Mac
    address: IPv4Address
    prefix_length: int


class StoredImage(NamedTuple):
    """The one boot image in the phone's own memory; ``None`` stands for an empty memory."""

    name: str
    content: bytes


class KeepImage(NamedTuple):
    """Ask: put a new image into the phone's own memory, in place of the old one (step 554)."""

    mac: Mac
    image: StoredImage


class ShimUp(NamedTuple):
    """Ask: let programs on this host show the combination address (DNT-4, DNT-7).

    The answer means that they do; it is ``True`` when a shim of an earlier run was found and taken over as it stood.

    :ivar interface: the one with the leased address.
    :ivar block: the ports that programs may use, and the public address that they show.
    """

    mac: Mac
    interface: str
    address: IPv4Address
    prefix_length: int
    router: IPv4Address | None
    block: PortBlock


class ShimDown(NamedTuple):
    """Ask: take the shim away again; nobody waits for the answer."""

    mac: Mac
    block: PortBlock


class ShimLook(NamedTuple):
    """Ask: see whether the shim still stands; the answer is :class:`ShimDrops`."""

    mac: Mac


class ShimDrops(NamedTuple):
    """Packets that the shim dropped since it was set up.

    :ivar unleased: their source port was outside the block.
    :ivar bogon: they came from outside with this phone's own address and port.
    """

    unleased: int
    bogon: int
