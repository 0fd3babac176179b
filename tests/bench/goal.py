"""What was wanted of a part of the bench, and what came of it: nobody has to compare the figures of a table by himself."""

from collections.abc import Iterable
from typing import NamedTuple


class Goal(NamedTuple):
    """One figure beside what it must be, and what it should be.

    :ivar what: the figure, with its unit.
    :ivar must: without it the work is not done; ``None``: nothing is required.
    :ivar aim: what would make voxpath the first; ``None``: nothing is aimed at.
    :ivar more: whether more is better.
    """

    what: str
    found: float
    must: float | None = None
    aim: float | None = None
    more: bool = False

    def meets(self, bound: float) -> bool:
        """Whether the figure is at the bound or better, as it is printed: nobody can see any more of it."""
        found, bound = float(shown(self.found)), float(shown(bound))
        return found >= bound if self.more else found <= bound


def told(goals: Iterable[Goal]) -> str:
    """The goals as a table of a page; empty: there are none."""
    rows = [f"| {goal.what} | {shown(goal.found)} | {_outcome(goal, goal.must)} | {_outcome(goal, goal.aim)} |" for goal in goals]
    return "\n".join(("| figure | found | must be | aimed at |", "|---|---:|---|---|", *rows)) if rows else ""


def shown(figure: float) -> str:
    """A figure as it is printed: whole from 100 on."""
    return f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.2f}"


def _outcome(goal: Goal, bound: float | None) -> str:
    if bound is None:
        return ""
    side = "at least" if goal.more else "at most"
    missed = f"**missed by {abs(goal.found - bound) / bound:.0%}**" if bound else "**missed**"
    return f"{side} {shown(bound)}: {'met' if goal.meets(bound) else missed}"
