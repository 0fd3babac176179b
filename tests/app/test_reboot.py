"""``reboot`` tells which ways were tried, and what became of each."""

from collections.abc import Callable
from ipaddress import IPv4Address
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from voxpath.app.orders import PhoneOrders
from voxpath.app.reboot import reboot
from voxpath.manage.facts import CommandError
from voxpath.model.address import Mac
from voxpath.model.phone import Lease

PHONE = "02:00:00:00:0a:01"


class Registrar:
    """A SIP server whose answer a test chooses."""

    def __init__(self, answer: "Deferred[str] | None") -> None:
        self.answer = answer

    def reboot(self, phone: str) -> "Deferred[str] | None":
        return self.answer


def told(sip: Registrar | None, recall: Callable[[str], str] | None) -> Any:
    found: list[Any] = []
    Deferred.fromCoroutine(reboot(PHONE, sip, recall)).addBoth(found.append)
    [result] = found
    if isinstance(result, Failure):
        result.raiseException()
    return result


def recalled(phone: str) -> str:
    return f"FORCERENEW sent to {phone}"


def refused(phone: str) -> str:
    raise CommandError("reboot", "its class takes no FORCERENEW", "write forcerenew = true")


def lost() -> "Deferred[str]":
    return fail(CommandError("reboot", "a1 did not answer", "see ladder"))


def test_a_phone_that_heeds_sip_is_not_asked_by_dhcp() -> None:
    assert told(Registrar(succeed("a1 answered 200 OK")), refused) == [("SIP", "a1 answered 200 OK")]


@pytest.mark.parametrize(
    ("sip", "words"),
    [
        (Registrar(lost()), "a1 did not answer"),
        (Registrar(None), f"not asked: {PHONE} is not registered here"),
        (None, "not asked: this process runs no SIP server"),
    ],
)
def test_what_became_of_sip_is_told_before_what_dhcp_did(sip: Registrar | None, words: str) -> None:
    assert told(sip, recalled) == [("SIP", words), ("DHCP", f"FORCERENEW sent to {PHONE}")]


def test_when_no_way_is_left_all_that_were_tried_are_told() -> None:
    with pytest.raises(CommandError, match=r"reboot: SIP: a1 did not answer; DHCP: its class takes no FORCERENEW; write"):
        told(Registrar(lost()), refused)
    with pytest.raises(CommandError, match=r"is not registered here; DHCP: not asked: .* no service gateway; ask .* by --socket"):
        told(Registrar(None), None)


@pytest.mark.parametrize(("static", "rest"), [(False, "boots when it renews by itself"), (True, "renews nothing: boot it by hand")])
def test_what_a_phone_that_ignores_a_forcerenew_does_is_told_by_its_kind(static: bool, rest: str) -> None:
    lease = Lease(Mac.parse(PHONE), b"", "lan", IPv4Address("10.0.0.11"), "desk", "", inf, static=static)
    server: Any = SimpleNamespace(lease_of=lambda mac: lease, recall=SimpleNamespace(ask=lambda mac, now: []))
    driver: Any = SimpleNamespace(act=lambda action: action(0.0))
    clock: Any = SimpleNamespace(now=lambda: 0.0)
    unneeded: Any = None
    orders = PhoneOrders(server, unneeded, driver, unneeded, clock)
    assert rest in orders.recall(PHONE)
