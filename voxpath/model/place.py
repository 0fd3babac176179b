"""Where a peer stands in the network, told from the address that its packets come from."""

from functools import lru_cache
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.model.address import Endpoint
from voxpath.model.call import Party
from voxpath.model.ports import PortBlock


class Place(NamedTuple):
    """A peer's addresses on both sides of the NAT, as far as they are known.

    :ivar phone: the holder of its ports, usually a MAC; empty: no ledger knows it.
    :ivar public: the address and port by which the outside reaches what it sent from.
    :ivar private: its inside address; ``None``: it has only a public one, or none is known.
    :ivar realm: the configured realm of this address pair; empty when none is configured for it.
    :ivar block: its port block; ``None``: no ledger knows it.
    :ivar origin: where the private address comes from, in words for the operator.
    """

    phone: str
    public: Endpoint
    private: IPv4Address | None
    realm: str
    block: PortBlock | None
    origin: str

    @property
    def party(self) -> Party:
        """The addresses for the triangle decision."""
        return Party(_address(self.public.host), self.private, self.realm or None)


@lru_cache(maxsize=4096)
def _address(host: str) -> IPv4Address:
    return IPv4Address(host)
