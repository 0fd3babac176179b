"""The SIP server: registrar and redirect server in one core, over UDP (RFC 3261 sections 8.2, 8.3 and 10).

It is stateless but for the bindings: an answer follows from the request, and a request that is repeated is answered again.
Whatever can be answered is answered, with a reason that names the defect; the rest is counted.
"""

from collections.abc import Hashable, Iterable
from typing import Final

from voxpath.core.effects import Commit, Datagram, Effect, Effects, Emit, Outcome
from voxpath.core.errors import RemoteError
from voxpath.core.timers import earliest
from voxpath.model.address import BROADCAST_HOST
from voxpath.model.call import Triangle
from voxpath.model.contact import Contact
from voxpath.model.event import Malformed, printable
from voxpath.ports.directory import Directory, NoDirectory
from voxpath.ports.place import ipv4
from voxpath.sip.atlas import Atlas
from voxpath.sip.calls import RedirectedCall, call_key
from voxpath.sip.checksync import CheckSync
from voxpath.sip.digest import Digest
from voxpath.sip.event import SipRefused
from voxpath.sip.header import parse_address, split_list, vias
from voxpath.sip.ladder import Ladder
from voxpath.sip.location import Location
from voxpath.sip.memo import remembered
from voxpath.sip.message import Response
from voxpath.sip.peers import Caller, Peers, Sender, aor_of
from voxpath.sip.redirect import Redirect
from voxpath.sip.registrar import Registering, Registrar
from voxpath.sip.reply import Incoming, acknowledges, reply
from voxpath.sip.settings import SipSettings
from voxpath.sip.status import (
    BAD_EXTENSION,
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_SUCH_CALL,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    OK,
)
from voxpath.sip.tally import Tally
from voxpath.sip.uri import SipUri
from voxpath.sip.validity import KNOWN_METHODS, check
from voxpath.sip.wire import SipError, is_keepalive, parse

REDIRECTED: Final = ("INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER")
"""Methods that are answered with where the user is."""
ALLOW: Final = ", ".join(("REGISTER", *REDIRECTED, "ACK", "CANCEL"))
CAPABILITIES: Final = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Accept-Encoding", "identity"), ("Supported", ""))
"""What OPTIONS is told (RFC 3261 section 11.2): bodies are not looked at, extensions are not needed."""

MOST_UNSUPPORTED: Final = 16
"""Extensions that an answer names of those that were required."""

KEEPALIVE: Final = "keep-alive"
GROUP: Final = "sent to a group address"
RESPONSE: Final = "response"
UNREADABLE: Final = "unreadable"
REPEATED: Final = "REGISTER that is being stored already"
STRAY_ACK: Final = "ACK of nothing that was answered here"
"""Why something is not answered."""


