"""Port blocks, the bindings that give them to a holder, and the transactions by which they change.

They are structs: every phone that boots makes several of each.
"""

from enum import Enum
from ipaddress import IPv4Address
from math import isinf
from typing import NamedTuple

from msgspec import Struct

from voxpath.model.address import text_of

SMALLEST_BLOCK = 1
LARGEST_BLOCK = 1024
LOWEST_PORT = 1024
MAX_DIGITS = 5
"""Digits of a port number."""


class PortBlock(Struct, frozen=True, order=True, gc=False):
    """``size`` consecutive ports of one public address, aligned to their size (GEN-6).

    The size is a power of two from 1 to 1024.
    Alignment is what gives every NAT back end an O(1) look-up by masked port.
    A block below port 1024 exists only as a service port, which the ledger checks.

    :raises ValueError: size, alignment or range is wrong.
    """

    public: IPv4Address
    first: int
    size: int

    def __post_init__(self) -> None:
        size = self.size
        if not SMALLEST_BLOCK <= size <= LARGEST_BLOCK or size & (size - 1):
            raise ValueError(f"a port block has 1, 2, 4 ... {LARGEST_BLOCK} ports, not {size}")
        if self.first % size or not 0 < self.first <= 0x10000 - size:
            raise ValueError(f"a block of {size} ports cannot begin at port {self.first}")

    @property
    def last(self) -> int:
        """The highest port of the block."""
        return self.first + self.size - 1

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def overlaps(self, other: "PortBlock") -> bool:
        """Whether the two blocks share a port of one public address."""
        return self.public == other.public and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        public = text_of(self.public)
        return f"{public}:{self.first}-{self.last}" if self.size > 1 else f"{public}:{self.first}"

    @classmethod
    def parse(cls, text: str) -> "PortBlock":
        """Read ``PUBLIC:FIRST-LAST`` or ``PUBLIC:PORT``, as blocks are printed.

        :raises ValueError: it is none.
        """
        public, _, ports = text.partition(":")
        numbers = ports.split("-")
        if len(numbers) > 2 or not all(number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS for number in numbers):
            raise ValueError("a block of ports is written PUBLIC:FIRST-LAST")
        first, last = int(numbers[0]), int(numbers[-1])
        return cls(IPv4Address(public), first, last - first + 1)


class BindingState(Enum):
    """The life of a port binding: held, then released (quarantined first, then kept for its holder, unless it is reserved)."""

    HELD = "held"
    RELEASED = "released"


class PortBinding(Struct, frozen=True, gc=False):
    """Who holds a port block (the ledger's row).

    :ivar holder: a phone's MAC in text form, or ``service:NAME`` for a role, or ``gateway:BLOCK``; ``former:HOLDER@BLOCK`` for a
        block that its holder left for another one.
    :ivar private: the inside address that the block is translated to; ``None`` for the gateway's own.
    :ivar realm: the realm of the inside address; empty for the gateway's own.
    :ivar until: until when nobody else may have the block: a released binding's end of quarantine, in seconds of the server's
        clock; 0 while it is held; infinite, held or not, when the block is reserved for this holder.
    :ivar generation: the ledger generation that made this row.
    """

    holder: str
    block: PortBlock
    private: IPv4Address | None
    realm: str
    state: BindingState
    until: float
    generation: int

    @property
    def reserved(self) -> bool:
        """Whether an operator has reserved the block for this holder, for ever."""
        return isinf(self.until)

    @property
    def mapping(self) -> "Mapping | None":
        """What the NAT has to translate for this row: nothing unless it is held for an inside address."""
        if self.state is BindingState.HELD and self.private is not None:
            return Mapping(self.private, self.block)
        return None


class Mapping(NamedTuple):
    """One row of the NAPPT table: these public ports are this inside address, with the port unchanged (NAP-1, NAP-3)."""

    private: IPv4Address
    block: PortBlock


class Transaction(Struct, frozen=True, gc=False):
    """One atomic change of the NAPPT table; removals come before additions.

    Generations grow, with gaps where a change was refused by the store.
    Applying a transaction twice is the same as applying it once.
    """

    generation: int
    add: tuple[Mapping, ...] = ()
    remove: tuple[Mapping, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)
