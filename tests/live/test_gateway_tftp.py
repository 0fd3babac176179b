"""Stock TFTP clients fetch images and configuration files from the gateway."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.live.bench import GATEWAY, Bench, bench_of
from tests.live.capture import Capture
from tests.live.dhcpclients import Phone, Ports, ports_of
from tests.live.sites import until

pytestmark = pytest.mark.live

SERVER = "10.0.0.1"
IMAGE = "phone-1.0.bin"
FETCHES = {
    "tftp-hpa": ["tftp", "-m", "binary", SERVER, "-c", "get", "NAME", "FILE"],
    "curl": ["curl", "-sS", "--path-as-is", "--connect-timeout", "5", "-o", "FILE", f"tftp://{SERVER}/NAME"],
    "curl with small blocks": ["curl", "-sS", "--tftp-blksize", "512", "-o", "FILE", f"tftp://{SERVER}/NAME"],
    "atftp": ["atftp", "-g", "-r", "NAME", "-l", "FILE", "--option", "blksize 1428", SERVER],
    "busybox": ["busybox", "tftp", "-g", "-b", "1400", "-l", "FILE", "-r", "NAME", SERVER],
}


class Leased:
    """A phone with its block."""

    def __init__(self, bench: Bench) -> None:
        self.phone: Phone = bench.phone()
        self.told = self.phone.udhcpc()
        self.ports: Ports = ports_of(bytes.fromhex(self.told["opt224"]))
        self.file = f"{self.phone.mac.replace(':', '')}.cfg"
        self.directory = bench.directory

    def fetch(self, program: str, name: str) -> tuple[int, str, bytes]:
        """Fetch a file by a program: its exit status, what it said, what it wrote."""
        to = self.directory / f"fetched-{self.phone.name}"
        to.unlink(missing_ok=True)
        argv = [word.replace("NAME", name).replace("FILE", str(to)) for word in FETCHES[program]]
        done = self.phone.net.run(self.phone.name, argv, check=False, timeout=15)
        return done.returncode, done.stdout + done.stderr, to.read_bytes() if to.exists() else b""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_of(tmp_path_factory.mktemp("tftp")) as made:
        yield made
        made.is_sound()


@pytest.fixture(scope="module")
def wire(bench: Bench) -> Iterator[Capture]:
    """All that passes the LAN while this module runs."""
    with bench.capture(GATEWAY, "lan0", "udp and not port 67") as capture:
        yield capture


@pytest.fixture(scope="module")
def one(bench: Bench, wire: Capture) -> Leased:
    return Leased(bench)


@pytest.fixture(scope="module")
def other(bench: Bench, wire: Capture) -> Leased:
    return Leased(bench)


def image_of(bench: Bench, name: str = IMAGE) -> bytes:
    return (bench.directory / GATEWAY / "images" / name).read_bytes()


@pytest.mark.parametrize("program", FETCHES)
def test_every_client_gets_the_image_of_its_lease(bench: Bench, one: Leased, program: str) -> None:
    """TFT-1 to TFT-3: the file that the lease names, from the server that the lease names, octet by octet."""
    assert (one.told["siaddr"], one.told["boot_file"]) == (SERVER, IMAGE)
    served = len(bench.why(one.phone, "TFTP_SERVED"))
    status, said, octets = one.fetch(program, one.told["boot_file"])
    assert (status, sha256(octets).hexdigest()) == (0, sha256(image_of(bench)).hexdigest()), said
    event = until(lambda: bench.why(one.phone, "TFTP_SERVED")[served:], "the transfer is an event")
    assert IMAGE in event[0]["text"]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1428 * 3])
def test_files_that_end_at_a_block_boundary(bench: Bench, one: Leased, size: int) -> None:
    """TFT-1 (RFC 1350 section 6): also an empty last block arrives."""
    name = f"size-{size}.bin"
    (bench.directory / GATEWAY / "images" / name).write_bytes(bytes(number % 251 for number in range(size)))
    for program in ("tftp-hpa", "atftp"):
        assert one.fetch(program, name)[2] == image_of(bench, name)


def test_options_are_agreed_on(one: Leased, wire: Capture) -> None:
    """TFT-2 (RFC 2347 to 2349): block size and transfer size are acknowledged; data blocks have the size agreed on."""
    one.fetch("atftp", IMAGE)
    assert ("6", "blksize", "1428") in wire.tshark("tftp.opcode == 6", "tftp.opcode", "tftp.option.name", "tftp.option.value")
    one.fetch("curl", IMAGE)
    acknowledged = [row[0] for row in wire.tshark("tftp.opcode == 6", "tftp.option.name")]
    assert any("tsize" in names for names in acknowledged)
    assert 1428 + 4 in {len(frame.payload) for frame in wire.frames()}


@pytest.mark.parametrize("program", ["tftp-hpa", "curl", "atftp", "busybox"])
def test_an_absent_file_is_error_1(one: Leased, wire: Capture, program: str) -> None:
    """TFT-4: opcode 5, code 1, seen on the wire; the client fails and has no content."""
    name = f"absent-for-{program}.bin"
    _, said, octets = one.fetch(program, name)
    assert octets == b""
    assert said
    assert refusals(wire, one, name) == ["1"]


def refusals(wire: Capture, client: Leased, name: str) -> list[str]:
    """Codes of the errors that a client was sent after its last request for a file; it was sent nothing else."""
    address, request = client.told["ip"], b"\0\1" + name.encode() + b"\0"

    def answered() -> list[int]:
        sent = [frame for frame in wire.frames() if address in {frame.source, frame.destination}]
        asked = [at for at, frame in enumerate(sent) if frame.payload.startswith(request)]
        if not asked:
            return []
        port = sent[asked[-1]].source_port
        return [port for frame in sent[asked[-1] :] if frame.destination_port == port]

    port = until(answered, f"an answer to {name}")[0]
    # The client may have had the same port before.
    ((number,),) = wire.tshark(f'ip.src == {address} && udp.srcport == {port} && tftp.source_file == "{name}"', "frame.number")[-1:]
    shown = f"tftp && frame.number > {number} && ip.src == {SERVER} && ip.dst == {address} && udp.dstport == {port}"
    seen = wire.tshark(shown, "tftp.opcode", "tftp.error.code")
    assert {opcode for opcode, _ in seen} == {"5"}
    return [code for _, code in seen]


def test_a_phone_gets_its_own_configuration(bench: Bench, one: Leased, other: Leased) -> None:
    """TFT-9: rendered from the lease: its address, its block, its controllers."""
    for each in (one, other):
        status, said, octets = each.fetch("tftp-hpa", each.file)
        assert (status, said) == (0, "")
        lines = dict(line.split("=", 1) for line in octets.decode().splitlines() if "=" in line)
        assert (lines["mac"], lines["address"]) == (each.phone.mac, each.told["ip"])
        assert (lines["public_address"], lines["first_port"], lines["last_port"]) == tuple(map(str, each.ports))
        for key in ("megaco_port", "sip_port", "rtp_first_port", "rtp_last_port"):
            assert each.ports.first <= int(lines[key]) <= each.ports.last
        assert lines["mgcs"] == "198.51.100.10:2944,198.51.100.11:2944"
        assert lines["boot_file"] == IMAGE
    assert one.fetch("curl", one.file) == (0, "", one.fetch("busybox", one.file)[2])


def test_nobody_gets_his_neighbours_configuration(bench: Bench, one: Leased, other: Leased, wire: Capture) -> None:
    """TFT-9: access violation (code 2), for a phone that is here and for one that is not, and the operator is told."""
    for name in (one.file, "0200000000ff.cfg"):
        _, said, octets = other.fetch("tftp-hpa", name)
        assert octets == b""
        assert "Error code 2" in said
        assert refusals(wire, other, name) == ["2"]
    refused = bench.why(other.phone, "TFTP_REFUSED")
    assert any(one.file in row["text"] for row in refused)


TRAVERSALS = [
    "../sga.toml", "../../sga.toml", "../own.key", "images/../../sga/own.key", "..\\own.key", "/etc/passwd", "//etc/passwd",
    "./../own.key", "phone-1.0.bin/../../own.key", "link", "folder",
]  # fmt: skip


def test_names_that_lead_out_of_the_directory_are_refused(bench: Bench, one: Leased, wire: Capture) -> None:
    """TFT-4: neither dots nor slashes, nor a link, nor a directory gives anything but an error, and no octet of the key passes."""
    images: Path = bench.directory / GATEWAY / "images"
    (images / "link").symlink_to(bench.directory / GATEWAY / "own.key")
    (images / "folder").mkdir()
    secret = (bench.directory / GATEWAY / "own.key").read_bytes().splitlines()[1]
    for name in TRAVERSALS:
        _, said, octets = one.fetch("tftp-hpa", name)
        assert octets == b"", name
        assert "Error code" in said, (name, said)
    assert not [frame for frame in wire.frames() if secret in frame.payload]


def test_every_phone_may_write_nothing(bench: Bench, one: Leased, wire: Capture) -> None:
    """TFT-4: a write is answered by an error and changes no image."""
    source = bench.directory / "upload"
    source.write_bytes(b"mine")
    done = one.phone.net.run(one.phone.name, ["tftp", "-m", "binary", SERVER, "-c", "put", str(source), IMAGE], check=False)
    assert "Error code" in done.stdout + done.stderr
    assert len(image_of(bench)) == 300_000


def test_tshark_finds_nothing_wrong(wire: Capture) -> None:
    """TFT-2: of all that the server sent in this module nothing is malformed."""
    sent = wire.tshark(f"tftp && ip.src == {SERVER}", "tftp.opcode", "_ws.expert.message", "_ws.malformed")
    # tshark calls every error that a server reports an expert's matter.
    assert set(sent) == {("3", "", ""), ("6", "", ""), ("5", "TFTP ERROR packet", "")}
