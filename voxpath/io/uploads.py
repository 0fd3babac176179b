"""Drop boxes: one directory for each phone, where it may create files and do nothing else (TFT-5).

A file is on the disk, under its name, before the phone is told that it was taken.
It is written under a hidden name, flushed, and only then given its own one, which must be free: a crash leaves nothing half.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed

from voxpath.flow.uploads import Drop, UploadPolicy
from voxpath.io.files import InThread
from voxpath.io.room import MOST_IN_ALL, Limits, Room
from voxpath.tftp import netascii
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import BEYOND, Admit, Admitted, Keep, Kept, Refused

MOST_FILES = 100
"""Files in one box."""
SAME_NAME = 99
"""Files of one name: the second is kept as ``NAME.2``, since phones write the same log at each boot, and nothing is overwritten."""
TEMPORARY = ".voxpath-unfinished-upload"
"""The hidden name, one that no standby copies; files are kept one at a time, so one name is enough. A phone cannot give it."""

NO_ROOM = Refused(ErrorCode.DISK_FULL, "your box is full")
FULL_DISK = Refused(ErrorCode.DISK_FULL, "the disk is full")
IMAGE = Refused(ErrorCode.ACCESS_VIOLATION, "this is the name of an image")
TAKEN = Refused(ErrorCode.FILE_EXISTS, "there are too many files of this name")
FAILED = Refused(ErrorCode.NOT_DEFINED, "the file cannot be kept")

Answer = TypeVar("Answer")

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Uploaded(NamedTuple):
    """A file in a box; :ivar at: when it was written, in seconds since the Unix epoch."""

    box: str
    name: str
    octets: int
    at: float


class Uploads:
    """Keeps what phones write.

    :param root: the directory of the boxes; it is made when the first file comes.
    :param images: the directory of the images: no file may have the name of one.
    :ivar room: how much all phones together may still write.
    """

    def __init__(self, policy: UploadPolicy, root: str, images: str, limits: Limits, in_thread: InThread) -> None:
        self._policy = policy
        self._root = root
        self._images = images
        self._limits = limits
        self._in_thread = in_thread
        self._one_at_a_time = DeferredLock()
        self.room = Room(limits, root, lambda: (file.octets for file in self._all()))

    def answer(self, question: Admit | Keep) -> "Deferred[object]":
        """Answer whether a client may write, or keep what it wrote."""
        drop = self._policy.choose(question)
        if isinstance(drop, Refused):
            return succeed(drop)
        if isinstance(question, Admit):
            return self._in_thread(lambda: self._guarded(lambda: self._admit(drop)))
        return self._one_at_a_time.run(self._in_thread, lambda: self._guarded(lambda: self._keep(drop, question)))

    def files(self) -> "Deferred[list[Uploaded]]":
        """The files of all boxes, in the order of their phones and names; :data:`~voxpath.io.room.MOST_IN_ALL` at the most."""
        return self._in_thread(lambda: sorted(file for file, _ in zip(self._all(), range(MOST_IN_ALL), strict=False)))

    # In a thread.

    def _guarded(self, step: Callable[[], Answer]) -> Answer | Refused:
        """What the disk refuses is an answer, too."""
        try:
            return step()
        except OSError as error:
            refused = FULL_DISK if error.errno in _FULL else FAILED
            return refused._replace(detail=f"{self._root}: {error.strerror}")

    def _all(self) -> Iterator[Uploaded]:
        with suppress(FileNotFoundError), os.scandir(self._root) as boxes:
            for box in boxes:
                if box.is_dir(follow_symlinks=False):
                    yield from _files(box.name, box.path)

    def _admit(self, drop: Drop) -> Admitted | Refused:
        if os.path.lexists(os.path.join(self._images, drop.name)):
            return IMAGE
        box = os.path.join(self._root, drop.box)
        there = list(_files(drop.box, box))
        left = self._limits.box - sum(file.octets for file in there)
        if left <= 0:
            return NO_ROOM._replace(detail=f"{box} has reached tftp.upload_quota; remove some files")
        if len(there) >= MOST_FILES:
            return NO_ROOM._replace(detail=f"{box} holds {MOST_FILES} files; remove some")
        in_all = self.room.left()
        if isinstance(in_all, Refused):
            return in_all
        largest = self._limits.file
        of_a_file = Refused(
            ErrorCode.DISK_FULL, f"a file may have {largest} octets", "raise tftp.upload_octets if larger ones are wanted"
        )
        in_box = BEYOND._replace(detail=f"{box} comes to tftp.upload_quota with it; remove some files")
        return min(Admitted(largest, of_a_file), Admitted(left, in_box), in_all, key=lambda admitted: admitted.most)

    def _keep(self, drop: Drop, question: Keep) -> Kept | Refused:
        """Keep a file; room is looked for again, since another one may have come meanwhile."""
        content = netascii.decode(question.content) if question.netascii else question.content
        admitted = self._admit(drop)
        if isinstance(admitted, Refused):
            return admitted
        if len(content) > admitted.most:
            return admitted.beyond
        with _box(self._root, drop.box) as box:
            kept = _create(box, drop, content)
        if isinstance(kept, Kept):
            self.room.took(len(content))
        return kept


@contextmanager
def _box(root: str, name: str) -> Iterator[int]:
    """The directory of a phone, which is made if need be; it is no link, the one that it lies in may be."""
    if not os.path.isdir(root):
        os.makedirs(root, mode=0o700)
        _flush_directory(os.path.dirname(root))
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=at)
            os.fsync(at)
        box = os.open(name, _DIRECTORY, dir_fd=at)
    finally:
        os.close(at)
    try:
        yield box
    finally:
        os.close(box)


def _flush_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(box: int, drop: Drop, content: bytes) -> Kept | Refused:
    """Write a file and give it its name, both on the disk when this returns; raise :class:`OSError` and leave nothing."""
    with suppress(FileNotFoundError):
        # Of a process that was killed.
        os.unlink(TEMPORARY, dir_fd=box)
    try:
        descriptor = os.open(TEMPORARY, _NEW, 0o600, dir_fd=box)
        with open(descriptor, "wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(descriptor)
        name = _name(box, drop.name)
        if name:
            _flush(box, name)
    finally:
        with suppress(OSError):
            os.unlink(TEMPORARY, dir_fd=box)
    return Kept(f"{drop.box}/{name}") if name else TAKEN


def _name(box: int, wanted: str) -> str:
    """Give the file a name that is free, which only one can win; empty: there are too many of this name."""
    for number in range(1, SAME_NAME + 1):
        name = wanted if number == 1 else f"{wanted}.{number}"
        with suppress(FileExistsError):
            os.link(TEMPORARY, name, src_dir_fd=box, dst_dir_fd=box)
            return name
    return ""


def _flush(box: int, name: str) -> None:
    """Bring the name to the disk; if that fails, take it away again, since the phone will be told that nothing was kept."""
    try:
        os.fsync(box)
    except OSError:
        os.unlink(name, dir_fd=box)
        raise


def _files(box: str, path: str) -> Iterator[Uploaded]:
    """The files of one box; none when it is not there."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
        for entry in entries:
            # Somebody may remove it meanwhile.
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and entry.name != TEMPORARY:
                    yield Uploaded(box, entry.name, status.st_size, status.st_mtime)
