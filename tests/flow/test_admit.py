"""Admission: the Ethernet address first, then the vendor class (DHC-2 to DHC-4, DHC-15)."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import LocalError
from voxpath.dhcp.policy import Check, Refusal
from voxpath.flow.admit import Admission
from voxpath.model.address import Mac
from voxpath.model.phone import PhoneClass

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
    {mac("0a:00:00:00:00:01"): IPv4Address("10.0.0.5")},
)
KNOWN = mac("02:00:00:00:0a:01")
STRANGER = mac("02:00:00:00:0c:01")


@pytest.mark.parametrize(
    "text", ["02:00:00:00:0a:00", "02:00:00:00:0b:00", "02:00:00:00:0b:10", "00:00:5e:00:53:01", "0a:00:00:00:00:01"]
)
def test_single_addresses_ranges_and_reservations_are_admitted(text: str) -> None:
    assert ADMISSION.admit(mac(text), b"voxpath-phone") is DESK


@pytest.mark.parametrize(
    "text", ["02:00:00:00:09:ff", "02:00:00:00:0b:11", "00:00:5e:00:53:02", "00:00:00:00:00:00", "03:00:00:00:0a:01"]
)
def test_all_others_are_refused_by_their_address(text: str) -> None:
    refusal = ADMISSION.admit(mac(text), b"voxpath-phone")
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
    refusal = ADMISSION.admit(who, vendor_class)
    assert isinstance(refusal, Refusal)
    assert refusal.check is check


def test_the_class_follows_from_the_vendor_class() -> None:
    assert ADMISSION.admit(KNOWN, b"lobby") is LOBBY
    assert ADMISSION.admit(KNOWN, b"Cisco CP-7911G") is DESK
    assert ADMISSION.phone_class("desk") is DESK
    assert ADMISSION.phone_class("gone") is None


def test_text_from_the_wire_is_escaped_in_the_reason() -> None:
    refusal = ADMISSION.admit(KNOWN, b"\x1b[2J" + b"x" * 300)
    assert isinstance(refusal, Refusal)
    assert "\x1b" not in refusal.reason
    assert len(refusal.reason) < 130


def test_without_rules_nobody_is_served() -> None:
    assert isinstance(Admission([], [DESK]).admit(KNOWN, b"voxpath-phone"), Refusal)


def test_contradictions_are_our_own_error() -> None:
    for wrong in (
        lambda: Admission([], [DESK, DESK]),
        lambda: Admission([], [DESK, PhoneClass("other", ("voxpath-phone",), 8, 60)]),
        lambda: Admission([], [], {KNOWN: IPv4Address("10.0.0.1"), STRANGER: IPv4Address("10.0.0.1")}),
    ):
        with pytest.raises(LocalError):
            wrong()
