"""Phones of several makers fetch the files rendered for them, and a real one that runs from its files stays in its block."""

import re
import socket
from collections.abc import Iterator
from hashlib import sha256
from random import Random

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, OWN_MAC, Bench, bench_of
from tests.live.dhcpclients import Phone, Ports, ports_of
from tests.live.sites import PROVIDER, SITE_A, until
from tests.live.softphones import BARESIP_LINES, Baresip
from tests.provision.test_vendors import MAKERS

pytestmark = [pytest.mark.live, pytest.mark.together]

SERVER = "10.0.0.1"
PASSWORD = "p&'%w7hUq-2mPz"
VENDORS = {
    "yealink": "yealink SIP-T46G",
    "grandstream": "Grandstream GXP2170",
    "cisco": "Cisco Systems, Inc. IP Phone CP-9951",
    "snom": "snomD785",
    "poly": "Polycom-VVX411",
}
BARESIP = "baresip"
IMAGES, IMAGE_OCTETS = 50, 640_000
SIP, MEDIA = 5060, 30000
FETCHES = {
    "tftp-hpa": ["tftp", "-m", "binary", SERVER, "-c", "get", "NAME", "FILE"],
    "curl": ["curl", "-sS", "--connect-timeout", "5", "-o", "FILE", f"tftp://{SERVER}/NAME"],
}


def configuration() -> str:
    """The shipped classes, two users for each of their phones, and an alias of the operator's."""
    classes = "".join(
        f'[[class]]\nlike = "{name}"\nlines = 12\napplication = "app-2.bin"\nsettings = ["extra = 1"]\nntp_servers = ["10.0.0.7"]\n'
        for name in VENDORS
    )
    lines = ", ".join(f"'{line}'" for line in BARESIP_LINES)
    classes += f'[[class]]\nname = "{BARESIP}"\nvendor_classes = ["{BARESIP}"]\nports = 16\nsettings = [{lines}]\n'
    owned = [(f"{user}{place}", place) for place, _ in enumerate(VENDORS, 1) for user in "ab"]
    users = "".join(
        f'[[user]]\nname = "{user}"\npassword = "{PASSWORD}"\nphone = "{OWN_MAC.format(place)}"\nshowing = "gruu"\n'
        for user, place in (*owned, (BARESIP, len(VENDORS) + 1))
    )
    alias = '[[tftp.alias]]\npattern = "spa{model}-{mac}.xml"\ntemplate = "spa.xml"\n'
    return f'[sip]\nenabled = false\n[[domain]]\nname = "{PROVIDER}"\n{users}{classes}{alias}'


class Booted:
    """A phone with its lease."""

    def __init__(self, bench: Bench, vendor: str) -> None:
        self.phone: Phone = bench.phone()
        told = self.phone.udhcpc(vendor=vendor)
        self.address = told["ip"]
        self.ports: Ports = ports_of(bytes.fromhex(told["opt224"]))
        self.mac = self.phone.mac.replace(":", "")
        self.directory = bench.directory / f"files-{self.phone.name}"
        self.directory.mkdir()

    def named(self, name: str) -> str:
        """A name of another phone's file as the name of this one's."""
        return re.sub("020000000a01", self.mac, name, flags=re.IGNORECASE)

    def fetch(self, name: str, program: str = "tftp-hpa", to: str = "fetched") -> tuple[str, bytes]:
        """Fetch a file: what the program said, and what it wrote."""
        file = self.directory / to
        file.unlink(missing_ok=True)
        argv = [word.replace("NAME", name).replace("FILE", str(file)) for word in FETCHES[program]]
        done = self.phone.net.run(self.phone.name, argv, check=False, timeout=60)
        return done.stdout + done.stderr, file.read_bytes() if file.exists() else b""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("provision")
    home = directory / GATEWAY
    (home / "templates" / "snom").mkdir(parents=True)
    (home / "templates" / "spa.xml").write_text("<spa model='{{ parts.model }}' port='{{ sip_port }}'/>")
    (home / "images").mkdir()
    for number in range(IMAGES):
        (home / "images" / f"phone-{number}.bin").write_bytes(image(number))
    with bench_of(directory, lambda made: made.write_gateway(SITE_A, configuration(), 'templates = "templates"')) as made:
        yield made
        made.is_sound()


def image(number: int) -> bytes:
    """One of many images, each another one."""
    return Random(number).randbytes(IMAGE_OCTETS)


@pytest.fixture(scope="module")
def booted(bench: Bench) -> dict[str, Booted]:
    """A phone of each maker, and a baresip; the numbers of their Ethernet addresses are those of the users."""
    return {name: Booted(bench, vendor) for name, vendor in {**VENDORS, BARESIP: BARESIP}.items()}


@pytest.mark.parametrize("program", FETCHES)
@pytest.mark.parametrize("maker", MAKERS)
def test_a_makers_phone_gets_its_file_with_its_block_and_its_users(booted: dict[str, Booted], maker: str, program: str) -> None:
    """TFT-8, TFT-9: the class by option 60, the ports of the lease, the users of the configuration."""
    one = booted[maker]
    name, read = MAKERS[maker]
    said, octets = one.fetch(one.named(name), program)
    assert octets, said
    seen = read(octets.decode())
    assert min(seen.sip) == one.ports.first
    assert max(seen.sip) <= one.ports.last
    first, last = seen.rtp
    assert one.ports.first < first < (last or one.ports.last) <= one.ports.last
    assert [secret for _, secret in seen.users] == [PASSWORD, PASSWORD]
    assert {host.partition(":")[0] for host in seen.registrar} == {PROVIDER}
    assert seen.nat in (one.ports.public, "" if maker == "snom" else one.ports.public)


