"""Which peers may reach a phone from outside in the call-aware mode (FWL-4, decision D19).

The state comes from the call, and not from packets: the controller or the SIP server knows whom a phone speaks with, and opens a
pinhole for that peer and the time of the call.
A peer's port is not looked at, since media may come from another port than they go to (RTI-9).
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from voxpath.core.errors import LocalError

MOST_PINHOLES: Final = 65536
"""Open at once, of all phones: four for each of 16 000 calls."""


class Pinhole(NamedTuple):
    """One port of a phone that one peer may send to.

    :ivar public: the phone's public address, as a number; likewise ``peer``.
    """

    public: int
    port: int
    peer: int


class Pinholes:
    """The pinholes that are open; one that several calls have opened stays until all of them have closed it.

    :ivar trusted: addresses that may reach every leased port, such as those of the controllers and proxies.
    """

    def __init__(self, trusted: Iterable[int] = ()) -> None:
        self.trusted = frozenset(trusted)
        self._open: Counter[Pinhole] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, pinhole: Pinhole) -> bool:
        """Open one; tell whether it was not open before.

        :raises LocalError: too many are open.
        """
        if pinhole not in self._open and len(self._open) >= MOST_PINHOLES:
            raise LocalError(f"{MOST_PINHOLES} pinholes are open already")
        self._open[pinhole] += 1
        return self._open[pinhole] == 1

    def close(self, pinhole: Pinhole) -> bool:
        """Close one; tell whether it is not open any more. One that is not open is passed over."""
        if pinhole not in self._open:
            return False
        self._open[pinhole] -= 1
        if self._open[pinhole]:
            return False
        del self._open[pinhole]
        return True

    def admits(self, public: int, port: int, peer: int) -> bool:
        """Whether a peer may send to a port of a phone."""
        return peer in self.trusted or Pinhole(public, port, peer) in self._open
