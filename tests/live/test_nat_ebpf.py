"""The eBPF back end in a real kernel: phone -- gateway -- outside, with the crafted packets of all back ends."""

import os
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
from tests.live.wires import Wire
from voxpath.core.errors import LocalError
from voxpath.model.ports import PortBlock, Transaction
from voxpath.nappt.verdict import Reason
from voxpath.natreactor.ebpf import layout
from voxpath.natreactor.ebpf.libbpf import BpfObject
from voxpath.natreactor.ebpf.nat import EbpfNAT, probe
from voxpath.natreactor.ebpf.program import FILE
from voxpath.natreactor.ebpf.table import KernelTable
from voxpath.natreactor.event import NoSlowPath, SlowPathLost, TableLost, Unwatched
from voxpath.natreactor.interface import Adopted, INATReactor, PhoneCounters
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.punt import Punt
from voxpath.natreactor.slow.device import open_device
from voxpath.natreactor.tun import TunNAT
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.conformance import NatConformance
from voxpath.testing.nat.packets import (
    CASES,
    FAR,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PUBLIC1,
    PUBLIC2,
    cut,
    mapping,
    ping,
    udp,
)
from voxpath.testing.nat.pool import PoolConformance
from voxpath.testing.nat.rig import OUTSIDE, oracle, result_of, settings

pytestmark = [pytest.mark.live, pytest.mark.together]

ROOT = str(Path(__file__).parents[2])
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


class TestEbpf(NatConformance, PoolConformance, GatewayConformance):
    """All of it, in the kernel."""


def test_without_a_slow_path_the_program_carries_all_but_icmp_and_fragments(
    rig: KernelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Octet by octet; the rest is dropped."""
    monkeypatch.setattr(Punt, "start", lambda _: False)
    rig.restart()
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    wrong = []
    for case in CASES:
        if case.packet[9] == ICMP:
            continue
        before = dict(rig.nat.drops())
        came = rig.carry(case.packet, case.from_inside)
        after = rig.nat.drops()
        counted = {name for name in after if after[name] != before[name]}
        expected = {case.reason.value} if case.reason is not None and case.counted else set()
        # Without a slow path nobody looks closer at options.
        may = {case.reason.value, Reason.BAD_OPTIONS.value} if case.reason is not None and not case.counted else set()
        if came != oracle(case) or not expected <= counted <= expected | may:
            wrong.append((case.name, counted, came))
    assert not wrong, "\n".join(map(str, wrong))
    assert rig.carry(ping(PHONE1, FAR, 2050), True) is None
    assert rig.carry(cut(udp(PHONE1, 2048, FAR, 9, bytes(2000)))[0], True) is None
    drops = rig.nat.drops()
    assert (drops["icmp"], drops["fragment"]) == (1, 1)


def test_the_maps_have_the_shapes_that_the_process_writes() -> None:
    made = BpfObject(FILE, {}, {})
    assert {name: made.map(name).shape.value_octets for name in layout.VALUE_OCTETS} == dict(layout.VALUE_OCTETS)
    assert made.map("drops").shape.entries == len(layout.REASONS)
    made.close()


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_process_that_dies_in_the_middle_of_a_change_leaves_it_done_or_undone(
    loaded: KernelRig, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step was the last one: packets and the next run see the whole change or nothing of it."""
    done = 0

    def until(method: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: object, **more: object) -> None:
            nonlocal done
            done += 1
            if done > steps:
                raise KeyboardInterrupt
            method(*arguments, **more)

        return step

    for name in ("_enter", "_write", "_turn", "_leave"):
        monkeypatch.setattr(KernelTable, name, until(getattr(KernelTable, name)))
    wanted = (mapping(PHONE2, PUBLIC1, 2048, 64), mapping("10.0.0.20", PUBLIC1, 6400, 64))
    with pytest.raises(KeyboardInterrupt):
        loaded.nat._apply(Transaction(2, wanted, MAPPINGS[:1]))
    monkeypatch.undo()
    changed = steps > 2
    after = frozenset((*MAPPINGS[1:], *wanted)) if changed else frozenset(MAPPINGS)
    for _ in range(2):
        came = loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False)
        assert came is not None
        assert came[16:20] == IPv4Address(PHONE2 if changed else PHONE1).packed
        assert (loaded.carry(udp("10.0.0.20", 6400, FAR, 9), True) is not None) == changed
        assert loaded.restart() == Adopted(2 if changed else 1, after)
    result_of(loaded.nat.replace_all(3, MAPPINGS))
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry(udp("10.0.0.20", 6400, FAR, 9), True) is None
    assert loaded.nat.drops()["unknown_phone"] >= 1


