"""One process for each kernel table: a second one would put its own mappings in the place of all that the first one made."""

import errno
import socket

from voxpath.core.errors import LocalError


def claim(table: str) -> socket.socket:
    """Claim a table's name until the socket is closed, at the latest by the end of the process.

    The name is an abstract UNIX address: the kernel keeps these for each network namespace, as it keeps the tables.

    :raises LocalError: another process has claimed it.
    """
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claimed.bind(_name(table))
    except OSError as error:
        claimed.close()
        if error.errno == errno.EADDRINUSE:
            raise LocalError(f"another process keeps the kernel table {table}: stop it, or name another nat.table") from None
        raise LocalError(f"the kernel table {table} cannot be claimed: {error.strerror}") from None
    return claimed


def is_claimed(table: str) -> bool:
    """Whether a process keeps this table."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(_name(table))
        except ConnectionRefusedError:
            return False
    return True


def _name(table: str) -> str:
    return f"\0voxpath-nat-{table}"
