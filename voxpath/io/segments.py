"""Several datagrams to one place by one system call: the kernel cuts a long payload into datagrams (UDP_SEGMENT, Linux 4.18).

So a window of TFTP goes through the kernel once and not block by block, at a fifth of the cost.
As with the segmentation of TCP, a capture on the sending host shows one long datagram; on the wire there never is one.
"""

import errno
import socket
import struct
from collections.abc import Sequence
from functools import cache
from typing import Final

from voxpath.core.effects import Payload
from voxpath.model.address import Endpoint

UDP_SEGMENT: Final = 103
"""From linux/udp.h; Python's ``socket`` does not know it."""
MOST_SEGMENTS: Final = 64
"""UDP_MAX_SEGMENTS of the kernels that segment; later ones take more."""
MOST_OCTETS: Final = 65507
"""Of all segments together: what one datagram over IPv4 can carry."""
UNSEGMENTED: Final = frozenset({errno.EINVAL, errno.EIO, errno.EMSGSIZE})
"""Errors of a send that could do without segments: they exceed the path's MTU, or the interface leaves checksums to others."""
_SIZE = struct.Struct("=H")

Ancillary = tuple[int, int, bytes]


class Outlet:
    """The sending side of a UDP socket, for several datagrams at once."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._segments = kernel_segments()

    def send(self, payloads: Sequence[Payload], destination: Endpoint, ancillary: Sequence[Ancillary] = ()) -> None:
        """Send datagrams in their order; raise :class:`OSError` when the kernel does not take one."""
        together = segments(payloads) if self._segments else 1
        for first in range(0, len(payloads), together):
            try:
                self._send(payloads[first : first + together], destination, ancillary)
            except OSError as error:
                if together == 1 or error.errno not in UNSEGMENTED:
                    raise
                # What did not work once is not tried again: it would cost a system call each time.
                self._segments = False
                self.send(payloads[first:], destination, ancillary)
                return

    def _send(self, payloads: Sequence[Payload], destination: Endpoint, ancillary: Sequence[Ancillary]) -> None:
        """One datagram, or the segments of one send."""
        if len(payloads) > 1:
            size = (socket.IPPROTO_UDP, UDP_SEGMENT, _SIZE.pack(len(payloads[0])))
            self._socket.sendmsg(payloads, (size, *ancillary), 0, destination)
        elif ancillary:
            self._socket.sendmsg(payloads, ancillary, 0, destination)
        else:
            self._socket.sendto(payloads[0], destination)


def segments(payloads: Sequence[Payload]) -> int:
    """How many of these datagrams can be sent at once: 1 unless all are of one size, but for a shorter last one."""
    size, last = len(payloads[0]), len(payloads[-1])
    alike = 0 < last <= size and set(map(len, payloads[:-1])) <= {size}
    return max(1, min(MOST_SEGMENTS, MOST_OCTETS // size)) if alike else 1


@cache
def kernel_segments() -> bool:
    """Whether the kernel knows segments; an old one would ignore the wish, and send one datagram in fragments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
        except OSError:
            return False
    return True
