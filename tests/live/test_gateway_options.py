"""Stock clients are told what their class wants: layouts of makers, named servers, options by number, and shared addresses."""

from collections.abc import Iterator

import pytest

from tests.live.bench import Bench, bench_of
from tests.live.capture import Capture
from tests.live.dhcpclients import Phone, ports_of
from tests.live.gatewayfile import gateway
from tests.live.sites import until

pytestmark = [pytest.mark.live, pytest.mark.together]

SHARED = "198.18.0.1"
TABLES = f"""
[[realm]]
name = "street"
private = ["198.18.0.0/24"]
public = ["{SHARED}"]
[[pool]]
public = "{SHARED}"
ports = [20480, 20607]
realm = "street"
[[scope]]
name = "lan"
interface = "lan0"
subnet = "10.0.0.0/24"
server = "10.0.0.1"
range = ["10.0.0.11", "10.0.0.200"]
realm = "site"
time_servers = ["10.0.0.2"]
ntp_servers = ["10.0.0.3", "10.0.0.4"]
tftp_servers = ["10.0.0.1", "10.0.0.5"]
sip_servers = ["sip.example", "backup.example"]
[[scope.option]]
code = 2
type = "i32"
value = -3600
[[scope]]
name = "street"
interface = "lan1"
subnet = "198.18.0.0/24"
server = "198.18.0.254"
range = ["{SHARED}", "{SHARED}"]
realm = "street"
shared = true
[[class]]
name = "own"
vendor_classes = ["voxpath-phone"]
layout = "voxpath"
mgcs = ["198.51.100.10:2944"]
[[class.option]]
code = 43
sub = 132
type = "text"
value = "7"
[[class]]
name = "mitel"
vendor_classes = ["ipphone.mitel.com"]
layout = "mitel"
mgcs = ["198.51.100.10:2944", "198.51.100.11:2944"]
parameters = ["vlan=1056"]
[[class.option]]
code = 125
enterprise = 3561
sub = 1
type = "text"
value = "http://acs.example/"
[[class]]
name = "snom"
vendor_classes = ["snom"]
layout = "snom"
url = "http://prov.example"
sip_servers = ["192.0.2.12", "192.0.2.13"]
[[class.option]]
code = 132
type = "u16"
value = 1056
[[class]]
name = "aastra"
vendor_classes = ["AastraIPPhone"]
layout = "aastra"
[sip]
enabled = false
"""
CONFIGURATION = gateway(TABLES, inside=["lan0", "lan1"], dhcp="enterprise = 32473")
TEXT = "id:ipphone.mitel.com;sw_tftp=10.0.0.1;call_srv=198.51.100.10,198.51.100.11;vlan=1056"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    def configure(made: Bench) -> None:
        made.add_lan("lan1", "198.18.0.254/24")
        made.configure(CONFIGURATION)

    with bench_of(tmp_path_factory.mktemp("options"), configure) as made:
        yield made
        made.is_sound()


def asked(*options: int) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("-O", str(option)))


def text(told: dict[str, str], option: int) -> str:
    return bytes.fromhex(told[f"opt{option}"]).decode()


def replies(capture: Capture) -> list[tuple[str, ...]]:
    """Wait for OFFER and ACK; what tshark says of them."""

    def both() -> list[tuple[str, ...]]:
        rows = capture.tshark("udp.srcport == 67", "_ws.expert.message", "_ws.malformed")
        return rows if len(rows) >= 2 else []

    seen: list[tuple[str, ...]] = until(both, "OFFER and ACK were seen")
    return seen


def test_named_servers_of_the_scope_reach_udhcpc(bench: Bench) -> None:
    """DHC-13, RFC 3361, RFC 5859: 2, 4, 42, 120, 150 and 66."""
    phone = bench.phone()
    with bench.capture(phone.name, "eth0", "udp") as capture:
        told = phone.udhcpc(*asked(2, 4, 42, 120, 150, 125))
        assert replies(capture) == [("", "")] * 2
    assert told.get("timezone", told.get("opt2")) in ("4294963696", "-3600", "fffff1f0")
    assert told.get("timesrv", told.get("opt4")) in ("10.0.0.2", "0a000002")
    assert told.get("ntpsrv", told.get("opt42")) in ("10.0.0.3 10.0.0.4", "0a0000030a000004")
    names = capture.tshark("udp.srcport == 67", "dhcp.option.sip_server.name")
    # busybox knows option 120, and writes names without the dot at their end.
    assert told["sipsrv"] == "sip.example backup.example"
    assert names == [("sip.example,backup.example",)] * 2
    assert told["opt150"] == "0a0000010a000005"
    assert (told["tftp"], told["siaddr"]) == ("10.0.0.1", "10.0.0.1")
    own = f"0108{told['opt224']}0206c633640a0b800304{told['opt226']}"
    assert told["opt43"] == own + "840137"
    assert told["opt125"] == f"00007ed9{len(own) // 2:02x}{own}"


