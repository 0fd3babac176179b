"""The whole translation: what needs no memory (:mod:`voxpath.nappt.translate`), and what needs a little for a short time."""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from voxpath.nappt.checksum import adjust, delta
from voxpath.nappt.fragments import Fragmented, Fragments
from voxpath.nappt.icmp import Embedded, error_inbound
from voxpath.nappt.mss import clamp
from voxpath.nappt.packet import (
    CHECKSUM_AT,
    FRAGMENT_OFFSET,
    HEADER_LENGTH,
    IDENTIFICATION_AT,
    TCP,
    WORD,
    Header,
    Ports,
    is_error,
    ports_of,
)
from voxpath.nappt.pool import PROTOCOLS, NaptPool, Place
from voxpath.nappt.rewrite import NewAddress, NewPorts, rewritten, word_delta
from voxpath.nappt.table import Table
from voxpath.nappt.translate import IN, OUT, Rows, Way, admitted, whole
from voxpath.nappt.verdict import Drop, Held, Local, Reason, Translated, Verdict

OFFSET_UNIT = 8
"""Octets that a fragment's offset counts."""


TCP_FLAGS_AT, FIN, RST = 13, 0x01, 0x04


class PoolAddress(NamedTuple):
    """What an address becomes by the pool: the pool's own, or back again."""

    address: int
    delta: int


