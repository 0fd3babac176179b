"""Semantic checks: what would not work, or would harm phones, is told before the start."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from trustme import CA

from tests.app.tlsfiles import write_tls
from voxpath.app import check_tftp, values, values_phone
from voxpath.app.check import check, load, machine_for, missed, notes, off
from voxpath.app.check_addresses import used_addresses
from voxpath.app.check_roles import capacity
from voxpath.app.decode import decode, decode_partly
from voxpath.app.machine import Machine, disk_octets, look
from voxpath.app.schema import Config
from voxpath.dhcp.policy import Applicant
from voxpath.model.address import Endpoint, Mac
from voxpath.model.call import Line
from voxpath.model.phone import BootLease, OwnAddress
from voxpath.natreactor import registry
from voxpath.ports.pools import Pool

FOREIGN = frozenset(map(IPv4Address, ("10.0.0.2", "192.0.2.9")))
MACHINE = Machine(root=True, interfaces=frozenset({"lo", "eth0", "eth1"}), addresses=frozenset(), foreign=FOREIGN)

SITE = """
[[realm]]
name = "site-a"
private = ["10.0.0.0/24"]
public = ["203.0.113.1"]
[[pool]]
public = "203.0.113.1"
ports = [20000, 29999]
realm = "site-a"
[dhcp]
macs = ["02:00:00:00:00:00-02:00:00:ff:ff:ff", "00:00:5E:00:53:01"]
[[scope]]
name = "lan"
interface = "eth1"
subnet = "10.0.0.0/24"
server = "10.0.0.1"
range = ["10.0.0.10", "10.0.0.20"]
realm = "site-a"
[[class]]
name = "desk"
vendor_classes = ["voxpath-phone"]
[nat]
inside = ["eth1"]
outside = ["eth0"]
[[number]]
number = "1001"
phone = "02-00-00-00-0A-01"
"""

SECOND_SCOPE = """
[[scope]]
name = "lan"
interface = "eth1"
subnet = "10.0.0.128/25"
server = "10.0.0.129"
range = ["10.0.0.140", "10.0.0.150"]
realm = "site-a"
"""

STATIC = '[phone]\ndhcp = false\ninterface = "eth0"\n[phone.static]\naddress = "10.0.0.11/24"\n'


def config(text: str) -> Config:
    decoded = decode(text.encode())
    assert decoded.config is not None, decoded.problems
    return decoded.config


def found(text: str, machine: Machine = MACHINE) -> dict[str, str]:
    return {problem.path: str(problem) for problem in check(config(text), machine, thorough=True)}


def test_the_site_is_right() -> None:
    assert found(SITE) == {}
    assert found("") == {}


def test_what_listens_on_a_public_address_needs_a_port_that_the_nat_leaves_to_it() -> None:
    listen = '[sip]\nlisten = ["203.0.113.1:5060"]\n'
    service = '[[ports.service]]\nname = "sip"\npublic = "203.0.113.1"\nport = 5060\n'
    problem = found(SITE + listen)["sip.listen[0]"]
    assert "nobody could reach it" in problem
    assert 'add [[ports.service]] with public = "203.0.113.1" and port = 5060' in problem
    assert found(SITE + listen + service) == {}
    assert found(SITE.replace('outside = ["eth0"]', 'backend = "memory"') + listen) == {}


def test_a_reserved_port_in_a_pool_may_be_a_service_and_be_listened_on() -> None:
    site = SITE.replace("[20000, 29999]", "[2048, 29999]")
    service = '[[ports.service]]\nname = "sip"\npublic = "203.0.113.1"\nport = 5060\n'
    assert found(site + service + '[mgc]\nmid = "<mgc>"\nlisten = ["0.0.0.0:2944"]\n') == {}
    assert "ports.service[0].port" in found(f"{site}{service}[ports]\nreserved = [2944]\n")


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ("10.0.0.20", "10.0.1.20", "scope[0].range[1]", "outside 10.0.0.0/24"),
        ("10.0.0.20", "10.0.0.255", "scope[0].range[1]", "broadcast"),
        ('"10.0.0.10", "10.0.0.20"', '"10.0.0.20", "10.0.0.10"', "scope[0].range", "comes before"),
        ('server = "10.0.0.1"', 'server = "10.0.0.15"', "scope[0].server", "in the range for phones"),
        ('interface = "eth1"', 'interface = "eth7"', "scope[0].interface", "name one of eth0, eth1, lo"),
        ('range = ["10.0.0.10"', 'router = "10.0.0.12"\nrange = ["10.0.0.10"', "scope[0].router", "range for phones"),
        ('private = ["10.0.0.0/24"]', 'private = ["10.1.0.0/24"]', "scope[0].subnet", "not in realm"),
        ("[20000, 29999]", "[29999, 20000]", "pool[0].ports", "write ports = [20000, 29999]"),
        ("[20000, 29999]", "[80, 29999]", "pool[0].ports[0]", "well-known"),
        ("[20000, 29999]", "[20001, 20063]", "class[0].ports", "block of 64 ports"),
        ('public = ["203.0.113.1"]', 'public = ["203.0.113.2"]', "pool[0].public", "not of realm"),
        ('29999]\nrealm = "site-a"', '29999]\nrealm = "site-b"', "pool[0].realm", "use one of: site-a"),
        ("[[number]]", SECOND_SCOPE + "[[number]]", "scope[1].subnet", "overlaps scope[0]"),
        ('server = "10.0.0.1"', 'server = "10.9.0.1"\nrelays = ["10.0.0.1"]', "scope[0].router", "must be given"),
        ('range = ["10.0.0.10"', 'relays = ["10.0.0.1"]\nrange = ["10.0.0.10"', "scope[0].relays[0]", "is no relay"),
        ('range = ["10.0.0.10"', 'relays = ["0.0.0.0"]\nrange = ["10.0.0.10"', "scope[0].relays[0]", "is no relay"),
        ('["voxpath-phone"]', '["a"]\nclient_ids = ["x", "78:78", "xx"]', "class[0].client_ids[2]", "already"),
        ('["voxpath-phone"]', '["a"]\nfingerprints = [[1, 3], [1, 3]]', "class[0].fingerprints[1]", "already"),
        ('vendor_classes = ["voxpath-phone"]', "", "class[0].vendor_classes", "nothing selects"),
        ('["voxpath-phone"]', '["a"]\nlike = "yaelink"', "class[0].like", "did you mean yealink?"),
        ("[[number]]", SECOND_SCOPE + "[[number]]", "scope[1].name", "scope[0] already"),
        ('["voxpath-phone"]', '["a", "a"]', "class[0].vendor_classes[1]", "already"),
        ('["voxpath-phone"]', '["a"]\nports = 48', "class[0].ports", "write ports = 64"),
        ('["voxpath-phone"]', '["a"]\nlines = 511\nextra = 400', "class[0].lines", "a block has 1024"),
        ('["voxpath-phone"]', '["a"]\nmgcs = ["0.0.0.0:2944"]', "class[0].mgcs[0]", "is no host"),
        ('["voxpath-phone"]', '["a"]\nmgcs = ["1.2.3.4:1", "1.2.3.4:1"]', "class[0].mgcs", "twice"),
        ("macs = [", "warn_at = [95, 80]\nmacs = [", "dhcp.warn_at", "does not rise; write warn_at = [80, 95]"),
        ("macs = [", "warn_at = [80, 80]\nmacs = [", "dhcp.warn_at", "write warn_at = [80]"),
        ("macs = [", "macs = []\n#", "dhcp.macs", "no phone would get an answer"),
        ('outside = ["eth0"]', 'outside = ["eth1"]', "nat.outside[0]", "inside interface, too"),
        ('outside = ["eth0"]', 'outside = ["ppp0"]', "nat.outside[0]", "no ppp0"),
        ('phone = "02-00-00-00-0A-01"', 'phone = "02:00:00:00:0a:zz"', "number[0].phone", "neither"),
        ("[nat]", '[tftp]\nlisten = ["127.0.0.1:2944"]\n[nat]', "mgc.listen[0]", "used by tftp.listen[0]"),
        ("[nat]", '[tftp]\nlisten = ["203.0.113.1:20005"]\n[nat]', "tftp.listen[0]", "belong to phones"),
        ("[nat]", "[tftp]\ndata_ports = [40001, 40000]\n[nat]", "tftp.data_ports", "write [40000, 40001]"),
        ("[nat]", "[tftp]\ndata_ports = [40000]\n[nat]", "tftp.data_ports", "the first and the last"),
        ("[nat]", "[tftp]\ndata_ports = [6000, 7000]\n[nat]", "tftp.data_ports", "holds port 6969 of tftp.listen[0]"),
        ("[nat]", "[tftp]\ndata_ports = [40000, 40001]\nsingle_port = true\n[nat]", "tftp.data_ports", "no further ports"),
        ("[nat]", '[tftp]\nuploads = "images/uploads"\n[nat]', "tftp.uploads", "could be read"),
        ("[nat]", '[tftp]\nroot = "up/images"\nuploads = "up"\n[nat]', "tftp.uploads", "could be read"),
        ("[nat]", '[tftp]\nuploads = "/dev/null/uploads"\n[nat]', "tftp.uploads", "name a directory"),
        ("[nat]", '[tftp]\nuploads = "up"\nupload_quota = 9\n[nat]', "tftp.upload_quota", "no file could be"),
        ("[nat]", '[tftp]\nuploads = "up"\nupload_total = 9\n[nat]', "tftp.upload_total", "no box could be"),
        ("[nat]", '[mgc]\nlisten = ["0.0.0.0:2944"]\n[nat]', "mgc.mid", "cannot be made"),
        ("[nat]", '[tftp]\nlisten = ["192.0.2.9:69"]\n[nat]', "tftp.listen[0]", "192.0.2.9 is not this machine's own address"),
        ("[nat]", '[mgc]\nlisten = ["127.0.0.1:2944", "192.0.2.9:2944"]\n[nat]', "mgc.listen[1]", "0.0.0.0 for all of them"),
        ("[nat]", '[subscription]\nenabled = true\nlisten = "192.0.2.9:2946"\n[nat]', "subscription.listen", "own address"),
        ('server = "10.0.0.1"', 'server = "10.0.0.2"', "scope[0].server", "add it to eth1"),
        ("[nat]", '[mgc]\ndial_plan = "(x.|"\n[nat]', "mgc.dial_plan", "a parenthesis is left open"),
        ("[nat]", '[mgc]\nmid = "a b"\n[nat]', "mgc.mid", "no message identifier"),
        ("[[realm]]", 'state = "/proc/version/x"\n[[realm]]', "state", "/proc/version is not a directory"),
        ("[[realm]]", 'state = "a\\u0000b"\n[[realm]]', "state", "is no path"),
        ("[nat]", '[tls]\nca = "a\\u0000b"\n[nat]', "tls.ca", "is no path"),
        ("[nat]", "[ports]\nblock = 48\n[nat]", "ports.block", "power of two"),
        (
            "[nat]",
            '[[ports.service]]\nname = "mgc"\npublic = "203.0.113.1"\nport = 20001\n[nat]',
            "ports.service[0].port",
            "outside all pools",
        ),
        ("[nat]", "[control]\nmode = 0o606\n[nat]", "control.mode", "everyone"),
        ("[nat]", f'[control]\nsocket = "{"x" * 120}"\n[nat]', "control.socket", "shorter"),
        ("[nat]", '[tls]\nca = "/nowhere/ca.pem"\n[nat]', "tls.ca", "No such file"),
        ("[nat]", "[subscription]\nenabled = true\n[nat]", "tls.key", "use TLS"),
        ("[nat]", '[redundancy]\nrole = "active"\naddress = "192.0.2.2:1"\n[nat]', "redundancy.peer", "is empty"),
        ("[nat]", '[redundancy]\nrole = "active"\npeer = "voxpath"\n[nat]', "redundancy.peer", "own name"),
        ("[nat]", '[redundancy]\nrole = "active"\npeer = "sg-b"\n[nat]', "tls.certificate", "use TLS"),
        ("[nat]", '[redundancy]\nrole = "standby"\naddress = "192.0.2.9:2947"\n[nat]', "redundancy.address", "own address"),
        (
            "[nat]",
            '[tftp]\nroot = "/proc/version"\n[redundancy]\nrole = "standby"\n[nat]',
            "tftp.root",
            "the standby cannot write its images",
        ),
        ("[nat]", "[phone]\ndhcp = false\n[nat]", "phone.static", "missing"),
        ("[nat]", f"{STATIC}ports = [2048, 2111]\n[nat]", "phone.static.public", "is missing beside ports"),
        ("[nat]", f'{STATIC}public = "203.0.113.1"\n[nat]', "phone.static.ports", "is missing beside public"),
        ("[nat]", f'{STATIC}public = "203.0.113.1"\nports = [2048, 2110]\n[nat]', "phone.static.ports", "is no port block"),
        ("[nat]", f"{STATIC}[nat]".replace("/24", ""), "phone.static.address", "has no prefix length"),
        ("[nat]", f"{STATIC}[nat]".replace("eth0", ""), "phone.interface", "is empty, but INFORM needs one"),
        ("[nat]", f"{STATIC}[nat]".replace("dhcp = false\n", ""), "phone.static", "DHCP is on"),
        ("[nat]", f"{STATIC}[nat]".replace("[phone]", "[phone]\ncount = 2"), "phone.count", "for one phone"),
        ("[nat]", '[phone]\nmac = "ff:ff:ff:ff:ff:ff"\ncount = 2\n[nat]', "phone.count", "run out"),
        ("[nat]", "[phone]\nshim = true\n[nat]", "phone.interface", "is empty, but a shim needs one"),
        ("[nat]", '[phone]\nshim = true\ninterface = "eth7"\n[nat]', "phone.interface", "has no eth7"),
        (
            "[nat]",
            '[mgc]\nenabled = false\n[sip]\nenabled = false\n[nat]\nmode = "call-aware"',
            "nat.mode",
            "nobody here knows of calls",
        ),
        ("[nat]", '[nat]\ntrusted = ["192.0.2.9"]', "nat.trusted", "says nothing in the open mode"),
        ("[nat]", '[nat]\nnapt = "203.0.113.1:29999-30005"', "nat.napt", "overlaps pool[0] on 203.0.113.1"),
        ("[nat]", '[nat]\nnapt = "10.0.0.9:60000-60005"', "nat.napt", "an inside address of realm[0]"),
        ("[nat]", '[nat]\nnapt = "203.0.113.300:60000-60005"', "nat.napt", "begins with no address"),
        ("[nat]", '[nat]\nnapt = "203.0.113.1:60005-60000"', "nat.napt", "do not lie within"),
        ("[nat]", '[firewall]\nopen = ["tcp/22"]\n[nat]', "firewall.open", "says nothing while nothing is closed"),
        ('outside = ["eth0"]', "[firewall]\nenabled = true", "firewall.enabled", "nat.outside names no interface"),
        ("[nat]", '[nat]\nbackend = "tun"\nfast = true', "nat.fast", "means nothing to tun"),
        ("[nat]", "[nat]\nmss = 100", "nat.mss", "less than what every path carries"),
        ("[nat]", '[phone]\nshim = true\ninterface = "eth0"\ncount = 2\n[nat]', "phone.count", "for one phone"),
        ("[nat]", '[phone]\nshim = true\ninterface = "eth0"\ndhcp = false\n[nat]', "phone.dhcp", "made from a lease"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, path: str, words: str) -> None:
    assert old in SITE
    assert words in found(SITE.replace(old, new, 1))[path]


def test_duplicate_numbers_and_lines() -> None:
    again = '[[number]]\nnumber = "1001"\nphone = "02:00:00:00:0a:01"\n'
    wrong = found(SITE + again)
    assert "1001 stands in number[0] already" in wrong["number[1].number"]
    assert "02:00:00:00:0a:01 line/1 stands" in wrong["number[1].termination"]


def test_a_role_that_is_off_may_name_any_address() -> None:
    text = '[tftp]\nenabled = false\nlisten = ["192.0.2.9:69"]\n[mgc]\nenabled = false\nlisten = ["192.0.2.9:2944"]\n'
    assert found(text + '[subscription]\nlisten = "192.0.2.9:2946"') == {}
    foreign = replace(MACHINE, foreign=frozenset(map(IPv4Address, ("10.0.0.1", "0.0.0.0"))))
    assert set(found(SITE, foreign)) == {"scope[0].server"}
    assert found(SITE.replace("[dhcp]", "[dhcp]\nenabled = false"), foreign) == {}
    assert found('[tftp]\nlisten = ["0.0.0.0:6969"]', foreign) == {}, "0.0.0.0 is all addresses"


def test_a_standby_may_have_the_file_of_its_active(tmp_path: Path) -> None:
    """What it does not run is not asked of its machine: no root, no LAN, none of the active's addresses."""
    standby = '[redundancy]\nrole = "standby"\npeer = "sg-a"\naddress = "127.0.0.1:2947"\n'
    text = f'name = "sg-b"\n{SITE}\n{write_tls(tmp_path, CA(), "sg-b")}{standby}'
    bare = replace(MACHINE, root=False, interfaces=frozenset({"lo"}), foreign=frozenset({IPv4Address("10.0.0.1")}))
    assert set(found(SITE, bare)) > {"scope[0].server", "dhcp.enabled"}
    assert found(text, bare) == {}
    assert off(config(text), bare) == ["dhcp, nat, mgc, sip, feed: off, since this is the standby of sg-a"]


