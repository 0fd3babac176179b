"""The gateway's side of a subscription: the ledger's snapshot and then every transaction, over mutually authenticated TLS.

A subscriber that falls behind or is not reached is no reason to wait: its connection is dropped, and a new one begins with a
snapshot.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import ClassVar, Protocol

import msgspec
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols import amp
from twisted.python.failure import Failure

from voxpath.core.errors import RemoteError
from voxpath.io.calls import CallBegins, CallEnds, CallsForgotten, decode
from voxpath.io.clock import Clock
from voxpath.io.cut import cut
from voxpath.io.driver import Sessions
from voxpath.model.event import printable
from voxpath.model.media import MediaSession
from voxpath.model.ports import PortBinding
from voxpath.ports.change import LedgerChange
from voxpath.ports.row import binding_row

HEARTBEAT_S = 5.0
"""A subscriber hears something at least this often, so that it can tell silence from a dead gateway."""

ROWS_PER_MESSAGE = 200
"""Rows in one message: 200 rows of at most some 200 octets stay below AMP's 65 535 octets a value."""

MOST_ROLES = 8
LONGEST_ROLE = 32
"""Roles of a subscriber that tell of calls, and characters of their names."""

MAX_UNANSWERED = 1000
"""Messages that a subscriber may leave unanswered before it is dropped."""


Arguments = list[tuple[bytes, amp.Argument]]


class _Message(amp.Command):
    """What all messages share: the subscriber may refuse, and then the connection ends."""

    errors: ClassVar[dict[type[Exception], bytes]] = {RemoteError: b"REFUSED"}


class Begin(_Message):
    """A snapshot begins: forget what was known of this gateway."""

    arguments: ClassVar[Arguments] = [(b"gateway", amp.Unicode())]


class Rows(_Message):
    """Rows of the snapshot."""

    arguments: ClassVar[Arguments] = [(b"rows", amp.String())]


class Ready(_Message):
    """The snapshot is complete; the copy is fresh from now on."""

    arguments: ClassVar[Arguments] = [(b"generation", amp.Integer())]


class Changes(_Message):
    """A transaction; empty as a heartbeat."""

    arguments: ClassVar[Arguments] = [(b"generation", amp.Integer()), (b"puts", amp.String()), (b"deletes", amp.String())]


class Source(Protocol):
    """What the feed needs of the ledger."""

    @property
    def generation(self) -> int:
        """The generation of the last change."""

    def bindings(self) -> Iterable[PortBinding]:
        """All settled rows."""


def _chunks(bindings: Iterable[PortBinding]) -> Iterator[bytes]:
    rows = iter(bindings)
    while chunk := list(islice(rows, ROWS_PER_MESSAGE)):
        yield _encode(chunk)


