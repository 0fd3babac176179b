"""The tun back end in a real kernel: phone -- gateway -- outside, with the crafted packets of all back ends."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.live.namespaces import Namespaces
from tests.live.nat_gateway import GatewayConformance, gets_its_packets, is_withdrawn_completely
from tests.live.nat_rig import KernelRig, gateway_site, kill, process_of
from voxpath.core.errors import LocalError
from voxpath.model.ports import PortBlock, Transaction
from voxpath.nappt.pinhole import PinholeChange
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.ebpf.program import Program
from voxpath.natreactor.event import SlowPathLost, TableAdopted, TableLost
from voxpath.natreactor.interface import Adopted, INATReactor, PhoneCounters
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.tun import TunNAT, probe
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.calls import MEDIA
from voxpath.testing.nat.conformance import NatConformance
from voxpath.testing.nat.packets import FAR, MAPPINGS, PHONE1, PHONE2, PUBLIC1, mapping, udp
from voxpath.testing.nat.pool import PoolConformance
from voxpath.testing.nat.rig import OUTSIDE, result_of, settings

pytestmark = [pytest.mark.live, pytest.mark.together]

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def site() -> Iterator[Namespaces]:
    with gateway_site() as net:
        yield net


@pytest.fixture
def rig(site: Namespaces) -> Iterator[KernelRig]:
    made = KernelRig(site, TunNAT)
    yield made
    made.close()
    with site.entered("gw"):
        withdraw("voxpath", ("lan0",))


@pytest.fixture
def loaded(rig: KernelRig) -> KernelRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


class TestTun(NatConformance, PoolConformance, GatewayConformance):
    """All of it, in a process behind the kernel."""


def test_calls_go_on_while_voxpath_does_not_run(loaded: KernelRig) -> None:
    packet = udp(PHONE1, 2048, FAR, 9)
    loaded.carry(packet, True)
    before = process_of(loaded)
    result_of(loaded.nat.stop())
    for _ in range(20):
        loaded.phone.send(packet)
    loaded.events.clear()
    assert loaded.begin(settings(loaded.clock)) == Adopted(1, frozenset(MAPPINGS))
    assert [event for event in loaded.events if isinstance(event, TableAdopted)] == [TableAdopted(generation=1, mappings=6)]
    loaded.settle()
    assert len(loaded.out.heard()) == 20
    assert loaded.nat.counters(IPv4Address(PHONE1)).out_packets == 21
    assert process_of(loaded) == before


def test_a_killed_process_is_started_again_and_filled(loaded: KernelRig) -> None:
    """The next look finds it; until then nothing leaves."""
    kill(process_of(loaded))
    packet = udp(PHONE1, 2048, FAR, 9)
    loaded.phone.send(packet)
    loaded.phone.settle()
    loaded.out.settle()
    assert loaded.out.heard() == []
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
    assert [type(event) for event in loaded.events if isinstance(event, SlowPathLost)] == [SlowPathLost]
    assert loaded.carry(packet, True) is not None
    assert loaded.nat.generation() == 1


def test_a_process_of_another_release_is_replaced_and_what_it_knew_goes_on(
    loaded: KernelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a fault that was mended would stay until the machine is started again."""
    loaded.restart(call_aware=True)
    result_of(loaded.nat.admit(PinholeChange(open=(MEDIA,))))
    before = process_of(loaded)
    with monkeypatch.context() as another:
        # What the former one says of itself.
        another.setattr("voxpath.natreactor.slowpath.VERSION", "0")
        assert loaded.restart() == Adopted(1, frozenset(MAPPINGS), frozenset({MEDIA}))
    assert process_of(loaded) != before
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry(udp(str(IPv4Address(MEDIA.peer)), 9, PUBLIC1, MEDIA.port), False) is not None


def test_who_asks_after_its_end_changes_nothing(loaded: KernelRig) -> None:
    """Such as a command that goes through all phones meanwhile: the next run may know more."""
    old = loaded.nat
    result_of(old.stop())
    loaded.begin(settings(loaded.clock))
    result_of(loaded.nat.apply(Transaction(2, (mapping(PHONE1, PUBLIC1, 8192, 64),))))
    with loaded.net.entered("gw"):
        assert old.counters(IPv4Address(PHONE1)) == PhoneCounters()
        assert not any(old.drops().values())
    assert [event for event in loaded.events if isinstance(event, SlowPathLost)] == []
    assert loaded.carry(udp(PHONE1, 8192, FAR, 9), True) is not None


def test_a_change_starts_a_killed_process_again(loaded: KernelRig) -> None:
    kill(process_of(loaded))
    with loaded.net.entered("gw"):
        result_of(loaded.nat.apply(Transaction(2, (), (MAPPINGS[0],))))
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is None
    assert loaded.carry(udp(PHONE2, 2112, FAR, 9), True) is not None
    assert loaded.restart() == Adopted(2, frozenset(MAPPINGS[1:]))


