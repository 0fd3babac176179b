"""The driver: feeds a core and carries out its effects, in order and with their dependencies.

One driver per core.
It owns the core's single timer, isolates faults to the transaction in which they happen, and on a stop waits for what was begun.
"""

from collections.abc import Callable, Hashable
from traceback import format_exception
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from voxpath.core.effects import (
    Answer,
    Apply,
    Ask,
    Burst,
    Change,
    Close,
    Commit,
    Connect,
    Core,
    Datagram,
    Direct,
    Disconnect,
    Done,
    Effect,
    Effects,
    Emit,
    Failed,
    Open,
    Outcome,
    Send,
    Train,
)
from voxpath.core.errors import RemoteError
from voxpath.core.rate import PerSecond
from voxpath.io.bus import EventBus
from voxpath.io.clock import Clock
from voxpath.io.event import ApplyRefused, CommitRefused, CoreFault, SendFailed, SourceQuarantined
from voxpath.io.faults import QUARANTINE_AFTER, QUARANTINE_S, Faults
from voxpath.model.address import Endpoint
from voxpath.model.event import Event, Malformed, printable
from voxpath.model.media import MediaSession
from voxpath.model.ports import Transaction

log = Logger()

DONE = Done()
"""The outcome of nearly all commits and NAT changes."""

SHOWN_INPUT = 256
"""Octets of an input that are logged with a fault."""

REPORTED_PER_SECOND = 10
"""Malformed messages and failed sends that become events; all are counted, a flood must not fill the log."""

TICK_PAUSE_S = 1.0
"""Pause after a fault in a core's timers."""


class Ports(Protocol):
    """The local ports of a core (:mod:`voxpath.io.ports`, or the memory network)."""

    def send(self, send: Send) -> None:
        """Send a datagram; raise :class:`OSError` when it cannot leave."""

    def burst(self, burst: Burst) -> None:
        """Send several datagrams; raise :class:`OSError` when one cannot leave."""

    def open(self, name: str, local: Endpoint, receive: Callable[[Datagram], None]) -> None:
        """Open a port; raise :class:`OSError` when that is impossible."""

    def direct(self, direct: Direct, answer: Answer | None) -> None:
        """Let a port send what ``answer`` returns to the peer, and receive only what it does not answer; ``None``: no longer."""

    def close(self, name: str) -> None:
        """Close a port, if it is open."""

    def close_all(self) -> None:
        """Close every port."""


class Committer(Protocol):
    """Where changes become durable (:mod:`voxpath.store`)."""

    def commit(self, changes: tuple[Change, ...], done: Callable[[str | None], None]) -> None:
        """Make the changes durable as a whole, then call ``done`` with ``None``, or with the reason why not."""


class Applier(Protocol):
    """Where NAPPT tables live (:mod:`voxpath.natreactor.group`)."""

    def apply(self, transaction: Transaction, done: Callable[[str | None], None]) -> None:
        """Apply a transaction as a whole or not at all, then call ``done`` with ``None``, or with the reason why not."""


class Sessions(Protocol):
    """Where media sessions are told (:mod:`voxpath.natreactor.sessions`)."""

    def connect(self, role: str, session: MediaSession) -> None:
        """A session of a role begins, or has changed."""

    def disconnect(self, role: str, key: str) -> None:
        """A session of a role is over."""

    def abandon(self, role: str) -> None:
        """A role forgets its sessions, whose calls may go on."""


Answerer = Callable[[object], "Deferred[object]"]


