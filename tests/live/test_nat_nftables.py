"""The nftables back end in a real kernel: phone -- gateway -- outside, with the crafted packets of all back ends."""

import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.live.namespaces import Namespaces
from tests.live.wires import OneProcessor, Wire
from tests.natreactor.nat_conformance import MEDIA, OUTSIDE, NatConformance, pinhole, result_of, settings
from tests.natreactor.nat_packets import FAR, MAPPINGS, PHONE1, PHONE2, PUBLIC1, PUBLIC2, checksums_hold, mapping, ping, udp
from voxpath.core.errors import LocalError
from voxpath.model.event import Event
from voxpath.model.ports import Transaction
from voxpath.nappt.pinhole import PinholeChange
from voxpath.natreactor.event import HostSetting, TableAdopted, TableLost, Unwatched
from voxpath.natreactor.interface import Adopted, PhoneCounters
from voxpath.natreactor.nftables import NftablesNAT, probe
from voxpath.natreactor.settings import NatSettings

pytestmark = pytest.mark.live

ROOT = str(Path(__file__).parents[2])
LAN, WAN = "10.0.0.1", "198.51.100.1"


@pytest.fixture(scope="module")
def site() -> Iterator[Namespaces]:
    """One gateway between a LAN and the outside."""
    with Namespaces() as net, OneProcessor():
        net.create("phone", "gw", "out")
        net.veth("phone", "eth0", "gw", "lan0")
        net.veth("out", "eth0", "gw", "wan0")
        net.mac("phone", "eth0", "02:00:00:00:aa:01")
        net.mac("out", "eth0", "02:00:00:00:bb:01")
        net.address("gw", "lan0", f"{LAN}/24")
        net.address("gw", "wan0", f"{WAN}/24")
        net.route("gw", "default", FAR)
        for host in range(2, 100):
            net.ip("gw", "neigh", "add", f"10.0.0.{host}", "lladdr", "02:00:00:00:aa:01", "dev", "lan0")
        net.ip("gw", "neigh", "add", FAR, "lladdr", "02:00:00:00:bb:01", "dev", "wan0")
        net.sysctl("gw", "net.ipv4.icmp_ratelimit", "0")
        net.sysctl("gw", "net.ipv4.conf.all.rp_filter", "0")
        yield net


class KernelRig:
    """The back end in the gateway's namespace, and a wire at each side."""

    def __init__(self, net: Namespaces) -> None:
        self.net = net
        self.clock = Clock()
        self.events: list[Event] = []
        self.phone = Wire(net, "phone", "eth0", LAN)
        self.out = Wire(net, "out", "eth0", WAN)
        self.answers: list[bytes] = []
        self.more: dict[str, object] = {}
        self.nat = NftablesNAT(settings(self.clock))
        self.begin(settings(self.clock))

    def begin(self, chosen: NatSettings) -> Adopted:
        self.nat = NftablesNAT(chosen)
        self.nat.watch(self.events.append)
        with self.net.entered("gw"):
            adopted = result_of(self.nat.start())
        assert isinstance(adopted, Adopted)
        return adopted

    def restart(self, **more: object) -> Adopted:
        result_of(self.nat.stop())
        self.more |= more
        return self.begin(settings(self.clock, **self.more))

    def carry(self, packet: bytes, from_inside: bool) -> bytes | None:
        """Send a packet through the kernel; the gateway's own ICMP errors go to ``answers``."""
        self.phone.heard()
        self.out.heard()
        sender = self.phone if from_inside else self.out
        sender.send(packet)
        sender.settle()
        own = (IPv4Address(LAN).packed, IPv4Address(WAN).packed)
        everything = [*self.phone.heard(), *self.out.heard()]
        self.answers = [each for each in everything if each[12:16] in own]
        came = [each for each in everything if each[12:16] not in own]
        assert len(came) <= 1
        return came[0] if came else None

    def close(self) -> None:
        result_of(self.nat.stop())
        self.phone.close()
        self.out.close()
        self.net.run("gw", ["nft", "flush", "ruleset"])


@pytest.fixture
def rig(site: Namespaces) -> Iterator[KernelRig]:
    made = KernelRig(site)
    yield made
    made.close()


@pytest.fixture
def loaded(rig: KernelRig) -> KernelRig:
    result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
    return rig


class TestNftables(NatConformance):
    """All of it, in the kernel."""


