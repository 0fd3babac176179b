"""Whom a command is about: operators name a phone by its Ethernet address, its message identifier, or one of its users."""

from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.manage.facts import Facts
from voxpath.model.phone import identity_of
from voxpath.sip.uri import SipUri


class Subject(NamedTuple):
    """Whom a command is about.

    :ivar name: the canonical form of what was written.
    :ivar aor: the same, if it is an address-of-record; else empty.
    :ivar identities: the names under which events tell of it, that of the phone first.
    """

    name: str
    aor: str
    identities: tuple[str, ...]


def subject_of(facts: Facts, text: str) -> Subject:
    """Read how a person writes it: a MAC in any form, ``a1@voip.example`` with a scheme or without, or a message identifier."""
    aor = aor_of(text)
    if not aor:
        identity = identity_of(text)
        return Subject(identity, "", (identity,))
    return Subject(aor, aor, tuple(dict.fromkeys((*facts.phones_of(aor), aor))))


def aor_of(text: str) -> str:
    """The address-of-record that is written; empty: it is none."""
    written = text.strip().removeprefix("<").removesuffix(">")
    if "@" not in written:
        return ""
    uri = written if written.lower().startswith(("sip:", "sips:")) else f"sip:{written}"
    try:
        return SipUri.parse(uri).aor
    except RemoteError:
        return ""