def test_counters_survive_a_restart(loaded: KernelRig) -> None:
    packet = udp(PHONE1, 2048, FAR, 9)
    loaded.carry(packet, True)
    loaded.restart()
    loaded.carry(packet, True)
    assert loaded.nat.counters(IPv4Address(PHONE1)).out_packets == 2


def test_a_phone_that_comes_after_another_one_begins_to_count_anew(loaded: KernelRig) -> None:
    loaded.carry(udp(PHONE1, 2048, FAR, 9), True)
    result_of(loaded.nat.apply(Transaction(2, (), (MAPPINGS[0],))))
    result_of(loaded.nat.apply(Transaction(3, (MAPPINGS[0],))))
    assert loaded.nat.counters(IPv4Address(PHONE1)) == PhoneCounters()


def test_drops_are_counted_at_the_phone(rig: KernelRig) -> None:
    """What it sent from ports that are not its own, and what strangers sent to it."""
    rig.restart(call_aware=True)
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    for packet, inside in (
        (udp(PHONE2, 2048, FAR, 9), True),
        (udp(PHONE2, 2049, PUBLIC1, 2050), True),
        (udp(FAR, 9, PUBLIC1, 2112), False),
        (udp(PHONE1, 2048, PUBLIC1, 2112), True),
        (udp(FAR, 9, PUBLIC1, 2048), False),
    ):
        assert rig.carry(packet, inside) is None
    assert rig.nat.counters(IPv4Address(PHONE2)) == PhoneCounters(0, 0, 0, 0, {"spoofed_port": 2}, {"stranger": 2})
    assert rig.nat.counters(IPv4Address(PHONE1)) == PhoneCounters(0, 0, 0, 0, {}, {"stranger": 1})


@pytest.mark.parametrize(
    "more",
    [
        {"block_size": 1},
        {"outside": replace(OUTSIDE, public=(*OUTSIDE.public[::-1], IPv4Address("203.0.113.9")))},
        {"outside": replace(OUTSIDE, private=("10.0.0.0/16", "10.9.0.0/16"))},
    ],
)
def test_other_settings_keep_the_mappings_that_they_allow(loaded: KernelRig, more: dict[str, Any]) -> None:
    """The maps are made anew, since they have another shape; packets pass all the time."""
    assert loaded.restart(**more) == Adopted(1, frozenset(MAPPINGS))
    for row in MAPPINGS:
        for port in (row.block.first, row.block.last):
            assert loaded.carry(udp(str(row.private), port, FAR, 9), True) is not None
            assert loaded.carry(udp(FAR, 9, str(row.block.public), port), False) is not None
    assert loaded.carry(udp(PHONE1, 2112, FAR, 9), True) is None


@pytest.mark.parametrize("interface", ["lan0", "wan0"])
def test_a_program_that_somebody_took_away_is_attached_again(loaded: KernelRig, interface: str) -> None:
    loaded.net.run("gw", ["tc", "qdisc", "del", "dev", interface, "clsact"])
    loaded.clock.advance(1)
    (event,) = (event for event in loaded.events if isinstance(event, TableLost))
    assert interface in event.reason
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) is not None
    loaded.clock.advance(1)
    assert len([event for event in loaded.events if isinstance(event, TableLost)]) == 1


