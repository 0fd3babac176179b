"""Who is served and with what: clients known by 60, 61, 55 or MAC; INFORM; BOOTP; dry runs and adoption; a storm."""

import socket
from collections.abc import Iterator

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.live.bench import Bench, bench_of
from tests.live.dhcpclients import Phone, Ports, ports_of
from tests.live.gatewayfile import gateway, scope
from tests.live.sites import SITE_A, until
from voxpath.dhcp.wire import decode

pytestmark = [pytest.mark.live, pytest.mark.together]

BOOTP_MAC = "02:00:00:00:0d:01"
MGCS = "c633640a0b80c633640b0b80"
"""The controllers of class desk, as octets."""
CLIENT = "desk-7"
UNKNOWN = "06:00:00:00:00:07"
TESTED = "02:00:00:00:0a:fe"
STORM, STORMING, ROUNDS = 20_000, 16, 5
"""DISCOVERs at once, of how many phones, and how often at the most."""
TABLES = f"""
[[class]]
name = "desk"
vendor_classes = ["voxpath-*"]
client_ids = ["known-by-61"]
fingerprints = [[1, 3, 66, 67, 43, 224]]
ports = 64
mgcs = ["198.51.100.10:2944", "198.51.100.11:2944"]
[[class]]
like = "yealink"
lines = 2
[[class]]
name = "eternal"
vendor_classes = ["eternal"]
lease_s = 4294967295
ports = 8
[[class]]
name = "fixed"
ports = 16
[[reservation]]
mac = "{BOOTP_MAC}"
address = "10.0.0.5"
class = "fixed"
[[reservation]]
client_id = "{CLIENT}"
address = "10.0.0.6"
class = "fixed"
"""
CONFIGURATION = gateway(scope("first", "lan0", "10.0.0", 11, 200), TABLES, ports=(20480, 30719))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.configure(CONFIGURATION)

    with bench_of(tmp_path_factory.mktemp("who"), configure) as made:
        yield made
        made.is_sound()


def class_of(bench: Bench, phone: Phone) -> str:
    return str(bench.row_of("leases", phone)["phone_class"])


# What selects a class (DHC-17, DHC-22, GEN-4).


def test_a_pattern_of_the_vendor_class_selects(bench: Bench) -> None:
    phone = bench.phone()
    assert ports_of(bytes.fromhex(phone.udhcpc(vendor="voxpath-of-tomorrow")["opt224"])).size == 64
    assert class_of(bench, phone) == "desk"


def test_a_shipped_class_is_served_as_the_operator_changed_it(bench: Bench) -> None:
    """GEN-4: two lines make a block of eight ports."""
    phone = bench.phone()
    assert ports_of(bytes.fromhex(phone.udhcpc(vendor="yealink SIP-T46G")["opt224"])).size == 8
    assert class_of(bench, phone) == "yealink"


@pytest.mark.parametrize("vendor", ["", "a-laptop"])
def test_a_client_identifier_selects_when_no_vendor_class_does(bench: Bench, vendor: str) -> None:
    """DHC-22: 61 without 60, and beside one that selects nothing; it is echoed, or dhclient would not take the lease."""
    phone = bench.phone()
    with bench.capture(phone.name, "eth0", "udp port 68") as capture:
        phone.dhclient(vendor=vendor, more='send dhcp-client-identifier "known-by-61";')
        answers = until(
            lambda: [each for each in capture.frames() if each.source_port == 67][1:] and capture.frames(), "both answers"
        )
    echoed = {(each.source_port, dict(decode(each.payload).options).get(61)) for each in answers}
    assert echoed == {(67, b"known-by-61"), (68, b"known-by-61")}
    assert class_of(bench, phone) == "desk"


def test_the_vendor_class_comes_before_the_client_identifier(bench: Bench) -> None:
    phone = bench.phone()
    phone.dhclient(vendor="eternal", more='send dhcp-client-identifier "known-by-61";')
    assert class_of(bench, phone) == "eternal"


def test_what_a_phone_asks_for_selects_when_it_says_nothing(bench: Bench) -> None:
    """DHC-17: a fingerprint, exactly as configured; one option more is another phone."""
    asked = "request subnet-mask, routers, tftp-server-name, bootfile-name, vendor-encapsulated-options, voxpath-ports;"
    phone = bench.phone()
    phone.dhclient(vendor="", more=asked)
    assert class_of(bench, phone) == "desk"
    other = bench.phone()
    process = other.dhclient_starts(vendor="", more=asked.replace("voxpath-ports", "voxpath-ports, host-name"))
    until(lambda: bench.why(other, "DHCP_IGNORED_CLASS"), "one option more is another phone")
    bench.net.end(process)
    assert bench.row_of("leases", other) == {}


def test_a_client_identifier_has_a_reserved_address_and_class(bench: Bench) -> None:
    phone = bench.phone()
    told = phone.dhclient(vendor="", more=f'send dhcp-client-identifier "{CLIENT}";')
    assert told["new_ip_address"] == "10.0.0.6"
    assert class_of(bench, phone) == "fixed"


