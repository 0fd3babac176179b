"""The journal of a store, and the copy that a standby makes of it: the same rules in SQLite and in memory."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed

from tests.replica.pair import rows_of
from tests.replica.values import binding, contact, lease
from voxpath.core.effects import Change, Delete, Put
from voxpath.model.phone import Lease
from voxpath.store import journal
from voxpath.store.copy import CopyRefused, SqliteCopy
from voxpath.store.history import NOWHERE, Entry, Position, decode, encode
from voxpath.store.memory import MemoryCopy, MemoryStore
from voxpath.store.sqlite import SqliteStore


def at_once(step: Callable[[], None]) -> Deferred[None]:
    step()
    return succeed(None)


class Kind:
    """One kind of store and copy."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory

    def store(self, epoch: str = "e1") -> Any:
        return MemoryStore(epoch) if self.name == "memory" else SqliteStore(self.directory / "active.db", reactor, epoch=epoch)

    def copy(self) -> Any:
        return MemoryCopy() if self.name == "memory" else SqliteCopy(self.directory / "standby.db", at_once)


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    return Kind(request.param, tmp_path)


async def commit(store: Any, *changes: Change) -> str | None:
    outcome: Deferred[str | None] = Deferred()
    store.commit(changes, outcome.callback)
    return await outcome


async def snapshot(store: Any, copy: Any) -> None:
    taken = store.snapshot()
    copy.begin()
    for part in taken.parts():
        assert copy.fill(part.table, part.rows) == part.row_count
    await copy.complete(taken.position)
    taken.close()


async def test_a_copy_follows_group_by_group(kind: Kind) -> None:
    store, copy = kind.store(), kind.copy()
    assert (store.position, copy.position) == (Position("e1", 0), NOWHERE)
    await snapshot(store, copy)
    await commit(store, Put(lease(1)), Put(binding(1)))
    await commit(store, Delete(lease(1)), Put(lease(2)), Put(contact(3)))
    entries = store.since(copy.position)
    assert [entry.position for entry in entries] == [Position("e1", 1), Position("e1", 2)]
    await copy.apply(entries)
    assert copy.position == store.position
    assert rows_of(copy) == rows_of(store)
    assert store.since(copy.position) == []
    await copy.close()
    await store.close()


async def test_a_position_of_another_epoch_is_not_known(kind: Kind) -> None:
    store = kind.store()
    await commit(store, Put(lease(1)))
    assert store.since(Position("e2", 1)) is None
    assert store.since(Position("e1", 2)) is None
    assert store.since(NOWHERE) is None
    await store.close()


async def test_a_refused_commit_leaves_no_trace_in_the_history(kind: Kind) -> None:
    store = kind.store()
    await commit(store, Put(binding(1)))
    assert await commit(store, Put(lease(1)), Put(binding(2, place=1))) is not None
    assert store.position.generation == 1
    await store.close()


async def test_a_group_that_does_not_fit_is_refused_as_a_whole(kind: Kind) -> None:
    store, copy = kind.store(), kind.copy()
    await commit(store, Put(binding(1)))
    await snapshot(store, copy)
    before = rows_of(copy)
    for changes in (encode([Put(lease(1)), Put(binding(2, place=1))]), b"nonsense", encode([Put(lease(1))])[:-1]):
        with pytest.raises(CopyRefused):
            copy.apply([Entry(Position("e1", 2), encode([Put(lease(9))])), Entry(Position("e1", 3), changes)])
        assert (copy.position, rows_of(copy)) == (store.position, before)
    await copy.apply([Entry(Position("e1", 2), encode([Put(lease(9))]))])
    assert copy.position.generation == 2
    await copy.close()
    await store.close()


async def test_a_text_that_is_none_stops_no_snapshot(tmp_path: Path) -> None:
    """The row is refused on both hosts, and all others are copied."""
    kind = Kind("sqlite", tmp_path)
    store, copy = kind.store(), kind.copy()
    await commit(store, Put(lease(1)), Put(lease(2)))
    damaging = sqlite3.connect(tmp_path / "active.db")
    damaging.execute("UPDATE lease SET host_name = CAST(x'ff' AS TEXT) WHERE mac = ?", (str(lease(1).mac),))
    damaging.commit()
    damaging.close()
    await snapshot(store, copy)
    assert store.load(Lease) == copy.load(Lease) == [lease(2)]
    await copy.close()
    await store.close()


async def test_a_snapshot_that_is_given_up_changes_nothing(kind: Kind) -> None:
    store, copy = kind.store(), kind.copy()
    await commit(store, Put(lease(1)))
    await snapshot(store, copy)
    before = copy.position, rows_of(copy)
    copy.begin()
    copy.abandon()
    assert (copy.position, rows_of(copy)) == before
    for table, rows in (("lease", b"nonsense"), ("sqlite_master", encode([])), ("lease", b"\x91\x91\x01")):
        copy.begin()
        with pytest.raises(CopyRefused):
            copy.fill(table, rows)
        copy.abandon()
    assert (copy.position, rows_of(copy)) == before
    await copy.close()
    await store.close()


async def test_a_copy_is_written_by_its_active_only(kind: Kind) -> None:
    copy = kind.copy()
    assert "standby" in (await commit(copy, Put(lease(1))) or "")
    assert rows_of(copy)["lease"] == []
    await copy.close()


