"""The devices of the slow path, as what leads packets into them needs them: up, and no larger than what is behind the gateway."""

from collections.abc import Iterable
from typing import Final

from voxpath.core.errors import LocalError
from voxpath.natreactor.event import HostSetting
from voxpath.natreactor.rtnetlink import Link, Rtnetlink
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import device_names

QUEUE: Final = 2048
"""Packets that may wait for the process: some 20 ms of its work, so that it may pause for a change of its table."""

USUAL_MTU: Final = 1500
LARGEST_MTU: Final = 65535


class Devices:
    """The device for packets from inside, and the one for those from outside.

    :param kernel: is not closed here.
    :param any_size: whether they take packets of all lengths; else what is too long for the other side is refused before it is
        translated.
    """

    def __init__(self, settings: NatSettings, kernel: Rtnetlink, *, any_size: bool = False) -> None:
        self._any_size = any_size
        self._outside = settings.outside
        self._names = device_names(settings.table)
        self._kernel = kernel

    def set_up(self) -> tuple[Link, Link]:
        """Bring both up.

        :raises LocalError: one of them is gone, or the kernel refuses.
        """
        links = tuple(map(self._kernel.link, self._names))
        for name, link, mtu in zip(self._names, links, self._mtus(), strict=True):
            if link is None:
                raise LocalError(f"the device {name} is gone")
            if not link.up or link.mtu != mtu:
                self._kernel.set_up(link.index, mtu, QUEUE)
        inside, outside = links
        assert inside is not None
        assert outside is not None
        return inside, outside

    def found(self) -> tuple[Link, Link] | None:
        """Both of them; ``None``: one is gone."""
        inside, outside = map(self._kernel.link, self._names)
        return None if inside is None or outside is None else (inside, outside)

    def wrong(self) -> str:
        """What is wrong with them, in a few words; empty: nothing."""
        found = self.found()
        if found is None:
            return "a device of the slow path is gone"
        return "" if all(link.up for link in found) and tuple(link.mtu for link in found) == self._mtus() else "links were changed"

    def _mtus(self) -> tuple[int, int]:
        """Of the device for packets from inside, which leave by the outside, and of the other one."""
        if self._any_size:
            return LARGEST_MTU, LARGEST_MTU
        least = [
            min((link.mtu for link in links_of(self._kernel, names)), default=USUAL_MTU)
            for names in (self._outside.outside, self._outside.inside)
        ]
        return least[0], least[1]


def links_of(kernel: Rtnetlink, names: Iterable[str]) -> list[Link]:
    """Those interfaces that are there."""
    return [link for link in map(kernel.link, names) if link is not None]


class Unrouted:
    """Leads nothing here by routes: the fast path gives packets to the devices itself.

    Without any routing rule the kernel looks a route up once for many packets.
    A copy may never be cut, so the devices take all lengths: the kernel refuses what is too long when it comes back translated,
    and its error is translated, too.

    :ivar indexes: of the devices, which the fast path names: for packets from inside, and for those from outside.
    :raises LocalError: the kernel has no rtnetlink.
    """

    def __init__(self, settings: NatSettings) -> None:
        self._kernel = Rtnetlink()
        self._devices = Devices(settings, self._kernel, any_size=True)
        self.indexes = (0, 0)

    def install(self) -> list[HostSetting]:
        """Make the devices right.

        :raises LocalError: one of them is gone, or the kernel refuses.
        """
        inside, outside = self._devices.set_up()
        self.indexes = inside.index, outside.index
        return []

    def missing(self) -> str:
        """What is wrong with them, in a few words; empty: nothing."""
        found = self._devices.found()
        if found is not None and tuple(link.index for link in found) != self.indexes:
            return "a device of the slow path was made anew"
        return self._devices.wrong()

    def close(self) -> None:
        """Let go of the kernel; the devices stay."""
        self._kernel.close()
