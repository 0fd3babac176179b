"""What can be wrong with the file server's ports and drop boxes."""

from collections.abc import Iterator
from pathlib import Path

from voxpath.app import values
from voxpath.app.check_addresses import listening
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, disk_octets, unwritable
from voxpath.app.schema import Config
from voxpath.model.address import ANY_HOST, Endpoint

PORT = 69
"""Where phones ask for files; no option of DHCP can tell them another port."""


def check_tftp(config: Config, machine: Machine) -> Iterator[Problem]:
    """Transfers have ports of their own, and no phone reads what another one wrote, or a template."""
    if config.tftp.enabled:
        yield from _data_ports(config, machine)
        yield from _apart(config)
        yield from _uploads(config)


def _data_ports(config: Config, machine: Machine) -> Iterator[Problem]:
    if not config.tftp.data_ports:
        return
    first, last = config.tftp.data_ports[0], config.tftp.data_ports[-1]
    where = "tftp.data_ports"
    if len(config.tftp.data_ports) == 1:
        yield Problem(where, "names one port", f"write the first and the last: [{first}, {first + 999}]")
    if config.tftp.single_port:
        yield Problem(where, "is set, but single_port needs no further ports", "remove one of the two")
    if last < first:
        yield Problem(where, f"{last} comes before {first}", f"write [{last}, {first}]")
    if first < 1024 and not machine.root:
        yield Problem(where, f"port {first} needs root", "run as root, or choose ports from 1024 on")
    for name, local in listening(config):
        if first <= local.port <= last:
            yield Problem(where, f"holds port {local.port} of {name}", "choose ports where nothing listens")


def _apart(config: Config) -> Iterator[Problem]:
    options = config.tftp
    images = _resolved(values.in_state(config, options.root))
    for key, told, why in (("uploads", options.uploads, "what is written"), ("templates", options.templates, "templates")):
        path = _resolved(values.in_state(config, told))
        if told and (_is_within(path, images) or _is_within(images, path)):
            yield Problem(f"tftp.{key}", f"{path} and tftp.root lie in each other: {why} could be read", "choose one beside it")


def _uploads(config: Config) -> Iterator[Problem]:
    options, where = config.tftp, "tftp.uploads"
    if not options.uploads:
        return
    uploads = _resolved(values.in_state(config, options.uploads))
    reason = unwritable(uploads)
    if reason:
        yield Problem(where, reason, "name a directory that this user can write, or can make")
    if options.upload_quota < options.upload_octets:
        yield Problem("tftp.upload_quota", "is less than tftp.upload_octets: no file could be that large", "enlarge it")
    if options.upload_total < options.upload_quota:
        yield Problem("tftp.upload_total", "is less than tftp.upload_quota: no box could be that full", "enlarge it")


def check_floor(config: Config, machine: Machine) -> Iterator[Problem]:
    """The disk is larger than what has to stay free on it."""
    options = config.tftp
    if not (options.enabled and options.uploads):
        return
    uploads = _resolved(values.in_state(config, options.uploads))
    octets = disk_octets(uploads)
    if 0 < octets <= options.upload_floor:
        what = f"the whole disk of {uploads} has room for {octets} octets: no phone could ever write"
        yield Problem("tftp.upload_floor", what, "lower it, or let uploads lie on a larger disk")


def tftp_notes(config: Config) -> Iterator[str]:
    """State which phones are told a TFTP server of this host where none listens, as most never say that they miss it."""
    elsewhere = bool(config.classes) and all(entry.url or entry.tftp_servers for entry in config.classes)
    if not config.tftp.enabled or elsewhere:
        return
    serving = {listen.host for listen in map(Endpoint.parse, config.tftp.listen) if listen.port == PORT}
    for number, scope in enumerate(config.scopes):
        if not scope.tftp_servers and serving.isdisjoint((ANY_HOST, str(scope.server))):
            what = f"phones are told the TFTP server {scope.server}, where tftp.listen has no port {PORT}"
            yield f'scope[{number}]: {what}; write tftp.listen = ["{scope.server}:{PORT}"], or name another one by tftp_servers'


def _resolved(path: Path) -> Path:
    """Where a path leads; one that leads nowhere, such as a loop of links, stays what it is."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def _is_within(inner: Path, outer: Path) -> bool:
    return inner == outer or outer in inner.parents
