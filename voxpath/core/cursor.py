"""Reading and writing octets with bounds: no read beyond the end, no message beyond its limit."""

from collections.abc import Iterator
from contextlib import contextmanager

from voxpath.core.errors import LocalError, RemoteError


class Reader:
    """A bounded cursor over octets, big-endian; every read beyond the end raises :class:`RemoteError` with its offset."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes | memoryview, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._position = start
        self._end = len(data) if end is None else end

    @property
    def offset(self) -> int:
        """Where the next read begins."""
        return self._position

    @property
    def remaining(self) -> int:
        """How many octets are left."""
        return self._end - self._position

    def take(self, count: int) -> bytes:
        """Read that many octets."""
        position = self._position
        end = position + count
        if count < 0 or end > self._end:
            raise RemoteError(f"{count} octets wanted, {self._end - position} left", offset=position)
        self._position = end
        return bytes(self._data[position:end])

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(self.remaining)

    def u8(self) -> int:
        """Read one octet."""
        position = self._position
        if position >= self._end:
            raise RemoteError("1 octet wanted, 0 left", offset=position)
        self._position = position + 1
        return self._data[position]

    def u16(self) -> int:
        """Read two octets."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Read four octets."""
        return int.from_bytes(self.take(4), "big")

    def until(self, octet: int) -> bytes:
        """Read up to the given octet, and step over it."""
        position = self._position
        while position < self._end and self._data[position] != octet:
            position += 1
        if position >= self._end:
            raise RemoteError(f"octet {octet} is missing", offset=self._position)
        found = bytes(self._data[self._position : position])
        self._position = position + 1
        return found

    @contextmanager
    def within(self, count: int) -> Iterator["Reader"]:
        """Restrict reading to the next ``count`` octets; it is an error to leave any of them unread."""
        start = self._position
        if count > self.remaining:
            raise RemoteError(f"a part of {count} octets is announced, {self.remaining} are left", offset=start)
        part = Reader(self._data, start, start + count)
        yield part
        if part.remaining:
            raise RemoteError(f"{part.remaining} octets too many", offset=part.offset)
        self._position = start + count


class Writer:
    """Collects octets up to a limit; going beyond it is our own error, never a silent cut."""

    __slots__ = ("_data", "_limit")

    def __init__(self, limit: int) -> None:
        self._data = bytearray()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._data)

    def add(self, octets: bytes) -> None:
        """Append octets."""
        if len(self._data) + len(octets) > self._limit:
            raise LocalError(f"a message of more than {self._limit} octets")
        self._data += octets

    def u8(self, value: int) -> None:
        """Append one octet."""
        self.add(value.to_bytes(1, "big"))

    def u16(self, value: int) -> None:
        """Append two octets."""
        self.add(value.to_bytes(2, "big"))

    def u32(self, value: int) -> None:
        """Append four octets."""
        self.add(value.to_bytes(4, "big"))

    def bytes(self) -> bytes:
        """All that was written."""
        return bytes(self._data)
