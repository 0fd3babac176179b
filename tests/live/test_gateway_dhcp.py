"""Stock DHCP clients get leases, port blocks, controllers and files from the gateway."""

import signal
from collections.abc import Iterator

import pytest

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.capture import Capture, Frame
from tests.live.dhcpclients import Phone, dhclient_octets, ports_of
from tests.live.sites import SITE_A, until

pytestmark = pytest.mark.live

MGC1, MGC2 = bytes.fromhex("c633640a0b80"), bytes.fromhex("c633640b0b80")
RESERVED = "02:00:00:00:0d:01"
MAC_OF_LAN = ["cat", "/sys/class/net/lan0/address"]
RESERVATION = f'[[reservation]]\nmac = "{RESERVED}"\naddress = "10.0.0.5"'


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.write_gateway(SITE_A, RESERVATION)

    with bench_of(tmp_path_factory.mktemp("dhcp"), configure) as made:
        yield made
        made.is_sound()


def replies(capture: Capture) -> list[Frame]:
    return [frame for frame in capture.frames() if frame.source_port == 67]


def test_udhcpc_is_told_everything(bench: Bench) -> None:
    """DHC-1, DHC-5, DHC-7 to DHC-12, TFT-8: a phone of our own class, seen by the client and on the wire."""
    phone = bench.phone()
    with bench.capture(phone.name, "eth0") as capture:
        told = phone.udhcpc()
        until(lambda: len(replies(capture)) == 2, "OFFER and ACK were seen")
    ports = ports_of(bytes.fromhex(told["opt224"]))
    assert (ports.public, ports.size, ports.first % 64) == (SITE_A.public, 64, 0)
    assert told["ip"].startswith("10.0.0.")
    assert {key: told[key] for key in ("mask", "router", "dns", "domain", "lease", "serverid", "siaddr", "tftp")} == {
        "mask": "24", "router": "10.0.0.1", "dns": "10.0.0.1", "domain": "phones.example", "lease": "3600",
        "serverid": "10.0.0.1", "siaddr": "10.0.0.1", "tftp": "10.0.0.1",
    }  # fmt: skip
    assert told["hostname"] == f"phone-{phone.mac.replace(':', '')}"
    assert told["boot_file"] == told["bootfile"] == "phone-1.0.bin"
    # 300 000 octets of image, counted in 512.
    assert (told["bootsize"], told["rootpath"]) == ("586", "/phones")
    assert (int(told["opt58"], 16), int(told["opt59"], 16)) == (1800, 3150)
    assert bytes.fromhex(told["opt225"]) == MGC1 + MGC2
    assert bytes.fromhex(told["opt226"]) == bytes((203, 0, 113, 1))
    assert told["opt43"] == f"0108{told['opt224']}020c{told['opt225']}0304{told['opt226']}"
    bench.has_block(phone, ports_of(bytes.fromhex(told["opt224"])), told["ip"])
    assert bench.row_of("leases", phone)["phone_class"] == "one-line"
    seen = capture.tshark("udp.srcport == 67", "dhcp.option.dhcp", "dhcp.option.type", "dhcp.ip.your", "_ws.expert.message")
    assert [row[0] for row in seen] == ["2", "5"]
    for row in seen:
        codes = {int(code) for code in row[1].split(",")}
        assert {1, 3, 6, 12, 13, 15, 17, 43, 51, 54, 58, 59, 66, 67, 224, 225, 226} <= codes
        assert row[2:] == (told["ip"], "")


def test_another_class_gets_other_ports_controllers_and_software(bench: Bench) -> None:
    """GEN-4, DHC-10, DHC-25, TFT-8: twice the ports, the controllers the other way round, another image, and no option 43."""
    phone = bench.phone()
    told = phone.udhcpc(vendor="voxpath-many")
    assert ports_of(bytes.fromhex(told["opt224"])).size == 128
    assert bytes.fromhex(told["opt225"]) == MGC2 + MGC1
    assert told["boot_file"] == told["bootfile"] == "many-2.0.bin"
    assert "opt43" not in told
    bench.has_block(phone, ports_of(bytes.fromhex(told["opt224"])), told["ip"])


def test_dhclient_is_told_everything(bench: Bench) -> None:
    """DHC-1, DHC-8 to DHC-12, and an init-reboot with the stored lease, which keeps address and block (DHC-7, DHC-23)."""
    phone = bench.phone()
    told = phone.dhclient()
    assert told["reason"] == "BOUND"
    assert (told["new_boot_size"], told["new_root_path"]) == ("586", "/phones")
    octets = dhclient_octets(told["new_voxpath_ports"])
    assert ports_of(octets).size == 64
    assert dhclient_octets(told["new_voxpath_mgcs"]) == MGC1 + MGC2
    assert told["new_voxpath_nat"] == SITE_A.public
    assert dhclient_octets(told["new_vendor_encapsulated_options"])[2:10] == octets
    assert (told["new_subnet_mask"], told["new_routers"]) == ("255.255.255.0", "10.0.0.1")
    assert (told["new_domain_name"], told["new_domain_name_servers"]) == ("phones.example", "10.0.0.1")
    assert (told["new_dhcp_lease_time"], told["new_dhcp_server_identifier"]) == ("3600", "10.0.0.1")
    assert (told["new_dhcp_renewal_time"], told["new_dhcp_rebinding_time"]) == ("1800", "3150")
    assert told["new_host_name"] == f"phone-{phone.mac.replace(':', '')}"
    assert (told["new_tftp_server_name"], told["new_bootfile_name"]) == ("10.0.0.1", "phone-1.0.bin")
    assert (told["new_filename"], told["new_next_server"]) == ("phone-1.0.bin", "10.0.0.1")
    bench.has_block(phone, ports_of(octets), told["new_ip_address"])
    again = phone.dhclient()
    assert again["reason"] == "REBOOT"
    lasting = [key for key in told if key.startswith("new_") and key not in {"new_expiry", "new_dhcp_message_type"}]
    assert [again[key] for key in lasting] == [told[key] for key in lasting]


