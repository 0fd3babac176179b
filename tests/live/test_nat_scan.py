"""Fifty phones behind one public address, as somebody outside sees them who tries everything."""

import select
import socket
from ipaddress import IPv4Address

import pytest

from tests.bench.nat.delay import ends
from tests.bench.nat.site import OUT, PATHS, PHONES, WAN, site
from tests.bench.nat.traffic import OUTWARD, PEER, PEER_PORT, mapping
from tests.live.namespaces import Namespaces
from voxpath.model.ports import Mapping
from voxpath.testing.nat.packets import udp
from voxpath.testing.nat.rig import result_of

pytestmark = [pytest.mark.live, pytest.mark.together]

BACK_ENDS = ("nftables", "ebpf", "tun")
ROWS: tuple[Mapping, ...] = tuple(map(mapping, range(50)))
SO_RCVBUFFORCE = 33
ROOM = 64 << 20
ETH_IP = 0x0800
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
SCAN = ["nmap", "-n", "-Pn", "-sS", "-sU", "-p-", "--max-retries", "0", "--min-rate", "5000", "--max-rate", "7000"]


def listening(net: Namespaces, name: str) -> socket.socket:
    """Hears all IP packets that arrive at a host, until somebody has time for them."""
    with net.entered(name):
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_IP))
    heard.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    heard.bind(("eth0", ETH_IP))
    return heard


def arrived(heard: socket.socket, patience_s: float) -> set[tuple[int, str, int, str, int]]:
    """Protocol, source and destination of what has arrived."""
    found = set()
    while select.select([heard], [], [], patience_s)[0]:
        packet = heard.recv(65536)[14:]
        header = (packet[0] & 15) * 4
        source, destination = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
        ports = (int.from_bytes(packet[header + at : header + at + 2], "big") for at in (0, 2))
        found.add((packet[9], source, next(ports), destination, next(ports)))
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BACK_ENDS)
def test_a_scan_of_all_ports_reaches_those_of_phones_and_no_others(name: str) -> None:
    """NAP-6: nmap tries each port of the public address, by UDP and by TCP."""
    with site() as net, PATHS[name](net) as nat:
        assert nat is not None
        result_of(nat.replace_all(1, ROWS))
        net.address(OUT, "eth0", f"{PEER}/24")
        net.route(OUT, "203.0.113.0/24", WAN)
        with listening(net, PHONES) as heard:
            net.run(OUT, [*SCAN, str(ROWS[0].block.public)], timeout=240)
            reached = {(protocol, phone, port) for protocol, _, _, phone, port in arrived(heard, 0.5) if protocol in (TCP, UDP)}
    expected = {
        (protocol, str(row.private), port)
        for row in ROWS
        for port in range(row.block.first, row.block.last + 1)
        for protocol in (TCP, UDP)
    }
    assert reached == expected


@pytest.mark.parametrize("name", BACK_ENDS)
def test_all_phones_are_seen_by_ports_of_their_own(name: str) -> None:
    """NAP-1: no two of them share a port outside, and the port is the one that the phone sent from."""
    with site() as net, PATHS[name](net) as nat, ends(net, OUTWARD) as both, listening(net, OUT) as heard:
        assert nat is not None
        result_of(nat.replace_all(1, ROWS))
        expected = set()
        for row in ROWS:
            for port in (row.block.first, row.block.last):
                both.sender.send(both.header + udp(str(row.private), port, PEER, PEER_PORT))
                expected.add((UDP, str(row.block.public), port, PEER, PEER_PORT))
        assert len(expected) == 2 * len(ROWS)
        assert arrived(heard, 0.5) == expected
