"""What all local ports have in common: a socket on the reactor that is read until it would block, so that no burst is lost."""

import errno
import os
import socket
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from voxpath.core.effects import Answer, Burst, Datagram, Send
from voxpath.io.backlog import Backlog
from voxpath.model.address import Endpoint

log = Logger()

LOOK_AGAIN = 8
"""Where datagrams come one at a time, only every so many turns ask whether there is a second one: that costs a system call."""

READ_PER_TURN = 64
"""Datagrams that are read in one turn of the reactor: a flood on one port must not hold up the others, nor finished commits."""

READ_INTO_BACKLOG = 1024
"""The same, where they only join a backlog: the socket is emptied much faster than a core could serve what is in it."""

PASSING = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EINTR})
"""Errors that say something of an earlier datagram, or that the interface is down at the moment; the socket lives on."""


class Readers(Protocol):
    """What a port needs of a reactor, or of :class:`~voxpath.io.gathered.Gathered`."""

    def addReader(self, reader: IReadDescriptor) -> object:
        """Let it read when there is something."""

    def removeReader(self, reader: IReadDescriptor) -> object:
        """No more."""


@implementer(IReadDescriptor)
class LocalPort:
    """A socket on the reactor; a subclass says how one datagram is read, and how one is sent.

    :param name: the core's name for it.
    :param opened: the socket, non-blocking; it is closed with the port.
    :param local: where it is bound.
    :param receive: is given every datagram.
    :param device: the interface that it is bound to; empty: none.
    :param on_lost: is told why, when the port cannot be read any more; it then has to be opened anew.
    :param backlog: takes the datagrams in place of ``receive``, more of them a turn, and gives them to the core at its own pace.
    """

    def __init__(
        self,
        reactor: Readers,
        name: str,
        opened: socket.socket,
        local: Endpoint,
        receive: Callable[[Datagram], None],
        device: str,
        on_lost: Callable[[str], None],
        backlog: Backlog | None = None,
    ) -> None:
        self.name = name
        self.local = local
        self.device = device
        self._reactor = reactor
        self._socket = opened
        self._receive = receive
        self._on_lost = on_lost
        self._backlog = backlog
        self._turns_of_one = 0
        self._index = socket.if_nametoindex(device) if device else 0
        reactor.addReader(self)

    def send(self, send: Send) -> None:
        """Send a datagram; raise :class:`OSError` when the kernel does not take it."""
        raise NotImplementedError

    def burst(self, burst: Burst) -> None:
        """Send several datagrams to one place; raise :class:`OSError` when the kernel does not take one."""
        for payload in burst.payloads:
            self.send(Send(payload, burst.destination, burst.port, burst.source))

    def direct(self, peer: Endpoint, answer: Answer | None) -> None:
        """Let ``answer`` have what comes from one peer first, if this port has such a short way."""

    def reader(self) -> Callable[[], Datagram | None]:
        """What takes one datagram out of the kernel's buffer, and raises :class:`BlockingIOError` when there is none.

        It gives ``None`` for what was read and is passed over.
        """
        raise NotImplementedError

    def answers_for(self, interface: str) -> bool:
        """Whether datagrams to this interface leave here."""
        return self.device == interface

    @property
    def is_orphan(self) -> bool:
        """Whether its interface was made anew under the old name: the socket is bound to the one that is gone."""
        try:
            return bool(self.device) and socket.if_nametoindex(self.device) != self._index
        except OSError:
            # Gone and not yet back.
            return False

    def close(self) -> None:
        """Stop reading and close the socket."""
        self._reactor.removeReader(self)
        self._socket.close()

    # IReadDescriptor

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Read until it would block."""
        backlog = self._backlog
        if backlog is None:
            self._read_into(self._receive, READ_PER_TURN)
            return
        if not backlog.full:
            self._read_into(backlog.add, READ_INTO_BACKLOG)
        backlog.work()

    def _read_into(self, receive: Callable[[Datagram], None], count: int) -> None:
        read = self.reader()
        for number in range(count):
            if number == 1 and self._turns_of_one % LOOK_AGAIN and self._backlog is None:
                # Lock step: the next one comes when the answer to this one has arrived.
                self._turns_of_one += 1
                return
            try:
                datagram = read()
            except BlockingIOError:
                self._turns_of_one = self._turns_of_one + 1 if number == 1 else 0
                return
            except OSError as error:
                if error.errno in PASSING:
                    continue
                raise
            if datagram is None:
                continue
            try:
                receive(datagram)
            except Exception:
                # The reactor drops a reader that raises, and the port would be deaf from then on.
                log.failure("a datagram from {source} on {name}", source=datagram.source, name=self.name)
            if self._socket.fileno() < 0:
                # What was received closed this port.
                return

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gave up on the socket.

        It does so too for an error that passes and comes with nothing to read, which asking for the error clears (socket(7)):
        a packet socket has one when its interface goes down, and hears again when that is up.
        """
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if self._socket.fileno() >= 0 else 0
        if error in PASSING:
            self._reactor.addReader(self)
            return
        self._socket.close()
        where = f"the UDP port {self.local}" if self.local.port else f"the port {self.name} {self.device}".rstrip()
        self._on_lost(f"{where} cannot be read: {os.strerror(error) if error else reason.getErrorMessage()}")

    def logPrefix(self) -> str:
        """The name in Twisted's log."""
        return self.name
