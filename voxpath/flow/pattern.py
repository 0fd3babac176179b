"""Texts with ``*`` for any octets, and which of them a text from the wire is like."""

from typing import Generic, NamedTuple, TypeVar

Value = TypeVar("Value")

STAR = b"*"
MAX_REMEMBERED = 1024
"""Texts whose pattern is remembered: phones of one kind all send the same one."""


class Pattern(NamedTuple):
    """A text with stars, cut at them; matched in one pass, whatever a stranger sends."""

    parts: tuple[bytes, ...]

    @property
    def literal(self) -> int:
        """How many octets it fixes: the pattern that fixes more says more."""
        return sum(map(len, self.parts))

    def matches(self, octets: bytes) -> bool:
        """Whether the octets are the parts in their order, with anything where a star was."""
        first, *middle, last = self.parts
        if len(octets) < len(first) + len(last) or not octets.startswith(first) or not octets.endswith(last):
            return False
        at, end = len(first), len(octets) - len(last)
        for part in middle:
            found = octets.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True


class Patterns(Generic[Value]):
    """Values by text or pattern: an exact text comes before every pattern, and a pattern that fixes more octets before others."""

    def __init__(self) -> None:
        self._exact: dict[bytes, Value] = {}
        self._patterns: list[tuple[Pattern, Value]] = []
        self._remembered: dict[bytes, Value | None] = {}

    def add(self, octets: bytes, value: Value) -> Value | None:
        """Add one; if it is there already, leave it and give its value."""
        if STAR not in octets:
            if octets in self._exact:
                return self._exact[octets]
            self._exact[octets] = value
            return None
        pattern = Pattern(tuple(octets.split(STAR)))
        for known, its in self._patterns:
            if known == pattern:
                return its
        self._patterns.append((pattern, value))
        self._patterns.sort(key=lambda entry: -entry[0].literal)
        return None

    def match(self, octets: bytes) -> Value | None:
        """The value of the closest pattern; ``None``: there is none."""
        found = self._exact.get(octets)
        if found is not None or not self._patterns:
            return found
        if octets in self._remembered:
            return self._remembered[octets]
        found = next((value for pattern, value in self._patterns if pattern.matches(octets)), None)
        if len(self._remembered) < MAX_REMEMBERED:
            self._remembered[octets] = found
        return found
