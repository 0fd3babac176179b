"""Several LANs, several public addresses, and what happens when nothing is left."""

from collections.abc import Iterator

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench, Echo, bench_of
from tests.live.dhcpclients import Phone, Ports, ports_of
from tests.live.gatewayfile import ONE_LINE, gateway, scope
from tests.live.sites import PROVIDER, SITE_A, until

pytestmark = [pytest.mark.live, pytest.mark.together]

SECOND = "203.0.113.3"
CONFIGURATION = gateway(
    scope("first", "lan0", "10.0.0", 11, 200),
    scope("second", "lan1", "10.1.0", 21, 22, 'router = "10.1.0.1"\ndns = ["10.1.0.1"]'),
    ONE_LINE,
    private=["10.0.0.0/24", "10.1.0.0/24"],
    public=[SITE_A.public, SECOND],
    ports=(20480, 20607),
    inside=["lan0", "lan1"],
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.add_lan("lan1", "10.1.0.1/24")
        made.net.route(OUTSIDE, f"{SECOND}/32", SITE_A.wan)
        made.configure(CONFIGURATION)

    with bench_of(tmp_path_factory.mktemp("scopes"), configure) as made:
        yield made
        made.is_sound()


class Leased:
    """A phone with what it was told."""

    def __init__(self, bench: Bench, lan: str) -> None:
        self.phone = bench.phone(lan=lan)
        self.told = self.phone.udhcpc()
        self.ports: Ports = ports_of(bytes.fromhex(self.told["opt224"]))


@pytest.fixture(scope="module")
def four(bench: Bench) -> list[Leased]:
    """Two phones in each LAN; they take all blocks of both pools."""
    return [Leased(bench, lan) for lan in ("lan0", "lan0", "lan1", "lan1")]


def test_each_lan_has_its_scope(bench: Bench, four: list[Leased]) -> None:
    """DHC-11: address, server, router and name server belong to the LAN in which the phone asked."""
    assert [(each.told["router"], each.told["serverid"], each.told.get("dns")) for each in four[1:3]] == [
        ("10.0.0.1", "10.0.0.1", None),
        ("10.1.0.1", "10.1.0.1", "10.1.0.1"),
    ]
    assert {each.told["ip"] for each in four[2:]} == {"10.1.0.21", "10.1.0.22"}
    assert [bench.row_of("leases", each.phone)["scope"] for each in four] == ["first", "first", "second", "second"]


def test_two_public_addresses_carry_the_same_ports(bench: Bench, four: list[Leased]) -> None:
    """NAP-2, NAP-7: blocks are unique by address and port; two phones talk from the same port at once, each with its address."""
    assert {(each.ports.public, each.ports.first) for each in four} == {
        (public, first) for public in (SITE_A.public, SECOND) for first in (20480, 20544)
    }
    assert {row[2] for row in bench.kernel()} == {each.told["ip"] for each in four}
    port = 20490
    pair = [each for each in four if each.ports.first <= port <= each.ports.last]
    assert {each.ports.public for each in pair} == {SITE_A.public, SECOND}
    with Echo(bench, 7000), bench.capture(OUTSIDE, "wan", "udp port 7000") as capture:
        for each in pair:
            with bench.udp(each.phone.name, port, each.told["ip"]) as phone:
                payload = f"from {each.told['ip']}".encode()
                phone.sendto(payload, (PROVIDER, 7000))
                assert phone.recv(100) == payload
            assert capture.sees(payload)[3:7] == (each.ports.public, port, PROVIDER, 7000)


def test_another_lan_sees_a_phones_private_address_and_the_outside_its_public_one(bench: Bench, four: list[Leased]) -> None:
    """NAP-10, RTE-1, RTE-4: the gateway is the router of all phones, and translates by where a packet leaves."""
    one, other = four[0], four[2]
    for each in (one, other):
        assert f"default via {each.told['router']} " in bench.net.ip(each.phone.name, "route")
    port, free = one.ports.first, 30000
    with (
        bench.udp(one.phone.name, port, one.told["ip"]) as near,
        bench.udp(other.phone.name, free, other.told["ip"]) as beside,
        bench.udp(OUTSIDE, 7001) as far,
    ):
        near.sendto(b"inside", (other.told["ip"], free))
        assert beside.recvfrom(100) == (b"inside", (one.told["ip"], port))
        beside.sendto(b"from a port of no block", (one.told["ip"], port))
        assert near.recvfrom(100) == (b"from a port of no block", (other.told["ip"], free))
        near.sendto(b"outside", (PROVIDER, 7001))
        assert far.recvfrom(100) == (b"outside", (one.ports.public, port))


def test_without_a_free_address_there_is_no_offer(bench: Bench, four: list[Leased]) -> None:
    """DHC-24: the second scope has two addresses, and both are leased."""
    late = bench.phone(lan="lan1")
    assert_silence(bench, late, "no address of scope second is left")


def test_without_a_free_block_there_is_no_offer(bench: Bench, four: list[Leased]) -> None:
    """DHC-24, NAP-13: all blocks are leased; a released one is not given to another phone while it is in quarantine."""
    late = bench.phone()
    assert_silence(bench, late, "")
    first = four[0]
    assert bench.ask("release", first.phone.mac)[0]["value"] == str(first.ports)
    assert bench.row_of("blocks", first.phone)["state"] == "quarantined"
    assert_silence(bench, late, "")
    assert first.phone.udhcpc()["opt224"] == first.told["opt224"]


def assert_silence(bench: Bench, phone: Phone, reason: str) -> None:
    before = len(bench.why(phone, "DHCP_EXHAUSTED"))
    with bench.capture(phone.name, "eth0", "udp") as capture:
        wait = phone.udhcpc_in_vain("voxpath-phone")
        assert wait() == 1
        assert [frame for frame in capture.frames() if frame.source_port == 68]
        assert not [frame for frame in capture.frames() if frame.source_port == 67]
    events = until(lambda: bench.why(phone, "DHCP_EXHAUSTED")[before:], "the exhaustion is an event")
    assert len(events) == 1
    assert events[0]["level"] == "error"
    assert reason in events[0]["text"]
    assert "DHCP_EXHAUSTED" in bench.whole_log()


def test_the_gateway_forgets_nothing_of_it(bench: Bench, four: list[Leased]) -> None:
    """DHC-7: however many asked in vain, blocks and kernel are those of the four phones."""
    held = {row["phone"] for row in bench.ask("blocks") if row["state"] == "held"}
    assert {each.phone.mac for each in four} <= held
    assert len(bench.kernel()) == 4
    assert bench.net.run(GATEWAY, ["nft", "list", "set", "ip", "voxpath", "phones"]).stdout.count("10.") == 4
