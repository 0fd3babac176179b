"""Packets whose TTL ends at the gateway: the kernel discards them before it gives them to a device, so they are looked for apart.

They are counted only; the kernel tells the sender.
"""

import socket
from collections.abc import Iterator
from ctypes import addressof, create_string_buffer
from struct import Struct

from voxpath.core.errors import LocalError
from voxpath.nappt.packet import DESTINATION_AT, SHORTEST_HEADER, SOURCE_AT, TTL_AT
from voxpath.natreactor.rtnetlink import Rtnetlink

ETH_P_IP = 0x0800
SO_ATTACH_FILTER = 26
PACKET_HOST = 0
"""What came for this host: neither what it sends itself, nor what others hear, too."""
MOST_OCTETS = 2048
"""Of a packet: all that tells what becomes of it."""

_INSTRUCTION = Struct("=HBBI")
_PROGRAM = Struct("@HP")
_LOAD_OCTET, _JUMP_IF_MORE, _RETURN = 0x30, 0x25, 0x06
_FILTER = b"".join(
    _INSTRUCTION.pack(*each)
    for each in ((_LOAD_OCTET, 0, 0, TTL_AT), (_JUMP_IF_MORE, 1, 0, 1), (_RETURN, 0, 0, MOST_OCTETS), (_RETURN, 0, 0, 0))
)


class ExpiredPackets:
    """Packets with a TTL of 1 or 0 that would be given to one of our devices.

    :ivar socket: is ready when one has come.
    :param inside: names of the inside interfaces; likewise ``outside``.
    :param devices: indexes of our devices.
    :param routes: tells where packets go.
    :raises LocalError: the rights are missing (CAP_NET_RAW).
    """

    def __init__(self, inside: tuple[str, ...], outside: tuple[str, ...], devices: frozenset[int], routes: Rtnetlink) -> None:
        self._sides = dict.fromkeys(inside, True) | dict.fromkeys(outside, False)
        self._devices = devices
        self._routes = routes
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        except OSError as error:
            raise LocalError(f"packets whose TTL ends here cannot be counted: {error.strerror} (CAP_NET_RAW)") from None
        program = create_string_buffer(_FILTER, len(_FILTER))
        filtered = _PROGRAM.pack(len(_FILTER) // _INSTRUCTION.size, addressof(program))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtered)
        self.socket.setblocking(False)

    def read(self, most: int) -> Iterator[tuple[bytes, bool]]:
        """What has come: packets, and whether each came from inside."""
        for _ in range(most):
            try:
                packet, (interface, _, kind, *_) = self.socket.recvfrom(MOST_OCTETS)
            except OSError:
                return  # there is none, or an interface went away: packets count for more
            if (
                kind == PACKET_HOST
                and len(packet) >= SHORTEST_HEADER
                and interface in self._sides
                and self._is_ours(packet, interface)
            ):
                yield packet, self._sides[interface]

    def close(self) -> None:
        """Look no more."""
        self.socket.close()

    def _is_ours(self, packet: bytes, interface: str) -> bool:
        """Whether the kernel would give it to one of our devices if its TTL were higher."""
        source, destination = packet[SOURCE_AT : SOURCE_AT + 4], packet[DESTINATION_AT : DESTINATION_AT + 4]
        try:
            return self._routes.way(source, destination, socket.if_nametoindex(interface)) in self._devices
        except OSError:
            return False
