"""Digit maps: dialling plans that a gateway matches by itself (RFC 3525 section 7.1.14).

A map is a set of alternative digit strings; each digit that is dialled narrows down those that still fit.
As soon as one has matched and none can go on, the match is unambiguous and reported at once; while one has matched and
another could go on, the short timer decides; while none has matched yet, the long timer runs.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Self

from voxpath.core.errors import RemoteError
from voxpath.megaco.code import NO_DIGIT_MAP_SPACE, SYNTAX_IN_COMMAND

LONGEST_BODY = 8192
"""In characters."""
MOST_POSITIONS = 2048
"""Digit positions in all alternatives together; the work for one digit is at most that."""
LONGEST_DIALLED = 64
"""Digits collected at the most: a map such as ``x.`` has no end of its own."""

DEFAULT_START_S = 10.0
DEFAULT_SHORT_S = 4.0
DEFAULT_LONG_S = 16.0
"""Timers for a map that gives none; the RFC leaves them to provisioning."""
DEFAULT_DURATION_S = 1.0

SYMBOLS = {"*": "E", "#": "F"}
"""The keys of a telephone that are no digits, by the letters that digit maps and ``dd/ce`` use for them (RFC 3525 E.6.2)."""
_SECTION = "RFC 3525 section 7.1.14"
_DIGITS = frozenset("0123456789")
_TIMERS = re.compile(r"(?:([TSLZ]):([0-9]{1,2}),)", re.IGNORECASE)
_ELEMENT = re.compile(r"\[([0-9A-K*#xZ-]{1,64})\]|([0-9A-K*#x])|(\.)|([TSL])|(Z)|(\|)", re.IGNORECASE)
_SET_ITEM = re.compile(r"([0-9])-([0-9])|([0-9A-K*#x])|Z", re.IGNORECASE)


class TimerName(Enum):
    """The timers of a digit map."""

    START = "T"
    SHORT = "S"
    LONG = "L"


class Method(Enum):
    """How collection ended: the parameter ``Meth`` of ``dd/ce`` (RFC 3525 E.6.2)."""

    UNAMBIGUOUS = "UM"
    PARTIAL = "PM"
    FULL = "FM"


class Verdict(Enum):
    """What a digit or a timer led to."""

    NEED_MORE = "need more"
    COMPLETE = "complete"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do after a digit or a timer.

    :ivar digits: what matched so far, for the parameter ``ds``; a digit that fitted nothing is not in it.
    :ivar method: unless more is needed: what to report; for a mismatch it is ``PARTIAL``.
    :ivar timer: while more is needed: which timer to arm; ``None``: none.
    :ivar timer_s: its length in seconds; 0 without a timer.
    """

    verdict: Verdict
    digits: str
    method: Method | None = None
    timer: TimerName | None = None
    timer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Position:
    """One place of a digit string.

    :ivar letters: what may be dialled there, in upper case.
    :ivar repeated: none or any number of them (``.``).
    :ivar long: only a digit that is held for the duration Z (``Z``).
    :ivar timer: the timer to run before it, if the map names one.
    """

    letters: frozenset[str]
    repeated: bool = False
    long: bool = False
    timer: TimerName | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """One digit string of a map.

    :ivar last: the timer that runs after its last position, if the map names one.
    """

    positions: tuple[Position, ...]
    last: TimerName | None = None


