"""The eBPF back end in a real kernel: phone -- gateway -- outside, with the crafted packets of all back ends."""

from collections.abc import Iterator

import pytest

from tests.live.namespaces import Namespaces
from tests.live.nat_rig import KernelRig, gateway_site
from tests.natreactor.nat_conformance import oracle, result_of
from tests.natreactor.nat_packets import CASES, MAPPINGS
from voxpath.model.ports import Transaction
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.ebpf.program import withdraw
from voxpath.natreactor.interface import Adopted
from voxpath.natreactor.settings import NatSettings

pytestmark = pytest.mark.live

__all__ = ["site"]

ICMP = 1


class EbpfRig(KernelRig):
    """The eBPF back end in the gateway's namespace, and a wire at each side."""

    def begin(self, chosen: NatSettings) -> Adopted:
        self.nat = EbpfNAT(chosen)
        self.nat.watch(self.events.append)
        with self.net.entered("gw"):
            adopted = result_of(self.nat.start())
        assert isinstance(adopted, Adopted)
        return adopted

    def close(self) -> None:
        result_of(self.nat.stop())
        self.phone.close()
        self.out.close()
        with self.net.entered("gw"):
            withdraw("voxpath")


@pytest.fixture
def rig(site: Namespaces) -> Iterator[EbpfRig]:
    made = EbpfRig(site)
    yield made
    made.close()


@pytest.fixture
def loaded(rig: EbpfRig) -> EbpfRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


def test_what_the_program_carries_itself(loaded: EbpfRig) -> None:
    """Without a slow path: all but ICMP and fragments, octet by octet."""
    wrong = []
    for case in CASES:
        if case.packet[9] == ICMP:
            continue
        before = dict(loaded.nat.drops())
        came = loaded.carry(case.packet, case.from_inside)
        after = loaded.nat.drops()
        counted = {name for name in after if after[name] != before[name]}
        expected = {case.reason.value} if case.reason is not None and case.counted else set()
        may = {case.reason.value, Reason.BAD_OPTIONS.value} if case.reason is not None and not case.counted else set()
        if came != oracle(case) or not expected <= counted <= expected | may:
            wrong.append((case.name, counted, came))
    assert not wrong, "\n".join(map(str, wrong))
