"""Where peers and contacts are, remembered for as long as the ledger's rows are the same ones and the contact is bound.

Working out a place costs more than all the rest of a redirect, and between two calls of a phone nothing has changed.
A row of the ledger is a value that is replaced and never changed, so being the same object means saying the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

from voxpath.model.address import Endpoint
from voxpath.model.place import Place
from voxpath.model.ports import PortBinding
from voxpath.model.realm import Realm
from voxpath.ports.directory import Directory
from voxpath.ports.place import ipv4, is_inside
from voxpath.sip.memo import LONGEST_KEPT
from voxpath.sip.reach import Nature, Whereabouts, locate, named, place_at
from voxpath.sip.uri import SipUri

MOST_REMEMBERED = 65_536
"""Places and contacts that are remembered, each; when there are more, all are forgotten and worked out anew."""

_CLAIMS_PORTS = (Nature.COMBINATION, Nature.FOREIGN, Nature.PUBLIC)
"""Natures that hang on a second row: that of the ports which the contact names."""


class _Mapped(NamedTuple):
    """A contact as it was found.

    :ivar row: whose ports it was registered from; ``None``: nobody's.
    :ivar claimed: whose ports the contact names, if it names any.
    """

    where: Whereabouts
    row: PortBinding | None
    claimed: PortBinding | None


class Atlas:
    """Tells places by the ledger and the realms."""

    def __init__(self, directory: Directory, realms: Sequence[Realm]) -> None:
        self._directory = directory
        self._realms = realms
        self._places: dict[Endpoint, tuple[PortBinding, Place]] = {}
        self._contacts: dict[tuple[str, Endpoint], _Mapped] = {}

    def held(self, source: Endpoint) -> Place | None:
        """The place of whoever holds the port that a packet comes from; ``None``: no ledger knows it."""
        row = self._row(source)
        if row is None or row.private is None:
            return None
        known = self._places.get(source)
        if known is not None and known[0] is row:
            return known[1]
        place = place_at(source, None, self._directory, self._realms)
        if len(self._places) >= MOST_REMEMBERED:
            self._places.clear()
        self._places[source] = (row, place)
        return place

    def place(self, source: Endpoint, contact: SipUri | None) -> Place:
        """The place of a peer that names this contact, if it names one."""
        return self.held(source) or place_at(source, contact, self._directory, self._realms)

    def stranger(self, source: Endpoint, contact: SipUri | None) -> Place:
        """The place of a peer that is not registered: a public address that it claims is not believed."""
        claimed = ipv4(contact.host) if contact is not None else None
        believed = contact if claimed is not None and is_inside(claimed, self._realms) else None
        return self.place(source, believed)

    def locate(self, uri: str, source: Endpoint) -> Whereabouts:
        """Where a phone is that registered this contact URI from this source; whoever unbinds it has it forgotten."""
        known = self._contacts.get((uri, source))
        if known is not None and self._row(source) is known.row and self._claimed(known.where) is known.claimed:
            return known.where
        where = self.survey(uri, source)
        address = ipv4(source.host)
        if len(uri) <= LONGEST_KEPT and address is not None and not is_inside(address, self._realms):
            # A source on this side of the NAT is looked for by its inside address, so that its row is another one.
            if len(self._contacts) >= MOST_REMEMBERED:
                self._contacts.clear()
            self._contacts[uri, source] = _Mapped(where, self._row(source), self._claimed(where))
        return where

    def survey(self, uri: str, source: Endpoint) -> Whereabouts:
        """The same of a contact that is not bound yet: nothing is remembered."""
        return locate(SipUri.parse(uri), source, self._directory, self._realms)

    def forget(self, uri: str, source: Endpoint) -> None:
        """The contact is not bound any more, or from another source."""
        self._contacts.pop((uri, source), None)

    def _row(self, endpoint: Endpoint) -> PortBinding | None:
        address = ipv4(endpoint.host)
        return self._directory.holder_of(address, endpoint.port) if address is not None else None

    def _claimed(self, where: Whereabouts) -> PortBinding | None:
        return self._row(named(where.uri)) if where.nature in _CLAIMS_PORTS else None
