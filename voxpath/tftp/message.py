"""TFTP messages: RFC 1350, with the options of RFC 2347 to 2349 and RFC 7440."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple, TypeAlias

from voxpath.model.event import printable

Options: TypeAlias = tuple[tuple[str, str], ...]
"""Options in the order of the wire; names are compared without regard to case (RFC 2347)."""

OCTET = "octet"
NETASCII = "netascii"


class Opcode(IntEnum):
    """RFC 1350 section 5, and RFC 2347 for the last."""

    RRQ = 1
    WRQ = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


class ErrorCode(IntEnum):
    """RFC 1350 appendix I, and RFC 2347 for the last."""

    NOT_DEFINED = 0
    NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TID = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTION_NEGOTIATION = 8


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """RRQ: read a file.

    :ivar name: the file's name; octets that are no UTF-8 are kept as surrogates.
    :ivar mode: the transfer mode in lower case.
    """

    writes: ClassVar[bool] = False
    name: str
    mode: str = OCTET
    options: Options = ()


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """WRQ: write a file."""

    writes: ClassVar[bool] = True
    name: str
    mode: str = OCTET
    options: Options = ()


class Data(NamedTuple):
    """DATA: one block; a short one ends the transfer."""

    block: int
    payload: bytes | memoryview


class Ack(NamedTuple):
    """ACK of a block; block 0 acknowledges an OACK."""

    block: int


@dataclass(frozen=True, slots=True)
class Error:
    """ERROR: ends a transfer; codes that the RFCs do not know are kept."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class OptionAck:
    """OACK: the options that the server accepts (RFC 2347)."""

    options: Options


Request: TypeAlias = ReadRequest | WriteRequest
Message: TypeAlias = Request | Data | Ack | Error | OptionAck


def option(options: Options, name: str) -> str | None:
    """The first value of an option; ``None``: it is not there."""
    return next((value for known, value in options if known.lower() == name), None)


def summary(message: Message) -> str:
    """The message in a few words, safe for a terminal."""
    match message:
        case ReadRequest(name, mode, options) | WriteRequest(name, mode, options):
            words = ["RRQ" if isinstance(message, ReadRequest) else "WRQ", name, mode, *_pairs(options)]
        case Data(block, payload):
            words = [f"DATA {block} ({len(payload)} octets)"]
        case Ack(block):
            words = [f"ACK {block}"]
        case Error(code, text):
            words = [f"ERROR {code}", text]
        case OptionAck(options):
            words = ["OACK", *_pairs(options)]
    return printable(" ".join(words))


def _pairs(options: Options) -> list[str]:
    return [f"{name}={value}" for name, value in options]
