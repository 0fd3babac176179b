"""What goes over the control socket: one JSON object a line, a request one way and a reply the other."""

from typing import Any

import msgspec
from msgspec import Struct

from voxpath.core.errors import RemoteError
from voxpath.manage.entry import Entry
from voxpath.model.event import printable

REQUEST_LIMIT = 4096
"""Octets of one request, its end of line not counted."""

REPLY_LIMIT = 64 * 1024 * 1024
"""Octets of one reply."""

ROWS_LIMIT = 100_000
"""Rows of one reply; more are left off, and the reply says how many."""

ARGUMENTS_LIMIT = 8
"""Arguments of one request."""


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """A verb and its arguments."""

    verb: str
    arguments: tuple[str, ...] = ()


class Reply(Struct, frozen=True):
    """The answer.

    :ivar error: empty, or in one line what is wrong and what to do; then there is nothing else.
    :ivar columns: names of the columns, in order.
    :ivar rows: rows by column.
    :ivar entries: records, for verbs whose answers are merged by time.
    :ivar left_off: rows beyond :data:`ROWS_LIMIT`.
    :ivar note: a line beside the rows.
    :ivar about: whom the records are about, if it is one phone.
    :ivar text: a text that is shown as it is, in place of the rows.
    """

    error: str = ""
    columns: list[str] = []
    rows: list[dict[str, Any]] = []
    entries: list[Entry] = []
    left_off: int = 0
    note: str = ""
    about: str = ""
    text: str = ""


_request = msgspec.json.Decoder(Request)
_reply = msgspec.json.Decoder(Reply)


def parse_request(line: bytes) -> Request:
    """Read a request; raise :class:`RemoteError` for anything else."""
    try:
        request = _request.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteError(f"no request: {printable(str(error))}") from None
    if len(request.arguments) > ARGUMENTS_LIMIT:
        raise RemoteError(f"a request has {ARGUMENTS_LIMIT} arguments at the most")
    return request


def parse_reply(line: bytes) -> Reply:
    """Read a reply; raise :class:`RemoteError` for anything else."""
    try:
        return _reply.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteError(f"no reply: {printable(str(error))}") from None


def print_line(message: Request | Reply) -> bytes:
    """Print a request or a reply, with its end of line."""
    return msgspec.json.encode(message) + b"\n"
