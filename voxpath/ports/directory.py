"""What protocols ask of a port ledger: their own process's one, or copies of those of gateways elsewhere."""

from ipaddress import IPv4Address
from typing import Protocol

from voxpath.model.ports import PortBinding


class Directory(Protocol):
    """The port ledger, or a remote role's copy of it (REG-22, MGC-2)."""

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Who holds this public port."""

    def binding_of(self, holder: str) -> PortBinding | None:
        """What this holder holds, or held when its gateway was heard last: for refusing those who borrow its name."""

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """Whose inside address this is."""


class NoDirectory:
    """The directory of a role that has no copy of any ledger: REG-23 and address equality are all it has."""

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Nobody is known."""
        return None

    def binding_of(self, holder: str) -> PortBinding | None:
        """Nothing is known."""
        return None

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """Nobody is known."""
        return None