class _Publisher(amp.AMP):
    """One connection to a subscriber."""

    def __init__(self, feed: "Feed", name: str) -> None:
        super().__init__()
        self.name = name
        self.taken = False
        self._feed = feed
        self._unanswered = 0

    def connectionMade(self) -> None:
        super().connectionMade()
        self._feed.connected(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._feed.disconnected(self)

    @CallBegins.responder
    def call_begins(self, role: str, session: bytes) -> dict[str, object]:
        """The subscriber tells of a call with one of this gateway's phones."""
        self._feed.call_begins(self.name, role, decode(session))
        return {}

    @CallEnds.responder
    def call_ends(self, role: str, key: str) -> dict[str, object]:
        """It is over."""
        self._feed.call_ends(self.name, role, key)
        return {}

    @CallsForgotten.responder
    def calls_forgotten(self, role: str) -> dict[str, object]:
        """A role of the subscriber begins anew."""
        self._feed.calls_forgotten(self.name, role)
        return {}

    def tell(self, command: type[amp.Command], then: Callable[[], None] = lambda: None, **arguments: object) -> None:
        """Send a message, and call ``then`` when it is answered; a subscriber that refuses or no longer answers is dropped."""
        if self._unanswered >= MAX_UNANSWERED:
            self._drop()
            return
        self._unanswered += 1

        def answered(_: object) -> None:
            self._unanswered -= 1
            then()

        self.callRemote(command, **arguments).addCallbacks(answered, self._refused)

    def _refused(self, _: object) -> None:
        self._drop()

    def _drop(self) -> None:
        # The next connection begins with a snapshot.
        cut(self)


class Feed:
    """Tells every subscriber of a gateway's ledger.

    :param gateway: the gateway's name; its certificate must be for this name.
    :param on_link: is told of a subscriber's name and whether it is connected.
    :param sessions: is told of the calls that subscribers have with phones of this gateway.
    """

    def __init__(
        self,
        gateway: str,
        source: Source,
        clock: Clock,
        on_link: Callable[[str, bool], None],
        sessions: Sessions | None = None,
    ) -> None:
        self._sessions = sessions
        self._roles: dict[str, set[str]] = {}
        self._gateway = gateway
        self._source = source
        self._clock = clock
        self._on_link = on_link
        self._links: set[_Publisher] = set()
        self._heartbeat = clock.call_at(clock.now() + HEARTBEAT_S, self._beat)

    def service(self, name: str, endpoint: IStreamClientEndpoint) -> ClientService:
        """A service that keeps the connection to one subscriber up, with growing pauses while it cannot be reached."""
        factory = Factory.forProtocol(lambda: _Publisher(self, name))
        factory.noisy = False
        return ClientService(endpoint, factory, retryPolicy=backoffPolicy(initialDelay=0.5, maxDelay=15))

    def stop(self) -> None:
        """End the heartbeat; the services end their connections."""
        self._heartbeat.cancel()

    def changed(self, change: LedgerChange) -> None:
        """Tell of a settled change (the ledger's :meth:`~voxpath.ports.ledger.Ledger.watch` calls this)."""
        self._tell(change.generation, change.written, change.removed)

    def connected(self, link: _Publisher) -> None:
        """Begin with a snapshot."""
        link.tell(Begin, gateway=self._gateway)
        for rows in _chunks(self._source.bindings()):
            link.tell(Rows, rows=rows)
        link.tell(Ready, lambda: self._taken(link), generation=self._source.generation)
        self._links.add(link)

    def disconnected(self, link: _Publisher) -> None:
        """Forget a connection."""
        self._links.discard(link)
        if self._sessions is not None and all(other.name != link.name for other in self._links):
            # Its calls may go on without it; when it is back it tells of them anew.
            for role in self._roles.pop(link.name, ()):
                self._sessions.abandon(role)
        if link.taken:
            self._on_link(link.name, False)

    def call_begins(self, name: str, role: str, session: MediaSession) -> None:
        """A subscriber has a call, or it has changed."""
        if self._sessions is not None:
            self._sessions.connect(self._role(name, role), session)

    def call_ends(self, name: str, role: str, key: str) -> None:
        """A subscriber's call is over."""
        if self._sessions is not None:
            self._sessions.disconnect(self._role(name, role), key)

    def calls_forgotten(self, name: str, role: str) -> None:
        """A subscriber's role knows none of its calls any more."""
        if self._sessions is not None:
            self._sessions.abandon(self._role(name, role))

    def _role(self, name: str, role: str) -> str:
        """A role of a subscriber among those of all."""
        known = self._roles.setdefault(name, set())
        told = f"{printable(role, LONGEST_ROLE)} of {name}"
        if told not in known and len(known) >= MOST_ROLES:
            raise RemoteError(f"a subscriber has no more than {MOST_ROLES} roles")
        known.add(told)
        return told

    def _taken(self, link: _Publisher) -> None:
        link.taken = True
        self._on_link(link.name, True)

    def _beat(self) -> None:
        self._heartbeat = self._clock.call_at(self._clock.now() + HEARTBEAT_S, self._beat)
        self._tell(self._source.generation, (), ())

    def _tell(self, generation: int, puts: Sequence[PortBinding], deletes: Sequence[PortBinding]) -> None:
        if not self._links:
            return
        written, removed = _encode(puts), _encode(deletes)
        for link in list(self._links):
            link.tell(Changes, generation=generation, puts=written, deletes=removed)


def _encode(bindings: Iterable[PortBinding]) -> bytes:
    return msgspec.json.encode([binding_row(binding) for binding in bindings])