class Translator:
    """Translates every packet that crosses one gateway.

    :ivar table: what is leased; it may change at any time.
    :param pool: for what phones send from ports outside their blocks; ``None``: that is dropped (NAP-15).
    :param mss: TCP segments that may be announced at the most, in octets, for tunnels with a smaller MTU; 0: any.
    """

    def __init__(self, table: Table, mss: int = 0, pool: NaptPool | None = None) -> None:
        self.table = table
        self._mss = mss
        self._pool = pool
        self._sides = {OUT: Fragments(), IN: Fragments()}

    def outbound(self, packet: bytes, now: float) -> tuple[Verdict, ...]:
        """Translate a packet from inside.

        :returns: its own verdict, and behind it those of fragments that waited for it, in the order in which they came.
        """
        return self._carry(packet, OUT, now)

    def inbound(self, packet: bytes, now: float) -> tuple[Verdict, ...]:
        """Translate a packet from outside, as :meth:`outbound`."""
        return self._carry(packet, IN, now)

    def expire(self, now: float) -> int:
        """Forget fragmented packets that took too long; give how many fragments are dropped by that."""
        return sum(side.expire(now) for side in self._sides.values())

    def withdraw(self, addresses: Iterable[int] | None = None) -> None:
        """Take from the pool what inside addresses have of it that are no phone's any more.

        :param addresses: those that may be concerned; ``None``: all.
        """
        if self._pool is None:
            return
        for address in self._pool.addresses() if addresses is None else set(addresses):
            if not self.table.is_phone(address):
                self._pool.withdraw(address)

    def _carry(self, packet: bytes, way: Way, now: float) -> tuple[Verdict, ...]:
        header = admitted(self.table, packet, way)
        if isinstance(header, Drop):
            return (header,)
        if header.fragment:
            return self._fragment(packet, header, way, now)
        if self._pool is not None:
            inward = partial(error_inbound, pooled=partial(self._pool_error, self._pool, now=now))
            error = inward if way is IN else way.error
            verdict = whole(self.table, packet, header, way._replace(find=partial(self._pooled, packet, way, now), error=error))
        else:
            verdict = whole(self.table, packet, header, way)
        return (self._clamped(verdict, header),)

    # Ports outside the blocks.

    def _pooled(self, packet: bytes, way: Way, now: float, table: Table, header: Header, ports: Ports) -> Rows | Local | Drop:
        """What the table does not know, and the pool may."""
        rows, pool = way.find(table, header, ports), self._pool
        if pool is None or header.protocol not in PROTOCOLS:
            return rows
        if rows == Drop(Reason.SPOOFED_PORT):
            return self._pool_leaving(pool, header, ports, now, ends=_ends(packet, header))
        if rows == Drop(Reason.UNLEASED_PORT) and pool.holds(header.destination, ports.destination):
            return self._pool_entering(pool, header, ports, now, ends=_ends(packet, header))
        return rows

    def _pool_leaving(self, pool: NaptPool, header: Header, ports: Ports, now: float, *, ends: bool) -> Rows | Drop:
        if self.table.is_public(header.destination):
            # Phones are reached at their blocks, and know those.
            return Drop(Reason.SPOOFED_PORT)
        inside = Place(header.protocol, header.source, ports.source)
        port = pool.leaving(inside, header.destination, now, ends=ends)
        if port is None:
            return Drop(Reason.POOL_EXHAUSTED)
        return Rows(PoolAddress(pool.public, delta(header.source, pool.public)), None, NewPorts(source=port))

    def _pool_entering(self, pool: NaptPool, header: Header, ports: Ports, now: float, *, ends: bool) -> Rows | Drop:
        inside = pool.entering(header.protocol, ports.destination, header.source, now, ends=ends)
        if inside is None:
            return Drop(Reason.UNLEASED_PORT)
        address = PoolAddress(inside.address, delta(header.destination, inside.address))
        return Rows(None, address, NewPorts(destination=inside.port))

    def _pool_error(self, pool: NaptPool, embedded: Embedded, now: float) -> tuple[NewAddress, NewPorts] | None:
        """Who sent the packet in an error from a port of the pool."""
        if not pool.holds(embedded.source, embedded.ports.source):
            return None
        inside = pool.sender(embedded.protocol, embedded.ports.source, embedded.destination, now)
        if inside is None:
            return None
        return PoolAddress(inside.address, delta(embedded.source, inside.address)), NewPorts(source=inside.port)

    # Fragments.

    def _fragment(self, packet: bytes, header: Header, way: Way, now: float) -> tuple[Verdict, ...]:
        if header.ttl <= 1:
            return (Drop(Reason.TTL_EXPIRED),)
        if is_error(packet, header) and not header.fragment & FRAGMENT_OFFSET:
            return (Drop(Reason.FRAGMENT),)
        side = self._sides[way]
        lost = (Drop(Reason.FRAGMENT),) * side.expire(now)
        known = side.of(header, now)
        if header.fragment & FRAGMENT_OFFSET:
            return (*self._later(packet, header, way, known, now), *lost)
        return (*self._first(packet, header, way, known, now), *lost)

    def _first(self, packet: bytes, header: Header, way: Way, known: Fragmented, now: float) -> tuple[Verdict, ...]:
        ports = ports_of(packet, header, way.echo)
        if isinstance(ports, Drop):
            return (ports,)
        verdict = self._part(packet, header, way, known, ports, now)
        if isinstance(verdict, Drop):
            return (verdict,)
        known.ports = ports
        held = self._sides[way].release(known)
        return (self._clamped(verdict, header), *(self._again(fragment, way, known, now) for fragment in held))

    def _later(self, packet: bytes, header: Header, way: Way, known: Fragmented, now: float) -> tuple[Verdict, ...]:
        if (header.fragment & FRAGMENT_OFFSET) * OFFSET_UNIT < HEADER_LENGTH.get(header.protocol, 0):
            # It would change what the first fragment showed (RFC 3128).
            return (Drop(Reason.FRAGMENT),)
        if known.ports is not None:
            return (self._part(packet, header, way, known, known.ports, now),)
        return (Held() if self._sides[way].hold(known, packet) else Drop(Reason.FRAGMENT),)

    def _again(self, fragment: bytes, way: Way, known: Fragmented, now: float) -> Verdict:
        """A fragment that has waited; the table is asked anew, as for every one."""
        header = admitted(self.table, fragment, way)
        if isinstance(header, Drop) or known.ports is None:
            return Drop(Reason.FRAGMENT)
        verdict = self._part(fragment, header, way, known, known.ports, now)
        return Local(fragment) if isinstance(verdict, Local) else verdict

    def _part(self, packet: bytes, header: Header, way: Way, known: Fragmented, ports: Ports, now: float) -> Verdict:
        rows = self._pooled(packet, way, now, self.table, header, ports)
        if not isinstance(rows, Rows):
            return rows
        octets = rewritten(packet, header, *rows)
        if rows.source is not None:
            _identify(octets, header.identification, known.identification)
        return Translated(bytes(octets))

    def _clamped(self, verdict: Verdict, header: Header) -> Verdict:
        if self._mss and isinstance(verdict, Translated):
            return Translated(clamp(verdict.packet, header, self._mss))
        return verdict


def _ends(packet: bytes, header: Header) -> bool:
    """Whether it ends a TCP connection; a later fragment does not tell."""
    if header.protocol != TCP or header.fragment & FRAGMENT_OFFSET:
        return False
    return bool(packet[header.length + TCP_FLAGS_AT] & (FIN | RST))


def _identify(octets: bytearray, old: int, new: int) -> None:
    WORD.pack_into(octets, IDENTIFICATION_AT, new)
    WORD.pack_into(octets, CHECKSUM_AT, adjust(WORD.unpack_from(octets, CHECKSUM_AT)[0], word_delta(old, new)))
