"""The standby's side of the files: takes what it lacks, and removes what the active does not have (TFT-7)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from voxpath.core.errors import LocalError
from voxpath.model.event import printable
from voxpath.replica.folder import MAX_FILES, File, Folder, Incoming

InThread = Callable[[Callable[[], Any]], "Deferred[Any]"]
"""Runs a function in a thread; ``app`` binds it to the reactor's thread pool."""

Answer = dict[str, object]


class FileTarget:
    """The directories of one standby; the active asks one thing at a time.

    :param directories: what both hosts call them, and where they are here.
    """

    def __init__(self, directories: Mapping[str, Path], in_thread: InThread) -> None:
        self._folders = {name: Folder(path) for name, path in directories.items()}
        self._in_thread = in_thread
        self._folder: Folder | None = None
        self._name = ""
        self._offered: set[str] = set()
        self._equal: dict[str, set[str]] = {}
        self._incoming: Incoming | None = None
        self._busy = False

    def begin(self, name: str, anew: bool) -> "Deferred[Answer]":
        """The files of a directory follow: all, or what has changed since :meth:`finish`."""
        return self._run(lambda: self._begin(name, anew))

    def offer(self, file: File) -> "Deferred[Answer]":
        """A file; say whether it is wanted."""
        return self._run(lambda: {"wanted": self._offer(file)}, wanted=False)

    def part(self, octets: bytes) -> "Deferred[Answer]":
        """The next octets of the wanted file."""
        return self._run(lambda: self._part(octets))

    def end(self) -> "Deferred[Answer]":
        """The wanted file is complete."""
        return self._run(self._end)

    def gone(self, path: str) -> "Deferred[Answer]":
        """A file that was offered before is no longer there."""
        return self._run(lambda: self._gone(path))

    def finish(self) -> "Deferred[Answer]":
        """No further file."""
        return self._run(lambda: {"removed": self._finish()}, removed=0)

    def abandon(self) -> "Deferred[Answer]":
        """The connection has ended."""
        return succeed({}) if self._busy else self._run(self._drop)

    def _run(self, step: Callable[[], Answer | None], **otherwise: object) -> "Deferred[Answer]":
        if self._busy:
            return succeed({"trouble": "one step at a time", **otherwise})
        self._busy = True

        def done(answer: Answer | None) -> Answer:
            self._busy = False
            return {"trouble": "", **otherwise, **(answer or {})}

        def failed(failure: Failure) -> Answer:
            self._busy = False
            failure.trap(OSError, ValueError, LocalError)
            return {"trouble": printable(failure.getErrorMessage()), **otherwise}

        return self._in_thread(step).addCallbacks(done, failed)

    # In a thread.

    def _begin(self, name: str, anew: bool) -> None:
        self._drop()
        if name not in self._folders:
            raise LocalError(f"this standby has no directory for {name!r}")
        if not anew and name not in self._equal:
            raise LocalError(f"this standby was not told yet what is in {name!r}")
        self._name, self._folder = name, self._folders[name]
        self._offered = set() if anew else set(self._equal[name])

    def _offer(self, file: File) -> bool:
        folder = self._begun()
        self._close()
        if file.path not in self._offered and len(self._offered) >= MAX_FILES:
            raise LocalError(f"more than {MAX_FILES} files are offered")
        if not file.is_served_by(folder.file(file.path)):
            self._incoming = Incoming(folder.root, file)
        self._offered.add(file.path)
        return self._incoming is not None

    def _part(self, octets: bytes) -> None:
        self._wanted().write(octets)

    def _end(self) -> None:
        incoming, self._incoming = self._wanted(), None
        incoming.finish()

    def _gone(self, path: str) -> None:
        self._begun()
        self._close()
        self._offered.discard(path)

    def _finish(self) -> int:
        folder, offered = self._begun(), self._offered
        self._drop()
        removed = folder.remove_but(offered) if folder.exists() else 0
        self._equal[self._name] = offered
        return removed

    def _drop(self) -> None:
        self._close()
        self._folder, self._offered = None, set()

    def _close(self) -> None:
        if self._incoming is not None:
            self._incoming.close()
            self._incoming = None

    def _begun(self) -> Folder:
        if self._folder is None:
            raise LocalError("no directory was begun")
        return self._folder

    def _wanted(self) -> Incoming:
        if self._incoming is None:
            raise LocalError("no file was wanted")
        return self._incoming