def test_a_block_size_is_blamed_once() -> None:
    assert set(found(SITE.replace("[nat]", "[ports]\nblock = 3\n[nat]"))) == {"ports.block"}


def test_what_the_checks_ask_the_machine_is_looked_up() -> None:
    used = used_addresses(config(SITE + '[tftp]\nlisten = ["10.0.0.7:69"]'))
    assert used == {IPv4Address(text) for text in ("10.0.0.1", "10.0.0.7", "127.0.0.1")}
    machine = machine_for(config(SITE.replace("203.0.113.1", "127.0.0.9") + '[tftp]\nlisten = ["192.0.2.77:69", "127.0.0.8:69"]'))
    assert machine.addresses == {IPv4Address("127.0.0.9")}, "only of pools' addresses the outgoing ports are kept from phones"
    assert IPv4Address("192.0.2.77") in machine.foreign
    assert IPv4Address("127.0.0.8") not in machine.foreign


def test_a_type_error_hides_no_other_error(tmp_path: Path) -> None:
    """Checks run on all that could be read, and keep silent about what depends on a section that could not."""
    file = tmp_path / "voxpath.toml"
    number = '[[number]]\nnumber = "1001"\nphone = "02:00:00:00:0a:01"\n'
    subscriber = '[[subscriber]]\nname = "b"\naddress = "192.0.2.10:2946"\n'
    file.write_text(
        f'state = "{tmp_path}/run"\n[log]\nlevel = 5\n[ports]\nblock = "x"\n[mgcs]\n[control]\nmode = 0o777\n'
        '[[class]]\nname = "a"\nvendor_classes = ["x", "x"]\nports = 3\n' + number + number + subscriber
    )
    config, problems = load(file)
    assert config is None
    assert [problem.path for problem in problems] == [
        "mgcs",
        "ports.block",
        "log.level",
        "class[0].vendor_classes[1]",
        "class[0].ports",
        "number[1].number",
        "number[1].termination",
        "tls.ca",
        "tls.certificate",
        "tls.key",
        "control.mode",
    ]


