"""The nftables back end in a real kernel: phone -- gateway -- outside, with the crafted packets of all back ends."""

import re
import sys
from collections.abc import Iterator
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
from voxpath.natreactor.event import NoSlowPath, SlowPathLost, TableLost, Unwatched
from voxpath.natreactor.interface import Adopted, PhoneCounters
from voxpath.natreactor.nftables import NftablesNAT, probe
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.calls import MEDIA, pinhole
from voxpath.testing.nat.conformance import NatConformance
from voxpath.testing.nat.packets import FAR, MAPPINGS, PHONE1, PUBLIC1, PUBLIC2, cut, error, mapping, ping, pong, udp
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
    made = KernelRig(site, NftablesNAT)
    yield made
    made.close()
    with site.entered("gw"):
        withdraw("voxpath", ("lan0",))
    site.run("gw", ["nft", "flush", "ruleset"])


@pytest.fixture
def loaded(rig: KernelRig) -> KernelRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


class TestNftables(NatConformance, PoolConformance, GatewayConformance):
    """All of it, in the kernel."""


def test_an_error_about_a_translated_packet_tells_no_inside_address(loaded: KernelRig) -> None:
    """The phone's cable is too narrow: the kernel's own error would carry the inside destination."""
    loaded.net.ip("gw", "link", "set", "lan0", "mtu", "600")
    try:
        came = loaded.carry(udp(FAR, 9, PUBLIC1, 2048, bytes(900)), False)
    finally:
        loaded.net.ip("gw", "link", "set", "lan0", "mtu", "1500")
    assert loaded.answers == []
    assert came is not None
    assert came[12:20] == IPv4Address(PUBLIC1).packed + IPv4Address(FAR).packed
    assert came[20:22] == bytes((3, 4))
    assert int.from_bytes(came[26:28], "big") == 600
    assert came[28 + 12 : 28 + 20] == IPv4Address(FAR).packed + IPv4Address(PUBLIC1).packed
    assert IPv4Address(PHONE1).packed not in came


def test_no_flow_is_remembered(loaded: KernelRig) -> None:
    loaded.carry(udp(PHONE1, 2048, FAR, 9), True)
    assert "ct " not in loaded.net.run("gw", ["nft", "list", "ruleset"]).stdout
    count = loaded.net.run("gw", ["sysctl", "-n", "net.netfilter.nf_conntrack_count"], check=False)
    assert count.stdout.strip() in ("", "0")


def test_a_firewall_that_follows_connections_follows_none_of_these(loaded: KernelRig) -> None:
    """Neither what the kernel translates nor what comes back from the slow path: it would find it invalid, and drop it."""
    loaded.net.run("gw", ["nft", "add table ip fw; add chain ip fw c { type filter hook forward priority 0; }"])
    try:
        loaded.net.run("gw", ["nft", "add rule ip fw c ct state invalid drop"])
        for packet, inside in (
            (udp(PHONE1, 2048, FAR, 9), True),
            (ping(PHONE1, FAR, 2050), True),
            (pong(FAR, PUBLIC1, 2050), False),
            (error(FAR, PUBLIC1, udp(PUBLIC1, 2048, FAR, 9)), False),
        ):
            assert loaded.carry(packet, inside) is not None
        assert loaded.net.run("gw", ["sysctl", "-n", "net.netfilter.nf_conntrack_count"]).stdout.strip() == "0"
    finally:
        loaded.net.run("gw", ["nft", "delete table ip fw"])


def test_pings_and_fragments_go_on_while_the_process_is_stopped(loaded: KernelRig) -> None:
    """What the kernel leaves to the slow path is not lost by a restart, either."""
    asked, (first, last) = ping(PHONE1, FAR, 2050), cut(udp(PHONE1, 2048, FAR, 9, bytes(2000), fragment=0))
    loaded.carry(asked, True)
    loaded.phone.send(first)
    before = process_of(loaded)
    result_of(loaded.nat.stop())
    for _ in range(20):
        loaded.phone.send(asked)
    loaded.phone.send(last)
    loaded.begin(settings(loaded.clock))
    loaded.settle()
    assert len(loaded.out.heard()) == 22
    assert loaded.nat.counters(IPv4Address(PHONE1)).out_packets == 23
    assert process_of(loaded) == before


