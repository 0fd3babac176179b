"""What the rules themselves enter into a set of the kernel's table: who offended, and whom strangers wanted to reach.

An element counts its packets, and the kernel takes it out when none has come for a while, long after it was looked at.
It is not taken out here, since what it counts between a look and its end would be lost.
"""

from voxpath.core.errors import LocalError
from voxpath.natreactor import kernelcounters
from voxpath.natreactor.elements import NFT_MSG_DELSETELEM, elements_of
from voxpath.natreactor.netlink import Netfilter, Part


class DynamicSet:
    """A set whose elements are an address and a port, and how far their counters were read.

    :param most: how many elements it holds.
    """

    def __init__(self, table: str, chosen: str, most: int) -> None:
        self._table = table
        self._chosen = chosen
        self._most = most
        self._seen: dict[kernelcounters.Endpoint, int] = {}

    def grown(self, kernel: Netfilter) -> list[tuple[int, int, int]]:
        """Address, port and packets of those that have counted any since the last look, which has to be a short while ago.

        :raises LocalError: the kernel refuses to tell.
        """
        before, counts = self._seen, kernelcounters.entered(kernel, self._table, self._chosen)
        self._seen = counts
        if len(counts) >= self._most:
            self._empty(kernel)
        found = []
        for endpoint, packets in counts.items():
            known = before.get(endpoint, 0)
            # Fewer than before: it was taken out, and has come again.
            more = packets - known if packets >= known else packets
            if more:
                found.append((*endpoint, more))
        return found

    def begin_again(self) -> None:
        """The set was made anew."""
        self._seen = {}

    def _empty(self, kernel: Netfilter) -> None:
        """Make room: that others find a place counts for more than the few packets that are lost now."""
        try:
            kernel.change([Part(NFT_MSG_DELSETELEM, elements_of(self._table, self._chosen))])
        except OSError as error:
            raise LocalError(f"the set {self._chosen} cannot be emptied: {error.strerror or error}") from None
        self.begin_again()
