"""Where the slow path is spoken to: an abstract UNIX address, which the kernel keeps for each network namespace."""

import os
import socket
from struct import Struct

ROOT = 0

_CREDENTIALS = Struct("3i")


def socket_name(table: str) -> str:
    """The address of the process that belongs to a table."""
    return f"\0voxpath-slow-{table}"


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """The process at the other end, and its user."""
    octets = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(octets)
    return int(process), int(user)


def is_trusted(user: int) -> bool:
    """Whether a user's process may be spoken to: our own, or root."""
    return user in (ROOT, os.geteuid())