ERRORS = {
    "realm[0].private[0]": ('private = ["10.0.0.0/24"]', 'private = ["10.0.0.1/24"]'),
    "pool[0].ports": ("[20000, 29999]", "[29999, 20000]"),
    "dhcp.macs[1]": ('"00:00:5E:00:53:01"', '"00:00:5E:00:53"'),
    "scope[0].range[1]": ("10.0.0.20", "10.0.1.20"),
    "scope[0].interface": ('interface = "eth1"', 'interface = "eth7"'),
    "class[0].vendor_classes[1]": ('["voxpath-phone"]', '["a", "a"]'),
    "nat.outside[0]": ('outside = ["eth0"]', 'outside = ["ppp0"]'),
    "nat.table": ("[nat]", '[nat]\ntable = "X"'),
    "number[0].phone": ("02-00-00-00-0A-01", "nobody at home"),
    "tftp.listen[0]": ("[nat]", '[tftp]\nlisten = ["192.0.2.9:69"]\n[nat]'),
    "mgc.listen[0]": ("[nat]", '[mgc]\nmid = "<mgc>"\nlisten = ["10.0.0.1"]\n[nat]'),
    "control.mode": ("[nat]", "[control]\nmode = 0o606\n[nat]"),
    "control.sockt": ("[control]", "[control]\nsockt = 1"),
    "scope[1].subnet": (
        "[[class]]",
        SECOND_SCOPE.replace('"lan"', '"far"').replace("10.0.0.128/25", "10.0.0.129/25") + "[[class]]",
    ),
}
"""What a site can have wrong at the same time; some of it cannot even be read."""


