"""What a REGISTER asks for, and how bindings are listed in its answer (RFC 3261 section 10.3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.model.contact import FULL_Q, Contact
from voxpath.model.event import printable
from voxpath.sip.header import STAR, contacts, q_of, quoted
from voxpath.sip.memo import remembered
from voxpath.sip.message import Params, Request
from voxpath.sip.settings import SipSettings
from voxpath.sip.status import BAD_REQUEST
from voxpath.sip.uri import SipUri

LONGEST_CONTACT: Final = 512
"""Characters of a contact URI: a 302 has to hold it; phones that are woken by push services write the longest ones."""
LONGEST_INSTANCE: Final = 128
"""Characters of a ``+sip.instance``; a longer one identifies nothing."""
LONGEST_AGENT: Final = 64
"""Characters of a phone's name that are kept."""

_MOST_DIGITS: Final = 10
"""Of a number of seconds; the largest that RFC 3261 section 20.19 allows has as many."""
_INSTANCE: Final = re.compile(r'"<[\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e]+>"')
"""An angle-bracketed URN in quotes, of characters that need no escape there."""
_FLOW: Final = re.compile(r"[0-9]{1,10}")


class Wanted(NamedTuple):
    """One contact of a REGISTER.

    :ivar key: what identifies the binding, as in :class:`~voxpath.model.contact.Contact`.
    :ivar expires_s: for how long; 0: it is to be removed.
    """

    key: str
    uri: str
    q: int
    expires_s: int


def wanted(request: Request, settings: SipSettings, bound: Mapping[str, Contact]) -> list[Wanted] | None:
    """The contacts of a REGISTER, of several with one key the last one; ``None``: all bindings are to be removed.

    :param bound: the bindings that there are, by their keys: a contact that is refreshed is not read again.
    :raises RemoteError: code 400 or 416: a contact is malformed, too long, or no SIP URI; a star does not stand alone, or not with
        ``Expires: 0`` (section 10.2.2).
    """
    addresses = contacts(request)
    if addresses == (STAR,):
        if _expires_s(request.value("expires"), settings):
            raise RemoteError("Contact: * without Expires: 0", code=BAD_REQUEST, section="RFC 3261 section 10.2.2")
        return None
    found = []
    for address in addresses:
        _, uri, params = address
        expires = params.get("expires")
        if expires is None:
            expires = request.value("expires")
        found.append(Wanted(_key(uri, params, bound), uri, q_of(address), _expires_s(expires, settings)))
    return list({each.key: each for each in found}.values()) if len(found) > 1 else found


def _expires_s(text: str, settings: SipSettings) -> int:
    """How long a binding is to last; what is malformed counts as nothing (RFC 3261 section 10.2.1.1), and too much is cut."""
    if not (text.isascii() and text.isdigit()):
        return settings.default_expires_s
    return min(int((text.lstrip("0") or "0")[: _MOST_DIGITS + 1]), settings.max_expires_s)


def _key(uri: str, params: Params, bound: Mapping[str, Contact]) -> str:
    """What identifies a binding."""
    instance = _instance(params)
    for key, contact in bound.items():
        if contact.uri == uri and (key == instance or not (instance or key[0] == "<")):
            return key
    if len(uri) > LONGEST_CONTACT or not uri.isprintable():
        reason = f"Contact: a URI of more than {LONGEST_CONTACT} characters, or with some that cannot be shown"
        raise RemoteError(reason, code=BAD_REQUEST)
    canonical = SipUri.parse(uri).canonical
    # Most contacts are written canonically: their text is then kept once.
    return instance or (uri if uri == canonical else canonical)


def _instance(params: Params) -> str:
    """The phone's own identity, and behind it the number of its flow if it names one (RFC 5626 section 6); empty: it has none."""
    raw = params.get("+sip.instance")
    if raw is None or len(raw) > LONGEST_INSTANCE or _INSTANCE.fullmatch(raw) is None:
        return ""
    flow = params.get("reg-id")
    return f"{raw[1:-1]};reg-id={flow}" if flow is not None and _FLOW.fullmatch(flow) else raw[1:-1]


@remembered(1024)
def agent_of(text: str) -> str:
    """What a phone calls itself, as it is kept and shown."""
    return printable(text, LONGEST_AGENT)


def listed(bound: Iterable[Contact], now: float, gruus: Mapping[str, str]) -> list[str]:
    """The Contact values of a 200: each binding with the time that it has left (RFC 3261 section 10.3 step 8).

    :param gruus: what the phone is to use as its contact in dialogs, by the contact URI (RFC 5627 section 5.3).
    """
    values = []
    for contact in bound:
        words = f"<{contact.uri}>;expires={max(int(contact.expires - now + 0.5), 1)}"
        if contact.q != FULL_Q:
            words += f";q=0.{contact.q:03}"
        if contact.key[0] == "<":
            words += _identity(contact.key)
        if contact.uri in gruus:
            words += f";pub-gruu={quoted(gruus[contact.uri])}"
        values.append(words)
    return values


def _identity(key: str) -> str:
    """The parameters that a key was made from."""
    instance, bracket, flow = key.rpartition(">")
    return f';+sip.instance="{instance}{bracket}"{flow}'
