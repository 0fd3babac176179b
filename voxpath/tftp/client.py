"""The TFTP client: one file read from one server (TFT-1, PHN-11, PHN-12)."""

from collections.abc import Iterable
from dataclasses import dataclass

from voxpath.core.effects import Close, Datagram, Effect, Effects, Emit, Open, Send
from voxpath.core.retransmit import Entropy
from voxpath.model.address import Endpoint
from voxpath.model.event import MessageEvent
from voxpath.tftp.machine import Ending
from voxpath.tftp.message import OCTET, Ack, Data, Error, ErrorCode, Message, OptionAck, Options, ReadRequest, summary
from voxpath.tftp.options import BLOCK_SIZE, DEFAULT_LARGEST_BLOCK, TRANSFER_SIZE
from voxpath.tftp.receiving import Reading
from voxpath.tftp.wire import parse, write

DEFAULT_OPTIONS: Options = ((BLOCK_SIZE, str(DEFAULT_LARGEST_BLOCK)), (TRANSFER_SIZE, "0"))
DEFAULT_LARGEST_FILE = 64 << 20
"""Octets that a phone takes at the most."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read and from where.

    :ivar server: the server's address and its request port.
    :ivar options: the options to ask for.
    :ivar largest: octets that are taken at the most.
    """

    name: str
    server: Endpoint
    options: Options = DEFAULT_OPTIONS
    largest: int = DEFAULT_LARGEST_FILE


class Download:
    """Reads one file; the port stays open for the dally after the end, until :meth:`stop` or :attr:`over`.

    :param port: name of the local port, which this opens and closes.
    :param phone: the identity of the phone, for events.
    """

    def __init__(self, wanted: Wanted, port: str, local: Endpoint, entropy: Entropy, phone: str = "") -> None:
        self.wanted = wanted
        self.port = port
        self._local = local
        self._phone = phone
        self._reading = Reading(ReadRequest(wanted.name, OCTET, wanted.options), wanted.largest, entropy)
        self._transfer_id: int | None = None
        self._open = False

    @property
    def ending(self) -> Ending | None:
        """How it ended; ``None``: it goes on."""
        return self._reading.ending

    @property
    def content(self) -> bytes:
        """What was read so far."""
        return self._reading.content

    @property
    def over(self) -> bool:
        """Whether the port is closed again."""
        return self.ending is not None and not self._open

    def start(self, now: float) -> Effects:
        """Open the port and send the request."""
        self._open = True
        return [Open(self.port, self._local), *self._say(self._reading.start(now))]

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a message; one from another host or port is no part of the transfer (RFC 1350 section 4).

        :raises RemoteError: it is malformed; the transfer goes on.
        """
        message = parse(datagram.payload)
        if datagram.source.host != self.wanted.server.host:
            return self._stray(datagram, message)
        if self._transfer_id is None:
            self._transfer_id = datagram.source.port
        elif datagram.source.port != self._transfer_id:
            return self._stray(datagram, message)
        begun = self._reading.begun
        answers = self._reading.take(message, now)
        told: list[Effect] = []
        if isinstance(message, OptionAck | Error) or not begun:
            told.append(self._arrow(message, received=True))
        return [*told, *self._say(answers), *self._close_after_failure()]

    def tick(self, now: float) -> Effects:
        """Repeat what was not answered; or close the port at the end of the dally."""
        effects = [*self._say(self._reading.tick(now))]
        if self.ending is not None and self._reading.due is None:
            effects += self.stop()
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._reading.due if self._open else None

    def stop(self) -> Effects:
        """Close the port, in the middle of the transfer too."""
        was_open, self._open = self._open, False
        return [Close(self.port)] if was_open else []

    def _close_after_failure(self) -> Effects:
        """A failed transfer has nothing to dally for."""
        return self.stop() if self.ending is not None and self._reading.due is None else []

    def _stray(self, datagram: Datagram, message: Message) -> Effects:
        if isinstance(message, Error):
            return []
        return [Send(write(Error(ErrorCode.UNKNOWN_TID, "no transfer of yours")), datagram.source, self.port)]

    def _say(self, messages: Iterable[Message]) -> list[Effect]:
        server = self.wanted.server
        destination = server if self._transfer_id is None else Endpoint(server.host, self._transfer_id)
        effects: list[Effect] = []
        for message in messages:
            effects.append(Send(write(message), destination, self.port))
            if not isinstance(message, Ack | Data) or self.ending is not None:
                effects.append(self._arrow(message, received=False))
        return effects

    def _arrow(self, message: Message, received: bool) -> Emit:
        sender, receiver = ("tftp", self._phone) if received else (self._phone, "tftp")
        return Emit(MessageEvent(phone=self._phone, protocol="TFTP", sender=sender, receiver=receiver, summary=summary(message)))