def test_everything_that_is_wrong_is_told_in_one_run(tmp_path: Path) -> None:
    text = f'state = "{tmp_path}"\n{SITE}'
    for old, new in ERRORS.values():
        assert old in text
        text = text.replace(old, new, 1)
    decoded, problems = decode_partly(text.encode())
    assert decoded is not None
    assert {problem.path for problem in (*problems, *check(decoded, MACHINE))} == set(ERRORS)


@pytest.mark.parametrize("path", [path for path in ERRORS if path != "control.sockt"])
def test_an_error_leads_to_no_other_one(path: str, tmp_path: Path) -> None:
    """What cannot be read is neither absent nor its default."""
    decoded, problems = decode_partly(f'state = "{tmp_path}"\n{SITE.replace(*ERRORS[path], 1)}'.encode())
    assert decoded is not None
    assert [problem.path for problem in (*problems, *check(decoded, MACHINE))] == [path]


EVERYTHING = f"""name = "sg-a"
{SITE}
{SECOND_SCOPE.replace('"lan"', '"far"').replace("10.0.0.", "10.0.1.")}
[[block]]
mac = "02:00:00:00:00:01"
public = "203.0.113.1"
ports = [20032, 20095]
[[reservation]]
mac = "02:00:00:00:00:01"
address = "10.0.0.5"
class = "desk"
[ports]
block = 64
[[ports.service]]
name = "x"
public = "203.0.113.1"
port = 1030
[tftp]
listen = ["127.0.0.1:69"]
[[tftp.alias]]
name = "x.cfg"
file = "y.cfg"
[sip]
listen = ["127.0.0.1:5060"]
[[domain]]
name = "voip.example"
[[user]]
name = "a1"
password = "7hUq-2mPz"
phone = "02:00:00:00:00:01"
[redundancy]
role = "standby"
peer = "sg-b"
[tls]
ca = "/nowhere"
[[subscriber]]
name = "mgc"
address = "192.0.2.10:2946"
[manhole]
ssh = ["127.0.0.1:2222"]
[phone]
interface = "eth0"
shim = true
"""
LINES = [number for number, line in enumerate(EVERYTHING.splitlines()) if " = " in line]


