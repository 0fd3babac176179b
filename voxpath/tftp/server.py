"""The TFTP server: many transfers at once, each with a local port of its own (RFC 1350 section 4), or all by one port.

Where the ports of transfers are a range and all of them are taken, further transfers run from the port that takes requests.
No request is lost then, and a firewall that lets requests in lets these transfers pass, too.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from voxpath.core.effects import Ask, Burst, Close, Datagram, Direct, Effect, Effects, Emit, Failed, Open, Outcome, Send
from voxpath.core.errors import RemoteError
from voxpath.core.retransmit import Entropy
from voxpath.core.timers import TimerHeap
from voxpath.model.address import Endpoint
from voxpath.model.event import Malformed
from voxpath.tftp.content import Content, Netascii, Octets
from voxpath.tftp.event import TftpStray
from voxpath.tftp.message import NETASCII, OCTET, Ack, Data, Error, ErrorCode, Message, ReadRequest, WriteRequest
from voxpath.tftp.options import answer_options
from voxpath.tftp.question import Admit, Admitted, Fetch, Keep, Kept, Refused
from voxpath.tftp.receiving import Writing
from voxpath.tftp.report import aborted, arrow, complete, dropped, is_shown, refused
from voxpath.tftp.sending import Sending
from voxpath.tftp.session import DEFAULTS, PORT, Session, Sessions, TftpSettings, is_group
from voxpath.tftp.wire import is_request, parse, write


class Residents(Protocol):
    """Who lives at an address: the leases, as far as the file server needs them."""

    def phone_at(self, address: str, port: int) -> str:
        """The identity of the phone that holds this address, and this port of it if it is shared; empty: nobody known."""


class Unsent(NamedTuple):
    """The token of a transfer's first message: its port may turn out to be another program's only when that leaves.

    :ivar session: the name of the session.
    """

    session: str
    octets: bytes


class TftpServer:
    """The core; ``resolve`` takes the answers to its questions and the failures of its ports.

    :ivar no_room: how often a file was refused that is too large, or has no room.
    :ivar dropped: how many requests got no answer, since as many transfers were running as may.
    """

    def __init__(self, residents: Residents, entropy: Entropy, settings: TftpSettings = DEFAULTS) -> None:
        self._residents = residents
        self._entropy = entropy
        self._settings = settings
        self._shares_port = settings.single_port or settings.data_ports is not None
        self._sessions = Sessions(settings, entropy)
        self._timers: TimerHeap[str] = TimerHeap()
        self.no_room = self.dropped = 0

    @property
    def transfers(self) -> int:
        """How many transfers run."""
        return len(self._sessions)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a request, or a message of a transfer.

        :raises RemoteError: a message is malformed; one of a transfer changes nothing in it.
        """
        if datagram.port != PORT:
            session = self._sessions.named(datagram.port)
            return self._into_transfer(session, datagram, now) if session is not None else ()
        if self._shares_port and not is_request(datagram.payload):
            session = self._sessions.of(datagram.source)
            if session is not None and session.shares_port:
                return self._into_transfer(session, datagram, now)
        if is_group(datagram.destination):
            # RFC 1123 section 4.2.3.5: requests to a broadcast address are ignored in silence.
            return []
        try:
            message = parse(datagram.payload)
        except RemoteError as error:
            return self._refuse_malformed(datagram, error)
        phone = self._residents.phone_at(*datagram.source)
        return [arrow(phone, message, received=True), *self._request(message, datagram, phone, now)]

    def tick(self, now: float) -> Effects:
        """Repeat what was not acknowledged, and end what was given up."""
        effects: list[Effect] = []
        for name in self._timers.due(now):
            session = self._sessions.named(name)
            if session is not None and session.transfer is not None:
                session.armed = None
                # The due time may have moved on since the timer was armed: then there is nothing to send.
                effects += self._carry(session, session.transfer.tick(now), now)
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` has to be called."""
        return self._timers.next_due()

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take an answer about a file, or the news that a local port could not be opened."""
        if isinstance(token, Unsent):
            return self._say_again(token)
        session = self._sessions.named(str(token))
        if session is None:
            return []
        if isinstance(outcome, Failed):
            return self._failed(session, outcome.reason)
        answer = outcome.answer
        if isinstance(answer, Refused):
            session.owner = answer.owner
            return self._end_refused(session, answer.code, answer.reason, answer.detail)
        if isinstance(answer, Kept):
            return self._kept(session, answer, now)
        return self._begin(session, answer, now) if session.transfer is None else ()

    # Requests.

    def _request(self, message: Message, datagram: Datagram, phone: str, now: float) -> Effects:
        session = Session(datagram.source, datagram.destination, phone, ReadRequest(""), now)
        match message:
            case ReadRequest():
                session.request = message
                return self._ask(session, Fetch(message.name, session.client))
            case WriteRequest():
                session.request = message
                if not self._settings.writes:
                    return self._refuse(session, ErrorCode.ACCESS_VIOLATION, "this server is read only")
                return self._ask(session, Admit(message.name, session.client))
            case Error() | Ack():
                # An ERROR is never answered with an ERROR: two servers would never stop.
                # tftp-hpa acknowledges an ERROR, to the port that it came from.
                return ()
            case Data() if self._shares_port:
                # The end of a transfer that is over, or one of before a restart.
                return self._refuse(session, ErrorCode.UNKNOWN_TID, "there is no transfer of yours")
        return self._refuse(session, ErrorCode.ILLEGAL_OPERATION, "only requests belong to this port")

    def _ask(self, session: Session, question: Fetch | Admit) -> Effects:
        """Ask about the file, unless this is a repetition of a request that is being answered, or a file is just being kept."""
        effects: list[Effect] = []
        known = self._sessions.of(session.client)
        if known is not None:
            if not known.told and (known.request == session.request or known.keeping):
                return self._asked_again(known, session.began)
            effects += self._abort(known, "the client asked for something else")
        if session.request.mode not in (OCTET, NETASCII):
            return [*effects, *self._refuse(session, ErrorCode.ILLEGAL_OPERATION, "the mode is neither octet nor netascii")]
        while (giving_way := self._sessions.giving_way(session)) is not None:
            effects += self._give_way(giving_way, session.began)
        full = self._sessions.full(session)
        if full:
            self.dropped += 1
            return [*effects, Emit(dropped(session, full))]
        self._sessions.begin(session)
        return [*effects, Ask(question, session.name)]

    def _asked_again(self, session: Session, now: float) -> Effects:
        """A request came twice: it begins nothing anew, but the answer to it may be lost."""
        messages = session.transfer.asked_again(now) if session.transfer is not None else ()
        return self._carry(session, messages, now) if messages else ()

    def _begin(self, session: Session, answer: bytes | Content | Admitted, now: float) -> Effects:
        """Begin the transfer, from the address that the request was sent to."""
        try:
            transfer = self._transfer(session, answer)
        except RemoteError as error:
            return self._end_refused(session, error.code or ErrorCode.NOT_DEFINED, error.reason)
        if isinstance(transfer, Refused):
            return self._end_refused(session, transfer.code, transfer.reason, transfer.detail)
        session.transfer = transfer
        effects = self._carry(session, transfer.start(now), now)
        if session.number:
            (first, *rest) = effects
            assert isinstance(first, Send)  # whatever a transfer begins with is one message
            effects = [replace(first, token=Unsent(session.name, first.payload)), *rest]
        opened = [] if session.shares_port else [self._open(session)]
        return [*opened, *effects, *_direct(session)]

    def _say_again(self, unsent: Unsent) -> Effects:
        """Say what did not leave by the port of the transfer; that may be another one by now, and is asked once."""
        session = self._sessions.named(unsent.session)
        if session is None:
            return []
        return [Send(unsent.octets, session.client, session.outlet, session.local if session.shares_port else "")]

    def _transfer(self, session: Session, answer: bytes | Content | Admitted) -> Sending | Writing | Refused:
        """Agree on the options; raise :class:`RemoteError`. A size that is told and too large is refused before any block."""
        request, limits = session.request, self._settings.limits
        if isinstance(answer, Admitted):
            agreed = answer_options(request, 0, limits)
            return answer.beyond if (agreed.size or 0) > answer.most else Writing(agreed, answer, self._entropy)
        content = Octets(answer) if isinstance(answer, bytes) else answer
        session.octets = content.size
        if request.mode == NETASCII:
            content = Netascii(content)
        return Sending(content, answer_options(request, content.size, limits), self._entropy)

    def _open(self, session: Session) -> Open:
        return Open(session.name, Endpoint(session.local, session.number))

    # Transfers.

    def _into_transfer(self, session: Session, datagram: Datagram, now: float) -> Effects:
        transfer = session.transfer
        if transfer is None:
            return ()
        message = parse(datagram.payload)
        if datagram.source != session.client:
            return self._stray(session, datagram, message)
        first = isinstance(message, Data) and transfer.blocks == 0
        messages = transfer.take(message, now)
        told: list[Effect] = []
        if first or isinstance(message, Error) or (isinstance(message, Ack) and transfer.ending is not None):
            told.append(arrow(session.phone, message, received=True))
        effects = self._carry(session, messages, now)
        if isinstance(transfer, Writing) and transfer.complete and not session.keeping:
            effects.append(_keep(session, transfer))
        return told + effects if told else effects

    def _stray(self, session: Session, datagram: Datagram, message: Message) -> Effects:
        """RFC 1350 section 4: another port gets error 5, and the transfer goes on."""
        effects: list[Effect] = []
        if not isinstance(message, Error):
            octets = write(Error(ErrorCode.UNKNOWN_TID, "this transfer is not yours"))
            effects.append(Send(octets, datagram.source, session.outlet))
        if not session.stray_told:
            session.stray_told = True
            effects.append(Emit(TftpStray(phone=session.phone, source=str(datagram.source), client=str(session.client))))
        return effects

    def _carry(self, session: Session, messages: Sequence[Message], now: float) -> list[Effect]:
        """Send what the transfer says, and follow its timer and its end."""
        transfer = session.transfer
        assert transfer is not None
        source = session.local if session.shares_port else ""
        effects: list[Effect] = []
        if len(messages) == 1:
            effects.append(Send(write(messages[0]), session.client, session.outlet, source))
        elif messages:
            effects.append(Burst(tuple(map(write, messages)), session.client, session.outlet, source))
        if messages and is_shown(messages[0], transfer):
            effects.append(arrow(session.phone, messages[0], received=False))
        due = transfer.due
        if due is not None and (session.armed is None or due < session.armed):
            # A timer that fires too early costs one idle tick; moving it with every block would cost more.
            session.armed = due
            self._timers.arm(session.name, due)
        if transfer.ending is not None:
            effects += self._ended(session, transfer, now)
        return effects

    def _ended(self, session: Session, transfer: Sending | Writing, now: float) -> list[Effect]:
        """Tell how it ended; a written file's last ACK may have to be repeated for a while."""
        effects: list[Effect] = []
        reason = transfer.ending.reason if transfer.ending is not None else ""
        if not session.told:
            self._sessions.told(session)
            self.no_room += isinstance(transfer, Writing) and transfer.too_large
            effects.append(Emit(aborted(session, reason) if reason else complete(session, now)))
        return effects if transfer.due is not None else [*effects, *self._end(session)]

    def _kept(self, session: Session, kept: Kept, now: float) -> Effects:
        """The file is on the disk: now its last block is acknowledged."""
        assert isinstance(session.transfer, Writing)
        session.kept_as = kept.name
        return self._carry(session, session.transfer.kept(now), now)

    def _failed(self, session: Session, reason: str) -> Effects:
        """A file could not be read or kept, or the local port not be opened: of a range, another one is tried.

        If none can be had, the transfer goes on from the port that takes requests.
        """
        if session.transfer is None:
            return self._end_refused(session, ErrorCode.NOT_DEFINED, "the file cannot be read", reason)
        if session.keeping:
            return self._end_refused(session, ErrorCode.NOT_DEFINED, "the file cannot be kept", reason)
        if not session.number:
            return self._end_refused(session, ErrorCode.NOT_DEFINED, "no local port", reason)
        session.openings += 1
        self._sessions.another_port(session)
        return _direct(session) if session.shares_port else [self._open(session)]

    # Ends.

    def _end(self, session: Session) -> list[Effect]:
        self._sessions.end(session)
        self._timers.disarm(session.name)
        if session.transfer is None:
            return []
        return [Direct(PORT, session.client, None, session.local) if session.shares_port else Close(session.name)]

    def _end_refused(self, session: Session, code: int, reason: str, detail: str = "") -> list[Effect]:
        """End a session with an error, from the port that the client knows."""
        outlet = session.outlet if session.keeping else PORT
        self.no_room += code == ErrorCode.DISK_FULL
        return [*self._refuse(session, code, reason, detail, outlet), *self._end(session)]

    def _abort(self, session: Session, reason: str) -> list[Effect]:
        told: list[Effect] = [] if session.told else [Emit(aborted(session, reason))]
        return [*told, *self._end(session)]

    def _give_way(self, session: Session, now: float) -> list[Effect]:
        """End a session whose client has not answered; one that once did is told, as it may be slow."""
        heard_at = session.heard_at
        if heard_at is None:
            return self._abort(session, "its client has not answered yet, and others wait")
        error = Error(ErrorCode.NOT_DEFINED, "others wait, and you have been silent")
        return [
            Send(write(error), session.client, session.outlet, session.local if session.shares_port else ""),
            arrow(session.phone, error, received=False),
            *self._abort(session, f"its client has been silent for {now - heard_at:.0f} s, and others wait"),
        ]

    def _refuse(self, session: Session, code: int, reason: str, detail: str = "", outlet: str = PORT) -> list[Effect]:
        """Answer with an error; ``detail`` is for the operator only."""
        error = Error(code, reason)
        return [
            Send(write(error), session.client, outlet, session.local if outlet == PORT else ""),
            arrow(session.phone, error, received=False),
            Emit(refused(session, code, f"{reason}: {detail}" if detail else reason)),
        ]

    def _refuse_malformed(self, datagram: Datagram, error: RemoteError) -> Effects:
        phone = self._residents.phone_at(*datagram.source)
        answer = write(Error(ErrorCode.ILLEGAL_OPERATION, error.reason))
        return [
            Send(answer, datagram.source, datagram.port, datagram.destination),
            Emit(Malformed(phone=phone, protocol="TFTP", source=str(datagram.source), reason=str(error))),
        ]


def _direct(session: Session) -> list[Effect]:
    """Most of a read takes the short way; not one that has ended before it began, since its file was changed meanwhile."""
    transfer = session.transfer
    if not isinstance(transfer, Sending) or transfer.ending is not None:
        return []
    return [Direct(session.outlet, session.client, transfer.reply, session.local)]


def _keep(session: Session, writing: Writing) -> Ask:
    """All is here: it has to be on the disk before its last block is acknowledged."""
    session.keeping = True
    request, content = session.request, writing.content
    session.octets = len(content)
    return Ask(Keep(request.name, session.client, content, request.mode == NETASCII), session.name)
