"""Asking a running process over its control socket: one blocking question, for the command line and for scripts."""

import socket
from collections.abc import Sequence

from voxpath.core.errors import LocalError, RemoteError
from voxpath.manage.wire import REPLY_LIMIT, REQUEST_LIMIT, Reply, Request, parse_reply, print_line

TIMEOUT_S = 10.0
"""How long the whole answer may be silent."""

CHUNK = 65536


class NoServer(LocalError):
    """Nobody answers on the socket."""


class Refused(LocalError):
    """The process answered that it cannot carry out the command."""


def ask(path: str, verb: str, arguments: Sequence[str] = (), timeout_s: float = TIMEOUT_S) -> Reply:
    """Carry out one command; raise :class:`NoServer` or :class:`Refused`."""
    try:
        line = print_line(Request(verb, tuple(arguments)))
    except UnicodeEncodeError:
        raise Refused(f"{verb}: an argument holds octets that are no text; write it in UTF-8") from None
    if len(line) > REQUEST_LIMIT + 1:
        raise Refused(f"{verb}: the arguments are too long; shorten them")
    try:
        reply = parse_reply(_exchange(path, line, timeout_s))
    except PermissionError as error:
        raise NoServer(f"{path}: {error.strerror}; run it by sudo, or let others in by control.mode") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NoServer(f"{path}: {reason}; start voxpath, or name its control socket by --socket") from None
    except RemoteError as error:
        raise NoServer(f"{path}: {error}; name the control socket of a voxpath of this version by --socket") from None
    if reply.error:
        raise Refused(reply.error)
    return reply


def _exchange(path: str, line: bytes, timeout_s: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(path)
        connection.sendall(line)
        chunks: list[bytes] = []
        octets = 0
        while octets <= REPLY_LIMIT:
            chunk = connection.recv(CHUNK)
            chunks.append(chunk)
            octets += len(chunk)
            if not chunk or chunk.endswith(b"\n"):
                return b"".join(chunks)
    raise RemoteError(f"more than {REPLY_LIMIT} octets")