@pytest.mark.parametrize("value", ["{}", "5"])
@pytest.mark.parametrize("number", LINES)
def test_no_check_trips_over_an_option_that_could_not_be_read(number: int, value: str, tmp_path: Path) -> None:
    lines = EVERYTHING.splitlines()
    lines[number] = f"{lines[number].partition(' = ')[0]} = {value}"
    file = tmp_path / "voxpath.toml"
    file.write_text("\n".join(lines))
    assert load(file).problems


HEADINGS = sorted({line for line in EVERYTHING.splitlines() if line.startswith("[")})


@pytest.mark.parametrize("heading", HEADINGS)
def test_no_check_trips_over_a_section_that_is_no_toml(heading: str, tmp_path: Path) -> None:
    file = tmp_path / "voxpath.toml"
    file.write_text(EVERYTHING.replace(f"{heading}\n", f"{heading}\nx = \n", 1))
    assert "no TOML" in str(load(file).problems[0])


def test_reservations() -> None:
    one = '[[reservation]]\nmac = "05:00:00:00:00:01"\naddress = "10.0.0.1"\n'
    wrong = found(SITE + one + one.replace("10.0.0.1", "10.9.0.1"))
    assert set(wrong) == {"reservation[0].mac", "reservation[1].mac", "reservation[0].address", "reservation[1].address"}


def test_what_a_reservation_knows_its_phone_by_is_checked() -> None:
    def reserved(*lines: str) -> str:
        return "[[reservation]]\n" + "\n".join(lines) + "\n"

    wrong = found(
        SITE
        + reserved('address = "10.0.0.5"')
        + reserved('address = "10.0.0.6"', 'client_id = "a"', 'class = "gone"')
        + reserved('address = "10.0.0.7"', 'client_id = "a"', 'circuit_id = "b"')
        + reserved('address = "10.0.0.8"', 'circuit_id = "b"', 'mac = "02:00:00:00:0a:01"')
    )
    assert set(wrong) == {"reservation[0].mac", "reservation[1].class", "reservation[2].client_id", "reservation[3].circuit_id"}
    assert "names no phone" in wrong["reservation[0].mac"]
    assert "there is no class 'gone'" in wrong["reservation[1].class"]


def test_reserved_blocks() -> None:
    """A block has a size, a pool and one phone, and none of the ports that nobody gets."""
    block = '[[block]]\nmac = "02:00:00:00:00:0{}"\npublic = "{}"\nports = {}\n'
    good = SITE + block.format(1, "203.0.113.1", [20032, 20095])
    assert found(good) == {}
    assert found(good + block.format(1, "203.0.113.1", [20096, 20159])).keys() == {"block[1].mac"}
    assert "overlaps block[0]" in found(good + block.format(2, "203.0.113.1", [20032, 20033]))["block[1].ports"]
    assert "has 1, 2, 4" in found(good + block.format(2, "203.0.113.1", [20096, 20098]))["block[1].ports"]
    assert "lies in no pool" in found(good + block.format(2, "192.0.2.99", [20096, 20159]))["block[1].ports"]


def test_overlapping_pools_and_realms() -> None:
    pool = '[[pool]]\npublic = "203.0.113.1"\nports = [29999, 30000]\nrealm = "site-a"\n'
    assert "overlaps pool[0]" in found(SITE + pool)["pool[1].ports"]
    realm = '[[realm]]\nname = "b"\nprivate = ["10.0.0.0/16"]\npublic = ["203.0.113.1"]\n'
    assert "both stand behind 203.0.113.1" in found(SITE + realm)["realm[1].private[0]"]
    assert found(SITE + realm.replace("113.1", "113.2")) == {}, "two customers may use the same prefix"


def test_the_gateways_own_outgoing_ports_must_not_be_the_ordinary_napts() -> None:
    """NAP-15."""
    site = SITE.replace("[nat]", '[nat]\nnapt = "203.0.113.1:60000-60005"')
    assert found(site) == {}
    own = replace(MACHINE, addresses=frozenset({IPv4Address("203.0.113.1")}), ephemeral=(60005, 60999))
    assert "ip_local_port_range" in found(site, own)["nat.napt"]


def test_the_gateways_own_outgoing_ports_must_not_be_phones() -> None:
    own = replace(MACHINE, addresses=frozenset({IPv4Address("203.0.113.1")}), ephemeral=(29000, 60999))
    assert "ip_local_port_range" in found(SITE, own)["pool[0].ports"]
    assert found(SITE, replace(own, ephemeral=(32768, 60999))) == {}


def test_without_root() -> None:
    wrong = found(SITE + '[tftp]\nlisten = ["10.0.0.1:69"]', replace(MACHINE, root=False))
    assert set(wrong) == {"dhcp.enabled", "tftp.listen[0]"}


