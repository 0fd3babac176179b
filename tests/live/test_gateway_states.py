"""What a phone seldom meets (RFC 2131): DECLINE, a NAK on another link, REBINDING; and a relay that selects the link (RFC 3527)."""

from collections.abc import Iterator

import pytest
from scapy.layers.dhcp import BOOTP

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.capture import Capture
from tests.live.dhcpclients import dhclient_octets, ports_of
from tests.live.dhcpframes import Cable, options_of
from tests.live.gatewayfile import ONE_LINE, far_scope, gateway, scope
from tests.live.sites import until

pytestmark = pytest.mark.live

SERVER = "10.0.0.1"
CONFIGURATION = gateway(
    scope("first", "lan0", "10.0.0", 11, 200),
    scope("second", "lan1", "10.1.0", 21, 99),
    scope("upstream", "trunk0", "10.9.0", 11, 99, 'relays = ["10.9.0.2"]'),
    far_scope(),
    ONE_LINE,
    private=["10.0.0.0/8"],
    inside=["lan0", "lan1", "trunk0"],
)
HASTY = "supersede dhcp-renewal-time 1;\nsupersede dhcp-rebinding-time 3;\ninitial-interval 1;\nbackoff-cutoff 2;"
"""T1, T2 and repetitions of the client that rebinds, instead of half and seven eighths of its lease."""
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.add_lan("lan1", "10.1.0.1/24")
        made.add_relay()
        made.configure(CONFIGURATION)

    with bench_of(tmp_path_factory.mktemp("states"), configure) as made:
        yield made
        made.is_sound()


def kinds(capture: Capture) -> list[str]:
    """The types of the messages seen so far."""
    return [row[0] for row in capture.tshark("dhcp", "dhcp.option.dhcp")]


def test_a_declined_address_is_on_probation_and_the_phone_is_offered_another(bench: Bench, cable: Cable) -> None:
    """RFC 2131 section 4.3.3: DECLINE has no answer; nobody gets the address, not even who wants it, and the operator knows why."""
    address = cable.ask(None, "discover")[BOOTP].yiaddr
    assert options_of(cable.ask(None, "request", ("requested_addr", address), ("server_id", SERVER)))["message-type"] == 5
    assert {entry[2] for entry in bench.kernel()} >= {address}
    with bench.capture(cable.phone.name, "eth0", "udp port 67") as capture:
        cable.tell(None, "decline", ("requested_addr", address), ("server_id", SERVER))
        (told,) = until(lambda: bench.why(cable.phone, "DHCP_DECLINED"), "the DECLINE is told")
        until(lambda: bench.row_of("leases", cable.phone) == {}, "it counts")
        again = cable.ask(None, "discover")
        until(lambda: kinds(capture) == ["4", "1", "2"], f"nothing but the DISCOVER is answered: {kinds(capture)}")
    assert f"{address} is used by another machine, the phone says; it is not given out for 3600 s" in told["text"]
    assert f"declined by {cable.phone.mac}" in bench.items()[f"probation of {address}"]
    assert again[BOOTP].yiaddr not in {address, "0.0.0.0"}
    assert address not in {entry[2] for entry in bench.kernel()}
    other = bench.phone()
    assert other.udhcpc("-r", address)["ip"] != address
    bench.ask("release", address)
    assert f"probation of {address}" not in bench.items(), "by the operator's word"
    assert bench.why(cable.phone, "DHCP_PROBATION_ENDED")
    assert bench.phone().udhcpc("-r", address)["ip"] == address


