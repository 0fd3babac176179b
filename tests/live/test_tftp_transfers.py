"""Windows, writes, bursts, large images and ports of the TFTP server, with stock clients and on the wire (TFT-2, TFT-5, TFT-6)."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.bench.tftp import client
from tests.io.test_files import FORBIDDEN, SECRET, plant
from tests.live.capture import Capture
from tests.live.namespaces import Namespaces
from tests.live.sites import until
from voxpath.io.uploads import TEMPORARY
from voxpath.tftp.sending import PAUSE_S

pytestmark = pytest.mark.live

SERVER, PHONE, OTHER = "10.9.0.1", "10.9.0.2", "10.9.0.3"
BOX = "020000000a01"
IMAGE = Random(1).randbytes(300_000)
LOG = b"".join(b"line %d of the log\n" % number for number in range(4000))
SCRIPT = Path(__file__).parent / "tftp_serve.py"
BURST = 300
BLOCK, WINDOW, LOST = 1468, 16, 20
"""What is agreed with a client on a bad line, and the block that is lost there."""
MANY = 20
"""Files after which a server that is to be killed at a flush of a thread has been: strace counts those of each thread."""


class Site:
    """A gateway that serves files, a phone that holds a lease, and another host that holds none."""

    def __init__(self, net: Namespaces, directory: Path) -> None:
        self.net = net
        self.images, self.uploads = plant(directory), directory / "uploads"
        self._directory = directory
        (self.images / "f.bin").write_bytes(IMAGE)
        (directory / "log.txt").write_bytes(LOG)
        net.create("gw", "phone", "other")
        net.veth("gw", "p1", "phone", "eth0")
        net.veth("gw", "p2", "other", "eth0")
        net.bridge("gw", "lan", "p1", "p2")
        net.address("gw", "lan", f"{SERVER}/24")
        net.address("phone", "eth0", f"{PHONE}/24")
        net.address("other", "eth0", f"{OTHER}/24")

    @contextmanager
    def serving(self, *before: str, **settings: Any) -> Iterator[None]:
        """Run the server with these settings; ``before`` stands before its command line."""
        argv = [*before, sys.executable, str(SCRIPT), SERVER, str(self.images), PHONE, str(self.uploads), json.dumps(settings)]
        log = self._directory / "log"
        with log.open("w") as output, self.net.running("gw", argv, stdout=output, stderr=subprocess.STDOUT):
            self.tells("ready")
            yield

    @contextmanager
    def captured(self) -> Iterator[Capture]:
        """See what passes the LAN."""
        with Capture(self.net, "gw", "lan", self._directory, "udp") as capture:
            yield capture

    def told(self) -> str:
        return (self._directory / "log").read_text()

    def tells(self, text: str, times: int = 1) -> None:
        until(lambda: self.told().count(text) >= times, f"{text!r} {times} times in:\n{self.told()}", 20)

    def kept(self) -> dict[str, bytes]:
        """The files in the phone's box."""
        return {file.name: file.read_bytes() for file in (self.uploads / BOX).iterdir()}

    def put(self, program: str, name: str, host: str = "phone") -> subprocess.CompletedProcess[str]:
        """Let a client write the log."""
        return self.net.run(host, PUTS[program](str(self._directory / "log.txt"), name), check=False, timeout=60)


@pytest.fixture
def site(net: Namespaces, tmp_path: Path) -> Site:
    return Site(net, tmp_path)


PUTS: dict[str, Callable[[str, str], list[str]]] = {
    "tftp-hpa": lambda file, name: ["tftp", "-m", "binary", SERVER, "-c", "put", file, name],
    "curl": lambda file, name: ["curl", "-sS", "-m", "20", "-T", file, f"tftp://{SERVER}/{name}"],
    "atftp": lambda file, name: ["atftp", "-p", "-l", file, "-r", name, SERVER],
    "atftp in windows": lambda file, name: [
        "atftp", "--option", "blksize 1428", "--option", "windowsize 8", "-p", "-l", file, "-r", name, SERVER,
    ],
    "busybox": lambda file, name: ["busybox", "tftp", "-p", "-b", "1400", "-l", file, "-r", name, SERVER],
}  # fmt: skip


