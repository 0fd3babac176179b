"""The NAPPT table: which public ports are which inside address, found in O(1) from either side.

It has the shape of the kernel's maps, so that both find the same: blocks of the default size and larger ones are cells keyed by
address and masked port, smaller ones are single ports.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from voxpath.core.errors import LocalError
from voxpath.model.ports import LARGEST_BLOCK, Mapping, PortBlock, Transaction
from voxpath.nappt.checksum import delta
from voxpath.nappt.pinhole import Pinhole, PinholeChange, Pinholes

DEFAULT_BLOCK_SIZE = 64
"""About 1000 phones for each public address."""

CAPACITY = 262_144
"""The most mappings of one table; beyond it additions are refused."""


class Row(NamedTuple):
    """What a look-up finds: the address to put in, and what that does to the checksums."""

    address: int
    delta: int
    mapping: Mapping


class Cells(NamedTuple):
    """How a block stands in the maps: in ``block`` by masked port, or in ``port`` by every single one."""

    masked: bool
    ports: range


def cells(block: PortBlock, block_size: int) -> Cells:
    """Where a block belongs, given the default block size."""
    masked = block.size >= block_size
    return Cells(masked, range(block.first, block.last + 1, block_size if masked else 1))


_Key = tuple[int, int, int, int]


def _key(mapping: Mapping) -> _Key:
    """A mapping in numbers: those are compared and hashed far faster than addresses are."""
    block = mapping.block
    return int(mapping.private), int(block.public), block.first, block.size


class Side:
    """One direction of the table: a map by masked port and a map by exact port, looked up in this order."""

    __slots__ = ("_block", "_mask", "_port")

    def __init__(self, block_size: int) -> None:
        self._mask = 0x10000 - block_size
        self._block: dict[int, Row] = {}
        self._port: dict[int, Row] = {}

    def find(self, address: int, port: int) -> Row | None:
        """Look up an address and one of its ports."""
        base = address << 16
        return self._block.get(base | (port & self._mask)) or self._port.get(base | port)

    def clash(self, address: int, where: Cells) -> Row | None:
        """A row that shares a port with these cells."""
        ports = where.ports
        if where.masked and self._port:
            ports = range(ports.start, ports.stop)  # single ports may lie between the cells' first ones
        return next((row for port in ports if (row := self.find(address, port)) is not None), None)

    def insert(self, address: int, where: Cells, row: Row) -> None:
        """Enter a row."""
        chosen = self._block if where.masked else self._port
        for port in where.ports:
            chosen[address << 16 | port] = row

    def remove(self, address: int, where: Cells) -> None:
        """Take a row out."""
        chosen = self._block if where.masked else self._port
        for port in where.ports:
            del chosen[address << 16 | port]


class Table:
    """Mappings of one gateway, with a generation.

    :ivar private: the inside prefixes.
    :ivar public: the public addresses of the ledger's pools.
    :ivar services: ports of public addresses that the gateway's own roles serve, each a block of one port (decision D18).
    :ivar pinholes: who may reach phones from outside; ``None``: everybody may, which is the open mode (decision D19).
    :ivar generation: of the newest transaction that was applied.
    :raises LocalError: the block size is no power of two from 1 to 1024, or a public address is an inside address.
    """

    def __init__(
        self,
        private: Iterable[IPv4Network],
        public: Iterable[IPv4Address],
        block_size: int = DEFAULT_BLOCK_SIZE,
        services: Iterable[PortBlock] = (),
    ) -> None:
        if not 1 <= block_size <= LARGEST_BLOCK or block_size & (block_size - 1):
            raise LocalError(f"the default block size is a power of two from 1 to {LARGEST_BLOCK}, not {block_size}")
        self.private = tuple(private)
        self.public = frozenset(public)
        self.block_size = block_size
        self.pinholes: Pinholes | None = None
        self.generation = 0
        self._prefixes = tuple((int(prefix.network_address), int(prefix.netmask)) for prefix in self.private)
        self._public = frozenset(map(int, self.public))
        self.services = tuple(services)
        self._services = frozenset(int(service.public) << 16 | service.first for service in self.services)
        for address in self.public:
            if self.is_inside(int(address)):
                raise LocalError(f"public address {address} lies in an inside prefix: give it to one side only")
        self._empty()

    def _empty(self) -> None:
        self._rows: dict[_Key, Mapping] = {}
        self._phones: dict[int, list[Mapping]] = {}
        self._by_private = Side(self.block_size)
        self._by_public = Side(self.block_size)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._rows.values())

    def __contains__(self, mapping: Mapping) -> bool:
        return _key(mapping) in self._rows

    def is_inside(self, address: int) -> bool:
        """Whether an address lies in an inside prefix."""
        return any(address & mask == network for network, mask in self._prefixes)

    def is_public(self, address: int) -> bool:
        """Whether an address is one of the public addresses."""
        return address in self._public

    def is_service(self, address: int, port: int) -> bool:
        """Whether a role of the gateway itself serves this port of this public address."""
        return address << 16 | port in self._services

    def is_taken(self, public: int, port: int) -> bool:
        """Whether a port of a public address is a phone's or a service's."""
        return self.is_service(public, port) or self.by_public(public, port) is not None

    def is_phone(self, address: int) -> bool:
        """Whether any mapping has this inside address."""
        return address in self._phones

    def by_private(self, address: int, port: int) -> Row | None:
        """Outbound: the public address for an inside address and source port."""
        return self._by_private.find(address, port)

    def by_public(self, address: int, port: int) -> Row | None:
        """Inbound: the inside address for a public address and destination port."""
        return self._by_public.find(address, port)

    def mappings_of(self, private: IPv4Address) -> tuple[Mapping, ...]:
        """All mappings of an inside address."""
        return tuple(self._phones.get(int(private), ()))

    def apply(self, transaction: Transaction) -> Transaction:
        """Apply a transaction as a whole; give what of it changed anything.

        :raises LocalError: it contradicts the table or is beyond its capacity; then nothing was changed.
        """
        removed: list[Mapping] = []
        added: list[Mapping] = []
        try:
            removed.extend(mapping for mapping in transaction.remove if self._remove(mapping))
            added.extend(mapping for mapping in transaction.add if self._insert(mapping))
        except LocalError:
            self._take_back(added, removed)
            raise
        self.generation = max(self.generation, transaction.generation)
        both = set(added).intersection(removed) if removed else ()
        return Transaction(
            transaction.generation,
            tuple(mapping for mapping in added if mapping not in both),
            tuple(mapping for mapping in removed if mapping not in both),
        )

    def undo(self, change: Transaction, generation: int) -> None:
        """Take back what :meth:`apply` said it changed, and return to the generation before it."""
        self._take_back(change.add, change.remove)
        self.generation = generation

    def admit(self, change: PinholeChange) -> PinholeChange:
        """Open and close pinholes as a whole; give what of it changed anything: nothing in the open mode.

        One that would lead to a port that nobody holds is not opened: its call is over before it began.

        :raises LocalError: too many would be open; then nothing was changed.
        """
        if self.pinholes is None:
            return PinholeChange()
        held = tuple(pinhole for pinhole in change.open if self._phone_behind(pinhole))
        return self.pinholes.apply(PinholeChange(held, change.close))

    def shut(self, removed: Iterable[Mapping]) -> dict[Pinhole, int]:
        """Close the pinholes of mappings that were removed: the next holder of their ports is not to hear this one's peers.

        :returns: what was closed, each with the inside address that it led to.
        """
        if self.pinholes is None:
            return {}
        closed = {pinhole: int(mapping.private) for mapping in removed for pinhole in self.pinholes.into(mapping.block)}
        self.pinholes.apply(PinholeChange(close=tuple(closed)))
        return closed

    def replace_all(self, generation: int, mappings: Iterable[Mapping]) -> None:
        """Make the table equal to these mappings; pinholes that lead to the same phones as before stay.

        :raises LocalError: they contradict each other; then nothing was changed.
        """
        fresh = Table(self.private, self.public, self.block_size, self.services)
        fresh.apply(Transaction(generation, tuple(mappings)))
        if self.pinholes is not None:
            moved = (pinhole for pinhole in self.pinholes if self._phone_behind(pinhole) != fresh._phone_behind(pinhole))
            self.pinholes.apply(PinholeChange(close=tuple(moved)))
        self._rows, self._phones = fresh._rows, fresh._phones
        self._by_private, self._by_public = fresh._by_private, fresh._by_public
        self.generation = generation

    def _phone_behind(self, pinhole: Pinhole) -> int:
        """The inside address that a pinhole leads to; 0: none."""
        row = self._by_public.find(pinhole.public, pinhole.port)
        return row.address if row is not None else 0

    def _take_back(self, added: Iterable[Mapping], removed: Iterable[Mapping]) -> None:
        for mapping in added:
            self._remove(mapping)
        for mapping in removed:
            self._insert(mapping)

    def _insert(self, mapping: Mapping) -> bool:
        key = private, public, _, _ = _key(mapping)
        if key in self._rows:
            return False
        where = cells(mapping.block, self.block_size)
        self._check(mapping, private, public, where)
        self._by_private.insert(private, where, Row(public, delta(private, public), mapping))
        self._by_public.insert(public, where, Row(private, delta(public, private), mapping))
        self._rows[key] = mapping
        self._phones.setdefault(private, []).append(mapping)
        return True

    def _check(self, mapping: Mapping, private: int, public: int, where: Cells) -> None:
        if not self.is_inside(private):
            raise LocalError(f"{mapping.private} lies in no inside prefix of the NAT")
        if not self.is_public(public):
            raise LocalError(f"{mapping.block.public} is no public address of the NAT")
        if len(self._rows) >= CAPACITY:
            raise LocalError(f"the NAPPT table is full: {CAPACITY} mappings")
        clash = self._by_public.clash(public, where) or self._by_private.clash(private, where)
        if clash is not None:
            other = clash.mapping
            raise LocalError(f"{mapping.block} for {mapping.private} shares ports with {other.block} of {other.private}")

    def _remove(self, mapping: Mapping) -> bool:
        key = private, public, _, _ = _key(mapping)
        if key not in self._rows:
            return False
        where = cells(mapping.block, self.block_size)
        self._by_private.remove(private, where)
        self._by_public.remove(public, where)
        del self._rows[key]
        mine = self._phones[private]
        mine.remove(mapping)
        if not mine:
            del self._phones[private]
        return True