def test_calls_do_not_depend_on_the_slow_path(loaded: KernelRig) -> None:
    """The next look finds that it was killed; until then pings are lost, and nothing leaves untranslated."""
    kill(process_of(loaded))
    assert loaded.carry_at_once(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry_at_once(ping(PHONE1, FAR, 2050), True) is None
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
    assert [type(event) for event in loaded.events if isinstance(event, SlowPathLost)] == [SlowPathLost]
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is not None
    kill(process_of(loaded))
    with loaded.net.entered("gw"):
        result_of(loaded.nat.apply(Transaction(2, (mapping(PHONE1, PUBLIC2, 9216, 64),))))
    assert loaded.carry(ping(PHONE1, FAR, 9217), True) is not None
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is not None


def test_changes_do_not_wait_for_a_slow_path_that_cannot_be_started(loaded: KernelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried once for each look; when it starts at last it knows what was changed meanwhile."""
    tried: list[object] = []

    def unable(path: object) -> None:
        tried.append(path)
        raise LocalError("there is no memory")

    with monkeypatch.context() as full:
        full.setattr("voxpath.natreactor.slowpath.SlowPath._spawn", unable)
        kill(process_of(loaded))
        with loaded.net.entered("gw"):
            for port in (9216, 9280, 9344):
                result_of(loaded.nat.apply(Transaction(2, (mapping(PHONE1, PUBLIC2, port, 64),))))
            assert len(tried) == 1
            loaded.clock.advance(1)
            assert len(tried) == 2
        assert loaded.carry_at_once(udp(PHONE1, 9345, FAR, 9), True) is not None
    assert [event.reason for event in loaded.events if isinstance(event, NoSlowPath)] == ["there is no memory"]
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
    assert loaded.carry(ping(PHONE1, FAR, 9345), True) is not None


@pytest.mark.parametrize("device", ["voxpath-in", "voxpath-out"])
def test_what_leads_into_the_slow_path_is_mended(loaded: KernelRig, device: str) -> None:
    loaded.net.ip("gw", "link", "delete", device)
    assert loaded.carry_at_once(udp(PHONE1, 2048, FAR, 9), True) is not None
    there, back = (ping(PHONE1, FAR, 2050), True), (pong(FAR, PUBLIC1, 2050), False)
    assert loaded.carry_at_once(*(there if device == "voxpath-in" else back)) is None
    with loaded.net.entered("gw"):
        loaded.clock.advance(1)
        loaded.clock.advance(1)
    assert None not in [loaded.carry(*each) for each in (there, back)]


def test_a_reserved_flag_of_the_senders_is_not_taken_for_ours(loaded: KernelRig) -> None:
    for flags, left in ((0xC000, 0x40), (0x8000, 0)):
        came = loaded.carry(ping(PHONE1, FAR, 2050, fragment=flags), True)
        assert came is not None
        assert came[6] == left


def test_no_routing_rule_is_needed(loaded: KernelRig) -> None:
    """With one of anybody's the kernel looks up each packet's route by itself."""
    assert loaded.net.ip("gw", "rule").split("\n")[:3] == [
        "0:\tfrom all lookup local",
        "32766:\tfrom all lookup main",
        "32767:\tfrom all lookup default",
    ]


def test_without_a_slow_path_pings_and_fragments_are_dropped_and_the_operator_is_told(
    loaded: KernelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise LocalError("/dev/net/tun cannot be opened")

    with monkeypatch.context() as without:
        without.setattr("voxpath.natreactor.slowpath.SlowPath.start", absent)
        without.setattr("voxpath.natreactor.nftables.check_device", absent)
        loaded.restart()
        with loaded.net.entered("gw"):
            reason = probe(settings(loaded.clock)).reason
        assert reason.endswith("; ICMP and fragments are dropped, since /dev/net/tun cannot be opened")
        assert [event.reason for event in loaded.events if isinstance(event, NoSlowPath)] == ["/dev/net/tun cannot be opened"]
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
        assert loaded.carry(ping(PHONE1, FAR, 2050), True) is None
        assert loaded.carry(cut(udp(PHONE1, 2048, FAR, 9, bytes(2000), fragment=0))[0], True) is None
        assert loaded.carry(pong(FAR, PUBLIC1, 2050), False) is None
        drops = loaded.nat.drops()
        assert (drops["icmp"], drops["fragment"]) == (2, 1)
    loaded.restart()
    assert loaded.carry(ping(PHONE1, FAR, 2050), True) is not None


def test_a_service_of_the_gateway_gets_its_fragments(loaded: KernelRig) -> None:
    chosen = settings(loaded.clock)
    served = replace(chosen.outside, services=(PortBlock(IPv4Address(PUBLIC1), 5060, 1),))
    result_of(loaded.nat.stop())
    loaded.begin(replace(chosen, outside=served))
    gets_its_packets(loaded)


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
    is_withdrawn_completely(site, NftablesNAT)
    assert site.run("gw", ["nft", "list", "tables"]).stdout == ""


def test_counters_survive_a_restart(loaded: KernelRig) -> None:
    packet = udp(PHONE1, 2048, FAR, 9)
    loaded.carry(packet, True)
    loaded.restart()
    loaded.carry(packet, True)
    assert loaded.nat.counters(IPv4Address(PHONE1)).out_packets == 2


@pytest.mark.parametrize("block_size", [16, 256])
def test_another_default_block_size_keeps_the_mappings(loaded: KernelRig, block_size: int) -> None:
    result_of(loaded.nat.stop())
    assert loaded.begin(settings(loaded.clock, block_size=block_size)) == Adopted(1, frozenset(MAPPINGS))
    for row in MAPPINGS:
        for port in (row.block.first, row.block.last):
            assert loaded.carry(udp(str(row.private), port, FAR, 9), True) is not None
            assert loaded.carry(udp(FAR, 9, str(row.block.public), port), False) is not None
    assert loaded.carry(udp(PHONE1, 2112, FAR, 9), True) is None


def test_what_was_changed_step_by_step_is_like_what_is_built_at_once(loaded: KernelRig) -> None:
    """Changes go to the kernel as our own messages, whole tables as text through libnftables: both must mean the same."""
    many = tuple(mapping(f"10.0.0.{host}", PUBLIC1, 16384 + 256 * host, 256) for host in range(20, 60))
    tiny = tuple(mapping("10.0.0.61", PUBLIC2, 3300 + number, 1) for number in range(5))
    result_of(loaded.nat.apply(Transaction(2, (*many, *tiny))))
    result_of(loaded.nat.apply(Transaction(3, remove=(*many[::2], tiny[3], *MAPPINGS[:2]))))
    stepwise = listed(loaded)
    left = {*MAPPINGS[2:], *many[1::2], *tiny[:3], tiny[4]}
    result_of(loaded.nat.replace_all(3, left))
    assert listed(loaded) == stepwise
    assert len(stepwise) > 2 * len(left)


def test_a_change_of_any_size_is_one_step(loaded: KernelRig) -> None:
    """More elements than one message of the kernel holds."""
    whole = tuple(mapping(f"10.0.0.{host}", PUBLIC1, 16384 + 1024 * (host - 20), 1024) for host in range(20, 68))
    result_of(loaded.nat.stop())
    loaded.begin(settings(loaded.clock, block_size=1))
    result_of(loaded.nat.apply(Transaction(2, whole)))
    assert loaded.carry(udp("10.0.0.67", 65535, FAR, 9), True) is not None
    result_of(loaded.nat.apply(Transaction(3, remove=whole)))
    assert loaded.carry(udp("10.0.0.67", 65535, FAR, 9), True) is None


def listed(rig: KernelRig) -> set[str]:
    """All that the maps, the phones and the state of the kernel's table hold, each element as nft writes it."""
    text = rig.net.run("gw", ["nft", "list", "table", "ip", "voxpath"]).stdout
    elements = re.findall(r"(?:map|set) (\w+) \{[^{}]*?elements = \{([^{}]*)\}", text)
    return {f"{name} {each.strip()}" for name, found in elements for each in found.split(",")}


def test_a_table_that_somebody_flushed_is_built_again(loaded: KernelRig) -> None:
    """A firewall's restart flushes everything; the next look repairs it, and so does the next change."""
    loaded.net.run("gw", ["nft", "flush", "ruleset"])
    loaded.clock.advance(1)
    assert len([event for event in loaded.events if isinstance(event, TableLost)]) == 1
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    loaded.net.run("gw", ["nft", "flush", "ruleset"])
    result_of(loaded.nat.apply(Transaction(2, (mapping(PHONE1, PUBLIC2, 9216, 64),))))
    assert len([event for event in loaded.events if isinstance(event, TableLost)]) == 2
    assert loaded.carry(udp(PHONE1, 9216, FAR, 9), True) is not None
    assert loaded.nat.generation() == 2
    assert not [event for event in loaded.events if isinstance(event, Unwatched)]


def test_somebody_elses_table_of_our_name_is_replaced(rig: KernelRig) -> None:
    result_of(rig.nat.stop())
    rig.net.run("gw", ["nft", "flush ruleset; add table ip voxpath; add set ip voxpath state { type ipv4_addr; }"])
    assert rig.begin(settings(rig.clock)) == Adopted()
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    assert rig.carry(udp(PHONE1, 2048, FAR, 9), True) is not None


def test_two_instances_of_different_names_do_not_meet(loaded: KernelRig) -> None:
    other = NftablesNAT(settings(Clock(), table="other"))
    with loaded.net.entered("gw"):
        assert result_of(other.start()) == Adopted()
    result_of(other.stop())
    loaded.net.run("gw", ["nft", "delete table ip other"])
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None


@pytest.mark.parametrize("wrong", [{"inside": ()}, {"outside": ('a"b',)}, {"public": ()}, {"inside": ("absent0",)}])
def test_a_start_that_cannot_work_says_why(rig: KernelRig, wrong: dict[str, Any]) -> None:
    nat = NftablesNAT(replace(settings(rig.clock, table="other"), outside=replace(OUTSIDE, **wrong)))
    with rig.net.entered("gw"), pytest.raises(LocalError):
        result_of(nat.start())
    result_of(nat.stop())
    assert "table ip other" not in rig.net.run("gw", ["nft", "list", "tables"]).stdout


def test_it_runs_in_a_user_namespace_too(rig: KernelRig) -> None:
    """As in a container without privileges, where nobody may have larger buffers than others."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from dataclasses import replace\nfrom twisted.internet.task import Clock\n"
        "from voxpath.testing.nat.rig import OUTSIDE, result_of, settings\n"
        "from voxpath.testing.nat.packets import MAPPINGS\nfrom voxpath.model.ports import Transaction\n"
        "from voxpath.natreactor.nftables import NftablesNAT, probe\nfrom voxpath.natreactor.withdraw import withdraw\n"
        "chosen = replace(settings(Clock()), outside=replace(OUTSIDE, inside=('lo',), outside=('lo',)))\n"
        "assert probe(chosen).usable\nnat = NftablesNAT(chosen)\nresult_of(nat.start())\n"
        "result_of(nat.apply(Transaction(7, MAPPINGS)))\nresult_of(nat.stop())\n"
        "nat = NftablesNAT(chosen)\nprint(len(result_of(nat.start()).mappings))\n"
        "nat.stop()\nwithdraw('voxpath', ('lo',))"
    )
    said = rig.net.run("gw", ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", script, ROOT])
    assert said.stdout.strip() == str(len(MAPPINGS))


def test_the_probe_tells_what_is_missing(rig: KernelRig) -> None:
    with rig.net.entered("gw"):
        assert probe(settings(rig.clock)).usable
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from voxpath.testing.nat.rig import settings\nfrom twisted.internet.task import Clock\n"
        "from voxpath.natreactor.nftables import probe\nprint(probe(settings(Clock())))"
    )
    argv = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", sys.executable, "-c", script, ROOT]
    said = rig.net.run("gw", argv).stdout
    assert "usable=False" in said
    assert "CAP_NET_ADMIN" in said


def test_the_mode_may_change_between_runs(loaded: KernelRig) -> None:
    """Neither way is anything left of the other mode, and the phones' counters stay."""
    loaded.carry(udp(PHONE1, 2048, FAR, 9), True)
    loaded.restart(call_aware=True)
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2050), False) is None
    result_of(loaded.nat.admit(PinholeChange(open=(MEDIA,))))
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2050), False) is not None
    assert loaded.restart(call_aware=False) == Adopted(1, frozenset(MAPPINGS))
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2049), False) is not None
    assert loaded.restart(call_aware=True) == Adopted(1, frozenset(MAPPINGS))
    assert loaded.carry(udp(FAR, 9, PUBLIC1, 2050), False) is None
    assert loaded.nat.counters(IPv4Address(PHONE1)) == PhoneCounters(1, 35, 2, 70)


