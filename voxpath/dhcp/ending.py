"""How leases end: given back, found in use by another machine, or run out (RFC 2131 4.3.3, 4.3.4)."""

from ipaddress import IPv4Address

from voxpath.core.effects import Commit, Delete, Effect, Emit
from voxpath.dhcp import options as code
from voxpath.dhcp import shared
from voxpath.dhcp.event import DhcpDeclined
from voxpath.dhcp.message import ANY
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.record import Client, Kind, Timer, is_shared
from voxpath.dhcp.request import Request
from voxpath.model.address import text_of
from voxpath.model.phone import Lease, Probation

MAX_DECLINED = 4
"""Addresses that one phone can have put on probation; one that declines whatever it gets would leave none for the others."""


class Ending:
    """Ends leases and offers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._book = parts.book
        self._silence = parts.silence

    def release(self, request: Request, now: float) -> list[Effect]:
        """A phone gives its lease back.

        It has the address still, so it sends from there (RFC 2131 section 4.4.6), or through its relay.
        """
        message = request.message
        client = self._leaving(request, message.ciaddr)
        if isinstance(client, list):
            return client
        if message.giaddr == ANY and request.source not in ("", text_of(message.ciaddr)):
            return self._silence.drop(request, "it was sent from another address than it gives back")
        return self._parts.steps.end(client, Kind.RELEASE, "released", now)

    def decline(self, request: Request, now: float) -> list[Effect]:
        """A phone found its address in use."""
        client = self._leaving(request, request.message.address(code.REQUESTED_ADDRESS))
        if isinstance(client, list):
            return client
        assert client.lease is not None
        if self._book.declined.by(request.mac) >= MAX_DECLINED:
            return self._silence.drop(request, f"it has declined {MAX_DECLINED} addresses already, and is not believed")
        probation_s = self._parts.settings.probation_s
        told = DhcpDeclined(phone=client.phone, address=str(client.lease.address), probation_s=probation_s)
        return [Emit(told), *self._parts.steps.end(client, Kind.DECLINE, "declined", now)]

    def fire(self, timer: Timer, now: float) -> list[Effect]:
        """A timer is due: the end of an offer, a lease or a probation, a repeated undo or FORCERENEW."""
        if timer.what == "undo":
            return [self._parts.steps.undo(timer.number)]
        if timer.what == "recall":
            return self._parts.recall.again(timer, now)
        if timer.what == "probation":
            assert timer.address is not None
            self._book.end_probation(timer.scope, timer.address, timer.mac)
            if timer.mac is None:
                return []
            # One whose row stays for want of a disk is found to be over at the next start.
            return [Commit((Delete(Probation(timer.address, timer.scope, timer.mac, now)),))]
        client = self._book.known(timer.mac) if timer.mac is not None else None
        if client is None:
            return []
        if client.pending:
            self._book.timers.arm(timer, now + self._parts.settings.retry_s)
            return []
        if timer.what == "lease":
            return self._parts.steps.end(client, Kind.EXPIRE, "expired", now)
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
        if request.link.named(client.lease.scope) is None:
            return self._silence.drop(request, "it came from another link than its lease is of")
        client_id = request.message.options.get(code.CLIENT_ID)
        if client_id is not None and client.lease.client_id not in (b"", client_id):
            return self._silence.drop(request, "it has another client identifier than the lease (RFC 2131 section 4.2)")
        if is_shared(client.lease) and (reason := self._other_ports(request, client.lease)):
            return self._silence.drop(request, reason)
        if client.pending:
            return self._silence.drop(request, "a change of its lease is under way")
        return client

    def _other_ports(self, request: Request, lease: Lease) -> str:
        """Why a message is not about the ports of a lease of a shared address; empty: it is."""
        block = self._parts.held(lease.phone)
        return "" if block is None else shared.differs(request.message, block, lease.address)
