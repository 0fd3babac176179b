"""What is told of each message: an arrow of the ladder for a request, and one for whatever is sent because of it."""

from voxpath.core.effects import Commit, Effect, Effects, Emit, Send
from voxpath.model.event import MessageEvent
from voxpath.sip import summary
from voxpath.sip.reply import Incoming
from voxpath.sip.tally import Tally


class Ladder:
    """Completes effects by their arrows, and leaves out events that are too many.

    :param role: our own name.
    """

    def __init__(self, role: str, tally: Tally) -> None:
        self._role = role
        self._tally = tally

    def exchange(self, incoming: Incoming, phone: str, peer: str, effects: Effects, now: float) -> list[Effect]:
        """Tell of a request and of its answers.

        :param phone: who sent it; empty: not known.
        :param peer: the phone that is called.
        """
        request = incoming.request
        sender = phone or str(incoming.datagram.source)
        words = summary.of_message(request)
        arrow = MessageEvent(phone=phone, peer=peer, protocol="SIP", sender=sender, receiver=self._role, summary=words)
        return [Emit(arrow), *self.told(effects, request.method, phone, peer, now)]

    def told(self, effects: Effects, method: str, phone: str, peer: str, now: float) -> list[Effect]:
        """Tell of answers to a request of this method; those that wait for a commit are told of when they leave."""
        told: list[Effect] = []
        for effect in effects:
            match effect:
                case Send():
                    told += (effect, Emit(self._answer(effect, method, phone, peer)))
                case Commit(then=then):
                    told.append(effect._replace(then=tuple(self.told(then, method, phone, peer, now))))
                case Emit(event=event) if not self._tally.admits(event, now):
                    pass
                case _:
                    told.append(effect)
        return told

    def _answer(self, send: Send, method: str, phone: str, peer: str) -> MessageEvent:
        receiver = phone or str(send.destination)
        words = summary.of_answer(send.payload, method)
        return MessageEvent(phone=phone, peer=peer, protocol="SIP", sender=self._role, receiver=receiver, summary=words)
