"""By which address a contact is reached: what it says of itself, where it was registered from, and what the ledger knows (DNT-4).

A contact is never rewritten where it is kept.
Whoever is given it is given the URI as it was registered, unless its address means nothing to him or is not the phone's; only then
host and port are replaced, by those that its packets come from.
URI headers, and parameters that name a second address, are given to nobody: whatever a phone registers goes to strangers.
"""

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.model.address import Endpoint
from voxpath.model.call import Triangle
from voxpath.model.place import Place
from voxpath.model.realm import Realm
from voxpath.model.user import Showing
from voxpath.ports.directory import Directory
from voxpath.ports.place import ipv4, is_inside, place_of
from voxpath.sip.memo import LONGEST_KEPT
from voxpath.sip.settings import DEFAULT_SIP_PORT
from voxpath.sip.uri import SipUri, is_public_name

SIPS_PORT = 5061
_FIRST_GROUP = int(IPv4Address("224.0.0.0"))
"""The first multicast address; those behind it are multicast or reserved. As numbers they are compared at a tenth of the cost."""
REMEMBERED = 16_384
"""Contact URIs that are kept at their other address."""


class Nature(Enum):
    """What kind of address a contact names."""

    COMBINATION = "the phone's own public address and port"
    FOREIGN = "public ports of another holder"
    INSIDE = "an address that means nothing outside its network"
    PUBLIC = "a public address that no ledger knows"
    NAME = "a name"


class Whereabouts(NamedTuple):
    """Where the phone is that registered a contact.

    :ivar place: where its packets come from.
    :ivar holder: whose ports a foreign contact names; else empty.
    :ivar outside: where everybody reaches it; ``None``: only an inside address is known.
    :ivar inside: where those in its realm reach it, if its place has an inside address.
    """

    uri: SipUri
    nature: Nature
    place: Place
    holder: str
    outside: Endpoint | None
    inside: Endpoint | None


class Reach(NamedTuple):
    """What a caller is given.

    :ivar uri: the contact URI; empty: there is none that would lead this caller to the phone.
    :ivar private: whether it names an inside address.
    :ivar reason: why, in one line for the operator.
    :ivar needs_proxy: the phone shows an inside address in its dialogs, and this caller cannot reach that.
    """

    uri: str
    private: bool
    reason: str
    needs_proxy: bool = False


def named(uri: SipUri) -> Endpoint:
    """The address and port that a URI names."""
    return Endpoint(uri.host, uri.port or (SIPS_PORT if uri.scheme == "sips" else DEFAULT_SIP_PORT))


def place_at(source: Endpoint, contact: SipUri | None, directory: Directory, realms: Sequence[Realm]) -> Place:
    """Tell where a peer stands from the source of its packets and from the contact that it names, if it names one."""
    claimed = ipv4(contact.host) if contact is not None else None
    if claimed is None:
        return place_of(source, directory, realms)
    if _means_nothing_outside(claimed, realms):
        return place_of(source, directory, realms, private=claimed)
    return place_of(source, directory, realms, public=claimed)


def locate(contact: SipUri, source: Endpoint, directory: Directory, realms: Sequence[Realm]) -> Whereabouts:
    """Tell where the phone is that registered this contact from this source."""
    place = place_at(source, contact, directory, realms)
    address = ipv4(contact.host)
    if address is None and is_public_name(contact.host):
        return Whereabouts(contact, Nature.NAME, place, "", None, None)
    if address is None:
        # An IPv6 address leads nowhere from an IPv4 server, and may hide an inside one; so do other ways to write an address.
        outside = _outside(place, place.public.port, realms)
        return Whereabouts(contact, Nature.INSIDE, place, "", outside, _observed_inside(place))
    own = named(contact)
    if _means_nothing_outside(address, realms):
        inside = own if address == place.private else _observed_inside(place)
        return Whereabouts(contact, Nature.INSIDE, place, "", _outside(place, own.port, realms), inside)
    binding = directory.holder_of(address, own.port)
    if binding is None:
        return Whereabouts(contact, Nature.PUBLIC, place, "", own, None)
    if binding.holder == place.phone:
        return Whereabouts(contact, Nature.COMBINATION, place, "", own, None)
    # What it claims is not to be used in any way, so its place is told anew without it.
    place = place_of(source, directory, realms)
    outside = _outside(place, place.public.port, realms)
    return Whereabouts(contact, Nature.FOREIGN, place, binding.holder, outside, _observed_inside(place))


def combination(where: Whereabouts, realms: Sequence[Realm]) -> Endpoint | None:
    """The combination address of a phone, public address and own port; ``None`` when it is not known to be behind our NAT.

    Without the ledger's word a public address counts that is configured for a realm: its gateway keeps ports.
    """
    place, outside = where.place, where.outside
    if where.nature in {Nature.NAME, Nature.PUBLIC}:
        # What it claims may be anybody's.
        outside = _outside(place, place.public.port, realms)
    if outside is None:
        return None
    known = place.block is not None
    return outside if known or any(IPv4Address(outside.host) in realm.public for realm in realms) else None


def reach(raw: str, where: Whereabouts, showing: Showing, caller: Place, triangle: Triangle, realms: Sequence[Realm]) -> Reach:
    """Choose the address of a contact for one caller.

    :param raw: the contact URI as it was registered.
    :param showing: how the phone shows its combination address in its dialogs.
    """
    if where.nature is not Nature.INSIDE and where.nature is not Nature.FOREIGN:
        return Reach(_as_it_is(raw, where.uri), False, f"the contact is {where.nature.value}")
    selection = triangle(caller.party, where.place.party)
    inside, outside = where.inside, where.outside
    if selection.private and inside is not None:
        return Reach(_at(raw, inside), True, selection.reason)
    if outside is not None:
        hidden = where.nature is Nature.INSIDE and (showing is not Showing.GRUU or combination(where, realms) is None)
        return Reach(_at(raw, outside), False, selection.reason, hidden)
    if inside is not None and is_inside(IPv4Address(caller.public.host), realms):
        return Reach(_at(raw, inside), True, "both are in this server's own network, as far as is known")
    return Reach("", False, "only its inside address is known")


def _means_nothing_outside(address: IPv4Address, realms: Sequence[Realm]) -> bool:
    number = int(address)
    return not number or number >= _FIRST_GROUP or is_inside(address, realms)


def _outside(place: Place, port: int, realms: Sequence[Realm]) -> Endpoint | None:
    """Where the outside reaches a phone at a port of its own: the NAT keeps the ports of a block, and of nothing else."""
    if place.block is not None and port in place.block:
        return Endpoint(place.public.host, port)
    return None if is_inside(IPv4Address(place.public.host), realms) else place.public


def _observed_inside(place: Place) -> Endpoint | None:
    return Endpoint(str(place.private), place.public.port) if place.private is not None else None


def _at(raw: str, endpoint: Endpoint) -> str:
    """A contact URI at another address, or as it was registered if that is its own."""
    return _remembered_at(raw, endpoint) if len(raw) <= LONGEST_KEPT else _moved(raw, endpoint)


@lru_cache(maxsize=REMEMBERED)
def _remembered_at(raw: str, endpoint: Endpoint) -> str:
    return _moved(raw, endpoint)


def _moved(raw: str, endpoint: Endpoint) -> str:
    uri = SipUri.parse(raw)
    return _as_it_is(raw, uri) if endpoint == named(uri) else str(uri.at(endpoint.host, endpoint.port))


def _as_it_is(raw: str, uri: SipUri) -> str:
    """A contact URI as it was registered, but for what would lead a caller elsewhere."""
    bare = uri.bare
    return raw if bare is uri else str(bare)
