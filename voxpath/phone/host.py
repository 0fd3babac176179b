"""What the boot machine asks of the host that the phone runs on (:class:`~voxpath.core.effects.Ask`)."""

from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.model.address import Mac


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
