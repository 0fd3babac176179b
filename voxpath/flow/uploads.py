"""Who may write which file: a phone that holds a lease, into its own drop box, under a plain name (TFT-5)."""

from re import compile as pattern
from typing import NamedTuple, Protocol

from voxpath.flow.owner import Owners, may_not_write, of_standby
from voxpath.model.address import Mac
from voxpath.model.phone import Provision
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Admit, Keep, Refused

LONGEST_NAME = 100
_NAME = pattern(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")

NO_LEASE = Refused(ErrorCode.ACCESS_VIOLATION, "only a phone that holds a lease may write")
NO_NAME = Refused(
    ErrorCode.ACCESS_VIOLATION, f"a file's name has 1 to {LONGEST_NAME} of A-Z, a-z, 0-9, . _ and -, and no directory"
)
NOT_YOURS = Refused(ErrorCode.ACCESS_VIOLATION, "this name is another phone's")


class Residents(Protocol):
    """Who lives at an address and a port."""

    def phone_at(self, address: str, port: int) -> str:
        """The identity of the phone that holds this address, and this port of it if it is shared; empty: nobody known."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now; ``None`` when it holds no lease."""


class Drop(NamedTuple):
    """Where a file goes.

    :ivar box: the directory of the phone, below that of uploads: its MAC in 12 digits.
    :ivar name: the name that the phone gave; it is a plain one.
    """

    box: str
    name: str


class UploadPolicy:
    """Decides whether a client may write, and where to.

    :param active: the name of the active server, if this is its standby, where nobody may write; empty: this is none.
    """

    def __init__(self, residents: Residents, active: str = "") -> None:
        self._active = active
        self._residents = residents
        self._owners = Owners(residents)

    def choose(self, question: Admit | Keep) -> Drop | Refused:
        """Decide; a leading slash means nothing, since many clients send one."""
        phone = self._residents.phone_at(*question.client)
        name = question.name.lstrip("/")
        if not phone:
            return self._of_nobody(name)
        if not _NAME.fullmatch(name):
            return NO_NAME
        if may_not_write(name, phone, self._owners.knows):
            return NOT_YOURS._replace(owner=self._owners.of(name).identity)
        return Drop(Mac.parse(phone).hex(), name)

    def _of_nobody(self, name: str) -> Refused:
        """Refuse whoever holds no lease: most likely he is the phone whose address his file's name holds."""
        owner = self._owners.of(name)
        if self._active:
            return of_standby(self._active, owner.identity)
        return NO_LEASE._replace(detail=owner.condition("may write"), owner=owner.identity)
