"""The manhole with stock clients: OpenSSH from another host, telnet on the gateway itself, and octets that are neither."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, Bench
from tests.live.sites import SITE_A, until
from tests.terminal import Terminal
from voxpath.manage.manhole.passwords import line_of

pytestmark = pytest.mark.live

PASSWORD = "correct horse battery"
PORT = 2222
TELNET_PORT = 2323
CONSOLE = f"""
[manhole]
ssh = ["{SITE_A.wan}:{PORT}"]
telnet = ["127.0.0.1:{TELNET_PORT}"]
"""
KINDS = {"ed25519": (), "ecdsa": (), "rsa": ("-b", "2048")}


class Console(Bench):
    """A gateway with a manhole, and an operator outside with his keys."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.operator = directory / "operator"
        self.operator.mkdir()

    def begin_with(self, extra: str) -> None:
        """Lay cables, make keys and passwords, and start the gateway."""
        self.build()
        self.write_gateway(SITE_A, extra)
        folder = self.directory / GATEWAY / "manhole"
        folder.mkdir(mode=0o700)
        public = [self.make_key(kind, *options) for kind, options in KINDS.items()]
        (folder / "authorized_keys").write_text("".join(public))
        (folder / "passwords").write_text(line_of("op", PASSWORD, bytes(16)) + "\n")
        (folder / "passwords").chmod(0o600)
        self.begin()

    def make_key(self, name: str, *options: str) -> str:
        """Make a key pair; give the public line."""
        kind = name if name in KINDS else "ed25519"
        path = self.operator / name
        argv = ["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-C", f"{name}@desk", "-f", str(path)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return path.with_name(f"{name}.pub").read_text()

    def fingerprint(self, name: str) -> str:
        """What ``ssh-keygen -l`` tells of a key."""
        argv = ["ssh-keygen", "-l", "-f", str(self.operator / f"{name}.pub")]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]

    def ssh(self, *options: str, key: str = "ed25519", checking: str = "accept-new") -> list[str]:
        """Command line of OpenSSH's client that uses nothing of the host's own configuration and keys."""
        settings = (
            f"UserKnownHostsFile={self.operator / 'known_hosts'}",
            f"StrictHostKeyChecking={checking}",
            "IdentitiesOnly=yes",
        )
        own = ["-F", "none", "-i", str(self.operator / key), "-p", str(PORT), "-l", "op"]
        return ["ssh", *own, *(word for each in settings for word in ("-o", each)), *options, SITE_A.wan]

    def runs(self, command: str, **named: str) -> "subprocess.CompletedProcess[str]":
        """Run one command in the manhole."""
        return self.net.run(OUTSIDE, [*self.ssh(**named), command], check=False)

    def sits_at(self, name: str, argv: list[str]) -> Terminal:
        """Start a program on a host, at a terminal."""
        return Terminal(self.net.argv(name, argv))

    def audit(self, kind: str) -> list[str]:
        """What ``ctl events`` tells of one kind."""
        return [str(event["text"]) for event in self.events(kind)]

    def listeners(self) -> set[str]:
        """TCP ports that the gateway listens on, as the kernel tells (proc(5))."""
        table = self.net.run(GATEWAY, ["cat", "/proc/self/net/tcp", "/proc/self/net/tcp6"]).stdout
        return {line.split()[1] for line in table.splitlines() if line.split()[3] == "0A"}

    def memory_kib(self) -> int:
        """The gateway's largest memory so far."""
        status = Path(f"/proc/{self.processes[GATEWAY].pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None, status
        return int(found[1])


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("manhole")) as made:
        made.begin_with(CONSOLE)
        yield made
        made.is_sound()


