"""One suite for every store: what is committed is there, all or nothing, and two owners are impossible."""

import sqlite3
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from math import inf
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from voxpath.core.effects import Change, Delete, Put
from voxpath.core.errors import LocalError
from voxpath.model.address import Endpoint, Mac
from voxpath.model.clock import ClockMark
from voxpath.model.contact import Contact
from voxpath.model.phone import Adoption, Lease, Probation
from voxpath.model.ports import BindingState, PortBinding, PortBlock
from voxpath.model.registration import Registration
from voxpath.store.file import load_rows, open_file, try_write
from voxpath.store.interface import Store
from voxpath.store.memory import MemoryStore
from voxpath.store.sqlite import SqliteStore
from voxpath.store.tables import TABLES, table_of

PUBLIC = IPv4Address("203.0.113.1")


def binding(holder: str, first: int, size: int = 64, state: BindingState = BindingState.HELD) -> PortBinding:
    return PortBinding(holder, PortBlock(PUBLIC, first, size), IPv4Address("10.0.0.11"), "site-a", state, 0.0, 7)


def lease(octet: int, address: str) -> Lease:
    mac = Mac(bytes([2, 0, 0, 0, 0, octet]))
    return Lease(mac, b"\x01" + mac, "lan", IPv4Address(address), "basic", f"phone-{octet}", 1234.5)


REGISTRATION = Registration(
    mid="[10.0.0.11]:2048",
    public=Endpoint("203.0.113.1", 2048),
    contact=Endpoint("203.0.113.1", 2048),
    private=IPv4Address("10.0.0.11"),
    realm="site-a",
    phone="02:00:00:00:00:01",
    terminations=("line/1", "line/2"),
    since=12.0,
)


async def commit(store: Store, *changes: Change) -> str | None:
    outcome: Deferred[str | None] = Deferred()
    store.commit(changes, outcome.callback)
    return await outcome


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "voxpath.db", reactor)


async def test_what_is_committed_is_loaded(store: Store) -> None:
    values = [binding("a", 2048), lease(1, "10.0.0.11"), REGISTRATION, Adoption(Mac(bytes(6)), 7.5)]
    values.append(replace(values[1], mac=Mac(b"\0" * 5 + b"\2"), address=IPv4Address("10.0.0.12"), expires=inf))
    assert await commit(store, *map(Put, values)) is None
    assert sorted(store.load(Lease), key=lambda row: row.expires) == [values.pop(1), values.pop()]
    assert [store.load(type(value)) for value in values] == [[value] for value in values]
    await store.close()


async def test_a_user_with_a_nul_is_a_user_of_his_own(store: Store) -> None:
    """RFC 4475 section 3.1.1.4: nothing is cut off at it."""
    one, two = (
        Contact(
            f"x\0{name}@voip.example", f"sip:{name}@h", f"sip:%00{name}@h", 1000, "203.0.113.1", 2048, "c", 1, 9.0, 1.0, "", "p"
        )
        for name in ("1", "2")
    )
    assert await commit(store, Put(one), Put(two)) is None
    assert sorted(store.load(Contact)) == [one, two]
    await commit(store, Delete(one))
    assert store.load(Contact) == [two]
    await store.close()


async def test_an_address_has_one_lease_or_one_for_each_block_of_its_ports(store: Store) -> None:
    """RFC 7618: a shared address is known by address and ports together."""
    one, other = (replace(lease(octet, "203.0.113.1"), first_port=2048 + 64 * octet) for octet in (1, 2))
    assert await commit(store, Put(one), Put(other)) is None
    assert set(store.load(Lease)) == {one, other}
    assert await commit(store, Put(replace(lease(3, "203.0.113.1"), first_port=one.first_port))) is not None
    assert await commit(store, Put(lease(4, "10.0.0.11"))) is None
    assert await commit(store, Put(lease(5, "10.0.0.11"))) is not None


async def test_a_second_put_replaces_the_row(store: Store) -> None:
    await commit(store, Put(binding("a", 2048)))
    assert await commit(store, Put(binding("a", 2112))) is None
    assert store.load(PortBinding) == [binding("a", 2112)]
    await store.close()


async def test_a_reservation_for_ever_is_kept_as_it_is(store: Store) -> None:
    row = replace(binding("a", 2048), until=float("inf"))
    assert await commit(store, Put(row)) is None
    assert store.load(PortBinding) == [row]
    await store.close()