@pytest.mark.parametrize("name", ["nftables", "ebpf", "tun"])
def test_a_back_end_that_translates_the_machines_packets_needs_root_and_an_outside(name: str) -> None:
    wrong = found(f'[nat]\nbackend = "{name}"', replace(MACHINE, root=False))
    assert set(wrong) == {"nat.backend", "nat.outside"}


def test_two_back_ends_of_one_name_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "getPlugins", lambda _: registry.OWN[:1])
    assert "two NAT back ends are called nftables" in found(SITE)["nat.backend"]


def test_what_is_off_is_stated() -> None:
    stated = "\n".join(off(Config(), replace(MACHINE, root=False)))
    assert "dhcp: off, since no [[scope]] names an interface" in stated
    assert "nat: in memory only, since nat.outside names no interface" in stated
    assert "this is not root" in stated
    assert not any(line.startswith(("dhcp", "nat")) for line in off(config(SITE), MACHINE))
    assert "since this is not root" in "\n".join(off(config(SITE), replace(MACHINE, root=False)))
    assert "mgc: off by enabled = false" in off(config("[mgc]\nenabled = false"), MACHINE)


def test_the_inside_of_the_nat_is_where_the_scopes_are() -> None:
    """What comes by another interface is not turned back to a phone of the same gateway: its calls within the site fail."""
    assert 'write for example inside = ["eth1"]' in found(SITE.replace('inside = ["eth1"]', ""))["nat.inside"]
    other = SITE.replace('inside = ["eth1"]', 'inside = ["lo"]')
    (told,) = found(other).values()
    assert "scope[0].interface: eth1 is not in nat.inside: its phones cannot reach each other" in told
    assert check(config(other), MACHINE) == (), "it is no reason not to start"
    assert found(other.replace("[nat]", '[nat]\nbackend = "memory"')) == {}
    assert found(other.replace("[dhcp]", "[dhcp]\nenabled = false")) == {}
    for line in ("vlan = 20", 'relays = ["10.0.0.2"]'):
        assert found(other.replace('realm = "site-a"\n[[class]]', f'realm = "site-a"\n{line}\n[[class]]')) == {}


def test_an_inside_interface_without_a_scope_and_one_of_a_relay_that_is_not_inside_are_noted() -> None:
    def told(text: str) -> list[str]:
        return [note for note in notes(config(text)) if "inside" in note]

    more = SITE.replace('inside = ["eth1"]', 'inside = ["eth1", "eth2"]')
    assert told(SITE) == []
    assert told(more) == ["nat.inside[1]: no scope is on eth2: phones on its own link get no lease and no ports"]
    assert told(more.replace("[nat]", '[nat]\nbackend = "memory"')) == []
    trunk = SITE.replace('inside = ["eth1"]', 'inside = ["eth1.20"]').replace('"eth1"', '"eth1"\nvlan = 20', 1)
    assert told(trunk) == []
    relayed = SITE.replace('"eth1"', '"eth1"\nrelays = ["10.0.0.2"]', 1).replace('inside = ["eth1"]', 'inside = ["lo"]')
    assert told(relayed) == [
        "nat.inside[0]: no scope is on lo: phones on its own link get no lease and no ports",
        "scope[0].interface: eth1 is not in nat.inside: right if its phones' packets come by another one",
    ]


def test_an_active_host_does_not_look_for_its_standby_at_its_own_address() -> None:
    own = replace(MACHINE, mistaken=frozenset({IPv4Address("192.0.2.2"), IPv4Address("127.0.0.1")}))

    def told(role: str, address: str, machine: Machine = own) -> str:
        text = f'{SITE}[redundancy]\nrole = "{role}"\npeer = "sg-b"\naddress = "{address}:2947"\n'
        return found(text, machine).get("redundancy.address", "")

    assert "192.0.2.2 is this host's own: it would connect to itself; write the address at which" in told("active", "192.0.2.2")
    assert told("active", "192.0.2.2", MACHINE) == ""
    assert "connect to itself" in told("active", "0.0.0.0")
    assert told("active", "127.0.0.1") == "", "both hosts on one machine, to try them out, are noted"
    assert told("standby", "192.0.2.2") == ""
    assert told("off", "192.0.2.2") == ""
    here = config('[redundancy]\nrole = "active"\npeer = "sg-b"\naddress = "127.0.0.8:2947"\n')
    assert machine_for(here).mistaken == {IPv4Address("127.0.0.8")}
    assert machine_for(config('[redundancy]\naddress = "127.0.0.8:2947"\n')).mistaken == frozenset()


def test_a_floor_that_the_disk_cannot_have_is_told_and_keeps_nothing_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk_octets(tmp_path / "not" / "yet") > 0
    assert disk_octets(Path("nul\0")) > 0, "what is no path lies on the disk of what it stands in"
    octets = 1 << 20
    monkeypatch.setattr(check_tftp, "disk_octets", lambda path: octets)

    def uploads(floor: int, more: str = "") -> str:
        return f'[tftp]\nroot = "{tmp_path}/images"\nuploads = "{tmp_path}/not/yet"\nupload_floor = {floor}\n{more}'

    (told,) = found(uploads(octets)).values()
    what = f"the whole disk of {tmp_path}/not/yet has room for 1048576 octets: no phone could ever write"
    assert told.startswith(f"tftp.upload_floor: {what}")
    assert check(config(uploads(octets)), MACHINE) == ()
    assert found(uploads(octets - 1)) == {}
    assert found(uploads(octets, "enabled = false\n")) == {}
    assert found(f"[tftp]\nupload_floor = {octets}\n") == {}, "nobody writes"


