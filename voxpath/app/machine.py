"""What a configuration is checked against: facts of the machine that it is to run on."""

import hashlib
import os
import socket
import stat
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
DEFAULT_EPHEMERAL = (32768, 60999)


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of the machine.

    :ivar root: whether this process may open raw sockets and change the NAT.
    :ivar interfaces: names of the network interfaces of this network namespace.
    :ivar addresses: those of the pools' addresses that are the machine's own: the gateway keeps its outgoing ports from phones.
    :ivar ephemeral: first and last port that the kernel gives to the machine's own outgoing connections.
    :ivar foreign: those of the addresses that roles are to use that are not the machine's own.
    :ivar hashes: the hash functions that its cryptographic library has.
    :ivar mistaken: those of the addresses at which another host is looked for that are the machine's own.
    """

    root: bool
    interfaces: frozenset[str]
    addresses: frozenset[IPv4Address]
    ephemeral: tuple[int, int] = DEFAULT_EPHEMERAL
    foreign: frozenset[IPv4Address] = frozenset()
    hashes: frozenset[str] = frozenset(hashlib.algorithms_available)
    mistaken: frozenset[IPv4Address] = frozenset()


def look(
    public: frozenset[IPv4Address], used: frozenset[IPv4Address] = frozenset(), others: frozenset[IPv4Address] = frozenset()
) -> Machine:
    """Look at this machine.

    :param public: the pools' addresses, which may be its own.
    :param used: addresses that have to be its own, since roles use them.
    :param others: addresses that must not be its own, since another host is looked for there.
    """
    interfaces = frozenset(name for _, name in socket.if_nameindex())
    own = frozenset(filter(_own, public | used | others))
    return Machine(os.geteuid() == 0, interfaces, own & public, _ephemeral(), used - own, mistaken=own & others)


def readable(path: Path) -> str:
    """Tell why a file cannot be read; empty when it can."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        return _reason(error)
    return ""


def unwritable(path: Path) -> str:
    """Tell why a directory cannot be made or written; empty when it can."""
    for near in (path, *path.parents):
        try:
            near.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            return _reason(error)
        if not near.is_dir():
            return f"{near} is not a directory"
        return "" if os.access(near, os.W_OK | os.X_OK) else f"{near} cannot be written by this user"
    return "no directory above it exists"


def disk_octets(path: Path) -> int:
    """What this user could write to the disk of a path if it were empty; the path need not be there yet; 0: nobody knows."""
    for near in (path, *path.parents):
        try:
            disk = os.statvfs(near)
        except (OSError, ValueError):
            continue
        # What is free and yet not available is kept for root.
        return max(0, disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize
    return 0


def writable_by_all(directory: Path) -> bool:
    """Whether every user of this machine may write into a directory; no if it is not there."""
    try:
        return bool(directory.stat().st_mode & stat.S_IWOTH)
    except (OSError, ValueError):
        return False


def _reason(error: OSError | ValueError) -> str:
    """A path with a null character is a :class:`ValueError`."""
    return (error.strerror if isinstance(error, OSError) else None) or "is no path of a file"


def _own(address: IPv4Address) -> bool:
    """Whether the address is the machine's own.

    Linux lets a socket be bound to group and broadcast addresses, too, but not be connected to a broadcast address unasked.
    """
    if address.is_multicast:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
            probe.connect(probe.getsockname())
        except OSError:
            return False
    return True


def _ephemeral() -> tuple[int, int]:
    try:
        first, last = EPHEMERAL.read_text(encoding="ascii").split()
        return int(first), int(last)
    except (OSError, ValueError):
        return DEFAULT_EPHEMERAL
