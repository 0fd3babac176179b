"""What the kernel's tables cannot translate goes to the slow path; what they can never depends on it.

So nothing here fails: while the slow path is lost, ICMP and fragments are dropped, and an event says so; each look tries again.
If it could not be started in the beginning that is tried more and more rarely, since it takes its time.
"""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Protocol

from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.model.ports import Transaction
from voxpath.nappt.pinhole import PinholeChange
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Reason
from voxpath.natreactor import host
from voxpath.natreactor.event import HostSetting, NoSlowPath, SlowPathLost, TableLost
from voxpath.natreactor.interface import PhoneCounters
from voxpath.natreactor.offence import Subject
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.device import device_names
from voxpath.natreactor.slowpath import SlowPath

FIRST_LOOKS, MOST_LOOKS = 30, 3840
"""After so many looks a slow path is tried that could not be started; then after twice as many each time."""


class Lead(Protocol):
    """What leads packets into the devices of the slow path; each method raises :class:`LocalError` when the kernel refuses."""

    def install(self) -> list[HostSetting]:
        """Make it right; give what was changed that is not our own."""

    def missing(self) -> str:
        """What is wrong with it, in a few words; empty: nothing."""

    def close(self) -> None:
        """Let go of the kernel; what leads there stays."""


class Punt:
    """The slow path beside a fast one.

    :param table: the back end's copy of its table.
    :param lead: makes what leads packets there; it is made in the network namespace in which :meth:`start` is called.
    :param mended: is called when that had to be mended while it was in use.
    :param copied: whether netfilter copies packets there.
    """

    def __init__(
        self,
        settings: NatSettings,
        table: Table,
        lead: Callable[[], Lead],
        tell: Callable[[Event], None],
        mended: Callable[[], None] = lambda: None,
        *,
        copied: bool = False,
    ) -> None:
        self._settings = settings
        self._table = table
        self._lead = lead
        self._tell = tell
        self._mended = mended
        self._slow = SlowPath(settings, table, tell, watched=False, copied=copied)
        self._steering: Lead | None = None
        self._reason = ""
        self._looks, self._next_try = 0, FIRST_LOOKS
        # Until the next look nothing is tried: a change of the table must not wait for a process that cannot be started.
        self._lost = False
        self._stale = False
        self._wrong = ""

    def start(self) -> bool:
        """Find or start the slow path, fill it, and lead marked packets there; false: it cannot run here.

        What led all packets there before still does, until the fast path says by :meth:`settle` that it stands.
        """
        try:
            kept = self._slow.start()
            if not self._slow.holds(kept):
                self._slow.fill()
            self._steer()
        except LocalError as error:
            self.close()
            self._say(error)
            return False
        return True

    def start_late(self) -> bool:
        """At a look: try it again if it could not be started; true: it runs now, and the fast path may mark packets for it."""
        if self._steering is not None:
            return False
        self._looks += 1
        if self._looks < self._next_try:
            return False
        self._looks, self._next_try = 0, min(2 * self._next_try, MOST_LOOKS)
        if not self.start():
            return False
        self._tell(SlowPathLost(reason=f"it could not run before ({self._reason})"))
        self._reason = ""
        return True

    def settle(self) -> None:
        """Lead nothing to the slow path any more but what the fast path gives away."""
        self._attempt(self._steer)

    def close(self) -> None:
        """Let go of it; it goes on."""
        self._slow.close()
        if self._steering is not None:
            self._steering.close()
            self._steering = None

    def apply(self, done: Transaction) -> None:
        """Tell of a transaction that has changed the table."""
        self._attempt(lambda: self._slow.apply(done))

    def admit(self, done: PinholeChange) -> None:
        """Tell of pinholes that were opened and closed."""
        self._attempt(lambda: self._slow.admit(done))

    def replace_all(self) -> None:
        """Tell that all of the table has changed."""
        self._attempt(self._slow.replace_all)

    def drops(self) -> "Counter[Reason]":
        """By what the dropped packets grew."""
        found: list[Counter[Reason]] = []
        self._attempt(lambda: found.append(self._slow.drops()))
        return found[0] if found else Counter()

    def look(self) -> "tuple[Counter[Reason], list[tuple[Subject, int]]]":
        """As :meth:`drops`, and who offended since the last look; what is wrong is mended."""
        found: list[tuple[Counter[Reason], list[tuple[Subject, int]]]] = []
        self._lost = False
        self._attempt(lambda: found.append(self._look()))
        return found[0] if found else (Counter(), [])

    def counters(self, private: IPv4Address) -> PhoneCounters:
        """What went this way for a phone."""
        found: list[PhoneCounters] = []
        self._attempt(lambda: found.append(self._slow.counters(private)))
        return found[0] if found else PhoneCounters()

    def _look(self) -> "tuple[Counter[Reason], list[tuple[Subject, int]]]":
        if self._stale:
            self._slow.fill()
            self._stale = False
        seen = self._slow.look()
        wrong = self._steering.missing() if self._steering is not None else ""
        # What could not be mended as a whole stays wrong, even if the kernel does not show it any more.
        self._wrong = wrong or self._wrong
        if self._wrong:
            self._steer()
            self._mended()
            self._tell(TableLost(reason=self._wrong))
            self._wrong = ""
        self._reason = ""
        return seen

    def _steer(self) -> None:
        for name in device_names(self._settings.table):
            host.prepare_device(name)
        if self._steering is None:
            self._steering = self._lead()
        for setting in self._steering.install():
            self._tell(setting)

    def _attempt(self, action: Callable[[], None]) -> None:
        if self._steering is None or self._lost:
            return
        try:
            action()
        except LocalError as error:
            self._lost = self._stale = True
            self._say(error)

    def _say(self, error: LocalError) -> None:
        if str(error) != self._reason:
            self._reason = str(error)
            self._tell(NoSlowPath(reason=self._reason))
