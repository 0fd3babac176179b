"""Schema upgrades: in order, each once, all or nothing."""

import sqlite3
from pathlib import Path

import pytest

from voxpath.core.errors import LocalError
from voxpath.store.file import open_file
from voxpath.store.history import Position
from voxpath.store.journal import last_position
from voxpath.store.upgrade import Step, steps, upgrade

PATH = Path("voxpath.db")
ONE = Step(1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);")
TWO = Step(2, "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1;")
BROKEN = Step(3, "UPDATE a SET y = 9; INSERT INTO nowhere VALUES (1);")


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_new_file_goes_through_all_steps() -> None:
    connection = connect()
    upgrade(connection, (ONE, TWO), PATH)
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
    assert version(connection) == 2


def test_an_old_file_keeps_its_rows_and_gets_what_is_missing() -> None:
    connection = connect()
    upgrade(connection, (ONE,), PATH)
    connection.execute("INSERT INTO a VALUES (7)")
    upgrade(connection, (ONE, TWO), PATH)
    upgrade(connection, (ONE, TWO), PATH)
    assert connection.execute("SELECT x, y FROM a ORDER BY x").fetchall() == [(1, 2), (7, 8)]


def test_a_step_that_fails_leaves_the_file_as_it_was() -> None:
    connection = connect()
    with pytest.raises(LocalError, match="schema 3"):
        upgrade(connection, (ONE, TWO, BROKEN), PATH)
    assert version(connection) == 2
    assert connection.execute("SELECT y FROM a").fetchall() == [(2,)]
    assert not connection.in_transaction


def test_a_newer_file_is_refused() -> None:
    connection = connect()
    upgrade(connection, (ONE, TWO), PATH)
    with pytest.raises(LocalError, match="newer"):
        upgrade(connection, (ONE,), PATH)


@pytest.mark.parametrize("damage", ["DROP TABLE lease", "ALTER TABLE lease DROP COLUMN static"])
def test_a_file_that_has_not_the_tables_of_its_schema_is_refused_at_once_and_in_one_line(tmp_path: Path, damage: str) -> None:
    """Each role would fail to load it again and again."""
    path = tmp_path / "voxpath.db"
    open_file(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(LocalError, match=r"voxpath.db is damaged: no such (table|column): .*; restore it from a copy"):
        open_file(path)


def test_leases_of_schema_4_are_kept_and_their_addresses_not_shared() -> None:
    connection = connect()
    upgrade(connection, steps()[:4], PATH)
    row = ("02:00:00:00:00:01", b"", "lan", "10.0.0.11", "desk", "phone-1", 1234.5)
    connection.execute("INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    upgrade(connection, steps(), PATH)
    assert connection.execute("SELECT * FROM lease").fetchall() == [(*row, 0, 0)]


def test_a_journal_with_leases_of_schema_4_keeps_its_position_alone() -> None:
    """DHC-19: a standby must not be told rows of a former shape; it is told everything instead if it lacks some."""
    connection = connect()
    upgrade(connection, steps()[:4], PATH)
    connection.executemany("INSERT INTO journal VALUES (?, 'epoch', x'')", [(7,), (8,), (9,)])
    upgrade(connection, steps(), PATH)
    assert connection.execute("SELECT generation FROM journal").fetchall() == [(9,)]
    assert last_position(connection) == Position("epoch", 9)


def test_the_shipped_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in steps()] == list(range(1, len(steps()) + 1))


def test_nobody_else_may_read_the_file_not_even_one_that_was_readable(tmp_path: Path) -> None:
    path = tmp_path / "voxpath.db"
    path.touch(mode=0o644)
    connection = open_file(path)
    connection.execute("CREATE TABLE more (x INTEGER)")
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    connection.close()
    assert modes == {"voxpath.db": 0o600, "voxpath.db-wal": 0o600, "voxpath.db-shm": 0o600}
