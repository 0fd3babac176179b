"""What the DHCP server asks of its policy: whom to serve, and with what (DHC-2 to DHC-5)."""

from collections.abc import Collection
from enum import Enum
from typing import NamedTuple, Protocol

from voxpath.model.address import Mac
from voxpath.model.phone import PhoneClass, Reservation


class Check(Enum):
    """The checks that a client has to pass, in the order in which they are made (DHC-2)."""

    MAC = "mac"
    VENDOR_CLASS = "class"


class Refusal(NamedTuple):
    """The check that failed first, and why in one line that is safe for a terminal."""

    check: Check
    reason: str


class Admitted(NamedTuple):
    """A client that passed both checks: its class, and what selected that, in words that are safe for a terminal."""

    phone_class: PhoneClass
    rule: str


class Applicant(NamedTuple):
    """Who asks, as far as policy looks at it.

    :ivar vendor_class: option 60 without trailing NULs; ``None``: absent.
    :ivar client_id: option 61.
    :ivar circuit_id: option 82, sub-option 1, if somebody wrote it whom the configuration trusts.
    :ivar wanted: option 55, the parameter request list: a fingerprint of the phone's firmware.
    :ivar adopted: whether an operator has said that this Ethernet address may be served.
    """

    mac: Mac
    vendor_class: bytes | None = None
    client_id: bytes | None = None
    circuit_id: bytes | None = None
    wanted: bytes | None = None
    adopted: bool = False


class Policy(Protocol):
    """Implemented by :class:`voxpath.flow.admit.Admission`."""

    @property
    def reservations(self) -> Collection[Reservation]:
        """Fixed addresses (DHC-15)."""

    def reservation_of(self, applicant: Applicant) -> Reservation | None:
        """The reservation that somebody has: by Ethernet address, else by client identifier, else by circuit."""

    def check_mac(self, applicant: Applicant) -> Refusal | None:
        """The first check alone, for messages that carry no vendor class: RELEASE and DECLINE."""

    def admit(self, applicant: Applicant) -> Admitted | Refusal:
        """Both checks, the Ethernet address first."""

    def phone_class(self, name: str) -> PhoneClass | None:
        """A class by the name that a stored lease has."""