def test_a_process_that_hangs_is_ended_and_started_again(loaded: KernelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxpath.natreactor.slowpath.ANSWER_S", 0.2)
    loaded.restart()
    os.kill(process_of(loaded), signal.SIGSTOP)
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
    (event,) = (event for event in loaded.events if isinstance(event, SlowPathLost))
    assert "did not answer" in event.reason
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None


@pytest.mark.parametrize(
    "argv",
    [
        ["ip", "link", "delete", "voxpath-in"],
        ["ip", "rule", "del", "priority", "10"],
        ["ip", "link", "set", "lan0", "group", "default"],
        ["ip", "link", "set", "voxpath-out", "down"],
    ],
)
def test_what_somebody_takes_away_comes_back_and_meanwhile_nothing_leaks(loaded: KernelRig, argv: list[str]) -> None:
    loaded.net.run("gw", argv)
    loaded.phone.send(udp(PHONE1, 2048, FAR, 9))
    loaded.phone.settle()
    loaded.out.settle()
    assert all(packet[12:16] == IPv4Address(PUBLIC1).packed for packet in loaded.out.heard())
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
        loaded.clock.advance(1)
    assert [event for event in loaded.events if isinstance(event, (TableLost, SlowPathLost))]
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) is not None
    assert loaded.carry(udp(PHONE1, 40000, PHONE2, 9), True) is not None


def test_an_error_of_the_gateway_about_a_translated_packet_tells_no_inside_address(loaded: KernelRig) -> None:
    """The phone's cable is out: the gateway says so with the phone's public address."""
    host = "10.0.0.200"
    result_of(loaded.nat.apply(Transaction(2, (mapping(host, PUBLIC1, 8192, 64),))))
    loaded.net.ip("gw", "route", "add", "unreachable", f"{host}/32")
    try:
        came = loaded.carry(udp(FAR, 9, PUBLIC1, 8192, ttl=60), False)
    finally:
        loaded.net.ip("gw", "route", "del", "unreachable", f"{host}/32")
    assert loaded.answers == []
    assert came is not None
    assert came[12:20] == IPv4Address(PUBLIC1).packed + IPv4Address(FAR).packed
    assert IPv4Address(host).packed not in came
    assert came[28:] == udp(FAR, 9, PUBLIC1, 8192, ttl=60)


def test_a_service_of_the_gateway_gets_its_packets(loaded: KernelRig) -> None:
    chosen = settings(loaded.clock)
    served = replace(chosen.outside, services=(PortBlock(IPv4Address(PUBLIC1), 5060, 1),))
    result_of(loaded.nat.stop())
    loaded.begin(replace(chosen, outside=served))
    gets_its_packets(loaded)


def test_the_other_back_end_takes_everything_over_and_leaves_nothing_of_it(loaded: KernelRig) -> None:
    result_of(loaded.nat.stop())
    other = NftablesNAT(settings(Clock()))
    with loaded.net.entered("gw"):
        result_of(other.start())
        result_of(other.apply(Transaction(5, MAPPINGS)))
        result_of(other.stop())
        loaded.begin(settings(loaded.clock))
    assert "voxpath" not in loaded.net.run("gw", ["nft", "list", "tables"]).stdout
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None


@pytest.mark.parametrize(("kind", "step"), [(NftablesNAT, (NftablesNAT, "_rebuild")), (EbpfNAT, (Program, "attach"))])
def test_nothing_leaks_before_another_back_end_stands(
    loaded: KernelRig, monkeypatch: pytest.MonkeyPatch, kind: Callable[..., INATReactor], step: tuple[type, str]
) -> None:
    """What leads all packets into the process goes only then."""
    result_of(loaded.nat.stop())
    install = getattr(*step)
    came: list[bytes] = []

    def look(*arguments: Any) -> None:
        loaded.phone.send(udp(PHONE1, 2048, FAR, 9))
        loaded.phone.settle()
        loaded.out.settle()
        came.extend(loaded.out.heard())
        install(*arguments)

    monkeypatch.setattr(*step, look)
    other = kind(settings(Clock()))
    with loaded.net.entered("gw"):
        result_of(other.start())
    loaded.nat = other
    assert all(packet[12:16] == IPv4Address(PUBLIC1).packed for packet in came)
    assert "iif lan0" not in loaded.net.ip("gw", "rule")
    result_of(other.replace_all(5, MAPPINGS))
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) is not None


def test_nothing_is_left_when_it_is_withdrawn(site: Namespaces) -> None:
    is_withdrawn_completely(site, TunNAT)


@pytest.mark.parametrize("wrong", [{"inside": ()}, {"outside": ('a"b',)}, {"public": ()}, {"inside": ("absent0",)}])
def test_a_start_that_cannot_work_says_why(rig: KernelRig, wrong: dict[str, Any]) -> None:
    nat = TunNAT(replace(settings(rig.clock, table="other"), outside=replace(OUTSIDE, **wrong)))
    with rig.net.entered("gw"), pytest.raises(LocalError):
        result_of(nat.start())
    assert "other" not in rig.net.run("gw", ["ip", "link"]).stdout


def test_an_outside_interface_in_a_group_is_refused(rig: KernelRig) -> None:
    """What leaves by an interface of a group leaves untranslated."""
    result_of(rig.nat.stop())
    rig.net.ip("gw", "link", "set", "wan0", "group", "5")
    try:
        with pytest.raises(LocalError, match="wan0 is in the interface group 5"):
            rig.begin(settings(rig.clock))
    finally:
        rig.net.ip("gw", "link", "set", "wan0", "group", "default")


def test_the_probe_tells_what_is_missing(rig: KernelRig) -> None:
    with rig.net.entered("gw"):
        assert probe(settings(rig.clock)).usable
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from voxpath.testing.nat.rig import settings\nfrom twisted.internet.task import Clock\n"
        "from voxpath.natreactor.tun import probe\nprint(probe(settings(Clock())))"
    )
    argv = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", sys.executable, "-c", script, ROOT]
    said = rig.net.run("gw", argv).stdout
    assert "usable=False" in said
    assert "CAP_NET_ADMIN" in said
