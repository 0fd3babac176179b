"""Checks of ``[redundancy]``, and what a standby does not run."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any

from voxpath.app import values
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, unwritable
from voxpath.app.schema import Config
from voxpath.app.unread import Unread, changed

OFF_ON_STANDBY: dict[str, dict[str, Any]] = {
    "dhcp": {"enabled": False},
    "nat": {"backend": "memory"},
    "mgc": {"enabled": False},
    "sip": {"enabled": False},
    "subscription": {"enabled": False},
}
"""Options that count on a standby instead of what its file says."""


def check_redundancy(config: Config, machine: Machine) -> Iterator[Problem]:
    """Both hosts know each other by name, and the standby can write what it gets."""
    options = config.redundancy
    if options.role == "off":
        return
    if not options.peer:
        yield Problem("redundancy.peer", "is empty: no certificate could be checked", "write the other host's name")
    elif options.peer == config.name:
        yield Problem("redundancy.peer", f"{options.peer!r} is this host's own name", "give each host a name of its own")
    if options.role == "standby":
        for name, path in values.replicated(config).items():
            reason = unwritable(path)
            if reason:
                key = "tftp.root" if name == "images" else f"tftp.{name}"
                yield Problem(key, f"the standby cannot write its {name}: {reason}", "name a directory it can write or make")


def standby_addresses(config: Config) -> Iterator[IPv4Address]:
    """The address at which this host looks for its standby, if it has one."""
    if config.redundancy.role == "active":
        yield IPv4Address(config.redundancy.address.endpoint.host)


def check_standby_address(config: Config, machine: Machine) -> Iterator[Problem]:
    """An active host does not look for its standby at home; one that does so over loopback is tried out, and gets a note."""
    for address in standby_addresses(config):
        if address.is_unspecified or (address in machine.mistaken and not address.is_loopback):
            what = f"{address} is this host's own: it would connect to itself"
            yield Problem("redundancy.address", what, "write the address at which the standby listens, the same on both hosts")


def as_run(config: Config) -> Config:
    """The configuration with what is off on a standby; so both hosts can have the same file but for a few lines."""
    off: dict[str, Any] = {}
    with suppress(Unread):
        if config.redundancy.role == "standby":
            for name, options in OFF_ON_STANDBY.items():
                with suppress(Unread):
                    off[name] = changed(getattr(config, name), **options)
    return changed(config, **off) if off else config


def standby_off(config: Config) -> list[str]:
    """What is off on a standby."""
    return [f"dhcp, nat, mgc, sip, feed: off, since this is the standby of {config.redundancy.peer}"]


def redundancy_notes(config: Config) -> list[str]:
    """What is worth knowing."""
    options = config.redundancy
    found = []
    if options.role == "active" and IPv4Address(options.address.endpoint.host).is_loopback:
        found.append(f"redundancy.address: the standby {options.peer} is looked for on this machine itself")
    if options.role == "active":
        # The directory of uploads is made when the first one comes.
        missing = (path for name, path in values.replicated(config).items() if name != "uploads" and not path.is_dir())
        found += [f"redundancy: no files go to {options.peer} from {path}, since there is no such directory" for path in missing]
    return found
