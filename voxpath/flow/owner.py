"""Whose file a name means: phones ask for files under their MAC, such as ``SEP020000000A01.cnf.xml`` or ``cfg020000000a01.xml``."""

from collections.abc import Iterator
from re import IGNORECASE
from re import compile as pattern

from voxpath.model.address import Mac

MAC_DIGITS = 12
LONGEST_RUN = 16
"""Hexadecimal digits in a row that may hold a MAC and end of a word such as ``spa``; a longer row is a check sum."""
NO_VENDOR = "000000"
"""Begins what looks like a MAC and is a model's or everybody's file: ``y000000000028.cfg``, ``000000000000.cfg``."""

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


def macs_in(name: str) -> Iterator[str]:
    """The MACs in a name: 12 digits for one with separators, and rows of 12 to 16 digits, each of which holds one."""
    for found in _SEPARATED.finditer(name):
        groups = _GROUPS.split(found[0].lower())
        yield "".join(group.zfill(2) for group in groups)
    for found in _RUN.finditer(name):
        run = found[0].lower()
        if MAC_DIGITS <= len(run) <= LONGEST_RUN and not run.startswith(NO_VENDOR):
            yield run


def is_of_another(name: str, phone: str) -> bool:
    """Whether a name means a file of another phone than this one; everything else is everybody's.

    :param phone: the identity of a phone, a MAC in text form; empty: nobody known.
    """
    own = Mac.parse(phone).hex() if phone else ""
    return any(not own or own not in run for run in macs_in(name))
