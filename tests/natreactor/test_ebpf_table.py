"""The table of the eBPF back end: after any history, and after a death at any step of it, packets find what they should."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.natreactor.ebpf_maps import MemoryMap, Packets
from voxpath.core.errors import LocalError
from voxpath.model.ports import Mapping, PortBlock, Transaction
from voxpath.nappt.pinhole import Pinhole, PinholeChange
from voxpath.nappt.table import Table
from voxpath.natreactor.ebpf import layout
from voxpath.natreactor.ebpf.table import KernelTable
from voxpath.testing.nat.packets import PHONE1, PHONE2, PUBLIC1, PUBLIC2, UNUSED_PUBLIC, mapping

PUBLICS = tuple(IPv4Address(text) for text in (PUBLIC1, PUBLIC2, UNUSED_PUBLIC))
PHONES = tuple(IPv4Address(f"10.0.0.{host}") for host in range(11, 15))
STEPS = ("_enter", "_write", "_mark", "_turn", "_leave")


class Dead(BaseException):
    """The process ends here."""


@contextmanager
def dying(kernel: KernelTable, after: int) -> Iterator[None]:
    """Let the process die when so many steps of a change are done."""
    left = after

    def until(step: Callable[..., None]) -> Callable[..., None]:
        def done(*arguments: Any, **more: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Dead
            step(*arguments, **more)

        return done

    for name in STEPS:
        setattr(kernel, name, until(getattr(kernel, name)))
    try:
        yield
    finally:
        for name in STEPS:
            delattr(kernel, name)


def made() -> dict[str, MemoryMap]:
    return {name: MemoryMap(name) for name in layout.VALUE_OCTETS}


def empty() -> Table:
    return Table((IPv4Network("10.0.0.0/24"),), PUBLICS)


def agree(packets: Packets, table: Table) -> None:
    """Packets find what the table says, at every edge of every block that might be."""
    for public in PUBLICS:
        for port in range(1023, 1024 + 4 * 64, 8):
            row = table.by_public(int(public), port)
            assert packets.receiver(public, port) == (row.mapping.private if row else None)
            for private in PHONES:
                found = table.by_private(int(private), port)
                said = packets.sender(private, port)
                if found is not None:
                    assert said == found.mapping.block.public
                else:
                    assert said == ("spoofed_port" if table.is_phone(int(private)) else "unknown_phone")


BLOCKS = tuple(
    PortBlock(public, 1024 + 64 * number + offset, size)
    for public in PUBLICS
    for number in range(4)
    for offset, size in ((0, 64), (0, 16), (32, 8))
)
MAPPINGS = st.builds(Mapping, st.sampled_from(PHONES), st.sampled_from(BLOCKS))
CHANGES = st.tuples(st.lists(MAPPINGS, max_size=4), st.lists(MAPPINGS, max_size=3))
History = list[tuple[tuple[list[Mapping], list[Mapping]], int]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(CHANGES, st.integers(0, 9)), max_size=6))
def test_after_any_history_and_any_death_packets_find_the_table(
    history: list[tuple[tuple[list[Mapping], list[Mapping]], int]],
) -> None:
    maps, table = made(), empty()
    kernel, packets = KernelTable(maps, PUBLICS), Packets(maps)
    for generation, ((add, remove), death) in enumerate(history, 1):
        before = tuple(table), table.generation
        try:
            done = table.apply(Transaction(generation, tuple(add), tuple(remove)))
        except LocalError:
            continue
        try:
            with dying(kernel, death):
                kernel.change(done, table, PinholeChange())
        except Dead:
            kernel = KernelTable(maps)
            if kernel.generation != generation:
                assert death <= 3
                table.replace_all(before[1], before[0])
            agree(packets, table)
            kernel.mend((), (), ())
        agree(packets, table)
        assert set(kernel.mappings()) == set(table)
        assert kernel.generation == table.generation
    for each in maps.values():
        each.close()


def test_pinholes_turn_with_the_leases_that_they_belong_to() -> None:
    maps, table = made(), empty()
    kernel = KernelTable(maps, PUBLICS)
    hole = Pinhole(int(PUBLICS[0]), 2050, int(IPv4Address("198.51.100.2")))
    first = mapping(PHONE1, PUBLIC1, 2048, 64)
    kernel.change(table.apply(Transaction(1, (first,))), table, PinholeChange(open=(hole,)))
    assert list(kernel.pinholes()) == [hole]
    done = table.apply(Transaction(2, (mapping(PHONE2, PUBLIC1, 2048, 64),), (first,)))
    with pytest.raises(Dead), dying(kernel, 4):
        kernel.change(done, table, PinholeChange(close=(hole,)))
    again = KernelTable(maps)
    assert (list(again.mappings()), list(again.pinholes())) == ([mapping(PHONE2, PUBLIC1, 2048, 64)], [])
    again.mend((), (), [7])
    assert list(maps["pinholes"].values) == [layout.PINHOLE.pack(bytes(4), b"\0\0\0\7", 0)]


def test_what_the_kernel_refuses_changes_nothing() -> None:
    """There is no room for the second of two phones, nor later for a pinhole."""
    maps, table = made(), empty()
    kernel, packets = KernelTable(maps, PUBLICS), Packets(maps)
    maps["phone_of"].room = 1
    two = Transaction(1, (mapping(PHONE1, PUBLIC1, 1024, 64), mapping(PHONE2, PUBLIC1, 1088, 64)))
    done = table.apply(two)
    with pytest.raises(OSError, match="too long"):
        kernel.change(done, table, PinholeChange())
    table.undo(done, 0)
    agree(packets, table)
    assert maps["phone_of"].values == {}
    maps["phone_of"].room, maps["pinholes"].room = 2, 1
    done = table.apply(two)
    holes = tuple(Pinhole(int(PUBLICS[0]), port, 1) for port in (1024, 1026))
    with pytest.raises(OSError, match="too long"):
        kernel.change(done, table, PinholeChange(open=holes))
    assert (maps["phone_of"].values, maps["pinholes"].values) == ({}, {})
    kernel.change(done, table, PinholeChange(open=holes[:1]))
    agree(packets, table)


def test_more_phones_than_there_is_room_for_are_refused() -> None:
    maps, table = made(), empty()
    kernel = KernelTable(maps, PUBLICS)
    many = tuple(mapping(f"10.0.0.{host}", PUBLIC1, 1024 + 64 * host, 64) for host in range(1, 41))
    with pytest.raises(LocalError, match="full: 39 phones"):
        kernel.change(table.apply(Transaction(1, many)), table, PinholeChange())
    assert list(kernel.mappings()) == []


def test_the_ports_of_services_are_nobodys() -> None:
    maps, table = made(), empty()
    kernel, packets = KernelTable(maps, PUBLICS), Packets(maps)
    kernel.change(table.apply(Transaction(1, (mapping(PHONE1, PUBLIC1, 1024, 64),))), table, PinholeChange())
    for service in ((PortBlock(PUBLICS[0], 5060, 1),), (PortBlock(PUBLICS[1], 5060, 1),), ()):
        kernel.mend(service, (), ())
        assert set(kernel.mappings()) == set(table)
        assert packets.receiver(PUBLICS[0], 5060) is None
    agree(packets, table)


def test_an_index_is_not_given_again_at_once() -> None:
    """A packet on another processor may still hold it."""
    maps, table = made(), empty()
    kernel = KernelTable(maps, PUBLICS)
    seen = []
    for generation in range(1, 6):
        block = mapping(PHONE1, PUBLIC1, 1024, 64)
        kernel.change(table.apply(Transaction(2 * generation, (block,))), table, PinholeChange())
        seen.append(maps["phone_of"].values[IPv4Address(PHONE1).packed])
        kernel.change(table.apply(Transaction(2 * generation + 1, (), (block,))), table, PinholeChange())
    assert len(set(seen)) == 5
