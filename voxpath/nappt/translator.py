"""The whole translation: what needs no memory (:mod:`voxpath.nappt.translate`), and what needs a little for a short time."""

from voxpath.nappt.checksum import adjust
from voxpath.nappt.fragments import Fragmented, Fragments
from voxpath.nappt.mss import clamp
from voxpath.nappt.packet import (
    CHECKSUM_AT,
    FRAGMENT_OFFSET,
    HEADER_LENGTH,
    IDENTIFICATION_AT,
    WORD,
    Header,
    Ports,
    is_error,
    ports_of,
)
from voxpath.nappt.rewrite import rewritten, word_delta
from voxpath.nappt.table import Table
from voxpath.nappt.translate import IN, OUT, Rows, Way, admitted, whole
from voxpath.nappt.verdict import Drop, Held, Reason, Translated, Verdict

OFFSET_UNIT = 8
"""Octets that a fragment's offset counts."""


class Translator:
    """Translates every packet that crosses one gateway.

    :ivar table: what is leased; it may change at any time.
    :param mss: TCP segments that may be announced at the most, in octets, for tunnels with a smaller MTU; 0: any.
    """

    def __init__(self, table: Table, mss: int = 0) -> None:
        self.table = table
        self._mss = mss
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

    def _carry(self, packet: bytes, way: Way, now: float) -> tuple[Verdict, ...]:
        header = admitted(self.table, packet, way)
        if isinstance(header, Drop):
            return (header,)
        if header.fragment:
            return self._fragment(packet, header, way, now)
        verdict = whole(self.table, packet, header, way)
        return (self._clamped(verdict, header),)

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
            return (*self._later(packet, header, way, known), *lost)
        return (*self._first(packet, header, way, known), *lost)

    def _first(self, packet: bytes, header: Header, way: Way, known: Fragmented) -> tuple[Verdict, ...]:
        ports = ports_of(packet, header, way.echo)
        if isinstance(ports, Drop):
            return (ports,)
        verdict = self._part(packet, header, way, known, ports)
        if not isinstance(verdict, Translated):
            return (verdict,)
        known.ports = ports
        held = self._sides[way].release(known)
        return (self._clamped(verdict, header), *(self._again(fragment, way, known) for fragment in held))

    def _later(self, packet: bytes, header: Header, way: Way, known: Fragmented) -> tuple[Verdict, ...]:
        if (header.fragment & FRAGMENT_OFFSET) * OFFSET_UNIT < HEADER_LENGTH.get(header.protocol, 0):
            # It would change what the first fragment showed (RFC 3128).
            return (Drop(Reason.FRAGMENT),)
        if known.ports is not None:
            return (self._part(packet, header, way, known, known.ports),)
        return (Held() if self._sides[way].hold(known, packet) else Drop(Reason.FRAGMENT),)

    def _again(self, fragment: bytes, way: Way, known: Fragmented) -> Verdict:
        """A fragment that has waited; the table is asked anew, as for every one."""
        header = admitted(self.table, fragment, way)
        if isinstance(header, Drop) or known.ports is None:
            return Drop(Reason.FRAGMENT)
        return self._part(fragment, header, way, known, known.ports)

    def _part(self, packet: bytes, header: Header, way: Way, known: Fragmented, ports: Ports) -> Verdict:
        rows = way.find(self.table, header, ports)
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


def _identify(octets: bytearray, old: int, new: int) -> None:
    WORD.pack_into(octets, IDENTIFICATION_AT, new)
    WORD.pack_into(octets, CHECKSUM_AT, adjust(WORD.unpack_from(octets, CHECKSUM_AT)[0], word_delta(old, new)))
