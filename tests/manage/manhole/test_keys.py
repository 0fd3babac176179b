"""The server's own key and the keys that admit; both as OpenSSH's tools write them."""

import os
import stat
import subprocess
from pathlib import Path
from shutil import which

import pytest

from voxpath.core.errors import LocalError
from voxpath.manage.manhole.keys import KEYS_LIMIT, fingerprint, host_key, read_authorized, read_host_key

pytestmark = pytest.mark.skipif(which("ssh-keygen") is None, reason="needs OpenSSH's client (tests/live/install-programs)")


def keygen(path: Path, *options: str, comment: str = "op@desk") -> str:
    """Make a key pair by OpenSSH; give the public line."""
    argv = ["ssh-keygen", "-q", "-N", "", "-C", comment, "-f", str(path), *options]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path.with_name(path.name + ".pub").read_text()


def test_the_own_key_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "manhole" / "host_key"
    made = host_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert made.sshType() == b"ssh-ed25519"
    assert host_key(path) == made
    assert sorted(each.name for each in path.parent.iterdir()) == ["host_key"]
    told = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, check=True).stdout
    assert told.split()[:2] == made.public().toString("OPENSSH").split()[:2], "OpenSSH reads it as we do"


def test_what_a_crash_left_of_a_key_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "host_key.new").write_text("half")
    assert host_key(tmp_path / "host_key").type() == "Ed25519"


def refused(path: Path) -> str:
    with pytest.raises(LocalError) as caught:
        host_key(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "host_key"
    host_key(path)
    path.chmod(0o640)
    assert refused(path).endswith("chmod 600 it")
    path.chmod(0o600)
    path.write_text("nothing")
    assert "no private key" in refused(path)
    path.write_text(keygen(tmp_path / "pair"))
    assert "is a public key" in refused(path)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(tmp_path / "pair")], check=True)
    assert "without a passphrase" in refused(tmp_path / "pair")
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "no regular file" in refused(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert "No such file" in refused(tmp_path / "dangling")
    assert "cannot be made" in refused(tmp_path / "pair" / "below" / "host_key")


@pytest.mark.parametrize("options", [("-t", "ed25519"), ("-t", "ecdsa"), ("-t", "rsa", "-b", "2048")])
def test_keys_that_openssh_makes_admit_under_their_fingerprint_and_comment(tmp_path: Path, options: tuple[str, ...]) -> None:
    line = keygen(tmp_path / "id", *options, comment="Op at the \x1bdesk")
    (tmp_path / "keys").write_text(f"# ours\n\n{line}")
    (entry,) = read_authorized(tmp_path / "keys").values()
    told = subprocess.run(["ssh-keygen", "-l", "-f", str(tmp_path / "id.pub")], capture_output=True, text=True, check=True).stdout
    assert entry.name == f"{told.split()[1]} Op at the \\x1bdesk"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ssh-ed25519", "line 1: is no public key"),
        ("ssh-ed25519 AAAA", "is no public key"),
        ("ssh-ed25519 !!!! x", "is no public key"),
        ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA== x", "is no public key"),
        ('from="10.0.0.0/8" ssh-ed25519 AAAA', "options before a key are not supported"),
        ("\x1b[2J", "begins with no kind of key"),
        ("", "has no key"),
        ("# ssh-ed25519 AAAA", "has no key"),
        ("ssh-ed25519 \xff\xfe", "is no public key"),
    ],
)
def test_a_line_that_is_no_key_is_told_and_admits_nobody(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "keys").write_text(line, encoding="latin-1")
    with pytest.raises(LocalError, match=words) as caught:
        read_authorized(tmp_path / "keys")
    assert str(caught.value).isprintable()


def test_weak_keys_are_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(keygen(tmp_path / "id", "-t", "rsa", "-b", "1024"))
    with pytest.raises(LocalError, match="1024 bits; use 2048 or more"):
        read_authorized(tmp_path / "keys")


def test_a_file_that_others_can_change_admits_nobody(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(keygen(tmp_path / "id"))
    path.chmod(0o664)
    with pytest.raises(LocalError, match=r"others may change .*chmod go-w it"):
        read_authorized(path)
    path.chmod(0o644)
    assert len(read_authorized(path)) == 1
    os.chown(path, 12345, -1)
    with pytest.raises(LocalError, match="belongs to another user"):
        read_authorized(path)
    with pytest.raises(LocalError, match="No such file"):
        read_authorized(tmp_path / "none")
    with pytest.raises(LocalError, match="no path of a file"):
        read_authorized(Path("x\0y"))


def test_the_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("#" * 300_000)
    with pytest.raises(LocalError, match="shorten it"):
        read_authorized(path)
    path.write_text("".join(f"{_public()}\n" for _ in range(KEYS_LIMIT + 1)))
    with pytest.raises(LocalError, match=f"more than {KEYS_LIMIT} keys"):
        read_authorized(path)


def _public() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from twisted.conch.ssh.keys import Key

    key: Key = Key(Ed25519PrivateKey.generate()).public()
    return bytes(key.toString("OPENSSH")).decode()


def test_a_fingerprint_is_of_the_public_half(tmp_path: Path) -> None:
    key = host_key(tmp_path / "key")
    assert fingerprint(key.public()).startswith("SHA256:")
    assert fingerprint(read_host_key(tmp_path / "key").public()) == fingerprint(key.public())
