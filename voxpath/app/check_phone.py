"""Checks of the software phones."""

from collections.abc import Iterator

from voxpath.app import values_phone
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.schema import Config, Phone, Static


def check_phone(config: Config, machine: Machine) -> Iterator[Problem]:
    """A phone without a lease is told its address by hand, and then it is one phone."""
    phone = config.phone
    if phone.static is not None and phone.dhcp:
        yield Problem("phone.static", "is told, but DHCP is on", "write dhcp = false, or remove [phone.static]")
    if phone.static is None and not phone.dhcp:
        yield Problem("phone.static", "is missing, and DHCP is off", "add [phone.static], or write dhcp = true")
    if phone.static is not None:
        if phone.count != 1:
            yield Problem("phone.count", "a static configuration is for one phone", "write count = 1")
        yield from _static_problems(phone.static)
        if not phone.dhcp and values_phone.asks_dhcp(config):
            yield from _inform_problems(phone, phone.static)
    if int.from_bytes(phone.mac, "big") + phone.count > 1 << 48:
        yield Problem("phone.count", "Ethernet addresses run out", "begin at a lower mac")


def _static_problems(static: Static) -> Iterator[Problem]:
    told, missing = ("ports", "public") if static.public is None else ("public", "ports")
    if (static.public is None) is not (static.ports is None):
        yield Problem(f"phone.static.{missing}", f"is missing beside {told}", "write both, or neither to have both told by INFORM")
    if static.ports is not None:
        first, last = static.ports
        size = last - first + 1
        if size < 1 or size & (size - 1) or first % size or first < 1024:
            yield Problem("phone.static.ports", f"{first}-{last} is no port block", "write the block that the gateway gave")


def _inform_problems(phone: Phone, static: Static) -> Iterator[Problem]:
    """What a phone needs that asks for the rest by INFORM: where to ask, and a network for its address."""
    if not phone.interface:
        todo = 'write for example interface = "eth0", or tell public, ports and mgcs'
        yield Problem("phone.interface", "is empty, but INFORM needs one", todo)
    if static.address.network.prefixlen == static.address.max_prefixlen:
        yield Problem("phone.static.address", "has no prefix length", f'write for example address = "{static.address.ip}/24"')


def check_shim(config: Config, machine: Machine) -> Iterator[Problem]:
    """A shim is made from one lease, in the kernel of the network namespace that the process runs in."""
    phone = config.phone
    if not phone.shim:
        return
    if phone.count != 1:
        yield Problem("phone.count", "a shim is for one phone: its network namespace has one public address", "write count = 1")
    if not phone.dhcp:
        yield Problem("phone.dhcp", "a shim is made from a lease", "write dhcp = true")
    if not phone.interface:
        yield Problem("phone.interface", "is empty, but a shim needs one", 'write for example interface = "eth0"')
    elif phone.interface not in machine.interfaces:
        todo = f"name one of {', '.join(sorted(machine.interfaces))}"
        yield Problem("phone.interface", f"this network namespace has no {phone.interface}", todo)
    if not machine.root:
        yield Problem("phone.shim", "a shim needs root: it changes routes and rules", "run as root, or write shim = false")
