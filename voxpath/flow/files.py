"""Which file a client may read: its own configuration, rendered from its lease, or an image (TFT-1, TFT-8, TFT-9).

A MAC is no secret, so a configuration file goes only to the address that holds the lease of that MAC.
"""

from collections.abc import Callable
from dataclasses import dataclass
from re import IGNORECASE, Pattern
from re import compile as pattern
from typing import Protocol, TypeAlias

from voxpath.flow.rendering import voxpath_phone
from voxpath.model.address import Mac
from voxpath.model.phone import Provision
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Fetch, Refused

NOT_YOURS = "this file is for another phone"
"""Said for a known and for an unknown phone alike, so that nobody can find out who is here by asking."""


class Provisions(Protocol):
    """What the phones were given, as far as files are rendered from it."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now; ``None`` when it holds no lease."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """A family of configuration files: how they are named, and what is in them.

    :ivar name: matches the whole name; its group ``mac`` is the phone's MAC.
    :ivar render: makes the file.
    """

    name: Pattern[str]
    render: Callable[[Provision], str]


@dataclass(frozen=True, slots=True)
class Image:
    """A file of the image directory, by a relative name that has not been checked against the disk."""

    name: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file that was made for this client."""

    content: bytes


Choice: TypeAlias = Image | Rendered | Refused

MAC_CFG = FileForm(pattern(r"(?P<mac>[0-9a-f]{12}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5})\.cfg", IGNORECASE), voxpath_phone)
"""``020000000a01.cfg`` or ``02-00-00-00-0a-01.cfg``, in any case of letters."""


class FilePolicy:
    """Decides what a name means; the first form that matches wins, and what matches none is an image."""

    def __init__(self, provisions: Provisions, forms: tuple[FileForm, ...] = (MAC_CFG,)) -> None:
        self._provisions = provisions
        self._forms = forms

    def choose(self, fetch: Fetch) -> Choice:
        """Decide; a leading slash means the same directory, since many clients send one."""
        name = fetch.name.lstrip("/")
        if not name or "\0" in name:
            return Refused(ErrorCode.NOT_FOUND, "no such file")
        for form in self._forms:
            found = form.name.fullmatch(name)
            if found is not None:
                return self._configuration(form, found["mac"], fetch.client)
        return Image(name)

    def _configuration(self, form: FileForm, mac: str, client: str) -> Choice:
        phone = str(Mac(bytes.fromhex(mac.replace("-", ""))))
        provision = self._provisions.provision_of(phone)
        if provision is None or str(provision.lease.address) != client:
            return Refused(ErrorCode.ACCESS_VIOLATION, NOT_YOURS)
        return Rendered(form.render(provision).encode())
