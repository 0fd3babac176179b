"""The standby's end of the connection: AMP over mutually authenticated TLS; the active connects, the standby listens."""

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import Certificate
from twisted.protocols import amp
from twisted.python.failure import Failure

from voxpath.core.errors import RemoteError
from voxpath.core.rate import PerSecond, Rarely
from voxpath.io.clock import Clock
from voxpath.io.cut import cut
from voxpath.io.tls import names_of
from voxpath.model.event import Event
from voxpath.replica.event import StandbyRefused
from voxpath.replica.folder import File
from voxpath.replica.message import (
    GROUP_OCTETS,
    SILENCE_S,
    VERSION,
    Beat,
    Changes,
    FileEnd,
    FileGone,
    FileOffer,
    FilePart,
    FilesBegin,
    FilesEnd,
    Hello,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotRows,
)
from voxpath.replica.session import SCHEMA
from voxpath.replica.standby import Standby
from voxpath.replica.target import FileTarget
from voxpath.replica.trouble import reason_of
from voxpath.store.history import Entry, Position

Result = TypeVar("Result")

MAX_CONNECTIONS = 64
MAX_OF_HOST = 8
"""Connections at one time, of all hosts and of one: nobody has shown a certificate when a connection is taken."""

REFUSALS_PER_SECOND = 1
"""Refused connections that become events: anybody who reaches the port can cause them."""

REPEATED_S = 600.0
"""The same refusal of the same host is told again after so long: an active that is refused tries again and again."""


