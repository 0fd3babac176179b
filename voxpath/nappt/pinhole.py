"""Which peers may reach a phone from outside in the call-aware mode (FWL-4, decision D19).

The state comes from the call, and not from packets: the controller or the SIP server knows whom a phone speaks with, and opens a
pinhole for that peer and the time of the call.
A peer's port is not looked at, since media may come from another port than they go to (RTI-9).
Who opened a pinhole, and how many calls need it, is not kept here (:mod:`voxpath.flow.pinholes`): opening and closing are
idempotent, as all changes of the data path are.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from voxpath.core.errors import LocalError
from voxpath.model.ports import PortBlock

MOST_PINHOLES: Final = 65536
"""Open at once, of all phones: four for each of 16 000 calls."""


class Pinhole(NamedTuple):
    """One port of a phone that one peer may send to.

    :ivar public: the phone's public address, as a number; likewise ``peer``.
    """

    public: int
    port: int
    peer: int

    def __str__(self) -> str:
        return f"{IPv4Address(self.public)}:{self.port} from {IPv4Address(self.peer)}"


class PinholeChange(NamedTuple):
    """What is to be opened and closed in one step; closings come first."""

    open: tuple[Pinhole, ...] = ()
    close: tuple[Pinhole, ...] = ()


class Pinholes:
    """The pinholes that are open, found by the port that they lead to.

    :ivar trusted: addresses that may reach every leased port, such as those of the controllers and proxies.
    """

    def __init__(self, trusted: Iterable[int] = ()) -> None:
        self.trusted = frozenset(trusted)
        self._peers: dict[int, set[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Pinhole]:
        return (Pinhole(key >> 16, key & 0xFFFF, peer) for key, peers in self._peers.items() for peer in peers)

    def __contains__(self, pinhole: Pinhole) -> bool:
        return pinhole.peer in self._peers.get(pinhole.public << 16 | pinhole.port, ())

    def apply(self, change: PinholeChange) -> PinholeChange:
        """Make a change as a whole; give what of it changed anything.

        :raises LocalError: too many would be open; then nothing was changed.
        """
        opening, closing = dict.fromkeys(change.open), dict.fromkeys(change.close)
        # What is closed and opened again stays as it is.
        closed = tuple(pinhole for pinhole in closing if pinhole in self and pinhole not in opening)
        opened = tuple(pinhole for pinhole in opening if pinhole not in self)
        if self._count - len(closed) + len(opened) > MOST_PINHOLES:
            raise LocalError(f"no more than {MOST_PINHOLES} pinholes can be open")
        for pinhole in closed:
            self._close(pinhole)
        for pinhole in opened:
            self._peers.setdefault(pinhole.public << 16 | pinhole.port, set()).add(pinhole.peer)
            self._count += 1
        return PinholeChange(opened, closed)

    def into(self, block: PortBlock) -> tuple[Pinhole, ...]:
        """Those that lead to the ports of a block."""
        if not self._count:
            return ()
        public = int(block.public)
        ports = range(block.first, block.last + 1)
        return tuple(Pinhole(public, port, peer) for port in ports for peer in self._peers.get(public << 16 | port, ()))

    def admits(self, public: int, port: int, peer: int) -> bool:
        """Whether a peer may send to a port of a phone."""
        return peer in self.trusted or peer in self._peers.get(public << 16 | port, ())

    def _close(self, pinhole: Pinhole) -> None:
        key = pinhole.public << 16 | pinhole.port
        peers = self._peers[key]
        peers.remove(pinhole.peer)
        if not peers:
            del self._peers[key]
        self._count -= 1
