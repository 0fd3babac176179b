"""Where a peer stands: from its transport address to its addresses on both sides of the NAT (REG-15, REG-21 to REG-23, D3, D6).

The transport address and the ledger are observed; what the peer says of itself is claimed, and is used only where nothing better
is known.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from voxpath.model.address import Endpoint
from voxpath.model.place import Place
from voxpath.model.ports import PortBinding
from voxpath.model.realm import Realm, realm_of
from voxpath.ports.directory import Directory

INSIDE = tuple(
    IPv4Network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15"),
    )
)
"""Prefixes that are never public: RFC 1918, loopback, link-local; this network, shared by carriers' NATs, for protocols, for
benchmarks (RFC 6890).

``is_private`` also names the documentation's prefixes, which are public here.
"""
_INSIDE_BITS = tuple((int(prefix.network_address), int(prefix.netmask)) for prefix in INSIDE)

LONGEST_ADDRESS = len("255.255.255.255")

LEDGER = "the ledger"
TRANSPORT = "the transport address"
CLAIM = "its own word"
NOWHERE = "nowhere"
"""Where a private address comes from."""


def ipv4(text: str) -> IPv4Address | None:
    """An address from its text; ``None`` for a name and for anything else."""
    # What is longer is none, and is not kept: names may have thousands of characters.
    return _ipv4(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=65536)
def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def is_inside(address: IPv4Address, realms: Sequence[Realm]) -> bool:
    """Whether an address cannot be reached from outside its network; a realm may also use prefixes that others call public."""
    if any(address in realm.public for realm in realms):
        return False
    return _never_public(int(address)) or any(address in prefix for realm in realms for prefix in realm.private)


def _never_public(address: int) -> bool:
    # Asked for each packet of a peer that no ledger knows; as numbers it is a fifth of the work.
    return any(address & mask == prefix for prefix, mask in _INSIDE_BITS)


def place_of(
    source: Endpoint,
    directory: Directory,
    realms: Sequence[Realm],
    *,
    private: IPv4Address | None = None,
    public: IPv4Address | None = None,
) -> Place:
    """Tell where a peer stands.

    :param source: where its packet came from; an IPv4 address.
    :param private: the inside address that it claims.
    :param public: the public address that it claims.
    """
    address = ipv4(source.host)
    assert address is not None, f"{source} is no IPv4 address"
    binding = directory.holder_of(address, source.port)
    inside = binding is None and is_inside(address, realms)
    if inside:
        binding = _neighbour(address, source.port, public, directory, realms)
    if binding is not None and binding.private is not None:
        block = binding.block
        realm = realm_of(realms, binding.private, block.public)
        name = realm.name if realm is not None else ""
        return Place(binding.holder, Endpoint(str(block.public), source.port), binding.private, name, block, LEDGER)
    origin, outer = NOWHERE, address
    if inside:
        outer, private, origin = public or address, address, TRANSPORT
    elif private == address or (private is not None and not is_inside(private, realms)):
        private = None
    elif private is not None:
        origin = CLAIM
    realm = realm_of(realms, private, outer)
    return Place("", Endpoint(str(outer), source.port), private, realm.name if realm is not None else "", None, origin)


def _neighbour(
    address: IPv4Address, port: int, public: IPv4Address | None, directory: Directory, realms: Sequence[Realm]
) -> PortBinding | None:
    """Find a phone on the server's own side of the NAT (decision D3).

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
        found = [binding for binding in found if binding.block.public == public]
    return found[0] if len(found) == 1 else None