class StandbyLink(amp.AMP):
    """The standby's end of one connection."""

    def __init__(self, site: "StandbyFactory", host: str, refused: bool) -> None:
        super().__init__()
        self.host = host
        self._site = site
        self._refused = refused
        self._told = False
        self._greeted = False
        self._why = ""
        self._pieces: list[bytes] = []
        self._octets = 0
        self._silence: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the first message, the TLS handshake included, no longer than for any later one."""
        super().connectionMade()
        if self._refused:
            self.abort()
        else:
            self._heard()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The active is gone, or was none."""
        super().connectionLost(reason)
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        text = self._why or reason_of(reason)
        if not self._greeted:
            self._tell(f"it ended before it had said who it is: {text}" if reason.check(ConnectionClosed) else text)
        self._site.gone(self, text)

    def abort(self, why: str = "") -> None:
        """Cut the connection."""
        self._why = self._why or why
        cut(self)

    @Hello.responder
    def hello(self, name: str, version: int, schema: int) -> "Deferred[dict[str, object]]":
        """The active must be who its certificate says, and speak as we do."""
        self._heard()
        site = self._site
        if name != site.peer or name not in site.names(self):
            raise self._refusal(f"this is no certificate of {site.peer}, the only active server that may write here")
        if (version, schema) != (VERSION, SCHEMA):
            raise self._refusal(
                f"version {version} with schema {schema} is spoken, here it is {VERSION} with {SCHEMA}: update both"
            )
        self._greeted = True

        def told(position: Position) -> dict[str, object]:
            return {"epoch": position.epoch, "generation": position.generation}

        return site.standby.take(self).addCallbacks(told, self._failed)

    @Changes.responder
    def changes(self, epoch: str, generation: int, changes: bytes, more: bool) -> "dict[str, object] | Deferred[dict[str, object]]":
        """A group; it is answered when it is durable."""
        octets = self._whole(changes, more)
        if octets is None:
            return {}
        applied = self._guarded(lambda: self._site.standby.apply(self, Entry(Position(epoch, generation), octets)))
        return applied.addCallbacks(_done, self._failed)

    @SnapshotBegin.responder
    def begin(self) -> dict[str, object]:
        """Everything follows."""
        self._must_be_greeted()
        self._guarded(lambda: self._site.standby.begin(self))
        return {}

    @SnapshotRows.responder
    def rows(self, table: str, rows: bytes, more: bool) -> dict[str, object]:
        """Rows of the snapshot."""
        octets = self._whole(rows, more)
        if octets is not None:
            self._guarded(lambda: self._site.standby.fill(self, table, octets))
        return {}

    @SnapshotEnd.responder
    def end(self, epoch: str, generation: int) -> "Deferred[dict[str, object]]":
        """The snapshot is complete; it is answered when it is durable."""
        self._must_be_greeted()
        taken = self._guarded(lambda: self._site.standby.complete(self, Position(epoch, generation)))
        return taken.addCallbacks(_done, self._failed)

    @Beat.responder
    def beat(self, generation: int) -> dict[str, object]:
        """The active lives."""
        self._must_be_greeted()
        self._site.standby.heard(generation)
        return {}

    # Files.

    @FilesBegin.responder
    def files_begin(self, directory: str, anew: bool) -> "Deferred[dict[str, object]]":
        """The files of a directory follow."""
        self._must_be_greeted()
        return self._site.files.begin(directory, anew)

    @FileOffer.responder
    def file_offer(self, path: str, size: int, digest: bytes, private: bool, modified_ns: int) -> "Deferred[dict[str, object]]":
        """A file of it."""
        self._must_be_greeted()
        return self._site.files.offer(File(path, size, digest, private, modified_ns))

    @FilePart.responder
    def file_part(self, octets: bytes) -> "Deferred[dict[str, object]]":
        """Octets of the file that is wanted."""
        self._must_be_greeted()
        return self._site.files.part(octets)

    @FileEnd.responder
    def file_end(self) -> "Deferred[dict[str, object]]":
        """The file is complete."""
        self._must_be_greeted()
        return self._site.files.end()

    @FileGone.responder
    def file_gone(self, path: str) -> "Deferred[dict[str, object]]":
        """A file is no longer there."""
        self._must_be_greeted()
        return self._site.files.gone(path)

    @FilesEnd.responder
    def files_end(self) -> "Deferred[dict[str, object]]":
        """That were all."""
        self._must_be_greeted()
        return self._site.files.finish()

    def _whole(self, piece: bytes, more: bool) -> bytes | None:
        """Put the pieces of a value together; ``None``: more are to come."""
        self._must_be_greeted()
        self._pieces.append(piece)
        self._octets += len(piece)
        if self._octets > GROUP_OCTETS:
            raise self._refusal(f"a value has more than {GROUP_OCTETS} octets")
        if more:
            return None
        whole = b"".join(self._pieces)
        self._pieces, self._octets = [], 0
        return whole

    def _must_be_greeted(self) -> None:
        self._heard()
        if not self._greeted:
            raise self._refusal("say hello first")

    def _heard(self) -> None:
        clock = self._site.clock
        self._site.standby.hears(self)
        if self._silence is not None:
            self._silence.cancel()
        self._silence = clock.call_at(clock.now() + SILENCE_S, self._silent)

    def _silent(self) -> None:
        self._silence = None
        self.abort(f"nothing was heard for {SILENCE_S:g} s")

    def _guarded(self, step: Callable[[], Result]) -> Result:
        """Carry out a step; whatever is refused ends the connection after the answer."""
        try:
            return step()
        except RemoteError as error:
            raise self._refusal(error.reason) from error

    def _failed(self, failure: Failure) -> Failure:
        failure.trap(RemoteError)
        self._end()
        return failure

    def _refusal(self, reason: str) -> RemoteError:
        self._tell(reason)
        self._end()
        return RemoteError(reason)

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            self._site.refused(self.host, reason)

    def _end(self) -> None:
        # A turn later: TLS sends nothing after the end was asked for, and the refusal has to be heard.
        self._site.clock.call_at(self._site.clock.now(), self._lose)

    def _lose(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def _done(_: object) -> dict[str, object]:
    return {}


def peer_names(link: StandbyLink) -> frozenset[str]:
    """The names that the active's certificate is for."""
    return names_of(Certificate.peerFromTransport(link.transport))


class StandbyFactory(Factory):
    """Takes the connections of the active.

    :param peer: the active's name.
    :param publish: takes events.
    :param names: tells which names a connection may claim; tests without TLS replace it.
    """

    # Our own events tell of connections; Twisted's lines would come for strangers too.
    noisy = False

    def __init__(
        self,
        peer: str,
        standby: Standby,
        files: FileTarget,
        clock: Clock,
        publish: Callable[[Event], None],
        names: Callable[[StandbyLink], frozenset[str]] = peer_names,
    ) -> None:
        self.peer = peer
        self.standby = standby
        self.files = files
        self.clock = clock
        self.names = names
        self._publish = publish
        self._reports = PerSecond(REFUSALS_PER_SECOND)
        self._told = Rarely(REPEATED_S)
        self._connected: set[StandbyLink] = set()

    def buildProtocol(self, addr: object) -> StandbyLink:
        """Take a connection; one too many is cut at once (Twisted's TLS cannot take ``None`` for an answer)."""
        host = str(getattr(addr, "host", ""))
        of_host = sum(each.host == host for each in self._connected)
        refused = len(self._connected) >= MAX_CONNECTIONS or of_host >= MAX_OF_HOST
        link = StandbyLink(self, host, refused)
        if not refused:
            self._connected.add(link)
        return link

    def refused(self, host: str, reason: str) -> None:
        """A connection did not get as far as to write; a flood of them must not fill the log."""
        now, what = self.clock.now(), (host, reason)
        # What the limit keeps back was not told, and what was told before takes nobody else's place.
        if self._told.would_admit(what, now) and self._reports.admits(now) and self._told.admits(what, now):
            self._publish(StandbyRefused(peer_address=host or "a stranger", reason=reason))

    def gone(self, link: StandbyLink, reason: str) -> None:
        """A connection has ended."""
        self._connected.discard(link)
        if self.standby.release(link, reason):
            self.files.abandon()

    def close(self) -> None:
        """End all connections."""
        for link in list(self._connected):
            link.abort()