async def test_delete_removes_the_row_and_may_be_repeated(store: Store) -> None:
    await commit(store, Put(lease(1, "10.0.0.11")))
    assert await commit(store, Delete(lease(1, "10.0.0.99"))) is None
    assert await commit(store, Delete(lease(1, "10.0.0.11"))) is None
    assert store.load(Lease) == []
    await store.close()


@pytest.mark.parametrize(("first", "size"), [(2048, 64), (2048, 1024), (2080, 32), (2111, 1), (2048, 1), (2048, 128)])
@pytest.mark.parametrize("state", list(BindingState))
async def test_two_owners_of_one_port_are_refused_also_in_quarantine(
    store: Store, first: int, size: int, state: BindingState
) -> None:
    await commit(store, Put(binding("a", 2048, state=state)))
    assert "overlaps" in (await commit(store, Put(binding("b", first, size))) or "")
    assert store.load(PortBinding) == [binding("a", 2048, state=state)]
    await store.close()


@pytest.mark.parametrize(("first", "size"), [(2112, 64), (1984, 64), (1024, 1024), (4096, 1024)])
async def test_neighbours_are_no_overlap(store: Store, first: int, size: int) -> None:
    await commit(store, Put(binding("a", 2048)))
    assert await commit(store, Put(binding("b", first, size))) is None
    await store.close()


async def test_an_update_cannot_move_a_block_onto_another(store: Store) -> None:
    await commit(store, Put(binding("a", 2048)), Put(binding("b", 4096)))
    assert "overlaps" in (await commit(store, Put(binding("b", 2048, 32))) or "")
    await store.close()


async def test_the_same_ports_of_another_address_are_free(store: Store) -> None:
    await commit(store, Put(binding("a", 2048)))
    other = PortBinding("b", PortBlock(IPv4Address("203.0.113.2"), 2048, 64), None, "", BindingState.HELD, 0.0, 8)
    assert await commit(store, Put(other)) is None
    await store.close()


async def test_a_refused_change_takes_its_whole_commit_with_it(store: Store) -> None:
    await commit(store, Put(lease(1, "10.0.0.11")))
    reason = await commit(
        store, Put(binding("b", 4096)), Delete(lease(1, "10.0.0.11")), Put(lease(2, "10.0.0.12")), Put(lease(3, "10.0.0.12"))
    )
    assert reason is not None
    assert store.load(PortBinding) == []
    assert store.load(Lease) == [lease(1, "10.0.0.11")]
    await store.close()


async def test_a_block_passes_to_another_holder_in_one_commit(store: Store) -> None:
    await commit(store, Put(binding("a", 2048, state=BindingState.RELEASED)))
    assert await commit(store, Delete(binding("a", 2048)), Put(binding("b", 2048, 32))) is None
    assert store.load(PortBinding) == [binding("b", 2048, 32)]
    await store.close()


async def test_commits_are_told_in_order_and_a_refused_one_harms_no_other(store: Store) -> None:
    outcomes: list[tuple[int, bool]] = []
    last: Deferred[None] = Deferred()
    for number in range(50):
        # Every fifth wants the ports of the first.
        first = 2048 if number % 5 == 4 else 2048 + 64 * number

        def done(reason: str | None, number: int = number) -> None:
            outcomes.append((number, reason is None))
            if number == 49:
                last.callback(None)

        store.commit((Put(binding(str(number), first)),), done)
    await last
    assert outcomes == [(number, number % 5 != 4) for number in range(50)]
    assert len(store.load(PortBinding)) == 40
    await store.close()


