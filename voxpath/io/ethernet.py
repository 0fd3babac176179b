"""Ethernet frames with 802.1Q tags, to and from octets (IEEE 802.1Q-2018 clause 9; ADR-3)."""

import struct
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.model.address import MAC_LENGTH

IPV4 = 0x0800
CUSTOMER_TAG, SERVICE_TAG = 0x8100, 0x88A8
"""What announces a tag: 802.1Q, and the outer one of a provider's network (802.1ad)."""

MAX_TAGS = 2
"""An outer and an inner one; frames with more are refused."""

_ADDRESSES = 2 * MAC_LENGTH


class Tag(NamedTuple):
    """One 802.1Q tag.

    :ivar vid: the VLAN, 12 bits; 0: the frame has a priority and no VLAN.
    :ivar priority: the priority code point, 0 to 7 (802.1p).
    :ivar droppable: the drop eligible indicator.
    :ivar kind: what announces it.
    """

    vid: int
    priority: int = 0
    droppable: bool = False
    kind: int = CUSTOMER_TAG

    @property
    def octets(self) -> bytes:
        """As it stands in a frame."""
        return struct.pack("!HH", self.kind, self.priority << 13 | self.droppable << 12 | self.vid)


def tag_of(control: int, kind: int = CUSTOMER_TAG) -> Tag:
    """A tag from its 16 bits of control information."""
    return Tag(control & 0xFFF, control >> 13, bool(control & 0x1000), kind)


class Frame(NamedTuple):
    """An Ethernet frame without its check sequence.

    :ivar tags: the outer one first; empty: it is not tagged.
    :ivar kind: what its payload is (EtherType).
    """

    destination: bytes
    source: bytes
    tags: tuple[Tag, ...]
    kind: int
    payload: bytes

    @property
    def octets(self) -> bytes:
        """The frame as it goes out."""
        tags = b"".join(tag.octets for tag in self.tags)
        return self.destination + self.source + tags + self.kind.to_bytes(2, "big") + self.payload


def read_frame(octets: bytes, stripped: Tag | None = None) -> Frame:
    """Read a frame.

    :param stripped: the outermost tag, where the kernel took it off (``PACKET_AUXDATA``).
    :raises RemoteError: it is cut off, or has too many tags.
    """
    tags = [] if stripped is None else [stripped]
    at = _ADDRESSES
    while True:
        if len(octets) < at + 2:
            raise RemoteError(f"an Ethernet frame of {len(octets)} octets", offset=len(octets), section="IEEE 802.3 clause 3")
        kind = int.from_bytes(octets[at : at + 2], "big")
        if kind not in (CUSTOMER_TAG, SERVICE_TAG):
            return Frame(octets[:MAC_LENGTH], octets[MAC_LENGTH:_ADDRESSES], tuple(tags), kind, octets[at + 2 :])
        if len(octets) < at + 4:
            raise RemoteError("a tag without its control information", offset=len(octets), section="IEEE 802.1Q clause 9.6")
        if len(tags) == MAX_TAGS:
            raise RemoteError(f"more than {MAX_TAGS} tags", offset=at, section="IEEE 802.1Q clause 9.5")
        tags.append(tag_of(int.from_bytes(octets[at + 2 : at + 4], "big"), kind))
        at += 4
