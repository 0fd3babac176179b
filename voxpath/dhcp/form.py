"""Options that many replies have in common, encoded once: most of a reply is the same for all phones that ask alike."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from voxpath.dhcp.fit import in_order
from voxpath.dhcp.wire import LONGEST_PIECE, encode_options

MAX_SHAPES = 64
"""Shapes of one form that are kept: there is one for each set of options that phones have of their own."""

_LENGTHS = tuple(bytes((size,)) for size in range(LONGEST_PIECE + 1))


class Shape(NamedTuple):
    """A form for replies with one set of values.

    :ivar steps: a value's code, and the octets before its length; in the order of a reply.
    :ivar rest: the octets behind the last value.
    :ivar octets: the length of all octets and of the lengths; the values come on top.
    """

    steps: tuple[tuple[int, bytes], ...]
    rest: bytes
    octets: int


class Form:
    """Options of which some may differ from phone to phone.

    :param constant: the options that all get who are told nothing else.
    :param blanks: codes of those that a phone may have of its own.
    :ivar constant: as above.
    """

    __slots__ = ("_blanks", "_shapes", "constant")

    def __init__(self, constant: Mapping[int, bytes], blanks: Iterable[int]) -> None:
        self.constant = constant
        self._blanks = frozenset(blanks)
        self._shapes: dict[tuple[int, ...], Shape] = {}

    def filled(self, values: Mapping[int, bytes], room: int) -> bytes | None:
        """The options with these values in the blanks; a blank without one has the value that all get, or is left out.

        ``None``: they are not to be written so, for want of room, or since a value is too long or there is no blank for it.

        :param room: octets that the options may have.
        """
        codes = tuple(values)
        shape = self._shapes.get(codes) or self._shape(codes)
        if shape is None:
            return None
        octets = shape.octets
        written: list[bytes] = []
        for option, before in shape.steps:
            value = values[option]
            size = len(value)
            if size > LONGEST_PIECE:
                return None
            octets += size
            written += (before, _LENGTHS[size], value)
        written.append(shape.rest)
        return b"".join(written) if octets <= room else None

    def _shape(self, codes: tuple[int, ...]) -> Shape | None:
        """What is the same for all replies with values for these codes; ``None``: there is no blank for one of them."""
        if not self._blanks.issuperset(codes):
            return None
        steps: list[tuple[int, bytes]] = []
        run: dict[int, bytes] = {}
        for option in in_order({**self.constant, **dict.fromkeys(codes, b"")}):
            if option not in codes:
                run[option] = self.constant[option]
                continue
            steps.append((option, encode_options(run) + bytes((option,))))
            run = {}
        rest = encode_options(run)
        octets = sum(len(before) + 1 for _, before in steps) + len(rest)
        if len(self._shapes) >= MAX_SHAPES:
            self._shapes.clear()
        shape = self._shapes[codes] = Shape(tuple(steps), rest, octets)
        return shape
