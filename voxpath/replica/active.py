"""The active's side: lets acknowledgements wait for the standby while it keeps up, and never longer than once (DHC-19, RED-3).

While it is *following*, a group is told to those who wait for it when the local disk and the standby's have it.
A group that the standby has not committed after ``wait_s`` ends that: everything is told at once, and nothing waits any more until
the standby has everything again.
A standby that was too slow must prove itself for a while before that, twice as long each time, so that it cannot cost the phones
``wait_s`` again and again.

A group goes to the standby only after the local commit: the standby is never ahead, so that a crash of the active leaves it with
nothing that nobody else has.
"""

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from twisted.internet.interfaces import IDelayedCall

from voxpath.core.rate import Rarely
from voxpath.io.clock import Clock
from voxpath.model.event import Event
from voxpath.replica.event import (
    StandbyDegraded,
    StandbyLink,
    StandbyRefused,
    StandbyRestored,
    StandbySnapshot,
    StandbyUnreachable,
)
from voxpath.replica.message import HEARTBEAT_S, silence
from voxpath.replica.session import FOLLOWED_OCTETS, WINDOW_OCTETS, Link, Session
from voxpath.store.history import Entry, History

WAIT_S = 0.1
"""So long an acknowledgement waits for the standby's commit."""

PATIENCE_S = 5.0
"""A standby that has not caught up so long after the start is told of."""

PROBATION_S = 5.0
LONGEST_PROBATION_S = 600.0
"""For so long a standby that was too slow has to keep up before anything waits for it again; doubled each time."""

REPEATED_S = 600.0
"""What still keeps the standby away is told again after so long."""

UNREACHABLE = "unreachable"
"""Stands for all reasons why a standby cannot be reached: they come and go while a host boots."""

Release = Callable[[], None]


class State(Enum):
    """Whether acknowledgements wait."""

    ABSENT = "not connected"
    RESUMING = "catching up"
    FOLLOWING = "following"


class _Held(NamedTuple):
    generation: int
    due: float
    release: Release


