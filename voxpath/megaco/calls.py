"""Call control for analogue lines: off-hook, digits, ringing, answer, release (RFC 3525 Appendix I, CSU-11 to CSU-15).

Each line is served in its own order; the two sides of a call meet only here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import count

from voxpath.core.effects import Connect, Disconnect
from voxpath.core.timers import TimerHeap
from voxpath.megaco import order, package
from voxpath.megaco.association import Association, Errand, Line, LinePhase, Step
from voxpath.megaco.call import TONES, Call, CallPhase, CallState, Cause, Leg, session_of, state_of
from voxpath.megaco.code import ALREADY_IN_CONTEXT
from voxpath.megaco.directory import NumberPlan
from voxpath.megaco.errands import Errands, Outbox, failure
from voxpath.megaco.event import CallAnswered, CallRefused, CallReleased, CallRinging, LineRefused, TriangleDecided
from voxpath.megaco.message import (
    ALL_CONTEXTS,
    CHOOSE_CONTEXT,
    NULL_CONTEXT,
    Action,
    CommandKind,
    ErrorDescriptor,
    Media,
    ObservedEvents,
    Statistics,
    TransactionReply,
)
from voxpath.megaco.session import port_of
from voxpath.model.call import LONGEST_NUMBER, Party, Triangle
from voxpath.model.event import printable

MOST_CALLS = 20_000
"""Calls at a time; a further one is refused."""

MOST_STATISTICS = 32
"""Statistics kept of one side of a call."""

NO_CONTEXTS = frozenset({NULL_CONTEXT, CHOOSE_CONTEXT, ALL_CONTEXTS})


@dataclass(frozen=True, slots=True)
class CallTimes:
    """How long a call may take to come about.

    :ivar setup_s: until the callee rings.
    :ivar ring_s: until the callee answers.
    """

    setup_s: float = 10.0
    ring_s: float = 120.0


class Calls:
    """All calls."""

    def __init__(
        self,
        errands: Errands,
        outbox: Outbox,
        plan: NumberPlan,
        triangle: Triangle,
        find: Callable[[str], Association | None],
        times: CallTimes,
    ) -> None:
        self.plan = plan
        self._errands = errands
        self._outbox = outbox
        self._triangle = triangle
        self._find = find
        self._times = times
        self._calls: dict[int, Call] = {}
        self._numbers = count(1)
        self._timers: TimerHeap[int] = TimerHeap()

    def states(self) -> tuple[CallState, ...]:
        """All calls, as commands show them."""
        return tuple(state_of(call) for call in self._calls.values())

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._timers.next_due()

    def tick(self, now: float) -> None:
        """End the calls that take too long to come about."""
        for number in self._timers.due(now):
            call = self._calls.get(number)
            if call is not None:
                self._release(call, Cause.NO_ANSWER if call.phase is CallPhase.RINGING else Cause.TOO_SLOW, None, now)

    # What lines do.

    def arm(self, line: Line, now: float) -> None:
        """Silence the line, and wait until it goes off-hook."""
        line.phase, line.call = LinePhase.ARMING, None
        self._errands.order(line, Step.ARM, order.arm(line.termination, self._errands.request_id(line)), now)

    def observed(self, line: Line, observed: ObservedEvents, context: int, now: float) -> None:
        """Take the events of a Notify.

        A context of a call that this controller does not know is left from an earlier run of it: with the first sign of its
        line it ends, or both would be lost for ever.
        """
        if line.call is None and context not in NO_CONTEXTS and not line.releasing:
            self._errands.order(line, Step.RELEASE, order.release(context, line.termination, ""), now)
        for event in observed.events:
            match event.name.lower():
                case package.AL_OFF_HOOK:
                    self._off_hook(line, now)
                case package.AL_ON_HOOK:
                    self._on_hook(line, now)
                case package.DD_COMPLETION if line.phase is LinePhase.DIALLING and observed.request_id == line.request_id:
                    self._dialled(line, event.parameter(package.DD_DIGITS)[:LONGEST_NUMBER], now)

    def line_lost(self, line: Line, now: float) -> None:
        """A line's gateway is gone, and with it its side of a call; or it took the line out of service."""
        call, line.call, line.phase = line.call, None, LinePhase.UNKNOWN
        if call is not None:
            call.leg(line).over = line.association.gone
            self._release(call, Cause.LOST, line, now)

    def dropped(self, errand: Errand) -> None:
        """An order will never be answered, since its gateway is gone: its side of a call is over."""
        if errand.call is not None and errand.line is not None:
            errand.call.leg(errand.line).over = True
            self._conclude(errand.call)

    def _off_hook(self, line: Line, now: float) -> None:
        call = line.call
        if line.phase is LinePhase.CALLED and call is not None:
            if call.phase is CallPhase.RINGING:
                self._answer(call, now)
            elif call.phase is CallPhase.SETTING_UP:
                call.early = True
        elif line.phase in {LinePhase.IDLE, LinePhase.ARMING, LinePhase.UNKNOWN}:
            line.phase = LinePhase.DIALLING
            request_id = self._errands.request_id(line)
            self._errands.order(line, Step.DIAL, order.dial(line.termination, request_id, self.plan.digit_map), now)

    def _on_hook(self, line: Line, now: float) -> None:
        call = line.call
        if call is not None and call.phase is not CallPhase.RELEASING:
            self._release(call, Cause.HANG_UP, line, now)
        self.arm(line, now)

    def _dialled(self, line: Line, digits: str, now: float) -> None:
        caller = line.association
        goal = self.plan.line(digits)
        callee = self._find(goal.phone) if goal is not None else None
        called = callee.lines.get(goal.termination.lower()) if callee is not None and goal is not None else None
        if goal is None:
            cause = Cause.UNKNOWN_NUMBER
        elif callee is None or called is None or called.phase is LinePhase.UNKNOWN:
            cause = Cause.NOT_REGISTERED
        elif called.phase is not LinePhase.IDLE:
            cause = Cause.BUSY
        elif len(self._calls) >= MOST_CALLS:
            cause = Cause.FULL
        else:
            self._begin(line, called, digits, now)
            return
        peer = goal.phone if goal is not None else ""
        self._outbox.emit(CallRefused(phone=caller.phone, peer=peer, digits=printable(digits), cause=cause.value))
        self._tone(line, cause, now)

    # Set-up.

    def _begin(self, line: Line, called: Line, digits: str, now: float) -> None:
        first, second = line.association, called.association
        selection = self._triangle(*_parties(first, second))
        call = Call(next(self._numbers), printable(digits), line, called, selection, now)
        self._calls[call.number] = call
        line.phase, called.phase = LinePhase.CALLING, LinePhase.CALLED
        line.call = called.call = call
        self._timers.arm(call.number, now + self._times.setup_s)
        self._outbox.emit(
            TriangleDecided(
                phone=first.phone,
                peer=second.phone,
                call=call.number,
                kind="private" if selection.private else "public",
                first=str(selection.first),
                second=str(selection.second),
                reason=selection.reason,
            )
        )
        request_id = self._errands.request_id(line)
        self._add(call, call.caller, Step.ADD_CALLER, order.add_caller(line.termination, request_id, selection.first), now)

    def _add(self, call: Call, leg: Leg, step: Step, actions: tuple[Action, ...], now: float) -> None:
        leg.adding, leg.over = True, False
        self._errands.order(leg.line, step, actions, now, call)

    def answered(self, errand: Errand, reply: TransactionReply, now: float) -> None:
        """Take the reply to an order."""
        line, call, error = errand.line, errand.call, failure(reply)
        assert line is not None
        match errand.step:
            case Step.ARM:
                self._armed(line, errand, error)
            case Step.ADD_CALLER | Step.ADD_CALLEE if call is not None:
                self._added(call, call.leg(line), reply, error, now)
            case Step.RINGBACK | Step.CONNECT if call is not None and error is not None:
                self._release(call, Cause.FAILED, None, now)
            case Step.RELEASE if call is not None:
                self._left(call, call.leg(line), reply, now)
            case Step.DIAL | Step.TONE if error is not None:
                self._refused(line, error)
        self._errands.finish(errand, now)

    def _armed(self, line: Line, errand: Errand, error: ErrorDescriptor | None) -> None:
        if line.phase is not LinePhase.ARMING or line.queue:
            return
        line.phase = LinePhase.IDLE if error is None else LinePhase.UNKNOWN
        if error is not None:
            self._refused(line, error)

    def _refused(self, line: Line, error: ErrorDescriptor) -> None:
        reason = printable(f"{error.code} {error.text}".strip())
        self._outbox.emit(LineRefused(phone=line.association.phone, termination=printable(line.termination), reason=reason))

    def _added(self, call: Call, leg: Leg, reply: TransactionReply, error: ErrorDescriptor | None, now: float) -> None:
        leg.adding = False
        _take_context(leg, reply)
        if leg.context is None:
            leg.over = True
        if call.phase is CallPhase.RELEASING:
            self._leave(call, leg, now)
        elif error is not None or not leg.stream or not leg.port:
            busy = error is not None and error.code == ALREADY_IN_CONTEXT and leg is call.callee
            self._release(call, Cause.BUSY if busy else Cause.FAILED, None, now)
        elif leg is call.caller:
            caller, callee = call.legs
            request_id = self._errands.request_id(callee.line)
            actions = order.add_callee(callee.line.termination, request_id, callee.address, caller.address, caller.port)
            self._add(call, callee, Step.ADD_CALLEE, actions, now)
        else:
            self._ringing(call, now)

    def _ringing(self, call: Call, now: float) -> None:
        caller, callee = call.legs
        assert caller.context is not None
        call.phase = CallPhase.RINGING
        self._timers.arm(call.number, now + self._times.ring_s)
        self._outbox.effects.append(Connect(session_of(call)))
        phone, peer = caller.line.association.phone, callee.line.association.phone
        self._outbox.emit(CallRinging(phone=phone, peer=peer, call=call.number, digits=call.digits))
        actions = order.ringback(caller.context, caller.line.termination, caller.stream, callee.address, callee.port)
        self._errands.order(caller.line, Step.RINGBACK, actions, now, call)
        if call.early:
            self._answer(call, now)

    def _answer(self, call: Call, now: float) -> None:
        call.phase, call.answered = CallPhase.TALKING, now
        self._timers.disarm(call.number)
        self._outbox.effects.append(Connect(session_of(call)))
        caller, callee = call.legs
        phone, peer = caller.line.association.phone, callee.line.association.phone
        self._outbox.emit(CallAnswered(phone=phone, peer=peer, call=call.number))
        for leg in (callee, caller):
            assert leg.context is not None
            actions = order.connect(leg.context, leg.line.termination, self._errands.request_id(leg.line), leg.stream)
            self._errands.order(leg.line, Step.CONNECT, actions, now, call)

    # Release.

    def _release(self, call: Call, cause: Cause, by: Line | None, now: float) -> None:
        """End a call; the line ``by`` which it ends is served by its caller, every other one hears why."""
        if call.phase is CallPhase.RELEASING:
            return
        rang = call.phase is not CallPhase.TALKING
        self._outbox.effects.append(Disconnect(str(call.number)))
        call.phase, call.cause, call.released = CallPhase.RELEASING, cause, now
        self._timers.disarm(call.number)
        for leg in call.legs:
            self._leave(call, leg, now)
            line = leg.line
            if line is by or line.call is not call:
                continue
            line.call = None
            if rang and leg is call.callee:
                self.arm(line, now)
            else:
                self._tone(line, cause, now)
        self._conclude(call)

    def _leave(self, call: Call, leg: Leg, now: float) -> None:
        if leg.over or leg.releasing or leg.adding or leg.context is None:
            self._conclude(call)
            return
        leg.releasing = True
        actions = order.release(leg.context, leg.line.termination, leg.stream)
        self._errands.order(leg.line, Step.RELEASE, actions, now, call)

    def _left(self, call: Call, leg: Leg, reply: TransactionReply, now: float) -> None:
        for action in reply.actions:
            for command in action.replies:
                statistics = command.find(Statistics)
                for each in (statistics.values if statistics is not None else ())[:MOST_STATISTICS]:
                    leg.statistics[printable(each.name.lower(), 64)] = printable(each.value, 64)
        leg.over = True
        self._conclude(call)

    def _conclude(self, call: Call) -> None:
        if call.phase is not CallPhase.RELEASING or not all(leg.over for leg in call.legs):
            return
        if self._calls.pop(call.number, None) is None:
            return
        caller, callee = call.legs
        self._outbox.emit(
            CallReleased(
                phone=caller.line.association.phone,
                peer=callee.line.association.phone,
                call=call.number,
                cause=call.cause.value,
                talked_s=call.talked_s,
                caller_statistics=caller.statistics,
                callee_statistics=callee.statistics,
            )
        )

    def _tone(self, line: Line, cause: Cause, now: float) -> None:
        line.phase = LinePhase.TONE
        name = TONES.get(cause, package.CG_CONGESTION)
        self._errands.order(line, Step.TONE, order.tone(line.termination, self._errands.request_id(line), name), now)


def _parties(first: Association, second: Association) -> tuple[Party, Party]:
    one, other = _party(first), _party(second)
    if first is second:
        # A host reaches itself by its own address, whatever else is known.
        realm = f"of {first.registration.mid}"
        return one._replace(realm=realm), other._replace(realm=realm)
    return one, other


def _party(association: Association) -> Party:
    registration = association.registration
    return Party(IPv4Address(registration.public.host), registration.private, registration.realm or None)


def _take_context(leg: Leg, reply: TransactionReply) -> None:
    """Find in the reply to an Add what came to be, even if a part of it failed."""
    for action in reply.actions:
        done = [command for command in action.replies if command.error is None and command.kind is CommandKind.ADD]
        if not done or action.context in NO_CONTEXTS:
            continue
        leg.context = action.context
        for command in done:
            media = command.find(Media)
            stream = media.stream() if media is not None else None
            if stream is not None and stream.local and command.termination.lower() != leg.line.termination.lower():
                leg.stream = command.termination
                leg.port = port_of(stream.local)
