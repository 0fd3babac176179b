"""The slow path as a back end sees it: found or started, filled, asked, and started again when it has ended.

A question waits for its answer on the reactor thread, as a call into the kernel does: the process answers between two batches of
packets.
"""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from msgspec.structs import astuple, replace

import voxpath
from voxpath.core.errors import LocalError, RemoteError
from voxpath.model.event import Event, printable
from voxpath.model.ports import Transaction
from voxpath.nappt.pinhole import PinholeChange
from voxpath.nappt.table import Table
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.dropcount import Growth
from voxpath.natreactor.event import SlowPathFault, SlowPathLost
from voxpath.natreactor.interface import PhoneCounters
from voxpath.natreactor.offence import Subject
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.slow.address import is_trusted, peer_of, socket_name
from voxpath.natreactor.slow.frames import (
    VERSION,
    Admit,
    Answer,
    Apply,
    Ask,
    Configure,
    Count,
    Counted,
    End,
    Kept,
    Look,
    Plan,
    Refused,
    ReplaceAll,
    Request,
    Seen,
    answers,
    framed,
    rows_of,
    take,
)

START_S: Final = 10.0
"""How long the process may take to start; a tenth of a second is usual."""
ANSWER_S: Final = 2.0
ROW_S: Final = 0.0001
"""How long it may take to answer, and for each mapping of a whole table beside that; then it is ended."""
RECEIVED: Final = 262144
FAULT_LETTERS: Final = 1000


class SlowPathGone(Exception):
    """The process has ended, or does not answer."""


