"""A store's SQLite file: opening and checking it, reading its rows, and which errors make it suspect."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from voxpath.core.errors import LocalError
from voxpath.store.recovery import Recovery, log_octets, recovery
from voxpath.store.tables import TABLES, Row, text_or_octets
from voxpath.store.upgrade import steps, upgrade

Value = TypeVar("Value")

_REFUSED = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""Errors by which the database refuses one change; every other one of its errors makes the file suspect."""


def load_rows(path: Path, kind: type[Value], refused_row: Callable[[str, str, str], None]) -> list[Value]:
    """Read every row of a table, over a connection of its own, and tell of those that the model refuses."""
    table = TABLES[kind]
    connection = sqlite3.connect(path)
    try:
        rows = _rows(connection, table.load_sql)
    finally:
        connection.close()
    values: list[Value] = []
    for row in rows:
        try:
            values.append(table.read(row))
        except ValueError as error:
            refused_row(table.name, repr(row), str(error))
    return values


def _rows(connection: sqlite3.Connection, sql: str) -> list[Row]:
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        # A text that is no UTF-8 fails all rows; looking at each text costs a quarter more, so it is done only then.
        connection.text_factory = text_or_octets
        return connection.execute(sql).fetchall()


def open_file(path: Path, recovered: Callable[[Recovery], None] = lambda found: None) -> sqlite3.Connection:
    """Open a store's file for writing, check it and bring its schema up to date; raise :class:`LocalError`.

    :param recovered: is told what a process that did not end in order left, if there is anything.
    """
    try:
        left = log_octets(path)
        # Configurations and bindings tell who is where; SQLite gives its other files the rights of this one.
        path.touch(mode=0o600)
        path.chmod(0o600)
        # No waiting for locks here: the reactor thread must not.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=32)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if left:
            recovered(recovery(path, left))
    except (OSError, sqlite3.Error) as error:
        raise LocalError(
            f"the store {path} cannot be opened: {error}; check the path, its rights, and the disk: room, health"
        ) from error
    if verdict != "ok":
        raise LocalError(f"the store {path} is damaged: {verdict}; restore it from a copy")
    upgrade(connection, steps(), path)
    _check_tables(connection, path)
    return connection


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """A file can be sound and have the number of a schema whose tables it has not; nobody can load such a one."""
    for table in TABLES.values():
        try:
            connection.execute(f"{table.load_sql} LIMIT 0")
        except sqlite3.Error as error:
            raise LocalError(f"the store {path} is damaged: {error}; restore it from a copy") from error


def try_write(connection: sqlite3.Connection) -> None:
    """Write what stands in the file already, and flush it; raise :class:`sqlite3.Error` when the disk does not take it.

    A full disk is read without any trouble: without this, a file on it would count as good until the next change.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another program keeps the file locked."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def is_of_disk(error: Exception) -> bool:
    """Whether an error makes the file suspect, rather than one change refused."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, _REFUSED)
