"""Admission: the Ethernet address first, then what selects a class (DHC-2 to DHC-4, DHC-15, DHC-17, DHC-22)."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import LocalError
from voxpath.dhcp.policy import Admitted, Applicant, Check, Refusal
from voxpath.flow.admit import Admission
from voxpath.flow.pattern import MAX_REMEMBERED
from voxpath.model.address import Mac
from voxpath.model.phone import PhoneClass, Reservation

DESK = PhoneClass("desk", ("voxpath-phone", "Cisco CP-7911G\0"), 64, 3600)
LOBBY = PhoneClass("lobby", ("lobby",), 8, 600)


def mac(text: str) -> Mac:
    return Mac.parse(text)


ADMISSION = Admission(
    [
        (mac("02:00:00:00:0a:00"), mac("02:00:00:00:0a:ff")),
        (mac("02:00:00:00:0a:80"), mac("02:00:00:00:0b:10")),
        (mac("00:00:5e:00:53:01"), mac("00:00:5e:00:53:01")),
    ],
    [DESK, LOBBY],
    [Reservation(IPv4Address("10.0.0.5"), mac("0a:00:00:00:00:01"))],
)
KNOWN = mac("02:00:00:00:0a:01")
STRANGER = mac("02:00:00:00:0c:01")


def admit(admission: Admission, who: Mac, vendor_class: bytes | None = None, **more: bytes | bool) -> PhoneClass | Refusal:
    """The class that somebody gets, or the refusal."""
    found = admission.admit(Applicant(who, vendor_class, **more))
    return found.phone_class if isinstance(found, Admitted) else found


@pytest.mark.parametrize(
    "text", ["02:00:00:00:0a:00", "02:00:00:00:0b:00", "02:00:00:00:0b:10", "00:00:5e:00:53:01", "0a:00:00:00:00:01"]
)
def test_single_addresses_ranges_and_reservations_are_admitted(text: str) -> None:
    assert admit(ADMISSION, mac(text), b"voxpath-phone") is DESK


@pytest.mark.parametrize(
    "text", ["02:00:00:00:09:ff", "02:00:00:00:0b:11", "00:00:5e:00:53:02", "00:00:00:00:00:00", "03:00:00:00:0a:01"]
)
def test_all_others_are_refused_by_their_address(text: str) -> None:
    refusal = admit(ADMISSION, mac(text), b"voxpath-phone")
    assert isinstance(refusal, Refusal)
    assert refusal.check is Check.MAC


@pytest.mark.parametrize(
    ("who", "vendor_class", "check"),
    [
        (STRANGER, b"voxpath-phone", Check.MAC),
        (STRANGER, b"laptop", Check.MAC),
        (STRANGER, None, Check.MAC),
        (KNOWN, b"laptop", Check.VENDOR_CLASS),
        (KNOWN, None, Check.VENDOR_CLASS),
        (KNOWN, b"", Check.VENDOR_CLASS),
        (KNOWN, b"VOXPATH-PHONE", Check.VENDOR_CLASS),
    ],
)
def test_the_refusal_names_the_check_that_failed_first(who: Mac, vendor_class: bytes | None, check: Check) -> None:
    refusal = admit(ADMISSION, who, vendor_class)
    assert isinstance(refusal, Refusal)
    assert refusal.check is check


def test_the_class_follows_from_the_vendor_class() -> None:
    assert admit(ADMISSION, KNOWN, b"lobby") is LOBBY
    assert admit(ADMISSION, KNOWN, b"Cisco CP-7911G") is DESK
    assert ADMISSION.phone_class("desk") is DESK
    assert ADMISSION.phone_class("gone") is None


def test_text_from_the_wire_is_escaped_in_the_reason() -> None:
    refusal = admit(ADMISSION, KNOWN, b"\x1b[2J" + b"x" * 300)
    assert isinstance(refusal, Refusal)
    assert "\x1b" not in refusal.reason
    assert len(refusal.reason) < 130


def test_without_rules_nobody_is_served() -> None:
    assert isinstance(admit(Admission([], [DESK]), KNOWN, b"voxpath-phone"), Refusal)


# What selects a class: vendor class, client identifier, fingerprint (DHC-17, DHC-22).

ADDRESS = IPv4Address("10.0.0.5")
CISCO = PhoneClass("cisco", ("Cisco*", "*IP Phone*"), 16, 60, fingerprints=(bytes((1, 66, 6, 3, 15, 150, 35)),))
CISCO_79 = PhoneClass("cisco-79", ("Cisco Systems, Inc. IP Phone CP-79*",), 8, 60)
EXACT = PhoneClass("exact", ("Cisco Systems, Inc. IP Phone CP-7911G",), 4, 60, client_ids=(b"desk-7",))
MATCHING = Admission([(KNOWN, KNOWN)], [CISCO, CISCO_79, EXACT])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"Cisco Systems, Inc. IP Phone CP-7911G", EXACT),
        (b"Cisco Systems, Inc. IP Phone CP-7960G", CISCO_79),
        (b"Cisco Systems, Inc. IP Phone CP-8811", CISCO),
        (b"Cisco", CISCO),
        (b"An IP Phone!", CISCO),
        (b"cisco", None),
        (b"IP Phon", None),
    ],
)
def test_an_exact_text_comes_before_patterns_and_a_closer_pattern_before_others(text: bytes, found: PhoneClass | None) -> None:
    for _ in range(2):  # the second time it is remembered
        got = admit(MATCHING, KNOWN, text)
        assert got is found or (found is None and isinstance(got, Refusal))


def test_a_pattern_is_matched_in_one_pass_whatever_is_sent() -> None:
    """A stranger's text cannot cost more than its length: parts are searched from left to right, never back."""
    nasty = PhoneClass("nasty", ("a*a*a*a*a*a*a*a*b",), 8, 60)
    admission = Admission([(KNOWN, KNOWN)], [nasty])
    assert isinstance(admit(admission, KNOWN, b"a" * 4000), Refusal)
    assert admit(admission, KNOWN, b"a" * 4000 + b"b") is nasty
    assert isinstance(admit(admission, KNOWN, b"aaaaaaab"), Refusal)


