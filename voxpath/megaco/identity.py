"""Who registers, and under which addresses (REG-15, REG-21 to REG-23, decisions D3 and D6).

The transport source and the ledger are observed; what the gateway says of itself is claimed, and is used only where nothing better
is known.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.megaco.code import BAD_IDENTIFIER, UNAUTHORIZED
from voxpath.megaco.message import MId, Services
from voxpath.model.address import Endpoint, Mac
from voxpath.model.realm import Realm
from voxpath.ports.directory import Directory
from voxpath.ports.place import CLAIM, ipv4, place_of

X_MAC = "X-mac"
X_PUBLIC = "X-public"
X_PRIVATE = "X-priv"
"""Extension parameters of a voxpath phone's ServiceChange; Annex B allows six characters after ``X-``."""


class Claim(NamedTuple):
    """What a gateway says of itself in its registration."""

    mid: MId
    mac: Mac | None = None
    public: IPv4Address | None = None
    private: IPv4Address | None = None


class Identity(NamedTuple):
    """What the controller believes.

    :ivar phone: the holder's MAC, or the claimed one, or the message identifier.
    :ivar certain: whether ``phone`` is a MAC, so that it stands for one device only.
    :ivar origin: where the private address comes from, for the operator.
    """

    phone: str
    certain: bool
    public: Endpoint
    private: IPv4Address | None
    realm: str
    origin: str


def claim_of(mid: MId, services: Services) -> Claim:
    """Read the claims; an extension that cannot be read counts as absent, since others may use its name otherwise."""
    texts = {each.name.lower(): each.value for each in services.extensions}
    try:
        mac = Mac.parse(texts[X_MAC.lower()])
    except (KeyError, ValueError):
        mac = None
    public, private = ipv4(texts.get(X_PUBLIC.lower(), "")), ipv4(texts.get(X_PRIVATE.lower(), ""))
    if private is None and isinstance(mid.address, IPv4Address):
        private = mid.address
    return Claim(mid, mac, public, private)


def identify(claim: Claim, source: Endpoint, directory: Directory, realms: Sequence[Realm]) -> Identity:
    """Decide who it is.

    :raises RemoteError: with the error code for the reply: the claims contradict the ledger, or the source is no IPv4 address.
    """
    address = ipv4(source.host)
    if address is None:
        raise RemoteError("only IPv4 gateways can register", code=BAD_IDENTIFIER)
    place = place_of(source, directory, realms, private=claim.private, public=claim.public)
    if not place.phone:
        _refuse_borrowed_name(claim, address, source.port, directory)
    elif claim.mac is not None and str(claim.mac) != place.phone:
        raise RemoteError(f"the port belongs to {place.phone}", code=UNAUTHORIZED)
    return Identity(
        phone=place.phone or (str(claim.mac) if claim.mac is not None else claim.mid.key),
        certain=bool(place.phone) or claim.mac is not None,
        public=place.public,
        private=place.private,
        realm=place.realm,
        origin="its message identifier" if place.origin == CLAIM else place.origin,
    )


def _refuse_borrowed_name(claim: Claim, address: IPv4Address, port: int, directory: Directory) -> None:
    """A phone that the ledger knows registers from its own block, or not at all; a stale ledger is asked too."""
    binding = directory.binding_of(str(claim.mac)) if claim.mac is not None else None
    if binding is None:
        return
    own = port in binding.block and address in {binding.block.public, binding.private}
    if not own:
        raise RemoteError(f"{claim.mac} has its ports elsewhere", code=UNAUTHORIZED)
