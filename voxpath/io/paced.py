"""Readers that rest between two readings while datagrams come thick, as a network card's driver does with its interrupts.

A datagram that is read as soon as it comes costs a turn of the reactor, a wake-up of the process, and often a commit of its own.
With a rest many are read at once, which halves the cost of each; it is so short that no client notices.
What comes after a quiet time is read at once.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

REST_S = 0.008
"""How long a reader rests, in seconds."""

THICK_S = 2 * REST_S
"""Datagrams come thick when a reading follows the one before it within so many seconds."""


class PacingReactor(IReactorFDSet, IReactorTime):
    """What is needed of a reactor."""


class Paced:
    """Takes readers as a reactor does, and paces each of them."""

    def __init__(self, reactor: PacingReactor) -> None:
        self._reactor = reactor
        self._readers: dict[IReadDescriptor, _Resting] = {}

    def addReader(self, reader: IReadDescriptor) -> None:
        """Read this one, too, when there is something."""
        if reader not in self._readers:
            self._readers[reader] = _Resting(reader, self._reactor, self._lost)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Read it no more; it has not been closed yet."""
        resting = self._readers.pop(reader, None)
        if resting is not None:
            resting.stop()

    def _lost(self, reader: IReadDescriptor, reason: Failure) -> None:
        """The reactor has removed it; a reader that lives on says so by adding itself again."""
        self._readers.pop(reader, None)
        reader.connectionLost(reason)


@implementer(IReadDescriptor)
class _Resting:
    """One reader."""

    def __init__(self, reader: IReadDescriptor, reactor: PacingReactor, lost: Callable[[IReadDescriptor, Failure], None]) -> None:
        self._reader = reader
        self._lost = lost
        self._reactor = reactor
        self._last = float("-inf")
        self._stopped = False
        self._rest: IDelayedCall | None = None
        reactor.addReader(self)

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        if self._rest is None:
            self._reactor.removeReader(self)
        else:
            self._rest.cancel()
            self._rest = None

    def fileno(self) -> int:
        """The reader's own."""
        return self._reader.fileno()

    def doRead(self) -> None:
        """Read, and rest if the last reading was just before."""
        last, self._last = self._last, self._reactor.seconds()
        self._reader.doRead()
        if not self._stopped and self._last - last < THICK_S:
            self._reactor.removeReader(self)
            self._rest = self._reactor.callLater(REST_S, self._go_on)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gave up on it."""
        self._stopped = True
        self._lost(self._reader, reason)

    def logPrefix(self) -> str:
        """The reader's own."""
        return self._reader.logPrefix()

    def _go_on(self) -> None:
        self._rest = None
        self._reactor.addReader(self)
