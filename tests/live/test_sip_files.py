"""Files of phone programs, fetched by TFTP: an unchanged program takes them, and does what they say."""

import re
import string
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.bench import OUTSIDE, OWN_MAC, Bench, bench_of
from tests.live.dhcpclients import Phone, ports_of
from tests.live.sites import PROVIDER, SITE_A, until
from tests.live.softphones import BARESIP_LINES, Baresip, Twinkle

pytestmark = pytest.mark.live

PASSWORD = "".join(ch for ch in string.digits + string.punctuation if ch not in ';,"<>\\')
"""Every sign that a password may have."""
REALM = "Phones of Example"
SHOWINGS = ("not", "gruu", "self", "self")
USERS = "".join(
    f"[[user]]\nname = \"u{place}\"\npassword = '''{PASSWORD}'''\nphone = \"{OWN_MAC.format(place)}\"\nshowing = \"{showing}\"\n"
    for place, showing in enumerate(SHOWINGS, 1)
)


def classes() -> str:
    """Two programs; the lines that a program needs without a sound device are its class's business."""
    baresip = ", ".join(f"'{line}'" for line in (*BARESIP_LINES, ";regint=120", ";answermode=auto"))
    return (
        f'[[class]]\nname = "baresip"\nvendor_classes = ["baresip"]\nports = 64\nsettings = [{baresip}]\n'
        '[[class]]\nname = "twinkle"\nvendor_classes = ["twinkle"]\nports = 64\n'
        'settings = ["dev_ringtone=alsa:null", "dev_speaker=alsa:null", "dev_mic=alsa:null", "validate_audio_dev=no"]\n'
        '[[class]]\nname = "tiny"\nvendor_classes = ["tiny"]\nports = 2\n'
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    extra = f'[sip]\nenabled = false\n[[domain]]\nname = "{PROVIDER}"\n{USERS}{classes()}'
    with bench_of(tmp_path_factory.mktemp("files"), lambda made: made.write_gateway(SITE_A, extra)) as made:
        yield made


class Booted(NamedTuple):
    """A phone with its lease and its files."""

    phone: Phone
    address: str
    public: str
    first: int
    last: int
    directory: Path


@pytest.fixture(scope="module")
def booted(bench: Bench) -> dict[str, Booted]:
    """A phone of each kind; the numbers of their Ethernet addresses are those of the users."""
    found = {}
    for name, vendor, files in (
        ("not", "baresip", ("config", "accounts", "contacts", "uuid")),
        ("gruu", "baresip", ("config", "accounts", "contacts", "uuid")),
        ("self", "baresip", ("config", "accounts", "contacts", "uuid")),
        ("twinkle", "twinkle", ("twinkle.cfg", "twinkle.sys")),
        ("tiny", "tiny", ()),
    ):
        phone = bench.phone()
        told = phone.udhcpc(vendor=vendor)
        ports = ports_of(bytes.fromhex(told["opt224"]))
        directory = bench.directory / f"files-{name}"
        directory.mkdir()
        stem = f"{vendor}/{phone.mac.replace(':', '-')}"
        for file in files:
            fetch(bench, phone, f"{stem}/{file}", directory / file)
        found[name] = Booted(phone, told["ip"], ports.public, ports.first, ports.last, directory)
    return found


def fetch(bench: Bench, phone: Phone, name: str, to: Path) -> str:
    """Fetch a file with a stock client; give what the client says."""
    return bench.net.run(phone.name, ["tftp", "-m", "binary", "10.0.0.1", "-c", "get", name, str(to)]).stdout


class Registrar:
    """A UDP socket outside that challenges by MD5, and keeps what it hears."""

    def __init__(self, bench: Bench) -> None:
        self.socket = bench.udp(OUTSIDE, 5060)

    def __enter__(self) -> "Registrar":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def hear(self, user: str) -> tuple[str, tuple[str, int]]:
        """The next REGISTER of a user, and where it came from."""
        while True:
            octets, source = self.socket.recvfrom(4096)
            if octets.startswith(b"REGISTER") and f"<sip:{user}@".encode() in octets:
                return octets.decode(), source

    def challenge(self, request: str, source: tuple[str, int]) -> None:
        """Ask for credentials."""
        wanted = re.findall(r"(?im)^(?:Via|From|Call-ID|CSeq):.*\r\n", request)
        to = re.findall(r"(?im)^To:.*(?=\r\n)", request)[0]
        answer = ["SIP/2.0 401 Unauthorized\r\n", *wanted, f"{to};tag=1\r\n"]
        answer += [f'WWW-Authenticate: Digest realm="{REALM}", nonce="n", algorithm=MD5\r\n', "Content-Length: 0\r\n\r\n"]
        self.socket.sendto("".join(answer).encode(), source)


def digest(request: str, user: str) -> str:
    """What the credentials of a request have to be (RFC 2069), computed without voxpath."""
    uri = re.findall(r'uri="([^"]*)"', request)[0]
    secret = md5(f"{user}:{REALM}:{PASSWORD}".encode()).hexdigest()
    return md5(f"{secret}:n:{md5(f'REGISTER:{uri}'.encode()).hexdigest()}".encode()).hexdigest()


def registers(registrar: Registrar, user: str) -> tuple[str, tuple[str, int]]:
    """Wait for a user's REGISTER with the right credentials."""
    request, source = registrar.hear(user)
    registrar.challenge(request, source)
    for _ in range(5):
        request, source = registrar.hear(user)
        if "Authorization" in request:
            break
        registrar.challenge(request, source)
    assert f'response="{digest(request, user)}"' in request
    return request, source


def media_of(config: str) -> tuple[int, int]:
    """First and last port for RTP and RTCP."""
    (found,) = re.findall(r"(?m)^rtp_ports (\d+)-(\d+)$", config)
    return int(found[0]), int(found[1])


@pytest.mark.parametrize(("showing", "user"), [("not", "u1"), ("gruu", "u2")])
def test_baresip_listens_and_registers_as_its_files_say(bench: Bench, booted: dict[str, Booted], showing: str, user: str) -> None:
    one = booted[showing]
    phone = Baresip(bench.net, one.phone.name, one.directory, 440)
    with Registrar(bench) as registrar:
        phone.start()
        request, source = registers(registrar, user)
    assert source == (one.public, one.first)
    assert f"@{one.address}:{one.first}" in request
    assert "expires=120" in request or "Expires: 120" in request, "what the class says wins"
    assert f'+sip.instance="<urn:uuid:{(one.directory / "uuid").read_text()}>"' in request
    listening = bench.net.run(one.phone.name, ["ss", "-Hlun"]).stdout
    assert f"{one.address}:{one.first} " in listening
    config = (one.directory / "config").read_text()
    assert f"\nnet_interface {one.public if showing == 'gruu' else one.address}\n" in config
    first, last = media_of(config)
    assert one.first < first <= last <= one.last
    assert (first % 2, last % 2) == (0, 1)
    phone.end()


def test_with_the_shim_baresip_listens_at_its_public_address(bench: Bench, booted: dict[str, Booted]) -> None:
    """The shim is tested elsewhere: here the phone has the public address as one of its own, as with the shim."""
    one = booted["self"]
    bench.net.ip(one.phone.name, "link", "add", "shim", "type", "bridge")
    bench.net.ip(one.phone.name, "link", "set", "shim", "up")
    bench.net.address(one.phone.name, "shim", f"{one.public}/32")
    phone = Baresip(bench.net, one.phone.name, one.directory, 440)
    phone.start()
    until(lambda: f"{one.public}:{one.first} " in bench.net.run(one.phone.name, ["ss", "-Hlun"]).stdout, "it listens")
    phone.end()


def test_twinkle_names_its_public_address_by_itself(bench: Bench, booted: dict[str, Booted]) -> None:
    one = booted["twinkle"]
    home = one.directory / "home"
    (home / ".twinkle").mkdir(parents=True)
    for file in ("twinkle.cfg", "twinkle.sys"):
        (one.directory / file).rename(home / ".twinkle" / file)
    phone = Twinkle(bench.net, one.phone.name, home)
    with Registrar(bench) as registrar:
        phone.start()
        request, source = registers(registrar, "u4")
    assert source == (one.public, one.first)
    assert re.search(rf"(?m)^Contact: .*@{one.public}:{one.first}", request), request
    phone.end()


def test_nobody_else_gets_the_password_of_a_phone(bench: Bench, booted: dict[str, Booted]) -> None:
    thief, victim = booted["not"].phone, booted["gruu"].phone
    said = fetch(bench, thief, f"baresip/{victim.mac.replace(':', '')}/accounts", bench.directory / "stolen")
    assert "another phone" in said
    assert PASSWORD not in (bench.directory / "stolen").read_text()


def test_a_block_without_room_for_media_is_told_to_the_phone(bench: Bench, booted: dict[str, Booted]) -> None:
    phone = booted["tiny"].phone
    assert "too small" in fetch(bench, phone, f"baresip/{phone.mac.replace(':', '')}/config", bench.directory / "tiny")


def test_the_gateway_fell_over_nothing(bench: Bench, booted: dict[str, Booted]) -> None:
    bench.is_sound()