def test_what_is_remembered_of_texts_is_limited() -> None:
    admission = Admission([(KNOWN, KNOWN)], [CISCO])
    for number in range(MAX_REMEMBERED + 10):
        admit(admission, KNOWN, b"text %d" % number)
    assert len(admission._by_vendor._remembered) == MAX_REMEMBERED
    assert admit(admission, KNOWN, b"Cisco 10000") is CISCO


@pytest.mark.parametrize(
    ("vendor_class", "more", "found"),
    [
        (None, {"client_id": b"desk-7"}, EXACT),
        (b"laptop", {"client_id": b"desk-7"}, EXACT),
        (b"Cisco X", {"client_id": b"desk-7"}, CISCO),
        (None, {"wanted": bytes((1, 66, 6, 3, 15, 150, 35))}, CISCO),
        (None, {"wanted": bytes((1, 66, 6, 3, 15, 150, 35)), "client_id": b"desk-7"}, EXACT),
        (None, {"wanted": bytes((1, 66, 6, 3, 15, 150))}, None),
        (None, {"client_id": b"desk-8"}, None),
        (None, {"client_id": b"\0desk-7"}, EXACT),
    ],
)
def test_the_class_follows_from_60_else_61_else_55(vendor_class: bytes | None, more: dict[str, bytes], found: PhoneClass) -> None:
    got = admit(MATCHING, KNOWN, vendor_class, **more)
    assert got is found or (found is None and isinstance(got, Refusal))


def test_no_mark_helps_whose_address_is_unknown() -> None:
    """DHC-2: the Ethernet address comes first, for reservations by client identifier or circuit, too."""
    reservations = [Reservation(ADDRESS, client_id=b"desk-7", phone_class="exact")]
    got = admit(Admission([(KNOWN, KNOWN)], [EXACT], reservations), STRANGER, b"Cisco", client_id=b"desk-7")
    assert isinstance(got, Refusal)
    assert got.check is Check.MAC


