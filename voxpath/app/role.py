"""A role of the process: starts, stops, and restarts alone when it fails, after pauses that grow."""

from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum
from traceback import format_exception

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from voxpath.app.event import RoleFailed, RoleReloaded
from voxpath.core.errors import VoxpathError
from voxpath.io.bus import EventBus
from voxpath.io.clock import Clock
from voxpath.model.event import printable

log = Logger()

FAULTS = 20
FAULT_WINDOW_S = 10.0
"""So many exceptions of a role's cores within so many seconds restart it."""

FIRST_PAUSE_S = 1.0
"""Pause before the first restart; it doubles with each further one."""

RESTARTS = 8
RESTART_WINDOW_S = 600.0
"""So many restarts within so many seconds count for the pause, which therefore ends to grow.

A role never stays off for good: its port may be free again later, and nobody outside may be able to silence it for ever.
"""

RELOADS = 3
RELOAD_WINDOW_S = 60.0
"""The same for a role that only loads or opens anew what had failed outside of it: its pause ends to grow at 8 s.

What fails again and again must not fill the events, and service has to be back soon after the last time.
"""


class RoleState(Enum):
    """What a role does at the moment."""

    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"


class Role(Service):
    """One role; a subclass opens in :meth:`begin` what it closes in :meth:`end`.

    :ivar restarts: how often it was restarted since the process began.
    :ivar trouble: why it does not run; empty while it does.
    """

    def __init__(self, name: str, clock: Clock, bus: EventBus) -> None:
        self.setName(name)
        self.role = name
        self.state = RoleState.OFF
        self.restarts = 0
        self.trouble = ""
        self.clock = clock
        self.bus = bus
        self._faults: deque[float] = deque(maxlen=FAULTS)
        self._restarted: deque[float] = deque(maxlen=RESTARTS)
        self._reloaded: deque[float] = deque(maxlen=RELOADS)
        self._pause: IDelayedCall | None = None
        self._busy: Deferred[None] | None = None

    @property
    def detail(self) -> str:
        """What an operator should know beside the state; empty: nothing."""
        return ""

    async def begin(self) -> None:
        """Start serving; whatever it raises counts as a failure of the role."""

    async def end(self) -> None:
        """Stop serving and close everything, also after a :meth:`begin` that failed half-way."""

    def silent(self) -> Mapping[str, int]:
        """How many messages were not answered, by reason; for commands."""
        return {}

    def startService(self) -> None:
        """Begin, in the background."""
        super().startService()
        self._run(self._start)

    def stopService(self) -> Deferred[None]:
        """End; the Deferred fires when everything is closed."""
        super().stopService()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._run(self._stop)
        assert self._busy is not None
        return self._busy

    def fault(self) -> None:
        """Count an exception of one of the role's cores (the driver calls this)."""
        now = self.clock.now()
        self._faults.append(now)
        if len(self._faults) == FAULTS and now - self._faults[0] < FAULT_WINDOW_S:
            self._faults.clear()
            self.restart(f"{FAULTS} exceptions within {FAULT_WINDOW_S:g} s")

    def restart(self, reason: str) -> None:
        """End, and begin again after a pause."""
        self._run(lambda: self._restart(reason))

    def reload(self, reason: str) -> None:
        """End, and begin again after a short pause; not the role has failed, so the pause grows to some seconds only."""
        self._run(lambda: self._reload(reason))

    # One step at a time: each waits for the one that is under way.

    def _run(self, step: Callable[[], Coroutine[Deferred[object], object, None]]) -> None:
        self._busy = Deferred.fromCoroutine(self._after(self._busy, step))

    async def _after(self, busy: Deferred[None] | None, step: Callable[[], Coroutine[Deferred[object], object, None]]) -> None:
        if busy is not None:
            await busy
        try:
            await step()
        # Whatever one step raises is told, and the next one comes all the same: a role that takes no step can never be ended.
        except Exception as error:
            log.error("{role}: {error}", role=self.role, error="".join(format_exception(error)))

    async def _restart(self, reason: str) -> None:
        # What wanted the restart may have been dealt with meanwhile.
        if self.running and self.state is RoleState.RUNNING:
            await self._fail(reason)

    async def _reload(self, reason: str) -> None:
        if self.running and self.state is RoleState.RUNNING:
            self.trouble = reason
            await self.end()
            pause = self._next_pause(self._reloaded, RELOAD_WINDOW_S)
            self._wait(RoleReloaded(name=self.role, reason=reason, pause_s=pause))

    async def _start(self) -> None:
        self.state = RoleState.STARTING
        try:
            await self.begin()
        # A role that cannot begin for whatever reason is told and tried again; the others run on.
        except Exception as error:
            if not isinstance(error, (VoxpathError, OSError)):
                # A fault of ours, or of a plug-in: what it says of itself may be no more than a word.
                log.error("{role}: {error}", role=self.role, error="".join(format_exception(error)))
            await self._fail(printable(str(error) or repr(error)))
        else:
            self.state = RoleState.RUNNING
            self.trouble = ""

    async def _fail(self, reason: str) -> None:
        self.trouble = reason
        await self.end()
        pause = self._next_pause(self._restarted, RESTART_WINDOW_S)
        self._wait(RoleFailed(name=self.role, reason=reason, pause_s=pause))

    def _next_pause(self, before: deque[float], window_s: float) -> float:
        """The pause in seconds before the next begin: it doubles with each of the ones before that were in the window."""
        now = self.clock.now()
        pause = FIRST_PAUSE_S * 2.0 ** sum(now - at < window_s for at in before)
        before.append(now)
        return pause

    def _wait(self, told: RoleFailed | RoleReloaded) -> None:
        self.state = RoleState.PAUSED
        self.bus.publish(self.role, told)
        if self.running:
            self._pause = self.clock.call_at(self.clock.now() + told.pause_s, self._again)

    def _again(self) -> None:
        self._pause = None
        self.restarts += 1
        self._run(self._start)

    async def _stop(self) -> None:
        await self.end()
        self.state = RoleState.OFF
