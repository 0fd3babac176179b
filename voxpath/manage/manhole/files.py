"""The manhole's files: readable, and not open to others."""

import os
import stat
from pathlib import Path

from voxpath.core.errors import LocalError

FILE_LIMIT = 256 * 1024
"""Octets of one file."""

READABLE = stat.S_IRGRP | stat.S_IROTH
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
EXECUTABLE = stat.S_IXGRP | stat.S_IXOTH

SECRET = READABLE | WRITABLE | EXECUTABLE
"""Permission bits that a file with secrets must not have."""

TRUSTED = WRITABLE
"""Permission bits that a file must not have whose lines admit people."""


def read(path: Path, barred: int) -> bytes:
    """Read a file that is the user's own or root's, and has none of the barred permission bits.

    :raises LocalError: it cannot be read or trusted, with what to do about it.
    """
    try:
        # A named pipe would wait for its other end.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check(path, os.fstat(file.fileno()), barred)
            content = file.read(FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is no path of a file"
        raise LocalError(f"{path}: {reason}; name a file that this user can read") from None
    if len(content) > FILE_LIMIT:
        raise LocalError(f"{path} has more than {FILE_LIMIT} octets; shorten it")
    return content


def make(path: Path, content: bytes) -> None:
    """Make a file for its owner alone: whole, or not at all.

    :raises LocalError: it cannot be made.
    """
    part = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        _flush_directory(path.parent)
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} cannot be made: {error}; name a place that this user can write") from None


def _check(path: Path, facts: os.stat_result, barred: int) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise LocalError(f"{path} is no regular file; name one")
    if facts.st_uid not in {0, os.geteuid()}:
        raise LocalError(f"{path} belongs to another user; chown it to the one that runs voxpath")
    if facts.st_mode & barred:
        verb, wish = ("read or change", "600") if barred == SECRET else ("change", "go-w")
        raise LocalError(f"others may {verb} {path}; chmod {wish} it")


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
