"""BOOTP: one request, one reply, an address for ever (RFC 951, RFC 1534 section 2, DHC-21, DHC-26).

A BOOTP client names no class, so nothing but a reservation of its Ethernet address that fixes one lets it pass the second check.
"""

from voxpath.core.effects import Effect
from voxpath.core.errors import LocalError
from voxpath.dhcp.binding import bind, make_offer
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Check, Refusal
from voxpath.dhcp.request import Request
from voxpath.ports.change import Exhausted


class Bootp:
    """Answers clients from before DHCP."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def bootp(self, request: Request, now: float) -> list[Effect]:
        """Give a reserved client its address; everybody else hears nothing."""
        parts = self._parts
        admitted = parts.policy.admit(request.applicant)
        reservation = parts.policy.reservation_of(request.applicant)
        if isinstance(admitted, Refusal) and admitted.check is Check.MAC:
            return parts.silence.ignore(request, admitted)
        if isinstance(admitted, Refusal) or reservation is None or reservation.mac != request.mac or not reservation.phone_class:
            reason = "BOOTP carries no class, and no reservation of this Ethernet address fixes one"
            return parts.silence.ignore(request, Refusal(Check.VENDOR_CLASS, reason))
        request = request.about(reservation.address)
        if reservation.address not in request.scope.subnet:
            return parts.silence.drop(request, "its reserved address belongs to another network")
        if request.message.sname not in (b"", str(request.scope.server).encode("ascii")):
            return parts.silence.drop(request, "it asks for another server")
        client = parts.book.known(request.mac)
        if client is not None and client.pending:
            return parts.silence.drop(request, "a change of its lease is under way")
        try:
            offer = make_offer(parts, request, admitted.phone_class, reservation.address, now)
            client = parts.book.known(request.mac)
            assert client is not None  # it has an offer now
            return bind(parts, request, client, admitted.phone_class, offer.address, now)
        except (Exhausted, LocalError) as error:
            return parts.exhausted(request, admitted.phone_class, error, now)