def test_a_scope_that_is_alone_in_its_group_is_noted() -> None:
    """A group that is misspelt, or that is on another link, helps nobody out."""
    second = SECOND_SCOPE.replace('"lan"', '"far"').replace("10.0.0.", "10.0.1.")

    def told(one: str, other: str, more: str = "") -> list[str]:
        text = SITE.replace('"eth1"', f'"eth1"\ngroup = "{one}"', 1) + second.replace(
            '"eth1"', f'"eth1"\ngroup = "{other}"\n{more}'
        )
        return [note for note in notes(config(text)) if "group" in note]

    assert told("floor", "floor") == told("", "") == []
    assert told("floor", "flor") == [
        "scope[0].group: no other scope of its link is in group 'floor': when it is exhausted no other one gives",
        "scope[1].group: no other scope of its link is in group 'flor': when it is exhausted no other one gives",
    ]
    assert len(told("floor", "floor", "vlan = 20")) == 2, "a VLAN is a link of its own"
    assert len(told("floor", "floor", 'relays = ["10.0.1.130"]')) == 2, "and so is what is behind a relay"
    assert len(told("", "floor")) == 1


def test_a_part_that_is_off_is_missed_only_where_the_configuration_asks_for_it(tmp_path: Path) -> None:
    """What ``status`` shows, as long as a process runs: not what nobody wanted."""
    bare = replace(MACHINE, root=False)

    def told(text: str, machine: Machine = bare) -> list[str]:
        return [line.partition(":")[0] for line in missed(config(f'state = "{tmp_path}"\n{text}'), machine)]

    assert told("") == [], "the loopback set has all that it asks for"
    assert told("[mgc]\nenabled = false\n[sip]\nenabled = false\n[dhcp]\nenabled = false\n") == []
    assert told('[dhcp]\nmacs = ["00:00:5e:00:53:01"]\n') == ["dhcp"]
    assert told(SITE) == ["nat"]
    assert told(SITE, MACHINE) == []
    assert told(SITE.replace('outside = ["eth0"]', ""), MACHINE) == ["nat"]
    assert told(SITE.replace('outside = ["eth0"]', 'backend = "memory"')) == [], "it was chosen"
    assert told('[[class]]\nname = "a"\nvendor_classes = ["a"]\nimage = "a.bin"\n') == ["dhcp", "tftp"]
    assert told('[tftp]\nroot = "there"\n') == ["tftp"]
    assert told("[mgc]\nring_s = 60.0\n") == ["mgc"]
    assert told('[[domain]]\nname = "voip.example"\n') == ["sip"]
    assert told("[phone]\ninterface = 'eth0'\n") == []


def without_tftp(made: Config) -> list[str]:
    """The notes, but for the one that phones of the site are told of a TFTP server where none listens."""
    return [note for note in notes(made) if "told the TFTP server" not in note]


def test_what_is_worth_knowing_is_noted() -> None:
    (note,) = notes(config('[tftp]\nlisten = ["10.0.0.1:6969"]'))
    assert "tftp.listen[0]: 10.0.0.1:6969 can be reached from beyond" in note
    few = SITE.replace("[20000, 29999]", "[20032, 20191]")
    assert without_tftp(config(few)) == [
        "class[0].mgcs: is empty: phones of class 'desk' are told of no controller by DHCP",
        "scope[0]: 11 addresses, but 2 blocks of 64 ports for class 'desk'",
    ]


def test_controllers_that_no_phone_is_told_of_are_noted_in_one_line() -> None:
    def told(count: int, more: str = "") -> list[str]:
        mgcs = ", ".join(f'"192.0.2.{number}:2944"' for number in range(1, count + 1))
        return without_tftp(config(SITE.replace('["voxpath-phone"]', f'["voxpath-phone"]\n{more}mgcs = [{mgcs}]')))

    assert told(4) == [], "option 225 and the layout voxpath have room for four"
    assert told(6) == [
        "class[0].mgcs: names 6 controllers, and DHCP tells phones of 4 at the most: not of 192.0.2.5:2944, 192.0.2.6:2944"
    ]
    assert told(6, 'layout = "avaya"\n') == [], "MCIPADD names them all"


