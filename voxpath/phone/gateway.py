"""The phone's MEGACO media gateway: registers, does what its controller says, and tells it what the user does (REG-1 to REG-8)."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import NamedTuple

from voxpath.core.effects import Close, Datagram, Effect, Effects, Emit, Failed, Open, Outcome
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.core.timers import TimerHeap, earliest
from voxpath.megaco.code import NOT_REGISTERED, UNAUTHORIZED_ENTITY
from voxpath.megaco.errands import failure
from voxpath.megaco.identity import X_MAC, X_PUBLIC
from voxpath.megaco.incoming import Peer
from voxpath.megaco.machine import Answered, GivenUp, Requested, Settings, Transactions, Turn
from voxpath.megaco.message import (
    NULL_CONTEXT,
    ROOT,
    VERSION,
    Action,
    Command,
    CommandKind,
    ErrorDescriptor,
    MId,
    ObservedEvent,
    ObservedEvents,
    Property,
    Quoted,
    ServiceChangeMethod,
    Services,
)
from voxpath.megaco.outgoing import BACKOFF
from voxpath.megaco.timestamp import timestamp
from voxpath.model.address import Endpoint
from voxpath.model.event import printable
from voxpath.model.phone import BootLease
from voxpath.phone.attach import RESTORED, RETRY, Attachment, Refused, Stage
from voxpath.phone.event import ControllerLost, PhoneNotRegistered, PhoneRegistered, PhoneRegistering, PortFailed
from voxpath.phone.execute import Terminations
from voxpath.phone.line import PhoneLine, Sound
from voxpath.phone.media import Media, MediaStatistics

PORT = "megaco"
"""The name of the signalling port; streams have ports ``rtp/1``, ``rtp/2`` and so on."""

FORGOTTEN = frozenset({UNAUTHORIZED_ENTITY, NOT_REGISTERED})
"""A controller answers so when it has lost the registration."""

REGISTER = "register"

PATIENCE = replace(BACKOFF, give_up_s=15.0)
"""The RFC's T-MAX of 30 s for each controller would leave a phone silent for a minute; half of it is seven attempts still."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the phone behaves.

    :ivar backoff: its retransmissions; a controller is given up after ``give_up_s``.
    :ivar retry: its waits after no controller took it.
    :ivar spread_s: the registration begins at random within this time (RFC 3525 9.2).
    """

    backoff: Backoff = PATIENCE
    retry: Backoff = RETRY
    spread_s: float = 0.0
    compact: bool = False


class LineState(NamedTuple):
    """What a user sees and hears of a line."""

    off_hook: bool
    sound: Sound
    connected: bool
    media: MediaStatistics | None


class _Notified(NamedTuple):
    """The token of a Notify or of a line's ServiceChange."""

    termination: str


