"""What a crash left of a store, and that it is told truly."""

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from voxpath.model.clock import ClockMark
from voxpath.store.file import load_rows, open_file
from voxpath.store.recovery import Recovery
from voxpath.store.tables import TABLES

FRAME = 24 + 4096
COMMITS = 5


def put(connection: sqlite3.Connection, seconds: float) -> None:
    """Commit a row."""
    table = TABLES[ClockMark]
    connection.execute(table.put_sql, table.to_row(ClockMark("server", seconds)))


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """The files of a store as a process leaves them that is killed after :data:`COMMITS` commits of one page each."""
    running = tmp_path / "running"
    running.mkdir()
    connection = open_file(running / "voxpath.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(COMMITS):
        put(connection, float(number))
    shutil.copytree(running, tmp_path / "crashed")
    connection.close()
    return tmp_path / "crashed/voxpath.db"


def log_of(path: Path) -> Path:
    return path.with_name("voxpath.db-wal")


def opened(path: Path) -> tuple[list[Recovery], list[float]]:
    """What is told at the open, and what is in the store then."""
    told: list[Recovery] = []
    open_file(path, told.append).close()
    return told, [mark.at for mark in load_rows(path, ClockMark, pytest.fail)]


def test_a_store_that_was_closed_in_order_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "voxpath.db"
    for _ in range(2):
        assert opened(path) == ([], [])


def test_whole_commits_are_taken_over_and_counted(crashed: Path) -> None:
    octets = log_of(crashed).stat().st_size
    assert octets == 32 + COMMITS * FRAME
    assert opened(crashed) == ([Recovery(octets, COMMITS, False)], [COMMITS - 1.0])
    assert opened(crashed) == ([], [COMMITS - 1.0])


@pytest.mark.parametrize("damage", ["zeros", "chance", "its page", "half a frame", "half a header"])
def test_a_torn_last_commit_is_cut_off_and_told(crashed: Path, damage: str) -> None:
    log = log_of(crashed)
    octets = log.read_bytes()
    last = len(octets) - FRAME
    torn = {
        "zeros": octets[:last] + bytes(FRAME),
        "chance": octets[:last] + Random(1).randbytes(FRAME),
        "its page": octets[:-100] + bytes(100),
        "half a frame": octets[: last + FRAME // 2],
        "half a header": octets[: last + 10],
    }[damage]
    log.write_bytes(torn)
    assert opened(crashed) == ([Recovery(len(torn), COMMITS - 1, True)], [COMMITS - 2.0])


def test_a_log_whose_begin_is_torn_holds_nothing(crashed: Path) -> None:
    log = log_of(crashed)
    log.write_bytes(bytes(32) + log.read_bytes()[32:])
    assert opened(crashed) == ([Recovery(32 + COMMITS * FRAME, 0, True)], [])


def test_what_the_log_held_before_it_was_begun_again_is_no_torn_tail(tmp_path: Path) -> None:
    """A log keeps its length, and is written anew from its begin when all of it is in the database."""
    connection = open_file(tmp_path / "voxpath.db")
    for number in range(COMMITS):
        put(connection, float(number))
    for _ in range(2):
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        put(connection, 100.0)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("voxpath.db", "voxpath.db-wal"):
        shutil.copy(tmp_path / name, crashed)
    connection.close()
    ((found,), rows) = opened(crashed / "voxpath.db")
    assert (found.pages, found.cut, rows) == (1, False, [100.0])
    assert found.octets > 32 + FRAME