def test_the_host_is_prepared_and_says_so(rig: KernelRig) -> None:
    assert rig.net.run("gw", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout.strip() == "1"
    assert rig.net.run("gw", ["sysctl", "-n", "net.ipv4.conf.lan0.send_redirects"]).stdout.strip() == "0"
    rig.net.sysctl("gw", "net.ipv4.ip_forward", "0")
    rig.restart()
    assert [event.key for event in rig.events if isinstance(event, HostSetting)][-1] == "net/ipv4/ip_forward"


def test_an_error_about_an_expired_packet_shows_its_sender_what_it_sent(loaded: KernelRig) -> None:
    """Each side reads its own form of the packet in the ICMP error: inside the private source, outside the public destination."""
    for packet, inside in (
        (udp(PHONE1, 2048, FAR, 9, ttl=1), True),
        (udp(FAR, 9, PUBLIC1, 2048, ttl=1), False),
        (udp(PHONE1, 2048, PUBLIC1, 2112, ttl=1), True),
    ):
        assert loaded.carry(packet, inside) is None
        (answer,) = loaded.answers
        assert answer[20] == 11
        assert answer[28 : 28 + 20][12:20] == packet[12:20]


def test_an_error_about_a_translated_packet_tells_no_inside_address(loaded: KernelRig) -> None:
    """The phone's cable is too narrow: the kernel's own error would carry the inside destination, so it stays."""
    loaded.net.ip("gw", "link", "set", "lan0", "mtu", "600")
    try:
        assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048, bytes(900)), False) is None
    finally:
        loaded.net.ip("gw", "link", "set", "lan0", "mtu", "1500")
    assert loaded.answers == []
    assert loaded.nat.drops()["icmp"] == 1


def test_traffic_between_inside_addresses_is_not_translated(loaded: KernelRig) -> None:
    """Decision D21: only what leaves by an outside interface is."""
    came = loaded.carry(udp(PHONE1, 40000, PHONE2, 9), True)
    assert came is not None
    assert came[12:20] == IPv4Address(PHONE1).packed + IPv4Address(PHONE2).packed
    assert loaded.carry(ping(PHONE1, LAN, 0xF7FE), True) is None
    (echo,) = loaded.answers
    assert echo[16:20] == IPv4Address(PHONE1).packed


def test_the_gateway_speaks_for_itself(loaded: KernelRig) -> None:
    """Its own outside address passes in both directions; its inside address does not leave."""
    with loaded.net.entered("gw"):
        own, inner = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with own, inner:
        own.bind((WAN, 2944))
        own.settimeout(2)
        inner.bind((LAN, 2944))
        own.sendto(b"own", (FAR, 9))
        with pytest.raises(PermissionError):
            inner.sendto(b"inner", (FAR, 9))
        loaded.out.settle()
        assert [packet[28:] for packet in loaded.out.heard()] == [b"own"]
        loaded.out.send(udp(FAR, 9, WAN, 2944, b"to the gateway"))
        assert own.recv(100) == b"to the gateway"
    assert loaded.nat.drops()["unknown_phone"] == 1


def test_a_public_address_on_the_gateway_changes_nothing(loaded: KernelRig) -> None:
    """A tunnel end needs it there: packets are neither martians nor delivered to the gateway's own sockets."""
    loaded.net.address("gw", "lo", f"{PUBLIC1}/32")
    try:
        with loaded.net.entered("gw"):
            everywhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with everywhere:
            everywhere.bind(("0.0.0.0", 9999))
            everywhere.setblocking(False)
            assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
            assert loaded.carry(udp(FAR, 9, PUBLIC1, 2048), False) is not None
            assert loaded.carry(udp(PHONE1, 2048, PUBLIC1, 2112), True) is not None
            assert loaded.carry(udp(FAR, 9, PUBLIC1, 9999), False) is None
            assert loaded.carry(udp(FAR, 9, PUBLIC1, 9999, ttl=1), False) is None
            with pytest.raises(BlockingIOError):
                everywhere.recv(100)
    finally:
        loaded.net.ip("gw", "addr", "del", f"{PUBLIC1}/32", "dev", "lo")


