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

CISCO_GROUPS = 3
"""Of four digits each: ``0200.0000.0a01``."""
CENTURY = 2000
"""Of a year in two digits."""
CENTURIES = (19, 20)
"""Of a year in four digits; a clock that was never set is in 1970."""

_SPELLINGS = (
    # With colons it is nothing else, also where leading zeros are left out; a word such as ``spa`` may stand right before it.
    r"[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}",
    # A digit before it would make it a part of something else, most of all of a date and a time.
    r"(?<![0-9])[0-9a-f]{2}([-._ ])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}",
    r"(?<![0-9])[0-9a-f]{4}([-:._])[0-9a-f]{4}\2[0-9a-f]{4}",
    r"(?<![0-9])[0-9a-f]{6}[-:._][0-9a-f]{6}(?![0-9a-f])",
)
"""How people write a MAC with separators."""

_SEPARATED = pattern("|".join(_SPELLINGS), IGNORECASE)
_GROUPS = pattern(r"[-:._ ]")
_RUN = pattern(r"[0-9a-f]+", IGNORECASE)


def macs_in(name: str, known: Callable[[str], bool]) -> Iterator[str]:
    """The MACs in a name: 12 digits for one with separators, and rows of 12 to 16 digits, each of which holds one.

    :param known: whether there is a phone of this MAC: then digits that might as well be a date and a time are its MAC.
    """
    for found in _SEPARATED.finditer(name):
        groups = _GROUPS.split(found[0].lower())
        mac = "".join(group.zfill(2) for group in groups)
        # Nobody writes a date in three groups, or its days with colons.
        if ":" in found[0] or len(groups) == CISCO_GROUPS or not _is_time(mac) or _is_known(mac, known):
            yield mac
    for found in _RUN.finditer(name):
        run = found[0].lower()
        if not MAC_DIGITS <= len(run) <= LONGEST_RUN or run.startswith(NO_VENDOR):
            continue
        if not _is_time(run) or _is_known(run, known):
            yield run


def is_of_another(name: str, phone: str, known: Callable[[str], bool] = lambda mac: False) -> bool:
    """Whether a name means a file of another phone than this one; everything else is everybody's.

    :param phone: the identity of a phone, a MAC in text form; empty: nobody known.
    :param known: as in :func:`macs_in`.
    """
    own = Mac.parse(phone).hex() if phone else ""
    return any(not own or own not in run for run in macs_in(name, known))


def owner_in(name: str, known: Callable[[str], bool]) -> str:
    """The identity of the first phone that a name means; empty: none, or digits that hold several addresses, none of them known.

    :param known: as in :func:`macs_in`.
    """
    for run in macs_in(name, known):
        macs = [str(Mac.parse(run[at : at + MAC_DIGITS])) for at in range(len(run) - MAC_DIGITS + 1)]
        found = next(filter(known, macs), macs[0] if len(macs) == 1 else "")
        if found:
            return found
    return ""


def _is_time(run: str) -> bool:
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


def _is_known(run: str, known: Callable[[str], bool]) -> bool:
    return any(known(str(Mac.parse(run[at : at + MAC_DIGITS]))) for at in range(len(run) - MAC_DIGITS + 1))
