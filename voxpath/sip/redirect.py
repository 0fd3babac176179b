"""The redirect server: tells a caller where a user is, by the addresses that lead *this* caller there (RFC 3261 section 8.3).

It keeps no transaction: an answer is made from the request and the bindings alone, and a repeated request is answered again.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from voxpath.core.effects import Connect, Effect, Emit, Send
from voxpath.core.errors import VoxpathError
from voxpath.model.call import Triangle
from voxpath.model.contact import FULL_Q, Contact
from voxpath.model.event import printable
from voxpath.model.user import Callers, SipDomain, SipUser
from voxpath.ports.place import ipv4
from voxpath.sip.atlas import Atlas
from voxpath.sip.calls import RedirectedCall, RedirectedCalls, call_key
from voxpath.sip.digest import Digest, Verdict
from voxpath.sip.event import CredentialsRefused, NeedsProxy, NotReached, Redirected
from voxpath.sip.location import Location
from voxpath.sip.media import sessions
from voxpath.sip.peers import Caller
from voxpath.sip.reach import Reach, named, reach
from voxpath.sip.reply import Incoming, listing, reply
from voxpath.sip.settings import SipSettings
from voxpath.sip.status import BUSY_HERE, MOVED_TEMPORARILY, NOT_FOUND, TEMPORARILY_UNAVAILABLE, UNAUTHORIZED
from voxpath.sip.tally import Tally
from voxpath.sip.uri import SipUri

LARGEST_REDIRECT = 1300
"""Octets of a 302: one with more contacts would be in fragments, which many NATs drop (RFC 3261 section 18.1.1)."""


class Redirect:
    """Answers requests for users.

    :ivar calls: the last ones that were redirected.
    """

    def __init__(
        self, settings: SipSettings, triangle: Triangle, atlas: Atlas, location: Location, digest: Digest, tally: Tally
    ) -> None:
        self.calls = RedirectedCalls()
        self._settings = settings
        self._triangle = triangle
        self._atlas = atlas
        self._location = location
        self._digest = digest
        self._tally = tally

    def answer(self, incoming: Incoming, target: SipUri, domain: SipDomain, caller: Caller, now: float) -> list[Effect]:
        """Answer a request for a user of one of our domains."""
        if domain.callers is Callers.USERS:
            own = self._own_of(caller, domain)
            verdict = self._digest.verify(incoming.request, incoming.datagram.payload, own, incoming.datagram.source, now)
            if verdict.user is None:
                return self._unproven(incoming, caller, own, verdict, now)
            caller = _proven(caller, verdict.user)
        try:
            given = self._given(incoming, target, caller, now)
        except _NobodyThere as error:
            return self._not_reached(incoming, caller, target.aor, error)
        send, count = _moved(incoming, given)
        return [
            *self._connect(incoming, caller, given[:count]),
            send,
            *self._tell(incoming, caller, target.aor, given[:count], now),
        ]

    def _own_of(self, caller: Caller, called: SipDomain) -> SipDomain:
        """The domain whose users are asked for: the one that the caller says he is of, or else the one he calls.

        An open domain's users are nobody's elsewhere: anybody may be one.
        """
        own = self._settings.domain_of(caller.aor.rpartition("@")[2])
        return own if own is not None and not own.open else called

    def _unproven(self, incoming: Incoming, caller: Caller, own: SipDomain, verdict: Verdict, now: float) -> list[Effect]:
        """Challenge whoever does not show that he is a user."""
        source = incoming.datagram.source
        challenge = self._digest.challenge(own, source.host, now, stale=verdict.stale)
        effects: list[Effect] = [reply(incoming, UNAUTHORIZED, headers=challenge)]
        if verdict.reason:
            user, aor = printable(verdict.name), printable(caller.aor)
            event = CredentialsRefused(phone=caller.phone, user=user, aor=aor, source=str(source), reason=verdict.reason)
            effects.append(Emit(event))
        return effects

    def _given(self, incoming: Incoming, target: SipUri, caller: Caller, now: float) -> list["_Choice"]:
        """Choose what the caller is given, best first; raise :class:`_NobodyThere` when that is nothing."""
        aor = target.aor
        contacts = [contact for contact in self._location.of(aor) if contact.expires > now]
        if not contacts:
            if self._settings.user_of(aor) is None:
                raise _NobodyThere(NOT_FOUND, "there is no such user")
            raise _NobodyThere(TEMPORARILY_UNAVAILABLE, "no phone is registered")
        if incoming.request.method == "INVITE":
            contacts = [contact for contact in contacts if not _is_own(contact, incoming, caller)]
            if not contacts:
                raise _NobodyThere(BUSY_HERE, "the only phone is the caller's own")
        choices = [_Choice(contact, self._reach(contact, target, caller)) for contact in contacts]
        given = _different(choice for choice in choices if choice.reach.uri)
        if not given:
            reasons = dict.fromkeys(f"{printable(choice.contact.uri)}: {choice.reach.reason}" for choice in choices)
            raise _NobodyThere(TEMPORARILY_UNAVAILABLE, "; ".join(reasons))
        return given

    def _reach(self, contact: Contact, target: SipUri, caller: Caller) -> Reach:
        settings = self._settings
        where = self._atlas.locate(contact.uri, contact.source)
        if _has_passed_on(contact, where.place.phone):
            return Reach("", False, f"its ports belong to {where.place.phone} now")
        if target.scheme == "sips" and where.uri.scheme != "sips":
            # RFC 5630 section 5.4: who asks for sips is not to be sent to a contact that is not.
            return Reach("", False, "it takes no sips")
        found = reach(contact.uri, where, settings.showing_of(contact.aor), caller.place, self._triangle, settings.realms)
        if found.uri and self._leads_back(SipUri.parse(found.uri), target):
            return Reach("", False, "it names this server, and the caller would come back in a circle")
        return found

    def _leads_back(self, uri: SipUri, target: SipUri) -> bool:
        """Whether a contact names one of our domains; phones beside the server have its address, but not its port."""
        if self._settings.domain_of(uri.host) is None:
            return False
        return ipv4(uri.host) is None or named(uri) == named(target)

    def _connect(self, incoming: Incoming, caller: Caller, given: list["_Choice"]) -> Iterator[Effect]:
        """Tell of the media that may follow, before the caller goes on: nobody else lets it through."""
        if self._settings.media and incoming.request.method == "INVITE":
            outside = (choice.contact for choice in given if not choice.reach.private)
            called = [(contact.phone, self._atlas.locate(contact.uri, contact.source).place) for contact in outside]
            for session in sessions(caller.place, called, incoming.request.body):
                yield Connect(session)

    def _tell(self, incoming: Incoming, caller: Caller, aor: str, given: list["_Choice"], now: float) -> list[Effect]:
        """Remember a call, and tell of it; a repeated INVITE says only that the answer was lost, so it is not told again."""
        if incoming.request.method == "INVITE":
            key = call_key(incoming.request)
            if key in self.calls:
                return []
            self.calls.add(key, _call(caller, aor, given[0], now))
        effects: list[Effect] = []
        if self._tally.tells(Redirected, now):
            effects.append(Emit(_redirected(incoming, caller, aor, given)))
        for contact, reached in given:
            if reached.needs_proxy and self._tally.tells(NeedsProxy, now):
                effects.append(Emit(_needs_proxy(caller, contact)))
        return effects

    def _not_reached(self, incoming: Incoming, caller: Caller, aor: str, error: "_NobodyThere") -> list[Effect]:
        user = self._settings.user_of(aor)
        event = NotReached(
            phone=caller.phone,
            peer=(user.phone or aor) if user is not None else "",
            method=incoming.request.method,
            caller=printable(caller.aor),
            aor=printable(aor),
            status=error.status,
            reason=error.reason,
        )
        return [reply(incoming, error.status), Emit(event)]


class _Choice(NamedTuple):
    """A contact, and how this caller reaches it."""

    contact: Contact
    reach: Reach


class _NobodyThere(VoxpathError):
    """There is no contact to give, which is told by this status code."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def _is_own(contact: Contact, incoming: Incoming, caller: Caller) -> bool:
    """Whether somebody calls himself; a phone's other users may be called from it."""
    return contact.aor == caller.aor and contact.source == incoming.datagram.source


