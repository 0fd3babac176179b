"""What a crash left of a store: a write-ahead log that nobody took into the database.

A process that ends in order leaves none.
SQLite takes over what was committed when it opens the file next, drops the rest, and says nothing, so its files are looked at.
Their form is https://sqlite.org/walformat.html.
"""

from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import NamedTuple

_HEADER = Struct(">8xI4xI12x")
"""Of the log: octets of a page, first salt."""
_FRAME = Struct(">8xI12x")
"""What stands before each page in the log: first salt."""
_INDEX = Struct("=16xI")
"""The begin of the index, which SQLite makes anew from a log that it finds: how many pages of it are of whole commits."""
_OLDER = 1 << 16
"""The first salt grows by one each time that the log is written again from its begin: so far before it is that of older frames."""


class Recovery(NamedTuple):
    """What was found.

    :ivar octets: of the log.
    :ivar pages: how many of its pages were of whole commits; all of them are kept.
    :ivar cut: whether something stood behind those that was of no whole commit, and was dropped.
    """

    octets: int
    pages: int
    cut: bool


def log_octets(path: Path) -> int:
    """How long the log is that lies beside a database; 0 when there is none."""
    with suppress(FileNotFoundError):
        return _log(path).stat().st_size
    return 0


def recovery(path: Path, octets: int) -> Recovery:
    """Tell what became of a log, just after the database was opened and read, and before anything is written.

    :param octets: how long it was before.
    :raises OSError: it cannot be read.
    """
    index = path.with_name(f"{path.name}-shm").read_bytes()[: _INDEX.size]
    (pages,) = _INDEX.unpack(index)
    return Recovery(octets, pages, _is_cut(path, pages))


def _is_cut(path: Path, pages: int) -> bool:
    """Whether there is anything behind the last page kept but frames of the log's former rounds."""
    if not pages:
        return True
    with _log(path).open("rb") as log:
        page, salt = _HEADER.unpack(log.read(_HEADER.size))
        log.seek(_HEADER.size + pages * (_FRAME.size + page))
        frame = log.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return bool(frame)
    age = (salt - _FRAME.unpack(frame)[0]) % (1 << 32)
    return not 0 < age < _OLDER


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
