"""Who sends a request: the phone in events and ladders, and its place for the triangle decision.

Only what is known of its source names a phone: the ledger, or a binding.
A stranger's From header does not, or anybody could fill the ladders of phones that he names.
"""

from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.model.contact import Contact
from voxpath.model.place import Place
from voxpath.sip.atlas import Atlas
from voxpath.sip.header import contacts, parse_address
from voxpath.sip.location import Location
from voxpath.sip.message import Request
from voxpath.sip.reply import Incoming
from voxpath.sip.settings import SipSettings
from voxpath.sip.uri import SipUri


class Caller(NamedTuple):
    """Who asks where a user is.

    :ivar aor: its address-of-record, as its From header says; other URIs as they are.
    :ivar phone: the identity of its phone; empty when it is not known.
    """

    aor: str
    phone: str
    place: Place


class Sender(NamedTuple):
    """Who a request is from, for ladders.

    :ivar phone: under which phone it is filed; empty: under none.
    :ivar proven: whether the phone is known to have sent it; else its source address stands for the sender.
    """

    phone: str
    proven: bool


class Peers:
    """Tells senders of requests."""

    def __init__(self, settings: SipSettings, atlas: Atlas, location: Location) -> None:
        self._settings = settings
        self._atlas = atlas
        self._location = location

    def sender(self, incoming: Incoming) -> Sender:
        """Who sends a request.

        A REGISTER from an unknown source is filed under the phone of whom it is for, so that a wrong password is found there.
        """
        registers = incoming.request.method == "REGISTER"
        aor = aor_of(incoming.request.value("to" if registers else "from"))
        binding = self._binding(incoming, aor)
        source = incoming.datagram.source
        place = self._atlas.held(source) if binding is not None else self._atlas.place(source, None)
        # A binding may have outlived the lease of its phone, and then the ledger names another one.
        phone = (place.phone if place is not None else "") or (binding.phone if binding is not None else "")
        if phone or not registers:
            return Sender(phone, bool(phone))
        return Sender(self._of_user(aor), False)

    def caller(self, incoming: Incoming) -> Caller:
        """The caller: by the ledger, else by the binding from the same source, else by its own contact.

        Only a contact that is registered is believed when it claims a public address: behind that the phones of a realm talk by
        their inside addresses, which are nobody else's business.
        """
        aor = aor_of(incoming.request.value("from"))
        binding = self._binding(incoming, aor)
        place = self._atlas.held(incoming.datagram.source)
        if place is None:
            contact = _uri(binding.uri) if binding is not None else _contact(incoming.request)
            source = incoming.datagram.source
            place = self._atlas.place(source, contact) if binding is not None else self._atlas.stranger(source, contact)
        return Caller(aor, place.phone or (binding.phone if binding is not None else ""), place)

    def called(self, aor: str) -> str:
        """The phone of the user who is called: where the first contact is, or what the configuration says."""
        bindings = self._location.of(aor)
        return bindings[0].phone if bindings else self._of_user(aor)

    def _binding(self, incoming: Incoming, aor: str) -> Contact | None:
        """One socket may have registered several users."""
        source = incoming.datagram.source
        for contact in self._location.of(aor):
            if contact.source_port == source.port and contact.source_host == source.host:
                return contact
        return self._location.at_source(source)

    def _of_user(self, aor: str) -> str:
        user = self._settings.user_of(aor)
        return (user.phone or aor) if user is not None else ""


def aor_of(raw: str) -> str:
    """The address-of-record of a From or To; what is none stays as it is."""
    try:
        uri = parse_address(raw).uri
    except RemoteError:
        return raw
    found = _uri(uri)
    return found.aor if found is not None else uri


def _uri(text: str) -> SipUri | None:
    try:
        return SipUri.parse(text)
    except RemoteError:
        return None


def _contact(request: Request) -> SipUri | None:
    try:
        named = contacts(request)
    except RemoteError:
        return None
    return _uri(named[0].uri) if named else None
