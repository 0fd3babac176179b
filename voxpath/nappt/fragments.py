"""What is remembered of a fragmented packet: its ports, which the first fragment alone holds (RFC 4787 REQ-14, in any order).

Fragments are not put together here: each goes on as it came, which needs no memory for whole packets, and loses nothing of a path
with a small MTU behind the gateway.
What comes before the first fragment waits for it, up to limits.

Many phones behind one address may use one identification at the same time, so each packet that leaves gets a new one (RFC 6864
section 5.3.1).
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from voxpath.nappt.packet import Header, Ports

LIFE_S: Final = 15.0
"""How long a packet may take to arrive: the time of reassembly of RFC 791."""
MOST_PACKETS: Final = 1024
"""Fragmented packets of one direction that are known at once; one more pushes the oldest out."""
MOST_HELD: Final = 256
"""Fragments of one direction that may wait at once."""
MOST_HELD_OF_ONE: Final = 45
"""Fragments of one packet that may wait: as many as 64 KiB are cut into by a link with an MTU of 1500."""


class Key(NamedTuple):
    """What fragments of one packet have in common (RFC 791 section 3.2)."""

    source: int
    destination: int
    protocol: int
    identification: int


class Fragmented:
    """One packet.

    :ivar identification: that it leaves with.
    :ivar until: when it is forgotten.
    :ivar ports: those of the first fragment; ``None``: it has not come.
    :ivar held: what waits for it.
    """

    __slots__ = ("held", "identification", "ports", "until")

    def __init__(self, identification: int, until: float) -> None:
        self.identification = identification
        self.until = until
        self.ports: Ports | None = None
        self.held: list[bytes] = []


class Fragments:
    """The fragmented packets of one direction."""

    def __init__(self) -> None:
        self._packets: OrderedDict[Key, Fragmented] = OrderedDict()
        self._held = 0
        self._identification = 0

    def __len__(self) -> int:
        return len(self._packets)

    def of(self, header: Header, now: float) -> Fragmented:
        """The packet that a fragment belongs to; it is known from its first or any other fragment on."""
        key = Key(header.source, header.destination, header.protocol, header.identification)
        packet = self._packets.get(key)
        if packet is None or packet.until <= now:
            self._identification = (self._identification + 1) & 0xFFFF
            packet = self._packets[key] = Fragmented(self._identification, now + LIFE_S)
            self._packets.move_to_end(key)
        return packet

    def hold(self, packet: Fragmented, fragment: bytes) -> bool:
        """Let a fragment wait for the first one; false: there is no room."""
        if self._held >= MOST_HELD or len(packet.held) >= MOST_HELD_OF_ONE:
            return False
        packet.held.append(fragment)
        self._held += 1
        return True

    def release(self, packet: Fragmented) -> list[bytes]:
        """Take out what has waited."""
        held, packet.held = packet.held, []
        self._held -= len(held)
        return held

    def expire(self, now: float) -> int:
        """Forget what took too long, and what is too much; give how many fragments waited in vain."""
        lost = 0
        while self._packets:
            key, packet = next(iter(self._packets.items()))
            if packet.until > now and len(self._packets) <= MOST_PACKETS:
                break
            lost += len(self.release(packet))
            del self._packets[key]
        return lost
