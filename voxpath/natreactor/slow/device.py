"""TUN devices: packets that the kernel routes into one are read here, and what is written comes out of it.

They are persistent: routes that lead there stay right when the process ends, and packets are dropped meanwhile.
"""

import errno
import os
from fcntl import ioctl
from struct import Struct
from typing import Final
from zlib import crc32

from voxpath.core.errors import LocalError

DEVICE: Final = "/dev/net/tun"
MOST_OCTETS: Final = 65536
"""Of one packet: more than the kernel lets a device have as its MTU."""

INSIDE, OUTSIDE = "-in", "-out"
LONGEST_NAME = 15
"""Of an interface."""

_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_REQUEST = Struct("16sH22x")


def device_names(table: str) -> tuple[str, str]:
    """The devices for packets from inside and for those from outside, by the name of the table that they belong to."""
    if len(table) + len(OUTSIDE) > LONGEST_NAME:
        table = f"vx{crc32(table.encode()):08x}"
    return table + INSIDE, table + OUTSIDE


def open_device(name: str) -> int:
    """Open a TUN device, which is made if it is not there; give its descriptor, which does not block.

    :raises LocalError: it cannot be opened; the reason tells what to do.
    """
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LocalError(f"{DEVICE} cannot be opened: {_advised(error)}") from None
    try:
        ioctl(descriptor, _TUNSETIFF, _REQUEST.pack(name.encode(), _IFF_TUN | _IFF_NO_PI))
        ioctl(descriptor, _TUNSETPERSIST, 1)
    except OSError as error:
        os.close(descriptor)
        raise LocalError(f"the device {name} cannot be opened: {_advised(error)}") from None
    return descriptor


def remove_device(descriptor: int) -> None:
    """Close a device for good: it goes away."""
    ioctl(descriptor, _TUNSETPERSIST, 0)
    os.close(descriptor)


def check_device() -> None:
    """See whether there may be TUN devices here; makes none.

    :raises LocalError: no; the reason tells what to do.
    """
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise LocalError(f"{DEVICE} cannot be opened: {_advised(error)}") from None


ADVICE = {
    errno.ENOENT: "load the kernel module tun, or give it to the container",
    errno.ENODEV: "load the kernel module tun",
    errno.EACCES: "root, or a group that may, is needed",
    errno.EPERM: "CAP_NET_ADMIN is needed",
    errno.EBUSY: "another process holds it",
}


def _advised(error: OSError) -> str:
    advice = ADVICE.get(error.errno or 0, "")
    return f"{error.strerror} ({advice})" if advice else str(error.strerror)
