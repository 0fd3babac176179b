"""So much a second and no more: a flood of one kind must not fill the log or the line."""

from collections.abc import Hashable
from math import inf
from typing import Final

MOST_KNOWN: Final = 64
"""Different things that :class:`Rarely` knows; if more come, it begins anew."""


class PerSecond:
    """Admits a number of things in each second, which begins with the first of them.

    :param most: how many.
    """

    __slots__ = ("_admitted", "_began", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = 0.0
        self._admitted = 0

    def admits(self, now: float) -> bool:
        """Whether another one may pass at this time (seconds of the server's clock)."""
        if not 0.0 <= now - self._began < 1.0:
            self._began, self._admitted = now, 0
        self._admitted += 1
        return self._admitted <= self._most


class Rarely:
    """Lets each of a few things pass once, and again only after a while: a state that lasts is told once and not at each look.

    :param every_s: after so many seconds it may pass again.
    """

    __slots__ = ("_every_s", "_passed")

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._passed: dict[Hashable, float] = {}

    def admits(self, what: Hashable, now: float) -> bool:
        """Whether this may pass now."""
        if not self.would_admit(what, now):
            return False
        if len(self._passed) >= MOST_KNOWN:
            self._passed.clear()
        self._passed[what] = now
        return True

    def would_admit(self, what: Hashable, now: float) -> bool:
        """Whether this may pass now; it does not count as passed, as something else may still keep it back."""
        return not 0.0 <= now - self._passed.get(what, -inf) < self._every_s

    def forget(self) -> None:
        """Let everything pass again: the state has changed."""
        self._passed.clear()
