"""What a suite of a NAT back end stands on: the back end, the world around it, and what the memory back end says of a packet."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from voxpath.model.event import Event
from voxpath.model.ports import Transaction
from voxpath.nappt.verdict import Translated
from voxpath.natreactor.interface import Adopted, INATReactor, Outside
from voxpath.natreactor.memory import MemoryNAT
from voxpath.natreactor.settings import NatSettings
from voxpath.testing.nat.packets import MAPPINGS, PHONE1, PHONE2, PREFIX, PUBLIC1, PUBLIC2, UNUSED_PUBLIC, Case

OUTSIDE = Outside(
    inside=("lan0",),
    outside=("wan0",),
    private=(PREFIX,),
    public=tuple(IPv4Address(text) for text in (PUBLIC1, PUBLIC2, UNUSED_PUBLIC)),
)
"""Where a back end stands in the suite."""

NAMES = {IPv4Address(PHONE1): "02:00:00:00:00:01", IPv4Address(PHONE2): "02:00:00:00:00:02"}


def settings(clock: Clock, **more: Any) -> NatSettings:
    """The settings of the suite, apart from some."""
    return replace(NatSettings(OUTSIDE, clock, identify=lambda address: NAMES.get(address, "")), **more)


def result_of(deferred: "Deferred[Any]") -> Any:
    """The result of a Deferred that has fired, or its exception raised.

    :raises AssertionError: it has not: the suite has no reactor, so a rig has to wait for what takes longer.
    """
    results: list[Any] = []
    failures: list[BaseException] = []
    deferred.addCallbacks(results.append, lambda failure: failures.append(failure.value))
    if failures:
        raise failures[0]
    assert results, "the Deferred has not fired: the suite has no reactor, so the rig has to wait for it"
    return results[0]


class Rig(Protocol):
    """A back end that was started, and the world around it."""

    nat: INATReactor
    clock: Clock
    events: list[Event]

    def carry(self, packet: bytes, from_inside: bool) -> bytes | None:
        """Send a packet; give what comes out on the other side."""

    def restart(self, **more: Any) -> Adopted:
        """Stop the back end and begin again; one whose state is in the kernel begins as another object.

        :param more: settings that are other ones than before; of a back end without a kernel nothing else is left then.
        """


def oracle(case: Case) -> bytes | None:
    """What the memory back end makes of a case."""
    nat = MemoryNAT(settings(Clock()))
    nat.apply(Transaction(1, MAPPINGS))
    (verdict, *_) = nat.carry(case.packet, case.from_inside)
    nat.stop()
    return verdict.packet if isinstance(verdict, Translated) else None
