"""What gets no answer: it is counted by reason, and told to the operator alone (DHC-3, DHC-4, DHC-24)."""

from voxpath.core.effects import Effect, Emit
from voxpath.core.errors import VoxpathError
from voxpath.dhcp.event import DhcpDropped, DhcpExhausted, DhcpIgnoredClass, DhcpIgnoredMac
from voxpath.dhcp.policy import Check, Refusal
from voxpath.dhcp.request import Request
from voxpath.model.phone import PhoneClass
from voxpath.ports.change import MAKE_ROOM, Exhausted


class Silence:
    """The unanswered messages.

    :ivar counts: how many there were, by reason.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def ignore(self, request: Request, refusal: Refusal) -> list[Effect]:
        """A client failed one of the two checks."""
        self._count(f"refused by {refusal.check.value}")
        event = DhcpIgnoredMac if refusal.check is Check.MAC else DhcpIgnoredClass
        return [Emit(event(phone=request.phone, message=request.name, reason=refusal.reason))]

    def drop(self, request: Request, reason: str) -> list[Effect]:
        """A message is not answered for another reason."""
        return self.drop_unread(request.phone, request.name, reason)

    def drop_unread(self, phone: str, name: str, reason: str, kind: str = "") -> list[Effect]:
        """Drop a message before it became a request.

        :param kind: what it is counted as, if the reason has something in it that a stranger chose.
        """
        self._count(kind or reason)
        return [Emit(DhcpDropped(phone=phone, message=name, reason=reason))]

    def exhausted(self, request: Request, phone_class: PhoneClass, error: VoxpathError, waiting: str) -> list[Effect]:
        """A valid phone cannot be given anything.

        :param waiting: what could be given later, as :func:`~voxpath.dhcp.scarcity.waiting` tells it.
        """
        self._count("nothing is left")
        told = DhcpExhausted(
            phone=request.phone,
            scope=request.scope.name,
            phone_class=phone_class.name,
            reason=str(error),
            waiting=waiting,
            todo=error.todo if isinstance(error, Exhausted) else MAKE_ROOM,
        )
        return [Emit(told)]

    def _count(self, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