@dataclass(frozen=True, slots=True)
class DigitMap:
    """A compiled digit map.

    :ivar duration_s: how long a digit has to be held to count as long (Z).
    """

    alternatives: tuple[Alternative, ...]
    start_s: float = DEFAULT_START_S
    short_s: float = DEFAULT_SHORT_S
    long_s: float = DEFAULT_LONG_S
    duration_s: float = DEFAULT_DURATION_S

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read timers and patterns, such as ``T:10,S:3,([1-4]xx|9x.)``.

        :raises RemoteError: it is malformed (code 442) or beyond a limit (code 519); the offset is without white space.
        """
        if len(text) > LONGEST_BODY:
            raise RemoteError(f"a digit map of more than {LONGEST_BODY} characters", code=NO_DIGIT_MAP_SPACE, section=_SECTION)
        body = "".join(text.split())
        timers: dict[str, int] = {}
        position = 0
        while match := _TIMERS.match(body, position):
            timers[match[1].upper()] = int(match[2])
            position = match.end()
        end = len(body)
        if body[position : position + 1] == "(":
            if body[-1] != ")":
                raise RemoteError("a parenthesis is left open", offset=position, code=SYNTAX_IN_COMMAND, section=_SECTION)
            position, end = position + 1, end - 1
        return cls(
            _alternatives(body, position, end),
            timers.get("T", DEFAULT_START_S),
            timers.get("S", DEFAULT_SHORT_S),
            timers.get("L", DEFAULT_LONG_S),
            timers["Z"] / 10 if "Z" in timers else DEFAULT_DURATION_S,
        )

    def start(self) -> "Matcher":
        """Begin to collect."""
        return Matcher(self)


def _alternatives(body: str, position: int, end: int) -> tuple[Alternative, ...]:
    """Read the digit strings."""
    found: list[Alternative] = []
    current = _Collector()
    count = 0
    while position < end:
        match = _ELEMENT.match(body, position, end)
        count += 1
        if count > MOST_POSITIONS:
            raise RemoteError(f"a digit map of more than {MOST_POSITIONS} positions", code=NO_DIGIT_MAP_SPACE, section=_SECTION)
        if match is None or not (current.finish(found) if match[6] else current.take(match)):
            raise RemoteError("a character does not belong here", offset=position, code=SYNTAX_IN_COMMAND, section=_SECTION)
        position = match.end()
    if not current.finish(found):
        raise RemoteError("a digit string is empty", offset=end, code=SYNTAX_IN_COMMAND, section=_SECTION)
    return tuple(found)


class _Collector:
    """Collects the positions of one digit string."""

    __slots__ = ("long", "positions", "timer")

    def __init__(self) -> None:
        self.positions: list[Position] = []
        self.timer: TimerName | None = None
        self.long = False

    def take(self, match: re.Match[str]) -> bool:
        """Take an element; false: it does not belong here."""
        inside, single, dot, timer, long, _ = match.groups()
        if dot:
            last = self.positions[-1] if self.positions else None
            if last is None or last.repeated or self.timer or self.long:
                return False
            self.positions[-1] = Position(last.letters, True, last.long, last.timer)
        elif timer:
            self.timer = TimerName(timer.upper())
        elif long:
            self.long = True
        else:
            letters = _letters(single or inside)
            if not letters:
                return False
            self.positions.append(Position(letters, False, self.long or (inside is not None and "Z" in inside.upper()), self.timer))
            self.timer, self.long = None, False
        return True

    def finish(self, found: list[Alternative]) -> bool:
        """End the digit string; false: it has no position, or a Z has nothing to modify."""
        if not self.positions or self.long:
            return False
        found.append(Alternative(tuple(self.positions), self.timer))
        self.positions, self.timer = [], None
        return True


def _letters(text: str) -> frozenset[str]:
    """Read a letter or the inside of a set; empty when it is malformed."""
    letters: set[str] = set()
    position = 0
    while position < len(text):
        match = _SET_ITEM.match(text, position)
        if match is None:
            return frozenset()
        low, high, single = match.groups()
        if low:
            letters |= {str(digit) for digit in range(int(low), int(high) + 1)}
        elif single in ("x", "X"):
            letters |= _DIGITS
        elif single:
            letters.add(SYMBOLS.get(single, single.upper()))
        position = match.end()
    return frozenset(letters)


class Matcher:
    """Collects digits against a map; after any verdict but ``NEED_MORE`` it is used up.

    The caller arms the timer that an outcome names and calls :meth:`timeout` when it runs out; each further digit replaces it.
    """

    __slots__ = ("_digits", "_map", "_states")

    def __init__(self, digit_map: DigitMap) -> None:
        self._map = digit_map
        self._digits = ""
        self._states = self._closure({(number, 0) for number in range(len(digit_map.alternatives))})

    def begin(self) -> Outcome:
        """What to do before the first digit: arm the start timer; with T:0 there is none."""
        start_s = self._map.start_s
        return Outcome(Verdict.NEED_MORE, "", None, TimerName.START if start_s else None, start_s)

    def digit(self, dialled: str, *, long: bool = False) -> Outcome:
        """Take a digit, a letter ``A`` to ``K``, ``*`` or ``#``.

        :param long: whether it was held for ``duration_s`` at least.
        """
        letter = SYMBOLS.get(dialled, dialled.upper())
        alternatives = self._map.alternatives
        ordinary: set[tuple[int, int]] = set()
        held: set[tuple[int, int]] = set()
        for number, index in self._states:
            positions = alternatives[number].positions
            if index < len(positions) and letter in positions[index].letters:
                position = positions[index]
                (held if position.long else ordinary).add((number, index if position.repeated else index + 1))
        # A digit that is held goes to the patterns that ask for it, if there are any.
        following = (held or ordinary) if long else ordinary
        if not following:
            if self._digits and self._matched():
                return Outcome(Verdict.COMPLETE, self._digits, Method.FULL)
            return Outcome(Verdict.MISMATCH, self._digits, Method.PARTIAL)
        self._digits += letter
        self._states = self._closure(following)
        return self._judge()

    def timeout(self) -> Outcome:
        """Take the end of the timer that was armed last."""
        matched = bool(self._digits) and self._matched()
        return Outcome(Verdict.COMPLETE, self._digits, Method.FULL if matched else Method.PARTIAL)

    def _closure(self, states: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Add the states that are reached by leaving repeated positions out."""
        reached = set(states)
        for number, index in states:
            positions = self._map.alternatives[number].positions
            step = index
            while step < len(positions) and positions[step].repeated:
                step += 1
                reached.add((number, step))
        return reached

    def _matched(self) -> bool:
        """Whether one alternative needs no further digit."""
        return any(index == len(self._map.alternatives[number].positions) for number, index in self._states)

    def _judge(self) -> Outcome:
        """Decide after a digit that fitted."""
        alternatives = self._map.alternatives
        matched = self._matched()
        if matched and all(index == len(alternatives[number].positions) for number, index in self._states):
            return Outcome(Verdict.COMPLETE, self._digits, Method.UNAMBIGUOUS)
        if len(self._digits) >= LONGEST_DIALLED:
            return Outcome(Verdict.COMPLETE, self._digits, Method.FULL if matched else Method.PARTIAL)
        timer = self._timer(matched)
        length_s = {TimerName.START: self._map.start_s, TimerName.SHORT: self._map.short_s, TimerName.LONG: self._map.long_s}[timer]
        return Outcome(Verdict.NEED_MORE, self._digits, None, timer if length_s else None, length_s)

    def _timer(self, matched: bool) -> TimerName:
        """Choose the timer before the next digit: one that the map names, else by whether an alternative has matched.

        Where alternatives name different ones the longer one is taken: a digit too late must not cut off the longer string.
        """
        alternatives = self._map.alternatives
        named = set()
        for number, index in self._states:
            alternative = alternatives[number]
            named.add(alternative.positions[index].timer if index < len(alternative.positions) else alternative.last)
        for timer in (TimerName.LONG, TimerName.SHORT, TimerName.START):
            if timer in named:
                return timer
        return TimerName.SHORT if matched else TimerName.LONG