def test_a_laptop_is_ignored(bench: Bench) -> None:
    """DHC-17: its address is among those that are served, and nothing that it says selects a class."""
    laptop = bench.phone()
    assert laptop.udhcpc_in_vain("MSFT 5.0")() == 1
    assert "selects no phone class" in bench.why(laptop)[-1]["text"]


# Times, and dhcpcd.


def test_a_lease_may_be_for_ever(bench: Bench) -> None:
    """DHC-18: 0xffffffff per class."""
    phone = bench.phone()
    assert phone.udhcpc(vendor="eternal")["lease"] == "4294967295"
    row = bench.row_of("leases", phone)
    assert (row["state"], row["expires"]) == ("held", "")


def test_dhcpcd_is_served(bench: Bench) -> None:
    phone = bench.phone()
    told = phone.dhcpcd()
    assert (told["new_subnet_mask"], told["new_routers"]) == ("255.255.255.0", "10.0.0.1")
    assert (told["new_voxpath_mgcs"], told["new_voxpath_nat"]) == (MGCS, SITE_A.public)
    assert told["new_ip_address"] == bench.row_of("leases", phone)["address"]
    bench.has_block(phone, ports_of(bytes.fromhex(told["new_voxpath_ports"])), told["new_ip_address"])


def test_a_wanted_address_is_given_if_it_is_free(bench: Bench) -> None:
    """DHC-13: option 50 for a free address, and for one that is taken."""
    first, second = bench.phone(), bench.phone()
    assert first.udhcpc("-r", "10.0.0.150")["ip"] == "10.0.0.150"
    assert second.udhcpc("-r", "10.0.0.150")["ip"] != "10.0.0.150"


# Static phones (PHN-18) and nmap.


def test_a_static_phone_is_told_its_block_by_inform_and_keeps_it(bench: Bench) -> None:
    """PHN-18: no DISCOVER; block, controllers, NAT and TFTP address; and the block is in the kernel."""
    phone = bench.phone()
    bench.net.address(phone.name, "eth0", "10.0.0.220/24")
    with bench.capture(phone.name, "eth0", "udp port 67") as capture:
        told = phone.dhcpcd("--inform", reasons=("INFORM",))
        kinds = until(lambda: capture.tshark("dhcp", "dhcp.option.dhcp"), "messages are seen")
        assert capture.complaints("dhcp") == []
    assert {row[0] for row in kinds} == {"8", "5"}
    ports = ports_of(bytes.fromhex(told["new_voxpath_ports"]))
    assert told["new_voxpath_nat"] == SITE_A.public
    assert told["new_voxpath_mgcs"] == MGCS
    assert told["new_tftp_server_name"] == "10.0.0.1"
    bench.has_block(phone, ports, "10.0.0.220")
    row = bench.row_of("leases", phone)
    assert (row["address"], row["state"]) == ("10.0.0.220", "held")
    assert row["expires"], "it ages"


def test_nmap_discovers_the_server(bench: Bench) -> None:
    """`dhcp-discover`: an INFORM with a client identifier of type 0; a stranger's gets no answer."""
    phone = bench.phone()
    bench.net.address(phone.name, "eth0", "10.0.0.221/24")
    argv = ["nmap", "-n", "-Pn", "-sU", "-p", "67", "--script", "dhcp-discover", "--host-timeout", "20s"]
    known = bench.net.run(phone.name, [*argv, "--script-args", "dhcp-discover.clientid=known-by-61", "10.0.0.1"], timeout=40).stdout
    assert "DHCP Message Type: DHCPACK" in known, known
    assert "Server Identifier: 10.0.0.1" in known
    assert "Router: 10.0.0.1" in known
    assert "Subnet Mask: 255.255.255.0" in known
    # nmap asks for no option that it does not know; the block is its own all the same.
    block = bench.row_of("blocks", phone)["block"]
    bench.has_block(phone, Ports.parse(block), "10.0.0.221")
    stranger = bench.phone()
    bench.net.address(stranger.name, "eth0", "10.0.0.222/24")
    assert "DHCPACK" not in bench.net.run(stranger.name, [*argv, "10.0.0.1"], timeout=40).stdout
    assert bench.why(stranger, "DHCP_IGNORED_CLASS")


def test_nmap_gets_an_offer_when_it_says_what_a_phone_says(bench: Bench) -> None:
    """As the how-to page has it: a served address, and a client identifier that selects a class; else silence, with a reason."""
    phone = bench.phone()
    bench.net.address(phone.name, "eth0", "10.0.0.223/24")
    argv = ["nmap", "-n", "-e", "eth0", "--script", "broadcast-dhcp-discover", "--script-args"]
    said = f"broadcast-dhcp-discover.mac={TESTED},broadcast-dhcp-discover.clientid=known-by-61"
    told = bench.net.run(phone.name, [*argv, said], timeout=40).stdout
    assert "DHCP Message Type: DHCPOFFER" in told, told
    assert "Server Identifier: 10.0.0.1" in told
    assert not [row for row in bench.ask("leases") if row["phone"] == TESTED], "an offer is no lease"
    told = bench.net.run(phone.name, argv[:-1], timeout=40).stdout
    assert "DHCPOFFER" not in told
    assert "address refused" in bench.ask("why", "DEADC0DECAFE")[-1]["text"]


