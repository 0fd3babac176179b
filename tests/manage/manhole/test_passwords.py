"""The telnet manhole's passwords."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal
from voxpath.core.errors import LocalError
from voxpath.manage.manhole.passwords import COST, Entry, check, line_of, read_passwords

PASSWORD = "correct horse battery"
SALT = bytes(range(16))


def file_of(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "passwords"
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return path


def test_a_password_admits_and_another_one_does_not(tmp_path: Path) -> None:
    path = file_of(tmp_path, "# ours", "", line_of("op", PASSWORD, SALT))
    check(path, "op", PASSWORD)
    for user, password in (("op", PASSWORD + " "), ("op", ""), ("other", PASSWORD), ("", "")):
        with pytest.raises(LocalError, match="wrong user or password"):
            check(path, user, password)


def test_an_entry_holds_no_password_and_reads_back(tmp_path: Path) -> None:
    line = line_of("op", PASSWORD, SALT)
    assert PASSWORD not in line
    assert line != line_of("op", PASSWORD, bytes(16)), "the same password looks different elsewhere"
    (entry,) = read_passwords(file_of(tmp_path, line)).values()
    assert str(Entry.parse(str(entry))) == str(entry)
    assert entry.cost == COST


def test_a_stranger_takes_as_long_as_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody learns by the time of the answer who has a password; what is hashed for a stranger costs the same."""
    from voxpath.manage.manhole import passwords

    costs: list[tuple[int, int, int]] = []
    true_hash = passwords._hash

    def noted(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
        costs.append(cost)
        return true_hash(password, salt, cost)

    path = file_of(tmp_path, line_of("op", PASSWORD, SALT))
    monkeypatch.setattr(passwords, "_hash", noted)
    for user in ("op", "other"):
        with pytest.raises(LocalError):
            check(path, user, "wrong password")
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    "line",
    [
        "op",
        "op:secret",
        "op:scrypt$32768$8$1$AAAA$AAAA",
        ":scrypt$2$8$1$x$x",
        "o p:x",
        "op:md5$32768$8$1$JGGpYel41sWLowPjIqWbbQ==$iYHx0tk20pxE7f2BWqFk0eYa19m+W8z6PPEuzHYTGSc=",
        "op:scrypt$1073741824$8$1$JGGpYel41sWLowPjIqWbbQ==$iYHx0tk20pxE7f2BWqFk0eYa19m+W8z6PPEuzHYTGSc=",
        "op:scrypt$32768$8$1000$JGGpYel41sWLowPjIqWbbQ==$iYHx0tk20pxE7f2BWqFk0eYa19m+W8z6PPEuzHYTGSc=",
        "op:scrypt$32767$8$1$JGGpYel41sWLowPjIqWbbQ==$iYHx0tk20pxE7f2BWqFk0eYa19m+W8z6PPEuzHYTGSc=",
        "op:scrypt$0$8$1$JGGpYel41sWLowPjIqWbbQ==$iYHx0tk20pxE7f2BWqFk0eYa19m+W8z6PPEuzHYTGSc=",
        "op:scrypt$x$8$1$JGGpYel41sWLowPjIqWbbQ==$iYHx0tk20pxE7f2BWqFk0eYa19m+W8z6PPEuzHYTGSc=",
    ],
)
def test_a_line_that_is_no_entry_admits_nobody(tmp_path: Path, line: str) -> None:
    good = line_of("good", PASSWORD, SALT)
    with pytest.raises(LocalError, match="line 2: is no entry; make one by voxpath manhole-password USER"):
        read_passwords(file_of(tmp_path, good, line))


def test_a_file_that_others_can_read_or_that_says_nothing_admits_nobody(tmp_path: Path) -> None:
    line = line_of("op", PASSWORD, SALT)
    path = file_of(tmp_path, line)
    path.chmod(0o604)
    with pytest.raises(LocalError, match=r"others may read or change .*chmod 600 it"):
        read_passwords(path)
    with pytest.raises(LocalError, match="has no entry"):
        read_passwords(file_of(tmp_path, "# nobody"))
    with pytest.raises(LocalError, match="line 2: op has a line already"):
        read_passwords(file_of(tmp_path, line, line))


@pytest.mark.parametrize(
    ("user", "password"), [("op", "short"), ("op", "x" * 200), ("op", "tab\tand more of it"), ("o:p", PASSWORD)]
)
def test_a_password_that_is_short_or_cannot_be_typed_is_not_taken(user: str, password: str) -> None:
    with pytest.raises(LocalError):
        line_of(user, password, SALT)


COMMAND = [sys.executable, "-m", "voxpath.app.cli", "manhole-password", "op"]


def test_the_command_makes_a_line_from_a_pipe(tmp_path: Path) -> None:
    done = subprocess.run(COMMAND, input=f"{PASSWORD}\n", capture_output=True, text=True, check=True, timeout=60)
    check(file_of(tmp_path, done.stdout.strip()), "op", PASSWORD)
    for given in ("", "short\n"):
        done = subprocess.run(COMMAND, input=given, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_the_command_asks_twice_and_shows_nothing_of_what_is_typed(tmp_path: Path) -> None:
    with Terminal(COMMAND) as terminal:
        terminal.shows("password: ")
        terminal.types(f"{PASSWORD}\r")
        terminal.shows("once more: ")
        terminal.types(f"{PASSWORD}\r")
        assert terminal.ends() == 0
        assert PASSWORD not in terminal.seen
    line = next(line for line in terminal.seen.splitlines() if line.startswith("op:"))
    check(file_of(tmp_path, line), "op", PASSWORD)
    with Terminal(COMMAND) as terminal:
        terminal.shows("password: ")
        terminal.types(f"{PASSWORD}\r")
        terminal.shows("once more: ")
        terminal.types("something else entirely\r")
        assert terminal.ends() == 1
        assert "the two differ" in terminal.seen
