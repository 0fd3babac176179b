"""What voxpath and the slow path say to each other over a UNIX socket: a request, and one answer.

A frame is a length of four octets and a msgpack value; addresses and blocks are numbers.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from struct import Struct as Layout
from typing import Final, TypeVar

from msgspec import DecodeError, Struct, ValidationError, msgpack

import voxpath
from voxpath.core.errors import RemoteError
from voxpath.model.ports import Mapping, PortBlock
from voxpath.nappt.pinhole import Pinhole
from voxpath.nappt.pool import PoolPorts

VERSION: Final = f"1 of {voxpath.__version__}"
"""Of the messages, and of the translation: a process of another one is ended, and started again."""

MOST_OCTETS: Final = 32 * 1024 * 1024
"""Of one frame: twice what a full table takes."""

LENGTH = Layout("!I")

Row = tuple[int, int, int, int]
"""A mapping: inside address, public address, first port, size."""


class Plan(Struct, frozen=True, array_like=True):
    """What a table is made for.

    :ivar private: inside prefixes as text.
    :ivar public: public addresses as numbers.
    :ivar services: public address and port of each service of the gateway itself.
    :ivar call_aware: whether pinholes let peers in, and nothing else (FWL-4).
    :ivar trusted: addresses that need none.
    :ivar watched: names of the inside and of the outside interfaces, if packets whose TTL ends there are counted here, since the
        kernel discards them before it gives them to this process.
    :ivar pool: of the ordinary NAPT for what phones send from outside their blocks (NAP-15); ``None``: that is dropped.
    :ivar mss: octets of a TCP segment that may be announced at the most; 0: any.
    :ivar copied: whether packets come as copies of netfilter's, which forbids to cut them; the reserved flag tells then that they
        may be cut.
    """

    private: tuple[str, ...] = ()
    public: tuple[int, ...] = ()
    services: tuple[tuple[int, int], ...] = ()
    block_size: int = 1
    call_aware: bool = False
    trusted: tuple[int, ...] = ()
    watched: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    pool: PoolPorts | None = None
    mss: int = 0
    copied: bool = False


class Ask(Struct, frozen=True, tag=True, array_like=True):
    """What does the process hold? The answer is :class:`Kept`."""


class Configure(Struct, frozen=True, tag=True, array_like=True):
    """Begin a new table, in one step."""

    plan: Plan
    generation: int
    rows: tuple[Row, ...]
    pinholes: tuple[Pinhole, ...]


class Apply(Struct, frozen=True, tag=True, array_like=True):
    """Apply a transaction."""

    generation: int
    add: tuple[Row, ...]
    remove: tuple[Row, ...]


class ReplaceAll(Struct, frozen=True, tag=True, array_like=True):
    """Make the table equal to these rows."""

    generation: int
    rows: tuple[Row, ...]


class Admit(Struct, frozen=True, tag=True, array_like=True):
    """Open and close pinholes."""

    open: tuple[Pinhole, ...]
    close: tuple[Pinhole, ...]


class Look(Struct, frozen=True, tag=True, array_like=True):
    """What was dropped? The answer is :class:`Seen`; packets that came before the question have been dealt with.

    :ivar take: empty the list of offenders.
    """

    take: bool


class Count(Struct, frozen=True, tag=True, array_like=True):
    """What went through for the phone with this inside address? The answer is :class:`Counted`."""

    private: int


class End(Struct, frozen=True, tag=True, array_like=True):
    """End the process, and take its devices away."""


Request = Ask | Configure | Apply | ReplaceAll | Admit | Look | Count | End


class Done(Struct, frozen=True, tag=True, array_like=True):
    """It was done."""


class Refused(Struct, frozen=True, tag=True, array_like=True):
    """It was not done, and nothing was changed."""

    reason: str


class Kept(Struct, frozen=True, tag=True, array_like=True):
    """What the process holds."""

    version: str
    plan: Plan
    generation: int
    rows: tuple[Row, ...]
    pinholes: tuple[Pinhole, ...]


class Offender(Struct, frozen=True, array_like=True):
    """Who sent what was dropped; address and port are 0 where too many offended to tell them apart."""

    reason: str
    address: int
    port: int
    packets: int


class Seen(Struct, frozen=True, tag=True, array_like=True):
    """Packets that were dropped.

    :ivar drops: by reason, since the process began.
    :ivar offenders: since they were taken the last time.
    :ivar faults: packets that made the translation fail, which is a fault of voxpath.
    :ivar fault: what happened with the last one.
    """

    drops: dict[str, int]
    offenders: tuple[Offender, ...]
    faults: int
    fault: str


class Counted(Struct, frozen=True, tag=True, array_like=True):
    """Packets and octets of a phone, and its drops by reason."""

    out_packets: int = 0
    out_octets: int = 0
    in_packets: int = 0
    in_octets: int = 0
    out_drops: dict[str, int] = {}
    in_drops: dict[str, int] = {}


Answer = Done | Refused | Kept | Seen | Counted

Frame = TypeVar("Frame")

_encoder = msgpack.Encoder()
requests: msgpack.Decoder[Request] = msgpack.Decoder(Request)
answers: msgpack.Decoder[Answer] = msgpack.Decoder(Answer)


def framed(message: Request | Answer) -> bytes:
    """A message as it is sent."""
    octets = _encoder.encode(message)
    return LENGTH.pack(len(octets)) + octets


def take(buffer: bytearray, decoder: "msgpack.Decoder[Frame]") -> Frame | None:
    """Take the first message out of what has come; ``None``: it has not come as a whole.

    :raises RemoteError: it is none of these messages, or too long.
    """
    if len(buffer) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack_from(buffer)
    if length > MOST_OCTETS:
        raise RemoteError(f"a frame of {length} octets is too long")
    end = LENGTH.size + length
    if len(buffer) < end:
        return None
    octets = bytes(buffer[LENGTH.size : end])
    del buffer[:end]
    try:
        return decoder.decode(octets)
    except (ValidationError, DecodeError, UnicodeDecodeError) as error:  # the last one: a tag whose octets are no text
        raise RemoteError(f"this is no message of the slow path: {error}") from None


def rows_of(mappings: Iterable[Mapping]) -> tuple[Row, ...]:
    """Mappings in numbers."""
    return tuple((int(private), int(block.public), block.first, block.size) for private, block in mappings)


def mappings_of(rows: Iterable[Row]) -> tuple[Mapping, ...]:
    """The mappings of some rows.

    :raises ValueError: there are no such addresses or blocks.
    """
    return tuple(
        Mapping(IPv4Address(private), PortBlock(IPv4Address(public), first, size)) for private, public, first, size in rows
    )