def test_an_interface_that_is_gone_is_told_once_and_found_again(loaded: KernelRig) -> None:
    loaded.net.ip("gw", "link", "set", "wan0", "down")
    loaded.net.ip("gw", "link", "set", "wan0", "name", "wan9")
    loaded.net.run("gw", ["tc", "qdisc", "del", "dev", "wan9", "clsact"])
    try:
        loaded.clock.advance(1)
        loaded.clock.advance(1)
        (event,) = (event for event in loaded.events if isinstance(event, Unwatched))
        assert "there is no interface wan0" in event.reason
    finally:
        loaded.net.ip("gw", "link", "set", "wan9", "name", "wan0")
        loaded.net.ip("gw", "link", "set", "wan0", "up")
        loaded.net.route("gw", "default", FAR)
        loaded.net.ip("gw", "neigh", "replace", FAR, "lladdr", "02:00:00:00:bb:01", "dev", "wan0")
    loaded.clock.advance(1)
    assert [event for event in loaded.events if isinstance(event, TableLost)]
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None


def test_an_outside_interface_that_is_made_anew_lets_no_inside_address_out(loaded: KernelRig) -> None:
    """Its guard went with the old one; until the next look nothing leaves by it."""

    def plug() -> Wire:
        loaded.net.veth("out", "eth1", "gw", "wan1")
        loaded.net.address("gw", "wan1", "192.0.2.1/24")
        loaded.net.mac("out", "eth1", "02:00:00:00:bb:02")
        loaded.net.ip("gw", "neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:bb:02", "dev", "wan1")
        return Wire(loaded.net, "out", "eth1", "192.0.2.1")

    def leaves(wire: Wire) -> list[bytes]:
        for packet in (udp(PHONE1, 2048, "192.0.2.2", 9), udp("10.0.0.99", 2048, "192.0.2.2", 9)):
            loaded.phone.send(packet)
        loaded.phone.settle()
        wire.settle()
        return wire.heard()

    translated = [udp(PUBLIC1, 2048, "192.0.2.2", 9, ttl=63)]
    wire = plug()
    try:
        loaded.restart(outside=replace(OUTSIDE, outside=("wan0", "wan1")))
        assert leaves(wire) == translated
        wire.close()
        loaded.net.ip("gw", "link", "del", "wan1")
        wire = plug()
        assert leaves(wire) == []
        with loaded.net.entered("gw"):
            loaded.clock.advance(1)
        assert leaves(wire) == translated
        loaded.restart(outside=OUTSIDE)
    finally:
        wire.close()
        loaded.net.ip("gw", "link", "del", "wan1")


def test_an_interface_that_is_configured_no_longer_runs_no_program(loaded: KernelRig) -> None:
    loaded.net.ip("gw", "link", "add", "lan1", "type", "veth", "peer", "name", "lan2")
    loaded.restart(outside=replace(OUTSIDE, inside=("lan0", "lan1")))
    assert "voxpath" in loaded.net.run("gw", ["tc", "filter", "show", "dev", "lan1", "ingress"]).stdout
    loaded.restart(outside=OUTSIDE)
    assert "voxpath" not in loaded.net.run("gw", ["tc", "filter", "show", "dev", "lan1", "ingress"]).stdout
    loaded.net.ip("gw", "link", "del", "lan1")


