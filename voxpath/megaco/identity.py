"""Who registers, and under which addresses (REG-15, REG-21 to REG-23, decisions D3 and D6).

The transport source and the ledger are observed; what the gateway says of itself is claimed, and is used only where nothing better
is known.
"""

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.megaco.code import BAD_IDENTIFIER, UNAUTHORIZED
from voxpath.megaco.directory import Directory
from voxpath.megaco.message import MId, Services
from voxpath.model.address import Endpoint, Mac
from voxpath.model.ports import PortBinding
from voxpath.model.realm import Realm, realm_of

X_MAC = "X-mac"
X_PUBLIC = "X-public"
X_PRIVATE = "X-priv"
"""Extension parameters of a voxpath phone's ServiceChange; Annex B allows six characters after ``X-``."""

INSIDE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"))
"""Prefixes that are never public (RFC 1918, loopback, link-local); ``is_private`` also names the documentation's prefixes."""


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
    public, private = _address(texts.get(X_PUBLIC.lower())), _address(texts.get(X_PRIVATE.lower()))
    if private is None and isinstance(mid.address, IPv4Address):
        private = mid.address
    return Claim(mid, mac, public, private)


def identify(claim: Claim, source: Endpoint, directory: Directory, realms: Sequence[Realm]) -> Identity:
    """Decide who it is.

    :raises RemoteError: with the error code for the reply: the claims contradict the ledger, or the source is no IPv4 address.
    """
    address = _address(source.host)
    if address is None:
        raise RemoteError("only IPv4 gateways can register", code=BAD_IDENTIFIER)
    binding = directory.holder_of(address, source.port)
    inside = binding is None and _is_inside(address, realms)
    if inside:
        binding = _neighbour(address, source.port, claim, directory, realms)
    if binding is not None and binding.private is not None:
        return _from_ledger(claim, source, binding, realms)
    _refuse_borrowed_name(claim, address, source.port, directory)
    origin = "nowhere"
    public, private = address, claim.private
    if inside:
        public, private, origin = claim.public or address, address, "the transport address"
    elif private == address or (private is not None and not _is_inside(private, realms)):
        private = None
    elif private is not None:
        origin = "its message identifier"
    realm = realm_of(realms, private, public)
    return Identity(
        phone=str(claim.mac) if claim.mac is not None else claim.mid.key,
        certain=claim.mac is not None,
        public=Endpoint(str(public), source.port),
        private=private,
        realm=realm.name if realm is not None else "",
        origin=origin,
    )


def _from_ledger(claim: Claim, source: Endpoint, binding: PortBinding, realms: Sequence[Realm]) -> Identity:
    if claim.mac is not None and str(claim.mac) != binding.holder:
        raise RemoteError(f"the port belongs to {binding.holder}", code=UNAUTHORIZED)
    public = binding.block.public
    realm = realm_of(realms, binding.private, public)
    return Identity(
        phone=binding.holder,
        certain=True,
        public=Endpoint(str(public), source.port),
        private=binding.private,
        realm=realm.name if realm is not None else "",
        origin="the ledger",
    )


def _is_inside(address: IPv4Address, realms: Sequence[Realm]) -> bool:
    if any(address in realm.public for realm in realms):
        return False
    return any(address in prefix for realm in realms for prefix in realm.private) or any(address in prefix for prefix in INSIDE)


def _neighbour(address: IPv4Address, port: int, claim: Claim, directory: Directory, realms: Sequence[Realm]) -> PortBinding | None:
    """Find a phone on the controller's own side of the NAT (decision D3).

    Several realms may use one prefix: the phone's port must lie in its block, and its claimed public address decides between them.
    """
    found = [
        binding
        for realm in realms
        if any(address in prefix for prefix in realm.private)
        and (binding := directory.by_private(realm.name, address)) is not None
        and port in binding.block
    ]
    if len(found) > 1:
        found = [binding for binding in found if binding.block.public == claim.public]
    return found[0] if len(found) == 1 else None


def _refuse_borrowed_name(claim: Claim, address: IPv4Address, port: int, directory: Directory) -> None:
    """A phone that the ledger knows registers from its own block, or not at all; a stale ledger is asked too."""
    binding = directory.binding_of(str(claim.mac)) if claim.mac is not None else None
    if binding is None:
        return
    own = port in binding.block and address in {binding.block.public, binding.private}
    if not own:
        raise RemoteError(f"{claim.mac} has its ports elsewhere", code=UNAUTHORIZED)


def _address(text: str | None) -> IPv4Address | None:
    try:
        return IPv4Address(text) if text is not None else None
    except AddressValueError:
        return None
