"""What the TFTP server tells an operator."""

from typing import ClassVar

from voxpath.model.event import Event, Level


class TftpServed(Event, frozen=True, kw_only=True):
    """A file was read to its end.

    :ivar repeated: messages that had to be sent again: a measure of loss on the way.
    """

    ID: ClassVar[str] = "TFTP_SERVED"
    TEXT: ClassVar[str] = "{client} read {name}: {octets} octets in {blocks} blocks, {repeated} repeated, {duration_s:.3f} s"

    client: str
    name: str
    octets: int
    blocks: int
    repeated: int
    duration_s: float


class TftpRefused(Event, frozen=True, kw_only=True):
    """A request was answered with an error."""

    ID: ClassVar[str] = "TFTP_REFUSED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{client} was refused {name} with error {code}: {reason}"

    client: str
    name: str
    code: int
    reason: str


class TftpDropped(Event, frozen=True, kw_only=True):
    """A request got no answer, since there is no room for one more transfer: its client repeats it, and may find room then."""

    ID: ClassVar[str] = "TFTP_DROPPED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{client} got no answer when it asked for {name}, and has to ask again: {reason}"

    client: str
    name: str
    reason: str


class TftpAborted(Event, frozen=True, kw_only=True):
    """A transfer began and did not come to its end."""

    ID: ClassVar[str] = "TFTP_ABORTED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{client} did not read {name} to its end: block {block} of {blocks}: {reason}"

    client: str
    name: str
    block: int
    blocks: int
    reason: str


class TftpStored(Event, frozen=True, kw_only=True):
    """A phone wrote a file; it was on the disk before its last block was acknowledged.

    :ivar name: where it lies, below the directory of uploads.
    """

    ID: ClassVar[str] = "TFTP_STORED"
    TEXT: ClassVar[str] = "{client} wrote {name}: {octets} octets, {duration_s:.3f} s"

    client: str
    name: str
    octets: int
    duration_s: float


class TftpWriteAborted(Event, frozen=True, kw_only=True):
    """A phone began to write a file and did not come to its end; nothing of it was kept.

    :ivar block: the last block that came.
    """

    ID: ClassVar[str] = "TFTP_WRITE_ABORTED"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{client} did not write {name} to its end: block {block}: {reason}"

    client: str
    name: str
    block: int
    reason: str


class TftpStray(Event, frozen=True, kw_only=True):
    """A packet for a transfer came from a port that is no part of it; it was answered with error 5 (RFC 1350 section 4)."""

    ID: ClassVar[str] = "TFTP_STRAY"
    LEVEL: ClassVar[Level] = Level.WARNING
    TEXT: ClassVar[str] = "{source} sent into the transfer of {client}"

    source: str
    client: str
