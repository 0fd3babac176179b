"""A SIP server whose commits succeed at once, and phones that speak to it in text."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from voxpath.core.effects import Change, Commit, Connect, Datagram, Done, Effect, Emit, Failed, Put, Send
from voxpath.flow.triangle import select
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.model.event import Event, MessageEvent
from voxpath.model.media import MediaSession
from voxpath.model.user import Algorithm
from voxpath.ports.directory import Directory
from voxpath.sip.digest import response_of, secret_of
from voxpath.sip.header import credentials
from voxpath.sip.message import Response
from voxpath.sip.server import SipServer
from voxpath.sip.settings import SipSettings
from voxpath.sip.wire import parse

SERVER = "198.51.100.10"
NUMBERS = count(1)


def request(
    method: str,
    uri: str,
    *,
    sender: str = "sip:a1@voip.example",
    to: str = "",
    call_id: str = "",
    cseq: int = 1,
    via: str = "SIP/2.0/UDP 10.0.0.11:2048;rport",
    headers: Iterable[str] = (),
    body: str = "",
) -> bytes:
    """A well-formed request with a branch that no other has."""
    number = next(NUMBERS)
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via};branch=z9hG4bK{number}",
        "Max-Forwards: 70",
        f"From: <{sender}>;tag=f{number}",
        f"To: {to or f'<{uri}>'}",
        f"Call-ID: {call_id or f'call-{number}'}",
        f"CSeq: {cseq} {method}",
        *headers,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


class Exchange:
    """A server, and what came of what was sent to it.

    :ivar failing: whether commits fail.
    """

    def __init__(self, settings: SipSettings, directory: Directory | None = None) -> None:
        self.directory = directory
        self.server = SipServer(settings, select, b"secret", directory)
        self.now = 1000.0
        self.failing = False
        self.rows: dict[tuple[str, str], Contact] = {}
        self.sent: list[Send] = []
        self.events: list[Event] = []
        self.sessions: list[tuple[int, MediaSession]] = []

    def send(self, payload: bytes, source: Endpoint, destination: str = SERVER) -> list[Response]:
        """Send a datagram to the server; give its answers."""
        before = len(self.sent)
        self.run(self.server.receive(Datagram(payload, source, destination, "eth0", "sip"), self.now))
        answers = [parse(send.payload) for send in self.sent[before:]]
        assert all(isinstance(answer, Response) for answer in answers)
        return [answer for answer in answers if isinstance(answer, Response)]

    def ask(self, payload: bytes, source: Endpoint) -> Response:
        """Send a request that has exactly one answer."""
        [answer] = self.send(payload, source)
        return answer

    def register(self, aor: str, contact: str, source: Endpoint, *headers: str, password: str = "") -> Response:
        """Bind a contact, with digest if that is asked for."""
        uri = "sip:" + aor.partition("@")[2]
        call_id = f"register-{aor}-{contact}"
        written = [f"Contact: {contact}", *headers]

        def attempt(cseq: int, *more: str) -> Response:
            to = f"<sip:{aor}>"
            payload = request("REGISTER", uri, sender=f"sip:{aor}", to=to, call_id=call_id, cseq=cseq, headers=[*written, *more])
            return self.ask(payload, source)

        answer = attempt(next(NUMBERS))
        if answer.status != 401:
            return answer
        return attempt(next(NUMBERS), authorization(answer, "REGISTER", uri, aor.partition("@")[0], password))

    def run(self, effects: Iterable[Effect]) -> None:
        """Carry out effects."""
        for effect in effects:
            match effect:
                case Send():
                    self.sent.append(effect)
                case Emit(event=event):
                    self.events.append(event)
                case Commit():
                    self._commit(effect)
                case Connect(session=session):
                    self.sessions.append((len(self.sent), session))

    def told(self, kind: type[Event]) -> list[Any]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def ladder(self) -> list[str]:
        """The arrows, without addresses-of-record that the summaries have."""
        return [f"{event.sender} -> {event.receiver}: {event.summary}" for event in self.told(MessageEvent)]

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (due := self.server.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.run(self.server.tick(self.now))
        self.now = end

    def _commit(self, commit: Commit) -> None:
        if self.failing:
            self.run(self.server.resolve(commit.token, Failed("the disk is full"), self.now))
            return
        for change in commit.changes:
            self._write(change)
        if commit.token is not None:
            self.run(self.server.resolve(commit.token, Done(), self.now))
        self.run(commit.then)

    def _write(self, change: Change) -> None:
        contact = change.value
        assert isinstance(contact, Contact)
        if isinstance(change, Put):
            self.rows[contact.aor, contact.key] = contact
        else:
            self.rows.pop((contact.aor, contact.key), None)


def authorization(challenged: Response, method: str, uri: str, user: str, password: str) -> str:
    """The header that answers a challenge."""
    _, asked = credentials(challenged.value("www-authenticate"))
    secret = secret_of(Algorithm.MD5, user, asked["realm"], password)
    response = response_of(Algorithm.MD5, secret, method, uri, asked["nonce"], "auth", "00000001", "0a4f113b")
    return (
        f'Authorization: Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001'
    )
