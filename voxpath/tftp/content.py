"""What a transfer sends: octets that are read piece by piece, so that many transfers share one large file."""

from typing import Protocol

from voxpath.core.errors import VoxpathError
from voxpath.tftp import netascii

PIECE_OCTETS = 1 << 16
"""Octets that a transfer reads at once, unless its window is larger."""


class ContentLost(VoxpathError):
    """A file cannot be read to its end: the disk failed, or somebody changed it meanwhile; :ivar reason: why, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Content(Protocol):
    """Octets of a known size."""

    @property
    def size(self) -> int:
        """How many octets."""

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """The octets from ``offset`` on, fewer than ``length`` only at the end; raise :class:`ContentLost`.

        Offsets never go back below an earlier one: what lies before it has arrived.
        """


class Octets:
    """Content that is in memory, such as a file that was rendered for one phone."""

    def __init__(self, octets: bytes) -> None:
        self.size = len(octets)
        self._view = memoryview(octets)

    def read(self, offset: int, length: int) -> memoryview:
        """A view of them, without a copy."""
        return self._view[offset : offset + length]


class Netascii:
    """Another content in its netascii form, made as it is read: a large file costs no more at once than a small one.

    :ivar size: octets of the plain form; the netascii form is at least that long.
    """

    def __init__(self, plain: Content) -> None:
        self.size = plain.size
        self._plain = plain
        self._taken = 0
        self._made = bytearray()
        self._made_from = 0

    def read(self, offset: int, length: int) -> bytes:
        """The octets from ``offset`` on; those before it are forgotten."""
        made = self._made
        del made[: offset - self._made_from]
        self._made_from = offset
        while len(made) < length and self._taken < self._plain.size:
            piece = self._plain.read(self._taken, PIECE_OCTETS)
            self._taken += len(piece)
            made += netascii.encode(bytes(piece))
        return bytes(memoryview(made)[:length])
