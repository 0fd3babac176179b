"""Has a phone boot anew: by SIP where it is registered, or else by DHCP; and tells what became of both ways (GEN-12)."""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from voxpath.manage.facts import CommandError


class Registrar(Protocol):
    """A SIP server, as far as it is asked here."""

    def reboot(self, phone: str) -> "Deferred[str] | None":
        """Have a phone boot anew; fires with what it answered. ``None``: it is not registered here."""


async def reboot(phone: str, sip: Registrar | None, recall: Callable[[str], str] | None) -> list[tuple[str, str]]:
    """Have a phone boot anew; return the ways that were tried, each with what became of it.

    :param sip: the SIP server of this process; ``None``: there is none.
    :param recall: asks by DHCP, and tells how; ``None``: this process has no gateway.
    :raises CommandError: the phone was asked in no way; it tells of all of them.
    """
    heeds, by_sip = await _by_sip(phone, sip)
    if heeds:
        return [("SIP", by_sip)]
    try:
        return [("SIP", by_sip), ("DHCP", _by_dhcp(phone, recall))]
    except CommandError as error:
        raise CommandError("reboot", f"SIP: {by_sip}; DHCP: {error.what}", error.todo) from None


async def _by_sip(phone: str, sip: Registrar | None) -> tuple[bool, str]:
    if sip is None:
        return False, "not asked: this process runs no SIP server"
    try:
        asked = sip.reboot(phone)
        if asked is None:
            return False, f"not asked: {phone} is not registered here"
        return True, await asked
    except CommandError as error:
        return False, error.what


def _by_dhcp(phone: str, recall: Callable[[str], str] | None) -> str:
    if recall is None:
        todo = "ask the process that it is registered at, or its gateway's, by --socket"
        raise CommandError("reboot", "not asked: this process runs no service gateway", todo)
    return recall(phone)
