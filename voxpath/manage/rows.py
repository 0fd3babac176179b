"""Answers of commands: lists of rows, drawn as columns that grep well; each row stands on one line and names its phone."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from voxpath.model.event import printable

CELL_LIMIT = 400
"""Characters of one cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """The base of all rows: fields are texts and numbers, and become columns."""


@dataclass(frozen=True, slots=True)
class LeaseRow(Row):
    """One lease.

    :ivar kind: ``dynamic``: given by DHCP or BOOTP; ``static``: a person set the phone's address, and it asked by INFORM.
    """

    phone: str
    address: str
    scope: str
    phone_class: str
    host_name: str
    expires: str
    state: str
    kind: str


@dataclass(frozen=True, slots=True)
class AdoptedRow(Row):
    """One adopted Ethernet address."""

    phone: str
    since: str


@dataclass(frozen=True, slots=True)
class BlockRow(Row):
    """One port block.

    :ivar state: ``reserved`` is a reserved one that is not in use; ``left`` is one whose phone has another block now.
    :ivar reserved: by what it is its phone's for ever: ``file`` is ``[[block]]`` of the configuration, ``command`` is ``reserve``.
    """

    phone: str
    block: str
    private: str
    realm: str
    state: str
    reserved: str
    until: str
    generation: int


@dataclass(frozen=True, slots=True)
class ScopeRow(Row):
    """How full one scope is.

    :ivar group: the super-scope that it is part of; empty: none.
    :ivar used: addresses that a new phone cannot get; ``kept`` are remembered for phones that left, and give way;
        those whose ports are in quarantine are ``used``.
    :ivar passed: the highest threshold that it, or its group as a whole, has passed, in percent; 0: none.
    """

    scope: str
    interface: str
    realm: str
    group: str
    total: int
    used: int
    free: int
    kept: int
    percent: int
    passed: int


@dataclass(frozen=True, slots=True)
class PoolRow(Row):
    """How full one pool is, in ports.

    :ivar used: what a new phone cannot get: held, reserved, quarantined and pending.
    :ivar pending: on offer, or in a change that is under way.
    :ivar passed: the highest threshold that is passed, in percent; 0: none.
    """

    pool: str
    realm: str
    total: int
    used: int
    free: int
    held: int
    reserved: int
    quarantined: int
    kept: int
    pending: int
    percent: int
    passed: int


@dataclass(frozen=True, slots=True)
class RegistrationRow(Row):
    """One registered media gateway."""

    phone: str
    mid: str
    public: str
    private: str
    contact: str
    realm: str
    lines: str
    since: str


@dataclass(frozen=True, slots=True)
class ContactRow(Row):
    """One SIP binding.

    :ivar public: where everybody reaches the phone; ``private``: where those in its realm do; empty: not known.
    :ivar shows: what the phone shows in its dialogs: its ``combination`` address, a ``gruu`` with it, only its ``private`` address,
        a ``public`` one that no ledger knows, a ``name``, or a ``foreign`` one, which is not used.
    :ivar q: preference, 0 to 1.
    :ivar agent: what the phone calls itself.
    """

    phone: str
    aor: str
    contact: str
    source: str
    public: str
    private: str
    realm: str
    shows: str
    q: float
    expires: str
    since: str
    agent: str


@dataclass(frozen=True, slots=True)
class CallRow(Row):
    """One call; ``path`` is what the triangle decision chose, ``private`` or ``public``, and ``reason`` says why.

    A call that was redirected is not seen any further: its row is there for a while, and its ``number`` is who was called.

    :ivar media: where the caller's media is sent to; ``peer_media``: the callee's; port 0 or empty while it is not known.
    """

    phone: str
    peer: str
    number: str
    state: str
    path: str
    media: str
    peer_media: str
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class CounterRow(Row):
    """What went through the NAT for one phone, and what did not.

    :ivar out_drops: packets of what it sent that were dropped, by reason, such as ``spoofed_port=3``.
    :ivar in_drops: packets of what was for its ports that were dropped.
    """

    phone: str
    private: str
    out_packets: int
    out_octets: int
    in_packets: int
    in_octets: int
    out_drops: str = ""
    in_drops: str = ""


@dataclass(frozen=True, slots=True)
class PhoneRow(Row):
    """One line of a software phone: what it does, what it hears, and its media so far; a shim has no lines, and one row.

    :ivar public: its combination address: the public address and the ports that are the phone's there.
    """

    phone: str
    line: int
    state: str
    signal: str
    address: str
    public: str
    hears_hz: float
    level_dbm0: float
    sent: int
    received: int
    lost: int


@dataclass(frozen=True, slots=True)
class UploadRow(Row):
    """One file that a phone wrote."""

    phone: str
    name: str
    octets: int
    at: str


@dataclass(frozen=True, slots=True)
class FileRow(Row):
    """One file that a phone would be given.

    :ivar name: what it is asked for by, or a pattern: ``{model}`` and ``*`` stand for what the phone puts there.
    :ivar origin: the template that it is made from, or ``directory``.
    :ivar octets: its size, of a pattern that of one such file; ``None``: there is no such file, or it depends on the name.
    :ivar note: why it would not be given, or that the name is a pattern; empty: it would be.
    """

    name: str
    origin: str
    octets: int | None
    note: str


@dataclass(frozen=True, slots=True)
class LineRow(Row):
    """One line of a file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class RoleRow(Row):
    """One role of the process.

    :ivar detail: what is off in it, and what it did not answer, how often and why.
    """

    role: str
    state: str
    faults: int
    malformed: int
    restarts: int
    detail: str


@dataclass(frozen=True, slots=True)
class EventRow(Row):
    """One event."""

    at: str
    level: str
    role: str
    phone: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ItemRow(Row):
    """One named fact."""

    item: str
    value: str


def when(at: float) -> str:
    """A time of the server's clock as text; empty for 0 and for what is no date."""
    if at == 0:
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return ""


def columns_of(row: type[Row]) -> list[str]:
    """The names of a row's columns."""
    return [field.name for field in fields(row)]


def as_dict(row: Row) -> dict[str, Any]:
    """A row for JSON."""
    return {field.name: getattr(row, field.name) for field in fields(row)}


def draw(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Draw rows below a heading; an empty cell is ``-``, so that columns can be counted."""
    heading = [printable(name.upper(), CELL_LIMIT) for name in columns]
    cells = [heading, *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)
    return "".join(line + "\n" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None or value == "" else printable(str(value), CELL_LIMIT)
