"""Windows, bursts, large images, ports and bad lines of the TFTP server, with stock clients and on the wire (TFT-2, TFT-6)."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest

from tests.bench.tftp import client
from tests.live.namespaces import Namespaces
from tests.live.tftpsite import IMAGE, PUTS, SCRIPT, SERVER, Site, is_sound
from voxpath.tftp.sending import PAUSE_S

pytestmark = pytest.mark.live

BURST = 300
BLOCK, WINDOW, LOST = 1468, 16, 20
"""What is agreed with a client on a bad line, and the block that is lost there."""


@pytest.fixture
def site(net: Namespaces, tmp_path: Path) -> Site:
    return Site(net, tmp_path)


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
    # A server that waits for a processor in the middle of a half sends its end late, and the rest in time: not each pause is whole.
    assert median(pauses) > 0.9 * PAUSE_S


def test_a_line_that_loses_one_packet_in_fifty_costs_no_octet(site: Site) -> None:
    """TFT-2 (RFC 7440): eight clients at once."""
    lossy(site, "numgen random mod 50 0")
    with site.serving():
        told = load(site, "f.bin", 8, BLOCK, WINDOW)
        assert (told["done"], told["reasons"]) == (8, [])
        site.tells("TFTP_SERVED", 8)
    assert lost(site) > 0
    assert told["repeated"] > 0