def test_a_slow_path_that_could_not_be_started_is_tried_again(loaded: KernelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as on a machine that had too much to do, or whose module was not loaded."""
    tried: list[object] = []

    def unable(path: object) -> None:
        tried.append(path)
        raise LocalError("there is no memory")

    result_of(loaded.nat.stop())
    with loaded.net.entered("gw"):
        withdraw("voxpath", ("lan0",))
    with monkeypatch.context() as full:
        full.setattr("voxpath.natreactor.slowpath.SlowPath._spawn", unable)
        loaded.begin(settings(loaded.clock))
        result_of(loaded.nat.apply(Transaction(1, MAPPINGS)))
        assert loaded.carry(ping(PHONE1, FAR, 2050), True) is None
        with loaded.net.entered("gw"):
            loaded.clock.pump([1] * 40)
        assert len(tried) == 2
    assert [event.reason for event in loaded.events if isinstance(event, NoSlowPath)] == ["there is no memory"]
    with loaded.net.entered("gw"):
        loaded.clock.pump([1] * 60)
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is not None
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    [told] = [event.reason for event in loaded.events if isinstance(event, SlowPathLost)]
    assert "there is no memory" in told


def test_nothing_is_left_when_it_is_withdrawn(site: Namespaces) -> None:
    is_withdrawn_completely(site, EbpfNAT)
    for interface, hook in (("lan0", "ingress"), ("wan0", "ingress"), ("wan0", "egress")):
        assert "voxpath" not in site.run("gw", ["tc", "filter", "show", "dev", interface, hook]).stdout


@pytest.mark.parametrize("kind", [NftablesNAT, TunNAT])
def test_another_back_end_takes_everything_over_and_gives_it_back(loaded: KernelRig, kind: Callable[..., INATReactor]) -> None:
    """Whichever comes takes away what the other one left, which would translate by a table that nobody keeps."""
    other = kind(settings(Clock()))
    result_of(loaded.nat.stop())
    with loaded.net.entered("gw"):
        result_of(other.start())
        result_of(other.replace_all(5, (mapping(PHONE1, PUBLIC2, 2048, 64),)))
        assert "voxpath" not in loaded.net.run("gw", ["tc", "filter", "show", "dev", "lan0", "ingress"]).stdout
        loaded.nat = other
        came = loaded.carry(udp(PHONE1, 2048, FAR, 9), True)
        assert came is not None
        assert came[12:16] == IPv4Address(PUBLIC2).packed
        result_of(other.stop())
    assert loaded.begin(settings(loaded.clock)) == Adopted()
    assert "voxpath" not in loaded.net.run("gw", ["nft", "list", "tables"]).stdout
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is None


def test_calls_do_not_depend_on_the_slow_path(loaded: KernelRig) -> None:
    kill(process_of(loaded))
    assert loaded.carry_at_once(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry_at_once(ping(PHONE1, FAR, 2050), True) is None
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
    assert [event for event in loaded.events if isinstance(event, SlowPathLost)]
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is not None


def test_what_may_be_cut_is_cut_for_a_narrow_cable(loaded: KernelRig) -> None:
    for interface, packet, inside, behind in (
        ("wan0", udp(PHONE1, 2048, FAR, 9, bytes(900), fragment=0), True, udp(PUBLIC1, 2048, FAR, 9, bytes(900), fragment=0)),
        ("lan0", udp(FAR, 9, PUBLIC1, 2048, bytes(900), fragment=0), False, udp(FAR, 9, PHONE1, 2048, bytes(900), fragment=0)),
    ):
        loaded.net.ip("gw", "link", "set", interface, "mtu", "600")
        try:
            (loaded.phone if inside else loaded.out).send(packet)
            loaded.phone.settle()
            loaded.out.settle()
            loaded.settle()
            parts = (loaded.out if inside else loaded.phone).heard()
        finally:
            loaded.net.ip("gw", "link", "set", interface, "mtu", "1500")
        assert b"".join(part[20:] for part in parts) == behind[20:]
        assert {part[12:20] for part in parts} == {behind[12:20]}


def test_a_service_of_the_gateway_gets_its_packets(loaded: KernelRig) -> None:
    served = replace(OUTSIDE, services=(PortBlock(IPv4Address(PUBLIC1), 5060, 1),))
    assert loaded.restart(outside=served) == Adopted(1, frozenset(MAPPINGS))
    gets_its_packets(loaded)
    assert loaded.nat.drops()["unleased_port"] == 1
    loaded.restart(outside=OUTSIDE)
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 5060), False) is None
    assert loaded.nat.drops()["unleased_port"] == 2


def test_the_outside_may_have_no_ethernet(loaded: KernelRig) -> None:
    """Such as PPP or a tunnel: packets come and go as they are."""
    loaded.net.run("gw", ["ip", "tuntap", "add", "ppp9", "mode", "tun"])
    with loaded.net.entered("gw"):
        far = open_device("ppp9")
    os.set_blocking(far, True)
    try:
        loaded.net.sysctl("gw", "net.ipv6.conf.ppp9.disable_ipv6", "1")
        loaded.net.ip("gw", "link", "set", "ppp9", "up")
        loaded.net.ip("gw", "route", "add", "192.0.2.0/24", "dev", "ppp9")
        loaded.restart(outside=replace(OUTSIDE, outside=("wan0", "ppp9")))
        loaded.phone.send(udp(PHONE1, 2048, "192.0.2.1", 9))
        loaded.phone.settle()
        assert os.read(far, 2000) == udp(PUBLIC1, 2048, "192.0.2.1", 9, ttl=63)
        loaded.phone.heard()
        os.write(far, udp("192.0.2.1", 9, PUBLIC1, 2048) + b"padding")
        loaded.phone.settle()
        assert loaded.phone.heard() == [udp("192.0.2.1", 9, PHONE1, 2048, ttl=63)]
        loaded.restart(outside=OUTSIDE)
    finally:
        os.close(far)
        loaded.net.ip("gw", "link", "del", "ppp9")


def test_a_phone_behind_too_many_public_addresses_is_refused(rig: KernelRig) -> None:
    many = tuple(IPv4Address(f"203.0.113.{host}") for host in range(1, 12))
    rig.restart(outside=replace(OUTSIDE, public=many))
    blocks = tuple(mapping(PHONE1, str(public), 2048 + 64 * number, 64) for number, public in enumerate(many))
    result_of(rig.nat.apply(Transaction(1, blocks[:8])))
    with pytest.raises(LocalError, match="more than 8 public addresses"):
        result_of(rig.nat.apply(Transaction(2, blocks[8:])))
    assert rig.nat.generation() == 1
    for block in blocks[:8]:
        assert rig.carry(udp(PHONE1, block.block.first, FAR, 9), True) is not None
    assert rig.carry(udp(PHONE1, blocks[8].block.first, FAR, 9), True) is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"inside": ()}, "no inside interface"),
        ({"public": ()}, "public address"),
        ({"inside": ("absent0",)}, "absent0"),
        ({"inside": ("wan0",)}, "both inside and outside"),
    ],
)
def test_a_start_that_cannot_work_says_why(rig: KernelRig, wrong: dict[str, Any], reason: str) -> None:
    nat = EbpfNAT(replace(settings(rig.clock, table="other"), outside=replace(OUTSIDE, **wrong)))
    with rig.net.entered("gw"), pytest.raises(LocalError, match=reason):
        result_of(nat.start())
    result_of(nat.stop())
    assert "other" not in rig.net.run("gw", ["tc", "filter", "show", "dev", "wan0", "ingress"]).stdout


@pytest.mark.parametrize("missing", ["net_admin,-bpf,-sys_admin", "sys_admin"])
def test_the_probe_tells_what_is_missing(rig: KernelRig, missing: str) -> None:
    with rig.net.entered("gw"):
        assert probe(settings(rig.clock)).usable
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from voxpath.testing.nat.rig import settings\nfrom twisted.internet.task import Clock\n"
        "from voxpath.natreactor.ebpf.nat import probe\nprint(probe(settings(Clock())))"
    )
    argv = ["setpriv", f"--bounding-set=-{missing}", f"--inh-caps=-{missing}", sys.executable, "-c", script, ROOT]
    said = rig.net.run("gw", argv).stdout
    assert "usable=False" in said
    assert "CAP_SYS_ADMIN" in said
