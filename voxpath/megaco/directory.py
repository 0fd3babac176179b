"""What the controller asks of its surroundings: ledger, number plan, triangle decision; :mod:`voxpath.app` plugs them in."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Protocol, TypeAlias

from voxpath.model.call import Line, Party, Selection
from voxpath.model.ports import PortBinding


class Directory(Protocol):
    """The port ledger, or a remote role's copy of it (REG-22, MGC-2)."""

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Who holds this public port."""

    def binding_of(self, holder: str) -> PortBinding | None:
        """What this holder holds, or held when its gateway was heard last: for refusing those who borrow its name."""

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """Whose inside address this is."""


class NumberPlan(Protocol):
    """Numbers and their lines (MGC-3)."""

    @property
    def digit_map(self) -> str:
        """The digit map by which gateways collect numbers."""

    def line(self, digits: str) -> Line | None:
        """The line that the dialled digits lead to; ``None``: unknown."""

    def terminations(self, phone: str) -> tuple[str, ...]:
        """The lines of a phone that have a number."""


Triangle: TypeAlias = Callable[[Party, Party], Selection]
"""Selects the addresses that two parties are given (TRI-1): :func:`voxpath.flow.triangle.select`."""


class NoDirectory:
    """The directory of a controller that has no copy of any ledger: REG-23 and address equality are all it has."""

    def holder_of(self, public: IPv4Address, port: int) -> PortBinding | None:
        """Nobody is known."""
        return None

    def binding_of(self, holder: str) -> PortBinding | None:
        """Nothing is known."""
        return None

    def by_private(self, realm: str, private: IPv4Address) -> PortBinding | None:
        """Nobody is known."""
        return None
