"""What the controller asks of its surroundings beside the ledger: the number plan; :mod:`voxpath.app` plugs it in."""

from typing import Protocol

from voxpath.model.call import Line


class NumberPlan(Protocol):
    """Numbers and their lines (MGC-3)."""

    @property
    def digit_map(self) -> str:
        """The digit map by which gateways collect numbers."""

    def line(self, digits: str) -> Line | None:
        """The line that the dialled digits lead to; ``None``: unknown."""

    def terminations(self, phone: str) -> tuple[str, ...]:
        """The lines of a phone that have a number."""
