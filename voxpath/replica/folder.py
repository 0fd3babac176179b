"""A directory that is kept equal on two hosts: what is in it, and how a file gets into its place, whatever it is called.

Everything here waits for the disk and runs on another thread than the reactor's.
A name comes from the other host, so a path is walked part by part without following links, and nothing outside the directory can
be reached by it.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from errno import ELOOP, ENOENT
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from voxpath.core.errors import LocalError

MAX_FILES = 10_000
"""Files of one directory, those in directories below it included."""

MAX_DEPTH = 16
"""Parts of a path."""

LARGEST_FILE = 1 << 30
"""Octets of one file."""

UNFINISHED = ".voxpath-unfinished-"
"""How names of files begin that are still being written; they are no part of the directory."""

READ_OCTETS = 1 << 20

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO would block without O_NONBLOCK.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class File:
    """A file's content, in short.

    :ivar path: below the directory, its parts separated by ``/``.
    :ivar digest: SHA-256.
    :ivar private: whether its owner alone may read it.
    :ivar modified_ns: when it was written, in nanoseconds since the Unix epoch; by itself no reason to copy it.
    """

    path: str
    size: int
    digest: bytes
    private: bool = False
    modified_ns: int = field(default=0, compare=False)

    def is_served_by(self, copy: "File | None") -> bool:
        """Whether a copy need not be made anew: it has this content, and no more people may read it."""
        return copy is not None and (copy.size, copy.digest) == (self.size, self.digest) and (copy.private or not self.private)


class _Known(NamedTuple):
    """If one of these has changed, so may the content have."""

    device: int
    inode: int
    mode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """What is known of a file."""
        return cls(status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def file(self, path: str, digest: bytes) -> File:
        """The file."""
        return File(path, self.size, digest, not self.mode & 0o077, self.modified_ns)


class Folder:
    """One directory; it need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests: dict[str, tuple[_Known, bytes]] = {}

    def exists(self) -> bool:
        """Whether the directory is there."""
        return self.root.is_dir()

    def files(self) -> dict[str, File]:
        """All files, by path; only what has changed is read.

        :raises LocalError: there are too many.
        :raises OSError: one cannot be read.
        """
        found: dict[str, File] = {}
        for path in self._paths():
            try:
                file = self._unchanged(path) or self._file(path)
            except OSError as error:
                # Gone meanwhile, or a link that leads nowhere.
                if error.errno not in {ENOENT, ELOOP}:
                    raise
            else:
                if file is not None:
                    found[path] = file
            if len(found) > MAX_FILES:
                raise LocalError(f"{self.root} has more than {MAX_FILES} files")
        self._digests = {path: known for path, known in self._digests.items() if path in found}
        return found

    def file(self, path: str) -> File | None:
        """One file; ``None``: there is none of that path."""
        try:
            return self._file(path)
        except OSError:
            return None

    def read(self, file: File) -> Iterator[bytes]:
        """Read a file, piece by piece; what is read may have changed meanwhile."""
        with (self.root / file.path).open("rb") as opened:
            while octets := opened.read(READ_OCTETS):
                yield octets

    def remove_but(self, keep: set[str]) -> int:
        """Remove all other files, and directories that are empty then; tell how many files."""
        removed = 0
        for folder, _, names in os.walk(self.root, topdown=False):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.root) not in keep:
                    os.unlink(path)
                    removed += 1
            if folder != str(self.root):
                with suppress(OSError):
                    os.rmdir(folder)
        return removed

    def _paths(self) -> Iterator[str]:
        for folder, below, names in os.walk(self.root):
            below.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), self.root)
                if not name.startswith(UNFINISHED) and is_safe(path):
                    yield path

    def _unchanged(self, path: str) -> File | None:
        """A file of which nothing has changed since it was read; it was found here, so no folder on the way is a link."""
        known = self._digests.get(path)
        return known[0].file(path, known[1]) if known is not None and known[0] == _Known.of(os.lstat(self.root / path)) else None

    def _file(self, path: str) -> File | None:
        """A link counts as the file that it leads to, if that lies in the directory, too."""
        real, root = os.path.realpath(self.root / path), os.path.realpath(self.root)
        if os.path.commonpath((root, real)) != root:
            return None
        descriptor = os.open(real, _FILE)
        with os.fdopen(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            known = _Known.of(status)
            if self._digests.get(path, (None,))[0] != known:
                digest = sha256()
                while octets := opened.read(READ_OCTETS):
                    digest.update(octets)
                self._digests[path] = known, digest.digest()
        return known.file(path, self._digests[path][1])


class Incoming:
    """A file that is being received; it takes its place when it is complete, and not before.

    :raises OSError: it cannot be written there.
    :raises ValueError: the path leads elsewhere, or the file is too large.
    """

    def __init__(self, root: Path, file: File) -> None:
        if not is_safe(file.path) or not 0 <= file.size <= LARGEST_FILE:
            raise ValueError(f"no file may have the path {file.path!r} and {file.size} octets")
        self.file = file
        self._digest = sha256()
        self._size = 0
        *folders, self._name = file.path.split("/")
        others = 0o077 if file.private else 0
        root.mkdir(mode=0o755 & ~others, parents=True, exist_ok=True)
        self._at = _enter(root, folders, 0o755 & ~others)
        self._part = f"{UNFINISHED}{os.getpid()}"
        self._clear()
        self._descriptor = os.open(self._part, _NEW, 0o644 & ~others, dir_fd=self._at)

    def write(self, octets: bytes) -> None:
        """Add octets; raise :class:`ValueError` when they are more than were announced."""
        self._size += len(octets)
        if self._size > self.file.size:
            raise ValueError(f"{self.file.path} is longer than announced")
        self._digest.update(octets)
        while octets:
            octets = octets[os.write(self._descriptor, octets) :]

    def finish(self) -> None:
        """Put it into its place, durably; raise :class:`ValueError` when it is not what was announced."""
        try:
            if self._size != self.file.size or self._digest.digest() != self.file.digest:
                raise ValueError(f"{self.file.path} changed while it was sent")
            os.utime(self._descriptor, ns=(self.file.modified_ns, self.file.modified_ns))
            os.fsync(self._descriptor)
            with suppress(FileNotFoundError):
                if stat.S_ISDIR(os.stat(self._name, dir_fd=self._at, follow_symlinks=False).st_mode):
                    _remove_tree(self._name, self._at)
            os.rename(self._part, self._name, src_dir_fd=self._at, dst_dir_fd=self._at)
            os.fsync(self._at)
        finally:
            self.close()

    def close(self) -> None:
        """Forget it if it is not in its place."""
        if self._at >= 0:
            os.close(self._descriptor)
            self._clear()
            os.close(self._at)
            self._at = -1

    def _clear(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._part, dir_fd=self._at)


def is_safe(path: str) -> bool:
    """Whether a path stays below its directory on any system, and can be written down."""
    parts = path.split("/")
    return (
        len(parts) <= MAX_DEPTH
        and all(part not in {"", ".", ".."} and len(part.encode("utf-8", "replace")) <= 255 for part in parts)
        and path.isprintable()
        and not any(part.startswith(UNFINISHED) for part in parts)
    )


def _enter(root: Path, folders: list[str], mode: int) -> int:
    """Open a directory below another one, following no link on the way; what is missing is made, a file in the way is removed."""
    at = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
    for folder in folders:
        try:
            inner = _open_or_make(folder, at, mode)
        finally:
            os.close(at)
        at = inner
    return at


def _open_or_make(folder: str, at: int, mode: int) -> int:
    try:
        return os.open(folder, _DIRECTORY, dir_fd=at)
    except FileNotFoundError:
        pass
    except OSError:
        # A file or a link of that name: the other host has a directory there.
        os.unlink(folder, dir_fd=at)
    os.mkdir(folder, mode, dir_fd=at)
    return os.open(folder, _DIRECTORY, dir_fd=at)


def _remove_tree(name: str, at: int) -> None:
    """The other host has a file where a directory stands here."""
    for _, folders, files, inner in os.fwalk(name, topdown=False, dir_fd=at):
        for file in files:
            os.unlink(file, dir_fd=inner)
        for folder in folders:
            with suppress(NotADirectoryError):
                os.rmdir(folder, dir_fd=inner)
    os.rmdir(name, dir_fd=at)
