"""Checks of ``[redundancy]``, and what a standby does not run."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from voxpath.app import values
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, unwritable
from voxpath.app.schema import Config


def check_redundancy(config: Config, machine: Machine) -> Iterator[Problem]:
    """Both hosts know each other by name, and the active knows where the standby listens."""
    options = config.redundancy
    if options.role == "off":
        return
    if not options.peer:
        yield Problem("redundancy.peer", "is empty: no certificate could be checked", "write the other host's name")
    elif options.peer == config.name:
        yield Problem("redundancy.peer", f"{options.peer!r} is this host's own name", "give each host a name of its own")
    if options.role == "active" and options.address is None:
        yield Problem("redundancy.address", "is missing", 'write where the standby listens, such as "192.0.2.2:2947"')
    if options.role == "standby" and options.listen is None:
        yield Problem("redundancy.listen", "is missing", 'write an address of this host, such as "192.0.2.2:2947"')
    if options.role == "standby":
        for name, path in values.replicated(config).items():
            reason = unwritable(path)
            if reason:
                yield Problem(
                    "tftp.root", f"the standby cannot write its {name}: {reason}", "name a directory it can write or make"
                )


def as_run(config: Config) -> Config:
    """The configuration with what is off on a standby; so both hosts can have the same file but for a few lines."""
    if config.redundancy.role != "standby":
        return config
    return structs.replace(
        config,
        dhcp=structs.replace(config.dhcp, enabled=False),
        nat=structs.replace(config.nat, backend="memory"),
        mgc=structs.replace(config.mgc, enabled=False),
        sip=structs.replace(config.sip, enabled=False),
        subscription=structs.replace(config.subscription, enabled=False),
    )


def standby_off(config: Config) -> list[str]:
    """What is off on a standby."""
    return [f"dhcp, nat, mgc, sip, feed: off, since this is the standby of {config.redundancy.peer}"]


def redundancy_notes(config: Config) -> list[str]:
    """What is worth knowing."""
    options = config.redundancy
    if options.role == "active" and options.listen is not None:
        return ["redundancy.listen: is used by a standby only"]
    if options.role == "active" and not Path(config.state, config.tftp.root).is_dir():
        return [f"redundancy: no images go to {options.peer}, since there is no directory {Path(config.state, config.tftp.root)}"]
    return []
