"""Stock TFTP clients read from our server (TFT-1, TFT-2, TFT-4, TFT-9, PHN-16)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.namespaces import Namespaces
from tests.live.tftpsite import IMAGE, SERVER, Site

pytestmark = pytest.mark.live

EVEN = IMAGE[: 512 * 100]
"""A file that ends with a whole block."""


@pytest.fixture
def site(net: Namespaces, tmp_path: Path) -> Iterator[Site]:
    made = Site(net, tmp_path)
    (made.images / "even.bin").write_bytes(EVEN)
    (made.images / "text.txt").write_bytes(b"one\ntwo\n")
    with made.serving(read_only=True):
        yield made


CLIENTS: dict[str, Callable[[str, str], list[str]]] = {
    "tftp-hpa": lambda name, to: ["tftp", "-m", "binary", SERVER, "-c", "get", name, to],
    "curl": lambda name, to: ["curl", "-sS", "-m", "20", "-o", to, f"tftp://{SERVER}/{name}"],
    "curl without options": lambda name, to: ["curl", "-sS", "-m", "20", "--tftp-no-options", "-o", to, f"tftp://{SERVER}/{name}"],
    "atftp": lambda name, to: ["atftp", "-g", "-r", name, "-l", to, "--option", "blksize 1428", SERVER],
    "atftp all options": lambda name, to: [
        "atftp", "--option", "blksize 8192", "--option", "tsize 0", "--option", "timeout 3", "-g", "-r", name, "-l", to, SERVER,
    ],
    "busybox": lambda name, to: ["busybox", "tftp", "-g", "-b", "1400", "-l", to, "-r", name, SERVER],
}  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_reads_files_octet_by_octet(site: Site, tmp_path: Path, client: str) -> None:
    for name, content in {"f.bin": IMAGE, "even.bin": EVEN}.items():
        to = tmp_path / f"got-{name}"
        site.net.run("phone", CLIENTS[client](name, str(to)))
        assert to.read_bytes() == content
    site.tells("TFTP_SERVED 10.9.0.2", 2)
    assert "TFTP_ABORTED" not in site.told()


CURL_NOT_FOUND = 68
"""curl's exit code for TFTP error 1, and for no other."""


@pytest.mark.parametrize("client", ["tftp-hpa", "curl", "busybox"])
def test_a_client_is_told_that_a_file_is_not_there(site: Site, tmp_path: Path, client: str) -> None:
    """TFT-4: ERROR 1."""
    done = site.net.run("phone", CLIENTS[client]("none.bin", str(tmp_path / "got")), check=False)
    assert done.returncode == CURL_NOT_FOUND or "no such file" in (done.stdout + done.stderr).lower()
    site.tells("with error 1")


def test_a_phone_reads_its_own_configuration_and_nobody_elses(site: Site, tmp_path: Path) -> None:
    """TFT-9: the file goes to the address that holds the lease of its MAC."""
    name = "020000000a01.cfg"
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    site.net.run("phone", CLIENTS["curl"](name, str(mine)))
    assert "rtp_first_port=2050\nrtp_last_port=2111\n" in mine.read_text()
    done = site.net.run("other", CLIENTS["curl"](name, str(theirs)), check=False)
    assert done.returncode != 0
    assert not theirs.exists() or not theirs.read_bytes()
    site.tells("refused 020000000a01.cfg with error 2")


def test_nothing_outside_the_directory_is_served(site: Site, tmp_path: Path) -> None:
    done = site.net.run("phone", ["busybox", "tftp", "-g", "-l", str(tmp_path / "got"), "-r", "../secret", SERVER], check=False)
    assert done.returncode != 0
    site.tells("with error 2")


def test_a_file_cannot_be_written(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    done = site.net.run("phone", ["busybox", "tftp", "-p", "-l", str(tmp_path / "mine"), "-r", "new.bin", SERVER], check=False)
    assert done.returncode != 0
    site.tells("read only")


def test_text_mode_ends_lines_as_the_client_has_them(site: Site, tmp_path: Path) -> None:
    """netascii on the wire, LF on both disks."""
    to = tmp_path / "got.txt"
    site.net.run("phone", ["tftp", "-m", "ascii", SERVER, "-c", "get", "text.txt", str(to)])
    assert to.read_bytes() == b"one\ntwo\n"
