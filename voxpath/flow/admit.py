"""Whom to admit: the Ethernet address first, then what selects a phone class (DHC-2 to DHC-4, DHC-15, DHC-17, DHC-22).

A class is selected by the reservation that fixes it, else by the vendor class (option 60), else by the client identifier (61), else
by the parameter request list (55).
"""

from bisect import bisect_right
from collections.abc import Iterable

from voxpath.core.errors import LocalError
from voxpath.dhcp.policy import Admitted, Applicant, Check, Refusal
from voxpath.flow.pattern import Patterns
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import PhoneClass, Reservation

MacRange = tuple[Mac, Mac]
"""First and last Ethernet address, both included; a single address is a range of one."""

SHOWN = 64
"""Characters of a text from the wire that a reason shows."""


class Admission:
    """The rules of one gateway; it never changes, a reload makes another one.

    A reservation by Ethernet address names a phone exactly, so that address passes the first check too.
    One by client identifier or circuit does not: whoever has them must still be among the addresses that are served.

    :param macs: who may be served; nobody when it is empty.
    :param classes: the phone classes; what selects them is unique.
    :param reservations: fixed addresses.
    :raises LocalError: two classes share a name or what selects them, or two reservations an address or a mark; or a reservation
        fixes a class that does not exist.
    """

    def __init__(self, macs: Iterable[MacRange], classes: Iterable[PhoneClass], reservations: Iterable[Reservation] = ()) -> None:
        self.reservations = tuple(reservations)
        self._classes: dict[str, PhoneClass] = {}
        self._by_vendor: Patterns[Admitted] = Patterns()
        self._by_client: dict[bytes, Admitted] = {}
        self._by_wanted: dict[bytes, Admitted] = {}
        for phone_class in classes:
            self._add_class(phone_class)
        self._fixed: dict[str, Admitted] = {}
        self._reserved: dict[Mac | tuple[str, bytes], Reservation] = {}
        for reservation in self.reservations:
            self._add_reservation(reservation)
        if len({reservation.address for reservation in self.reservations}) < len(self.reservations):
            raise LocalError("two reservations have the same address")
        known = [*macs, *((each.mac, each.mac) for each in self.reservations if each.mac is not None)]
        self._firsts, self._lasts = _merge(known)

    def reservation_of(self, applicant: Applicant) -> Reservation | None:
        """The reservation that somebody has: by Ethernet address, else by client identifier, else by circuit."""
        reserved = self._reserved
        if not reserved:
            return None
        found = reserved.get(applicant.mac)
        if found is None and applicant.client_id is not None:
            found = reserved.get(("client", _plain(applicant.client_id)))
        if found is None and applicant.circuit_id is not None:
            found = reserved.get(("circuit", applicant.circuit_id))
        return found

    def check_mac(self, applicant: Applicant) -> Refusal | None:
        """Whether this Ethernet address may be served at all; a group address never is anybody's."""
        mac = applicant.mac
        if mac.is_group:
            return Refusal(Check.MAC, f"{mac} is a group address")
        if applicant.adopted:
            return None
        at = bisect_right(self._firsts, mac) - 1
        if at >= 0 and mac <= self._lasts[at]:
            return None
        return Refusal(Check.MAC, f"{mac} is not among the Ethernet addresses that are served")

    def admit(self, applicant: Applicant) -> Admitted | Refusal:
        """The class of a client that passes both checks; the class is looked at only when the address is valid (DHC-2)."""
        refusal = self.check_mac(applicant)
        if refusal is not None:
            return refusal
        reservation = self.reservation_of(applicant)
        if reservation is not None and reservation.phone_class:
            return self._fixed[reservation.phone_class]
        return self._select(applicant) or Refusal(Check.VENDOR_CLASS, _unselected(applicant))

    def phone_class(self, name: str) -> PhoneClass | None:
        """A class by name; ``None`` when the configuration has it no longer."""
        return self._classes.get(name)

    def _select(self, applicant: Applicant) -> Admitted | None:
        found = None
        if applicant.vendor_class is not None:
            found = self._by_vendor.match(applicant.vendor_class)
        if found is None and applicant.client_id is not None:
            found = self._by_client.get(_plain(applicant.client_id))
        if found is None and applicant.wanted is not None:
            found = self._by_wanted.get(applicant.wanted)
        return found

    def _add_class(self, phone_class: PhoneClass) -> None:
        name = phone_class.name
        if name in self._classes:
            raise LocalError(f"two phone classes are called {name}")
        self._classes[name] = phone_class
        for text in phone_class.vendor_classes:
            octets = text.encode("utf-8").rstrip(b"\0")
            known = self._by_vendor.add(octets, Admitted(phone_class, f"vendor class '{printable(text, SHOWN)}'"))
            if known is not None:
                raise LocalError(f"vendor class {text!r} selects {name} and {known.phone_class.name}")
        client_ids = tuple(map(_plain, phone_class.client_ids))
        by_client = ("client identifier", self._by_client, client_ids)
        for kind, table, marks in (by_client, ("fingerprint", self._by_wanted, phone_class.fingerprints)):
            for mark in marks:
                known = table.setdefault(mark, Admitted(phone_class, f"{kind} {mark.hex(':')}"))
                if known.phone_class is not phone_class:
                    raise LocalError(f"{kind} {mark.hex(':')} selects {name} and {known.phone_class.name}")

    def _add_reservation(self, reservation: Reservation) -> None:
        marks: list[Mac | tuple[str, bytes]] = []
        if reservation.mac is not None:
            marks.append(reservation.mac)
        if reservation.client_id is not None:
            marks.append(("client", _plain(reservation.client_id)))
        if reservation.circuit_id is not None:
            marks.append(("circuit", reservation.circuit_id))
        if not marks or any(mark in self._reserved for mark in marks):
            raise LocalError(f"the reservation of {reservation.address} needs a mark, and none that another one has")
        self._reserved.update(dict.fromkeys(marks, reservation))
        name = reservation.phone_class
        if name and name not in self._classes:
            raise LocalError(f"the reservation of {reservation.address} fixes the class {name}, which does not exist")
        if name:
            self._fixed[name] = Admitted(self._classes[name], "its reservation")


def _plain(client_id: bytes) -> bytes:
    """A client identifier without the type 0, which some clients write before a name and others do not (RFC 2132 section 9.14)."""
    return client_id.removeprefix(b"\0")


def _unselected(applicant: Applicant) -> str:
    """Why no class was selected; one without any other mark is told what phones are known by."""
    said = []
    if applicant.vendor_class is None:
        said.append("it sent no vendor class (option 60)")
    else:
        text = printable(applicant.vendor_class.decode("ascii", "replace"), SHOWN)
        said.append(f"vendor class '{text}' selects no phone class")
    if applicant.client_id is not None:
        said.append(f"nor does client identifier {applicant.client_id[: SHOWN // 2].hex(':')}")
    if applicant.wanted is not None:
        said.append(f"nor the list of what it asks for, {', '.join(map(str, applicant.wanted[:SHOWN]))}")
    return ", ".join(said)


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
