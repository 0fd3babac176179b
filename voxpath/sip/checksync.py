"""NOTIFY check-sync: has registered phones load their configuration and boot anew (GEN-12).

The event package was never standardised, yet nearly every desk phone knows it.
With ``;reboot=true`` those boot that would otherwise only look for changes.
Each NOTIFY is a non-INVITE client transaction of its own (RFC 3261 section 17.1.2), outside of any dialog.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from voxpath.core.effects import Effect, Emit, Send
from voxpath.core.errors import LocalError, RemoteError
from voxpath.core.timers import TimerHeap
from voxpath.model.contact import Contact
from voxpath.model.event import MessageEvent, printable
from voxpath.sip import summary
from voxpath.sip.event import CheckSyncAnswered, CheckSyncLost
from voxpath.sip.header import vias
from voxpath.sip.message import Request, Response
from voxpath.sip.settings import PORT
from voxpath.sip.wire import print_request

T1_S: Final = 0.5
T2_S: Final = 4.0
"""First and longest wait before a NOTIFY is repeated (RFC 3261 table 4)."""
GIVE_UP_S: Final = 8.0
"""Shorter than timer F: an operator waits for it."""
MOST_ASKED: Final = 256
"""Phones that are asked at the same time."""
EVENT: Final = "check-sync;reboot=true"
FINAL: Final = 200
SUCCESS: Final = range(200, 300)


@dataclass(slots=True)
class _Asked:
    contact: Contact
    payload: bytes
    began: float
    wait_s: float = T1_S


class CheckSync:
    """The transactions under way.

    :param role: our own name in ladders.
    :param secret: what branches are made from, so that nobody can guess them.
    """

    def __init__(self, role: str, secret: bytes) -> None:
        self._role = role
        self._secret = secret
        self._count = 0
        self._asked: dict[str, _Asked] = {}
        self._timers: TimerHeap[str] = TimerHeap()

    def ask(self, contacts: Iterable[Contact], now: float) -> list[Effect]:
        """Ask these contacts; raise :class:`LocalError` when too many are being asked."""
        effects: list[Effect] = []
        for contact in contacts:
            if len(self._asked) >= MOST_ASKED:
                raise LocalError(f"{MOST_ASKED} phones are being asked to boot at the moment")
            self._count += 1
            branch = blake2b(self._count.to_bytes(8, "big"), key=self._secret[:64], digest_size=12).hexdigest()
            asked = self._asked[branch] = _Asked(contact, print_request(_notify(contact, branch)), now)
            effects += self._send(branch, asked, now)
        return effects

    def answered(self, response: Response, now: float) -> list[Effect] | None:
        """Take an answer; ``None``: it is for none of ours."""
        try:
            branch = (vias(response)[0].params.get("branch") or "").removeprefix("z9hG4bK")
        except RemoteError:
            return None
        asked = self._asked.get(branch)
        if asked is None or response.status < FINAL:
            return None if asked is None else []
        self._end(branch)
        phone, reason = asked.contact.phone, printable(response.reason, 80)
        told = MessageEvent(phone=phone, protocol="SIP", sender=phone, receiver=self._role, summary=summary.of_message(response))
        event = CheckSyncAnswered(phone=phone, aor=printable(asked.contact.aor), status=response.status, reason=reason)
        return [Emit(told), Emit(event)]

    def tick(self, now: float) -> list[Effect]:
        """Repeat what was not answered, or give it up."""
        effects: list[Effect] = []
        for branch in self._timers.due(now):
            asked = self._asked[branch]
            if now - asked.began >= GIVE_UP_S:
                self._end(branch)
                contact = asked.contact
                effects.append(Emit(CheckSyncLost(phone=contact.phone, aor=printable(contact.aor), source=str(contact.source))))
            else:
                asked.wait_s = min(2 * asked.wait_s, T2_S)
                effects += self._send(branch, asked, now)
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._timers.next_due()

    def _send(self, branch: str, asked: _Asked, now: float) -> list[Effect]:
        self._timers.arm(branch, min(now + asked.wait_s, asked.began + GIVE_UP_S))
        phone = asked.contact.phone
        told = MessageEvent(phone=phone, protocol="SIP", sender=self._role, receiver=phone, summary="NOTIFY check-sync")
        return [Emit(told), Send(asked.payload, asked.contact.source, PORT)]

    def _end(self, branch: str) -> None:
        del self._asked[branch]
        self._timers.disarm(branch)


def _notify(contact: Contact, branch: str) -> Request:
    """To the contact, at the address that it registered from: its NAT lets our packets in there."""
    domain = contact.aor.partition("@")[2]
    headers = {
        "via": [f"SIP/2.0/UDP {domain};rport;branch=z9hG4bK{branch}"],
        "max-forwards": ["70"],
        "from": [f"<sip:{domain}>;tag={branch[:12]}"],
        "to": [f"<sip:{contact.aor}>"],
        "call-id": [f"{branch}@{domain}"],
        "cseq": ["1 NOTIFY"],
        "contact": [f"<sip:{domain}>"],
        "event": [EVENT],
        "subscription-state": ["terminated"],
    }
    return Request("NOTIFY", contact.uri, headers)