def test_a_client_without_address_hears_unicast_unless_it_asks_for_broadcast(bench: Bench) -> None:
    """DHC-5 (RFC 2131 section 4.1): the reply goes to the Ethernet address, since nobody answers ARP for the new one yet."""
    phone = bench.phone()
    with bench.capture(phone.name, "eth0", "udp port 68") as capture:
        address = phone.udhcpc()["ip"]
        unicast = until(lambda: replies(capture)[1:2] and replies(capture), "OFFER and ACK were seen")
        assert [(frame.link_to, frame.destination) for frame in unicast] == [(phone.mac, address)] * 2
        phone.udhcpc("-B")
        broadcast = until(lambda: replies(capture)[3:4] and replies(capture)[2:], "OFFER and ACK were seen again")
        assert [(frame.link_to, frame.destination) for frame in broadcast] == [("ff:ff:ff:ff:ff:ff", "255.255.255.255")] * 2
        assert {frame.link_from for frame in replies(capture)} == {bench.net.run(GATEWAY, MAC_OF_LAN).stdout.strip()}


def test_a_renewal_changes_nothing(bench: Bench) -> None:
    """DHC-7, DHC-11: udhcpc renews to the same address, block and parameters, and the kernel holds what it held."""
    phone = bench.phone()
    process, first = phone.udhcpc_stays()
    block, kernel = bench.row_of("blocks", phone), bench.kernel()
    with bench.capture(phone.name, "eth0", "udp port 68") as capture:
        second = phone.udhcpc_renews(process)
        acks = until(lambda: replies(capture), "the ACK was seen")
    assert acks[0].destination == first["ip"]
    assert {
        key: second.get(key) for key in first if key.startswith("opt") or key in {"ip", "mask", "router", "lease", "boot_file"}
    } == {
        key: value for key, value in first.items() if key.startswith("opt") or key in {"ip", "mask", "router", "lease", "boot_file"}
    }
    assert (bench.row_of("blocks", phone), bench.kernel()) == (block, kernel)
    assert len(bench.why(phone, "DHCP_ACK")) == 2
    bench.net.end(process)


@pytest.mark.parametrize("how", ["udhcpc by signal", "udhcpc at its end", "dhclient"])
def test_a_release_takes_the_mapping_away_and_the_phone_gets_it_back_later(bench: Bench, how: str) -> None:
    """DHC-7, NAP-6, NAP-13: released ports leave the kernel and are quarantined; nobody else gets them, their phone does."""
    phone, other = bench.phone(), bench.phone()
    block = release(bench, phone, how)
    until(lambda: bench.row_of("blocks", phone).get("state") == "quarantined", f"the release counts: {bench.why(phone)}")
    assert not {entry for entry in bench.kernel() if entry[1] == ports_of(block).first}
    assert bench.why(phone, "DHCP_ENDED")
    assert other.udhcpc()["opt224"] != block.hex()
    back = phone.udhcpc()
    assert back["opt224"] == block.hex()
    bench.has_block(phone, ports_of(block), back["ip"])
    assert len({row["address"] for row in bench.ask("leases")}) == len(bench.ask("leases"))


def release(bench: Bench, phone: Phone, how: str) -> bytes:
    """Let a phone get a lease and give it up; its block."""
    if how == "dhclient":
        told = phone.dhclient()
        phone.dhclient_releases()
        return dhclient_octets(told["new_voxpath_ports"])
    process, told = phone.udhcpc_stays("-R")
    assert bench.row_of("blocks", phone)["state"] == "held"
    if how == "udhcpc by signal":
        phone.udhcpc_releases(process)
    bench.net.end(process, signal.SIGTERM)
    return bytes.fromhex(told["opt224"])


def test_a_reservation_fixes_the_address(bench: Bench) -> None:
    """DHC-15: the reserved address lies outside the range, and is given although the phone wants another one."""
    phone = bench.phone(mac=RESERVED)
    assert phone.udhcpc("-r", "10.0.0.99")["ip"] == "10.0.0.5"
    assert bench.row_of("leases", phone)["address"] == "10.0.0.5"


def test_fifty_clients_at_once_get_fifty_blocks(bench: Bench) -> None:
    """DHC-7, NAP-2: fifty udhcpc behind one cable ask at the same time; no port of the public address is anybody else's."""
    host = bench.phone()
    macs = [f"02:00:00:00:0e:{number:02x}" for number in range(50)]
    lines = [f"link add link eth0 name m{at} address {mac} up type macvlan mode bridge" for at, mac in enumerate(macs)]
    bench.net.run(host.name, ["ip", "-batch", "-"], input="\n".join(lines))
    running = [bench.net.spawn(host.name, host.udhcpc_once_argv(f"m{at}")) for at in range(len(macs))]
    assert [process.wait(20) for process in running] == [0] * len(macs)
    told = {each["interface"]: each["opt224"] for each in host.told if each["reason"] == "bound"}
    blocks = [ports_of(bytes.fromhex(octets)) for octets in told.values()]
    assert len(blocks) == len(macs)
    assert len({(ports.public, port) for ports in blocks for port in range(ports.first, ports.last + 1)}) == 50 * 64
    held = {row["phone"]: row["block"] for row in bench.ask("blocks") if row["state"] == "held"}
    assert {held[mac] for mac in macs} == set(map(str, blocks))
    assert {(ports.public, ports.first) for ports in blocks} <= {entry[:2] for entry in bench.kernel()}
