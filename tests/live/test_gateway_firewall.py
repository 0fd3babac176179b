"""FWL-1: what of a whole gateway is reachable from outside, as nmap sees it."""

import socket
from collections.abc import Iterator

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench, bench_of
from tests.live.dhcpclients import ports_of
from tests.live.sites import PROVIDER, SITE_A, until

pytestmark = [pytest.mark.live, pytest.mark.together]

MGC, SERVICE, SSH, IKE, CLOSED = 2944, 5060, 22, 500, 8080
EPHEMERAL = "1025 2047"
FIREWALL = f"""
[firewall]
enabled = true
open = ["tcp/{SSH}", "udp/{IKE}", "esp"]
[[ports.service]]
name = "sip"
public = "{SITE_A.public}"
port = {SERVICE}
"""
TABLE = ("table", "inet", "voxpath_host")


@pytest.fixture(scope="module", params=["nftables", "ebpf", "tun"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.net.sysctl(GATEWAY, "net.ipv4.ip_local_port_range", EPHEMERAL)
        made.net.ip(GATEWAY, "addr", "add", f"{SITE_A.public}/32", "dev", "lo")
        made.write_gateway(SITE_A, FIREWALL)
        file = made.directory / f"{GATEWAY}.toml"
        text = file.read_text().replace('backend = "nftables"', f'backend = "{request.param}"')
        file.write_text(text.replace("[mgc]\nenabled = false", f'[mgc]\nlisten = ["{SITE_A.wan}:{MGC}"]'))

    with bench_of(tmp_path_factory.mktemp("firewall"), configure, "voxpath") as made:
        assert made.items("nat")["backend"] == request.param
        yield made
        made.is_sound()


@pytest.fixture(scope="module")
def listening(bench: Bench) -> Iterator[list[socket.socket]]:
    """Programs of the host on all of its addresses."""
    opened = [bench.tcp(GATEWAY, port) for port in (SSH, CLOSED)]
    for each in opened:
        each.listen()
    opened += [bench.udp(GATEWAY, port) for port in (IKE, CLOSED)]
    yield opened
    for each in opened:
        each.close()


def test_nmap_finds_what_is_configured_and_what_roles_listen_on(bench: Bench, listening: list[socket.socket]) -> None:
    """The gateway's own address: of what listens on all addresses only what is named."""
    ports = ",".join(map(str, (SSH, MGC, SERVICE, CLOSED)))
    told = bench.net.run(OUTSIDE, ["nmap", "-n", "-Pn", "-sS", "-p", ports, SITE_A.wan, SITE_A.public]).stdout
    states = [row.split()[:2] for row in told.splitlines() if "/tcp" in row]
    own, public = states[: len(states) // 2], states[len(states) // 2 :]
    assert dict(own) == {"22/tcp": "open", "2944/tcp": "closed", "5060/tcp": "filtered", "8080/tcp": "filtered"}
    assert dict(public) == {"22/tcp": "filtered", "2944/tcp": "filtered", "5060/tcp": "closed", "8080/tcp": "filtered"}


def test_datagrams_reach_what_is_open_and_nothing_else(bench: Bench, listening: list[socket.socket]) -> None:
    ike, closed = listening[2:]
    with bench.udp(OUTSIDE, 7000) as far:
        far.sendto(b"closed", (SITE_A.wan, CLOSED))
        far.sendto(b"ike", (SITE_A.wan, IKE))
        assert ike.recvfrom(100) == (b"ike", (PROVIDER, 7000))
    closed.setblocking(False)
    with pytest.raises(BlockingIOError):
        closed.recv(100)


def test_by_ipv6_nothing_else_is_open(bench: Bench) -> None:
    own, outside = "2001:db8::1", "2001:db8::2"
    for name, interface, address in ((GATEWAY, "wan0", own), (OUTSIDE, "wan", outside)):
        bench.net.ip(name, "-6", "addr", "add", f"{address}/64", "dev", interface, "nodad")
    with bench.net.entered(GATEWAY):
        servers = [socket.create_server((own, port), family=socket.AF_INET6) for port in (SSH, CLOSED)]
    try:
        with bench.net.entered(OUTSIDE):
            socket.create_connection((own, SSH), timeout=3).close()
            with pytest.raises(TimeoutError):
                socket.create_connection((own, CLOSED), timeout=0.5)
    finally:
        for each in servers:
            each.close()
        for name, interface in ((GATEWAY, "wan0"), (OUTSIDE, "wan")):
            bench.net.ip(name, "-6", "addr", "flush", "dev", interface, "scope", "global")


def test_what_the_gateway_asks_is_answered(bench: Bench) -> None:
    """From a port that the kernel chooses, by UDP and by TCP."""
    with bench.udp(OUTSIDE, 7001) as far, bench.udp(GATEWAY, 0) as own:
        own.sendto(b"who is there", (PROVIDER, 7001))
        data, source = far.recvfrom(100)
        far.sendto(data, source)
        assert own.recv(100) == b"who is there"
    with bench.tcp(OUTSIDE, 7002) as far, bench.tcp(GATEWAY, 0) as own:
        far.listen()
        own.connect((PROVIDER, 7002))
        accepted, _ = far.accept()
        with accepted:
            accepted.sendall(b"answer")
            assert own.recv(100) == b"answer"


def test_phones_are_served_inside_and_reached_from_outside(bench: Bench, listening: list[socket.socket]) -> None:
    phone = bench.phone()
    told = phone.udhcpc()
    first = ports_of(bytes.fromhex(told["opt224"])).first
    with bench.udp(phone.name, first, told["ip"]) as near, bench.udp(OUTSIDE, 7003) as far:
        far.sendto(b"unasked", (SITE_A.public, first))
        assert near.recvfrom(100) == (b"unasked", (PROVIDER, 7003))
        near.sendto(b"inside all is open", ("10.0.0.1", CLOSED))
        assert listening[3].recv(100) == b"inside all is open"


def test_it_is_closed_again_when_somebody_opens_it(bench: Bench) -> None:
    bench.net.run(GATEWAY, ["nft", "delete", *TABLE])
    until(lambda: bench.events("FIREWALL_LOST"), "the operator is told")
    assert "goto from_outside" in bench.net.run(GATEWAY, ["nft", "list", *TABLE]).stdout