def test_a_mitel_phone_is_told_by_its_text(bench: Bench) -> None:
    """DHC-8, DHC-10: two enterprises and ours share option 125."""
    phone = bench.phone()
    with bench.capture(phone.name, "eth0", "udp") as capture:
        told = phone.udhcpc(*asked(125), vendor="ipphone.mitel.com")
        replies(capture)
    assert text(told, 43) == TEXT
    assert bytes.fromhex(told["opt125"]).endswith(
        bytes.fromhex("00000403")
        + bytes((len(TEXT),))
        + TEXT.encode()
        + bytes.fromhex("00000de915")
        + b"\x01\x13http://acs.example/"
    )


def test_a_snom_phone_is_told_inside_of_43_and_its_class_replaces_the_scope(bench: Bench) -> None:
    """DHC-25."""
    phone = bench.phone()
    with bench.capture(phone.name, "eth0", "udp") as capture:
        told = phone.udhcpc(*asked(120, 132), vendor="snom")
        replies(capture)
    assert bytes.fromhex(told["opt43"]) == b"\x42\x14http://prov.example\0"
    assert told["siaddr"] == "10.0.0.1"
    assert told.get("vlanid", told.get("opt132")) in ("1056", "0420")
    # busybox takes no URL from option 66, and says "bad" instead.
    seen = capture.tshark("dhcp.option.dhcp == 5", "dhcp.option.sip_server.address", "dhcp.option.tftp_server_name")
    assert seen[0] == ("192.0.2.12,192.0.2.13", "http://prov.example")


@pytest.fixture(scope="module")
def neighbours(bench: Bench) -> list[tuple[Phone, dict[str, str]]]:
    phones = [bench.phone(lan="lan1") for _ in range(2)]
    return [(phone, phone.udhcpc(*asked(159))) for phone in phones]


def test_two_phones_share_an_address_and_no_port(bench: Bench, neighbours: list[tuple[Phone, dict[str, str]]]) -> None:
    """RFC 7618: one address, two port sets, and nothing of it in the kernel's NAPPT."""
    assert [told["ip"] for _, told in neighbours] == [SHARED, SHARED]
    assert [told["opt159"] for _, told in neighbours] == ["000a5000", "000a5040"]
    for phone, told in neighbours:
        ports = ports_of(bytes.fromhex(told["opt224"]))
        assert bench.row_of("blocks", phone)["block"] == f"{SHARED}:{ports.first}-{ports.last}"
        assert bench.row_of("leases", phone)["address"] == SHARED
    assert not {entry for entry in bench.kernel() if entry[0] == SHARED}


def test_a_phone_that_asks_again_keeps_its_ports(bench: Bench, neighbours: list[tuple[Phone, dict[str, str]]]) -> None:
    phone, told = neighbours[1]
    again = phone.udhcpc(*asked(159))
    assert (again["ip"], again["opt159"]) == (SHARED, told["opt159"])


@pytest.mark.parametrize(
    ("vendor", "options", "reason"),
    [
        ("AastraIPPhone", asked(159), "phones of class aastra take option 159 for something else"),
        ("voxpath-phone", (), "it does not ask for port parameters (option 159)"),
        ("voxpath-phone", (*asked(159), "-C"), "it sent no client identifier (option 61)"),
    ],
    ids=["takes it for a URL", "does not ask", "no client identifier"],
)
def test_a_phone_that_would_use_all_ports_gets_no_shared_address(
    bench: Bench, vendor: str, options: tuple[str, ...], reason: str
) -> None:
    """RFC 7618 sections 6 and 8: each condition by itself, and the operator is told which one it was."""
    phone = bench.phone(lan="lan1")
    assert phone.udhcpc_in_vain(vendor, 1, *options)() == 1
    dropped = [row["text"] for row in bench.why(phone, "DHCP_DROPPED")]
    assert len(dropped) == 1
    assert f"{reason}, and the addresses of its scope are shared" in dropped[0]