@pytest.mark.parametrize(
    ("reservation", "marks"),
    [
        (Reservation(ADDRESS, KNOWN, phone_class="exact"), {}),
        (Reservation(ADDRESS, client_id=b"c", phone_class="exact"), {"client_id": b"c"}),
        (Reservation(ADDRESS, circuit_id=b"port 7", phone_class="exact"), {"circuit_id": b"port 7"}),
    ],
)
def test_a_reservation_may_fix_the_class_by_each_of_its_marks(reservation: Reservation, marks: dict[str, bytes]) -> None:
    admission = Admission([(KNOWN, KNOWN)], [EXACT, CISCO], [reservation])
    assert admission.reservation_of(Applicant(KNOWN, **marks)) is reservation
    for vendor_class in (None, b"laptop", b"Cisco"):
        assert admit(admission, KNOWN, vendor_class, **marks) is EXACT


def test_the_ethernet_address_comes_before_client_identifier_and_circuit() -> None:
    by_mac, by_client, by_circuit = (
        Reservation(IPv4Address("10.0.0.1"), KNOWN),
        Reservation(IPv4Address("10.0.0.2"), client_id=b"c"),
        Reservation(IPv4Address("10.0.0.3"), circuit_id=b"c"),
    )
    admission = Admission([], [], [by_circuit, by_client, by_mac])
    assert admission.reservation_of(Applicant(KNOWN, client_id=b"c", circuit_id=b"c")) is by_mac
    assert admission.reservation_of(Applicant(STRANGER, client_id=b"c", circuit_id=b"c")) is by_client
    assert admission.reservation_of(Applicant(STRANGER, client_id=b"d", circuit_id=b"c")) is by_circuit
    assert admission.reservation_of(Applicant(STRANGER)) is None


def test_a_reservation_may_have_several_marks_and_each_is_enough() -> None:
    reservation = Reservation(ADDRESS, KNOWN, b"c", b"port 7")
    admission = Admission([], [], [reservation])
    for applicant in (Applicant(KNOWN), Applicant(STRANGER, client_id=b"c"), Applicant(STRANGER, circuit_id=b"port 7")):
        assert admission.reservation_of(applicant) is reservation


def test_an_adopted_address_passes_the_first_check_alone() -> None:
    assert admit(ADMISSION, STRANGER, b"lobby", adopted=True) is LOBBY
    got = admit(ADMISSION, STRANGER, b"laptop", adopted=True)
    assert isinstance(got, Refusal)
    assert got.check is Check.VENDOR_CLASS
    group = admit(ADMISSION, mac("01:00:5e:00:00:01"), b"lobby", adopted=True)
    assert isinstance(group, Refusal)


def test_contradictions_are_our_own_error() -> None:
    for wrong in (
        lambda: Admission([], [DESK, DESK]),
        lambda: Admission([], [DESK, PhoneClass("other", ("voxpath-phone",), 8, 60)]),
        lambda: Admission([], [CISCO, PhoneClass("other", ("Cisco*",), 8, 60)]),
        lambda: Admission([], [EXACT, PhoneClass("other", (), 8, 60, client_ids=(b"desk-7",))]),
        lambda: Admission([], [CISCO, PhoneClass("other", (), 8, 60, fingerprints=CISCO.fingerprints)]),
        lambda: Admission([], [], [Reservation(ADDRESS, KNOWN), Reservation(ADDRESS, STRANGER)]),
        lambda: Admission([], [], [Reservation(ADDRESS, KNOWN), Reservation(IPv4Address("10.0.0.6"), KNOWN)]),
        lambda: Admission([], [], [Reservation(ADDRESS, KNOWN, b"c"), Reservation(IPv4Address("10.0.0.6"), client_id=b"c")]),
        lambda: Admission([], [], [Reservation(ADDRESS)]),
        lambda: Admission([], [DESK], [Reservation(ADDRESS, KNOWN, phone_class="gone")]),
    ):
        with pytest.raises(LocalError):
            wrong()
