"""Virtual time for whole worlds: as :class:`twisted.internet.task.Clock`, with a heap, so that thousands of timers stay cheap."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


@implementer(IReactorTime)
class HeapClock:
    """Time passes only by :meth:`advance`; calls due at the same time run in the order in which they were made."""

    def __init__(self) -> None:
        self._now = 0.0
        self._count = 0
        self._heap: list[tuple[float, int, DelayedCall]] = []

    def seconds(self) -> float:
        """The virtual time."""
        return self._now

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> DelayedCall:  # noqa: N802 - Twisted's names
        """Call a function later."""
        call = DelayedCall(self._now + delay, callable, args, kw, _nothing, self._moved, self.seconds)
        self._moved(call)
        return call

    def getDelayedCalls(self) -> list[DelayedCall]:  # noqa: N802 - Twisted's name
        """All calls that are still to come."""
        return [call for due, _, call in self._heap if call.active() and call.getTime() == due]

    def advance(self, seconds: float) -> None:
        """Let time pass, and run what becomes due on the way, each at its own time."""
        end = self._now + seconds
        while self._heap and self._heap[0][0] <= end:
            due, _, call = heappop(self._heap)
            # A cancelled call is left in the heap; one that was moved stands there a second time.
            if call.active() and call.getTime() == due:
                self._now = max(self._now, due)
                _run(call)
        self._now = end

    def _moved(self, call: DelayedCall) -> None:
        self._count += 1
        heappush(self._heap, (call.getTime(), self._count, call))


def _nothing(call: DelayedCall) -> None:
    """A cancelled call stays in the heap until its time."""


def _run(call: Any) -> None:
    call.called = 1
    call.func(*call.args, **call.kw)


class VirtualClock:
    """The same over a test's :class:`twisted.internet.task.Clock`: time passes only when the test says so."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._offset = 0.0

    def now(self) -> float:
        """Seconds that the test has let pass."""
        return self._reactor.seconds() + self._offset

    def call_at(self, when: float, function: Callable[[], None]) -> IDelayedCall:
        """Call the function at that virtual time."""
        return self._reactor.callLater(max(0.0, when - self.now()), function)

    def go_on_from(self, last: float) -> float:
        """Be at this virtual time at the least."""
        behind = max(0.0, last - self.now())
        self._offset += behind
        return behind