def test_every_client_writes_a_log_into_its_phones_box(site: Site) -> None:
    """TFT-5: octet by octet; the server says so once for each."""
    with site.serving(), site.captured() as wire:
        for program in PUTS:
            done = site.put(program, f"{program.replace(' ', '-')}.log")
            assert done.returncode == 0, (program, done.stdout + done.stderr)
        site.tells("TFTP_STORED", len(PUTS))
        assert set(site.kept().values()) == {LOG}
        assert len(site.kept()) == len(PUTS)
        assert "TFTP_REFUSED" not in site.told()
        is_sound(wire)


def test_text_is_kept_with_the_line_ends_of_this_side(site: Site) -> None:
    """TFT-5: netascii on the wire, LF on both disks."""
    with site.serving():
        site.net.run("phone", ["tftp", "-m", "ascii", SERVER, "-c", "put", str(site.uploads.parent / "log.txt"), "text.log"])
        site.tells("TFTP_STORED")
    assert site.kept() == {"text.log": LOG}


def test_a_phone_writes_the_same_log_at_each_boot_and_nothing_is_overwritten(site: Site) -> None:
    """TFT-5: create only."""
    with site.serving():
        for _ in range(3):
            assert site.put("curl", f"{BOX}-boot.log").returncode == 0
    assert set(site.kept()) == {f"{BOX}-boot.log", f"{BOX}-boot.log.2", f"{BOX}-boot.log.3"}


def test_only_a_phone_with_a_lease_writes_and_only_plain_names_into_its_own_box(site: Site) -> None:
    """TFT-5: error 2 for everything else, and nothing is written."""
    with site.serving():
        assert "only a phone that holds a lease" in heard(site.put("tftp-hpa", "app.log", "other"))
        for name in ("../evil", "sub/x.log", "020000000a02-app.log", "f.bin"):
            assert "Error code 2" in heard(site.put("tftp-hpa", name)), name
        site.tells("with error 2", 5)
    assert not site.uploads.exists()
    assert (site.images / "f.bin").read_bytes() == IMAGE


def tree(root: Path, *but: Path) -> dict[str, bytes | str]:
    """All files and links below a directory, but for some parts of it."""
    paths = [path for path in root.rglob("*") if not any(path.is_relative_to(part) for part in but)]
    return {str(path): str(path.readlink()) if path.is_symlink() else path.read_bytes() for path in paths if not path.is_dir()}


