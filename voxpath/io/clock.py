"""The server's clock: wall time that never jumps while the process runs."""

import time
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Clock(Protocol):
    """What drivers need of time."""

    def now(self) -> float:
        """Seconds since the Unix epoch, never going back."""

    def call_at(self, when: float, function: Callable[[], None]) -> IDelayedCall:
        """Call the function at that time, or as soon as possible if it has passed."""

    def go_on_from(self, last: float) -> float:
        """Be at this time at the least; tell by how much the clock was behind it."""


class ServerClock:
    """Anchored to wall time once, then driven by the monotonic clock.

    Leases are promised in wall time, since they must mean the same after a restart;
    a clock that is set while the server runs must neither expire them all nor keep them for ever.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return time.monotonic() + self._offset

    def call_at(self, when: float, function: Callable[[], None]) -> IDelayedCall:
        """Call the function at that time."""
        return self._reactor.callLater(max(0.0, when - self.now()), function)

    def go_on_from(self, last: float) -> float:
        """Be at this time at the least; tell by how much the clock was behind it, in seconds."""
        behind = max(0.0, last - self.now())
        self._offset += behind
        return behind