def test_an_image_that_is_not_there_is_noted_and_keeps_nothing_from_starting(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()

    def told(line: str, tftp: str = "") -> list[str]:
        text = SITE.replace('["voxpath-phone"]', f'["voxpath-phone"]\nmgcs = ["192.0.2.1:2944"]\n{line}')
        made = config(f'state = "{tmp_path}"\n{text}[tftp]\nroot = "images"\n{tftp}')
        assert not [problem for problem in check(made, MACHINE) if "image" in problem.path]
        return without_tftp(made)

    assert told('image = "desk.bin"\napplication = "app.bin"') == [
        f"class[0].image: there is no file {images}/desk.bin; phones of class 'desk' fail to load it until it is there",
        f"class[0].application: there is no file {images}/app.bin; phones of class 'desk' fail to load it until it is there",
    ]
    (images / "desk.bin").write_bytes(b"1")
    assert told('image = "desk.bin"') == []
    assert told('image = "nul\\u0000"') != []
    assert told('image = "there.bin"\nurl = "http://192.0.2.5/"') == [], "another server has it"
    assert told('image = "there.bin"\ntftp_servers = ["192.0.2.5"]') == []
    assert told('image = "000000000000.cfg"\nfiles = "poly"') == [], "it is rendered"
    assert told('image = "old.bin"', '[[tftp.alias]]\npattern = "old.bin"\nfile = "desk.bin"\n') == []
    assert told('image = "x.bin"', "enabled = false\n") == []


def test_capacity_leaves_reserved_ports_out() -> None:
    pool = '[[pool]]\npublic = "203.0.113.1"\nports = [5000, 5199]\nrealm = "site-a"\n'
    made = config(SITE + pool)
    assert capacity(made, made.pools[1], 64) == 1, "5056-5119 holds 5060, and 5120-5183 is the only other one"


def test_a_file_is_loaded_when_nothing_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "voxpath.toml"
    assert "No such file" in str(load(file).problems[0])
    file.write_text("")
    assert load(file).config == Config()
    file.write_text("[control]\nmode = 0o777")
    assert load(file).config is None


def test_this_machine_is_looked_at() -> None:
    asked = frozenset(map(IPv4Address, ("127.0.0.1", "192.0.2.77", "224.0.0.1", "255.255.255.255")))
    machine = look(asked, asked)
    assert "lo" in machine.interfaces
    assert machine.addresses == {IPv4Address("127.0.0.1")}
    assert machine.foreign == {IPv4Address(text) for text in ("192.0.2.77", "224.0.0.1", "255.255.255.255")}
    assert machine.ephemeral[0] < machine.ephemeral[1]


def test_values() -> None:
    made = config(SITE.replace('["voxpath-phone"]', '["voxpath-phone"]\nlines = 2\nextra = 4\nmgcs = ["192.0.2.1:2944"]'))
    assert values.realms(made)[0].holds(IPv4Address("10.0.0.9"), IPv4Address("203.0.113.1"))
    assert values.scopes(made)[0].last == IPv4Address("10.0.0.20")
    (desk,) = values.classes(made)
    assert (desk.ports, desk.mgcs) == (16, ("192.0.2.1:2944",)), "two lines: four ports, one for signalling, four more: 9"
    admission = values.admission(made)
    assert admission.check_mac(Applicant(Mac.parse("00:00:5e:00:53:01"))) is None
    assert admission.check_mac(Applicant(Mac.parse("02:00:00:ff:ff:ff"))) is None
    assert admission.check_mac(Applicant(Mac.parse("02:00:01:00:00:00"))) is not None
    assert values.pools(made) == (Pool(IPv4Address("203.0.113.1"), 20000, 29999, "site-a"),)
    assert values.lines(made) == {"1001": Line("02:00:00:00:0a:01", "line/1")}
    assert values.in_state(made, "/x/y") == Path("/x/y")
    assert [str(mac) for mac in values_phone.phone_macs(config("[phone]\ncount = 2"))] == ["02:00:00:00:0a:01", "02:00:00:00:0a:02"]


def test_a_static_phone_asks_for_what_it_is_not_told() -> None:
    """PHN-2, PHN-18: it cannot do without ports and controllers."""
    told = 'public = "203.0.113.1"\nports = [20032, 20095]\n'
    mgcs = 'mgcs = ["192.0.2.10:2944"]\n'
    mac = Mac.parse("02:00:00:00:0a:01")
    for text in (STATIC, STATIC + told, STATIC + mgcs):
        made = config(text)
        assert isinstance(values_phone.static_phone(made, mac), OwnAddress)
        assert values_phone.asks_dhcp(made)
        assert found(text) == {}
    whole = config(STATIC + told + mgcs)
    lease = values_phone.static_phone(whole, mac)
    assert isinstance(lease, BootLease)
    assert (str(lease.block), lease.mgcs) == ("203.0.113.1:20032-20095", (Endpoint("192.0.2.10", 2944),))
    assert not values_phone.asks_dhcp(whole)
    assert values_phone.static_phone(config(""), mac) is None
    assert values_phone.asks_dhcp(config(""))


def test_each_option_of_the_controller_has_its_effect() -> None:
    made = values.controller_settings(config('[mgc]\nmid = "<mgc.example>"\ncompact = true\nring_s = 7.5'))
    assert (str(made.mid), made.compact, made.times.ring_s) == ("<mgc.example>", True, 7.5)
    plain = values.controller_settings(config(""))
    assert (str(plain.mid), plain.compact) == ("[127.0.0.1]:2944", False)


def test_a_nat_back_end_may_be_a_plugin_but_has_to_be_there() -> None:
    assert found('[nat]\nbackend = "iptables"') == {
        "nat.backend": "nat.backend: there is no NAT back end 'iptables'; choose one of auto, nftables, ebpf, tun, memory"
    }


def test_a_shim_needs_root_and_is_fine_with_it() -> None:
    text = '[phone]\nshim = true\ninterface = "eth0"\n'
    assert "phone.shim" not in found(text)
    assert "needs root" in found(text, replace(MACHINE, root=False))["phone.shim"]


def test_phones_that_are_told_a_tftp_server_where_none_listens_are_noted() -> None:
    """What every installer forgets once, and what no phone complains about."""

    def told(listen: str, scope: str = "", entry: str = "") -> list[str]:
        text = SITE.replace('"eth1"', f'"eth1"\n{scope}', 1).replace('["voxpath-phone"]', f'["voxpath-phone"]\n{entry}')
        return [note for note in notes(config(f"{text}\n[tftp]\n{listen}\n")) if "TFTP" in note]

    missing = "scope[0]: phones are told the TFTP server 10.0.0.1, where tftp.listen has no port 69; "
    missing += 'write tftp.listen = ["10.0.0.1:69"], or name another one by tftp_servers'
    assert told("") == told('listen = ["10.0.0.1:6969"]') == told('listen = ["192.0.2.1:69"]') == [missing]
    assert told('listen = ["10.0.0.1:69"]') == told('listen = ["192.0.2.1:6969", "0.0.0.0:69"]') == told("enabled = false") == []
    assert told("", scope='tftp_servers = ["192.0.2.9"]') == told("", entry='url = "http://192.0.2.9/"') == []
