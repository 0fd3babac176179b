"""The eBPF back end in a real kernel: phone -- gateway -- outside, with the crafted packets of all back ends."""

from collections.abc import Iterator

import pytest

from tests.live.namespaces import Namespaces
from tests.live.nat_gateway import GatewayConformance
from tests.live.nat_rig import KernelRig, gateway_site
from tests.natreactor.nat_conformance import NatConformance, oracle, result_of
from tests.natreactor.nat_packets import CASES, MAPPINGS
from voxpath.model.ports import Transaction
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.withdraw import withdraw

pytestmark = pytest.mark.live

ICMP = 1


@pytest.fixture(scope="module")
def site() -> Iterator[Namespaces]:
    with gateway_site() as net:
        yield net


@pytest.fixture
def rig(site: Namespaces) -> Iterator[KernelRig]:
    made = KernelRig(site, EbpfNAT)
    yield made
    made.close()
    with site.entered("gw"):
        withdraw("voxpath", ("lan0",))


@pytest.fixture
def loaded(rig: KernelRig) -> KernelRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


class TestEbpf(NatConformance, GatewayConformance):
    """All of it, in the kernel."""


def test_what_the_program_carries_itself(loaded: KernelRig) -> None:
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
