"""Traffic through the gateway's NAPPT, between phones that hold leases and a host outside."""

import os
import socket
from collections.abc import Iterator

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench, bench_of
from tests.live.capture import TCP, UDP
from tests.live.dhcpclients import Phone, ports_of
from tests.live.sites import PROVIDER, SITE_A, until

pytestmark = pytest.mark.live

SIP = (
    b"INVITE sip:b@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.11:2304\r\nContact: <sip:a@10.0.0.11:2304>\r\n\r\n"
    b"v=0\r\nc=IN IP4 10.0.0.11\r\nm=audio 2306 RTP/AVP 0\r\n"
)
MEGACO = b"!/1 [10.0.0.11]:2304 T=1{C=-{SC=ROOT{SV{MT=RS,AD=2304}}}}"
RTP = bytes.fromhex("80000001000000a0deadbeef") + bytes(range(160))


class Leased:
    """A phone with its address and its block."""

    def __init__(self, bench: Bench) -> None:
        self.phone: Phone = bench.phone()
        told = self.phone.udhcpc()
        self.name, self.mac, self.address = self.phone.name, self.phone.mac, told["ip"]
        self.ports = ports_of(bytes.fromhex(told["opt224"]))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_of(tmp_path_factory.mktemp("nat")) as made:
        yield made
        made.is_sound()


@pytest.fixture(scope="module")
def one(bench: Bench) -> Leased:
    return Leased(bench)


@pytest.fixture(scope="module")
def other(bench: Bench) -> Leased:
    return Leased(bench)


@pytest.mark.parametrize("payload", [b"", SIP, MEGACO, RTP, os.urandom(1472)], ids=["empty", "SIP", "MEGACO", "RTP", "noise"])
def test_udp_keeps_its_port_and_its_payload_in_both_directions(bench: Bench, one: Leased, payload: bytes) -> None:
    """NAP-1, NAP-3, NAP-11, GEN-11: outside it is public address and the same port; not one octet of the payload changes."""
    port = one.ports.first + 4
    with bench.udp(OUTSIDE, 7000) as far, bench.udp(one.name, port, one.address) as near:
        near.sendto(payload, (PROVIDER, 7000))
        assert far.recvfrom(2048) == (payload, (SITE_A.public, port))
        far.sendto(payload[::-1], (SITE_A.public, port))
        assert near.recvfrom(2048) == (payload[::-1], (PROVIDER, 7000))


def test_every_port_of_the_block_is_the_phones(bench: Bench, one: Leased) -> None:
    """NAP-1, NAP-2: all 64 ports leave unchanged."""
    with bench.udp(OUTSIDE, 7000) as far:
        for port in range(one.ports.first, one.ports.last + 1):
            with bench.udp(one.name, port, one.address) as near:
                near.sendto(b"%d" % port, (PROVIDER, 7000))
                assert far.recvfrom(100) == (b"%d" % port, (SITE_A.public, port))


def test_unsolicited_packets_reach_the_right_phone(bench: Bench, one: Leased, other: Leased) -> None:
    """NAP-3, NAP-4: nothing was sent from these ports before; each phone hears what is for its block."""
    with bench.udp(OUTSIDE, 7001) as far:
        for each in (one, other):
            with bench.udp(each.name, each.ports.last, each.address) as near:
                far.sendto(each.mac.encode(), (SITE_A.public, each.ports.last))
                assert near.recvfrom(100) == (each.mac.encode(), (PROVIDER, 7001))


def test_tcp_from_inside_and_from_outside(bench: Bench, one: Leased) -> None:
    """NAP-1, NAP-3, NAP-11, GEN-11: connections in both directions keep the port, and carry what was put in."""
    octets = SIP + os.urandom(200_000)
    with bench.tcp(OUTSIDE, 7002) as listening, bench.tcp(one.name, one.ports.first + 6, one.address) as near:
        listening.listen()
        near.connect((PROVIDER, 7002))
        accepted, peer = listening.accept()
        assert peer == (SITE_A.public, one.ports.first + 6)
        check_stream(near, accepted, octets)
    with bench.tcp(one.name, one.ports.first + 7, one.address) as listening, bench.tcp(OUTSIDE, 7003) as far:
        listening.listen()
        far.connect((SITE_A.public, one.ports.first + 7))
        accepted, peer = listening.accept()
        assert peer == (PROVIDER, 7003)
        check_stream(far, accepted, octets)


def check_stream(sender: socket.socket, receiver: socket.socket, octets: bytes) -> None:
    receiver.settimeout(3)
    with receiver, receiver.makefile("rb") as reader:
        for at in range(0, len(octets), 50_000):
            part = octets[at : at + 50_000]
            sender.sendall(part)
            assert reader.read(len(part)) == part