def test_in_the_open_mode_no_rule_looks_for_calls(loaded: KernelRig) -> None:
    """It costs nothing."""
    text = loaded.net.run("gw", ["nft", "list", "table", "ip", "voxpath"]).stdout
    assert "@pinholes" not in text
    assert "@held" not in text


def test_pinholes_that_were_changed_step_by_step_are_like_those_that_are_built_at_once(loaded: KernelRig) -> None:
    loaded.restart(call_aware=True)
    many = tuple(pinhole(PUBLIC1, 4096 + number, f"198.51.100.{number + 1}") for number in range(200))
    turned = pinhole(PUBLIC1, 2051, PUBLIC2)
    result_of(loaded.nat.admit(PinholeChange((*many, MEDIA, turned))))
    result_of(loaded.nat.admit(PinholeChange(close=many[::2])))
    result_of(loaded.nat.apply(Transaction(2, (mapping("10.0.0.20", PUBLIC2, 9216, 64),), (MAPPINGS[5],))))
    stepwise = listed(loaded)
    assert len([each for each in stepwise if each.startswith("pinholes")]) == 102
    assert [each for each in stepwise if each.startswith("turning")] == ["turning 10.0.0.11 . 2051 . 203.0.113.2"]
    loaded.net.run("gw", ["nft", "flush", "ruleset"])
    loaded.clock.advance(1)
    assert listed(loaded) == stepwise
