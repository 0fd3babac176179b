"""What a store promises; :mod:`voxpath.store.sqlite` and :mod:`voxpath.store.memory` pass the same conformance suite."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from voxpath.core.effects import Change

Value = TypeVar("Value")

MAX_WAITING = 20_000
"""Commits that may wait for the writer; further ones are refused at once, so that a slow disk shows and memory does not grow."""


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
