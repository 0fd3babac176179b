"""Several datagrams to one place by one system call: the kernel cuts a long payload into datagrams (UDP_SEGMENT, Linux 4.18).

So a window of TFTP goes through the kernel twice and not block by block, at a fifth of the cost.
Twice, since its receiver would sleep until the whole is there, and the sender until the whole is acknowledged.
As with the segmentation of TCP, a capture on the sending host shows one long datagram; on the wire there never is one.
"""

import errno
import socket
import struct
from collections.abc import Sequence
from functools import cache
from typing import Final

from voxpath.core.effects import Payload, Train

UDP_SEGMENT: Final = 103
"""From linux/udp.h; Python's ``socket`` does not know it."""
MOST_SEGMENTS: Final = 64
"""UDP_MAX_SEGMENTS of the kernels that segment; later ones take more."""
MOST_OCTETS: Final = 65507
"""Of all segments together: what one datagram over IPv4 can carry."""
UNSEGMENTED: Final = frozenset({errno.EINVAL, errno.EIO, errno.EMSGSIZE})
"""Errors of a send that could do without segments: they exceed the path's MTU, or the interface leaves checksums to others."""
_SIZE = struct.Struct("=H")

HEAD: Final = 4
"""Segments that leave before the others of a longer train: its receiver wakes up while those are on their way."""
LONG: Final = 2 * HEAD
"""A train of so many segments is worth a second system call."""

Ancillary = tuple[int, int, bytes]


class Outlet:
    """The sending side of a UDP socket, for several datagrams at once."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._segments = kernel_segments()

    def send(self, train: Train, destination: tuple[str, int], ancillary: Sequence[Ancillary] = ()) -> None:
        """Send datagrams in their order; raise :class:`OSError` when the kernel does not take one."""
        octets, size = train.octets, train.size
        at, length = 0, len(octets)
        most = max(1, min(MOST_SEGMENTS, MOST_OCTETS // size)) * size
        step = HEAD * size if length >= LONG * size else most
        while self._segments and at < length and most > size:
            piece = octets[at : at + min(step, most)]
            try:
                self._send(piece, size, destination, ancillary)
            except OSError as error:
                if len(piece) <= size or error.errno not in UNSEGMENTED:
                    raise
                # What did not work once is not tried again: it would cost a system call each time.
                self._segments = False
                break
            at, step = at + len(piece), most
        for begin in range(at, length, size):
            self._send(octets[begin : begin + size], size, destination, ancillary)

    def send_each(self, payloads: Sequence[Payload], destination: tuple[str, int], ancillary: Sequence[Ancillary] = ()) -> None:
        """Send datagrams that lie anywhere, as :meth:`send`: together if they are of one size, but for a shorter last one."""
        if len(payloads) > 1 and _is_train(payloads):
            self.send(Train(b"".join(payloads), len(payloads[0])), destination, ancillary)
            return
        for payload in payloads:
            self._send(payload, len(payload), destination, ancillary)

    def _send(self, octets: Payload, size: int, destination: tuple[str, int], ancillary: Sequence[Ancillary]) -> None:
        """One datagram, or the segments of one send."""
        if len(octets) > size:
            segment = (socket.IPPROTO_UDP, UDP_SEGMENT, _SIZE.pack(size))
            self._socket.sendmsg([octets], (segment, *ancillary), 0, destination)
        elif ancillary:
            self._socket.sendmsg([octets], ancillary, 0, destination)
        else:
            self._socket.sendto(octets, destination)


def _is_train(payloads: Sequence[Payload]) -> bool:
    size, last = len(payloads[0]), len(payloads[-1])
    return 0 < last <= size and set(map(len, payloads[:-1])) <= {size}


@cache
def kernel_segments() -> bool:
    """Whether the kernel knows segments; an old one would ignore the wish, and send one datagram in fragments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
        except OSError:
            return False
    return True
