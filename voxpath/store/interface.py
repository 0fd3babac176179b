"""What a store promises; :mod:`voxpath.store.sqlite` and :mod:`voxpath.store.memory` pass the same conformance suite."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from voxpath.core.effects import Change
from voxpath.store.history import Entry

Value = TypeVar("Value")

MAX_WAITING = 20_000
"""Commits that may wait for the writer; further ones are refused at once, so that a slow disk shows and memory does not grow."""


class Gate(Protocol):
    """Stands between a durable group and those who wait for it: the standby's commit may be wanted, too."""

    def committed(self, entry: Entry | None, release: Callable[[], None]) -> None:
        """Take note of a group; call ``release``, now or later, in the order of the groups, to let its commits be told.

        :param entry: the group; ``None``: nothing of it became durable, and it only has to keep its place.
        """


class OpenGate:
    """Nobody else has to commit."""

    def committed(self, entry: Entry | None, release: Callable[[], None]) -> None:
        """Let the group be told at once."""
        release()


class Store(Protocol):
    """Durable rows of model values."""

    def load(self, kind: type[Value]) -> list[Value]:
        """Read every row of a table. Rows that the model refuses are left out and reported, never a reason not to start."""

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Make the changes durable, all or none and in order; then call ``done`` with ``None``, or with the reason why not.

        Commits become durable, and ``done`` is called, in the order in which they were given.
        """

    def close(self) -> Deferred[None]:
        """Finish what was given, then close."""
