"""The loop of the slow path: packets of two devices, and requests of voxpath."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Final

from voxpath.core.errors import LocalError, RemoteError
from voxpath.natreactor.rtnetlink import Rtnetlink
from voxpath.natreactor.slow.address import is_trusted, peer_of
from voxpath.natreactor.slow.answers import answer
from voxpath.natreactor.slow.carrier import Carrier
from voxpath.natreactor.slow.device import MOST_OCTETS, remove_device
from voxpath.natreactor.slow.expired import ExpiredPackets
from voxpath.natreactor.slow.frames import Configure, End, Look, Request, framed, requests, take

BATCH: Final = 64
"""Packets of one device that are carried before others are looked at."""
MOST_DRAINED: Final = 256
"""Packets of one device that are carried before a question about them is answered; who asks waits for it."""
MOST_CONNECTIONS: Final = 8
ANSWER_S: Final = 2.0
"""How long a peer may take to read an answer."""
RECEIVED: Final = 262144


class Loop:
    """Carries packets and answers requests until it is told to end.

    :param devices: descriptors of the devices for packets from inside and for those from outside, and their indexes.
    :param listener: where voxpath connects to.
    """

    def __init__(self, devices: tuple[int, int], indexes: frozenset[int], listener: socket.socket) -> None:
        self._devices = devices
        self._indexes = indexes
        self._routes = Rtnetlink()
        self._carrier = Carrier(self._routes.is_own)
        self._listener = listener
        self._connections: dict[socket.socket, bytearray] = {}
        self._expired: ExpiredPackets | None = None
        self._ending = False
        self._selector = DefaultSelector()
        inside, outside = devices
        self._watch(inside, lambda: self._carry(inside, True, BATCH))
        self._watch(outside, lambda: self._carry(outside, False, BATCH))
        self._watch(listener, self._accept)

    def run(self) -> None:
        """Go on until the end."""
        select = self._selector.select
        while not self._ending:
            for key, _ in select():
                key.data()
        for descriptor in self._devices:
            with suppress(OSError):
                remove_device(descriptor)

    def _watch(self, where: int | socket.socket, ready: Callable[[], None]) -> None:
        self._selector.register(where, EVENT_READ, ready)

    def _carry(self, descriptor: int, from_inside: bool, most: int) -> None:
        carry, now = self._carrier.carry, monotonic()
        read, write = os.read, os.write
        for _ in range(most):
            try:
                packet = read(descriptor, MOST_OCTETS)
            except BlockingIOError:
                return
            except OSError:
                # Somebody took the device away: the next process makes it again.
                self._ending = True
                return
            for octets in carry(packet, from_inside, now):
                # What the kernel does not take is lost, as on any link.
                with suppress(OSError):
                    write(descriptor, octets)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # he has gone again
        if not is_trusted(peer_of(connection)[1]) or len(self._connections) >= MOST_CONNECTIONS:
            connection.close()
            return
        connection.settimeout(ANSWER_S)
        self._connections[connection] = bytearray()
        self._watch(connection, lambda: self._receive(connection))

    def _receive(self, connection: socket.socket) -> None:
        buffer = self._connections[connection]
        try:
            octets = connection.recv(RECEIVED)
            buffer += octets
            asked = self._taken(buffer)
        except (OSError, RemoteError):
            octets, asked = b"", []
        said = b"".join(map(self._answered, asked))
        with suppress(OSError):
            connection.sendall(said)
        if not octets:
            self._selector.unregister(connection)
            del self._connections[connection]
            connection.close()

    def _taken(self, buffer: bytearray) -> list[Request]:
        found = []
        while (request := take(buffer, requests)) is not None:
            found.append(request)
        return found

    def _answered(self, request: Request) -> bytes:
        if isinstance(request, Look):
            self._drain()
        said = framed(answer(self._carrier, request, monotonic()))
        if isinstance(request, Configure):
            self._look_for_expired()
        self._ending = self._ending or isinstance(request, End)
        return said

    def _drain(self) -> None:
        """Deal with the packets that have come before a question, unless they are a flood."""
        for descriptor, from_inside in zip(self._devices, (True, False), strict=True):
            self._carry(descriptor, from_inside, MOST_DRAINED)
        self._count_expired(MOST_DRAINED)

    def _look_for_expired(self) -> None:
        if self._expired is not None:
            self._selector.unregister(self._expired.socket)
            self._expired.close()
            self._expired = None
        inside, outside = self._carrier.plan.watched
        if inside or outside:
            with suppress(LocalError):  # they are not counted, then
                self._expired = ExpiredPackets(inside, outside, self._indexes, self._routes)
                self._watch(self._expired.socket, lambda: self._count_expired(BATCH))

    def _count_expired(self, most: int) -> None:
        if self._expired is not None:
            now = monotonic()
            for packet, from_inside in self._expired.read(most):
                self._carrier.discarded(packet, from_inside, now)
