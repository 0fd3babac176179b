"""INFORM: parameters without a lease (RFC 2131 section 4.3.5)."""

from voxpath.core.effects import Effect
from voxpath.dhcp.message import ANY, MessageType
from voxpath.dhcp.parts import Parts
from voxpath.dhcp.policy import Refusal
from voxpath.dhcp.request import Request


class Inform:
    """Tells phones that have an address what else they need."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def inform(self, request: Request, now: float) -> list[Effect]:
        """Answer the address that the phone has."""
        parts, message = self._parts, request.message
        phone_class = parts.policy.admit(request.mac, message.vendor_class)
        if isinstance(phone_class, Refusal):
            return parts.silence.ignore(request, phone_class)
        if not parts.settings.inform or message.ciaddr == ANY:
            return parts.silence.drop(request, "an INFORM is not answered, or names no address")
        payload = parts.answer(MessageType.ACK, request, phone_class, parts.held(request.phone), None)
        return parts.send(request, payload, message.ciaddr, "ACK")
