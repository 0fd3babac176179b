"""Answers the TFTP server's questions for files: policy first, then the disk, read in a thread.

Containment is decided by the resolved path and not by the look of a name, and the path is then walked without following links,
so that nothing can be exchanged between the check and the opening.
"""

import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.tftp.message import ErrorCode
from voxpath.tftp.question import Fetch, Refused

LARGEST_FILE = 128 << 20
"""Octets of a file that is served: it is held in memory while it is."""
CACHE_OCTETS = 256 << 20
"""Octets of files that are kept, since many phones fetch the same image at once."""
MAX_READS = 256
"""Different files that are being read at once; further requests are refused as busy."""

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
    modified_ns: int
    size: int


class FileFound(NamedTuple):
    """What a read brought."""

    key: FileKey
    content: bytes


Answer: TypeAlias = bytes | Refused
InThread: TypeAlias = Callable[[Callable[[], FileFound | Refused]], "Deferred[FileFound | Refused]"]
"""Runs a function in a thread; ``app`` binds it to the reactor's thread pool."""


class FileSource:
    """Files for :class:`~voxpath.tftp.server.TftpServer`.

    :param root: the directory of the images; it need not exist yet.
    :param largest: octets of a file that is served at the most.
    :param cache_octets: octets of files that are kept in memory at the most.
    """

    def __init__(
        self, policy: FilePolicy, root: str, in_thread: InThread, largest: int = LARGEST_FILE, cache_octets: int = CACHE_OCTETS
    ) -> None:
        self._policy = policy
        self._root = root
        self._in_thread = in_thread
        self._largest = largest
        self._cache_octets = cache_octets
        self._cached = 0
        self._cache: OrderedDict[FileKey, bytes] = OrderedDict()
        self._waiting: dict[str, list[Deferred[object]]] = {}
        self.reads = 0

    def answer(self, question: object) -> "Deferred[object]":
        """Answer a :class:`Fetch` with the file's octets or with :class:`Refused`."""
        assert isinstance(question, Fetch), f"no question for files: {question!r}"
        choice = self._policy.choose(question)
        if isinstance(choice, Image):
            return self._image(choice.name)
        return succeed(choice.content if isinstance(choice, Rendered) else choice)

    def _image(self, name: str) -> "Deferred[object]":
        """Read a file once for all who want it now."""
        waiting = self._waiting.get(name)
        if waiting is None:
            if len(self._waiting) >= MAX_READS:
                return succeed(BUSY)
            waiting = self._waiting[name] = []
        answered: Deferred[object] = Deferred()
        waiting.append(answered)
        if len(waiting) == 1:
            reading = self._in_thread(lambda: self._read(name))
            reading.addCallbacks(lambda found: self._found(name, found), lambda failure: self._failed(name, failure))
        return answered

    def _found(self, name: str, found: FileFound | Refused) -> None:
        if isinstance(found, FileFound):
            self._keep(found)
        for answered in self._waiting.pop(name):
            answered.callback(found.content if isinstance(found, FileFound) else found)

    def _failed(self, name: str, failure: Failure) -> None:
        for answered in self._waiting.pop(name):
            answered.errback(failure)

    def _keep(self, found: FileFound) -> None:
        """Runs on the reactor's thread, as every change of the cache does; threads only look into it."""
        if found.key in self._cache:
            self._cache.move_to_end(found.key)
            return
        self.reads += 1
        for stale in [key for key in self._cache if key.path == found.key.path]:
            self._forget(stale)
        self._cache[found.key] = found.content
        self._cached += found.key.size
        while self._cached > self._cache_octets:
            self._forget(next(iter(self._cache)))

    def _forget(self, key: FileKey) -> None:
        del self._cache[key]
        self._cached -= key.size

    def _read(self, name: str) -> FileFound | Refused:
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

    def _content(self, path: str, descriptor: int) -> FileFound | Refused:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return NOT_FOUND
        if status.st_size > self._largest:
            return TOO_LARGE
        key = FileKey(path, status.st_mtime_ns, status.st_size)
        content = self._cache.get(key)
        if content is None:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(status.st_size)
        return FileFound(key, content)


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
