"""Events of the operator's console: who entered the manhole, from where, and what was run there."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class ManholeOpened(Event, frozen=True, kw_only=True):
    """The manhole listens: whoever may log in can do everything that this process can."""

    ID: ClassVar[str] = "MANHOLE_OPENED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "the manhole is open by {way} at {where}: whoever may log in can do everything that this process can"

    way: str
    where: str


class ManholeEntered(Event, frozen=True, kw_only=True):
    """Somebody logged in to the manhole.

    :ivar who: by SSH the key's fingerprint and comment, and the user name that was given; by telnet the user.
    :ivar source: address and port that the connection came from.
    """

    ID: ClassVar[str] = "MANHOLE_ENTERED"
    TEXT: ClassVar[str] = "{who} entered the manhole by {way} from {source}"
    AUDIT: ClassVar[bool] = True

    way: str
    who: str
    source: str


class ManholeLoginRefused(Event, frozen=True, kw_only=True):
    """Somebody tried to log in to the manhole and was refused.

    :ivar who: whom he said to be, and the fingerprint of the key that he offered.
    """

    ID: ClassVar[str] = "MANHOLE_LOGIN_REFUSED"
    TEXT: ClassVar[str] = "{who} was refused by the manhole ({way} from {source}): {reason}"

    way: str
    who: str
    source: str
    reason: str


class ManholeLine(Event, frozen=True, kw_only=True):
    """A line that somebody is about to run in the manhole; a long one is told in several events, in order.

    :ivar line: Python, with control characters escaped.
    """

    ID: ClassVar[str] = "MANHOLE_LINE"
    TEXT: ClassVar[str] = "{who} from {source}: {line}"
    AUDIT: ClassVar[bool] = True

    who: str
    source: str
    line: str


class ManholeLeft(Event, frozen=True, kw_only=True):
    """Somebody left the manhole, or was sent away."""

    ID: ClassVar[str] = "MANHOLE_LEFT"
    TEXT: ClassVar[str] = "{who} from {source} left the manhole: {reason}"
    AUDIT: ClassVar[bool] = True

    who: str
    source: str
    reason: str


class ManholeRefused(Event, frozen=True, kw_only=True):
    """A connection to the manhole was ended before anybody logged in: too many, too slow, too much, or no SSH or telnet at all."""

    ID: ClassVar[str] = "MANHOLE_REFUSED"
    TEXT: ClassVar[str] = "a connection to the manhole by {way} from {source} was ended: {reason}"

    way: str
    source: str
    reason: str
