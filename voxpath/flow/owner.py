"""Whose file a name means: phones ask for files under their MAC, such as ``SEP020000000A01.cnf.xml`` or ``cfg020000000a01.xml``."""

from collections.abc import Callable, Iterator
from datetime import datetime
from re import IGNORECASE
from re import compile as pattern

from voxpath.model.address import Mac

MAC_DIGITS = 12
LONGEST_RUN = 16
"""Hexadecimal digits in a row that may hold a MAC and end of a word such as ``spa``; a longer row is a check sum."""
NO_VENDOR = "000000"
"""Begins what looks like a MAC and is a model's or everybody's file: ``y000000000028.cfg``, ``000000000000.cfg``."""

CENTURY = 2000
"""Of a year in two digits."""
CENTURIES = (19, 20)
"""Of a year in four digits; a clock that was never set is in 1970."""

_SPELLINGS = (
    # With colons it is nothing else, also where leading zeros are left out; a word such as ``spa`` may stand right before it.
    r"[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}",
    # A digit before it would make it a part of something else, most of all of a date with a whole year: 20260721-153000.
    r"(?<![0-9])[0-9a-f]{2}([-._ ])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}",
    r"(?<![0-9])[0-9a-f]{4}([-:._])[0-9a-f]{4}\2[0-9a-f]{4}",
    r"(?<![0-9])[0-9a-f]{6}[-:._][0-9a-f]{6}(?![0-9a-f])",
)
"""How people write a MAC with separators."""

_SEPARATED = pattern("|".join(_SPELLINGS), IGNORECASE)
_GROUPS = pattern(r"[-:._ ]")
_RUN = pattern(r"[0-9a-f]+", IGNORECASE)


def macs_in(name: str) -> Iterator[str]:
    """The MACs in a name: 12 digits for one with separators, and rows of 12 to 16 digits, each of which holds one.

    A date and a time are one, too, wherever a MAC is written like that: 00-04-13 is a maker of phones, and 13 April 2000.
    """
    for found in _SEPARATED.finditer(name):
        yield "".join(group.zfill(2) for group in _GROUPS.split(found[0].lower()))
    for found in _RUN.finditer(name):
        run = found[0].lower()
        if MAC_DIGITS <= len(run) <= LONGEST_RUN and not run.startswith(NO_VENDOR):
            yield run


def is_of_another(name: str, phone: str) -> bool:
    """Whether a name means a file of another phone than this one; everything else is everybody's.

    Nothing that changes counts for it, such as who holds a lease: a file is a phone's own before that phone has ever been here.

    :param phone: the identity of a phone, a MAC in text form; empty: nobody known.
    """
    return any(_not_in(run, phone) for run in macs_in(name))


def may_not_write(name: str, phone: str, known: Callable[[str], bool]) -> bool:
    """Whether a phone may not write into its own box by this name, as it is another phone's.

    Phones name their logs by the time, and what they write can be read by nobody: a date is one unless there is such a phone.

    :param phone: as in :func:`is_of_another`.
    :param known: whether there is a phone of this MAC.
    """
    return any(_not_in(run, phone) and (not is_time(run) or _is_known(run, known)) for run in macs_in(name))


def owner_in(name: str, known: Callable[[str], bool]) -> str:
    """The identity of the first phone that a name means; empty: none, or digits that hold several addresses, none of them known.

    :param known: as in :func:`may_not_write`.
    """
    for run in macs_in(name):
        macs = _all_in(run)
        found = next(filter(known, macs), macs[0] if len(macs) == 1 else "")
        if found:
            return found
    return ""


def is_time(run: str) -> bool:
    """Whether all digits are decimal, and the first twelve a date and a time: YYMMDDhhmmss or YYYYMMDDhhmm."""
    if not run.isdecimal():
        return False
    pairs = [int(run[at : at + 2]) for at in range(0, MAC_DIGITS, 2)]
    century, year, *rest = pairs
    return _is_moment(CENTURY + century, year, *rest) or (century in CENTURIES and _is_moment(100 * century + year, *rest))


def _is_moment(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> bool:
    try:
        datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - of no zone, and not kept
    except ValueError:
        return False
    return True


def _not_in(run: str, phone: str) -> bool:
    return not phone or Mac.parse(phone).hex() not in run


def _is_known(run: str, known: Callable[[str], bool]) -> bool:
    return any(map(known, _all_in(run)))


def _all_in(run: str) -> list[str]:
    """The identities that a row of digits holds."""
    return [str(Mac.parse(run[at : at + MAC_DIGITS])) for at in range(len(run) - MAC_DIGITS + 1)]
