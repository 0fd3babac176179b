"""What a REGISTER changes: decided as a whole before anything is done (RFC 3261 section 10.3 steps 6 and 7)."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from voxpath.core.effects import Change, Delete, Put
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.model.event import Event, printable
from voxpath.model.user import Showing
from voxpath.sip.atlas import Atlas
from voxpath.sip.binding import Wanted
from voxpath.sip.event import ContactBound, ContactUnbound, ForeignContact
from voxpath.sip.reach import Nature, Whereabouts, combination
from voxpath.sip.settings import SipSettings
from voxpath.sip.status import FORBIDDEN, SERVER_ERROR
from voxpath.sip.uri import SipUri

REMEMBERED: Final = 4096
"""GRUUs that are kept as they are printed."""
REMOVED: Final = "the phone removed it"


class Asked(NamedTuple):
    """Who asks: what a request says of all its contacts.

    :ivar source: where it came from.
    :ivar agent: what the phone calls itself, made printable.
    """

    aor: str
    call_id: str
    cseq: int
    source: Endpoint
    agent: str


class Rebinding(NamedTuple):
    """What is to be done for a request.

    :ivar added: how many bindings more there are after it.
    :ivar events: what is told when it is done.
    """

    changes: tuple[Change, ...]
    added: int
    events: tuple[Event, ...]


class Policy:
    """Decides by the configuration and by what the ledger knows."""

    def __init__(self, settings: SipSettings, atlas: Atlas) -> None:
        self._settings = settings
        self._atlas = atlas

    def rebind(self, contacts: Iterable[Wanted] | None, bound: Mapping[str, Contact], asked: Asked, now: float) -> Rebinding:
        """Decide on the contacts of a request.

        :param contacts: ``None``: all that are bound are to be removed.
        :param bound: the bindings that the address-of-record has, by their keys.
        :raises RemoteError: code 500: the request is older than a binding that it would change; 403: too many contacts.
        """
        if contacts is None:
            contacts = [Wanted(key, contact.uri, contact.q, 0) for key, contact in bound.items()]
        changes: list[Change] = []
        events: list[Event] = []
        added = 0
        for each in contacts:
            former = bound.get(each.key)
            if former is not None and former.call_id == asked.call_id and asked.cseq <= former.cseq:
                if not _is_repeated(each, former, asked):
                    raise RemoteError("CSeq is not higher than before", code=SERVER_ERROR, section="RFC 3261 section 10.3")
            elif each.expires_s:
                changes.append(Put(self._bound(each, former, asked, now, events)))
                added += former is None
            elif former is not None:
                changes.append(Delete(former))
                events.append(unbound(former, REMOVED))
                added -= 1
        if added > 0 and len(bound) + added > self._settings.max_contacts:
            raise RemoteError("too many contacts", code=FORBIDDEN)
        return Rebinding(tuple(changes), added, tuple(events))

    def gruus(self, aor: str, user: str, contacts: Iterable[Contact], source: Endpoint) -> dict[str, str]:
        """What the phone at this source is to use as its contact in dialogs, by its contact URIs.

        A GRUU of RFC 5627 names the domain, and whatever is sent to it comes to the server.
        This one names the phone's combination address, so that it needs no server: our extension, for users that want it.

        :param user: the user part of the address-of-record.
        """
        if self._settings.showing_of(aor) is not Showing.GRUU:
            return {}
        found = {}
        for contact in contacts:
            if contact.source == source:
                public = combination(self._atlas.locate(contact.uri, source), self._settings.realms)
                if public is not None:
                    found[contact.uri] = _gruu(user, public)
        return found

    def phone_of(self, aor: str) -> str:
        """The phone that the configuration names for a user, or the user himself; empty: nobody is listed."""
        user = self._settings.user_of(aor)
        return (user.phone or aor) if user is not None else ""

    def _bound(self, each: Wanted, former: Contact | None, asked: Asked, now: float, events: list[Event]) -> Contact:
        """The binding that is made; events of anything but a refresh are added."""
        aor, call_id, cseq, source, agent = asked
        phone = self.phone_of(aor) or printable(aor)
        stays = former is not None and former.uri == each.uri
        since = former.since if former is not None and stays else now
        if former is None or not stays or not _is_from(former, source):
            where = self._atlas.survey(each.uri, source)
            phone = where.place.phone or phone
            events += _told(each.uri, asked, phone, where)
        elif former.call_id != call_id:
            phone = self._atlas.locate(each.uri, source).place.phone or phone
        else:
            # The ledger may have been silent before, but a phone that it knows is not looked for at each refresh.
            phone = former.phone if former.phone != phone else self._holder(source) or phone
        expires = now + each.expires_s
        return Contact(aor, each.key, each.uri, each.q, source.host, source.port, call_id, cseq, expires, since, agent, phone)

    def _holder(self, source: Endpoint) -> str:
        place = self._atlas.held(source)
        return place.phone if place is not None else ""


@lru_cache(maxsize=REMEMBERED)
def _gruu(user: str, public: Endpoint) -> str:
    return str(SipUri("sip", user, "", public.host, public.port, {}))


def unbound(contact: Contact, reason: str) -> ContactUnbound:
    """The event of a binding's end."""
    return ContactUnbound(phone=contact.phone, aor=printable(contact.aor), contact=printable(contact.uri), reason=reason)


def _is_from(contact: Contact, source: Endpoint) -> bool:
    return contact.source_port == source.port and contact.source_host == source.host


def _is_repeated(each: Wanted, former: Contact, asked: Asked) -> bool:
    """Whether a request says again what it has said: the answer was lost."""
    return asked.cseq == former.cseq and each.uri == former.uri and each.expires_s > 0


def _told(uri: str, asked: Asked, phone: str, where: Whereabouts) -> list[Event]:
    aor, contact, source = printable(asked.aor), printable(uri), str(asked.source)
    place = where.nature.value
    if where.outside is not None:
        place += f"; from outside it is {where.outside}"
    if where.inside is not None:
        place += f"; from inside it is {where.inside}, by {where.place.origin}"
    told: list[Event] = [ContactBound(phone=phone, aor=aor, contact=contact, source=source, place=place)]
    if where.nature is Nature.FOREIGN:
        told.append(ForeignContact(phone=phone, peer=where.holder, aor=aor, contact=contact, source=source, holder=where.holder))
    return told
