"""Which table a value's type belongs to, and how values and rows become each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from math import inf
from typing import Any

from voxpath.core.errors import LocalError
from voxpath.model.address import Endpoint, Mac, text_of
from voxpath.model.clock import ClockMark
from voxpath.model.contact import Contact
from voxpath.model.phone import Adoption, Lease, Probation
from voxpath.model.ports import PortBinding
from voxpath.model.registration import Registration
from voxpath.ports.row import BINDING_COLUMNS, binding_from_row, binding_row

Row = Sequence[Any]

LATEST_S = 253_402_300_799.0
"""The end of the year 9999: a later time was never stored, but for the infinite one."""
LARGEST = 2**62
"""A larger number was never stored, and could not be counted on from in a column of SQLite."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    :ivar name: its name in the schema.
    :ivar columns: its columns; the first ``keys`` ones are the primary key.
    :ivar to_row: a value's row.
    :ivar types: what each column holds, for ``isinstance``.
    :ivar from_row: the value of a row whose columns have these types; raises :class:`ValueError` for what the model refuses.
    """

    name: str
    columns: tuple[str, ...]
    keys: int
    types: tuple[Any, ...]
    to_row: Callable[[Any], Row]
    from_row: Callable[[Row], Any]

    @property
    def put_sql(self) -> str:
        """Insert, or update by key."""
        key = ", ".join(self.columns[: self.keys])
        updates = ", ".join(f"{column} = excluded.{column}" for column in self.columns[self.keys :])
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({', '.join('?' * len(self.columns))}) "  # noqa: S608 - own names only
            f"ON CONFLICT ({key}) DO UPDATE SET {updates}"
        )

    @property
    def delete_sql(self) -> str:
        """Delete by key."""
        return f"DELETE FROM {self.name} WHERE " + " AND ".join(f"{column} = ?" for column in self.columns[: self.keys])  # noqa: S608 - own names only

    @property
    def load_sql(self) -> str:
        """Read all rows."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name}"  # noqa: S608 - own names only

    def read(self, row: Row) -> Any:
        """The value of a row of a file, whose columns may hold anything: SQLite keeps a text in a column of numbers.

        :raises ValueError: it is none; the reason says why.
        """
        if not all(map(isinstance, row, self.types)):
            wrong = (name for name, value, kind in zip(self.columns, row, self.types, strict=True) if not isinstance(value, kind))
            raise ValueError(f"what stands in {', '.join(wrong)} is of another type than the column")
        if any(map(_is_absurd, row)):
            absurd = (name for name, value in zip(self.columns, row, strict=True) if _is_absurd(value))
            raise ValueError(f"what stands in {', '.join(absurd)} is out of all bounds")
        return self.from_row(row)

    def key(self, value: object) -> tuple[Any, ...]:
        """A value's primary key."""
        return tuple(self.to_row(value)[: self.keys])


def text_or_octets(octets: bytes) -> str | bytes:
    """A text of a file; octets that are none stay so, and then the row is refused by the type of its column."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def _is_absurd(value: object) -> bool:
    """Whether a column holds a number that only damage can have brought there: it would stop the clock, or all that counts on."""
    if isinstance(value, float):
        return not (abs(value) <= LATEST_S or value == inf)
    return isinstance(value, int) and abs(value) > LARGEST


def _clock_mark(row: Row) -> ClockMark:
    mark = ClockMark._make(row)
    if mark.at == inf:
        raise ValueError("the clock never showed that")
    return mark


def _contact(row: Row) -> Contact:
    contact = Contact._make(row)
    _endpoint(*contact.source)
    return contact


def _endpoint(host: str, port: int) -> Endpoint:
    """Where datagrams are sent: a host that is no address would be asked for by name, which stops the reactor meanwhile."""
    return Endpoint.parse(f"{host}:{port}")


def _address(text: str | None) -> IPv4Address | None:
    return None if text is None else IPv4Address(text)


def _text(address: IPv4Address | None) -> str | None:
    return None if address is None else text_of(address)


def _lease_row(lease: Lease) -> Row:
    place = (str(lease.mac), lease.client_id, lease.scope, text_of(lease.address))
    return (*place, lease.phone_class, lease.host_name, lease.expires, lease.first_port, int(lease.static))


def _lease(row: Row) -> Lease:
    mac, client_id, scope, address, phone_class, host_name, expires, first_port, static = row
    place = (Mac.parse(mac), bytes(client_id), scope, IPv4Address(address))
    return Lease(*place, phone_class, host_name, expires, first_port, bool(static))


def _adoption_row(adoption: Adoption) -> Row:
    return str(adoption.mac), adoption.since


def _adoption(row: Row) -> Adoption:
    mac, since = row
    return Adoption(Mac.parse(mac), since)


def _probation_row(probation: Probation) -> Row:
    return text_of(probation.address), probation.scope, str(probation.mac), probation.until


def _probation(row: Row) -> Probation:
    address, scope, mac, until = row
    return Probation(IPv4Address(address), scope, Mac.parse(mac), until)


def _registration_row(registration: Registration) -> Row:
    public, contact = registration.public, registration.contact
    return (
        registration.mid,
        public.host,
        public.port,
        contact.host,
        contact.port,
        _text(registration.private),
        registration.realm,
        registration.phone,
        " ".join(registration.terminations),
        registration.since,
        registration.version,
    )


def _registration(row: Row) -> Registration:
    mid, host, port, contact_host, contact_port, private, realm, phone, terminations, since, version = row
    return Registration(
        mid=mid,
        public=_endpoint(host, port),
        contact=_endpoint(contact_host, contact_port),
        private=_address(private),
        realm=realm,
        phone=phone,
        terminations=tuple(terminations.split()),
        since=since,
        version=version,
    )


TABLES: dict[type, Table] = {
    PortBinding: Table(
        "block",
        BINDING_COLUMNS,
        1,
        (str, str, int, int, str | None, str, str, float, int),
        binding_row,
        binding_from_row,
    ),
    Lease: Table(
        "lease",
        ("mac", "client_id", "scope", "address", "phone_class", "host_name", "expires", "first_port", "static"),
        1,
        (str, bytes, str, str, str, str, float, int, int),
        _lease_row,
        _lease,
    ),
    Registration: Table(
        "registration",
        (
            *("mid", "public_host", "public_port", "contact_host", "contact_port", "private"),
            *("realm", "phone", "terminations", "since", "version"),
        ),
        2,
        (str, str, int, str, int, str | None, str, str, str, float, int),
        _registration_row,
        _registration,
    ),
    Adoption: Table("adoption", ("mac", "since"), 1, (str, float), _adoption_row, _adoption),
    Probation: Table("probation", ("address", "scope", "mac", "until"), 1, (str, str, str, float), _probation_row, _probation),
    ClockMark: Table("clock", ClockMark._fields, 1, tuple(ClockMark.__annotations__.values()), tuple, _clock_mark),
    Contact: Table("contact", Contact._fields, 2, tuple(Contact.__annotations__.values()), tuple, _contact),
}


def table_of(value: object) -> Table:
    """The table of a value; raise :class:`LocalError` for a type that is not stored."""
    try:
        return TABLES[type(value)]
    except KeyError:
        raise LocalError(f"values of type {type(value).__name__} are not stored") from None
