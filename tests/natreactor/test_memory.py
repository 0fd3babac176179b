"""The memory back end against the suite of all back ends."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from twisted.internet.task import Clock

from voxpath.model.event import Event
from voxpath.model.ports import Transaction
from voxpath.nappt.verdict import Reason
from voxpath.natreactor import notices
from voxpath.natreactor.event import Dropped
from voxpath.natreactor.interface import Adopted, PhoneCounters
from voxpath.natreactor.memory import MemoryNAT
from voxpath.testing.nat.conformance import NatConformance
from voxpath.testing.nat.packets import FAR, MAPPINGS, udp
from voxpath.testing.nat.pool import PoolConformance
from voxpath.testing.nat.rig import result_of, settings


class MemoryRig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.nat = MemoryNAT(settings(self.clock))
        self.nat.watch(self.events.append)
        result_of(self.nat.start())

    def carry(self, packet: bytes, from_inside: bool) -> bytes | None:
        (verdict, *_) = self.nat.carry(packet, from_inside)
        return getattr(verdict, "packet", None)

    def restart(self, **more: object) -> Adopted:
        result_of(self.nat.stop())
        if more:
            self.nat = MemoryNAT(settings(self.clock, **more))
            self.nat.watch(self.events.append)
        adopted = result_of(self.nat.start())
        assert isinstance(adopted, Adopted)
        return adopted


@pytest.fixture
def rig() -> Iterator[MemoryRig]:
    made = MemoryRig()
    yield made
    result_of(made.nat.stop())
    assert not made.clock.getDelayedCalls()


class TestMemory(NatConformance, PoolConformance):
    """All of it."""


def test_counters_of_a_released_phone_are_forgotten(rig: MemoryRig) -> None:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    rig.carry(udp("10.0.0.11", 2048, FAR, 9), True)
    result_of(rig.nat.apply(Transaction(2, (), (MAPPINGS[0],))))
    assert rig.nat.counters(IPv4Address("10.0.0.11")) == PhoneCounters()


def test_offenders_beyond_the_limit_are_counted_by_reason(rig: MemoryRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker who counts through addresses and ports fills no memory, and loses no count."""
    monkeypatch.setattr(notices, "MOST_SUBJECTS", 8)
    for port in range(3000, 3050):
        rig.carry(udp("10.0.0.99", port, FAR, 9), True)
    assert len(rig.events) == 8
    rig.clock.advance(2)
    last = rig.events[-1]
    assert isinstance(last, Dropped)
    assert (last.reason, last.packets) == (Reason.UNKNOWN_PHONE.value, 42)
    assert rig.nat.drops()["unknown_phone"] == 50
