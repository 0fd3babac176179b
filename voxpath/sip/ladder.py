"""What is told of each message: an arrow of the ladder for a request, and one for whatever is sent because of it."""

from msgspec.structs import replace

from voxpath.core.effects import Commit, Effect, Effects, Emit, Send
from voxpath.model.event import MessageEvent
from voxpath.sip import summary
from voxpath.sip.peers import Sender
from voxpath.sip.reply import LARGEST_ANSWER, Incoming
from voxpath.sip.tally import Tally

TOO_LARGE = "answer larger than a datagram"
"""Why something is not answered."""


class Ladder:
    """Completes effects by their arrows, and leaves out events that are too many.

    :param role: our own name.
    """

    def __init__(self, role: str, tally: Tally) -> None:
        self._role = role
        self._tally = tally

    def exchange(self, incoming: Incoming, sender: Sender, peer: str, effects: Effects, now: float) -> list[Effect]:
        """Tell of a request and of its answers.

        :param peer: the phone that is called.
        """
        request = incoming.request
        phone, proven = sender
        told: list[Effect] = []
        if self._tells(sender, now):
            name = phone if proven else str(incoming.datagram.source)
            words = summary.of_message(request)
            told.append(Emit(MessageEvent(phone=phone, peer=peer, protocol="SIP", sender=name, receiver=self._role, summary=words)))
        return told + self.told(effects, request.method, sender, peer, now)

    def told(self, effects: Effects, method: str, sender: Sender, peer: str, now: float) -> list[Effect]:
        """Tell of answers to a request of this method; those that wait for a commit are told of when they leave."""
        told: list[Effect] = []
        for effect in effects:
            match effect:
                case Send(payload=payload) if len(payload) > LARGEST_ANSWER:
                    self._tally.silent[TOO_LARGE] += 1
                case Send():
                    told.append(effect)
                    if self._tells(sender, now):
                        told.append(Emit(self._answer(effect, method, sender, peer)))
                case Commit(then=then):
                    told.append(replace(effect, then=tuple(self.told(then, method, sender, peer, now))))
                case Emit(event=event) if not self._tally.admits(event, now):
                    pass
                case _:
                    told.append(effect)
        return told

    def _tells(self, sender: Sender, now: float) -> bool:
        """Anybody can send what concerns a phone, so what is not proven to be its own is bounded."""
        return sender.proven or self._tally.tells(MessageEvent, now)

    def _answer(self, send: Send, method: str, sender: Sender, peer: str) -> MessageEvent:
        phone, proven = sender
        receiver = phone if proven else str(send.destination)
        words = summary.of_answer(send.payload, method)
        return MessageEvent(phone=phone, peer=peer, protocol="SIP", sender=self._role, receiver=receiver, summary=words)
