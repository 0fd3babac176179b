"""TFTP messages from and to octets (RFC 1350 section 5, RFC 2347)."""

from voxpath.core.cursor import Reader, Writer
from voxpath.core.errors import LocalError, RemoteError
from voxpath.tftp.message import (
    Ack,
    Data,
    Error,
    ErrorCode,
    Message,
    Opcode,
    OptionAck,
    Options,
    ReadRequest,
    Request,
    WriteRequest,
)

LARGEST_REQUEST = 512
"""Octets of a request with its options, RFC 2347."""
LARGEST_BLOCK = 65464
"""Octets of a DATA block, RFC 2348."""
MAX_OPTIONS = 16
HEADER_LENGTH = 4
"""Of a DATA, before its block; an ACK is no longer."""
_DATA = b"\0\x03"
_ACK = b"\0\x04"
_REQUESTS = (b"\0\x01", b"\0\x02")


def parse(octets: bytes) -> Message:
    """Read a message.

    An ERROR that lacks the NUL at its end is taken, since common clients send such.

    :raises RemoteError: it breaks RFC 1350 or RFC 2347; the code is the one to answer with.
    """
    if len(octets) == HEADER_LENGTH and octets[:2] == _ACK:
        # Nearly all that a server receives.
        return Ack(octets[2] << 8 | octets[3])
    reader = Reader(octets)
    try:
        opcode = reader.u16()
        match opcode:
            case Opcode.DATA:
                return Data(reader.u16(), _block(reader))
            case Opcode.ACK:
                raise RemoteError(f"an ACK of {len(octets)} octets", offset=reader.offset)
            case Opcode.RRQ:
                return _request(ReadRequest, reader)
            case Opcode.WRQ:
                return _request(WriteRequest, reader)
            case Opcode.ERROR:
                return Error(reader.u16(), _text(reader.rest().partition(b"\0")[0]))
            case Opcode.OACK:
                return OptionAck(_options(reader))
    except RemoteError as error:
        raise _illegal(error.reason, error.offset) from error
    raise _illegal(f"opcode {opcode} is unknown", 0)


def is_request(octets: bytes) -> bool:
    """Whether a message begins as a request does; it may be malformed all the same."""
    return octets[:2] in _REQUESTS


def write(message: Message) -> bytes:
    """Write a message.

    :raises LocalError: a text holds a NUL, or the message is larger than TFTP can carry.
    """
    if isinstance(message, Data):
        # Nearly all that a server sends.
        if len(message.payload) > LARGEST_BLOCK:
            raise LocalError(f"a block of {len(message.payload)} octets: TFTP carries {LARGEST_BLOCK}")
        return _DATA + message.block.to_bytes(2, "big") + message.payload
    if isinstance(message, Ack):
        return write_ack(message.block)
    writer = Writer(LARGEST_REQUEST)
    match message:
        case ReadRequest(name, mode, options) | WriteRequest(name, mode, options):
            writer.u16(Opcode.RRQ if isinstance(message, ReadRequest) else Opcode.WRQ)
            _put_texts(writer, name, mode, *(text for pair in options for text in pair))
        case Error(code, text):
            writer.u16(Opcode.ERROR)
            writer.u16(code)
            _put_texts(writer, text)
        case OptionAck(options):
            writer.u16(Opcode.OACK)
            _put_texts(writer, *(text for pair in options for text in pair))
    return writer.bytes()


def write_blocks(number: int, octets: bytes | memoryview, size: int) -> bytes:
    """Write the DATA of a piece of a file one behind the other; one that is not of this size, if need be empty, ends them.

    :param number: of the first one, not reduced to 16 bits.
    """
    parts: list[bytes | memoryview] = []
    view = memoryview(octets)
    for block, at in enumerate(range(0, len(octets) + 1, size), number):
        parts += (_DATA + (block & 0xFFFF).to_bytes(2, "big"), view[at : at + size])
    return b"".join(parts)


def write_ack(block: int) -> bytes:
    """Write an ACK."""
    return _ACK + block.to_bytes(2, "big")


def _request(kind: type[ReadRequest] | type[WriteRequest], reader: Reader) -> Request:
    if reader.remaining + 2 > LARGEST_REQUEST:
        raise RemoteError(f"a request of more than {LARGEST_REQUEST} octets", offset=LARGEST_REQUEST)
    name = _text(reader.until(0))
    mode = _text(reader.until(0).lower())
    return kind(name, mode, _options(reader))


def _options(reader: Reader) -> Options:
    pairs: list[tuple[str, str]] = []
    while reader.remaining:
        if len(pairs) == MAX_OPTIONS:
            raise RemoteError(f"more than {MAX_OPTIONS} options", offset=reader.offset)
        pairs.append((_text(reader.until(0)), _text(reader.until(0))))
    return tuple(pairs)


def _block(reader: Reader) -> bytes:
    if reader.remaining > LARGEST_BLOCK:
        raise RemoteError(f"a block of {reader.remaining} octets", offset=HEADER_LENGTH)
    return reader.rest()


def _illegal(reason: str, offset: int) -> RemoteError:
    return RemoteError(reason, offset=offset, code=ErrorCode.ILLEGAL_OPERATION, section="RFC 1350 5")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _put_texts(writer: Writer, *texts: str) -> None:
    for text in texts:
        octets = text.encode("utf-8", "surrogateescape")
        if 0 in octets:
            raise LocalError("a text of a TFTP message holds a NUL")
        writer.add(octets + b"\0")