async def test_close_finishes_what_was_given(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    outcomes: list[str | None] = []
    for number in range(200):
        store.commit((Put(binding(str(number), 2048 + 64 * number)),), outcomes.append)
    await store.close()
    assert outcomes == [None] * 200
    reopened = SqliteStore(tmp_path / "voxpath.db", reactor)
    assert len(reopened.load(PortBinding)) == 200
    await reopened.close()
    assert "closed" in (await commit(reopened, Put(binding("x", 1024))) or "")


async def test_a_newer_schema_is_refused_politely(tmp_path: Path) -> None:
    await SqliteStore(tmp_path / "voxpath.db", reactor).close()
    with sqlite3.connect(tmp_path / "voxpath.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LocalError, match="schema 99"):
        SqliteStore(tmp_path / "voxpath.db", reactor)


async def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "voxpath.db").write_bytes(b"not a database" * 100)
    with pytest.raises(LocalError, match=r"voxpath\.db"):
        SqliteStore(tmp_path / "voxpath.db", reactor)


def _refuse(path: Path, statement: str) -> None:
    """From now on a statement about the journal fails, as every one that writes does on a full disk."""
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TRIGGER refusal BEFORE {statement} ON journal BEGIN SELECT RAISE(FAIL, 'no room'); END")
    connection.close()


@pytest.mark.parametrize(("epoch", "then", "statement"), [("", "new", "INSERT"), ("old", "", "DELETE")])
async def test_a_file_that_cannot_be_written_is_refused_with_what_to_do(
    epoch: str, then: str, statement: str, tmp_path: Path
) -> None:
    await SqliteStore(tmp_path / "voxpath.db", reactor, epoch=epoch).close()
    _refuse(tmp_path / "voxpath.db", statement)
    with pytest.raises(LocalError, match=r"voxpath\.db cannot be written: no room; check its rights"):
        SqliteStore(tmp_path / "voxpath.db", reactor, epoch=then)


async def test_a_store_without_a_history_is_opened_without_a_write(tmp_path: Path) -> None:
    await SqliteStore(tmp_path / "voxpath.db", reactor).close()
    before = (tmp_path / "voxpath.db").read_bytes()
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    wal = tmp_path / "voxpath.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    assert (tmp_path / "voxpath.db").read_bytes() == before
    await store.close()


async def test_a_row_that_the_model_refuses_is_left_out_and_reported(tmp_path: Path) -> None:
    refused: list[tuple[str, str, str]] = []
    store = SqliteStore(tmp_path / "voxpath.db", reactor, refused_row=lambda *what: refused.append(what))
    await commit(store, Put(lease(1, "10.0.0.11")), Put(lease(2, "10.0.0.12")))
    with sqlite3.connect(tmp_path / "voxpath.db") as connection:
        connection.execute("UPDATE lease SET address = 'nonsense' WHERE mac = '02:00:00:00:00:01'")
    connection.close()
    assert store.load(Lease) == [lease(2, "10.0.0.12")]
    assert refused[0][0] == "lease"
    assert "nonsense" in refused[0][2]
    await store.close()


async def test_what_a_row_holds_that_was_left_out_is_nobody_elses(tmp_path: Path) -> None:
    """Who was given it may use it still: others are refused, and nothing else."""
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    kept, others = binding("a", 2048), binding("b", 2048)
    await commit(store, Put(kept))
    with sqlite3.connect(tmp_path / "voxpath.db") as connection:
        connection.execute("UPDATE block SET until = 1e300")
    connection.close()
    assert store.load(PortBinding) == []
    assert "overlaps" in str(await commit(store, Put(others)))
    assert await commit(store, Put(binding("b", 2112))) is None
    await store.close()


VALUES = (
    PortBinding("02:00:00:00:00:01", PortBlock(PUBLIC, 20480, 64), None, "site", BindingState.RELEASED, 5.0, 7),
    lease(1, "10.0.0.11"),
    Probation(IPv4Address("10.0.0.12"), "lan", Mac(b"\2\0\0\0\0\2"), 50.0),
    Adoption(Mac(b"\2\0\0\0\0\3"), 6.0),
    ClockMark("server", 1000.0),
    Contact("a1@voip.example", "key", "sip:a1@10.0.0.11", 500, "10.0.0.11", 5060, "call", 1, 9.0, 8.0, "phone", "a1"),
    REGISTRATION,
)
"""One of each table."""


def test_there_is_a_value_for_each_table() -> None:
    assert {type(value) for value in VALUES} == set(TABLES)


@pytest.fixture
def unchecked(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A store's file as a broken disk or another program changes it: what the schema forbids is written all the same."""
    connection = open_file(tmp_path / "voxpath.db")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    yield connection
    connection.close()


def complaint(path: Path, connection: sqlite3.Connection, value: object, column: str, damage: str) -> tuple[str, str]:
    """Which table, and what about it, is told of the row of a value when one column of it is damaged; the row is not loaded."""
    table = table_of(value)
    connection.execute(f"DELETE FROM {table.name}")
    connection.execute(table.put_sql, table.to_row(value))
    connection.execute(f"UPDATE {table.name} SET {column} = {damage}")
    refused: list[tuple[str, str, str]] = []
    assert load_rows(path, type(value), lambda *what: refused.append(what)) == []
    ((name, _, reason),) = refused
    return name, reason


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_damaged_column_of_any_table_costs_its_row_and_is_told(
    tmp_path: Path, unchecked: sqlite3.Connection, value: object
) -> None:
    """SQLite keeps a text, octets or a fraction in a column of numbers, and octets that are no text in one of texts."""
    table = table_of(value)
    path = tmp_path / "voxpath.db"
    unchecked.execute(table.put_sql, table.to_row(value))
    assert load_rows(path, type(value), pytest.fail) == [value]
    for column, kind in zip(table.columns, table.types, strict=True):
        damage = "'nonsense'" if kind in (int, float, bytes) else "CAST(x'ff' AS TEXT)"
        told = complaint(path, unchecked, value, column, damage)
        assert told == (table.name, f"what stands in {column} is of another type than the column")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_number_out_of_all_bounds_costs_its_row_and_is_told(tmp_path: Path, unchecked: sqlite3.Connection, value: object) -> None:
    """A clock of the year 10^300 would never be reached, and a generation at the end of SQLite's numbers is the last one."""
    table = table_of(value)
    damages = {float: ("1e300", "-1e300", "-9e999"), int: ("9223372036854775807", "-9223372036854775807")}
    damaged = [
        (column, damage) for column, kind in zip(table.columns, table.types, strict=True) for damage in damages.get(kind, ())
    ]
    assert damaged
    for column, damage in damaged:
        told = complaint(tmp_path / "voxpath.db", unchecked, value, column, damage)
        assert told == (table.name, f"what stands in {column} is out of all bounds")


@pytest.mark.parametrize("value", [each for each in VALUES if isinstance(each, Registration | Contact)])
def test_a_place_to_which_nothing_can_be_sent_costs_its_row_and_no_other(tmp_path: Path, value: object) -> None:
    """A name would be looked up, which stops everything meanwhile, and a port of more than 16 bits is an exception."""
    table = table_of(value)
    path = tmp_path / "voxpath.db"
    connection = open_file(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for column in (name for name in table.columns if name.endswith(("_host", "_port"))):
        connection.execute(f"DELETE FROM {table.name}")
        connection.execute(table.put_sql, table.to_row(value))
        connection.execute(f"UPDATE {table.name} SET {column} = ?", ("10.0.0.x" if column.endswith("host") else 70000,))
        refused: list[tuple[str, str, str]] = []
        assert load_rows(path, type(value), lambda *what, refused=refused: refused.append(what)) == []
        assert refused[0][0] == table.name
    connection.close()


def test_a_clock_that_never_ends_is_not_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "voxpath.db"
    connection = open_file(path)
    connection.execute("INSERT INTO clock VALUES ('server', 9e999)")
    refused: list[tuple[str, str, str]] = []
    assert load_rows(path, ClockMark, lambda *what: refused.append(what)) == []
    assert refused[0][2] == "the clock never showed that"
    connection.close()


class BrokenDisk:
    """A connection whose statements of one kind fail, as they do on a broken disk."""

    def __init__(self, connection: sqlite3.Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        self._fail(sql)
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> sqlite3.Cursor:
        self._fail(sql)
        return self._connection.executemany(sql, rows)

    def _fail(self, sql: str) -> None:
        if sql.startswith(self._statement):
            raise sqlite3.OperationalError("disk I/O error")

    def close(self) -> None:
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
async def test_after_a_disk_error_nothing_is_acknowledged_until_the_file_was_reopened(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reopened: list[str] = []
    monkeypatch.setattr("voxpath.store.sqlite.REOPEN_S", 0.0)
    store = SqliteStore(tmp_path / "voxpath.db", reactor, reopened=reopened.append)
    assert await commit(store, Put(lease(1, "10.0.0.11"))) is None
    monkeypatch.setattr(store, "_connection", BrokenDisk(store._connection, statement))
    group = [Deferred.fromCoroutine(commit(store, Put(lease(octet, f"10.0.0.1{octet}")))) for octet in (2, 4)]
    assert ["disk I/O error" in (reason or "") for reason in [await each for each in group]] == [True, True]
    assert reopened == []
    assert await commit(store, Put(lease(3, "10.0.0.13"))) is None
    assert reopened == [f"the store {tmp_path / 'voxpath.db'} failed: disk I/O error"]
    assert {held.mac[-1] for held in store.load(Lease)} == {1, 3}
    await store.close()


async def test_a_disk_that_can_be_read_and_takes_no_write_is_not_good_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the roles would load a store on a full disk again and again, each time until their first change."""
    reopened: list[str] = []
    full = [True]

    def opened(path: Path) -> Any:
        return BrokenDisk(open_file(path), "PRAGMA user_version =" if full[0] else "nothing")

    monkeypatch.setattr("voxpath.store.sqlite.REOPEN_S", 0.0)
    store = SqliteStore(tmp_path / "voxpath.db", reactor, reopened=reopened.append)
    monkeypatch.setattr("voxpath.store.sqlite.open_file", opened)
    monkeypatch.setattr(store, "_connection", BrokenDisk(store._connection, "COMMIT"))
    assert "failed: disk I/O error" in (await commit(store, Put(lease(1, "10.0.0.11"))) or "")
    for _ in range(3):
        assert "cannot be reopened: disk I/O error" in (await commit(store, Put(lease(1, "10.0.0.11"))) or "")
    assert reopened == []
    full[0] = False
    assert await commit(store, Put(lease(1, "10.0.0.11"))) is None
    assert reopened == [f"the store {tmp_path / 'voxpath.db'} failed: disk I/O error"]
    assert len(store.load(Lease)) == 1
    await store.close()


async def test_the_write_that_tries_a_disk_reaches_it_and_changes_nothing(tmp_path: Path) -> None:
    connection = open_file(tmp_path / "voxpath.db")
    log = tmp_path / "voxpath.db-wal"
    before, content = log.stat().st_size, list(connection.iterdump())
    try_write(connection)
    assert log.stat().st_size > before
    assert list(connection.iterdump()) == content
    connection.close()


async def test_a_file_that_another_program_writes_to_is_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    other = sqlite3.connect(tmp_path / "voxpath.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = Deferred.fromCoroutine(commit(store, Put(lease(1, "10.0.0.11"))))
    await deferLater(reactor, 0.1)
    assert not waiting.called
    other.execute("ROLLBACK")
    assert await waiting is None
    other.close()
    await store.close()


async def test_a_file_that_stays_locked_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxpath.store.sqlite.LOCKED_S", 0.1)
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    other = sqlite3.connect(tmp_path / "voxpath.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "locked" in (await commit(store, Put(lease(1, "10.0.0.11"))) or "")
    other.close()
    await store.close()


async def test_a_value_that_cannot_be_written_is_refused_and_the_next_one_stored(tmp_path: Path) -> None:
    """Octets of a peer that are no UTF-8 are a surrogate in a text: the writer thread outlives it, and so does the group."""
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    bad = commit(store, Put(replace(lease(1, "10.0.0.11"), host_name="l\udcff")))
    good = commit(store, Put(lease(2, "10.0.0.12")))
    reasons = [await bad, await good]
    assert "surrogates not allowed" in (reasons[0] or "")
    assert reasons[1] is None
    assert store.load(Lease) == [lease(2, "10.0.0.12")]
    await store.close()


async def test_commits_that_come_close_together_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each group costs a flush; the first one after a rest does not wait for others."""
    monkeypatch.setattr("voxpath.store.sqlite.GATHER_S", 0.5)
    store = SqliteStore(tmp_path / "voxpath.db", reactor)
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    second: Deferred[str | None] = Deferred()

    def first_done(reason: str | None) -> None:
        assert reason is None
        store.commit((Put(lease(2, "10.0.0.12")),), second.callback)

    store.commit((Put(lease(1, "10.0.0.11")),), first_done)
    # Longer than a flush, and shorter than what the next group waits.
    await deferLater(reactor, 0.1)
    assert not second.called
    third = Deferred.fromCoroutine(commit(store, Put(lease(3, "10.0.0.13"))))
    assert [await second, await third] == [None, None]
    assert statements.count("COMMIT") == 2
    await store.close()
