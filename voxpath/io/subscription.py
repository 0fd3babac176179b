"""The subscriber's side: keeps a read-only copy of gateways' ledgers, and says when a copy is stale."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import Certificate
from twisted.protocols import amp
from twisted.python.failure import Failure

from voxpath.core.errors import RemoteError
from voxpath.io.calls import RemoteSessions
from voxpath.io.clock import Clock
from voxpath.io.cut import cut
from voxpath.io.feed import HEARTBEAT_S, Begin, Changes, Ready, Rows
from voxpath.io.tls import names_of
from voxpath.model.ports import PortBinding
from voxpath.ports.row import binding_from_row

SILENCE_S = 3 * HEARTBEAT_S
"""A gateway that is silent for so long is taken for dead, and its copy for stale."""

MAX_CONNECTIONS = 1024
"""Gateways that may be connected at once."""

MAX_OF_HOST = 16
"""Connections from one address: nobody has shown a certificate when a connection is taken, so no host may take all room."""

MAX_ROWS = 200_000
"""Rows of one gateway's snapshot."""


class Copy(Protocol):
    """What is kept (:class:`voxpath.ports.copy.LedgerCopy`)."""

    def snapshot(self, gateway: str, generation: int, bindings: Sequence[PortBinding]) -> None:
        """Replace all rows of a gateway; its copy is fresh."""

    def apply(self, gateway: str, generation: int, puts: Sequence[PortBinding], deletes: Sequence[PortBinding]) -> bool:
        """Apply a change; false: a snapshot is needed first."""

    def stale(self, gateway: str) -> None:
        """The gateway cannot be heard: do not use its rows."""


class Receiver(amp.AMP):
    """One gateway's connection."""

    def __init__(
        self,
        copy: Copy,
        clock: Clock,
        on_link: Callable[[str, bool], None],
        names: Callable[["Receiver"], frozenset[str]],
        on_begin: Callable[["Receiver"], None],
        on_end: Callable[["Receiver"], None],
        host: str = "",
        refused: bool = False,
        sessions: RemoteSessions | None = None,
    ) -> None:
        super().__init__()
        self._sessions = sessions
        self.host = host
        self.refused = refused
        self._on_begin = on_begin
        self._on_end = on_end
        self._copy = copy
        self._clock = clock
        self._on_link = on_link
        self._names = names
        self.gateway = ""
        self._rows: list[PortBinding] = []
        self._silence: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the first message, the TLS handshake included, no longer than for any later one."""
        super().connectionMade()
        if self.refused:
            self.abort()
        else:
            self._heard()

    @Begin.responder
    def begin(self, gateway: str) -> dict[str, object]:
        """A snapshot begins; the gateway must be who its certificate says."""
        if gateway not in self._names(self):
            raise self._refusal("the certificate is not for this gateway")
        self.gateway, self._rows = gateway, []
        self._on_begin(self)
        return self._heard()

    @Rows.responder
    def rows(self, rows: bytes) -> dict[str, object]:
        """Rows of the snapshot."""
        self._rows += _bindings(rows)
        if not self.gateway or len(self._rows) > MAX_ROWS:
            raise self._refusal(f"no snapshot was begun, or it has more than {MAX_ROWS} rows")
        return self._heard()

    @Ready.responder
    def ready(self, generation: int) -> dict[str, object]:
        """The snapshot is complete."""
        if not self.gateway:
            raise self._refusal("no snapshot was begun")
        self._copy.snapshot(self.gateway, generation, self._rows)
        self._rows = []
        self._on_link(self.gateway, True)
        if self._sessions is not None:
            self._sessions.linked(self.gateway, self)
        return self._heard()

    @Changes.responder
    def changes(self, generation: int, puts: bytes, deletes: bytes) -> dict[str, object]:
        """A transaction, or a heartbeat."""
        if not self._copy.apply(self.gateway, generation, _bindings(puts), _bindings(deletes)):
            raise self._refusal("no snapshot was taken")
        return self._heard()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The gateway is gone: its copy is stale."""
        super().connectionLost(reason)
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if self.gateway:
            if self._sessions is not None:
                self._sessions.unlinked(self.gateway, self)
            self._copy.stale(self.gateway)
            self._on_link(self.gateway, False)
        self._on_end(self)

    def supersede(self) -> None:
        """The gateway has connected anew: the end of this connection says nothing about its copy any more."""
        self.gateway = ""
        self.abort()

    def _heard(self) -> dict[str, object]:
        if self._silence is not None:
            self._silence.cancel()
        self._silence = self._clock.call_at(self._clock.now() + SILENCE_S, self._silent)
        return {}

    def _silent(self) -> None:
        self._silence = None
        self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        cut(self)

    def _refusal(self, reason: str) -> RemoteError:
        # The answer names the error; the connection ends after it.
        if self.transport is not None:
            self.transport.loseConnection()
        return RemoteError(reason)


def peer_names(receiver: Receiver) -> frozenset[str]:
    """The names that the gateway's certificate is for."""
    return names_of(Certificate.peerFromTransport(receiver.transport))


class SubscriptionFactory(Factory):
    """Takes the connections of gateways.

    :param on_link: is told of a gateway's name and whether its copy is fresh.
    :param names: tells which names a connection may claim; tests without TLS replace it.
    :param sessions: is told of gateways that are connected, so that they hear of calls.
    """

    # Our own events tell of connections; Twisted's lines would come for strangers too.
    noisy = False

    def __init__(
        self,
        copy: Copy,
        clock: Clock,
        on_link: Callable[[str, bool], None],
        names: Callable[[Receiver], frozenset[str]] = peer_names,
        sessions: RemoteSessions | None = None,
    ) -> None:
        self._sessions = sessions
        self._arguments = (copy, clock, on_link, names)
        self._connected: set[Receiver] = set()

    def buildProtocol(self, addr: object) -> Receiver:
        """Take a connection; one too many is cut at once (Twisted's TLS cannot take ``None`` for an answer)."""
        host = str(getattr(addr, "host", ""))
        of_host = sum(each.host == host for each in self._connected)
        refused = len(self._connected) >= MAX_CONNECTIONS or of_host >= MAX_OF_HOST
        receiver = Receiver(*self._arguments, self._begun, self._connected.discard, host, refused, self._sessions)
        if not refused:
            self._connected.add(receiver)
        return receiver

    def _begun(self, receiver: Receiver) -> None:
        """A gateway has one connection: an older one may be half dead, and must not make the copy stale when it is found so."""
        for other in list(self._connected):
            if other is not receiver and other.gateway == receiver.gateway:
                other.supersede()

    def close(self) -> None:
        """End all connections."""
        for receiver in list(self._connected):
            receiver.abort()


def _bindings(rows: bytes) -> list[PortBinding]:
    try:
        return [binding_from_row(row) for row in msgspec.json.decode(rows, type=list[list[Any]])]
    except (ValueError, msgspec.DecodeError) as error:
        raise RemoteError(f"a row cannot be read: {error}") from error
