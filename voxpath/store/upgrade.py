"""Numbered schema upgrades: ``schema/NUMBER.sql``, applied in order, each in a transaction of its own."""

import sqlite3
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from voxpath.core.errors import LocalError


class Step(NamedTuple):
    """One upgrade: the schema's number after it, and its statements."""

    number: int
    script: str


def steps() -> tuple[Step, ...]:
    """All upgrades that this voxpath knows, in order."""
    scripts = (entry for entry in files("voxpath.store").joinpath("schema").iterdir() if entry.name.endswith(".sql"))
    return tuple(sorted(Step(int(entry.name.removesuffix(".sql")), entry.read_text()) for entry in scripts))


def upgrade(connection: sqlite3.Connection, known: Sequence[Step], path: Path) -> None:
    """Bring a file up to date; what is up to date already is not touched.

    :raises LocalError: a newer voxpath wrote the file, or a step failed; the file then is as the step before left it.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = known[-1].number
    if version > newest:
        raise LocalError(f"the store {path} has schema {version}, this voxpath knows {newest}: use the newer voxpath")
    for step in known:
        if step.number <= version:
            continue
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {step.script}; PRAGMA user_version = {step.number}; COMMIT;")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise LocalError(f"the store {path} cannot be upgraded to schema {step.number}: {error}") from error
