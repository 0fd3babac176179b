"""INFORM: phones that have their address by hand learn the rest, and get a block (RFC 2131 4.3.5, PHN-18)."""

from ipaddress import IPv4Address

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import LocalError
from voxpath.dhcp.binding import bind, fixed_address, make_offer
from voxpath.dhcp.event import DhcpStaticRefused
from voxpath.dhcp.found import found_at
from voxpath.dhcp.message import ANY, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Refusal
from voxpath.dhcp.record import Client
from voxpath.dhcp.reply import host_name
from voxpath.dhcp.request import Request
from voxpath.model.address import ANY_HOST
from voxpath.model.phone import PhoneClass
from voxpath.ports.change import Exhausted


class Inform:
    """Tells phones that have an address what else they need.

    An address that was leased to the phone stays a lease: it only asks again what it was told.
    Any other is one that a person gave it.
    It becomes a lease: nobody else gets that address, the block is the phone's, and its files are open to it.
    That ends when the phone asks for a lease, on an operator's word, or when no further INFORM has come for a long time.
    For a phone whose address or block the configuration names it does not end by itself.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def inform(self, request: Request, now: float) -> list[Effect]:
        """Answer the address that the phone has."""
        parts, address = self._parts, request.message.ciaddr
        admitted = parts.policy.admit(request.applicant)
        if isinstance(admitted, Refusal):
            return parts.silence.ignore(request, admitted)
        request = request.about(address)
        client = parts.book.known(request.mac)
        lease = client.lease if client is not None and client.bound else None
        leased = lease is not None and not lease.static
        reason = self._unserved(request) or self._unproven(request, client, leased)
        if reason:
            return parts.silence.drop(request, reason)
        return self._tell(request, admitted.phone_class) if leased else self._settle(request, admitted.phone_class, address, now)

    def _unserved(self, request: Request) -> str:
        """Why nobody is answered at this address; empty: somebody may be."""
        address = request.message.ciaddr
        if address == ANY:
            return "it names no address"
        if address not in request.scope.subnet:
            return "its address belongs to another network"
        return "" if request.scope.inform else "static phones are not answered here (inform = false)"

    def _unproven(self, request: Request, client: Client | None, leased: bool) -> str:
        """Why this phone is not answered at this address; empty: it is."""
        message = request.message
        if client is not None and client.pending:
            return "a change of its lease is under way"
        lease = client.lease if client is not None and client.bound else None
        if lease is not None and lease.address != message.ciaddr:
            # Anybody can write a phone's Ethernet address into a message: it takes nothing from the phone that has a lease.
            return "the phone is bound to another address; to move it by hand, release that first"
        if not leased and message.giaddr == ANY and request.source not in ("", ANY_HOST, str(message.ciaddr)):
            return "it was sent from another address than it names"
        return ""

    def _settle(self, request: Request, phone_class: PhoneClass, address: IPv4Address, now: float) -> list[Effect]:
        """Give a block to an address that a person chose; without one the phone still learns the rest."""
        parts = self._parts
        try:
            self._refuse_taken(request, address)
            named, found = self._is_named(request, address), found_at(parts.book, request, address, address, now)
            if not named:
                if found is None:
                    self._refuse_used(request, address, now)
                self._refuse_more(request, now)
            make_offer(parts, request, phone_class, address, now, found)
            client = parts.book.known(request.mac)
            assert client is not None  # it has an offer now
            effects = bind(parts, request, client, phone_class, address, now, 0 if named else request.scope.static_s)
            if not named:
                parts.book.statics.enter(request.scope.name, request.mac)
            return effects
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

    def _refuse_used(self, request: Request, address: IPv4Address, now: float) -> None:
        """What is wrong with this very address comes before what is wrong with any; else the offer would find it out."""
        book = self._parts.book
        holder = book.user(address) or book.holder(address)
        if holder is None or holder.mac != request.mac:
            book.selection.former_owner(request.mac, request.scope, address, now)

    def _is_named(self, request: Request, address: IPv4Address) -> bool:
        """Whether the phone has this address, or its block, by the configuration or on an operator's word."""
        row = self._parts.ledger.binding_of(request.phone)
        return fixed_address(self._parts, request) == address or (row is not None and self._parts.ledger.lasting(row))

    def _refuse_more(self, request: Request, now: float) -> None:
        scope, statics = request.scope, self._parts.book.statics
        if not statics.admits(scope, request.mac, now):
            raise LocalError(f"scope {scope.name} has {statics.count(scope.name, now)} static phones already (static_limit)")

    def _tell(self, request: Request, phone_class: PhoneClass) -> list[Effect]:
        parts = self._parts
        name = host_name(request.message, request.mac)
        answer = parts.answer(MessageType.ACK, request, phone_class, name, parts.held(request.phone), None)
        return parts.send(request, answer, request.message.ciaddr, "ACK")
