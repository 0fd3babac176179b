"""Many sockets that the reactor sees as one reader.

To call a reader takes the reactor longer than a TFTP port needs to answer an ACK.
When a hundred phones read at once there is something at many of their ports in each turn, and one call serves them all.
A single one pays for it with one more system call.
"""

import select
from typing import Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from voxpath.io.local import Readers

READ_PER_TURN: Final = 64
"""Sockets that are read in one turn of the reactor; the others have theirs in the next one."""


@implementer(IReadDescriptor)
class Gathered:
    """Takes readers as a reactor does, and is a reader itself while it has any."""

    def __init__(self, reactor: Readers) -> None:
        self._reactor = reactor
        self._poll = select.epoll()
        self._readers: dict[int, IReadDescriptor] = {}

    def addReader(self, reader: IReadDescriptor) -> None:
        """Read this one, too, when there is something."""
        number = reader.fileno()
        self._poll.register(number, select.EPOLLIN)
        if not self._readers:
            self._reactor.addReader(self)
        self._readers[number] = reader

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Read it no more; it has not been closed yet."""
        number = reader.fileno()
        if self._readers.get(number) is reader:
            del self._readers[number]
            self._poll.unregister(number)
            if not self._readers:
                self._reactor.removeReader(self)

    # IReadDescriptor

    def fileno(self) -> int:
        """The file descriptor that can be read when one of the readers can."""
        return self._poll.fileno()

    def doRead(self) -> None:
        """Let all read that have something; one that raises is dropped, as a reactor drops it."""
        for number, _ in self._poll.poll(0, READ_PER_TURN):
            reader = self._readers.get(number)
            if reader is None:
                # One that was read before it has closed this one.
                continue
            # As the reactor itself does with a reader that raises; the others are read all the same.
            try:
                reader.doRead()
            except Exception:
                self.removeReader(reader)
                reader.connectionLost(Failure())

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gave up: nothing is read any more."""
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.connectionLost(reason)

    def logPrefix(self) -> str:
        """The name in Twisted's log."""
        return "gathered"
