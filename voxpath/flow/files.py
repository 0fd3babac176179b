"""Which file a client may read: its own, rendered from its lease, or one of the directory (TFT-1, TFT-8, TFT-9).

A MAC is no secret, so a file under a MAC's name goes only to the address that holds the lease of that MAC.
Of phones that share an address (RFC 7618) the source port tells which one asks, as it lies in that one's block.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias

from voxpath.flow.owner import Owners, is_of_another, of_standby
from voxpath.model.event import printable
from voxpath.model.phone import Provision
from voxpath.model.user import SipAccount
from voxpath.provision.name import MAC, fill
from voxpath.provision.record import record_of
from voxpath.provision.table import Shelf
from voxpath.provision.template import TemplateFault
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Fetch, Refused

NO_FILE = Refused(ErrorCode.NOT_FOUND, "no such file")
NOT_YOURS = "this file is for another phone"
NO_LEASE = "this file is for one phone alone, and you hold no lease"
"""Both are said for a known and for an unknown phone alike, so that nobody can find out who is here by asking."""

DIRECTORY = "directory"
"""Where what is not rendered comes from."""


class Provisions(Protocol):
    """What the phones were given, as far as files are rendered from it."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now; ``None`` when it holds no lease."""

    def phone_at(self, address: str, port: int) -> str:
        """The identity of the phone that holds this address, and this port of it if it is shared; empty: nobody known."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file that was made for this client."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A file of the image directory, by a relative name that has not been checked against the disk.

    :ivar otherwise: what is given when there is no such file; ``None``: nothing.
    """

    name: str
    otherwise: Rendered | Refused | None = None


Choice: TypeAlias = Image | Rendered | Refused


class Listed(NamedTuple):
    """A file that a phone would be given.

    :ivar name: one that it may ask by, or a pattern of such names.
    :ivar origin: the template, or the file of the directory, which may depend on the name that is asked for.
    :ivar choice: for a pattern, of one name that matches it.
    """

    name: str
    origin: str
    choice: Choice
    is_pattern: bool = False


class _Source(NamedTuple):
    """What a name means for a phone: a template, or a name in the directory.

    :ivar parts: the parts of the name that was asked for.
    :ivar ports: the smallest block that it is for.
    """

    parts: Mapping[str, str]
    template: str = ""
    file: str = ""
    ports: int = 1


class FilePolicy:
    """Decides what a name means: aliases first, then the files of the phone's class, then the directory.

    :param accounts: the SIP users of each phone.
    :param images: names that are everybody's, whatever they look like: the images of the classes.
    :param shelf: what is rendered for whom.
    :param active: the name of the active server, if this is its standby, which gives nobody's own file; empty: this is none.
    :ivar misused: how often a phone's file was asked for from an address that does not hold its lease, or on a standby.
    """

    def __init__(
        self,
        provisions: Provisions,
        accounts: Mapping[str, tuple[SipAccount, ...]] = MappingProxyType({}),
        images: Collection[str] = (),
        shelf: Shelf | None = None,
        active: str = "",
    ) -> None:
        self._provisions = provisions
        self._accounts = accounts
        self._images = frozenset(images)
        self._shelf = Shelf() if shelf is None else shelf
        self._owners = Owners(provisions)
        self._active = active
        self.misused = 0

    def use(self, shelf: Shelf) -> None:
        """Render by another shelf from now on: templates were changed."""
        self._shelf = shelf

    def choose(self, fetch: Fetch) -> Choice:
        """Decide; a leading slash means the same directory, since many clients send one."""
        name = fetch.name.lstrip("/")
        if not name or "\0" in name:
            return NO_FILE
        phone = self._provisions.phone_at(*fetch.client)
        if name not in self._images and is_of_another(name, phone):
            return self._misuse(name, phone)
        provision = self._provisions.provision_of(phone) if phone else None
        return self._common(name) if provision is None else self._for(provision, name)

    def _common(self, name: str) -> Image:
        """What everybody gets: an image; of what is not there a standby cannot tell whether the active server would make it."""
        if not self._active:
            return Image(name)
        return Image(name, NO_FILE._replace(detail=f"{self._active} is the active one, and alone makes files for phones"))

    def shown(self, phone: str, name: str, masked: bool) -> Choice:
        """What this phone would be given, for the eyes of an operator.

        :param masked: whether its passwords are left out.
        """
        provision = self._provisions.provision_of(phone)
        return NO_FILE if provision is None else self._for(provision, name.lstrip("/"), masked)

    def listed(self, phone: str) -> Iterator[Listed]:
        """What is rendered for this phone, and its image and application."""
        provision = self._provisions.provision_of(phone)
        if provision is None:
            return
        mac, kind = provision.lease.mac, provision.phone_class
        names: dict[str, tuple[str, str]] = {}
        # Of two that have one name the first one counts, here as for the phone.
        for alias in self._shelf.aliases(kind.name):
            origin = alias.template or fill(alias.file, {MAC: mac.hex()})
            names.setdefault(alias.pattern.shown(mac), (alias.pattern.example(mac), origin))
        for file in self._shelf.files(kind.name):
            names.setdefault(file.names[0].shown(mac), (file.names[0].example(mac), file.template))
        for name in filter(None, (kind.image, kind.application)):
            names.setdefault(name, (name, DIRECTORY))
        for name, (example, origin) in names.items():
            yield Listed(name, origin, self._for(provision, example), name != example)

    def _misuse(self, name: str, phone: str) -> Refused:
        """Refuse a file of another phone than this one; what the operator is told tells whose it is, and what is missing."""
        self.misused += 1
        owner = self._owners.of(name)
        if self._active:
            return of_standby(self._active, owner.identity)
        reason = NOT_YOURS if phone else NO_LEASE
        return Refused(ErrorCode.ACCESS_VIOLATION, reason, owner.condition("gets it"), owner.identity)

    def _for(self, provision: Provision, name: str, masked: bool = False) -> Choice:
        source = self._source(provision, name)
        if source.file:
            name = source.file
            if name not in self._images and is_of_another(name, provision.lease.phone):
                return self._misuse(name, provision.lease.phone)
        if not source.template:
            return Image(name)
        made = self._rendered(provision, source, masked)
        # What is a phone's own follows from its lease alone; what is common may also lie in the directory, and then counts.
        return made if MAC in source.parts else Image(name, made)

    def _source(self, provision: Provision, name: str) -> _Source:
        """An alias stands for a template, or for another name, which is no alias again."""
        mac, kind = provision.lease.mac.hex(), provision.phone_class.name
        for alias in self._shelf.aliases(kind):
            parts = alias.pattern.match(name)
            if parts is None or parts.get(MAC, mac) != mac:
                continue
            if alias.template:
                return _Source(parts, alias.template)
            name = fill(alias.file, {MAC: mac, **parts})
            break
        for file in self._shelf.files(kind):
            parts = file.match(name, mac)
            if parts is not None:
                return _Source(parts, file.template, name, file.ports)
        return _Source({}, file=name)

    def _rendered(self, provision: Provision, source: _Source, masked: bool) -> Rendered | Refused:
        size = provision.block.size
        if size < source.ports:
            return Refused(ErrorCode.NOT_DEFINED, f"a block of {size} ports is too small for such a phone")
        record = record_of(provision, self._accounts.get(provision.lease.phone, ()))
        try:
            return Rendered(self._shelf.templates.render(source.template, record.masked() if masked else record, source.parts))
        except TemplateFault as fault:
            return Refused(ErrorCode.NOT_DEFINED, "the file cannot be made", printable(str(fault)))