def test_an_operator_looks_a_lease_up_and_releases_it(console: Console) -> None:
    """MGT-2: OpenSSH at a terminal; the phone's lease and its way through the NAPPT are gone, and the audit tells who did it."""
    phone = console.phone()
    told = phone.udhcpc()
    assert console.row_of("leases", phone)["state"] == "held"
    assert len(console.kernel()) == 1
    with console.sits_at(OUTSIDE, console.ssh("-tt")) as terminal:
        terminal.shows(">>> ")
        terminal.types(f"[str(each.address) for each in leases('{phone.mac}')]\r")
        terminal.shows(f"['{told['ip']}']")
        terminal.shows(">>> ")
        terminal.types("len(ledger.bindings()) > 0, services['dhcp'].state.value, process.node.config.name\r")
        terminal.shows(f"(True, 'running', '{GATEWAY}')")
        terminal.shows(">>> ")
        terminal.types("blocks\r")
        terminal.shows(f"{phone.mac}  {SITE_A.public}:")
        terminal.shows(">>> ")
        terminal.types(f"ctl('release', '{phone.mac.upper()}')\r")
        terminal.shows("released  ")
        assert console.row_of("leases", phone)["state"] == "expired"
        assert console.row_of("blocks", phone)["state"] == "quarantined"
        assert console.kernel() == set()
        terminal.types("\r")
        terminal.shows(">>> ")
        terminal.types("\x04")
        assert terminal.ends() == 0
    who = f"op ({console.fingerprint('ed25519')} ed25519@desk)"
    assert console.audit("MANHOLE_ENTERED")[-1].startswith(f"{who} entered the manhole by SSH from 198.51.100.254:")
    lines = [event["line"] for event in console.events("MANHOLE_LINE")]
    assert lines[-1] == f"ctl('release', '{phone.mac.upper()}')"
    until(lambda: console.audit("MANHOLE_LEFT"), "the audit tells that he left")
    log = console.whole_log()
    assert f"MANHOLE_LINE {who} from 198.51.100.254:" in log
    assert "MANHOLE_OPENED the manhole is open by SSH at 198.51.100.1:2222: whoever may log in" in log


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_each_kind_run_one_command(console: Console, kind: str) -> None:
    done = console.runs("ctl('status').rows[0].value", key=kind)
    assert (done.returncode, done.stdout) == (0, f"'{GATEWAY}'\n"), done.stderr
    refused = console.runs("ctl('release', '02:00:00:00:00:99')", key=kind)
    assert (refused.returncode, refused.stdout) == (1, "release: 02:00:00:00:00:99 holds no lease; see leases\n")


def test_a_script_from_a_pipe_waits_for_what_it_began(console: Console) -> None:
    phone = console.phone()
    phone.udhcpc()
    script = f"for each in leases():\n    print(each.phone)\n\nctl('release', '{phone.mac}')\n"
    done = console.net.run(OUTSIDE, console.ssh("-T"), input=script, check=False)
    assert done.returncode == 0, done.stderr
    assert phone.mac in done.stdout
    assert "released  " in done.stdout
    assert console.row_of("leases", phone)["state"] == "expired"


def test_a_wrong_key_and_passwords_are_refused(console: Console) -> None:
    console.make_key("stranger")
    before = len(console.audit("MANHOLE_ENTERED"))
    done = console.runs("1", key="stranger")
    assert done.returncode == 255
    assert "Permission denied (publickey)." in done.stderr, "no other way is offered"
    told = console.audit("MANHOLE_LOGIN_REFUSED")[-1]
    assert told.startswith(f"op ({console.fingerprint('stranger')}) was refused by the manhole (SSH from 198.51.100.254:")
    assert f"MANHOLE_LOGIN_REFUSED op ({console.fingerprint('stranger')})" in console.whole_log()
    for method in ("password", "keyboard-interactive"):
        argv = console.ssh("-o", f"PreferredAuthentications={method}", "-o", "PubkeyAuthentication=no")
        with console.sits_at(OUTSIDE, argv) as terminal:
            terminal.shows("Permission denied (publickey).")
            assert terminal.ends() == 255
            assert "password:" not in terminal.seen.lower()
    assert len(console.audit("MANHOLE_ENTERED")) == before


