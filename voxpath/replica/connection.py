"""The active's connection: made, and made again after each end, for as long as the role runs.

The pauses are short: a standby is back within some seconds after its cable is.
Only one that refuses is left alone for longer, since nothing changes there by itself.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols import amp
from twisted.python.failure import Failure

from voxpath.io.clock import Clock
from voxpath.io.cut import cut
from voxpath.replica.session import Link
from voxpath.replica.trouble import reason_of

CONNECT_S: Final = 2.0
"""So long one attempt may take; the kernel repeats a lost SYN after ever longer pauses, a new attempt begins anew."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 2.0
"""Pauses between attempts at a standby that cannot be reached; doubled each time."""

REFUSED_PAUSE_S: Final = 5.0
"""The same at one that did not accept the last connection."""


class Connected(Protocol):
    """Who uses the active's connection (:class:`voxpath.replica.active.Active`)."""

    @property
    def was_refused(self) -> bool:
        """Whether the standby did not accept the last connection."""

    def connected(self, link: Link) -> None:
        """It began."""

    def disconnected(self, link: Link, reason: str) -> None:
        """It ended."""

    def unreachable(self, reason: str) -> None:
        """It could not begin."""


def _nothing(*_: object) -> None:
    """Nobody wants to know."""


class ActiveLink(amp.AMP):
    """The active's end.

    :param begun: is called with it when it has begun.
    :param ended: is called when it has ended.
    """

    def __init__(
        self, user: Connected, begun: Callable[["ActiveLink"], None] = _nothing, ended: Callable[[], None] = _nothing
    ) -> None:
        super().__init__()
        self._user = user
        self._begun = begun
        self._ended = ended
        self._why = ""

    def connectionMade(self) -> None:
        """Say who we are."""
        super().connectionMade()
        self._begun(self)
        self._user.connected(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Go on alone; a failed handshake ends a connection, too."""
        # First, so that nobody takes the end of all unanswered messages for refusals.
        try:
            self._user.disconnected(self, self._why or reason_of(reason))
        finally:
            super().connectionLost(reason)
            self._ended()

    def tell(self, command: type[amp.Command], **arguments: object) -> "Deferred[dict[str, Any]]":
        """Send a message."""
        return cast("Deferred[dict[str, Any]]", self.callRemote(command, **arguments))

    def abort(self, why: str = "") -> None:
        """Cut the connection."""
        self._why = self._why or why
        cut(self)


class Connection:
    """Keeps the connection up."""

    def __init__(self, user: Connected, endpoint: IStreamClientEndpoint, clock: Clock) -> None:
        self._user = user
        self._endpoint = endpoint
        self._clock = clock
        self._factory = Factory.forProtocol(self._link_of)
        self._factory.noisy = False
        self._attempt: Deferred[Any] | None = None
        self._link: ActiveLink | None = None
        self._timer: IDelayedCall | None = None
        self._pause_s = FIRST_PAUSE_S
        self._over: Deferred[None] | None = None

    def begin(self) -> None:
        """Connect from now on."""
        self._timer = None
        self._attempt = self._endpoint.connect(self._factory)
        self._attempt.addCallbacks(self._made, self._failed)

    def end(self) -> "Deferred[None]":
        """Connect no more; the Deferred fires when there is no connection."""
        self._over = Deferred()
        if self._timer is not None:
            self._timer.cancel()
        elif self._link is not None:
            self._link.abort()
            return self._over
        elif self._attempt is not None:
            self._attempt.cancel()
        return succeed(None)

    def _link_of(self) -> ActiveLink:
        return ActiveLink(self._user, self._begun, self._ended)

    def _begun(self, link: ActiveLink) -> None:
        # Not sooner: a link that has not begun cannot be cut, and its end would be waited for in vain.
        self._link = link

    def _made(self, _: object) -> None:
        self._attempt = None

    def _failed(self, failure: Failure) -> None:
        self._attempt = None
        if self._over is None:
            self._user.unreachable(reason_of(failure))
            self._again(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _ended(self) -> None:
        self._link = None
        if self._over is not None:
            self._over.callback(None)
            return
        self._pause_s = FIRST_PAUSE_S
        self._again(REFUSED_PAUSE_S if self._user.was_refused else FIRST_PAUSE_S)

    def _again(self, pause_s: float) -> None:
        self._timer = self._clock.call_at(self._clock.now() + pause_s, self.begin)
