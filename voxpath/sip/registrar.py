"""The registrar: binds contacts to addresses-of-record (RFC 3261 section 10.3).

A binding is in the store before the 200 leaves: the 200 is made when the commit has succeeded, from what the store has then.
A request is carried out as a whole or not at all.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

from voxpath.core.effects import Change, Commit, Delete, Done, Effect, Effects, Emit, Outcome, Send
from voxpath.core.errors import RemoteError
from voxpath.model.contact import Contact
from voxpath.model.event import printable
from voxpath.model.user import SipDomain
from voxpath.sip.atlas import Atlas
from voxpath.sip.binding import agent_of, listed, wanted
from voxpath.sip.digest import Digest, Verdict
from voxpath.sip.event import CredentialsRefused, SipRefused
from voxpath.sip.header import contacts as contacts_of
from voxpath.sip.header import parse_address, parse_cseq
from voxpath.sip.location import MOST_AT_ONCE, Location
from voxpath.sip.message import Request
from voxpath.sip.policy import Asked, Policy, unbound
from voxpath.sip.reply import Incoming, listing, reply
from voxpath.sip.settings import SipSettings
from voxpath.sip.status import (
    BAD_REQUEST,
    FORBIDDEN,
    INTERVAL_TOO_BRIEF,
    NOT_FOUND,
    OK,
    SERVER_ERROR,
    UNAUTHORIZED,
    UNAVAILABLE,
)
from voxpath.sip.unsettled import Unsettled
from voxpath.sip.uri import SipUri

MOST_BINDINGS: Final = 200_000
"""Of all users together; a further one is refused with 503."""
LONGEST_NAME: Final = 256
"""Characters of a user's name and of a Call-ID: both are kept with each binding."""
LARGEST_LIST: Final = 1300
"""Octets of a 200, as of a 302: one with more contacts would be in fragments, and many times as large as what asked for it.

RFC 3261 section 10.3 wants all bindings listed: what does not fit is left out, but for the request's own contacts.
"""

EXPIRED: Final = "it expired"
EXPIRED_MEANWHILE: Final = "it expired while the server was down"
NO_USER: Final = "the configuration has no such user any more"
NOT_STORED: Final = "the binding could not be stored"
"""Reasons in events."""


class Registering(NamedTuple):
    """The token of a request's commit.

    :ivar user: the user part of the address-of-record, as it was written.
    """

    incoming: Incoming
    asked: Asked
    user: str
    changes: tuple[Change, ...]


class Ending(NamedTuple):
    """The token of the commit that deletes bindings which have ended."""

    changes: tuple[Change, ...]