# BOOTP (DHC-21, DHC-26), by raw frames.


def raw(bench: Bench, phone: Phone, *frames: bytes) -> None:
    with bench.net.entered(phone.name):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sender:
        sender.bind(("eth0", 0))
        for frame in frames:
            sender.send(frame)


def frame(mac: str, xid: int, options: list[object]) -> bytes:
    chaddr = bytes.fromhex(mac.replace(":", ""))
    packet = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
    packet /= BOOTP(chaddr=chaddr, xid=xid, flags=0x8000, options=b"" if not options else b"c\x82Sc")
    return bytes(packet / (DHCP(options=options) if options else Raw(bytes(64))))


def test_a_bootp_client_is_served_by_its_reservation_alone(bench: Bench) -> None:
    """No option 53, and not even a cookie: the reserved address for ever, no lease time; all others hear nothing."""
    reserved, other = bench.phone(mac=BOOTP_MAC), bench.phone()
    with bench.capture(reserved.name, "eth0", "udp port 68") as capture:
        raw(bench, other, frame(other.mac, 1, []))
        until(lambda: bench.why(other, "DHCP_IGNORED_CLASS"), "the other one is ignored")
        raw(bench, reserved, frame(BOOTP_MAC, 2, []))
        answers = until(lambda: capture.tshark("dhcp.type == 2", "dhcp.id", "dhcp.ip.your", "dhcp.option.dhcp"), "a reply")
        assert {row for row in answers if row[0] == "0x00000002"} == {("0x00000002", "10.0.0.5", "")}
        assert capture.complaints("dhcp.type == 2") == []
    row = bench.row_of("leases", reserved)
    assert (row["address"], row["phone_class"], row["expires"]) == ("10.0.0.5", "fixed", "")
    assert "BOOTP carries no class" in bench.why(other)[-1]["text"]


# Commands.


def test_explain_tells_what_happens_then(bench: Bench) -> None:
    """Two dry runs tell the same, and the phone gets it: no probe is under way that would change what comes next."""
    phone = bench.phone()
    until(lambda: "32 verified, 0 being probed" in bench.items()["free addresses of first"], "the stock is full")
    before = {verb: bench.ask(verb) for verb in ("leases", "blocks")}
    found, again = (bench.items("explain", phone.mac, "class=voxpath-phone", "interface=lan0") for _ in range(2))
    assert again == found
    assert {verb: bench.ask(verb) for verb in ("leases", "blocks")} == before
    told = phone.udhcpc()
    assert found["answer"] == f"OFFER {told['ip']} of scope first"
    ports = ports_of(bytes.fromhex(told["opt224"]))
    assert found["ports"] == str(ports)
    heard = bench.items("explain", phone.mac)
    assert heard["sends class"] == "'voxpath-phone', as heard"
    assert (heard["answer"], heard["ports"]) == (found["answer"], found["ports"])


def test_an_unknown_phone_is_adopted_and_disowned(bench: Bench) -> None:
    phone = bench.phone(mac=UNKNOWN)
    assert phone.udhcpc_in_vain("voxpath-phone")() == 1
    assert bench.why(phone)[-1]["id"] == "DHCP_IGNORED_MAC"
    bench.ask("adopt", phone.mac)
    assert [row["phone"] for row in bench.ask("adopted")] == [phone.mac]
    assert phone.udhcpc()["ip"].startswith("10.0.0.")
    bench.ask("disown", phone.mac)
    assert bench.ask("adopted") == []
    assert phone.udhcpc_in_vain("voxpath-phone")() == 1


# A storm.


def test_a_storm_drops_discovers_and_no_request(bench: Bench) -> None:
    """More DISCOVERs at once than are served in seconds: the oldest go, and a phone that renews meanwhile has its ACK.

    They are of a few phones that ask again and again: each is answered, which takes much longer than it takes to send one.
    """
    phone, crowd = bench.phone(), bench.phone()
    process, _ = phone.udhcpc_stays()
    options: list[object] = [("message-type", "discover"), ("vendor_class_id", b"voxpath-phone"), "end"]
    blank = bytearray(frame(crowd.mac, 7, options))
    frames = []
    for number in range(STORM):
        blank[14 + 20 + 8 + 4 : 14 + 20 + 8 + 8] = number.to_bytes(4, "big")
        blank[14 + 20 + 8 + 28 : 14 + 20 + 8 + 34] = b"\x02\0\0\0\x0e" + bytes((number % STORMING,))
        blank[14 + 20 + 6 : 14 + 20 + 8] = b"\0\0"
        frames.append(bytes(blank))
    for _ in range(ROUNDS):
        raw(bench, crowd, *frames)
        phone.udhcpc_renews(process)
        if "oldest DISCOVERs were dropped" in bench.role("dhcp")["detail"]:
            break
    else:
        raise AssertionError(f"{ROUNDS} times {STORM} DISCOVERs, and none was dropped: {bench.role('dhcp')['detail']}")
    assert bench.role("dhcp")["state"] == "running"
    bench.net.end(process)
