"""DHC-14: links apart: scopes that share one, and phones beyond real relays, known by their circuit."""

from collections.abc import Iterator

import pytest
from scapy.layers.dhcp import BOOTP, DHCP

from tests.live.bench import CIRCUIT, GATEWAY, RELAY, Bench, bench_of
from tests.live.dhcpclients import ports_of
from tests.live.gatewayfile import ONE_LINE, far_scope, gateway, scope
from tests.live.sites import until

pytestmark = pytest.mark.live

RESERVED = f"""
[[reservation]]
circuit_id = "{CIRCUIT}"
address = "10.2.0.7"
"""
CONFIGURATION = gateway(
    scope("first", "lan0", "10.0.0", 11, 200),
    scope("small", "lan1", "10.1.0", 21, 21, 'group = "floor"'),
    scope("spill", "lan1", "10.1.1", 21, 99, 'group = "floor"'),
    far_scope(),
    ONE_LINE,
    RESERVED,
    private=["10.0.0.0/8"],
    inside=["lan0", "lan1", "trunk0"],
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.add_lan("lan1", "10.1.0.1/24")
        made.net.address(GATEWAY, "lan1", "10.1.1.1/24")
        made.add_relay()
        made.configure(CONFIGURATION)

    with bench_of(tmp_path_factory.mktemp("relay"), configure) as made:
        yield made
        made.is_sound()


def test_an_exhausted_scope_spills_over(bench: Bench) -> None:
    # A stock that is not full yet is left alone by phones, which would get the addresses behind it.
    until(lambda: bench.items().get("free addresses of spill", "").startswith("32 verified"), "the stock is full")
    phones = [bench.phone(lan="lan1") for _ in range(3)]
    told = [phone.udhcpc() for phone in phones]
    assert [each["ip"] for each in told] == ["10.1.0.21", "10.1.1.21", "10.1.1.22"]
    assert [each["router"] for each in told] == ["10.1.0.1", "10.1.1.1", "10.1.1.1"]


def test_a_relay_with_option_82(bench: Bench) -> None:
    """isc-dhcp-relay adds the circuit: it is echoed, or the relay would not pass the answers on; the phone renews past it."""
    phone = bench.far_phone()
    with bench.capture(GATEWAY, "trunk0", "udp port 67") as capture, bench.relays():
        process, told = phone.udhcpc_stays()
        assert (told["ip"], told["router"], told["serverid"]) == ("10.2.0.7", "10.2.0.1", "10.9.0.1")
        circuit = "dhcp.option.agent_information_option.agent_circuit_id"
        answers = until(lambda: capture.tshark("dhcp.type == 2", "ip.dst", "udp.dstport", circuit), "answers")
        assert {row[:2] for row in answers} == {("10.2.0.1", "67")}
        assert {bytes.fromhex(row[2].replace(":", "")) for row in answers} == {CIRCUIT.encode()}
        phone.udhcpc_renews(process)
        assert until(lambda: capture.tshark("dhcp.type == 2 && ip.dst == 10.2.0.7", "dhcp.option.dhcp"), "renewal") == [("5",)]
        assert capture.complaints("dhcp") == []
        bench.net.end(process)
    assert bench.row_of("leases", phone)["scope"] == "far"
    bench.has_block(phone, ports_of(bytes.fromhex(told["opt224"])), "10.2.0.7")


def test_a_relay_without_option_82(bench: Bench) -> None:
    """dnsmasq as a relay."""
    phone = bench.far_phone()
    argv = ["dnsmasq", "--no-daemon", "--port=0", "--conf-file=/dev/null", "--pid-file=", "--dhcp-relay=10.2.0.1,10.9.0.1"]
    relay = bench.net.spawn(RELAY, argv)
    told = phone.udhcpc("-t", "6")
    assert (bench.row_of("leases", phone)["scope"], bench.row_of("leases", phone)["address"]) == ("far", told["ip"])
    bench.has_block(phone, ports_of(bytes.fromhex(told["opt224"])), told["ip"])
    bench.net.end(relay)


def test_a_rogue_relay_gets_nothing(bench: Bench) -> None:
    """A phone that pretends to be a relay: wrong address, or the right one from the wrong side."""
    phone = bench.phone()
    bench.net.address(phone.name, "eth0", "10.0.0.223/24")
    request = BOOTP(chaddr=bytes.fromhex(phone.mac.replace(":", "")), giaddr="10.2.0.1", options=b"c\x82Sc")
    payload = bytes(request / DHCP(options=[("message-type", "discover"), ("vendor_class_id", b"voxpath-phone"), "end"]))
    with bench.udp(phone.name, 67) as sender:
        sender.sendto(payload, ("10.0.0.1", 67))
        dropped = until(lambda: bench.why(phone, "DHCP_DROPPED"), "it is dropped")
        sender.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sender.recv(1000)
    assert "relay" in dropped[-1]["text"]


def test_a_static_phone_behind_a_relay_is_told_its_block_past_it(bench: Bench) -> None:
    """RFC 2131 section 4.3.5: the ACK goes to ciaddr; isc-dhcp-relay would send it to yiaddr, which is 0."""
    phone = bench.far_phone()
    bench.net.address(phone.name, "eth0", "10.2.0.220/24")
    bench.net.route(phone.name, "default", "10.2.0.1")
    with bench.capture(GATEWAY, "trunk0", "udp port 67") as capture, bench.relays():
        told = phone.dhcpcd("--inform", reasons=("INFORM",))
        asked = until(lambda: capture.tshark("dhcp.type == 1", "dhcp.option.dhcp", "dhcp.ip.relay"), "the INFORM is seen")
        answers = until(lambda: capture.tshark("dhcp.type == 2", "dhcp.option.dhcp", "ip.dst", "udp.dstport"), "the ACK is seen")
        assert capture.complaints("dhcp") == []
    assert set(asked) == {("8", "10.2.0.1")}
    assert set(answers) == {("5", "10.2.0.220", "68")}
    bench.has_block(phone, ports_of(bytes.fromhex(told["new_voxpath_ports"])), "10.2.0.220")
    assert bench.row_of("leases", phone)["scope"] == "far"


def test_explain_tells_the_scope_beyond_a_relay(bench: Bench) -> None:
    phone = bench.phone()
    told = bench.items("explain", phone.mac, "class=voxpath-phone", "relay=10.2.0.1")
    assert told["link"] == "scope far"