class Registrar:
    """Takes REGISTERs.

    :param location: is changed by nobody else.
    """

    def __init__(self, settings: SipSettings, atlas: Atlas, location: Location, digest: Digest) -> None:
        self._settings = settings
        self._location = location
        self._digest = digest
        self._policy = Policy(settings, atlas)
        self._unsettled = Unsettled(location)
        self._under_way: dict[str, list[Asked]] = {}
        self._dropped: deque[tuple[Contact, str]] = deque()
        self._loaded = 0.0

    def load(self, contacts: Iterable[Contact], now: float) -> None:
        """Take over what the store holds from an earlier run; rows that do not count any more are deleted at the next tick."""
        kept = []
        for contact in contacts:
            if self._serves(contact.aor):
                kept.append(contact)
            else:
                self._dropped.append((contact, NO_USER))
        self._dropped += [(contact, EXPIRED_MEANWHILE) for contact in self._location.load(kept, now)]
        self._loaded = now

    def register(self, incoming: Incoming, now: float) -> Effects:
        """Carry out a REGISTER; nothing at all for one whose first copy is being stored, since the answer to that one follows.

        :raises RemoteError: with the status of the answer.
        """
        target, domain = self._target(incoming.request)
        asked = _asked(target.aor, incoming)
        under_way = self._under_way.get(asked.aor, ())
        if asked in under_way:
            return ()
        verdict = (
            None if domain.open else self._digest.verify(incoming.request, incoming.datagram.payload, domain, asked.source, now)
        )
        if verdict is not None and (verdict.user is None or verdict.user.aor != asked.aor):
            return self._unproven(incoming, asked, domain, verdict, now)
        bound = {contact.key: contact for contact in self._location.of(asked.aor) if contact.expires > now}
        contacts = wanted(incoming.request, self._settings, bound)
        if [each for each in contacts or () if 0 < each.expires_s < self._settings.min_expires_s]:
            return self._too_brief(incoming, asked)
        changes, added, events = self._policy.rebind(contacts, bound, asked, now)
        if changes and verdict is not None and verdict.repeated:
            # Others have changed what it asked for: whoever still wants it has to say so anew, and a replay cannot.
            return [self._challenge(incoming, domain, now, stale=True)]
        if added > 0 and len(self._location) + added > MOST_BINDINGS:
            raise RemoteError("too many bindings", code=UNAVAILABLE)
        self._unsettled.show(changes)
        if not changes and not under_way:
            return [self._ok(incoming, asked, target.user, now)]
        # What changes nothing itself still waits for those changes that it would list.
        self._under_way.setdefault(asked.aor, []).append(asked)
        return [Commit(changes, tuple(map(Emit, events)), Registering(incoming, asked, target.user, changes))]

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the outcome of a commit, and answer; if it failed, everything is as if the request had not come."""
        if not isinstance(token, Registering | Ending):
            return ()
        if isinstance(outcome, Done):
            self._unsettled.settle(token.changes)
        else:
            self._unsettled.withdraw(token.changes)
        if isinstance(token, Ending):
            return ()
        asked = token.asked
        under_way = self._under_way[asked.aor]
        under_way.remove(asked)
        if not under_way:
            del self._under_way[asked.aor]
        if isinstance(outcome, Done):
            return [self._ok(token.incoming, asked, token.user, now)]
        return [reply(token.incoming, SERVER_ERROR, NOT_STORED), self._refused(asked, SERVER_ERROR, NOT_STORED)]

    def tick(self, now: float) -> Effects:
        """Remove bindings that have ended."""
        ended = [(contact, EXPIRED) for contact in self._location.due(now)]
        while self._dropped and len(ended) < MOST_AT_ONCE:
            contact, reason = self._dropped.popleft()
            # The row of one that was bound again in the meantime is not the old one any more.
            if self._location.find(contact.aor, contact.key) is None:
                ended.append((contact, reason))
        if not ended:
            return ()
        changes = tuple([Delete(contact) for contact, _ in ended])
        # Something else of theirs may still be under way, and may fail: what is left then is for this change to follow.
        self._unsettled.show(changes)
        return [Commit(changes, (), Ending(changes)), *[Emit(unbound(contact, reason)) for contact, reason in ended]]

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        # Asked after each message; the dropped rows are gone after the first few.
        return self._loaded if self._dropped else self._location.next_due()

    def _serves(self, aor: str) -> bool:
        domain = self._settings.domain_of(aor.rpartition("@")[2])
        return domain is not None and (domain.open or self._settings.user_of(aor) is not None)

    def _target(self, request: Request) -> tuple[SipUri, SipDomain]:
        """The address-of-record, and its domain (RFC 3261 section 10.3 steps 1 and 5)."""
        to = parse_address(request.value("to")).uri
        if to[:4].lower() not in ("sip:", "sips"):
            # Code 416 would be about the Request-URI, which need not be as wrong (RFC 4475 section 3.3.5).
            raise RemoteError("To names no SIP URI", code=BAD_REQUEST, section="RFC 3261 section 10.2")
        target = SipUri.parse(to)
        domain = self._settings.domain_of(target.host)
        if domain is None or self._settings.domain_of(SipUri.parse(request.uri).host) is None:
            raise RemoteError("the host of To or of the Request-URI is no domain of this server", code=NOT_FOUND)
        if not target.user or len(target.aor) > LONGEST_NAME:
            raise RemoteError("To names no user who could be registered", code=NOT_FOUND)
        return target, domain

    def _unproven(self, incoming: Incoming, asked: Asked, domain: SipDomain, verdict: Verdict, now: float) -> list[Effect]:
        """Challenge whoever does not show that he may register this address-of-record (RFC 3261 section 10.3 steps 3 and 4)."""
        if verdict.user is not None:
            return [reply(incoming, FORBIDDEN), self._suspicious(asked, verdict.name, "the address-of-record is another user's")]
        answer = self._challenge(incoming, domain, now, stale=verdict.stale)
        return [answer, self._suspicious(asked, verdict.name, verdict.reason)] if verdict.reason else [answer]

    def _challenge(self, incoming: Incoming, domain: SipDomain, now: float, *, stale: bool) -> Send:
        challenge = self._digest.challenge(domain, incoming.datagram.source.host, now, stale=stale)
        return reply(incoming, UNAUTHORIZED, headers=challenge)

    def _too_brief(self, incoming: Incoming, asked: Asked) -> list[Effect]:
        shortest = self._settings.min_expires_s
        answer = reply(incoming, INTERVAL_TOO_BRIEF, headers=[("Min-Expires", str(shortest))])
        return [answer, self._refused(asked, INTERVAL_TOO_BRIEF, f"it asks for less than {shortest} s")]

    def _ok(self, incoming: Incoming, asked: Asked, user: str, now: float) -> Send:
        """List the bindings that the store has, the request's own ones first (RFC 3261 section 10.3 step 8)."""
        bound = [contact for contact in self._unsettled.stored(asked.aor) if contact.expires > now]
        gruus = self._policy.gruus(asked.aor, user, bound, asked.source)
        named = {address.uri for address in contacts_of(incoming.request)}
        own = [contact for contact in bound if contact.uri in named]
        if len(own) < len(bound):
            bound = own + [contact for contact in bound if contact.uri not in named]
        return listing(incoming, OK, listed(bound, now, gruus), LARGEST_LIST, len(own))[0]

    def _suspicious(self, asked: Asked, name: str, reason: str) -> Emit:
        phone, aor, source = self._policy.phone_of(asked.aor), printable(asked.aor), str(asked.source)
        return Emit(CredentialsRefused(phone=phone, user=printable(name), aor=aor, source=source, reason=reason))

    def _refused(self, asked: Asked, status: int, reason: str) -> Emit:
        phone, aor, source = self._policy.phone_of(asked.aor), printable(asked.aor), str(asked.source)
        return Emit(SipRefused(phone=phone, method="REGISTER", aor=aor, source=source, status=status, reason=reason))


def _asked(aor: str, incoming: Incoming) -> Asked:
    request = incoming.request
    call_id = request.value("call-id")
    if len(call_id) > LONGEST_NAME or not call_id.isprintable():
        reason = f"Call-ID: more than {LONGEST_NAME} characters, or some that cannot be shown"
        raise RemoteError(reason, code=BAD_REQUEST, section="RFC 3261 section 20.8")
    cseq = parse_cseq(request.value("cseq")).number
    return Asked(aor, call_id, cseq, incoming.datagram.source, agent_of(request.value("user-agent")))
