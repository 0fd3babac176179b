"""The messages between an active server and its standby: AMP commands, all of them from the active to the standby.

    active                            standby
      | Hello(name, schema)             |
      |<---------- epoch, generation ---|     how far its copy goes
      | SnapshotBegin                   |     only if the journal does not lead on from there
      | SnapshotRows ...                |
      | SnapshotEnd(epoch, generation)  |
      | Changes(generation ...)         |     one for each commit group; several are under way at once
      |<-------------------------- {} --|     its COMMIT is on the disk
      | Beat(generation)                |
      | FilesBegin, FileOffer, FilePart, FileEnd, FileGone, FilesEnd

An answer acknowledges; a refusal ends the connection, and the next one begins with the standby's position.
"""

from collections.abc import Iterator
from typing import ClassVar

from twisted.protocols import amp

from voxpath.core.errors import RemoteError

VERSION = 2
"""Of these messages; both sides must have the same."""

HEARTBEAT_S = 1.0
"""Each side hears something at least this often."""

QUIET_S = 2 * HEARTBEAT_S
"""A side that is silent for so long may be gone: nobody is told that all is well."""

SILENCE_S = 4 * HEARTBEAT_S
"""A side that is silent for so long is taken for dead."""

PART_OCTETS = 60_000
"""Octets of changes in one message; AMP's values have 65 535 at the most, so a larger group goes in parts."""

GROUP_OCTETS = 32 << 20
"""Octets of one group at the most."""

FILE_PART_OCTETS = 32_000
"""Octets of a file in one message; one message is under way at a time, so that changes never wait behind more than this."""

Arguments = list[tuple[bytes, amp.Argument]]


class Message(amp.Command):
    """What all messages share: the standby may refuse, and then the connection ends."""

    errors: ClassVar[dict[type[Exception], bytes]] = {RemoteError: b"REFUSED"}


class Hello(Message):
    """Who speaks, and in which version of messages and tables."""

    arguments: ClassVar[Arguments] = [(b"name", amp.Unicode()), (b"version", amp.Integer()), (b"schema", amp.Integer())]
    response: ClassVar[Arguments] = [(b"epoch", amp.Unicode()), (b"generation", amp.Integer())]


class Changes(Message):
    """A commit group, or a part of one; the answer to the last part says that the group is durable."""

    arguments: ClassVar[Arguments] = [
        (b"epoch", amp.Unicode()),
        (b"generation", amp.Integer()),
        (b"changes", amp.String()),
        (b"more", amp.Boolean()),
    ]


class SnapshotBegin(Message):
    """All rows follow; those that the standby has stay until the end."""


class SnapshotRows(Message):
    """Rows of one table, or a part of them."""

    arguments: ClassVar[Arguments] = [(b"table", amp.Unicode()), (b"rows", amp.String()), (b"more", amp.Boolean())]


class SnapshotEnd(Message):
    """The position that the rows belong to; the answer says that they are durable."""

    arguments: ClassVar[Arguments] = [(b"epoch", amp.Unicode()), (b"generation", amp.Integer())]


class Beat(Message):
    """A heartbeat, with the active's generation."""

    arguments: ClassVar[Arguments] = [(b"generation", amp.Integer())]


class FileMessage(Message):
    """What all messages about files share: a disk that is full is no reason to end the connection that leases go over.

    ``trouble`` of the answer tells what was wrong; empty: nothing.
    """

    response: ClassVar[Arguments] = [(b"trouble", amp.Unicode())]


class FilesBegin(FileMessage):
    """The files of one directory follow: all of them, or what has changed since they were equal on this connection."""

    arguments: ClassVar[Arguments] = [(b"directory", amp.Unicode()), (b"anew", amp.Boolean())]


class FileOffer(FileMessage):
    """A file of the directory; the answer says whether its content is wanted."""

    arguments: ClassVar[Arguments] = [
        (b"path", amp.Unicode()),
        (b"size", amp.Integer()),
        (b"digest", amp.String()),
        (b"private", amp.Boolean()),
        (b"modified_ns", amp.Integer()),
    ]
    response: ClassVar[Arguments] = [(b"trouble", amp.Unicode()), (b"wanted", amp.Boolean())]


class FilePart(FileMessage):
    """The next octets of the file that is wanted."""

    arguments: ClassVar[Arguments] = [(b"octets", amp.String())]


class FileEnd(FileMessage):
    """That was all of it; the answer says that it has its digest and stands in its place."""


class FileGone(FileMessage):
    """A file that was offered before is no longer there."""

    arguments: ClassVar[Arguments] = [(b"path", amp.Unicode())]


class FilesEnd(FileMessage):
    """No further file: whatever was not offered is removed."""

    response: ClassVar[Arguments] = [(b"trouble", amp.Unicode()), (b"removed", amp.Integer())]


def pieces(octets: bytes) -> Iterator[tuple[bytes, bool]]:
    """Cut octets into what one message can carry, each with whether more of them follow; at least one piece, also of nothing."""
    for first in range(0, max(len(octets), 1), PART_OCTETS):
        yield octets[first : first + PART_OCTETS], first + PART_OCTETS < len(octets)


def silence(seconds: float) -> str:
    """How a connection stands over which nothing has come for so long; empty: as it should."""
    return f"connected, but silent for {seconds:.0f} s" if seconds >= QUIET_S else ""