def say(site: Site, request: bytes, then: bytes = b"") -> bytes:
    """Send a request from the phone, as it is, and ``then`` to whoever answers it by an ACK; all that came back."""
    with site.net.entered("phone"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(5)
        phone.sendto(request, (SERVER, 69))
        answer, peer = phone.recvfrom(65536)
        if not then or not answer.startswith(b"\0\4"):
            return answer
        phone.sendto(then, peer)
        return answer + phone.recv(65536)


def answered(wire: Capture) -> list[bytes]:
    """What the server has sent."""
    return [frame.payload for frame in wire.frames() if frame.source == SERVER]


@pytest.mark.parametrize("mode", ["octet", "netascii"])
def test_no_name_of_the_corpus_leads_out_of_the_directories(site: Site, tmp_path: Path, mode: str) -> None:
    """TFT-4, TFT-5: each as a datagram of its own; a read is an error, and a write one or a new file in the phone's own box."""
    own = (site.uploads, tmp_path / "log", tmp_path / "gw-lan.pcap", tmp_path / "gw-lan.tcpdump")
    kept = tree(tmp_path, *own)
    with site.serving(), site.captured() as wire:
        for name in FORBIDDEN:
            rest = name.encode("utf-8", "surrogateescape") + b"\0" + mode.encode() + b"\0"
            assert say(site, b"\0\1" + rest).startswith(b"\0\5"), name
            assert say(site, b"\0\2" + rest, b"\0\3\0\1mine")[:2] in (b"\0\4", b"\0\5"), name
        answers = until(lambda: answered(wire)[2 * len(FORBIDDEN) - 1 :] and answered(wire), "all answers are seen")
    sent = b"".join(answers)
    assert SECRET not in sent
    assert b"root:" not in sent
    assert tree(tmp_path, *own) == kept
    assert set(site.kept().values()) <= {b"mine"}
    assert [path.name for path in site.uploads.iterdir()] == [BOX]
    assert not any(path.is_symlink() or path.is_dir() for path in (site.uploads / BOX).iterdir() if path.name != TEMPORARY)


def heard(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def test_too_large_a_file_and_a_full_box_are_error_3(site: Site) -> None:
    """TFT-5: size cap and quota."""
    log = site.uploads.parent / "log.txt"
    with site.serving():
        log.write_bytes(bytes((1 << 20) + 1))
        assert "Error code 3" in heard(site.put("tftp-hpa", "large.log"))
        log.write_bytes(bytes(1 << 20))
        assert site.put("curl", "first.log").returncode == 0
        assert "Error code 3" in heard(site.put("tftp-hpa", "second.log"))
    assert set(site.kept()) == {"first.log"}


def test_a_full_disk_is_error_3_with_nothing_half_left_and_the_server_goes_on(site: Site) -> None:
    """TFT-5: what is free is not exceeded, and whatever else is lacking is told once; with room again it is as before."""
    site.uploads.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=2", "none", str(site.uploads)], check=True)
    try:
        with site.serving():
            assert "Error code 3" in heard(site.put("tftp-hpa", "large.log"))
            site.tells("has no more above tftp.upload_floor")
            (site.uploads.parent / "log.txt").write_bytes(b"small")
            assert "Error code 3" in heard(site.put("tftp-hpa", "small.log"))
            site.tells("TFTP_REFUSED")
            assert site.told().count("No space left on device") == 1
            assert site.kept() == {}
            subprocess.run(["mount", "-o", "remount,size=64k,nr_inodes=9", str(site.uploads)], check=True)
            assert site.put("curl", "small.log").returncode == 0
            assert site.kept() == {"small.log": b"small"}
    finally:
        subprocess.run(["umount", str(site.uploads)], check=True)


def injected(what: str) -> list[str]:
    """The words before a command line that make the kernel's fsync do something else."""
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", f"inject=fsync:{what}"]


@pytest.mark.parametrize("flush", range(1, 5))
def test_what_was_acknowledged_survives_a_kill_at_any_flush(site: Site, flush: int) -> None:
    """TFT-5: killed at the n-th flush, the server leaves whole files alone, and at least those that a client was told of."""
    told = []
    with site.serving(*injected(f"signal=KILL:when={flush}")):
        for number in range(MANY):
            name = f"log-{number}"
            argv = [*PUTS["curl"](str(site.uploads.parent / "log.txt"), name), "-m", "3"]
            if site.net.run("phone", argv, check=False).returncode:
                break
            told.append(name)
    assert len(told) < MANY
    box = site.uploads / BOX
    kept = {file.name: file.read_bytes() for file in box.iterdir() if file.name != TEMPORARY} if box.exists() else {}
    assert set(told) <= set(kept)
    assert all(octets == LOG for octets in kept.values())


def test_a_flush_that_fails_is_error_0_and_nothing_is_kept(site: Site) -> None:
    """TFT-5: the disk says EIO; the phone is told, and the operator is told why."""
    with site.serving(*injected("error=EIO:when=2+")):
        assert "Error code 0" in heard(site.put("tftp-hpa", "a.log"))
        site.tells("Input/output error")
    assert site.kept() == {}


def test_atftp_reads_in_windows(site: Site, tmp_path: Path) -> None:
    """TFT-2 (RFC 7440): agreed, one ACK for each window, octet by octet."""
    to = tmp_path / "got"
    options = ("--option", "blksize 1428", "--option", "windowsize 8")
    with site.serving(), site.captured() as wire:
        site.net.run("phone", ["atftp", *options, "-g", "-r", "f.bin", "-l", str(to), SERVER])
        assert to.read_bytes() == IMAGE
        blocks = len(IMAGE) // 1428 + 1
        acks = wire.tshark("tftp.opcode == 4", "tftp.block")
        assert len(acks) <= blocks // 8 + 3
        assert any("windowsize" in row[0] for row in wire.tshark("tftp.opcode == 6", "tftp.option.name"))
        is_sound(wire)


def is_sound(wire: Capture) -> None:
    """TFT-2: tshark finds nothing wrong with what the server sent."""
    sent = wire.tshark(f"tftp && ip.src == {SERVER}", "tftp.opcode", "_ws.expert.message", "_ws.malformed")
    assert sent
    assert {row[1:] for row in sent} == {("", "")}


def load(site: Site, name: str, clients: int, block: int, window: int) -> dict[str, Any]:
    """Read a file by many clients at once."""
    argv = [sys.executable, client.__file__, SERVER, name, str(site.images / name), *map(str, (clients, block, window))]
    told: dict[str, Any] = json.loads(site.net.run("phone", argv, timeout=100).stdout)
    return told


@pytest.mark.parametrize("settings", [{}, {"data_ports": [40000, 40099]}], ids=["any port", "a range of a third"])
def test_no_request_of_a_burst_is_lost(site: Site, settings: dict[str, Any]) -> None:
    """TFT-2: as many phones ask at once when the power comes back; none has to ask again."""
    (site.images / "phone.cfg").write_bytes(IMAGE[:4096])
    with site.serving(**settings):
        told = load(site, "phone.cfg", BURST, 512, 1)
        assert (told["done"], told["lost"], told["reasons"]) == (BURST, 0, [])
        site.tells("TFTP_SERVED", BURST)


def test_an_image_of_100_mb_rolls_over_and_is_shared(site: Site, tmp_path: Path) -> None:
    """TFT-6: more than 65535 blocks; many phones read it, and the server does not grow by its size."""
    image = Random(2).randbytes(1 << 20) * 100
    (site.images / "large.img").write_bytes(image)
    to = tmp_path / "got"
    with site.serving():
        site.net.run("phone", ["tftp", "-m", "binary", SERVER, "-c", "get", "large.img", str(to)], timeout=100)
        assert to.stat().st_size == len(image)
        assert to.read_bytes() == image
        told = load(site, "large.img", 4, 1468, 16)
        assert (told["done"], told["reasons"]) == (4, [])
        assert resident_kib(site) < 80 * 1024
    assert len(image) // 1468 > 65535


def resident_kib(site: Site) -> int:
    """The most memory that the server has had."""
    listed = subprocess.run(["pgrep", "-f", f"{SCRIPT} {SERVER} {site.images}"], capture_output=True, text=True, check=True)
    status = Path(f"/proc/{listed.stdout.split()[0]}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


@pytest.mark.parametrize("settings", [{"data_ports": [40000, 40003]}, {"single_port": True}], ids=["range", "single"])
def test_every_client_passes_a_firewall_that_knows_the_ports(site: Site, tmp_path: Path, settings: dict[str, Any]) -> None:
    """TFT-2: with a range of data ports, and with one port for everything."""
    first, last = settings.get("data_ports", (69, 69))
    rules = (
        "add table ip fire; add chain ip fire in { type filter hook input priority 0; policy drop; };"
        f" add rule ip fire in udp dport {{ 69, {first}-{last} }} accept"
    )
    site.net.run("gw", ["nft", rules])
    gets = {
        "curl": ["curl", "-sS", "-m", "20", "-o", "TO", f"tftp://{SERVER}/f.bin"],
        "tftp-hpa": ["tftp", "-m", "binary", SERVER, "-c", "get", "f.bin", "TO"],
        "atftp": ["atftp", "--option", "windowsize 8", "-g", "-r", "f.bin", "-l", "TO", SERVER],
        "busybox": ["busybox", "tftp", "-g", "-b", "1400", "-l", "TO", "-r", "f.bin", SERVER],
    }
    with site.serving(**settings), site.captured() as wire:
        for program, argv in gets.items():
            to = tmp_path / program
            site.net.run("phone", [str(to) if word == "TO" else word for word in argv])
            assert to.read_bytes() == IMAGE, program
        for program in PUTS:
            assert site.put(program, "a.log").returncode == 0, program
        sources = {int(row[0]) for row in wire.tshark(f"udp && ip.src == {SERVER}", "udp.srcport")}
        assert sources <= {69, *range(first, last + 1)}


PLAIN_GETS = {
    "curl": ["curl", "-sS", "-m", "60", "--tftp-no-options", "-o", "TO", f"tftp://{SERVER}/small.bin"],
    "tftp-hpa": ["tftp", "-m", "binary", SERVER, "-c", "get", "small.bin", "TO"],
    "atftp": ["atftp", "-g", "-r", "small.bin", "-l", "TO", SERVER],
    "busybox": ["busybox", "tftp", "-g", "-l", "TO", "-r", "small.bin", SERVER],
}


@pytest.mark.parametrize("program", PLAIN_GETS)
def test_a_client_without_options_gets_its_file_although_all_is_lost_that_is_sent_by_itself(
    site: Site, tmp_path: Path, program: str
) -> None:
    """TFT-2: the first block goes to an address that has not answered twice; then the client's own repetition brings it."""
    (site.images / "small.bin").write_bytes(IMAGE[:2000])
    lose = (
        "add table netdev loss; add chain netdev loss in { type filter hook ingress device eth0 priority 0; };"
        f" add rule netdev loss in ip saddr {SERVER} udp length > 500 quota until 1100 bytes drop"
    )
    site.net.run("phone", ["nft", lose])
    to = tmp_path / program
    with site.serving():
        site.net.run("phone", [str(to) if word == "TO" else word for word in PLAIN_GETS[program]], timeout=60)
        assert to.read_bytes() == IMAGE[:2000]
    assert "used 1100 bytes" in site.net.run("phone", ["nft", "list", "ruleset"]).stdout, "two were lost"


def lossy(site: Site, what: str) -> None:
    """Lose some of the datagrams that come to the phone."""
    drop = (
        "add table netdev loss; add chain netdev loss in { type filter hook ingress device eth0 priority 0; };"
        f" add rule netdev loss in udp sport != 69 udp length > {BLOCK} {what} counter drop"
    )
    site.net.run("phone", ["nft", drop])


def lost(site: Site) -> int:
    """How many datagrams were lost."""
    listed = site.net.run("phone", ["nft", "list", "ruleset"]).stdout
    return int(listed.split("counter packets ", 1)[1].split()[0])


def test_a_lost_packet_halves_what_is_sent_at_once_and_costs_no_octet(site: Site) -> None:
    """TFT-2 (RFC 7440): the twentieth block is lost, in the second window; each later window leaves in two halves with a pause."""
    lossy(site, f"numgen inc mod {1 << 20} {LOST - 1}")
    with site.serving(), site.captured() as wire:
        told = load(site, "f.bin", 1, BLOCK, WINDOW)
        assert (told["done"], told["reasons"], told["repeated"], lost(site)) == (1, [], 1, 1)
        site.tells("TFTP_SERVED")
        # The last block is a short one.
        sent = wire.tshark(f"ip.src == {SERVER} && udp.length > {BLOCK}", "frame.time_relative")
    times = [float(time) for (time,) in sent][2 * WINDOW :]
    assert len(times) == len(IMAGE) // BLOCK - (LOST - 1)
    pauses = [times[at] - times[at - 1] for at in range(WINDOW // 2, len(times), WINDOW)]
    assert len(pauses) > 2
    # The timer of a pause is never early; the stamps of a capture are.
    assert min(pauses) > 0.9 * PAUSE_S


def test_a_line_that_loses_one_packet_in_fifty_costs_no_octet(site: Site) -> None:
    """TFT-2 (RFC 7440): eight clients at once."""
    lossy(site, "numgen random mod 50 0")
    with site.serving():
        told = load(site, "f.bin", 8, BLOCK, WINDOW)
        assert (told["done"], told["reasons"]) == (8, [])
        site.tells("TFTP_SERVED", 8)
    assert lost(site) > 0
    assert told["repeated"] > 0
