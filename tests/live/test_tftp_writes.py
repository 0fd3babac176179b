"""Phones write logs by TFTP: into their own box, within limits, never over anything, whatever names and disks do (TFT-5)."""

import socket
import subprocess
from pathlib import Path

import pytest

from tests.io.test_files import FORBIDDEN, SECRET
from tests.live.capture import Capture
from tests.live.namespaces import Namespaces
from tests.live.sites import until
from tests.live.tftpsite import BOX, IMAGE, LOG, PUTS, SERVER, Site, is_sound
from voxpath.io.uploads import TEMPORARY

pytestmark = pytest.mark.live

MANY = 20
"""Files after which a server that is to be killed at a flush of a thread has been: strace counts those of each thread."""


@pytest.fixture
def site(net: Namespaces, tmp_path: Path) -> Site:
    return Site(net, tmp_path)


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
