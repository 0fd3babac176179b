"""Checks of phone classes, port blocks and of the roles: what each needs to start and to be of use."""

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

from voxpath.app import values
from voxpath.app.check_addresses import duplicates, listening
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, readable, unwritable, writable_by_all
from voxpath.app.schema import Config, Pool
from voxpath.app.schema_dhcp import PhoneClass
from voxpath.app.unread import as_far_as_read
from voxpath.core.errors import LocalError, RemoteError
from voxpath.manage.control import check_place
from voxpath.megaco.digitmap import DigitMap
from voxpath.megaco.mid import MId
from voxpath.model.address import ANY_HOST, Mac
from voxpath.model.event import printable
from voxpath.model.phone import identity_of

SOCKET_PATH_LIMIT = 107
"""Octets of a UNIX socket's path that Linux takes (unix(7))."""

MID_REMEDY = "write [ADDRESS]:PORT, <DOMAIN> or a device name"
"""What to do about a text that is no message identifier."""

OTHERS = 0o007
"""Permission bits of those who are neither owner nor group."""


def capacity(config: Config, pool: Pool, size: int) -> int:
    """How many blocks of this size the pool has: aligned, and free of reserved ports (decision D18)."""
    first, last = pool.ports
    starts = range(-(-first // size) * size, last + 2 - size, size)
    barred = {port - port % size for port in config.ports.reserved}
    return sum(start not in barred for start in starts)


def check_blocks(config: Config, machine: Machine) -> Iterator[Problem]:
    """Every realm with phones has a block for each class."""
    for place, entry in enumerate(config.classes):
        yield from as_far_as_read(_check_block(config, entry, f"class[{place}]"))


def _check_block(config: Config, entry: PhoneClass, path: str) -> Iterator[Problem]:
    try:
        size = values.block_size(config, entry)
    except ValueError as error:
        yield Problem(f"{path}.lines", str(error), "lower lines or extra")
        return
    if size & (size - 1):
        # What follows from lines is a power of two, and the default block is told of by check_ports.
        if entry.ports:
            yield Problem(f"{path}.ports", f"{size} is no power of two", f"write ports = {1 << size.bit_length()}")
        return
    for realm in sorted({scope.realm for scope in config.scopes}):
        pools = [pool for pool in config.pools if pool.realm == realm and pool.ports[0] <= pool.ports[1]]
        if pools and not any(capacity(config, pool, size) for pool in pools):
            what = f"no pool of realm {realm!r} has a block of {size} ports"
            yield Problem(f"{path}.ports", what, "enlarge a pool: blocks are aligned to their size and free of reserved ports")


def check_ports(config: Config, machine: Machine) -> Iterator[Problem]:
    """The default block is a power of two; a service port has one owner."""
    if config.ports.block & (config.ports.block - 1):
        yield Problem("ports.block", f"{config.ports.block} is no power of two", "write 1, 2, 4 ... 1024")
    todo = "let each port have one owner"
    yield from duplicates("ports.service", "name", config.ports.services, lambda entry: entry.name, todo)
    yield from duplicates("ports.service", "port", config.ports.services, lambda entry: f"{entry.public}:{entry.port}", todo)


def check_dhcp(config: Config, machine: Machine) -> Iterator[Problem]:
    """With scopes there must be somebody to serve."""
    if not (config.dhcp.enabled and config.scopes):
        return
    if not config.dhcp.macs and not config.reservations:
        yield Problem(
            "dhcp.macs",
            "is empty: no phone would get an answer",
            'write for example macs = ["02:00:00:00:00:00-02:00:00:ff:ff:ff"]',
        )
    if not config.classes:
        yield Problem("class", "is missing: no phone would get an answer", "add a [[class]] with the vendor classes of your phones")
    if not machine.root:
        yield Problem("dhcp.enabled", "DHCP needs root, for port 67 and raw sockets", "run as root, or write enabled = false")


def check_thresholds(config: Config, machine: Machine) -> Iterator[Problem]:
    """Thresholds rise: who writes them in another order may mean something else by them."""
    thresholds = config.dhcp.warn_at
    rising = sorted(set(thresholds))
    if list(thresholds) != rising:
        yield Problem("dhcp.warn_at", f"{list(thresholds)} does not rise", f"write warn_at = {rising}")


def check_listening(config: Config, machine: Machine) -> Iterator[Problem]:
    """Two roles cannot share a UDP port, and well-known ports need root."""
    for (before, one), (name, other) in combinations(listening(config), 2):
        if one.port == other.port and (one.host == other.host or ANY_HOST in (one.host, other.host)):
            yield Problem(name, f"{other} is used by {before}", "choose another port")
    for name, local in listening(config):
        if local.port < 1024 and not machine.root:
            yield Problem(name, f"port {local.port} needs root", "run as root, or choose a port from 1024 on")


def check_numbers(config: Config, machine: Machine) -> Iterator[Problem]:
    """Numbers are unique, and a line has one number."""
    todo = "give each number to one line"
    yield from duplicates("number", "number", config.numbers, lambda entry: entry.number, todo)
    yield from duplicates(
        "number", "termination", config.numbers, lambda entry: f"{identity_of(entry.phone)} {entry.termination}", todo
    )
    for place, entry in enumerate(config.numbers):
        if not _is(Mac.parse, entry.phone) and not _is(MId.parse, entry.phone):
            what = f"{printable(entry.phone, 60)!r} is neither an Ethernet address nor a message identifier"
            yield Problem(f"number[{place}].phone", what, MID_REMEDY)


def check_mgc(config: Config, machine: Machine) -> Iterator[Problem]:
    """The controller has a message identifier, and phones can read its digit map."""
    options = config.mgc
    if options.mid and not _is(MId.parse, options.mid):
        yield Problem("mgc.mid", f"{printable(options.mid, 60)!r} is no message identifier", MID_REMEDY)
    if not options.mid and options.enabled and options.listen[0].endpoint.host == ANY_HOST:
        yield Problem("mgc.mid", "cannot be made from 0.0.0.0", 'write for example mid = "<mgc.example>"')
    if options.dial_plan:
        try:
            DigitMap.parse(options.dial_plan)
        except RemoteError as error:
            todo = 'write for example dial_plan = "(xxxx|0x.)", or leave it empty'
            yield Problem("mgc.dial_plan", f"is no digit map: {printable(str(error))}", todo)


def _is(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def check_feeds(config: Config, machine: Machine) -> Iterator[Problem]:
    """Feeds between hosts need certificates that can be read."""
    yield from duplicates("subscriber", "name", config.subscribers, lambda entry: entry.name, "give each its own name")
    yield from duplicates("subscriber", "address", config.subscribers, lambda entry: entry.address, "name each once")
    needed = bool(config.subscribers) or config.subscription.enabled or config.redundancy.role != "off"
    for option, path in (("ca", config.tls.ca), ("certificate", config.tls.certificate), ("key", config.tls.key)):
        if path:
            reason = readable(values.in_state(config, path))
            if reason:
                what = f"{values.in_state(config, path)}: {reason}"
                yield Problem(f"tls.{option}", what, "name a PEM file that this user can read")
        elif needed:
            yield Problem(f"tls.{option}", "is empty, but feeds between hosts use TLS", "name a PEM file")


def check_state(config: Config, machine: Machine) -> Iterator[Problem]:
    """The directory of the database is there, or can be made."""
    reason = unwritable(Path(config.state))
    if reason:
        yield Problem("state", reason, "name a directory that this user can write, or can make")
    elif writable_by_all(Path(config.state)):
        yield Problem("state", f"every user of this machine may write into {config.state}", "write chmod o-w, or name another one")


def check_control(config: Config, machine: Machine) -> Iterator[Problem]:
    """The socket's path fits the kernel's limit, and nobody else may use it."""
    if config.control.mode & OTHERS:
        yield Problem("control.mode", f"{config.control.mode:#o} admits everyone", "write mode = 0o600, or 0o660 for a group")
    path = values.in_state(config, config.control.socket)
    if config.control.enabled and not writable_by_all(Path(config.state)):
        try:
            check_place(path)
        except LocalError as error:
            what, _, todo = str(error).removeprefix("control socket: ").rpartition("; ")
            yield Problem("control.socket", what, todo)
        except (OSError, ValueError):
            # Of a directory that cannot be looked into tells check_state.
            return
    if len(str(path).encode()) > SOCKET_PATH_LIMIT:
        yield Problem("control.socket", f"a socket's path has {SOCKET_PATH_LIMIT} octets at the most", "choose a shorter path")
