"""What the DHCP server asks of its policy: whom to serve, and with what (DHC-2 to DHC-5)."""

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address
from typing import NamedTuple, Protocol

from voxpath.model.address import Mac
from voxpath.model.phone import PhoneClass


class Check(Enum):
    """The checks that a client has to pass, in the order in which they are made (DHC-2)."""

    MAC = "mac"
    VENDOR_CLASS = "class"


class Refusal(NamedTuple):
    """The check that failed first, and why in one line that is safe for a terminal."""

    check: Check
    reason: str


class Policy(Protocol):
    """Implemented by :class:`voxpath.flow.admit.Admission`."""

    @property
    def reservations(self) -> Mapping[Mac, IPv4Address]:
        """Fixed addresses (DHC-15)."""

    def check_mac(self, mac: Mac) -> Refusal | None:
        """The first check alone, for messages that carry no vendor class: RELEASE and DECLINE."""

    def admit(self, mac: Mac, vendor_class: bytes | None) -> PhoneClass | Refusal:
        """Both checks, the Ethernet address first."""

    def phone_class(self, name: str) -> PhoneClass | None:
        """A class by the name that a stored lease has."""
