"""The active's side of the files: makes the standby's directories equal: at connection, after a change, and on demand (TFT-7).

One message is under way at a time, so that a large image delays no lease by more than one part of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from traceback import format_exception

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.protocols import amp

from voxpath.core.errors import LocalError, RemoteError
from voxpath.io.clock import Clock
from voxpath.model.event import Event, printable
from voxpath.replica.event import StandbyFiles, StandbyFilesFailed
from voxpath.replica.folder import File, Folder
from voxpath.replica.message import FILE_PART_OCTETS, FileEnd, FileGone, FileOffer, FilePart, FilesBegin, FilesEnd
from voxpath.replica.session import Link
from voxpath.replica.target import InThread

POLL_S = 10.0
"""How often the directories are looked at."""

SOON_S = 2.0
"""So long after something was written."""

log = Logger()


class FileSync:
    """Keeps directories equal.

    :param directories: what both hosts call them, and where they are here; one that is not there is left alone on the standby.
    :param publish: takes events.
    """

    def __init__(
        self, directories: Mapping[str, Path], clock: Clock, in_thread: InThread, publish: Callable[[Event], None]
    ) -> None:
        self._folders = {name: Folder(path) for name, path in directories.items()}
        self._clock = clock
        self._in_thread = in_thread
        self._publish = publish
        self._link: Link | None = None
        self._equal: dict[str, dict[str, File]] = {}
        self._troubles: dict[str, str] = {}
        self._running: Deferred[None] | None = None
        self._poll: IDelayedCall | None = None
        self._due = 0.0
        self._written = False

    def use(self, link: Link | None) -> None:
        """Use this connection from now on; ``None``: there is none."""
        self._link = link
        self._equal.clear()
        self._disarm()
        if link is not None:
            self.sync()

    def sync(self, whole: bool = False) -> "Deferred[None]":
        """Make all directories equal now; the Deferred fires when they are, or when that was not possible.

        :param whole: offer also what was equal the last time, as somebody may have changed it there.
        """
        before = self._running or succeed(None)
        self._running = Deferred.fromCoroutine(self._after(before, whole))
        # One of the caller's own: whatever he makes of it must not come back to the next one.
        done: Deferred[None] = Deferred()
        self._running.addCallback(lambda _: done.callback(None))
        return done

    def soon(self) -> None:
        """Look at the directories in a moment, since something was written into one."""
        if self._poll is None:
            self._written = True
        elif self._due > self._clock.now() + SOON_S:
            self._disarm()
            self._arm(SOON_S)

    def facts(self) -> Mapping[str, str]:
        """How each directory stands."""
        return {name: self._troubles.get(name) or self._state(name) for name in self._folders}

    def _state(self, name: str) -> str:
        equal = self._equal.get(name)
        return "not compared yet" if equal is None else f"equal: {len(equal)} files"

    async def _after(self, before: "Deferred[None]", whole: bool) -> None:
        await before
        if whole:
            # Not before: what is under way notes at its end what it found equal.
            self._equal.clear()
        self._disarm()
        link = self._link
        if link is None:
            return
        for name, folder in self._folders.items():
            # One directory that cannot be read or written is told, and does not keep the others from being copied.
            try:
                await self._make_equal(link, name, folder)
            except Exception as error:
                if link is not self._link:
                    # Its connection has ended, whatever was under way on it.
                    return
                self._failed(name, error)
        if link is self._link:
            self._arm(SOON_S if self._written else POLL_S)
            self._written = False

    def _arm(self, pause_s: float) -> None:
        self._due = self._clock.now() + pause_s
        self._poll = self._clock.call_at(self._due, self._again)

    def _disarm(self) -> None:
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None

    def _again(self) -> None:
        self._poll = None
        self.sync()

    async def _make_equal(self, link: Link, name: str, folder: Folder) -> None:
        if not await self._in_thread(folder.exists):
            return
        files: dict[str, File] = await self._in_thread(folder.files)
        equal = self._equal.get(name)
        if files == equal:
            return
        await _ask(link, FilesBegin, directory=name, anew=equal is None)
        known = equal or {}
        sent = 0
        # First, so that what is new finds room within the standby's limit.
        for path in known.keys() - files.keys():
            await _ask(link, FileGone, path=path)
        for file in files.values():
            if known.get(file.path) != file and (await _ask(link, FileOffer, **asdict(file)))["wanted"]:
                await self._send(link, folder, file)
                sent += 1
        removed = (await _ask(link, FilesEnd))["removed"]
        if link is self._link:
            self._equal[name] = files
        self._troubles.pop(name, None)
        if sent or removed:
            self._publish(StandbyFiles(directory=name, files=len(files), sent=sent, removed=int(str(removed))))

    async def _send(self, link: Link, folder: Folder, file: File) -> None:
        pieces = folder.read(file)
        while octets := await self._in_thread(lambda: next(pieces, b"")):
            for first in range(0, len(octets), FILE_PART_OCTETS):
                await _ask(link, FilePart, octets=octets[first : first + FILE_PART_OCTETS])
        await _ask(link, FileEnd)

    def _failed(self, name: str, error: Exception) -> None:
        """Whatever goes wrong with files costs nothing else: leases go over the same connection."""
        # Some files may be copied already, or the standby has forgotten what was equal: the next time all are offered.
        self._equal.pop(name, None)
        known = isinstance(error, OSError | LocalError | RemoteError | ConnectionClosed)
        if not known:
            log.error("{name}: {traceback}", name=name, traceback="".join(format_exception(error)))
        reason = printable(str(error)) if known else "an error that is in the log; report it"
        if self._troubles.get(name) != reason:
            self._troubles[name] = reason
            self._publish(StandbyFilesFailed(directory=name, reason=reason))


async def _ask(link: Link, command: type[amp.Command], **arguments: object) -> dict[str, object]:
    """Send a message; raise :class:`RemoteError` for what the standby could not do."""
    answer: dict[str, object] = await link.tell(command, **arguments)
    if answer["trouble"]:
        raise RemoteError(f"the standby says: {answer['trouble']}")
    return answer