def test_a_phone_on_another_link_hears_a_nak_and_gets_a_lease_there(bench: Bench) -> None:
    """RFC 2131 sections 3.2 and 4.3.2: INIT-REBOOT with an address of the former link; the block goes with the phone."""
    phone = bench.phone()
    before = phone.dhclient()
    assert before["new_ip_address"].startswith("10.0.0.")
    bench.net.plug(GATEWAY, "lan1", phone.name)
    with bench.capture(phone.name, "eth0", "udp port 67") as capture:
        after = phone.dhclient()
        until(lambda: kinds(capture)[-4:] == ["1", "2", "3", "5"], f"a whole exchange: {kinds(capture)}")
        refusals = capture.tshark("dhcp.option.dhcp == 6", "ip.dst", "dhcp.ip.your", "dhcp.option.dhcp_server_id")
        asked = capture.tshark("dhcp.option.dhcp == 3", "dhcp.option.requested_ip_address", "dhcp.option.dhcp_server_id")
        assert capture.complaints("dhcp") == []
    assert set(refusals) == {("255.255.255.255", "0.0.0.0", "10.1.0.1")}
    assert asked[0] == (before["new_ip_address"], "")
    assert bench.why(phone, "DHCP_NAK")
    assert (after["reason"], after["new_ip_address"][:7], after["new_routers"]) == ("BOUND", "10.1.0.", "10.1.0.1")
    assert after["new_voxpath_ports"] == before["new_voxpath_ports"]
    bench.has_block(phone, ports_of(dhclient_octets(after["new_voxpath_ports"])), after["new_ip_address"])
    assert before["new_ip_address"] not in {entry[2] for entry in bench.kernel()}


def test_a_phone_whose_renewals_are_lost_rebinds_by_broadcast_and_keeps_address_and_block(bench: Bench) -> None:
    """RFC 2131 sections 4.3.2 and 4.4.5: REBINDING, a broadcast REQUEST with ciaddr and without options 50 and 54."""
    phone = bench.phone()
    block = (
        "add table ip fire; add chain ip fire out { type filter hook output priority 0; };"
        f" add rule ip fire out ip daddr {SERVER} udp dport 67 counter drop"
    )
    phone.net.run(phone.name, ["nft", block])
    with bench.capture(phone.name, "eth0", "udp port 67") as capture:
        process = phone.dhclient_starts(vendor="voxpath-phone", more=HASTY)
        before = phone.hears("BOUND")
        # dhclient calls it so as long as the lease lasts, whomever it asked.
        after = until(lambda: [each for each in phone.told if each["reason"] == "RENEW"], "its lease is prolonged", PATIENCE_S)[0]
        bench.net.end(process)
        fields = ("ip.dst", "dhcp.ip.client", "dhcp.option.requested_ip_address", "dhcp.option.dhcp_server_id")
        asked = until(lambda: capture.tshark("dhcp.option.dhcp == 3 && dhcp.ip.client != 0.0.0.0", *fields), "the REQUEST is seen")
        assert capture.complaints("dhcp") == []
    assert set(asked) == {("255.255.255.255", before["new_ip_address"], "", "")}
    assert "packets 0 " not in phone.net.run(phone.name, ["nft", "list", "ruleset"]).stdout, "it tried by unicast before"
    lasting = [key for key in before if key.startswith("new_") and key not in {"new_expiry", "new_dhcp_message_type"}]
    assert [after[key] for key in lasting] == [before[key] for key in lasting]
    bench.has_block(phone, ports_of(dhclient_octets(after["new_voxpath_ports"])), after["new_ip_address"])


def test_a_relay_selects_the_link_apart_from_its_own_address(bench: Bench) -> None:
    """RFC 3527: giaddr is the relay's side towards the server, and has a scope of its own; sub-option 5 tells the phones' link."""
    phone = bench.far_phone()
    with bench.capture(GATEWAY, "trunk0", "udp port 67") as capture, bench.relays("-U"):
        told = phone.udhcpc("-t", "6")
        fields = ("dhcp.ip.relay", "dhcp.option.agent_information_option.link_selection")
        asked = until(lambda: capture.tshark("dhcp.type == 1", *fields), "requests")
        answers = until(lambda: capture.tshark("dhcp.type == 2", *fields), "answers")
        assert capture.complaints("dhcp") == []
    assert set(asked) == set(answers) == {("10.9.0.2", "10.2.0.1")}
    assert (told["ip"][:7], told["router"], bench.row_of("leases", phone)["scope"]) == ("10.2.0.", "10.2.0.1", "far")
    bench.has_block(phone, ports_of(bytes.fromhex(told["opt224"])), told["ip"])