class Active:
    """A :class:`~voxpath.store.interface.Gate` of the store, which is open while the standby does not follow.

    :param name: this host's name; its certificate must be for it.
    :param peer: the standby's name.
    :param publish: takes events.
    :param on_link: is told of each connection that the standby has accepted, and of its end.
    :ivar trouble: why there is no standby; empty: there is one, or nobody knows yet.
    :ivar was_refused: whether the standby, or this side, did not accept the last connection.
    """

    def __init__(
        self,
        name: str,
        peer: str,
        history: History,
        clock: Clock,
        publish: Callable[[Event], None],
        wait_s: float = WAIT_S,
        on_link: Callable[[Link | None], None] = lambda link: None,
    ) -> None:
        self.state = State.ABSENT
        self.since = clock.now()
        self.last_snapshot = 0.0
        self.trouble = ""
        self.was_refused = False
        self._name = name
        self._peer = peer
        self._history = history
        self._clock = clock
        self._publish = publish
        self._wait_s = wait_s
        self._on_link = on_link
        self._session: Session | None = None
        self._link: Link | None = None
        self._held: deque[_Held] = deque()
        self._timer: IDelayedCall | None = None
        self._told = False
        self._said_why = False
        self._rarely = Rarely(REPEATED_S)
        self._probation_s = 0.0
        self._proven_at = 0.0
        self._beat = clock.call_at(clock.now() + HEARTBEAT_S, self._heartbeat)
        self._patience: IDelayedCall | None = clock.call_at(clock.now() + PATIENCE_S, self._impatient)

    def stop(self) -> None:
        """Let everything that waits be told, end the timers, and do without the link."""
        self._beat.cancel()
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self._timer = self._patience = None
        if self._session is not None:
            self._session.end()
        self._session = self._link = None
        self._enter(State.ABSENT)
        self._release(self._history.position.generation)

    # The gate.

    def committed(self, entry: Entry | None, release: Release) -> None:
        """Hold a group back until the standby has it, if the standby follows."""
        if entry is None:
            self._in_order(release)
            return
        window = FOLLOWED_OCTETS if self.state is State.FOLLOWING else WINDOW_OCTETS
        sent = self._session is not None and self._session.offer(entry, window)
        if self.state is State.FOLLOWING and sent:
            self._held.append(_Held(entry.position.generation, self._clock.now() + self._wait_s, release))
            self._arm()
            return
        if self.state is State.FOLLOWING:
            self._degrade("more groups are under way to it than fit")
        release()
        if self._session is not None:
            self._session.more()

    def _in_order(self, release: Release) -> None:
        """Let what was refused be told after what was given before it."""
        if self._held:
            self._held.append(_Held(self._held[-1].generation, self._held[-1].due, release))
        else:
            release()

    # The link.

    def connected(self, link: Link) -> None:
        """Begin with the standby's position."""
        if self._session is not None:
            self._session.end()
        self._link = link
        # What looked slow may have been a cut.
        self._proven_at = 0.0
        self._said_why = False
        self._session = Session(link, self._name, self._history, self._clock, self)

    def disconnected(self, link: Link, reason: str) -> None:
        """Go on alone."""
        if link is not self._link or self._session is None:
            return
        was_up = self.state is not State.ABSENT
        self._session.end()
        self._session = self._link = None
        if was_up:
            self._publish(StandbyLink(name=self._peer, state=f"down: {reason}"))
        elif not self._said_why:
            # A certificate that one of both does not accept shows only here.
            self.refused(f"it ended before the standby had accepted it: {reason}")
        self._degrade("the link is down", State.ABSENT)
        # Last: whatever happens to files, no lease waits any more.
        if was_up:
            self._on_link(None)

    def resumed(self) -> None:
        """The standby has told its position and is one of ours."""
        if self.state is State.ABSENT:
            self._enter(State.RESUMING)
            self._publish(StandbyLink(name=self._peer, state="up"))
            self._on_link(self._link)
        self.trouble = ""
        self.was_refused = False
        self._rarely.forget()
        self._try_to_follow()

    def acknowledged(self, generation: int, took_s: float) -> None:
        """The standby has committed."""
        self._release(generation)
        now = self._clock.now()
        if took_s > self._wait_s and now < self._proven_at:
            self._proven_at = now + self._probation_s
        session = self._session
        # Under load something is always under way: it is enough that all was sent, and that the last answer came in time.
        if took_s <= self._wait_s and session is not None and session.complete:
            self._follow()

    def snapshot_taken(self, rows: int, generation: int, reason: str) -> None:
        """The standby has everything as of this generation."""
        self.last_snapshot = self._clock.now()
        self._publish(StandbySnapshot(rows=rows, generation=generation, reason=reason))

    def refused(self, reason: str) -> None:
        """The standby does not take this; each reason is told once, and then rarely."""
        self._said_why = self.was_refused = True
        self.trouble = reason
        if self._rarely.admits(reason, self._clock.now()):
            self._publish(StandbyRefused(peer_address=self._peer, reason=reason))

    def unreachable(self, reason: str) -> None:
        """The standby cannot be reached: that is told once, whatever the kernel says the next time, and then rarely."""
        self.was_refused = False
        self.trouble = f"it cannot be reached: {reason}"
        if self._rarely.admits(UNREACHABLE, self._clock.now()):
            self._publish(StandbyUnreachable(name=self._peer, reason=reason))

    # For commands.

    @property
    def connected_now(self) -> bool:
        """Whether the standby has accepted a connection."""
        return self.state is not State.ABSENT

    def facts(self) -> Iterator[tuple[str, str]]:
        """What an operator should know."""
        generation = self._history.position.generation
        yield "role", "active"
        yield "peer", self._peer
        session = self._session
        quiet = silence(session.silent_s) if session is not None else ""
        connecting = self.state is State.ABSENT and session is not None
        yield "state", quiet or ("connected, nothing is compared yet" if connecting else self.state.value)
        yield "generation", str(generation)
        if session is not None and session.streaming and not quiet:
            yield "lag", str(generation - session.acked)
        if self.trouble:
            yield "trouble", self.trouble

    # Deciding.

    def _try_to_follow(self) -> None:
        if self._session is not None and self._session.settled:
            self._follow()

    def _follow(self) -> None:
        if self.state is State.FOLLOWING or self._clock.now() < self._proven_at:
            return
        self._enter(State.FOLLOWING)
        if self._told:
            self._publish(StandbyRestored(name=self._peer, generation=self._history.position.generation))
        self._told = False

    def _degrade(self, reason: str, to: State = State.RESUMING) -> None:
        followed = self.state is State.FOLLOWING
        if self.state is not to:
            self._enter(to)
        if followed:
            self._told = True
            self._publish(StandbyDegraded(name=self._peer, generation=self._history.position.generation, reason=reason))
        self._release(self._history.position.generation)

    def _enter(self, state: State) -> None:
        self.state, self.since = state, self._clock.now()

    def _release(self, generation: int) -> None:
        # One by one: what is told may lead to the next commit, which comes in here again.
        while self._held and self._held[0].generation <= generation:
            self._held.popleft().release()

    # Timers.

    def _arm(self) -> None:
        if self._timer is None and self._held:
            self._timer = self._clock.call_at(self._held[0].due, self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        now = self._clock.now()
        if self._held and self._held[0].due <= now:
            self._prove(now)
            self._degrade(f"it did not commit within {self._wait_s * 1000:g} ms")
        self._arm()

    def _prove(self, now: float) -> None:
        """It was too slow: from now on it has to keep up for a while."""
        again = now - self.since <= LONGEST_PROBATION_S and self._probation_s
        self._probation_s = min(2 * self._probation_s, LONGEST_PROBATION_S) if again else PROBATION_S
        self._proven_at = now + self._probation_s

    def _heartbeat(self) -> None:
        self._beat = self._clock.call_at(self._clock.now() + HEARTBEAT_S, self._heartbeat)
        if self._session is not None:
            self._session.beat()
            self._session.more()
            self._try_to_follow()

    def _impatient(self) -> None:
        self._patience = None
        if self.state is not State.FOLLOWING and not self._told:
            self._told = True
            reason = self.trouble or f"it is {self.state.value}"
            self._publish(StandbyDegraded(name=self._peer, generation=self._history.position.generation, reason=reason))
