"""Answers the TFTP server's questions for files: policy first, then the disk, read in a thread.

Containment is decided by the resolved path and not by the look of a name, and the path is then walked without following links,
so that nothing can be exchanged between the check and the opening.
"""

import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.tftp.content import PIECE_OCTETS, ContentLost
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Fetch, Refused

LARGEST_FILE = 1 << 30
"""Octets of a file that is served."""
OPEN_FILES = 64
"""Files that are kept open, since many phones fetch the same image at once; the one that was asked for last goes last."""
MAX_READS = 256
"""Different files that are being opened at once; further requests are refused as busy."""

NOT_FOUND = Refused(ErrorCode.NOT_FOUND, "no such file")
OUTSIDE = Refused(ErrorCode.ACCESS_VIOLATION, "this is outside")
BUSY = Refused(ErrorCode.NOT_DEFINED, "too many files are being read, try again")
TOO_LARGE = Refused(ErrorCode.NOT_DEFINED, "the file is too large to be served")
UNREADABLE = Refused(ErrorCode.ACCESS_VIOLATION, "the file may not be read")

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO would block without O_NONBLOCK.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileKey(NamedTuple):
    """A file's content at one time: if one of these changed, so may the content have."""

    path: str
    inode: int
    modified_ns: int
    size: int


class StoredFile:
    """A file of the disk as the content of transfers: all of them read the kernel's one copy of it, piece by piece.

    It is not mapped into memory: whoever shortens a file that is mapped ends the process that reads it.
    The kernel was told to read ahead, so a piece is in memory when its turn comes.
    """

    def __init__(self, descriptor: int, key: FileKey, head: bytes) -> None:
        self.key = key
        self.size = key.size
        self._descriptor = descriptor
        self._head = memoryview(head)

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """The octets from ``offset`` on; raise :class:`ContentLost` when the file was changed since it was opened."""
        end = min(offset + length, self.size)
        if end <= len(self._head):
            return self._head[offset:end]
        try:
            octets = os.pread(self._descriptor, end - offset, offset)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise ContentLost(error.strerror or str(error)) from error
        if (status.st_mtime_ns, status.st_size) != self.key[2:] or len(octets) != end - offset:
            raise ContentLost("it was changed while it was read")
        return octets

    def __del__(self) -> None:
        # With the last transfer that reads it.
        os.close(self._descriptor)


InThread: TypeAlias = Callable[[Callable[[], Any]], "Deferred[Any]"]
"""Runs a function in a thread; ``app`` binds it to the reactor's thread pool."""


class FileSource:
    """Files for :class:`~voxpath.tftp.server.TftpServer`.

    :param root: the directory of the images; it need not exist yet.
    :param largest: octets of a file that is served at the most.
    :param kept_open: files that are kept open at the most.
    """

    def __init__(
        self, policy: FilePolicy, root: str, in_thread: InThread, largest: int = LARGEST_FILE, kept_open: int = OPEN_FILES
    ) -> None:
        self._policy = policy
        self._root = root
        self._in_thread = in_thread
        self._largest = largest
        self._kept_open = kept_open
        self._open: OrderedDict[str, StoredFile] = OrderedDict()
        self._waiting: dict[str, list[Deferred[object]]] = {}

    def answer(self, question: object) -> "Deferred[object]":
        """Answer a :class:`Fetch` with the file, its octets, or :class:`Refused`."""
        assert isinstance(question, Fetch), f"no question for files: {question!r}"
        choice = self._policy.choose(question)
        if not isinstance(choice, Image):
            return succeed(_made(choice))
        found = self._image(choice.name)
        otherwise = choice.otherwise
        if otherwise is not None:
            found.addCallback(lambda answer: _made(otherwise) if answer == NOT_FOUND else answer)
        return found

    def _image(self, name: str) -> "Deferred[object]":
        """Open a file once for all who want it now."""
        waiting = self._waiting.get(name)
        if waiting is None:
            if len(self._waiting) >= MAX_READS:
                return succeed(BUSY)
            waiting = self._waiting[name] = []
        answered: Deferred[object] = Deferred()
        waiting.append(answered)
        if len(waiting) == 1:
            reading = self._in_thread(lambda: self._stored(name))
            reading.addCallbacks(lambda found: self._found(name, found), lambda failure: self._failed(name, failure))
        return answered

    def _found(self, name: str, found: StoredFile | Refused) -> None:
        if isinstance(found, StoredFile):
            self._keep(found)
        for answered in self._waiting.pop(name):
            answered.callback(found)

    def _failed(self, name: str, failure: Failure) -> None:
        for answered in self._waiting.pop(name):
            answered.errback(failure)

    def _keep(self, found: StoredFile) -> None:
        """Runs on the reactor's thread, as every change of the table does; threads only look into it."""
        self._open[found.key.path] = found
        self._open.move_to_end(found.key.path)
        while len(self._open) > self._kept_open:
            self._open.popitem(last=False)

    def _stored(self, name: str) -> StoredFile | Refused:
        """Runs in a thread."""
        root = os.path.realpath(self._root)
        path = os.path.realpath(os.path.join(root, name))
        if os.path.commonpath((root, path)) != root:
            return OUTSIDE
        try:
            descriptor = _open_below(root, os.path.relpath(path, root))
        except PermissionError:
            return UNREADABLE
        except OSError:
            # Not there, no directory on the way, too long a name, a loop of links, or a link that was put there after the check.
            return NOT_FOUND
        try:
            return self._content(path, descriptor)
        finally:
            os.close(descriptor)

    def _content(self, path: str, descriptor: int) -> StoredFile | Refused:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return NOT_FOUND
        if status.st_size > self._largest:
            return TOO_LARGE
        key = FileKey(path, status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._open.get(path)
        if known is not None and known.key == key:
            return known
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
        return StoredFile(os.dup(descriptor), key, os.pread(descriptor, PIECE_OCTETS, 0))


def _made(choice: Rendered | Refused) -> bytes | Refused:
    return choice.content if isinstance(choice, Rendered) else choice


def _open_below(root: str, relative: str) -> int:
    """Open a file below a directory, following no link on the way; raise :class:`OSError`."""
    *folders, name = relative.split(os.sep)
    at = os.open(root, _DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, _DIRECTORY, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
