"""The number plan: which line a number leads to, and the digit map that lets phones collect numbers of this plan."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from voxpath.core.errors import LocalError
from voxpath.megaco.digitmap import SYMBOLS
from voxpath.model.call import KEYS, LONGEST_NUMBER, Line

LARGEST_PLAN = 100_000
"""Numbers of one plan."""

LONGEST_DIGIT_MAP = 512
"""Characters of a digit map that is made from a plan; a longer one is replaced by the lengths of the numbers alone."""


class NumberPlan:
    """Numbers and their lines (MGC-3), and the one digit map of the plan.

    :param lines: each number with its line.
    :param digit_map: the text of the digit map, with its parentheses; empty: it is made from the numbers.
    :raises LocalError: a number is not one, or there are too many.
    """

    __slots__ = ("_lines", "_numbers", "_of", "digit_map")

    def __init__(self, lines: Mapping[str, Line], digit_map: str = "") -> None:
        if len(lines) > LARGEST_PLAN:
            raise LocalError(f"a number plan has {LARGEST_PLAN} numbers at the most, not {len(lines)}")
        for number in lines:
            if not number or len(number) > LONGEST_NUMBER or not KEYS.issuperset(number):
                raise LocalError(f"{number!r} is not a number: 1 to {LONGEST_NUMBER} of the keys 0-9, * and #")
        self._lines = {symbols(number): line for number, line in lines.items()}
        self._numbers = {line: number for number, line in lines.items()}
        self._of: defaultdict[str, list[str]] = defaultdict(list)
        for line in self._numbers:
            self._of[line.phone].append(line.termination)
        self.digit_map = digit_map or digit_map_of(lines)

    def line(self, digits: str) -> Line | None:
        """Find the line of the dialled digits, all of them; ``None``: the number is unknown."""
        return self._lines.get(digits.upper())

    def number(self, line: Line) -> str:
        """Find the number of a line; empty when it has none."""
        return self._numbers.get(line, "")

    def terminations(self, phone: str) -> tuple[str, ...]:
        """Tell which lines of a phone have a number."""
        return tuple(self._of.get(phone, ()))


def symbols(number: str) -> str:
    """Write a number as the ``dd`` package reports it: ``*`` is ``E`` and ``#`` is ``F``."""
    return "".join(SYMBOLS.get(key, key) for key in number)


def digit_map_of(numbers: Iterable[str]) -> str:
    """Make the digit map that is complete as soon as a number of the plan is (RFC 3525 7.1.14).

    Numbers that differ in the last key alone share an alternative; a plan too large for that is described by its lengths.
    An empty plan gives a map that any one key completes, so that every call is refused as unknown.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for number in numbers:
        written = symbols(number)
        groups[written[:-1]].add(written[-1])
    if not groups:
        return "(x)"
    text = "|".join(prefix + _one_of(last) for prefix, last in sorted(groups.items()))
    if len(text) + 2 > LONGEST_DIGIT_MAP:
        lengths = sorted({len(prefix) + 1 for prefix in groups})
        text = "|".join("x" * length for length in lengths)
    return f"({text})"


def _one_of(keys: set[str]) -> str:
    return next(iter(keys)) if len(keys) == 1 else f"[{''.join(sorted(keys))}]"