class SlowPath:
    """The process that belongs to a table.

    :param table: what it has to know; its owner changes it first, and then says so here.
    :param tell: is told of the process's end, and of its faults.
    :param watched: whether packets whose TTL ends here are counted by the process.
    :param copied: whether packets come there as copies of netfilter's.
    """

    def __init__(
        self, settings: NatSettings, table: Table, tell: Callable[[Event], None], *, watched: bool, copied: bool = False
    ) -> None:
        self._name = settings.table
        self._table = table
        self._tell = tell
        outside = settings.outside
        self._plan = Plan(
            tuple(map(str, table.private)),
            tuple(map(int, outside.public)),
            tuple((int(service.public), service.first) for service in outside.services),
            settings.block_size,
            settings.call_aware,
            tuple(map(int, settings.trusted)),
            (outside.inside, outside.outside) if watched else ((), ()),
            settings.pool,
            settings.mss,
            copied,
        )
        self._socket: socket.socket | None = None
        self._faults = 0
        self._growth = Growth()

    def start(self) -> Kept:
        """Find the process, or start it; tell what it holds.

        :raises LocalError: it cannot be started.
        """
        former = self._find()
        if former is not None and former.version == VERSION:
            return former
        if former is not None:
            # Of another version of voxpath, whose faults it would have for ever.
            self.close()
            end_process(self._name)
        self._spawn()
        kept = self._find()
        if kept is None:
            raise LocalError("the slow path was started and does not answer")
        # What the former one knew goes on; the new one has to be filled, since its plan is empty.
        return kept if former is None else replace(former, version=kept.version, plan=kept.plan)

    def fill(self) -> None:
        """Make the process's table equal to ours.

        :raises LocalError: it cannot be reached.
        """
        self._do(self._whole())

    def holds(self, kept: Kept) -> bool:
        """Whether the process holds what we do, for the same purpose."""
        table = self._table
        return (
            kept.plan == self._plan
            and kept.generation == table.generation
            and frozenset(kept.rows) == frozenset(rows_of(table))
            and frozenset(kept.pinholes) == frozenset(table.pinholes or ())
        )

    def apply(self, done: Transaction) -> None:
        """Tell of a transaction that has changed our table.

        :raises LocalError: the process cannot be reached, nor started again.
        """
        self._do(Apply(self._table.generation, rows_of(done.add), rows_of(done.remove)))

    def admit(self, done: PinholeChange) -> None:
        """Tell of pinholes that were opened and closed; raises as :meth:`apply`."""
        if done.open or done.close:
            self._do(Admit(done.open, done.close))

    def replace_all(self) -> None:
        """Tell that all of our table has changed; raises as :meth:`apply`."""
        self._do(ReplaceAll(self._table.generation, rows_of(self._table)))

    def drops(self) -> "Counter[Reason]":
        """Dropped packets since they were asked for the last time.

        :raises LocalError: the process has ended, and cannot be started again.
        """
        return self._growth.of(_drops(self._look(taken=False)))

    def look(self) -> "tuple[Counter[Reason], list[tuple[Subject, int]]]":
        """As :meth:`drops`, and who offended since the last look."""
        seen = self._look(taken=True)
        if seen.faults > self._faults:
            self._tell(SlowPathFault(packets=seen.faults - self._faults, fault=printable(seen.fault, FAULT_LETTERS)))
        self._faults = seen.faults
        offenders = [(Subject(Reason(each.reason), each.address, each.port), each.packets) for each in seen.offenders]
        return self._growth.of(_drops(seen)), offenders

    def counters(self, private: IPv4Address) -> PhoneCounters:
        """What went through the process for a phone; raises as :meth:`drops`."""
        said = self._surely(Count(int(private)))
        assert isinstance(said, Counted)
        return PhoneCounters(*astuple(said))

    def close(self) -> None:
        """Let go of the process, which goes on; closing twice is allowed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _whole(self) -> Configure:
        return Configure(self._plan, self._table.generation, rows_of(self._table), tuple(self._table.pinholes or ()))

    def _look(self, *, taken: bool) -> Seen:
        said = self._surely(Look(taken))
        assert isinstance(said, Seen)
        return said

    def _do(self, request: Request) -> None:
        said = self._surely(request)
        if not isinstance(said, Refused):
            return
        # It knows something else than we thought.
        said = self._surely(self._whole())
        if isinstance(said, Refused):
            raise LocalError(f"the slow path refuses the table: {said.reason}")

    def _surely(self, request: Request) -> Answer:
        """Ask; a process that has ended is started again, with all of our table, and asked then."""
        try:
            return self._ask(request)
        except SlowPathGone as error:
            cause = str(error)
        self.close()
        self.start()
        self._faults = 0
        self._growth.begin_again()
        try:
            self._ask(self._whole())
            said = self._ask(request)
        except SlowPathGone as error:
            raise LocalError(f"the slow path was started again, and {error}") from None
        self._tell(SlowPathLost(reason=cause))
        return said

    def _find(self) -> Kept | None:
        try:
            self._socket = _connected(self._name)
            kept = self._ask(Ask())
        except SlowPathGone:
            self.close()
            return None
        assert isinstance(kept, Kept)
        return kept

    def _ask(self, request: Request) -> Answer:
        return _answered(self._opened(), request)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise SlowPathGone("it was not started")
        return self._socket

    def _spawn(self) -> None:
        """Start the process; it leaves us as soon as it can be reached."""
        # Nothing is to be found where we happen to have been started.
        argv = [sys.executable, "-P", "-m", "voxpath.natreactor.slow", self._name]
        root = str(Path(voxpath.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        try:
            started = subprocess.run(  # noqa: S603 - our own program
                argv,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=START_S,
                check=False,
                env=os.environ | {"PYTHONPATH": path},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LocalError(f"the slow path cannot be started: {error}") from None
        if started.returncode:
            said = started.stderr.decode(errors="replace").strip().splitlines() or [f"status {started.returncode}"]
            raise LocalError(f"the slow path cannot be started: {printable(said[-1], FAULT_LETTERS)}")


def end_process(table: str) -> None:
    """End the process of a table, and take its devices away; one that is not there is no error."""
    try:
        connection = _connected(table)
    except SlowPathGone:
        return
    with connection, suppress(SlowPathGone, OSError):
        _answered(connection, End())
        # It closes when all is done.
        connection.recv(1)


def generation_left(table: str) -> int | None:
    """The generation of what the process of a table translates by; ``None``: there is none, or it does not answer.

    :raises LocalError: another user's process is in its place.
    """
    try:
        connection = _connected(table)
    except SlowPathGone:
        return None
    with connection, suppress(OSError, RemoteError, SlowPathGone):
        kept = _exchanged(connection, Ask())
        if isinstance(kept, Kept):
            return kept.generation
    return None


def patience_with(request: Request) -> float:
    """How long the process may take, in seconds: a table of all that it can hold takes several."""
    return ANSWER_S + ROW_S * len(request.rows if isinstance(request, Configure | ReplaceAll) else ())


def _connected(table: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        connection.connect(socket_name(table))
    except OSError as error:
        connection.close()
        raise SlowPathGone(f"it cannot be reached: {error.strerror or error}") from None
    _, user = peer_of(connection)
    if not is_trusted(user):
        connection.close()
        raise LocalError(f"user {user} runs a process in the place of the slow path of {table}: end it")
    return connection


def _exchanged(connection: socket.socket, request: Request) -> Answer:
    buffer = bytearray()
    connection.settimeout(patience_with(request))
    connection.sendall(framed(request))
    while (said := take(buffer, answers)) is None:
        octets = connection.recv(RECEIVED)
        if not octets:
            raise SlowPathGone("it has ended")
        buffer += octets
    return said


def _answered(connection: socket.socket, request: Request) -> Answer:
    """The answer of a process that is ended if it does not give one."""
    try:
        return _exchanged(connection, request)
    except TimeoutError:
        _kill(connection)
        raise SlowPathGone(f"it did not answer for {ANSWER_S:g} s") from None
    except RemoteError as error:
        _kill(connection)
        raise SlowPathGone(str(error)) from None
    except OSError as error:
        raise SlowPathGone(f"it has ended: {error.strerror or error}") from None


def _kill(connection: socket.socket) -> None:
    """End a process that cannot be spoken to, and wait until it has gone."""
    process, _ = peer_of(connection)
    if process <= 0:
        return  # it is in another container, where nobody here can end it; all of ours would be meant by that
    with suppress(OSError):
        os.kill(process, signal.SIGKILL)
        while connection.recv(RECEIVED):
            pass


def _drops(seen: Seen) -> dict[Reason, int]:
    return {Reason(reason): packets for reason, packets in seen.drops.items()}