@pytest.mark.parametrize("kind", ["neighbour", "nobody"])
@pytest.mark.parametrize("protocol", [UDP, TCP], ids=["UDP", "TCP"])
def test_a_foreign_source_port_never_leaves(bench: Bench, one: Leased, other: Leased, kind: str, protocol: int) -> None:
    """NAP-5: from a port of the neighbour's block or of none nothing leaves, in no form; a counter and an event name the phone."""
    offset = 10 if protocol == UDP else 11
    port = other.ports.first + offset if kind == "neighbour" else 50_000 + offset
    before = bench.dropped("spoofed_port")
    with bench.capture(GATEWAY, "wan0", "ip") as capture:
        if protocol == UDP:
            with bench.udp(one.name, port, one.address) as near:
                near.sendto(b"spoofed", (PROVIDER, 7004))
        else:
            with bench.tcp(one.name, port, one.address) as near:
                near.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    near.connect((PROVIDER, 7004))
        with bench.udp(one.name, one.ports.first, one.address) as near:
            near.sendto(b"afterwards", (PROVIDER, 7005))
        assert capture.sees(b"afterwards")[2:7] == (UDP, SITE_A.public, one.ports.first, PROVIDER, 7005)
        assert not [frame for frame in capture.frames() if port in {frame.source_port, frame.destination_port}]
        assert not [frame for frame in capture.frames() if frame.source.startswith("10.")]
    assert bench.dropped("spoofed_port") > before
    told = until(lambda: [row for row in bench.why(one.phone, "NAT_SPOOFED_PORT") if f" {port}," in row["text"]], "the event")
    assert (told[0]["phone"], told[0]["level"]) == (one.mac, "warning")
    assert f"{one.mac} at {one.address} sent from port {port}" in told[0]["text"]


def test_a_host_without_lease_gets_nothing_out(bench: Bench, one: Leased) -> None:
    """NAP-5, NAP-6: an address that was set by hand is not translated, and does not leave untranslated either."""
    squatter = bench.phone()
    bench.net.address(squatter.name, "eth0", "10.0.0.240/24")
    bench.net.route(squatter.name, "default", "10.0.0.1")
    before = bench.dropped("unknown_phone")
    with bench.capture(GATEWAY, "wan0", "ip") as capture:
        with bench.udp(squatter.name, one.ports.first, "10.0.0.240") as near:
            near.sendto(b"squatter", (PROVIDER, 7004))
        with bench.udp(one.name, one.ports.first, one.address) as near:
            near.sendto(b"afterwards", (PROVIDER, 7005))
        capture.sees(b"afterwards")
        assert b"squatter" not in {frame.payload for frame in capture.frames()}
    assert bench.dropped("unknown_phone") == before + 1
    until(lambda: [row for row in bench.events("NAT_UNKNOWN_PHONE") if row["address"] == "10.0.0.240"], "the event")


def test_packets_to_ports_that_nobody_holds_are_dropped(bench: Bench, one: Leased, other: Leased) -> None:
    """NAP-6: a probe of every public port outside the blocks, low ones too, brings nothing into the LAN and no answer out."""
    held = {port for each in bench.kernel() for port in range(each[1], each[1] + 64)}
    probes = [port for port in range(1, 65536) if port not in held][::97]
    before = bench.dropped("unleased_port")
    with (
        bench.capture(GATEWAY, "lan0", "udp port 7006") as inside,
        bench.capture(OUTSIDE, "wan", "udp port 7006 or icmp") as outside,
    ):
        with bench.udp(OUTSIDE, 7006) as far, bench.udp(one.name, one.ports.first, one.address) as near:
            for port in probes:
                far.sendto(b"probe", (SITE_A.public, port))
            far.sendto(b"afterwards", (SITE_A.public, one.ports.first))
            assert near.recv(100) == b"afterwards"
        inside.sees(b"afterwards")
        assert len(inside.frames()) == 1
        assert {frame.source for frame in outside.frames()} == {PROVIDER}
    assert bench.dropped("unleased_port") == before + len(probes)
    until(lambda: bench.events("NAT_UNLEASED_PORT"), "the event")


def test_counters_name_the_phone(bench: Bench, one: Leased) -> None:
    """NAP-1: packets and octets are counted by phone."""
    with bench.udp(OUTSIDE, 7000) as far, bench.udp(one.name, one.ports.first, one.address) as near:
        near.sendto(RTP, (PROVIDER, 7000))
        far.recv(2048)
        before = bench.row_of("counters", one.phone)
        for _ in range(10):
            near.sendto(RTP, (PROVIDER, 7000))
            far.recv(2048)
            far.sendto(RTP, (SITE_A.public, one.ports.first))
            near.recv(2048)
        after = bench.row_of("counters", one.phone)
    assert before["private"] == one.address
    assert [after[key] - before[key] for key in ("out_packets", "in_packets")] == [10, 10]
    assert [after[key] - before[key] for key in ("out_octets", "in_octets")] == [10 * (len(RTP) + 28)] * 2


def test_the_gateway_remembers_nothing_of_a_flow(bench: Bench, one: Leased) -> None:
    """NAP-4: no connection tracking in the gateway, neither in its rules nor in its kernel, after all this traffic."""
    rules = bench.net.run(GATEWAY, ["nft", "list", "ruleset"]).stdout
    assert "notrack" in rules
    assert " ct " not in rules
    listed = bench.net.run(GATEWAY, ["sh", "-c", "cat /proc/net/nf_conntrack 2>/dev/null || true"]).stdout
    assert "10.0.0." not in listed
    assert SITE_A.public not in listed
