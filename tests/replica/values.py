"""Rows for the tests of a standby."""

from ipaddress import IPv4Address

from voxpath.model.address import Mac
from voxpath.model.contact import Contact
from voxpath.model.phone import Lease
from voxpath.model.ports import BindingState, PortBinding, PortBlock

PUBLIC = IPv4Address("203.0.113.1")


def mac(number: int) -> Mac:
    return Mac(bytes([2, 0, 0, 0, number >> 8, number & 255]))


def lease(number: int, expires: float = 1234.5) -> Lease:
    phone = mac(number)
    return Lease(phone, b"\x01" + phone, "lan", IPv4Address("10.0.0.0") + number, "basic", f"phone-{number}", expires)


def binding(number: int, place: int | None = None) -> PortBinding:
    block = PortBlock(PUBLIC, 2048 + 64 * (number if place is None else place), 64)
    return PortBinding(str(mac(number)), block, IPv4Address("10.0.0.0") + number, "site-a", BindingState.HELD, 0.0, number)


def contact(number: int, uri: str = "") -> Contact:
    return Contact(f"u{number}@voip.example", "k", uri or f"sip:u{number}@h", 1000, "203.0.113.1", 2048, "c", 1, 9.0, 1.0, "", "p")