def test_a_sockets_unfinished_checksum_is_finished(loaded: KernelRig) -> None:
    """A local socket leaves its checksum to the device: what comes out on the other side has to be right."""
    loaded.net.address("phone", "eth0", f"{PHONE1}/24")
    loaded.net.route("phone", "default", LAN)
    try:
        with loaded.net.entered("phone"):
            phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with phone:
            phone.bind((PHONE1, 2050))
            phone.sendto(b"real socket", (FAR, 9))
            loaded.phone.settle()
            (came,) = loaded.out.heard()
            assert came[28:] == b"real socket"
            # A virtual cable carries the checksum unfinished to the end: then it covers the pseudo-header alone.
            pseudo = came[12:20] + struct.pack("!BBH", 0, 17, len(came) - 20)
            unfinished = sum(struct.unpack("!6H", pseudo))
            unfinished = (unfinished & 0xFFFF) + (unfinished >> 16)
            assert checksums_hold(came) or struct.unpack_from("!H", came, 26)[0] == unfinished
    finally:
        loaded.net.ip("phone", "addr", "flush", "dev", "eth0")


def test_no_flow_is_remembered(loaded: KernelRig) -> None:
    loaded.carry(udp(PHONE1, 2048, FAR, 9), True)
    assert "ct " not in loaded.net.run("gw", ["nft", "list", "ruleset"]).stdout
    count = loaded.net.run("gw", ["sysctl", "-n", "net.netfilter.nf_conntrack_count"], check=False)
    assert count.stdout.strip() in ("", "0")


RUN_AND_DIE = """
import sys
from twisted.internet.task import Clock
sys.path.insert(0, sys.argv[1])
from tests.natreactor.nat_conformance import settings
from tests.natreactor.nat_packets import MAPPINGS
from voxpath.model.ports import Transaction
from voxpath.natreactor.nftables import NftablesNAT
nat = NftablesNAT(settings(Clock()))
nat.start()
nat.apply(Transaction(41, MAPPINGS))
print("ready", flush=True)
sys.stdin.read()
"""


def test_calls_go_on_while_the_process_is_dead(rig: KernelRig) -> None:
    """After kill -9 the kernel goes on, and the next process finds generation and mappings."""
    result_of(rig.nat.stop())
    argv = [sys.executable, "-c", RUN_AND_DIE, ROOT]
    process = rig.net.spawn("gw", argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert rig.net.end(process, signal.SIGKILL) == -signal.SIGKILL
    assert rig.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert rig.carry(udp(FAR, 9, PUBLIC1, 4200), False) is not None
    rig.events.clear()
    assert rig.begin(settings(rig.clock)) == Adopted(41, frozenset(MAPPINGS))
    assert [event for event in rig.events if isinstance(event, TableAdopted)] == [TableAdopted(generation=41, mappings=6)]
    assert rig.carry(udp(PHONE1, 2048, FAR, 9), True) is not None


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


def test_mappings_that_the_configuration_no_longer_allows_are_not_adopted(loaded: KernelRig) -> None:
    """Generation 0 says that the ledger has to be asked for everything."""
    result_of(loaded.nat.stop())
    fewer = replace(settings(loaded.clock), outside=replace(OUTSIDE, public=(IPv4Address(PUBLIC1),)))
    kept = frozenset(row for row in MAPPINGS if row.block.public == IPv4Address(PUBLIC1))
    assert loaded.begin(fewer) == Adopted(0, kept)
    assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
    assert loaded.carry(udp("10.0.0.13", 2048, FAR, 9), True) is None


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
        "from tests.natreactor.nat_conformance import OUTSIDE, result_of, settings\n"
        "from tests.natreactor.nat_packets import MAPPINGS\nfrom voxpath.model.ports import Transaction\n"
        "from voxpath.natreactor.nftables import NftablesNAT, probe\n"
        "chosen = replace(settings(Clock()), outside=replace(OUTSIDE, inside=('lo',), outside=('lo',)))\n"
        "assert probe(chosen).usable\nnat = NftablesNAT(chosen)\nresult_of(nat.start())\n"
        "result_of(nat.apply(Transaction(7, MAPPINGS)))\nresult_of(nat.stop())\n"
        "print(len(result_of(NftablesNAT(chosen).start()).mappings))"
    )
    said = rig.net.run("gw", ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", script, ROOT])
    assert said.stdout.strip() == str(len(MAPPINGS))


def test_the_probe_tells_what_is_missing(rig: KernelRig) -> None:
    with rig.net.entered("gw"):
        assert probe(settings(rig.clock)).usable
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.natreactor.nat_conformance import settings\nfrom twisted.internet.task import Clock\n"
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
