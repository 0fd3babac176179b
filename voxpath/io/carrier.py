"""Whether an interface can carry anything: the flags that the kernel shows of it (netdevice(7)).

They are asked for over a socket, which belongs to the network namespace of this process; ``/sys`` shows that of whoever mounted it.
"""

import errno
import fcntl
import socket
import struct
from enum import Enum
from typing import Final

SIOCGIFFLAGS: Final = 0x8913
"""From linux/sockios.h."""
IFF_UP: Final = 0x1
IFF_RUNNING: Final = 0x40
"""Up, and with a carrier: a cable, for a bridge a port that has one, for a VLAN a lower interface that has one."""
_IFREQ = struct.Struct("16sH22x")


class LinkState(Enum):
    """What an interface is at the moment, in words."""

    RUNNING = "running"
    DOWN = "down"
    NO_CARRIER = "without carrier"
    GONE = "gone"


def link_state(interface: str) -> LinkState:
    """Look at an interface, in this process's network namespace; raise :class:`OSError` when the kernel does not tell."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, SIOCGIFFLAGS, _IFREQ.pack(interface.encode(), 0))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return LinkState.GONE
            raise
    flags = _IFREQ.unpack(answer)[1]
    if not flags & IFF_UP:
        return LinkState.DOWN
    return LinkState.RUNNING if flags & IFF_RUNNING else LinkState.NO_CARRIER
