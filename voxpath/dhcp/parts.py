"""What all answers of the DHCP server are made with."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import VoxpathError
from voxpath.dhcp.destination import address_reply
from voxpath.dhcp.machine import Book
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.policy import Policy
from voxpath.dhcp.recall import Recall
from voxpath.dhcp.reply import NOTHING_MORE, Answer, Replies
from voxpath.dhcp.request import Request
from voxpath.dhcp.scarcity import waiting
from voxpath.dhcp.settings import DhcpSettings
from voxpath.dhcp.silence import Silence
from voxpath.dhcp.steps import Steps
from voxpath.model.event import MessageEvent
from voxpath.model.phone import PhoneClass
from voxpath.model.ports import BindingState, PortBlock
from voxpath.ports.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one server; each answers a question of its own, and none decides about a message."""

    policy: Policy
    ledger: Ledger
    settings: DhcpSettings
    book: Book
    steps: Steps
    replies: Replies
    silence: Silence
    recall: Recall

    def held(self, phone: str) -> PortBlock | None:
        """The block that a phone holds now."""
        row = self.ledger.binding_of(phone)
        return row.block if row is not None and row.state is BindingState.HELD else None

    def answer(
        self,
        kind: MessageType | None,
        request: Request,
        phone_class: PhoneClass,
        name: str,
        block: PortBlock | None,
        address: IPv4Address | None,
    ) -> Answer:
        """An OFFER, an ACK, or the answer to a BOOTP request; without an address given it tells no lease.

        :param name: the host name that the phone is told.
        """
        more = self.recall.options(request.message, request.mac) if kind is MessageType.ACK else NOTHING_MORE
        return self.replies.answer(kind, request.message, request.scope, phone_class, name, block, address, more)

    def exhausted(self, request: Request, phone_class: PhoneClass, error: VoxpathError, now: float) -> list[Effect]:
        """A valid phone cannot be given anything: no answer, and the operator is told why and until when (DHC-24)."""
        return self.silence.exhausted(request, phone_class, error, waiting(self.book, request.link.members, now))

    def send(self, request: Request, answer: Answer, given: IPv4Address | None, summary: str) -> list[Effect]:
        """Send a reply, and tell of it; without an address given it is a NAK."""
        reply = address_reply(answer.payload, request, given, self.settings.client_port)
        if not request.told:
            return [reply]
        summary += answer.note
        told = MessageEvent(phone=request.phone, protocol="DHCP", sender="dhcp", receiver=request.phone, summary=summary)
        return [Emit(told), reply]
