"""What every NAT back end has to do that translates the packets of a machine, beside what all of them have to do."""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from tests.live.namespaces import Namespaces
from tests.live.nat_host import HostConformance
from tests.live.nat_random import RandomConformance
from tests.live.nat_rig import LAN, WAN, KernelRig, kill, process_of
from tests.live.wires import Wire
from voxpath.model.ports import Transaction
from voxpath.natreactor.event import HostSetting, TableAdopted
from voxpath.natreactor.interface import Adopted, INATReactor
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.packets import (
    FAR,
    MAPPINGS,
    PHONE1,
    PHONE2,
    PREFIX,
    PUBLIC1,
    checksums_hold,
    cut,
    error,
    ping,
    pong,
    udp,
)
from voxpath.testing.nat.rig import OUTSIDE, result_of, settings

STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM

ROOT = str(Path(__file__).parents[2])

RUN_AND_DIE = """
import sys
from importlib import import_module
from twisted.internet.task import Clock
sys.path.insert(0, sys.argv[1])
from voxpath.testing.nat.rig import settings
from voxpath.testing.nat.packets import MAPPINGS
from voxpath.model.ports import Transaction
nat = getattr(import_module(sys.argv[2]), sys.argv[3])(settings(Clock()))
nat.start()
nat.apply(Transaction(41, MAPPINGS))
print("ready", flush=True)
sys.stdin.read()
"""


class Stream:
    """A packet every millisecond in each direction, of UDP and ICMP."""

    def __init__(self, rig: KernelRig) -> None:
        self._rig = rig
        self.sent = self.came = 0

    def step(self) -> None:
        rig = self._rig
        for packet in (udp(PHONE1, 2048, FAR, 9), ping(PHONE1, FAR, 2050)):
            rig.phone.send(packet)
        for packet in (udp(FAR, 9, PUBLIC1, 2048), pong(FAR, PUBLIC1, 2050)):
            rig.out.send(packet)
        self.sent += 4
        select.select([], [], [], 0.001)
        self.hear()

    def hear(self) -> None:
        self.came += len(self._rig.phone.heard()) + len(self._rig.out.heard())

    def until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        while not select.select([process.stdout], [], [], 0)[0]:
            self.step()
        assert process.stdout.readline() == b"ready\n"


