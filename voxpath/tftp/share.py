"""Transfers that take room from one another, and which of them gives way where there is none for one more.

Who asks for a file and then says nothing costs him one packet, and costs us a place that others need.
So a place is kept only for a client that goes on, or for one that nobody else wants to have it from.

First goes who never showed that he is there, the oldest first, as his address may be forged.
Then who did and has been silent for longest: a real client repeats what it sent after some seconds, so it is gone, or waits long.

The acknowledgements of a read pass the tables by, so when a transfer last went on is looked up only when it is asked for.
However many requests find no room, each transfer is looked at once for each message that brought it on, at the most,
and a busy one once in :data:`SILENT_AFTER_S`.
"""

from typing import Protocol

from voxpath.core.timers import TimerHeap

DOUBTED_AFTER_S = 1.0
"""A client that has not answered by then makes room when there is none for another."""
SILENT_AFTER_S = 10.0
"""One that has, and whose transfer has not gone on for so long, does so, too: stock clients repeat what they sent after 5 s."""


class Claim(Protocol):
    """A place that a transfer takes."""

    @property
    def name(self) -> str:
        """Its own, as long as it takes the place."""

    @property
    def began(self) -> float:
        """When its request came."""

    @property
    def waits_for_us(self) -> bool:
        """Whether its client cannot go on, as its file is being looked for or kept."""

    @property
    def heard_at(self) -> float | None:
        """When its client last brought it on; ``None``: it has not shown that it is there."""


class Share:
    """The transfers that one limit is for; they are put in order when there is no room for the first time."""

    __slots__ = ("_claims", "_doubted", "_new", "_silent")

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._new: dict[str, Claim] = {}
        self._doubted: TimerHeap[str] = TimerHeap()
        self._silent: TimerHeap[str] = TimerHeap()

    def __len__(self) -> int:
        return len(self._claims)

    def __contains__(self, name: str) -> bool:
        return name in self._claims

    def enter(self, claim: Claim) -> None:
        """Count a transfer."""
        self._claims[claim.name] = self._new[claim.name] = claim

    def leave(self, name: str) -> None:
        """Count it no more."""
        del self._claims[name]
        if self._new.pop(name, None) is None:
            self._doubted.disarm(name)
            self._silent.disarm(name)

    def giving_way(self, now: float) -> str:
        """The name of the transfer that makes room; empty: all are needed, or may still be."""
        for name, claim in self._new.items():
            self._doubted.arm(name, claim.began + DOUBTED_AFTER_S)
        self._new.clear()
        return self._first_doubted(now) or self._first_silent(now)

    def _first_doubted(self, now: float) -> str:
        for name in self._doubted.due(now):
            claim = self._claims[name]
            if claim.waits_for_us:
                self._doubted.arm(name, now + DOUBTED_AFTER_S)
            elif claim.heard_at is not None:
                self._silent.arm(name, claim.heard_at + SILENT_AFTER_S)
            else:
                self._doubted.arm(name, claim.began + DOUBTED_AFTER_S)
                return name
        return ""

    def _first_silent(self, now: float) -> str:
        for name in self._silent.due(now):
            claim = self._claims[name]
            again = now + SILENT_AFTER_S if claim.waits_for_us else (claim.heard_at or claim.began) + SILENT_AFTER_S
            self._silent.arm(name, again)
            if again <= now:
                return name
        return ""