def test_nothing_but_the_manhole_is_reached_through_it(console: Console) -> None:
    forwarding = console.net.run(OUTSIDE, console.ssh("-W", f"127.0.0.1:{TELNET_PORT}"), check=False, input="")
    assert "administratively prohibited" in forwarding.stderr
    files = console.net.run(OUTSIDE, [*console.ssh("-s"), "sftp"], check=False)
    assert files.returncode != 0
    assert "subsystem request failed" in files.stderr


def test_the_servers_own_key_stays_the_same_over_a_restart(console: Console) -> None:
    assert console.runs("1").returncode == 0
    own = console.directory / GATEWAY / "manhole" / "host_key"
    assert own.stat().st_mode & 0o777 == 0o600
    console.end(GATEWAY)
    console.begin()
    again = console.runs("1", checking="yes")
    assert (again.returncode, again.stdout) == (0, "1\n"), again.stderr
    assert "authenticity" not in again.stderr


def test_telnet_on_the_gateway_itself_with_a_wrong_and_a_right_password(console: Console) -> None:
    with console.sits_at(GATEWAY, ["telnet", "127.0.0.1", str(TELNET_PORT)]) as terminal:
        for password, answer in (("not this one", "not admitted"), (PASSWORD, ">>> ")):
            terminal.shows("user: ")
            terminal.types("op\r")
            terminal.shows("password: ")
            terminal.types(f"{password}\r")
            terminal.shows(answer)
        terminal.types("ctl('status')\r")
        terminal.shows("\nname ")
        assert terminal.shows(f" {GATEWAY}\n").isspace(), "the width of a column is not its matter"
        terminal.shows(">>> ")
        terminal.types("\x04")
        terminal.ends()
        assert "not this one" not in terminal.seen
        assert PASSWORD not in terminal.seen
    assert console.audit("MANHOLE_LOGIN_REFUSED")[-1].endswith(": wrong user or password")
    assert console.audit("MANHOLE_ENTERED")[-1].startswith("op entered the manhole by telnet from 127.0.0.1:")
    assert console.events("MANHOLE_LINE")[-1]["line"] == "ctl('status')"
    assert not any(PASSWORD in event["text"] for event in console.events("MANHOLE_LOGIN_REFUSED"))


def test_telnet_is_not_reached_from_another_host(console: Console) -> None:
    with console.tcp(OUTSIDE, 0) as outside, pytest.raises(ConnectionRefusedError):
        outside.connect((SITE_A.wan, TELNET_PORT))


@pytest.mark.parametrize(
    ("host", "address", "port", "octets"),
    [
        (OUTSIDE, SITE_A.wan, PORT, b"\0"),
        (OUTSIDE, SITE_A.wan, PORT, b"SSH-2.0-x\r\n" + b"\0"),
        (GATEWAY, "127.0.0.1", TELNET_PORT, b"\0"),
        (GATEWAY, "127.0.0.1", TELNET_PORT, b"\xff\xfa" + b"\0"),
    ],
)
def test_a_stream_of_zeros_costs_nothing(console: Console, host: str, address: str, port: int, octets: bytes) -> None:
    """Twisted had buffers without bounds before a login: the connection is ended early, and phones are served meanwhile."""
    before = console.memory_kib()
    with console.tcp(host, 0) as stream:
        stream.connect((address, port))
        with pytest.raises(OSError, match=r"reset|pipe"):
            stream.sendall(octets + bytes(256 * 1024 * 1024))
    assert console.phone().udhcpc()["ip"]
    assert console.memory_kib() - before < 8 * 1024
    assert console.audit("MANHOLE_REFUSED")


def test_nothing_listens_when_it_is_off(tmp_path: Path) -> None:
    with Console(tmp_path) as made:
        made.begin_with("")
        assert "manhole" not in {row["role"] for row in made.ask("roles")}
        assert made.listeners() == set()
        with made.tcp(OUTSIDE, 0) as outside, pytest.raises(ConnectionRefusedError):
            outside.connect((SITE_A.wan, PORT))
        assert not (made.directory / GATEWAY / "manhole" / "host_key").exists()
        made.is_sound()
