"""What the two sides of a transfer agree on (RFC 2347): block size (2348), timeout and size (2349), window size (7440)."""

from dataclasses import dataclass

from voxpath.core.errors import RemoteError
from voxpath.tftp.message import NETASCII, ErrorCode, Options, ReadRequest, Request, WriteRequest, option
from voxpath.tftp.wire import LARGEST_BLOCK

BLOCK_SIZE = "blksize"
TIMEOUT = "timeout"
TRANSFER_SIZE = "tsize"
WINDOW_SIZE = "windowsize"

DEFAULT_BLOCK = 512
SMALLEST_BLOCK = 8
DEFAULT_LARGEST_BLOCK = 1468
"""What fits into an Ethernet frame with IP, UDP and TFTP headers."""
DEFAULT_LARGEST_WINDOW = 16
LARGEST_WINDOW = 64
"""Blocks of a window: more would only be lost together."""
WINDOW_OCTETS = 1 << 18
"""Octets of a window: what a transfer keeps at hand, to send again."""
SHORTEST_TIMEOUT_S = 1
LONGEST_TIMEOUT_S = 255
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Agreed:
    """The terms of a transfer.

    :ivar timeout_s: the fixed retransmission interval; ``None``: the sender's own choice.
    :ivar size: octets of the file, if one side told.
    :ivar answer: the options for the OACK; empty: no OACK, the first message is DATA 1 or ACK 0.
    :ivar window: blocks between two ACKs.
    """

    block_size: int = DEFAULT_BLOCK
    timeout_s: int | None = None
    size: int | None = None
    answer: Options = ()
    window: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server agrees to at the most: octets of a block, blocks of a window."""

    block: int = DEFAULT_LARGEST_BLOCK
    window: int = DEFAULT_LARGEST_WINDOW


def answer_options(request: Request, size: int, limits: Limits) -> Agreed:
    """Decide on the options of a request (the server's side).

    Unknown options and values out of range are left out of the answer, which refuses them (RFC 2347).
    A reader is told the size of the file, a writer the size that it told.
    In netascii mode a reader is not told: the size on the wire is not the file's.

    :param size: octets of the file that is read; of no use for a write.
    :raises RemoteError: with code 8: a value is no number, or a block size below 8 octets, for which no lower one exists.
    """
    answer: list[tuple[str, str]] = []
    block_size, timeout_s, window = DEFAULT_BLOCK, None, 1
    wanted = _number(request.options, BLOCK_SIZE)
    if wanted is not None:
        if wanted < SMALLEST_BLOCK:
            raise _refused(f"a block size of {wanted} octets", "RFC 2348")
        block_size = min(wanted, limits.block, LARGEST_BLOCK)
        answer.append((BLOCK_SIZE, str(block_size)))
    wanted = _number(request.options, TIMEOUT)
    if wanted is not None and SHORTEST_TIMEOUT_S <= wanted <= LONGEST_TIMEOUT_S:
        timeout_s = wanted
        answer.append((TIMEOUT, str(wanted)))
    wanted = announced = _number(request.options, TRANSFER_SIZE)
    if isinstance(request, WriteRequest):
        size = announced or 0
    if wanted is not None and (request.mode != NETASCII or isinstance(request, WriteRequest)):
        answer.append((TRANSFER_SIZE, str(size)))
    wanted = _number(request.options, WINDOW_SIZE)
    if wanted:
        window = max(1, min(wanted, limits.window, LARGEST_WINDOW, WINDOW_OCTETS // block_size))
        answer.append((WINDOW_SIZE, str(window)))
    return Agreed(block_size, timeout_s, size, tuple(answer), window)


def accept_options(request: ReadRequest, answered: Options) -> Agreed:
    """Check an OACK against the request (the client's side).

    :raises RemoteError: with code 8: it names what was not asked for, or a value beyond the one asked for (RFC 2347 to 2349, 7440).
    """
    for name, _ in answered:
        if option(request.options, name.lower()) is None:
            raise _refused("an option that was not asked for", "RFC 2347")
    block_size = _number(answered, BLOCK_SIZE)
    asked = _number(request.options, BLOCK_SIZE)
    if block_size is not None and not SMALLEST_BLOCK <= block_size <= (asked or 0):
        raise _refused(f"a block size of {block_size} octets where {asked} was asked for", "RFC 2348")
    timeout_s = _number(answered, TIMEOUT)
    if timeout_s != _number(request.options, TIMEOUT) and timeout_s is not None:
        raise _refused(f"a timeout of {timeout_s} s was not asked for", "RFC 2349")
    window, asked = _number(answered, WINDOW_SIZE), _number(request.options, WINDOW_SIZE)
    if window is not None and not 1 <= window <= (asked or 0):
        raise _refused(f"a window of {window} blocks where {asked} was asked for", "RFC 7440")
    size = _number(answered, TRANSFER_SIZE)
    return Agreed(DEFAULT_BLOCK if block_size is None else block_size, timeout_s, size, answered, window or 1)


def _number(options: Options, name: str) -> int | None:
    text = option(options, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise _refused(f"the value of {name} is no number", "RFC 2347")
    return int(text)


def _refused(reason: str, section: str) -> RemoteError:
    return RemoteError(reason, code=ErrorCode.OPTION_NEGOTIATION, section=section)
