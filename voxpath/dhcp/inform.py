"""INFORM: phones that have their address by hand learn the rest, and get their block for ever (RFC 2131 4.3.5, PHN-18)."""

from ipaddress import IPv4Address

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import LocalError
from voxpath.dhcp.binding import bind, fixed_address, make_offer
from voxpath.dhcp.event import DhcpStaticRefused
from voxpath.dhcp.message import ANY, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Refusal
from voxpath.dhcp.reply import host_name
from voxpath.dhcp.request import Request
from voxpath.model.address import ANY_HOST
from voxpath.model.phone import PhoneClass
from voxpath.ports.change import Exhausted


class Inform:
    """Tells phones that have an address what else they need.

    An address that was leased to the phone stays a lease: it only asks again what it was told.
    Any other is one that a person gave it.
    It becomes a lease that never ends: nobody else gets that address, the block stays the phone's, and its files are open to it.
    It ends when the phone asks for a lease, or on an operator's word.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def inform(self, request: Request, now: float) -> list[Effect]:
        """Answer the address that the phone has."""
        parts, message = self._parts, request.message
        address = message.ciaddr
        admitted = parts.policy.admit(request.applicant)
        if isinstance(admitted, Refusal):
            return parts.silence.ignore(request, admitted)
        client = parts.book.known(request.mac)
        if not parts.settings.inform or address == ANY:
            return parts.silence.drop(request, "an INFORM is not answered, or names no address")
        if client is not None and client.pending:
            return parts.silence.drop(request, "a change of its lease is under way")
        request = request.about(address)
        if address not in request.scope.subnet:
            return parts.silence.drop(request, "its address belongs to another network")
        lease = client.lease if client is not None and client.bound else None
        if lease is not None and lease.address != address:
            # Anybody can write a phone's Ethernet address into a message: it takes nothing from the phone that has a lease.
            return parts.silence.drop(request, f"the phone is bound to {lease.address}; to move it by hand, release that first")
        if lease is not None and not lease.permanent:
            return self._tell(request, admitted.phone_class)
        if message.giaddr == ANY and request.source not in ("", ANY_HOST, str(address)):
            return parts.silence.drop(request, "it was sent from another address than it names")
        return self._settle(request, admitted.phone_class, address, now)

    def _settle(self, request: Request, phone_class: PhoneClass, address: IPv4Address, now: float) -> list[Effect]:
        """Give a block to an address that a person chose; without one the phone still learns the rest."""
        parts = self._parts
        try:
            self._refuse_taken(request, address)
            make_offer(parts, request, phone_class, address, now)
            client = parts.book.known(request.mac)
            assert client is not None  # it has an offer now
            return bind(parts, request, client, phone_class, address, now)
        except (Exhausted, LocalError) as error:
            told = DhcpStaticRefused(phone=request.phone, address=str(address), reason=str(error))
            return [Emit(told), *self._tell(request, phone_class)]

    def _refuse_taken(self, request: Request, address: IPv4Address) -> None:
        """An address that is no phone's, or is reserved for another one, cannot be this phone's."""
        parts = self._parts
        if request.scope.shared:
            raise LocalError(f"{address} is shared, and its ports are given with leases only")
        if not request.scope.is_host(address):
            raise LocalError(f"{address} is no address for a phone")
        if parts.book.is_reserved(address) and fixed_address(parts, request) != address:
            raise LocalError(f"{address} is reserved for another phone")

    def _tell(self, request: Request, phone_class: PhoneClass) -> list[Effect]:
        parts = self._parts
        name = host_name(request.message, request.mac)
        answer = parts.answer(MessageType.ACK, request, phone_class, name, parts.held(request.phone), None)
        return parts.send(request, answer, request.message.ciaddr, "ACK")