def _has_passed_on(contact: Contact, holder: str) -> bool:
    """Whether the ports that a contact was registered from are another phone's now: its binding outlived its lease.

    As long as the ledger knew nobody the binding is under the user's name, and then it says nothing about the phone.
    """
    return bool(holder) and holder != contact.phone and contact.phone != printable(contact.aor)


def _proven(caller: Caller, user: SipUser) -> Caller:
    """The caller as his credentials name him, whatever his From header says."""
    return caller if user.aor == caller.aor else Caller(user.aor, caller.place.phone or user.phone or user.aor, caller.place)


def _moved(incoming: Incoming, choices: list[_Choice]) -> tuple[Send, int]:
    """Make the 302, with as many contacts as fit; tell how many those are."""
    values = [f"<{choice.reach.uri}>{_q(choice.contact.q) if len(choices) > 1 else ''}" for choice in choices]
    return listing(incoming, MOVED_TEMPORARILY, values, LARGEST_REDIRECT, 1)


def _different(choices: Iterable[_Choice]) -> list[_Choice]:
    """Leave out what would lead to the same place again."""
    found: dict[str, _Choice] = {}
    for choice in choices:
        found.setdefault(choice.reach.uri, choice)
    return list(found.values())


def _call(caller: Caller, aor: str, choice: _Choice, now: float) -> RedirectedCall:
    contact, reached = choice
    return RedirectedCall(caller.aor, caller.phone, aor, contact.phone, reached.uri, reached.private, reached.reason, now)


def _redirected(incoming: Incoming, caller: Caller, aor: str, given: list[_Choice]) -> Redirected:
    return Redirected(
        phone=caller.phone,
        peer=given[0].contact.phone,
        method=incoming.request.method,
        caller=printable(caller.aor),
        aor=printable(aor),
        contacts=printable(", ".join(choice.reach.uri for choice in given)),
        reason=given[0].reach.reason,
    )


def _needs_proxy(caller: Caller, contact: Contact) -> NeedsProxy:
    aor, uri = printable(contact.aor), printable(contact.uri)
    return NeedsProxy(phone=contact.phone, peer=caller.phone, caller=printable(caller.aor), aor=aor, contact=uri)


@lru_cache(maxsize=FULL_Q + 1)
def _q(thousandths: int) -> str:
    return f";q={thousandths / FULL_Q:g}"
