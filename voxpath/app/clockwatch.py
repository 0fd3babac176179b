"""What becomes of stored times when a machine starts with a wrong clock: leases, quarantines and bindings must not suffer by it.

The server's clock never runs back, also over a restart: the last time that it showed is stored once a minute, and a start goes on
from there if the machine's clock is behind.
So nothing lasts longer or shorter than it was given for, whatever the machine's clock says meanwhile.
While the process runs the machine's clock does not matter at all (:class:`~voxpath.io.clock.ServerClock`).

A clock that is ahead cannot be told from a host that was off for so long: that is told, and believed.
"""

from voxpath.app.event import ClockAhead, ClockBehind
from voxpath.app.node import Node
from voxpath.core.effects import Put
from voxpath.model.clock import ClockMark

NAME = "server"
MARK_S = 60.0
"""How often the time is stored: so much of it may pass twice after a crash."""
TOLD_BEHIND_S = 5.0
"""A clock that is behind by less was only set right; it goes on all the same."""
TOLD_AHEAD_S = 86400.0
"""Who was off for longer, or whose clock is so far ahead, is told."""


class ClockWatch:
    """Keeps the time of one node's store."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._due = 0.0

    def begin(self, role: str) -> None:
        """Compare the machine's clock with the store, before anything else is read from it."""
        node = self._node
        last = max((mark.at for mark in node.store.load(ClockMark)), default=None)
        if last is not None:
            ahead = node.clock.now() - last
            behind = node.clock.go_on_from(last)
            if behind > TOLD_BEHIND_S:
                node.bus.publish(role, ClockBehind(seconds=behind))
            elif ahead > TOLD_AHEAD_S:
                node.bus.publish(role, ClockAhead(days=ahead / 86400))
        self._due = 0.0
        self.look()

    def look(self) -> None:
        """Store the time if that is due."""
        if self._node.clock.now() >= self._due:
            self.end()

    def end(self) -> None:
        """Store the time; a store that refuses it refuses more important things, which tell it."""
        now = self._node.clock.now()
        self._due = now + MARK_S
        self._node.store.commit((Put(ClockMark(NAME, now)),), lambda reason: None)