class Driver:
    """Runs one core.

    :param role: the name under which events are published.
    :param core: the core.
    :param ports: its local ports.
    :param store: where its commits go; a core that never commits needs none.
    :param nat: where its NAPPT changes go; a core that never applies needs none.
    :param sessions: who is told of its media sessions; ``None``: nobody here carries media.
    :param answer: who answers its questions.
    :param on_fault: is called after each exception of the core.
    :param source_of: who is put into quarantine for poisonous input; address and port, since all phones of a site share an address.
    :param phone_of: whose a datagram is that the core refused, as far as that can be told; empty: nobody's.
    """

    def __init__(
        self,
        role: str,
        core: Core,
        clock: Clock,
        bus: EventBus,
        *,
        ports: Ports,
        store: Committer | None = None,
        nat: Applier | None = None,
        sessions: Sessions | None = None,
        answer: Answerer | None = None,
        on_fault: Callable[[], None] = lambda: None,
        source_of: Callable[[Datagram], str] = lambda datagram: str(datagram.source),
        phone_of: Callable[[Datagram], str] = lambda datagram: "",
    ) -> None:
        self.role = role
        self.core = core
        self.faults = Faults()
        self._clock = clock
        self._bus = bus
        self._ports = ports
        self._store = store
        self._nat = nat
        self._sessions = sessions
        self._answer = answer
        self._on_fault = on_fault
        self._source_of = source_of
        self._phone_of = phone_of
        self._timer: IDelayedCall | None = None
        self._timer_due = 0.0
        self._not_before = 0.0
        self._begun = 0
        self._stopped: Deferred[None] | None = None
        self._reports = PerSecond(REPORTED_PER_SECOND)
        # Looked up by type: matching one pattern after the other costs more than most of what the effects ask for.
        self._ways: dict[type[Effect], Callable[[Any], None]] = {
            Send: self._send,
            Burst: self._send,
            Emit: self._emit,
            Commit: self._commit,
            Apply: self._apply,
            Ask: self._ask,
            Open: self._open,
            Close: self._close,
            Direct: self._direct,
            Connect: self._connect,
            Disconnect: self._disconnect,
        }

    def feed(self, datagram: Datagram) -> None:
        """Give a datagram to the core, and carry out what it asks for."""
        now = self._clock.now()
        if self._stopped is not None or self.faults.ignores(datagram, self._source_of, now):
            return
        try:
            self.run(self.core.receive(datagram, now))
        except RemoteError as error:
            self._malformed(datagram, error)
        # Whatever else a core raises is its fault, counted with its input; the port lives on.
        except Exception as error:
            self._fault(error, datagram)
        self._arm(now)

    def act(self, action: Callable[[float], Effects]) -> None:
        """Carry out an action on the core that comes from elsewhere: a user, a command, another role."""
        self._guarded(lambda: action(self._clock.now()))
        self._arm()

    def run(self, effects: Effects) -> None:
        """Carry out effects, in order."""
        for effect in effects:
            self._ways[type(effect)](effect)

    def stop(self) -> Deferred[None]:
        """Take no more input, wait for the commits and NAT changes that were begun, then close every port."""
        if self._stopped is None:
            self._stopped = Deferred()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._finish_stop()
        return self._stopped

    # What the effects do.

    def _send(self, send: Send | Burst) -> None:
        try:
            if isinstance(send, Send):
                self._ports.send(send)
            else:
                self._ports.burst(send)
        except OSError as error:
            reason = error.strerror or str(error)
            if isinstance(send, Send) and send.token is not None:
                self._resolve(send.token, Failed(reason))
            else:
                self._report(SendFailed(destination=str(send.destination), reason=reason))

    def _emit(self, effect: Emit) -> None:
        if isinstance(effect.event, Malformed):
            # Refused by the core itself, with an answer to the peer; it counts as what is refused without one.
            self.faults.malformed += 1
            self._report(effect.event)
        else:
            self._bus.publish(self.role, effect.event)

    def _close(self, effect: Close) -> None:
        self._ports.close(effect.port)

    def _open(self, effect: Open) -> None:
        try:
            self._ports.open(effect.port, effect.local, self.feed)
        except OSError as error:
            self._resolve(effect.port, Failed(error.strerror or str(error)))

    def _direct(self, effect: Direct) -> None:
        """Let a port ask the core's reply first; what goes wrong there goes wrong as in :meth:`feed`."""
        reply = effect.reply
        if reply is None:
            self._ports.direct(effect, None)
            return

        def answer(payload: bytes) -> Train | None:
            if self._stopped is not None or self.faults.quarantined:
                # Then each datagram is looked at.
                return None
            # Whatever a core raises is its fault, counted with its input; the port lives on.
            try:
                return reply(payload, self._clock.now())
            except Exception as error:
                self._fault(error, Datagram(payload, effect.peer, port=effect.port))
                return None

        self._ports.direct(effect, answer)

    def _commit(self, effect: Commit) -> None:
        assert self._store is not None, f"{self.role} commits, but was given no store"
        self._begun += 1

        def done(reason: str | None) -> None:
            self._begun -= 1
            if reason is not None:
                self._bus.publish(self.role, CommitRefused(reason=reason))
            self._conclude(effect, DONE if reason is None else Failed(reason))

        self._store.commit(effect.changes, done)

    def _apply(self, effect: Apply) -> None:
        assert self._nat is not None, f"{self.role} changes the NAT, but was given none"
        self._begun += 1

        def done(reason: str | None) -> None:
            self._begun -= 1
            if reason is not None:
                self._bus.publish(self.role, ApplyRefused(reason=reason))
            self._conclude(effect, DONE if reason is None else Failed(reason))

        self._nat.apply(effect.transaction, done)

    def _connect(self, effect: Connect) -> None:
        if self._sessions is not None:
            self._sessions.connect(self.role, effect.session)

    def _disconnect(self, effect: Disconnect) -> None:
        if self._sessions is not None:
            self._sessions.disconnect(self.role, effect.key)

    def _conclude(self, effect: Commit | Apply, outcome: Outcome) -> None:
        if effect.token is not None:
            self._resolve(effect.token, outcome)
        if outcome is DONE and effect.then:
            self.run(effect.then)
        self._arm()
        if self._stopped is not None:
            self._finish_stop()

    def _ask(self, effect: Ask) -> None:
        assert self._answer is not None, f"{self.role} asks, but nobody was given to answer"

        def settle(outcome: Outcome) -> None:
            self._resolve(effect.token, outcome)
            self._arm()

        answered = self._answer(effect.question)
        answered.addCallbacks(
            lambda answer: settle(Done(answer)),
            lambda failure: settle(Failed(printable(failure.getErrorMessage()))),
        )

    def _resolve(self, token: Hashable, outcome: Outcome) -> None:
        # As _guarded does, without a function made for each outcome; a core's fault ends its transaction and nothing else.
        try:
            self.run(self.core.resolve(token, outcome, self._clock.now()))
        except Exception as error:
            self._fault(error, None)

    # The core's single timer.

    def _arm(self, now: float | None = None) -> None:
        timer = self._timer
        if self._stopped is not None or (timer is not None and self._timer_due <= (now or self._clock.now())):
            # One that is due already looks for itself.
            return
        due = self.core.next_due()
        if due is None:
            return
        if timer is not None:
            # A timer that is due earlier than needed costs one idle tick; moving it every time would cost more.
            if self._timer_due <= due:
                return
            timer.cancel()
        self._timer_due = max(due, self._not_before)
        self._timer = self._clock.call_at(self._timer_due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        due = self.core.next_due()
        now = self._clock.now()
        if due is not None and due <= now and not self._guarded(lambda: self.core.tick(now)):
            # The timer that raised may still be due: pause, so that a broken core cannot take the whole processor.
            self._not_before = now + TICK_PAUSE_S
        self._arm()

    # Faults.

    def _guarded(self, step: Callable[[], Effects]) -> bool:
        """Run a step of the core and its effects; tell whether it went without a fault."""
        try:
            self.run(step())
        # As for what is received.
        except Exception as error:
            self._fault(error, None)
            return False
        return True

    def _fault(self, error: Exception, datagram: Datagram | None) -> None:
        shown = "none" if datagram is None else f"{datagram.source} {datagram.payload[:SHOWN_INPUT].hex()}"
        # Text, not the failure object: the traceback is wanted in the log, an alarm for an unhandled error is not.
        log.error("{role}: {traceback}", role=self.role, traceback="".join(format_exception(error)))
        self._bus.publish(self.role, CoreFault(error=printable(f"{type(error).__name__}: {error}"), input=shown))
        if datagram is None:
            self.faults.count += 1
        elif self.faults.add(self._source_of(datagram), datagram.payload, self._clock.now()):
            event = SourceQuarantined(source=self._source_of(datagram), seconds=QUARANTINE_S, times=QUARANTINE_AFTER)
            self._bus.publish(self.role, event)
        self._on_fault()

    def _malformed(self, datagram: Datagram, error: RemoteError) -> None:
        self.faults.malformed += 1
        phone, source = self._phone_of(datagram), str(datagram.source)
        self._report(Malformed(phone=phone, protocol=self.role, source=source, reason=printable(str(error))))

    def _report(self, event: Event) -> None:
        if self._reports.admits(self._clock.now()):
            self._bus.publish(self.role, event)

    def _finish_stop(self) -> None:
        if self._stopped is not None and not self._begun and not self._stopped.called:
            self._ports.close_all()
            self._stopped.callback(None)
