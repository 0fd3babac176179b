"""Stock programs through each back end: phone -- gateway -- router -- far host, with a narrow cable behind the router."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.live.namespaces import Namespaces
from voxpath.model.ports import Transaction
from voxpath.natreactor.ebpf.nat import EbpfNAT
from voxpath.natreactor.interface import INATReactor, Outside
from voxpath.natreactor.nftables import NftablesNAT
from voxpath.natreactor.settings import NatSettings
from voxpath.natreactor.tun import TunNAT
from voxpath.natreactor.withdraw import withdraw
from voxpath.testing.nat.packets import PHONE1, PREFIX, PUBLIC1, mapping
from voxpath.testing.nat.rig import result_of

pytestmark = [pytest.mark.live, pytest.mark.together]

LAN, WAN, ROUTER, FAR = "10.0.0.1", "198.51.100.1", "198.51.100.2", "192.0.2.9"
NARROW = 1400
"""The MTU behind the router."""
OWN_PORTS, FOREIGN_PORTS = "2048 2111", "40000 40063"
LISTENS_S = 5.0


class Line:
    """A phone with a block of ports, and a host that it speaks with."""

    def __init__(self, net: Namespaces, nat: INATReactor) -> None:
        self.net = net
        self.nat = nat

    def dropped(self, reason: str) -> int:
        with self.net.entered("gw"):
            return self.nat.drops()[reason]

    def ports(self, which: str) -> None:
        """Let the phone's programs use these ports."""
        self.net.sysctl("phone", "net.ipv4.ip_local_port_range", which)

    def serve(self, argv: list[str], port: int) -> "subprocess.Popen[bytes]":
        """Start a program on the far host, and wait until it listens."""
        started = self.net.spawn("far", argv)
        deadline = time.monotonic() + LISTENS_S
        while f":{port} " not in self.net.run("far", ["ss", "-ltnH"]).stdout:
            assert started.poll() is None, f"{argv[0]} has ended"
            assert time.monotonic() < deadline, f"{argv[0]} does not listen"
            time.sleep(0.02)  # another process opens the port: there is no event to wait for
        return started

    def phone(self, *argv: str, check: bool = True) -> str:
        """Run a program on the phone."""
        return self.net.run("phone", argv, check=check, timeout=60).stdout


@pytest.fixture(params=[NftablesNAT, EbpfNAT, TunNAT], ids=["nftables", "ebpf", "tun"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    make: Callable[[NatSettings], INATReactor] = request.param
    with Namespaces() as net:
        lay(net)
        outside = Outside(("lan0",), ("wan0",), (PREFIX,), (IPv4Address(PUBLIC1),))
        nat = make(NatSettings(outside, Clock()))
        with net.entered("gw"):
            result_of(nat.start())
            result_of(nat.apply(Transaction(1, (mapping(PHONE1, PUBLIC1, 2048, 64),))))
        made = Line(net, nat)
        made.ports(OWN_PORTS)
        yield made
        with net.entered("gw"):
            result_of(nat.stop())
            withdraw("voxpath", ("lan0",))


def lay(net: Namespaces) -> None:
    """Cables, addresses and routes; nobody inside is known outside."""
    net.create("phone", "gw", "router", "far")
    net.veth("phone", "eth0", "gw", "lan0")
    net.veth("gw", "wan0", "router", "up0")
    net.veth("router", "down0", "far", "eth0")
    for name, interface, prefix in (
        ("phone", "eth0", f"{PHONE1}/24"),
        ("gw", "lan0", f"{LAN}/24"),
        ("gw", "wan0", f"{WAN}/24"),
        ("router", "up0", f"{ROUTER}/24"),
        ("router", "down0", "192.0.2.1/24"),
        ("far", "eth0", f"{FAR}/24"),
    ):
        net.address(name, interface, prefix)
    for name, prefix, via in (
        ("phone", "default", LAN),
        ("gw", "default", ROUTER),
        ("router", f"{PUBLIC1}/32", WAN),
        ("far", "default", "192.0.2.1"),
    ):
        net.route(name, prefix, via)
    net.sysctl("router", "net.ipv4.ip_forward", "1")
    # By its route, so that the far host does not know of it, and announces large segments.
    net.ip("router", "route", "add", f"{FAR}/32", "dev", "down0", "mtu", "lock", str(NARROW))


def iperf(line: Line, *more: str) -> dict[str, int]:
    """What iperf3 tells of what was received in a second."""
    server = line.serve(["iperf3", "--server", "--one-off"], 5201)
    try:
        told = json.loads(line.phone("iperf3", "--client", FAR, "--time", "1", "--json", *more))
    finally:
        line.net.end(server)
    found: dict[str, int] = told["end"]["sum_received" if "--udp" not in more else "sum"]
    return found


@pytest.mark.parametrize("direction", [(), ("--reverse",)], ids=["from the phone", "to the phone"])
def test_streams_and_datagrams_pass(line: Line, direction: tuple[str, ...]) -> None:
    assert iperf(line, *direction)["bytes"] > 0
    seen = iperf(line, "--udp", "--bitrate", "1M", "--length", "172", *direction)
    assert seen["packets"] > 500
    assert seen["lost_packets"] == 0
    assert line.dropped("spoofed_port") == 0


def test_a_program_that_takes_ports_outside_the_block_reaches_nobody_and_is_counted(line: Line) -> None:
    line.ports(FOREIGN_PORTS)
    server = line.serve(["iperf3", "--server", "--one-off"], 5201)
    told = line.phone("iperf3", "--client", FAR, "--connect-timeout", "1500", "--json", check=False)
    line.net.end(server)
    assert "error" in json.loads(told)
    assert line.dropped("spoofed_port") > 0


def test_pings_are_answered_by_their_identifier_long_ones_too(line: Line) -> None:
    """In fragments, which the narrow cable cuts once more."""
    for size in ("56", "5000"):
        told = line.phone("ping", "-c", "3", "-i", "0.2", "-W", "2", "-M", "dont", "-s", size, "-e", "2050", FAR)
        assert "3 received" in told, told
    told = line.phone("ping", "-c", "1", "-W", "1", "-e", "40000", FAR, check=False)
    assert "0 received" in told, told
    assert line.dropped("spoofed_port") == 1


def test_traceroute_sees_every_hop_and_the_gateway_once(line: Line) -> None:
    told = line.phone("traceroute", "-n", "-q", "1", "-w", "2", "-m", "6", "--sport=2050", FAR)
    hops = [row.split()[1] for row in told.splitlines()[1:]]
    assert hops == [LAN, ROUTER, FAR], told


def test_the_narrow_cable_behind_the_gateway_is_found_out(line: Line) -> None:
    """A router's error about a packet that was translated reaches the phone, which sends shorter ones from then on."""
    assert iperf(line)["bytes"] > 0
    assert f"mtu {NARROW}" in line.net.ip("phone", "route", "get", FAR)


def test_a_tls_connection_is_made(line: Line, tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subject = ["-subj", "/CN=far.example", "-days", "2"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    server = line.serve(["openssl", "s_server", "-accept", "4433", "-cert", certificate, "-key", key, "-quiet", "-www"], 4433)
    client = ["openssl", "s_client", "-connect", f"{FAR}:4433", "-CAfile", certificate, "-verify_return_error", "-brief"]
    told = line.net.run("phone", client, input="Q\n").stderr
    line.net.end(server)
    assert "CONNECTION ESTABLISHED" in told
    assert "Verification: OK" in told
    assert line.dropped("spoofed_port") == 0
