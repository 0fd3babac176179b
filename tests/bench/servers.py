"""The servers that are compared, each with the configuration and the empty state that it starts from."""

import os
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from tests.bench.site import LAN, SERVER_ADDRESS, WAN

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

VENDOR_CLASS = "voxpath-bench"
FIRST_PUBLIC = IPv4Address("198.51.100.1")
PUBLICS = 100
"""Public addresses: with 64 ports for each phone some 1000 phones fit behind one."""


class Server(NamedTuple):
    """One server.

    :ivar prepare: writes the configuration into a directory and gives the command line.
    """

    name: str
    prepare: Callable[[Path], list[str]]

    def environment(self, directory: Path) -> dict[str, str]:
        """The environment that it is started in: Kea keeps its process id and lock files where it is told."""
        return {**os.environ, "KEA_PIDFILE_DIR": str(directory), "KEA_LOCKFILE_DIR": str(directory), "PYTHONPATH": str(ROOT)}


def voxpath_configuration(directory: Path, nat: str) -> str:
    """The configuration of voxpath: the full policy, a port block for each phone, all of it stored before the ACK."""
    publics = [str(FIRST_PUBLIC + number) for number in range(PUBLICS)]
    pools = "\n".join(f'[[pool]]\npublic = "{public}"\nports = [1024, 65535]\nrealm = "bench"' for public in publics)
    template = (HERE / "voxpath.toml.in").read_text()
    return template.format(
        state=directory, nat=nat, publics=publics, pools=pools, vendor_class=VENDOR_CLASS, lan=LAN, wan=WAN, server=SERVER_ADDRESS
    )


def voxpath(directory: Path, nat: str = "nftables") -> list[str]:
    """``twistd voxpath-sg`` as an operator starts it."""
    configuration = directory / "voxpath.toml"
    configuration.write_text(voxpath_configuration(directory, nat))
    twistd = Path(sys.executable).with_name("twistd")
    return [str(twistd), "--nodaemon", "--pidfile=", "voxpath-sg", "--config", str(configuration)]


def voxpath_memory(directory: Path) -> list[str]:
    """The same with the NAT in memory: what DHCP, ledger and store cost alone."""
    return voxpath(directory, "memory")


def kea(directory: Path) -> list[str]:
    """Kea with leases in a memory file that is written without waiting for the disk, its default."""
    configuration = directory / "kea.json"
    text = (HERE / "kea.json.in").read_text()
    for word, value in (("@DIR@", str(directory)), ("@LAN@", LAN)):
        text = text.replace(word, value)
    configuration.write_text(text)
    return ["kea-dhcp4", "-c", str(configuration)]


SERVERS = (Server("voxpath", voxpath), Server("voxpath, NAT in memory", voxpath_memory), Server("Kea", kea))
BASE = "Kea"
"""The server that ratios refer to."""
