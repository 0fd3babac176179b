"""Whom to admit: the Ethernet address first, then the vendor class (DHC-2 to DHC-4, DHC-15, DHC-17)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from voxpath.core.errors import LocalError
from voxpath.dhcp.policy import Check, Refusal
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import PhoneClass

MacRange = tuple[Mac, Mac]
"""First and last Ethernet address, both included; a single address is a range of one."""


class Admission:
    """The rules of one gateway; it never changes, a reload makes another one.

    A reservation names a phone exactly, so its address passes the first check too.

    :param macs: who may be served; nobody when it is empty.
    :param classes: the phone classes; the texts that select them are unique.
    :param reservations: fixed addresses by Ethernet address.
    :raises LocalError: two classes share a name or a vendor class, or two phones a reserved address.
    """

    def __init__(
        self,
        macs: Iterable[MacRange],
        classes: Iterable[PhoneClass],
        reservations: Mapping[Mac, IPv4Address] | None = None,
    ) -> None:
        self.reservations: Mapping[Mac, IPv4Address] = dict(reservations or {})
        if len(set(self.reservations.values())) < len(self.reservations):
            raise LocalError("two reservations have the same address")
        self._classes: dict[str, PhoneClass] = {}
        self._by_text: dict[bytes, PhoneClass] = {}
        for phone_class in classes:
            self._add_class(phone_class)
        known = [*macs, *((mac, mac) for mac in self.reservations)]
        self._firsts, self._lasts = _merge(known)

    def check_mac(self, mac: Mac) -> Refusal | None:
        """Whether this Ethernet address may be served at all; a group address never is anybody's."""
        if mac.is_group:
            return Refusal(Check.MAC, f"{mac} is a group address")
        at = bisect_right(self._firsts, mac) - 1
        if at >= 0 and mac <= self._lasts[at]:
            return None
        return Refusal(Check.MAC, f"{mac} is not among the Ethernet addresses that are served")

    def admit(self, mac: Mac, vendor_class: bytes | None) -> PhoneClass | Refusal:
        """The class of a client that passes both checks; the class is looked at only when the address is valid (DHC-2)."""
        refusal = self.check_mac(mac)
        if refusal is not None:
            return refusal
        if vendor_class is None:
            return Refusal(Check.VENDOR_CLASS, "it sent no vendor class (option 60)")
        found = self._by_text.get(vendor_class)
        if found is None:
            text = printable(vendor_class.decode("ascii", "replace"), 64)
            return Refusal(Check.VENDOR_CLASS, f"vendor class '{text}' selects no phone class")
        return found

    def phone_class(self, name: str) -> PhoneClass | None:
        """A class by name; ``None`` when the configuration has it no longer."""
        return self._classes.get(name)

    def _add_class(self, phone_class: PhoneClass) -> None:
        if phone_class.name in self._classes:
            raise LocalError(f"two phone classes are called {phone_class.name}")
        self._classes[phone_class.name] = phone_class
        for text in phone_class.vendor_classes:
            octets = text.encode("utf-8").rstrip(b"\0")
            if octets in self._by_text:
                raise LocalError(f"vendor class {text!r} selects {phone_class.name} and {self._by_text[octets].name}")
            self._by_text[octets] = phone_class


def _merge(ranges: Iterable[MacRange]) -> tuple[list[Mac], list[Mac]]:
    """Sort ranges and join those that overlap, so that one bisection decides."""
    firsts: list[Mac] = []
    lasts: list[Mac] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts
