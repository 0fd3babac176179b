"""The TFTP server: read only, many transfers at once, each with a local port of its own (RFC 1350 section 4)."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from voxpath.core.effects import Ask, Close, Datagram, Done, Effect, Effects, Emit, Failed, Open, Outcome, Send
from voxpath.core.errors import RemoteError
from voxpath.core.retransmit import Entropy
from voxpath.core.timers import TimerHeap
from voxpath.model.address import BROADCAST_HOST, Endpoint
from voxpath.model.event import Event, Malformed, MessageEvent, printable
from voxpath.tftp import netascii
from voxpath.tftp.event import TftpAborted, TftpRefused, TftpServed, TftpStray
from voxpath.tftp.machine import Sending
from voxpath.tftp.message import NETASCII, OCTET, Ack, Data, Error, ErrorCode, Message, ReadRequest, WriteRequest, summary
from voxpath.tftp.options import DEFAULT_LARGEST_BLOCK, answer_options
from voxpath.tftp.question import Fetch, Refused
from voxpath.tftp.wire import parse, write

PORT = "tftp"
"""Name of the port that takes requests; it may stand for several sockets."""
NOT_ANSWERED = -1
"""In place of an error code: the request was dropped, the client will repeat it."""
DEFAULT_TRANSFERS = 1024
DEFAULT_TRANSFERS_PER_HOST = 8


class Residents(Protocol):
    """Who lives at an address: the leases, as far as the file server needs them."""

    def phone_at(self, address: str) -> str:
        """The identity of the phone that holds this address; empty: nobody known."""


@dataclass(frozen=True, slots=True)
class TftpSettings:
    """The server's limits.

    :ivar largest_block: the largest block size that is agreed, in octets.
    :ivar transfers: how many transfers run at once; further requests are dropped, so that the clients repeat them.
    :ivar transfers_per_host: the same for one address.
    """

    largest_block: int = DEFAULT_LARGEST_BLOCK
    transfers: int = DEFAULT_TRANSFERS
    transfers_per_host: int = DEFAULT_TRANSFERS_PER_HOST


@dataclass(slots=True)
class _Session:
    """One client's transfer.

    :ivar port: its own local port.
    :ivar local: the address that the request came to.
    :ivar sending: ``None`` until the file is there.
    """

    port: str
    client: Endpoint
    local: str
    phone: str
    request: ReadRequest
    began: float
    sending: Sending | None = None
    octets: int = 0
    stray_told: bool = False


class TftpServer:
    """The core; ``resolve`` takes the answers to its :class:`Fetch` questions and the failures of its ports."""

    def __init__(self, residents: Residents, entropy: Entropy, settings: TftpSettings = TftpSettings()) -> None:
        self._residents = residents
        self._entropy = entropy
        self._settings = settings
        self._sessions: dict[str, _Session] = {}
        self._by_client: dict[Endpoint, _Session] = {}
        self._per_host: dict[str, int] = {}
        self._timers: TimerHeap[str] = TimerHeap()
        self._opened = 0

    @property
    def transfers(self) -> int:
        """How many transfers run."""
        return len(self._sessions)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a request, or a message of a transfer.

        :raises RemoteError: a message is malformed; one of a transfer changes nothing in it.
        """
        if datagram.port != PORT:
            return self._into_transfer(datagram, now)
        if _is_group(datagram.destination):
            # RFC 1123 section 4.2.3.5: requests to a broadcast address are ignored in silence.
            return []
        try:
            message = parse(datagram.payload)
        except RemoteError as error:
            return self._refuse_malformed(datagram, error)
        phone = self._residents.phone_at(datagram.source.host)
        received = Emit(MessageEvent(phone=phone, protocol="TFTP", sender=phone, receiver=PORT, summary=summary(message)))
        return [received, *self._request(message, datagram, phone, now)]

    def tick(self, now: float) -> Effects:
        """Repeat what was not acknowledged, and end what was given up."""
        effects: list[Effect] = []
        for port in self._timers.due(now):
            session = self._sessions[port]
            if session.sending is not None:
                effects += self._carry(session, session.sending.tick(now), now)
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` has to be called."""
        return self._timers.next_due()

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the file that was asked for, or the news that a local port could not be opened."""
        session = self._sessions.get(str(token))
        if session is None:
            return []
        if isinstance(outcome, Failed):
            opened = session.sending is not None
            reason = "no local port" if opened else "the file cannot be read"
            return [*self._end(session, close=False), *self._refuse(session, ErrorCode.NOT_DEFINED, reason, outcome.reason)]
        return self._found(session, outcome, now) if session.sending is None else []

    def _request(self, message: Message, datagram: Datagram, phone: str, now: float) -> Effects:
        session = _Session("", datagram.source, datagram.destination, phone, ReadRequest(""), now)
        match message:
            case ReadRequest():
                session.request = message
                return self._read(session)
            case WriteRequest(name, mode):
                session.request = ReadRequest(name, mode)
                return self._refuse(session, ErrorCode.ACCESS_VIOLATION, "this server is read only")
            case Error() | Ack():
                # An ERROR is never answered with an ERROR: two servers would never stop.
                # tftp-hpa acknowledges an ERROR, to the port that it came from.
                return []
        return self._refuse(session, ErrorCode.ILLEGAL_OPERATION, "only requests belong to this port")

    def _read(self, session: _Session) -> Effects:
        """Ask for the file, unless this is a repetition of a request that is being answered."""
        effects: list[Effect] = []
        known = self._by_client.get(session.client)
        if known is not None:
            if known.request == session.request:
                return []
            effects += self._abort(known, "the client asked for something else")
        if session.request.mode not in (OCTET, NETASCII):
            return [*effects, *self._refuse(session, ErrorCode.ILLEGAL_OPERATION, "the mode is neither octet nor netascii")]
        full = self._full(session.client.host)
        if full:
            return [*effects, Emit(_refused(session, NOT_ANSWERED, full))]
        self._begin(session)
        return [*effects, Ask(Fetch(session.request.name, session.client.host), session.port)]

    def _found(self, session: _Session, outcome: Done, now: float) -> Effects:
        """Begin to send, from a port of its own at the address that the request was sent to."""
        answer = outcome.answer
        request = session.request
        if isinstance(answer, Refused):
            return [*self._end(session, close=False), *self._refuse(session, answer.code, answer.reason)]
        content = netascii.encode(answer) if request.mode == NETASCII else answer
        try:
            agreed = answer_options(request, len(content), self._settings.largest_block)
        except RemoteError as error:
            return [*self._end(session, close=False), *self._refuse(session, ErrorCode.OPTION_NEGOTIATION, error.reason)]
        session.sending = Sending(content, agreed, self._entropy)
        session.octets = len(content)
        opened = Open(session.port, Endpoint(session.local, 0))
        return [opened, *self._carry(session, session.sending.start(now), now)]

    def _into_transfer(self, datagram: Datagram, now: float) -> Effects:
        session = self._sessions.get(datagram.port)
        if session is None or session.sending is None:
            return []
        message = parse(datagram.payload)
        if datagram.source != session.client:
            return self._stray(session, datagram, message)
        last = session.sending.block == session.sending.blocks
        messages = session.sending.take(message, now)
        told: list[Effect] = []
        if isinstance(message, Error) or (last and session.sending.ending):
            told.append(self._arrow(session, message, received=True))
        return [*told, *self._carry(session, messages, now)]

    def _stray(self, session: _Session, datagram: Datagram, message: Message) -> Effects:
        """RFC 1350 section 4: another port gets error 5, and the transfer goes on."""
        effects: list[Effect] = []
        if not isinstance(message, Error):
            octets = write(Error(ErrorCode.UNKNOWN_TID, "this transfer is not yours"))
            effects.append(Send(octets, datagram.source, session.port))
        if not session.stray_told:
            session.stray_told = True
            effects.append(Emit(TftpStray(phone=session.phone, source=str(datagram.source), client=str(session.client))))
        return effects

    def _carry(self, session: _Session, messages: Iterable[Message], now: float) -> Effects:
        """Send what the transfer says, and follow its timer and its end."""
        sending = session.sending
        effects: list[Effect] = []
        for message in messages:
            effects.append(Send(write(message), session.client, session.port))
            if not isinstance(message, Data) or (sending is not None and sending.block == 1):
                effects.append(self._arrow(session, message, received=False))
        if sending is None or sending.ending is None:
            if sending is not None and sending.due is not None:
                self._timers.arm(session.port, sending.due)
            return effects
        event = _aborted(session, sending.ending.reason) if sending.ending.reason else _served(session, now)
        return [*effects, Emit(event), *self._end(session)]

    def _begin(self, session: _Session) -> None:
        self._opened += 1
        session.port = f"t{self._opened}"
        self._sessions[session.port] = self._by_client[session.client] = session
        host = session.client.host
        self._per_host[host] = self._per_host.get(host, 0) + 1

    def _end(self, session: _Session, close: bool = True) -> Effects:
        del self._sessions[session.port]
        del self._by_client[session.client]
        host = session.client.host
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        self._timers.disarm(session.port)
        return [Close(session.port)] if close else []

    def _abort(self, session: _Session, reason: str) -> Effects:
        event = Emit(_aborted(session, reason))
        return [event, *self._end(session, close=session.sending is not None)]

    def _full(self, host: str) -> str:
        if len(self._sessions) >= self._settings.transfers:
            return f"{self._settings.transfers} transfers are running"
        if self._per_host.get(host, 0) >= self._settings.transfers_per_host:
            return f"{self._settings.transfers_per_host} transfers to this address are running"
        return ""

    def _refuse(self, session: _Session, code: int, reason: str, detail: str = "") -> Effects:
        """Answer a request with an error from the request port; ``detail`` is for the operator only."""
        error = Error(code, reason)
        return [
            Send(write(error), session.client, PORT, session.local),
            self._arrow(session, error, received=False),
            Emit(_refused(session, code, f"{reason}: {detail}" if detail else reason)),
        ]

    def _refuse_malformed(self, datagram: Datagram, error: RemoteError) -> Effects:
        phone = self._residents.phone_at(datagram.source.host)
        answer = write(Error(ErrorCode.ILLEGAL_OPERATION, error.reason))
        return [
            Send(answer, datagram.source, datagram.port, datagram.destination),
            Emit(Malformed(phone=phone, protocol="TFTP", source=str(datagram.source), reason=str(error))),
        ]

    def _arrow(self, session: _Session, message: Message, received: bool) -> Emit:
        sender, receiver = (session.phone, PORT) if received else (PORT, session.phone)
        return Emit(MessageEvent(phone=session.phone, protocol="TFTP", sender=sender, receiver=receiver, summary=summary(message)))


def _refused(session: _Session, code: int, reason: str) -> Event:
    name = printable(session.request.name)
    return TftpRefused(phone=session.phone, client=str(session.client), name=name, code=code, reason=printable(reason))


def _served(session: _Session, now: float) -> Event:
    sending = session.sending
    return TftpServed(
        phone=session.phone,
        client=str(session.client),
        name=printable(session.request.name),
        octets=session.octets,
        blocks=sending.blocks if sending else 0,
        repeated=sending.repeated if sending else 0,
        duration_s=now - session.began,
    )


def _aborted(session: _Session, reason: str) -> Event:
    sending = session.sending
    return TftpAborted(
        phone=session.phone,
        client=str(session.client),
        name=printable(session.request.name),
        block=sending.block if sending else 0,
        blocks=sending.blocks if sending else 0,
        reason=printable(reason),
    )


def _is_group(address: str) -> bool:
    """Whether an address is multicast or the limited broadcast."""
    if not address:
        return False
    return ip_address(address).is_multicast or address == BROADCAST_HOST