@pytest.mark.parametrize("maker", MAKERS)
def test_no_makers_file_goes_to_another_address(bench: Bench, booted: dict[str, Booted], maker: str) -> None:
    """TFT-9: error 2, an event, and a count."""
    thief, victim = booted[BARESIP], booted[maker]
    name = victim.named(MAKERS[maker][0])
    said, octets = thief.fetch(name)
    assert "Error code 2" in said
    assert octets == b""
    assert any(name in row["text"] and "error 2" in row["text"] for row in bench.why(thief.phone, "TFTP_REFUSED"))
    assert any(name in row["text"] for row in bench.why(victim.phone, "TFTP_REFUSED"))
    assert "asked for the file of a phone whose lease he lacks" in bench.role("tftp")["detail"]


def test_a_boot_file_is_rendered_and_leads_on(booted: dict[str, Booted]) -> None:
    """TFT-10: the first file, which the lease names, names the second."""
    said, octets = booted["poly"].fetch("000000000000.cfg")
    assert f'CONFIG_FILES="{booted["poly"].mac}-voxpath.cfg"'.encode() in octets, said
    said, octets = booted["cisco"].fetch(f"CTLSEP{booted['cisco'].mac.upper()}.tlv")
    assert "Error code 1" in said


def test_an_alias_of_the_operators_makes_a_file(booted: dict[str, Booted]) -> None:
    one = booted["snom"]
    said, octets = one.fetch(f"spa504-{one.phone.mac.replace(':', '-').upper()}.xml")
    assert octets.decode() == f"<spa model='504' port='{one.ports.first}'/>", said


def test_the_operator_sees_what_a_phone_is_given(bench: Bench, booted: dict[str, Booted]) -> None:
    one = booted["yealink"]
    row = next(row for row in bench.ask("files", one.phone.mac) if row["name"] == f"{one.mac}.cfg")
    assert row["origin"] == "yealink/mac.cfg"
    _, octets = one.fetch(f"{one.mac}.cfg")
    assert row["octets"] == len(octets)
    lines = {
        secret: [row["text"] for row in bench.ask("render", one.phone.mac, f"{one.mac}.cfg", *secret)]
        for secret in ((), ("secrets",))
    }
    assert "\n".join(lines["secrets",]) + "\n" == octets.decode()
    assert PASSWORD not in "".join(lines[()])


def test_many_images_are_served_octet_by_octet(booted: dict[str, Booted]) -> None:
    """TFT-6: fifty of them, 32 MB in all."""
    one = booted["poly"]
    wanted = [f"tftp://{SERVER}/phone-{number}.bin" for number in range(IMAGES)]
    argv = ["curl", "-sS", "--tftp-blksize", "1468", "--output-dir", str(one.directory), "--remote-name-all", *wanted]
    one.phone.net.run(one.phone.name, argv, timeout=100)
    for number in range(IMAGES):
        found = (one.directory / f"phone-{number}.bin").read_bytes()
        assert sha256(found).digest() == sha256(image(number)).digest(), number


def test_baresip_run_from_its_files_stays_in_its_block(bench: Bench, booted: dict[str, Booted]) -> None:
    """TFT-9: registration, a call and its media: every port that speaks to the outside is of its block.

    Seen on the LAN, before the NAPPT, which drops everything else.
    """
    one = booted[BARESIP]
    for file in ("config", "accounts", "contacts", "uuid"):
        one.fetch(f"baresip/{one.mac}/{file}", to=file)
    phone = Baresip(bench.net, one.phone.name, one.directory, 440)
    block = range(one.ports.first, one.ports.last + 1)
    with (
        bench.udp(OUTSIDE, SIP) as registrar,
        bench.udp(OUTSIDE, MEDIA) as media,
        bench.capture(GATEWAY, "lan0", f"udp and src host {one.address} and not dst net 10.0.0.0/24") as wire,
    ):
        phone.start()
        answer(registrar, "REGISTER")
        phone.dial(f"sip:somebody@{PROVIDER}")
        answer(registrar, "INVITE", session(MEDIA))
        octets, source = media.recvfrom(2048)
        assert octets[0] >> 6 == 2, "RTP (RFC 3550 section 5.1)"
        assert source[0] == one.ports.public
        assert source[1] in block
        listening = bench.net.run(one.phone.name, ["ss", "-Hlun"]).stdout
        bound = set(map(int, re.findall(r":(\d+) +\S+:\*", listening)))
        assert {one.ports.first, source[1], source[1] + 1} <= bound & set(block), "signalling, RTP, RTCP"
        until(lambda: len(wire.frames()) > 20, "the call is on the wire")
        spoken = {frame.source_port for frame in wire.frames()}
        assert {one.ports.first, source[1]} <= spoken <= set(block)
        phone.kill()


def answer(peer: socket.socket, method: str, body: str = "") -> None:
    """Answer the next request of a method with 200."""
    while True:
        octets, source = peer.recvfrom(8192)
        request = octets.decode()
        if request.startswith(method):
            break
    kept = "".join(re.findall(r"(?im)^(?:Via|From|Call-ID|CSeq|Contact):.*\r\n", request))
    to = re.findall(r"(?im)^To:.*(?=\r\n)", request)[0]
    kind = "Content-Type: application/sdp\r\n" if body else ""
    head = f"SIP/2.0 200 OK\r\n{kept}{to};tag=1\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    peer.sendto((head + body).encode(), source)


def session(port: int) -> str:
    """A session description that has media sent to this port outside."""
    return f"v=0\r\no=- 1 1 IN IP4 {PROVIDER}\r\ns=-\r\nc=IN IP4 {PROVIDER}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0\r\n"
