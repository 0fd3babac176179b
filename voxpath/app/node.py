"""What all roles of one process share: clock, bus, memory of events, store, randomness, and the configuration."""

import fcntl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import IO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP, IReactorThreads, IReactorUNIX
from twisted.internet.threads import deferToThreadPool

from voxpath.app.event import StoreRecovered, StoreRowRefused
from voxpath.app.schema import Config
from voxpath.app.values import in_state
from voxpath.core.errors import LocalError
from voxpath.io.bus import EventBus
from voxpath.io.clock import Clock, ServerClock
from voxpath.io.driver import Driver
from voxpath.io.paced import PacingReactor
from voxpath.manage.log import EventLog
from voxpath.manage.memory import Memory
from voxpath.model.event import Level
from voxpath.store.copy import SqliteCopy
from voxpath.store.interface import Store
from voxpath.store.recovery import Recovery
from voxpath.store.sqlite import SqliteStore, StoreReactor

DATABASE = "voxpath.db"
LOCK = "voxpath.lock"
LEVELS = {"info": Level.INFO, "warning": Level.WARNING, "error": Level.ERROR}
"""What ``log.level`` may be."""

SWITCH_S = 0.0005
"""How long a thread that wants to run waits while another one runs.

The store's flusher needs the interpreter twice for each group, for some microseconds; Python's own 5 ms would be most of the time
that an acknowledgement takes.
"""


class Reactor(StoreReactor, PacingReactor, IReactorTCP, IReactorUNIX, IReactorThreads):
    """What the process needs of the reactor."""


@dataclass
class Node:
    """The shared things of one process.

    :ivar drivers: the drivers of the roles that run, by role name; several for a role with many cores.
    :ivar lock: keeps other processes away from the state directory as long as it is open.
    :ivar on_reopened: is called with what had failed when the store is good again: what memory holds of it may be wrong.
    """

    config: Config
    reactor: Reactor
    clock: Clock
    bus: EventBus
    memory: Memory
    entropy: SystemRandom
    store: Store
    drivers: dict[str, list[Driver]] = field(default_factory=dict)
    on_reopened: Callable[[str], None] = lambda failure: None
    lock: IO[bytes] | None = None

    @classmethod
    def make(cls, config: Config, reactor: Reactor) -> "Node":
        """Make the shared things, and open the store.

        :raises LocalError: the store cannot be used.
        """
        sys.setswitchinterval(SWITCH_S)
        clock = ServerClock(reactor)
        bus = EventBus(clock)
        memory = Memory()
        bus.subscribe(memory)
        bus.subscribe(EventLog(LEVELS[config.log.level]))
        state = Path(config.state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _locked(in_state(config, LOCK))

        def reopened(failure: str) -> None:
            node.on_reopened(failure)

        entropy = SystemRandom()
        store = _store(config, reactor, bus, entropy, reopened)
        node = cls(config, reactor, clock, bus, memory, entropy, store, lock=lock)
        return node

    def own(self, role: str, driver: Driver) -> Driver:
        """Note a driver of a role, for commands."""
        self.drivers.setdefault(role, []).append(driver)
        return driver

    async def stop_drivers(self, role: str) -> None:
        """Stop the drivers of a role; returns when all that they began is finished and their ports are closed."""
        for driver in self.drivers.pop(role, []):
            await driver.stop()

    async def close(self) -> None:
        """Write what the store was given, close it, and let go of the state directory."""
        await self.store.close()
        if self.lock is not None:
            self.lock.close()


def _store(config: Config, reactor: Reactor, bus: EventBus, entropy: SystemRandom, reopened: Callable[[str], None]) -> Store:
    """Open the store of this host's role, which tells what it found by events."""
    path = in_state(config, DATABASE)

    def refused(table: str, row: str, reason: str) -> None:
        bus.publish("store", StoreRowRefused(table=table, row=row, reason=reason))

    def recovered(found: Recovery) -> None:
        rest = "and the rest, of a commit that was under way, is dropped" if found.cut else "and there is nothing else"
        bus.publish("store", StoreRecovered(octets=found.octets, pages=found.pages, rest=rest))

    if config.redundancy.role == "standby":

        def in_thread(commit: Callable[[], None]) -> "Deferred[None]":
            return deferToThreadPool(reactor, reactor.getThreadPool(), commit)

        return SqliteCopy(path, in_thread, refused_row=refused, recovered=recovered)
    # An epoch is never used twice, so that a standby can tell histories apart.
    epoch = f"{entropy.getrandbits(64):016x}" if config.redundancy.role == "active" else ""
    return SqliteStore(path, reactor, epoch=epoch, refused_row=refused, reopened=reopened, recovered=recovered)


def _locked(path: Path) -> IO[bytes]:
    """Take a state directory for this process alone; the kernel lets go of it when the process ends, however that happens."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise LocalError(f"{path.parent} is the state directory of another process: stop it, or name another one") from None
    return file
