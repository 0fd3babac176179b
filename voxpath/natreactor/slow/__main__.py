"""``python -m voxpath.natreactor.slow TABLE``: start the slow path of a table in the network namespace of the caller.

It opens what it needs, leaves its parent, and goes on alone; the parent ends then, with status 0.
"""

import gc
import os
import socket
import sys

from voxpath.core.errors import LocalError
from voxpath.natreactor.slow.address import socket_name
from voxpath.natreactor.slow.device import device_names, open_device
from voxpath.natreactor.slow.loop import MOST_CONNECTIONS, Loop


def main() -> int:
    """Start; give the exit status."""
    try:
        listener = _listen(sys.argv[1])
        loop = _open(sys.argv[1], listener)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    if os.fork():
        # What the loop holds is the child's now.
        os._exit(0)
    _leave()
    # Once more: who connects is told the process that did it last.
    listener.listen(MOST_CONNECTIONS)
    loop.run()
    return 0


def _listen(table: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(socket_name(table))
    except OSError as error:
        raise LocalError(f"the slow path of {table} cannot be reached: {error.strerror}") from None
    listener.listen(MOST_CONNECTIONS)
    return listener


def _open(table: str, listener: socket.socket) -> Loop:
    names = device_names(table)
    devices = open_device(names[0]), open_device(names[1])
    return Loop(devices, frozenset(map(socket.if_nametoindex, names)), listener)


def _leave() -> None:
    """Go on without the parent: in a session of its own, and without its input and output."""
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    # Nothing here makes cycles, and a collection would stop all packets for its time.
    gc.freeze()
    gc.disable()


if __name__ == "__main__":
    sys.exit(main())