class GatewayConformance(HostConformance, RandomConformance):
    """What every back end has to do that translates the packets of a machine; ``rig`` is a fixture of the subclass's module."""

    @pytest.fixture
    def loaded(self, rig: KernelRig) -> KernelRig:
        result_of(rig.nat.apply(Transaction(1, MAPPINGS)))
        return rig

    def test_the_host_is_prepared_and_says_so(self, rig: KernelRig) -> None:
        assert rig.net.run("gw", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout.strip() == "1"
        assert rig.net.run("gw", ["sysctl", "-n", "net.ipv4.conf.lan0.send_redirects"]).stdout.strip() == "0"
        rig.net.sysctl("gw", "net.ipv4.ip_forward", "0")
        rig.restart()
        assert [event.key for event in rig.events if isinstance(event, HostSetting)][-1] == "net/ipv4/ip_forward"

    def test_an_error_about_an_expired_packet_shows_its_sender_what_it_sent(self, loaded: KernelRig) -> None:
        """Each side reads its own form of the packet in the error: the private source inside, the public destination outside."""
        expired = (
            (udp(PHONE1, 2048, FAR, 9, ttl=1), True),
            (udp(FAR, 9, PUBLIC1, 2048, ttl=1), False),
            (udp(PHONE1, 2048, PUBLIC1, 2112, ttl=1), True),
        )
        for counted, (packet, inside) in enumerate(expired, 1):
            assert loaded.carry(packet, inside) is None
            (answer,) = loaded.answers
            assert answer[20] == 11
            assert answer[28 : 28 + 20][12:20] == packet[12:20]
            assert loaded.nat.drops()["ttl_expired"] == counted

    def test_a_frame_that_tells_its_priority_is_like_any_other(self, loaded: KernelRig) -> None:
        """A tag of the VLAN 0, as many phones send it (IEEE 802.1p)."""
        priority = b"\x81\x00\xa0\x00\x08\x00"
        loaded.phone.send_frame(None, priority + udp(PHONE1, 2048, FAR, 9))
        loaded.settle()
        assert loaded.out.heard() == [udp(PUBLIC1, 2048, FAR, 9, ttl=63)]
        loaded.out.send_frame(None, priority + udp(FAR, 9, PUBLIC1, 2048))
        loaded.settle()
        assert loaded.phone.heard() == [udp(FAR, 9, PHONE1, 2048, ttl=63)]

    def test_an_interface_that_nobody_named_lets_no_inside_address_out(self, loaded: KernelRig) -> None:
        """Such as one that was plugged in, and not configured yet."""
        loaded.net.veth("phone", "eth9", "gw", "lan9")
        try:
            loaded.net.address("gw", "lan9", "192.168.9.1/24")
            loaded.net.sysctl("gw", "net.ipv4.conf.lan9.rp_filter", "0")
            wire = Wire(loaded.net, "phone", "eth9", "192.168.9.1")
            for packet in (udp(PHONE1, 2048, FAR, 9), udp("10.0.0.99", 2048, FAR, 9), ping(PHONE1, FAR, 2050)):
                wire.send(packet)
            wire.settle()
            loaded.settle()
            wire.close()
            inside = IPv4Network(PREFIX)
            assert [packet for packet in loaded.out.heard() if IPv4Address(packet[12:16]) in inside] == []
        finally:
            loaded.net.ip("gw", "link", "del", "lan9")

    def test_traffic_between_inside_addresses_is_not_translated(self, loaded: KernelRig) -> None:
        """Decision D21: only what leaves by an outside interface is."""
        came = loaded.carry(udp(PHONE1, 40000, PHONE2, 9), True)
        assert came is not None
        assert came[12:20] == IPv4Address(PHONE1).packed + IPv4Address(PHONE2).packed
        assert loaded.carry(ping(PHONE1, LAN, 0xF7FE), True) is None
        (echo,) = loaded.answers
        assert echo[16:20] == IPv4Address(PHONE1).packed
        assert loaded.carry(udp(PHONE1, 40000, PHONE2, 9, ttl=1), True) is None
        assert not any(loaded.nat.drops().values())

    def test_the_gateway_speaks_for_itself(self, loaded: KernelRig) -> None:
        """Its own outside address passes in both directions; its inside address does not leave."""
        with loaded.net.entered("gw"):
            own, inner = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with own, inner:
            own.bind((WAN, 2944))
            own.settimeout(2)
            inner.bind((LAN, 2944))
            own.sendto(b"own", (FAR, 9))
            with suppress(PermissionError):  # netfilter tells the sender at once
                inner.sendto(b"inner", (FAR, 9))
            loaded.settle()
            assert [packet[28:] for packet in loaded.out.heard()] == [b"own"]
            loaded.out.send(udp(FAR, 9, WAN, 2944, b"to the gateway"))
            assert own.recv(100) == b"to the gateway"
        assert loaded.nat.drops()["unknown_phone"] == 1

    def test_a_public_address_on_the_gateway_changes_nothing(self, loaded: KernelRig) -> None:
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

    def test_a_sockets_unfinished_checksum_is_finished(self, loaded: KernelRig) -> None:
        """A local socket leaves its checksum to the device: what comes out on the other side has to be right."""
        loaded.net.address("phone", "eth0", f"{PHONE1}/24")
        loaded.net.route("phone", "default", LAN)
        try:
            with loaded.net.entered("phone"):
                phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with phone:
                phone.bind((PHONE1, 2050))
                phone.sendto(b"real socket", (FAR, 9))
                loaded.settle()
                (came,) = loaded.out.heard()
                assert came[28:] == b"real socket"
                # A virtual cable carries the checksum unfinished to the end: then it covers the pseudo-header alone.
                pseudo = came[12:20] + struct.pack("!BBH", 0, 17, len(came) - 20)
                unfinished = sum(struct.unpack("!6H", pseudo))
                unfinished = (unfinished & 0xFFFF) + (unfinished >> 16)
                assert checksums_hold(came) or struct.unpack_from("!H", came, 26)[0] == unfinished
        finally:
            loaded.net.ip("phone", "addr", "flush", "dev", "eth0")

    def test_real_connections_and_long_datagrams_pass(self, loaded: KernelRig) -> None:
        """The sockets of both kernels, with large segments, fragments and unsolicited calls from outside; every octet arrives."""
        loaded.net.address("phone", "eth0", f"{PHONE1}/24")
        loaded.net.route("phone", "default", LAN)
        loaded.net.address("out", "eth0", f"{FAR}/24")
        loaded.net.route("out", "default", WAN)
        try:
            with loaded.net.entered("phone"):
                phone, called, datagrams = (socket.socket(socket.AF_INET, kind) for kind in (STREAM, STREAM, DATAGRAM))
            with loaded.net.entered("out"):
                server, caller, peer = (socket.socket(socket.AF_INET, kind) for kind in (STREAM, STREAM, DATAGRAM))
            with phone, called, datagrams, server, caller, peer:
                server.bind((FAR, 80))
                server.listen()
                phone.bind((PHONE1, 2050))
                carries_both_ways(phone, server, (FAR, 80), (PUBLIC1, 2050))
                called.bind((PHONE1, 2052))
                called.listen()
                caller.bind((FAR, 2944))
                carries_both_ways(caller, called, (PUBLIC1, 2052), (FAR, 2944))
                datagrams.bind((PHONE1, 2054))
                peer.bind((FAR, 9))
                for sender, receiver, to in ((peer, datagrams, (PUBLIC1, 2054)), (datagrams, peer, (FAR, 9))):
                    receiver.settimeout(5)
                    long = os.urandom(20000)
                    sender.sendto(long, to)
                    assert receiver.recv(65536) == long
        finally:
            for name in ("phone", "out"):
                loaded.net.ip(name, "addr", "flush", "dev", "eth0")

    def test_nothing_is_lost_when_voxpath_is_killed_and_starts_again(self, rig: KernelRig) -> None:
        """The kernel, or the slow path, goes on, and the next process finds generation and mappings."""
        made = type(rig.nat)
        argv = [sys.executable, "-c", RUN_AND_DIE, ROOT, made.__module__, made.__name__]
        result_of(rig.nat.apply(Transaction(40, MAPPINGS)))
        result_of(rig.nat.stop())
        stream = Stream(rig)
        for _ in range(2):
            process = rig.net.spawn("gw", argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stream.until_ready(process)
            for _ in range(50):
                stream.step()
            assert rig.net.end(process, signal.SIGKILL) == -signal.SIGKILL
            for _ in range(50):
                stream.step()
        rig.events.clear()
        assert rig.begin(settings(rig.clock)) == Adopted(41, frozenset(MAPPINGS))
        assert [event for event in rig.events if isinstance(event, TableAdopted)] == [TableAdopted(generation=41, mappings=6)]
        rig.settle()
        stream.hear()
        assert stream.came == stream.sent
        assert stream.sent > 800

    def test_mappings_that_the_configuration_no_longer_allows_are_not_adopted(self, loaded: KernelRig) -> None:
        """Generation 0 says that the ledger has to be asked for everything."""
        result_of(loaded.nat.stop())
        fewer = replace(settings(loaded.clock), outside=replace(OUTSIDE, public=(IPv4Address(PUBLIC1),)))
        kept = frozenset(row for row in MAPPINGS if row.block.public == IPv4Address(PUBLIC1))
        assert loaded.begin(fewer) == Adopted(0, kept)
        assert loaded.carry(udp(PHONE1, 2048, FAR, 9), True) is not None
        assert loaded.carry(udp("10.0.0.13", 2048, FAR, 9), True) is None


def carries_both_ways(
    caller: socket.socket, listener: socket.socket, called: tuple[str, int], seen: tuple[str, int], octets: int = 2_000_000
) -> None:
    """A connection does, between two kernels."""
    caller.settimeout(20)
    listener.settimeout(20)
    caller.connect(called)
    callee, address = listener.accept()
    assert address == seen
    content = os.urandom(octets)
    with callee:
        callee.settimeout(20)
        for sender, receiver in ((caller, callee), (callee, caller)):
            sending = threading.Thread(target=sender.sendall, args=(content,))
            sending.start()
            got = bytearray()
            while len(got) < octets:
                got += receiver.recv(65536) or b"the connection ended too early" * octets
            sending.join()
            assert bytes(got) == content


def gets_its_packets(rig: KernelRig) -> None:
    """A service does; also those in fragments, whose ports are in the first one only; without it nothing is sent round."""
    assert rig.carry(udp(FAR, 9, PUBLIC1, 5060), False) is None
    rig.net.address("gw", "lo", f"{PUBLIC1}/32")
    try:
        with rig.net.entered("gw"):
            service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with service:
            service.bind((PUBLIC1, 5060))
            service.settimeout(2)
            long = bytes(range(250)) * 10
            for part in reversed(cut(udp(FAR, 9, PUBLIC1, 5060, long, fragment=0))):
                rig.carry(part, False)
            assert service.recv(5000) == long
            assert rig.carry(udp(PHONE1, 2048, PUBLIC1, 5060, b"from inside"), True) is None
            data, address = service.recvfrom(100)
            assert (data, address) == (b"from inside", (PHONE1, 2048))
            service.connect((FAR, 9))
            assert rig.carry(error(FAR, PUBLIC1, udp(PUBLIC1, 5060, FAR, 9)), False) is None
            with pytest.raises(ConnectionRefusedError):
                service.recv(100)
    finally:
        rig.net.ip("gw", "addr", "del", f"{PUBLIC1}/32", "dev", "lo")


def is_withdrawn_completely(site: Namespaces, make: Callable[[NatSettings], INATReactor]) -> None:
    """Nothing is left of a back end in the kernel."""

    def there() -> list[str]:
        return [site.run("gw", ["ip", "-4", *what]).stdout for what in (("rule",), ("link",), ("route", "show", "table", "all"))]

    before = there()
    for dead in (False, True):
        rig = KernelRig(site, make)
        assert there() != before
        if dead:
            kill(process_of(rig))
        rig.close()
        with site.entered("gw"):
            withdraw("voxpath", ("lan0",))
        assert there() == before
