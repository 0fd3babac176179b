"""The control socket: a UNIX socket over which ``voxpath ctl`` asks a running process.

Whoever may open the socket may do everything, so its directory and its permission bits are the whole access control.
"""

import os
import socket
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError, RemoteError
from voxpath.manage.commands import COMMANDS, Answer, Console
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import as_dict, columns_of
from voxpath.manage.wire import REQUEST_LIMIT, ROWS_LIMIT, Reply, Request, parse_request, print_line
from voxpath.model.event import printable

CONNECTIONS_LIMIT = 32
"""Connections at one time; further ones are closed at once."""

IDLE_S = 30.0
"""A connection on which nothing is asked for so long is closed."""

AT_ONCE = 1000
"""Rows of an answer that is encoded in one go."""

DIRECTORY_MODE = 0o700
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

log = Logger()


class ControlProtocol(LineOnlyReceiver):
    """One connection: requests one after the other, each answered by one line."""

    delimiter = b"\n"
    MAX_LENGTH = REQUEST_LIMIT

    def __init__(self, service: "ControlService") -> None:
        self._service = service
        self._idle: IDelayedCall | None = None
        self._busy = False
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Begin to wait for a request."""
        self._service.connections.add(self)
        self._wait()

    def lineReceived(self, line: bytes) -> None:
        """Carry out one request; whatever is wrong with it is answered."""
        if self._busy:
            self._refuse("a request is under way; send one request at a time")
            return
        self._busy = True
        self._stop_waiting()
        Deferred.fromCoroutine(self._service.answer(line)).addErrback(_reply_to_failure).addCallback(self._finish)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a request that is too long, before all of it is read."""
        self._refuse(f"a request has {REQUEST_LIMIT} octets at the most; shorten its arguments")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection; the answer of a request under way is dropped."""
        self._stop_waiting()
        self._service.connections.discard(self)
        self.gone.callback(None)

    def close(self) -> "Deferred[None]":
        """End the connection now; the Deferred fires when it is gone."""
        self._transport.abortConnection()
        return self.gone

    @property
    def _transport(self) -> Any:
        return self.transport

    def _finish(self, reply: Reply) -> None:
        self._busy = False
        if not self.gone.called:
            self._transport.write(print_line(reply))
            self._wait()

    def _refuse(self, error: str) -> None:
        self._transport.write(print_line(Reply(error=error)))
        self._transport.loseConnection()

    def _wait(self) -> None:
        self._idle = self._service.reactor.callLater(IDLE_S, self._transport.abortConnection)

    def _stop_waiting(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = None


class ControlFactory(Factory):
    """Accepts connections up to their limit."""

    # Our own events tell of connections; Twisted's lines would come for strangers too.
    noisy = False

    def __init__(self, service: "ControlService") -> None:
        self._service = service

    def buildProtocol(self, addr: IAddress | None) -> ControlProtocol | None:
        """Accept a connection; ``None`` closes it."""
        return ControlProtocol(self._service) if len(self._service.connections) < CONNECTIONS_LIMIT else None


class ControlService(Service):
    """Listens while it runs; a stale socket of a process that was killed is replaced.

    :param reactor: provides ``IReactorUNIX`` and ``IReactorTime``.
    :ivar connections: those that are open.
    """

    def __init__(self, reactor: Any, path: Path, console: Console, mode: int = 0o600) -> None:
        self.reactor = reactor
        self.connections: set[ControlProtocol] = set()
        self._path = path
        self._console = console
        self._mode = mode
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        """Open the socket; raise :class:`LocalError` when its place is not safe or another process listens there."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's Service has no annotations
        prepare(self._path)
        before = os.umask(0o777 & ~self._mode)
        try:
            self._port = self.reactor.listenUNIX(str(self._path), ControlFactory(self), mode=self._mode)
        finally:
            os.umask(before)

    def stopService(self) -> "Deferred[Any]":
        """Close the socket and all connections; the Deferred fires when they are gone."""
        super().stopService()  # type: ignore[no-untyped-call]  # Twisted's Service has no annotations
        ends: list[Deferred[Any]] = [connection.close() for connection in tuple(self.connections)]
        if self._port is not None:
            ends.append(maybeDeferred(self._port.stopListening))
            self._port = None
        return DeferredList(ends)

    async def answer(self, line: bytes) -> Reply:
        """Carry out a request; raises :class:`RemoteError` and :class:`CommandError`."""
        answer = carry_out(self._console, parse_request(line))
        found = await answer if isinstance(answer, Deferred) else answer
        if len(found.rows) <= AT_ONCE:
            return reply_of(found)
        # Row by row, in as many turns as it takes: what is encoded already goes into the reply as it is.
        told = await self._console.facts.gather(msgspec.Raw(msgspec.json.encode(row)) for row in found.rows[:ROWS_LIMIT])
        return structs.replace(reply_of(replace(found, rows=())), rows=told, left_off=max(0, len(found.rows) - ROWS_LIMIT))


def carry_out(console: Console, request: Request) -> "Answer | Deferred[Answer]":
    """Find the command and run it; raise :class:`CommandError` when there is none or its arguments do not fit."""
    command = COMMANDS.get(request.verb)
    if command is None:
        raise CommandError(printable(request.verb, 40), "there is no such verb", f"use one of {', '.join(COMMANDS)}")
    if not command.accepts(len(request.arguments)):
        raise CommandError(command.verb, f"does not take {len(request.arguments)} arguments", f"write {command.usage}")
    return command.run(console, request.arguments)


def reply_of(answer: Answer) -> Reply:
    """Turn a command's answer into a reply."""
    return Reply(
        columns=columns_of(answer.kind),
        rows=[as_dict(row) for row in answer.rows[:ROWS_LIMIT]],
        entries=answer.entries,
        left_off=max(0, len(answer.rows) - ROWS_LIMIT),
        note=answer.note,
        about=answer.about,
        text=answer.text,
    )


def _reply_to_failure(failure: Failure) -> Reply:
    """Answer an error in one line; our own bug is logged with its traceback as well."""
    if failure.check(RemoteError, LocalError) is not None:
        return Reply(error=printable(str(failure.value), 1000))
    log.failure("a command failed", failure)
    return Reply(error="the command failed inside voxpath; see its log")


def prepare(path: Path) -> None:
    """Make the socket's directory, and remove a socket that nobody listens on any more.

    :raises LocalError: others may write into the directory, or the path is in use.
    """
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    check_place(path)
    if is_stale(path):
        path.unlink()


def check_place(path: Path) -> None:
    """Look at what is there already, and change nothing.

    :raises LocalError: others may write into the directory, or something else than a socket has the path.
    """
    directory = path.parent
    with suppress(FileNotFoundError, NotADirectoryError):
        if directory.stat().st_mode & WRITABLE_BY_OTHERS:
            raise LocalError(f"control socket: others may write into {directory}; chmod go-w it, or name another control.socket")
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise LocalError(f"control socket: {path} is there and is no socket; remove it, or name another control.socket")


def is_stale(path: Path) -> bool:
    """Tell whether a socket is there that nobody listens on.

    :raises LocalError: somebody does, or it cannot be told.
    """
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError as error:
            raise LocalError(f"control socket: {path}: {error.strerror}; remove it, or name another control.socket") from None
    raise LocalError(f"control socket: another process listens on {path}; stop it, or name another state directory")
