"""What was not answered, and what was refused: all of it is counted, and so much of it a second is told.

A scanner sends thousands of requests a second, and each of them must not be a line of the log.
"""

from collections import Counter

from voxpath.core.rate import PerSecond
from voxpath.model.event import Event, MessageEvent
from voxpath.sip.event import CredentialsRefused, NeedsProxy, NotReached, Redirected, SipRefused
from voxpath.sip.status import phrase

TOLD_PER_SECOND = 20
"""Events of one kind that are told in a second, among those that anybody can cause: messages of unknown senders, too."""


class Tally:
    """Counts by reason.

    :ivar silent: messages that got no answer.
    :ivar refused: requests that were refused, by the answer's status; credentials that were refused.
    :ivar untold: events that were left out.
    """

    def __init__(self) -> None:
        self.silent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.untold = 0
        kinds: tuple[type[Event], ...] = (SipRefused, CredentialsRefused, NotReached, NeedsProxy, Redirected, MessageEvent)
        self._rates = {kind: PerSecond(TOLD_PER_SECOND) for kind in kinds}

    def tells(self, kind: type[Event], now: float) -> bool:
        """Whether one more event of this kind may be told; ask before making one that is for nothing but being told."""
        if self._rates[kind].admits(now):
            return True
        self.untold += 1
        return False

    def admits(self, event: Event, now: float) -> bool:
        """Count a refusal, and say whether it may be told; of all other events it is certain that they may."""
        match event:
            case SipRefused(status=status) | NotReached(status=status):
                self.refused[f"{status} {phrase(status)}"] += 1
            case CredentialsRefused():
                self.refused["wrong credentials"] += 1
            case _:
                return True
        return self.tells(type(event), now)
