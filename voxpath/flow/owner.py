"""Whose file a name means: phones ask for files under their MAC, such as ``SEP020000000A01.cnf.xml`` or ``cfg020000000a01.xml``."""

from collections.abc import Callable, Iterator
from datetime import datetime
from re import IGNORECASE
from re import compile as pattern
from typing import NamedTuple, Protocol

from voxpath.model.address import Mac
from voxpath.model.phone import Provision
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Refused

MAC_DIGITS = 12
LONGEST_RUN = 16
"""Hexadecimal digits in a row that may hold a MAC and end of a word such as ``spa``; a longer row is a check sum."""
NO_VENDOR = "000000"
"""Begins what looks like a MAC and is a model's or everybody's file: ``y000000000028.cfg``, ``000000000000.cfg``."""

CENTURY = 2000
"""Of a year in two digits."""
CENTURIES = (19, 20)
"""Of a year in four digits; a clock that was never set is in 1970."""
STRANGERS = 64
"""Phones without a lease that events name as those whose file it was: what somebody makes up must not fill a memory."""

ON_STANDBY = "this is a standby, ask the active server"
"""What a phone is told that wants to read its own file from a standby, or to write."""

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


class Provisions(Protocol):
    """Who holds a lease."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now; ``None`` when it holds no lease."""


class Owner(NamedTuple):
    """Whose file a name means, for the operator.

    :ivar identity: of the phone, for events; empty: none that they may name.
    :ivar mac: of the phone, for texts; empty: digits that hold several addresses, none of them known, or none at all.
    :ivar address: that it holds; empty: it holds no lease.
    """

    identity: str
    mac: str
    address: str

    def condition(self, does: str) -> str:
        """Where, or when, it does what others are refused, for the operator; empty: nobody is known.

        :param does: such as ``gets it``.
        """
        if self.address:
            return f"{self.mac} holds {self.address}, and {does} there alone"
        return f"{self.mac} holds no lease, and {does} when DHCP has given it one" if self.mac else ""


class Owners:
    """Finds whose files refused names mean, and names no more phones without a lease than :data:`STRANGERS`."""

    def __init__(self, provisions: Provisions) -> None:
        self._provisions = provisions
        self._strangers: set[str] = set()

    def knows(self, mac: str) -> bool:
        """Whether a phone holds a lease."""
        return self._provisions.provision_of(mac) is not None

    def of(self, name: str) -> Owner:
        """The first phone that a name means."""
        mac = self._mac_in(name)
        provision = self._provisions.provision_of(mac) if mac else None
        return Owner(self._as_stranger(mac), mac, "") if provision is None else Owner(mac, mac, str(provision.lease.address))

    def _mac_in(self, name: str) -> str:
        for run in macs_in(name):
            macs = _all_in(run)
            found = next(filter(self.knows, macs), macs[0] if len(macs) == 1 else "")
            if found:
                return found
        return ""

    def _as_stranger(self, mac: str) -> str:
        """A phone that holds no lease, if there is room to note one more of them; empty: there is none."""
        if mac and len(self._strangers) < STRANGERS:
            self._strangers.add(mac)
        return mac if mac in self._strangers else ""


def of_standby(active: str, owner: str) -> Refused:
    """Refuse what the active server alone decides: a standby knows nobody's lease, so it says nothing of it.

    :param active: its name, which is the operator's to know.
    :param owner: the identity of the phone whose file it is; empty: it is not known.
    """
    return Refused(ErrorCode.ACCESS_VIOLATION, ON_STANDBY, f"{active} is the active one, and alone knows who holds a lease", owner)


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
