"""Checks of the manhole: its files let in whom they name and nobody else, and telnet stays on this machine."""

import os
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from voxpath.app import values
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine, unwritable
from voxpath.app.schema import Config
from voxpath.core.errors import LocalError
from voxpath.manage.manhole.keys import read_authorized, read_host_key
from voxpath.manage.manhole.passwords import read_passwords


def check_manhole(config: Config, machine: Machine) -> Iterator[Problem]:
    """What is on has its files, and they can be trusted."""
    manhole = config.manhole
    if manhole.ssh:
        yield from _file("authorized_keys", values.in_state(config, manhole.authorized_keys), read_authorized)
        own = values.in_state(config, manhole.host_key)
        if os.path.lexists(own):
            yield from _file("host_key", own, read_host_key)
        elif reason := unwritable(own.parent):
            yield Problem("manhole.host_key", reason, "name a place where this user can make it")
    if manhole.telnet:
        yield from _file("passwords", values.in_state(config, manhole.passwords), read_passwords)
    for place, text in enumerate(manhole.telnet):
        if not IPv4Address(text.endpoint.host).is_loopback:
            what = f"{text.endpoint.host} can be reached from beyond this machine, and telnet encrypts nothing"
            yield Problem(f"manhole.telnet[{place}]", what, "write an address of loopback such as 127.0.0.1, or use ssh")


def _file(option: str, path: Path, read: Callable[[Path], object]) -> Iterator[Problem]:
    try:
        read(path)
    except LocalError as error:
        what, _, todo = str(error).rpartition("; ")
        yield Problem(f"manhole.{option}", what, todo)


def manhole_notes(config: Config) -> Iterator[str]:
    """Tell that it is on, and what that means."""
    if config.manhole.ssh:
        where = ", ".join(config.manhole.ssh)
        yield f"manhole.ssh: is on at {where}: whoever has a key of authorized_keys can do everything that this process can"
    if config.manhole.telnet:
        where = ", ".join(config.manhole.telnet)
        yield f"manhole.telnet: is on at {where}: whoever has a password can do everything that this process can"
