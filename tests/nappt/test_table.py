"""The NAPPT table: atomic, idempotent, and of one opinion with a plain search."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError
from voxpath.model.ports import Mapping, Transaction
from voxpath.nappt import table as table_module
from voxpath.nappt.table import Table
from voxpath.testing.nat.packets import MAPPINGS, PHONE1, PHONE2, PREFIX, PUBLIC1, PUBLIC2, mapping

PUBLICS = (IPv4Address(PUBLIC1), IPv4Address(PUBLIC2))


def empty(block_size: int = 64) -> Table:
    return Table((IPv4Network(PREFIX),), PUBLICS, block_size)


def filled(block_size: int = 64) -> Table:
    made = empty(block_size)
    made.apply(Transaction(7, MAPPINGS))
    return made


def test_a_transaction_twice_is_as_once() -> None:
    table = filled()
    assert not table.apply(Transaction(7, MAPPINGS))
    assert set(table) == set(MAPPINGS)
    assert table.generation == 7


def test_removal_of_what_is_absent_changes_nothing() -> None:
    table = empty()
    assert not table.apply(Transaction(3, (), MAPPINGS))
    assert table.generation == 3


def test_a_block_moves_to_another_phone_in_one_transaction() -> None:
    """Removals come before additions."""
    table = filled()
    table.apply(Transaction(8, (mapping(PHONE2, PUBLIC1, 2048, 64),), (MAPPINGS[0],)))
    row = table.by_public(int(IPv4Address(PUBLIC1)), 2050)
    assert row is not None
    assert row.mapping.private == IPv4Address(PHONE2)
    assert not table.is_phone(int(IPv4Address(PHONE1)))


def test_what_comes_and_goes_is_no_change() -> None:
    table = filled()
    assert not table.apply(Transaction(8, (MAPPINGS[0],), (MAPPINGS[0],)))
    assert MAPPINGS[0] in table


@pytest.mark.parametrize(
    "wrong",
    [
        mapping(PHONE2, PUBLIC1, 2048, 64),
        mapping(PHONE2, PUBLIC1, 2048, 1),
        mapping(PHONE2, PUBLIC1, 4096, 1024),
        mapping(PHONE2, PUBLIC2, 2944, 64),
        mapping(PHONE1, PUBLIC2, 2064, 16),
        mapping(PHONE1, PUBLIC2, 2096, 4),
        mapping("192.168.0.1", PUBLIC1, 8192, 64),
        mapping(PHONE1, "203.0.113.99", 8192, 64),
    ],
    ids=str,
)
def test_a_contradiction_changes_nothing(wrong: Mapping) -> None:
    """The first parts of the transaction are fine; the last contradicts the table, so none of it happens."""
    table = filled()
    good = mapping(PHONE2, PUBLIC2, 9216, 64)
    with pytest.raises(LocalError):
        table.apply(Transaction(9, (good, wrong), (MAPPINGS[5],)))
    assert set(table) == set(MAPPINGS)
    assert table.generation == 7
    assert table.by_public(int(IPv4Address(PUBLIC2)), 9216) is None
    assert table.by_public(int(IPv4Address(PUBLIC2)), 5001) is not None
    with pytest.raises(LocalError):
        table.replace_all(9, (*MAPPINGS, wrong))
    assert set(table) == set(MAPPINGS)


def test_an_undone_transaction_leaves_no_trace() -> None:
    table = filled()
    done = table.apply(Transaction(8, (mapping(PHONE2, PUBLIC1, 2048, 64),), (MAPPINGS[0],)))
    table.undo(done, 7)
    assert set(table) == set(MAPPINGS)
    assert table.generation == 7


def test_a_full_table_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "CAPACITY", len(MAPPINGS))
    with pytest.raises(LocalError, match="full"):
        filled().apply(Transaction(8, (mapping(PHONE2, PUBLIC2, 9216, 64),)))


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.0", True), ("10.0.0.255", True), ("10.0.1.0", False), ("9.255.255.255", False),
        ("11.0.0.1", True), ("11.255.255.255", True), ("12.0.0.0", False),
        ("100.64.0.5", True), ("100.64.0.6", False),
        ("192.168.1.1", False), ("172.16.0.1", False), ("127.0.0.1", False), (PUBLIC1, False),
    ],
)  # fmt: skip
def test_inside_is_what_the_prefixes_say_and_nothing_else(address: str, inside: bool) -> None:
    """RTE-4, ADR-5: whoever an address belongs to elsewhere, and however private it looks."""
    prefixes = (IPv4Network(PREFIX), IPv4Network("11.0.0.0/8"), IPv4Network("100.64.0.5/32"))
    assert Table(prefixes, PUBLICS).is_inside(int(IPv4Address(address))) is inside


def test_a_public_address_is_not_inside() -> None:
    with pytest.raises(LocalError, match="inside"):
        Table((IPv4Network(PREFIX),), (IPv4Address(PHONE1),))


@pytest.mark.parametrize("size", [0, 3, 2048])
def test_a_default_block_size_is_a_power_of_two(size: int) -> None:
    with pytest.raises(LocalError, match="power of two"):
        empty(size)


@given(st.sampled_from((1, 8, 64, 256, 1024)), st.lists(st.tuples(st.booleans(), st.sampled_from(MAPPINGS)), max_size=12))
def test_lookups_agree_with_a_plain_search(block_size: int, history: list[tuple[bool, Mapping]]) -> None:
    """After any history and for any default block size, a look-up finds what a walk over the mappings finds."""
    table = empty(block_size)
    model: set[Mapping] = set()
    for number, (adding, each) in enumerate(history):
        table.apply(Transaction(number, (each,) if adding else (), () if adding else (each,)))
        model = model | {each} if adding else model - {each}
    assert set(table) == model
    for each in MAPPINGS:
        block = each.block
        for port in (block.first - 1, block.first, block.last, block.last + 1):
            expected = [known for known in model if known.block.public == block.public and port in known.block]
            found = table.by_public(int(block.public), port)
            assert ([found.mapping] if found else []) == expected
            expected = [known for known in model if known.private == each.private and port in known.block]
            found = table.by_private(int(each.private), port)
            assert ([found.mapping] if found else []) == expected
        assert set(table.mappings_of(each.private)) == {known for known in model if known.private == each.private}
