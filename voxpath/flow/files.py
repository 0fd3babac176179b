"""Which file a client may read: its own configuration, rendered from its lease, or an image (TFT-1, TFT-8, TFT-9).

A MAC is no secret, so a file under a MAC's name goes only to the address that holds the lease of that MAC.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from re import IGNORECASE, Pattern
from re import compile as pattern
from types import MappingProxyType
from typing import Protocol, TypeAlias

from voxpath.flow import baresip, twinkle
from voxpath.flow.owner import is_of_another
from voxpath.flow.rendering import MEDIA_BLOCK, voxpath_phone
from voxpath.model.address import Mac
from voxpath.model.phone import Provision
from voxpath.model.user import SipAccount
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Fetch, Refused

NOT_YOURS = "this file is for another phone"
"""Said for a known and for an unknown phone alike, so that nobody can find out who is here by asking."""


class Provisions(Protocol):
    """What the phones were given, as far as files are rendered from it."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now; ``None`` when it holds no lease."""

    def phone_at(self, address: str) -> str:
        """The identity of the phone that holds this address; empty: nobody known."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """A family of configuration files: how they are named, and what is in them.

    :ivar name: matches the whole name; its group ``mac`` is the phone's MAC.
    :ivar render: makes the file.
    :ivar ports: the smallest block that such a phone can work with.
    """

    name: Pattern[str]
    render: Callable[[Provision], str]
    ports: int = 1


@dataclass(frozen=True, slots=True)
class Image:
    """A file of the image directory, by a relative name that has not been checked against the disk."""

    name: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file that was made for this client."""

    content: bytes


Choice: TypeAlias = Image | Rendered | Refused

_MAC = r"(?P<mac>[0-9a-f]{12}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5})"


def _of_program(program: str, file: str, render: Callable[[Provision], str]) -> FileForm:
    """``baresip/020000000a01/config``, or without the program's name: files that a program wants under their own names."""
    return FileForm(pattern(rf"(?:{program}/)?{_MAC}/{file}", IGNORECASE), render, MEDIA_BLOCK)


MAC_CFG = FileForm(pattern(rf"{_MAC}\.cfg", IGNORECASE), voxpath_phone)
"""``020000000a01.cfg`` or ``02-00-00-00-0a-01.cfg``, in any case of letters."""
FORMS = (
    MAC_CFG,
    _of_program("baresip", "config", baresip.config),
    _of_program("baresip", "accounts", baresip.accounts),
    _of_program("baresip", "contacts", baresip.contacts),
    _of_program("baresip", "uuid", baresip.uuid),
    _of_program("twinkle", r"twinkle\.cfg", twinkle.profile),
    _of_program("twinkle", r"twinkle\.sys", twinkle.system),
)
"""The files that are rendered."""


class FilePolicy:
    """Decides what a name means; the first form that matches wins, and what matches none is an image.

    :param accounts: the SIP users of each phone.
    :param images: names that are everybody's, whatever they look like: the images of the classes.
    """

    def __init__(
        self,
        provisions: Provisions,
        accounts: Mapping[str, tuple[SipAccount, ...]] = MappingProxyType({}),
        forms: tuple[FileForm, ...] = FORMS,
        images: Collection[str] = (),
    ) -> None:
        self._provisions = provisions
        self._images = frozenset(images)
        self._accounts = accounts
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
        if name not in self._images and is_of_another(name, self._provisions.phone_at(fetch.client)):
            return Refused(ErrorCode.ACCESS_VIOLATION, NOT_YOURS)
        return Image(name)

    def _configuration(self, form: FileForm, mac: str, client: str) -> Choice:
        phone = str(Mac(bytes.fromhex(mac.replace("-", ""))))
        provision = self._provisions.provision_of(phone)
        if provision is None or str(provision.lease.address) != client:
            return Refused(ErrorCode.ACCESS_VIOLATION, NOT_YOURS)
        if provision.block.size < form.ports:
            return Refused(ErrorCode.NOT_DEFINED, f"a block of {provision.block.size} ports is too small for such a phone")
        return Rendered(form.render(replace(provision, accounts=self._accounts.get(phone, ()))).encode())