async def test_a_snapshot_is_of_one_moment(kind: Kind) -> None:
    """What is written while it is read belongs to the groups after it."""
    store, copy = kind.store(), kind.copy()
    for number in range(300):
        store.commit((Put(lease(number)),), lambda reason: None)
    await commit(store, Put(binding(1)))
    taken = store.snapshot()
    parts = taken.parts()
    first = next(parts)
    await commit(store, Delete(lease(299)), Put(contact(1)))
    copy.begin()
    for part in (first, *parts):
        copy.fill(part.table, part.rows)
    await copy.complete(taken.position)
    taken.close()
    taken.close()
    assert len(rows_of(copy)["lease"]) == 300
    await copy.apply(store.since(copy.position))
    assert rows_of(copy) == rows_of(store)
    await copy.close()
    await store.close()


# Of the files alone.


async def test_history_and_copy_outlive_their_processes(tmp_path: Path) -> None:
    """DHC-19: an active that comes back leads on from where the standby is; the epoch tells who wrote what."""
    kind = Kind("sqlite", tmp_path)
    store, copy = kind.store("e1"), kind.copy()
    await snapshot(store, copy)
    await commit(store, Put(lease(1)))
    await copy.apply(store.since(copy.position))
    await copy.close()
    await store.close()
    store, copy = kind.store("e2"), kind.copy()
    assert copy.position == store.position == Position("e1", 1)
    await commit(store, Put(lease(2)))
    await copy.apply(store.since(copy.position))
    assert copy.position == Position("e2", 2)
    assert rows_of(copy) == rows_of(store)
    await copy.close()
    await store.close()


async def test_a_standby_that_becomes_active_leads_on(tmp_path: Path) -> None:
    """Its copy has the journal, too, so that the host that was active gets what it missed, and no snapshot."""
    kind = Kind("sqlite", tmp_path)
    store, copy = kind.store("e1"), kind.copy()
    await snapshot(store, copy)
    await commit(store, Put(lease(1)))
    await copy.apply(store.since(copy.position))
    await copy.close()
    await store.close()
    heir = SqliteStore(tmp_path / "standby.db", reactor, epoch="e2")
    await commit(heir, Put(lease(2)))
    former = SqliteCopy(tmp_path / "active.db", at_once)
    await former.apply(heir.since(former.position))
    assert rows_of(former) == rows_of(heir)
    await former.close()
    await heir.close()


async def test_a_time_without_a_standby_ends_the_history(tmp_path: Path) -> None:
    """Changes that nobody wrote down: whoever has the old position must not be taken for equal."""
    kind = Kind("sqlite", tmp_path)
    store = kind.store("e1")
    await commit(store, Put(lease(1)))
    position = store.position
    await store.close()
    store = kind.store("")
    await commit(store, Put(lease(2)))
    await store.close()
    store = kind.store("e2")
    assert store.since(position) is None
    await store.close()


@pytest.mark.parametrize(("limit", "value"), [("JOURNAL_GROUPS", 3), ("JOURNAL_OCTETS", 400)])
async def test_the_journal_is_bounded(limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, limit, value)
    store = SqliteStore(tmp_path / "active.db", reactor, epoch="e1")
    for number in range(20):
        await commit(store, Put(lease(number)))
    await store.close()
    with sqlite3.connect(tmp_path / "active.db") as connection:
        groups, octets = connection.execute("SELECT count(*), sum(length(changes)) FROM journal").fetchone()
        assert 2 <= groups <= 6
        assert octets <= 600
    connection.close()
    store = SqliteStore(tmp_path / "active.db", reactor, epoch="e2")
    assert store.since(Position("e1", 19)) is not None
    assert store.since(Position("e1", 1)) is None
    await store.close()


async def test_a_gate_holds_news_back_not_the_disk(tmp_path: Path) -> None:
    """Commits go on while others wait for the standby, and are told in their order."""
    held: list[tuple[Entry | None, Callable[[], None]]] = []

    class Shut:
        def committed(self, entry: Entry | None, release: Callable[[], None]) -> None:
            held.append((entry, release))
            if entry is not None and entry.position.generation == 2:
                whole.callback(None)

    store = SqliteStore(tmp_path / "active.db", reactor, epoch="e1")
    store.gate = Shut()
    whole: Deferred[None] = Deferred()
    told: list[str | None] = []
    store.commit((Put(lease(1)),), told.append)
    store.commit(
        (Put(lease(2, 5.0)), Put(lease(2, 6.0))), lambda reason: (told.append(reason), store.commit((Put(lease(3)),), told.append))
    )
    store.commit((Put(lease(4, 1.0)),), told.append)
    while len(held) < 1:
        ticked: Deferred[None] = Deferred()
        reactor.callLater(0.01, ticked.callback, None)
        await ticked
    assert told == []
    assert len(rows_of(store)["lease"]) == 3
    held[0][1]()
    await whole
    assert told == [None, None, None]
    held[1][1]()
    assert told == [None] * 4
    await store.close()


def test_changes_and_octets_are_inverse() -> None:
    changes = [Put(lease(1)), Delete(binding(1)), Put(contact(2, "sip:\0ü"))]
    decoded = decode(encode(changes))
    assert [change.put for change in decoded] == [True, False, True]
    assert [tuple(change.row) for change in decoded] == [
        tuple(decoded[0].table.to_row(changes[0].value)),
        decoded[1].table.key(changes[1].value),
        tuple(decoded[2].table.to_row(changes[2].value)),
    ]
