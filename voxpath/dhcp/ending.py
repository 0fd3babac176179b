"""How leases end: given back, found in use by another machine, withdrawn by an operator, or run out (RFC 2131 4.3.3, 4.3.4)."""

from dataclasses import replace
from ipaddress import IPv4Address

from voxpath.core.effects import Effect, Emit
from voxpath.dhcp import options as code
from voxpath.dhcp import shared
from voxpath.dhcp.event import DhcpDeclined, DhcpEnded
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.record import Client, Kind, Step, Timer, is_shared
from voxpath.dhcp.request import Request
from voxpath.model.address import Mac
from voxpath.model.phone import Lease


class Ending:
    """Ends leases and offers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._book = parts.book
        self._silence = parts.silence

    def release(self, request: Request, now: float) -> list[Effect]:
        """A phone gives its lease back."""
        client = self._leaving(request, request.message.ciaddr)
        return client if isinstance(client, list) else self._end(client, Kind.RELEASE, "released", now)

    def decline(self, request: Request, now: float) -> list[Effect]:
        """A phone found its address in use."""
        client = self._leaving(request, request.message.address(code.REQUESTED_ADDRESS))
        if isinstance(client, list):
            return client
        assert client.lease is not None
        probation_s = self._parts.settings.probation_s
        told = DhcpDeclined(phone=client.phone, address=str(client.lease.address), probation_s=probation_s)
        return [Emit(told), *self._end(client, Kind.DECLINE, "declined", now)]

    def withdraw(self, mac: Mac, now: float) -> list[Effect]:
        """End a phone's lease on an operator's word; nothing happens when it is not bound or a change is under way."""
        client = self._book.known(mac)
        if client is None or not client.bound or client.pending:
            return []
        return self._end(client, Kind.RELEASE, "withdrawn", now)

    def fire(self, timer: Timer, now: float) -> list[Effect]:
        """A timer is due: the end of an offer, a lease or a probation, or a repeated undo."""
        if timer.what == "undo":
            return [self._parts.steps.undo(timer.number)]
        if timer.what == "probation":
            assert timer.address is not None
            self._book.end_probation(timer.scope, timer.address)
            return []
        client = self._book.known(timer.mac) if timer.mac is not None else None
        if client is None:
            return []
        if client.pending:
            self._book.timers.arm(timer, now + self._parts.settings.retry_s)
            return []
        if timer.what == "lease":
            return self._end(client, Kind.EXPIRE, "expired", now)
        self._book.drop_offer(client)
        return []

    def _leaving(self, request: Request, address: IPv4Address | None) -> Client | list[Effect]:
        """The client that may give this address up; these messages carry no vendor class (RFC 2131 table 5)."""
        refusal = self._parts.policy.check_mac(request.applicant)
        if refusal is not None:
            return self._silence.ignore(request, refusal)
        server = request.message.address(code.SERVER_ID)
        if server is not None and not request.is_for(server):
            return self._silence.drop(request, "it is for another server")
        client = self._book.known(request.mac)
        if client is None or not client.bound or client.lease is None or client.lease.address != address:
            return self._silence.drop(request, "it has no such lease")
        if is_shared(client.lease) and (reason := self._other_ports(request, client.lease)):
            return self._silence.drop(request, reason)
        if client.pending:
            return self._silence.drop(request, "a change of its lease is under way")
        return client

    def _other_ports(self, request: Request, lease: Lease) -> str:
        """Why a message is not about the ports of a lease of a shared address; empty: it is."""
        block = self._parts.held(lease.phone)
        return "" if block is None else shared.differs(request.message, block, lease.address)

    def _end(self, client: Client, kind: Kind, cause: str, now: float) -> list[Effect]:
        before = client.lease
        assert before is not None
        ended = replace(before, expires=now) if kind is Kind.RELEASE else before
        # Of a shared address nothing is kept but the block, which the ledger remembers.
        after = None if kind is Kind.DECLINE or is_shared(before) else ended
        step = Step(kind, client, self._parts.ledger.release(client.phone, now), before, after)
        told = DhcpEnded(phone=client.phone, address=str(before.address), cause=cause)
        return self._parts.steps.begin(step, [Emit(told)])