class Gateway:
    """The MEGACO side of one phone.

    :param lease: what the phone was given when it booted.
    :param lines: how many lines it has.
    :param make_media: makes the media of a stream.
    """

    def __init__(
        self,
        lease: BootLease,
        lines: int,
        entropy: Entropy,
        make_media: Callable[[], Media],
        settings: GatewaySettings | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        self._lease = lease
        self._phone = str(lease.mac)
        self._entropy = entropy
        self._port = lease.block.first
        self._attachment = Attachment(lease.mgcs, entropy, self.settings.retry)
        self._timers: TimerHeap[str] = TimerHeap()
        self._peer: Peer | None = None
        self._terminations = Terminations(str(lease.address), lease.block, self._port, lines, make_media)
        self._transactions = self._new_transactions()

    # What the user does.

    def off_hook(self, line: int, now: float) -> Effects:
        """Take the receiver off."""
        phone_line = self._line(line)
        if phone_line.off_hook:
            return []
        return self._tell(phone_line, phone_line.lift(), now)

    def dial(self, line: int, digits: str, now: float) -> Effects:
        """Press keys."""
        phone_line = self._line(line)
        return self._tell(phone_line, phone_line.press(digits), now)

    def on_hook(self, line: int, now: float) -> Effects:
        """Put the receiver back; a call whose controller is gone ends here and now."""
        phone_line = self._line(line)
        if not phone_line.off_hook:
            return []
        effects = list(self._tell(phone_line, phone_line.hang_up(), now))
        if phone_line.context in self._terminations.orphans:
            effects += self._terminations.drop_context(phone_line.context)
            effects += self._restore(phone_line, now)
        return effects

    def state(self, line: int) -> LineState:
        """What the user sees and hears."""
        phone_line = self._line(line)
        stream = self._terminations.stream_of(phone_line)
        connected = phone_line.off_hook and stream is not None and stream.connected
        sound = Sound.CONNECTED if connected and phone_line.sound is Sound.SILENCE else phone_line.sound
        return LineState(phone_line.off_hook, sound, connected, stream.media.statistics() if stream is not None else None)

    @property
    def stage(self) -> Stage:
        """How far the registration has come."""
        return self._attachment.stage

    @property
    def controller(self) -> Endpoint | None:
        """Where the phone is registered; ``None``: nowhere."""
        return self._attachment.controller if self.stage is Stage.REGISTERED else None

    # The core.

    def start(self, now: float) -> Effects:
        """Open the first port of the block, and register (REG-2 to REG-5)."""
        effects: list[Effect] = [Open(PORT, Endpoint(str(self._lease.address), self._port))]
        if not self._lease.mgcs:
            effects.append(Emit(PhoneNotRegistered(phone=self._phone, reason="the lease names no controller", again_s=0)))
        elif self.settings.spread_s:
            self._timers.arm(REGISTER, now + self.settings.spread_s * self._entropy.random())
        else:
            effects += self._register(self._attachment.begin(), now)
        return effects

    def stop(self, now: float) -> Effects:
        """Close all ports."""
        effects: list[Effect] = []
        for stream in list(self._terminations.streams.values()):
            effects += self._terminations.drop_context(stream.context)
        return [*effects, Close(PORT)]

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a datagram of the controller or of the other phone."""
        if datagram.port == PORT:
            return self._work(self._transactions.receive(datagram, now), now)
        stream = self._terminations.streams.get(datagram.port)
        return stream.media.receive(datagram, now) if stream is not None else []

    def tick(self, now: float) -> Effects:
        """Run the timers that are due."""
        effects: list[Effect] = []
        for stream in list(self._terminations.streams.values()):
            effects += stream.media.tick(now)
        effects += self._work(self._transactions.tick(now), now)
        for timer in self._timers.due(now):
            if timer == REGISTER:
                effects += self._register(self._attachment.begin(), now)
            else:
                line = self._terminations.lines[timer]
                effects += self._tell(line, line.late(), now)
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        streams = (stream.media.next_due() for stream in self._terminations.streams.values())
        return earliest(self._transactions.next_due(), self._timers.next_due(), *streams)

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the failure of a port: the next port of the block is tried for signalling (REG-2)."""
        if not isinstance(outcome, Failed):
            return []
        effects: list[Effect] = [Emit(PortFailed(phone=self._phone, port=str(token), reason=printable(outcome.reason)))]
        if token != PORT:
            self._terminations.port_failed(str(token))
            return effects
        self._port += 1
        if self._port not in self._lease.block:
            self._timers.disarm(REGISTER)
            self._attachment.fail()
            return [*effects, Emit(PhoneNotRegistered(phone=self._phone, reason="no port is free", again_s=0))]
        self._terminations.signalling = self._port
        self._transactions = self._new_transactions()
        return [*effects, *self.start(now)]

    def _work(self, turn: Turn, now: float) -> list[Effect]:
        effects = list(turn.effects)
        for item in turn.inputs:
            match item:
                case Requested():
                    effects += self._requested(item, now)
                case Answered(token="register"):
                    effects += self._registered(item, now)
                case Answered(token=_Notified(), reply=reply):
                    error = failure(reply)
                    if error is not None and error.code in FORGOTTEN and self.stage is Stage.REGISTERED:
                        effects += self._lost(f"error {error.code}", now, forgotten=True)
                case GivenUp(token="register"):
                    effects += self._register(self._attachment.next(), now)
                case GivenUp(peer=peer, reason=reason) if peer == self._peer:
                    effects += self._lost(reason, now, forgotten=False)
        return effects

    # Registration.

    def _register(self, controller: Endpoint | None, now: float) -> list[Effect]:
        if controller is None:
            return self._failed("no controller answers", now)
        method, reason = self._attachment.method
        services = Services(
            method=method,
            reason=reason,
            version=VERSION,
            timestamp=timestamp(now),
            extensions=(
                Property(X_MAC, (Quoted(self._phone),)),
                Property(X_PUBLIC, (Quoted(str(self._lease.block.public)),)),
            ),
        )
        command = Command(CommandKind.SERVICE_CHANGE, ROOT, (services,))
        self._peer = None
        mid = str(self._transactions.settings.mid)
        event = PhoneRegistering(phone=self._phone, mid=mid, controller=str(controller), method=method.value)
        turn = self._transactions.request(Peer("", controller), (Action(NULL_CONTEXT, (command,)),), REGISTER, now)
        return [Emit(event), *self._work(turn, now)]

    def _registered(self, answered: Answered, now: float) -> list[Effect]:
        if self.stage is not Stage.REGISTERING or self._attachment.controller is None:
            return []
        try:
            peer = self._attachment.accept(answered.peer, answered.reply)
        except Refused as refusal:
            return self._failed(printable(str(refusal)), now)
        if peer is None:
            return self._register(self._attachment.controller, now)
        self._peer = peer
        mid = str(self._transactions.settings.mid)
        return [Emit(PhoneRegistered(phone=self._phone, mid=mid, controller=str(peer.address)))]

    def _failed(self, reason: str, now: float) -> list[Effect]:
        wait_s = self._attachment.fail()
        self._timers.arm(REGISTER, now + wait_s)
        return [Emit(PhoneNotRegistered(phone=self._phone, reason=reason, again_s=wait_s))]

    def _lost(self, reason: str, now: float, *, forgotten: bool) -> list[Effect]:
        """The controller is gone, or has forgotten the phone: calls go on until they are hung up, and another one is asked."""
        controller = self._attachment.controller
        if self._peer is not None:
            self._transactions.abandon(self._peer)
        self._terminations.orphan_all()
        effects: list[Effect] = []
        for line in self._terminations.lines.values():
            if line.context is not None and not line.off_hook:
                effects += self._terminations.drop_context(line.context)
        event = ControllerLost(phone=self._phone, controller=str(controller), reason=printable(reason))
        following = self._attachment.return_to() if forgotten else self._attachment.fail_over()
        return [*effects, Emit(event), *self._register(following, now)]

    # The controller's requests.

    def _requested(self, requested: Requested, now: float) -> list[Effect]:
        peer = requested.ticket.peer
        if self._peer is None or peer.address.host != self._peer.address.host:
            error = ErrorDescriptor(NOT_REGISTERED, "not registered here")
            return self._transactions.reply(requested.ticket, (), error, now=now)
        replies, effects = self._terminations.execute(requested.request.actions, now)
        # The ports open before the reply that names them leaves.
        effects += self._transactions.reply(requested.ticket, replies, now=now)
        touched, self._terminations.touched = self._terminations.touched, []
        for line in touched:
            effects += self._tell(line, line.due(), now)
        return effects

    def _tell(self, line: PhoneLine, observed: list[ObservedEvent], now: float) -> list[Effect]:
        """Notify the controller of what it wants to know of."""
        if line.timer_s is not None:
            self._timers.arm(line.termination, now + line.timer_s)
        else:
            self._timers.disarm(line.termination)
        if not observed or line.wanted is None or self._peer is None:
            return []
        stamped = tuple(ObservedEvent(each.name, each.parameters, timestamp(now)) for each in observed)
        descriptor = ObservedEvents(line.wanted.request_id, stamped)
        command = Command(CommandKind.NOTIFY, line.termination, (descriptor,))
        context = line.context if line.context is not None else NULL_CONTEXT
        return self._ask(Action(context, (command,)), line, now)

    def _restore(self, line: PhoneLine, now: float) -> list[Effect]:
        """Tell the new controller that a line has become free."""
        if self._peer is None:
            return []
        services = Services(method=ServiceChangeMethod.RESTART, reason=RESTORED, timestamp=timestamp(now))
        command = Command(CommandKind.SERVICE_CHANGE, line.termination, (services,))
        return self._ask(Action(NULL_CONTEXT, (command,)), line, now)

    def _ask(self, action: Action, line: PhoneLine, now: float) -> list[Effect]:
        assert self._peer is not None
        return self._work(self._transactions.request(self._peer, (action,), _Notified(line.termination), now), now)

    def _line(self, number: int) -> PhoneLine:
        return self._terminations.lines[f"line/{number}"]

    def _new_transactions(self) -> Transactions:
        mid = MId.of_address(self._lease.address, self._port)
        settings = Settings(mid, self._phone, PORT, self.settings.compact, self.settings.backoff)
        return Transactions(settings, self._entropy, lambda peer: (self._phone, "mgc"))
