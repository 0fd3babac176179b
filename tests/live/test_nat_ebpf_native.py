"""The eBPF back end where drivers run it (XDP): here those of virtual cables, which are asked for it on purpose."""

from collections.abc import Iterator

import pytest

from tests.live.namespaces import Namespaces
from tests.live.nat_random import RandomConformance
from tests.live.nat_rig import KernelRig, gateway_site
from tests.live.wires import receive_frames
from voxpath.model.ports import Transaction
from voxpath.natreactor.ebpf import program
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.conformance import NatConformance
from voxpath.testing.nat.packets import FAR, MAPPINGS, PHONE1, PUBLIC1, udp
from voxpath.testing.nat.pool import PoolConformance
from voxpath.testing.nat.rig import result_of

pytestmark = [pytest.mark.live, pytest.mark.together]


@pytest.fixture(scope="module")
def site() -> Iterator[Namespaces]:
    with gateway_site() as net:
        for name in ("phone", "out"):
            receive_frames(net, name, "eth0")
        yield net


@pytest.fixture
def rig(site: Namespaces, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelRig]:
    monkeypatch.setattr(program, "runs_natively", lambda _: True)
    made = KernelRig(site, EbpfNAT)
    yield made
    made.close()
    with site.entered("gw"):
        withdraw("voxpath", ("lan0",))


@pytest.fixture
def loaded(rig: KernelRig) -> KernelRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


class TestNative(NatConformance, RandomConformance, PoolConformance):
    """All of it."""


def test_the_drivers_carry_usual_packets_without_the_filters(loaded: KernelRig) -> None:
    for interface in ("lan0", "wan0"):
        assert "xdp" in loaded.net.ip("gw", "link", "show", interface)
        loaded.net.run("gw", ["tc", "qdisc", "del", "dev", interface, "clsact"])
    # Now and then one goes the longer way, which is closed.
    assert any(loaded.carry(udp(PHONE1, 2048, FAR, 9), True) == udp(PUBLIC1, 2048, FAR, 9, ttl=63) for _ in range(3))
    assert any(loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) == udp(FAR, 9, PHONE1, 2048, ttl=63) for _ in range(3))


def test_nothing_is_left_at_the_drivers_when_it_is_withdrawn(loaded: KernelRig) -> None:
    result_of(loaded.nat.stop())
    with loaded.net.entered("gw"):
        withdraw("voxpath", ("lan0",))
    for interface in ("lan0", "wan0"):
        assert "xdp" not in loaded.net.ip("gw", "link", "show", interface)