class SipServer:
    """The core; its only local port is named ``sip`` and may stand for several sockets.

    :param triangle: the triangle decision.
    :param secret: what nonces are made with; it must not be known elsewhere, and a new one asks everybody for credentials again.
    :param directory: the port ledger or a copy of it; without one, phones are believed.
    :ivar check_sync: has phones boot anew.
    """

    def __init__(self, settings: SipSettings, triangle: Triangle, secret: bytes, directory: Directory | None = None) -> None:
        self.tally = Tally()
        self._settings = settings
        self._ladder = Ladder(settings.role, self.tally)
        digest = Digest(settings, secret)
        atlas = Atlas(directory or NoDirectory(), settings.realms)
        self.check_sync = CheckSync(settings.role, secret)
        self._location = Location(lambda contact: atlas.forget(contact.uri, contact.source))
        self._peers = Peers(settings, atlas, self._location)
        self._registrar = Registrar(settings, atlas, self._location, digest)
        self._redirect = Redirect(settings, triangle, atlas, self._location, digest, self.tally)

    # What commands ask.

    def load(self, bindings: Iterable[Contact], now: float) -> None:
        """Take over the bindings that the store holds from an earlier run."""
        self._registrar.load(bindings, now)

    def contacts(self) -> tuple[Contact, ...]:
        """All bindings."""
        return tuple(self._location)

    def calls(self) -> tuple[RedirectedCall, ...]:
        """The last calls that were redirected, oldest first."""
        return self._redirect.calls.states()

    # The core.

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a datagram."""
        if is_keepalive(datagram.payload):
            return self._pass_over(KEEPALIVE)
        if _is_group(datagram.destination):
            # An answer would have to come from the group's address, and everybody who is in the group would send one.
            return self._pass_over(GROUP)
        try:
            message = parse(datagram.payload)
            if isinstance(message, Response):
                answered = self.check_sync.answered(message, now)
                return self._pass_over(RESPONSE) if answered is None else answered
            if message.method == "ACK":
                return self._acknowledged(Incoming(message, datagram, None), now)
            check(message)
        except SipError as error:
            return self._malformed(error, datagram, now)
        incoming = Incoming(message, datagram, vias(message)[0])
        try:
            return self._request(incoming, now)
        except RemoteError as error:
            return self._broken(incoming, error, now)

    def tick(self, now: float) -> Effects:
        """Run the timers that are due."""
        self._redirect.calls.tick(now)
        return [*self._registrar.tick(now), *self.check_sync.tick(now)]

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return earliest(self._registrar.next_due(), self._redirect.calls.next_due(), self.check_sync.next_due())

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit."""
        effects = self._registrar.resolve(token, outcome, now)
        if not effects or not isinstance(token, Registering):
            return effects
        phone = self._peers.sender(token.incoming).phone
        return self._ladder.told(effects, "REGISTER", Sender(phone, bool(phone)), "", now)

    # Requests.

    def _request(self, incoming: Incoming, now: float) -> list[Effect]:
        match incoming.request.method:
            case "REGISTER":
                return self._registering(incoming, now)
            case "CANCEL":
                # RFC 3261 section 8.3: the final answer to what it cancels was given before it came.
                return self._ladder.exchange(incoming, self._peers.sender(incoming), "", [reply(incoming, OK)], now)
        caller = self._peers.caller(incoming)
        called = self._peers.called(SipUri.parse(incoming.request.uri).aor)
        effects = self._unacceptable(incoming, caller.phone) or self._for_user(incoming, caller, now)
        return self._ladder.exchange(incoming, Sender(caller.phone, bool(caller.phone)), called, effects, now)

    def _registering(self, incoming: Incoming, now: float) -> list[Effect]:
        sender = self._peers.sender(incoming)
        effects = self._unacceptable(incoming, sender.phone) or self._registrar.register(incoming, now) or self._pass_over(REPEATED)
        # Nothing is stored for whoever has not shown who he is.
        proven = sender.proven or any(isinstance(effect, Commit) for effect in effects)
        return self._ladder.exchange(incoming, Sender(sender.phone, proven and bool(sender.phone)), "", effects, now)

    def _acknowledged(self, incoming: Incoming, now: float) -> list[Effect]:
        """An ACK ends a transaction that nobody keeps.

        It is never answered (RFC 3261 section 17.1.1.3), so nobody has to know whether it is well-formed.
        """
        call = self._redirect.calls.acknowledge(call_key(incoming.request))
        if call is None and not acknowledges(incoming.request):
            self._pass_over(STRAY_ACK)
        peer = call.callee_phone if call is not None else ""
        return self._ladder.exchange(incoming, self._peers.sender(incoming), peer, (), now)

    def _unacceptable(self, incoming: Incoming, phone: str) -> list[Effect]:
        """Refuse what this server does not do, whomever it is for (RFC 3261 sections 8.2.1, 8.2.2.3 and 12.2.2)."""
        request = incoming.request
        method = request.method
        if method not in KNOWN_METHODS:
            return self._refuse(incoming, phone, NOT_IMPLEMENTED, "the method is unknown", ("Allow", ALLOW))
        if method != "REGISTER":
            if parse_address(request.value("to")).tag:
                return self._refuse(incoming, phone, NO_SUCH_CALL, "it belongs to a dialog, and this server has none")
            if method not in REDIRECTED:
                return self._refuse(incoming, phone, METHOD_NOT_ALLOWED, "the method is not served", ("Allow", ALLOW))
        required = request.values("require")
        if required:
            tags = ", ".join(split_list(", ".join(required))[:MOST_UNSUPPORTED])
            return self._refuse(incoming, phone, BAD_EXTENSION, f"it requires {printable(tags)}", ("Unsupported", tags))
        return []

    def _for_user(self, incoming: Incoming, caller: Caller, now: float) -> Effects:
        """Answer what is for a user, or for the server itself."""
        target = SipUri.parse(incoming.request.uri)
        domain = self._settings.domain_of(target.host)
        if not target.user and incoming.request.method == "OPTIONS" and (domain is not None or ipv4(target.host) is not None):
            return [reply(incoming, OK, headers=CAPABILITIES)]
        if domain is None:
            return self._refuse(incoming, caller.phone, NOT_FOUND, "the host of its Request-URI is no domain of this server")
        return self._redirect.answer(incoming, target, domain, caller, now)

    # Refusals.

    def _pass_over(self, reason: str) -> Effects:
        self.tally.silent[reason] += 1
        return ()

    def _malformed(self, error: SipError, datagram: Datagram, now: float) -> Effects:
        """Answer what cannot be read, if it can be seen whom to answer and that it may be answered."""
        request = error.request
        if request is None or request.method == "ACK":
            self._pass_over(UNREADABLE)
            return [Emit(Malformed(protocol="SIP", source=str(datagram.source), reason=printable(str(error))))]
        try:
            via = vias(request)[0]
        except RemoteError:
            via = None
        return self._broken(Incoming(request, datagram, via), error, now)

    def _broken(self, incoming: Incoming, error: RemoteError, now: float) -> list[Effect]:
        sender = self._peers.sender(incoming)
        status = error.code or BAD_REQUEST
        text = printable(error.reason)
        effects: list[Effect] = [reply(incoming, status, text), self._refused(incoming, sender.phone, status, str(error))]
        return self._ladder.exchange(incoming, sender, "", effects, now)

    def _refuse(self, incoming: Incoming, phone: str, status: int, reason: str, *headers: tuple[str, str]) -> list[Effect]:
        return [reply(incoming, status, headers=headers), self._refused(incoming, phone, status, reason)]

    def _refused(self, incoming: Incoming, phone: str, status: int, reason: str) -> Emit:
        request = incoming.request
        aor, source = printable(aor_of(request.value("to"))), str(incoming.datagram.source)
        method = printable(request.method, 32)
        return Emit(SipRefused(phone=phone, method=method, aor=aor, source=source, status=status, reason=printable(reason)))


@remembered(256)
def _is_group(destination: str) -> bool:
    """Whether a local address is multicast or the limited broadcast."""
    address = ipv4(destination)
    return address is not None and (address.is_multicast or destination == BROADCAST_HOST)
