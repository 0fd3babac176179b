"""Twenty thousand users of one SIP server, loaded by sipp: they register, refresh and are called; strangers are refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.cost import memory_kib
from tests.live.sipp import Sipp, users_file
from tests.live.sites import Stage

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

HOST, SERVER, CALLERS = "sip", "127.0.0.1:5060", 6060
DOMAIN = "voip.example"
PASSWORD = "7hUq-2mPz"
USERS, REFRESHES, CALLS = 20_000, 10_000, 4000
EACH_KIB = 4
"""Memory that a binding may take."""
AT_ONCE = 64
"""Calls under way at a time: a busy machine makes the load slower, and not the answers late."""
FASTEST = 4000
REPEATED = 0.05
"""The share of calls in which a request may be sent again: on a busy machine a process may stand still for half a second."""


class Crowd(Stage):
    """One SIP server alone, with all users."""

    def build(self) -> None:
        """Write the configuration and start."""
        self.net.create(HOST)
        users = "".join(f'[[user]]\nname = "{name}"\npassword = "{PASSWORD}"\n' for name in names())
        roles = "".join(f"[{role}]\nenabled = false\n" for role in ("dhcp", "tftp", "mgc"))
        self.write(HOST, f'{roles}[sip]\nlisten = ["{SERVER}"]\n[[domain]]\nname = "{DOMAIN}"\n{users}')
        self.start(HOST, "voxpath-sip")
        self.serving(HOST)


def names() -> list[str]:
    return [f"u{number:05}" for number in range(USERS)]


def credentials(user: str, password: str = PASSWORD) -> str:
    """A line of sipp's users file."""
    return f"{user};[authentication username={user} password={password}]"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with Crowd(tmp_path_factory.mktemp("crowd")) as made:
        made.build()
        yield made
        made.is_sound()


@pytest.fixture
def sipp(crowd: Crowd, tmp_path: Path) -> Sipp:
    return Sipp(crowd.net, HOST, "127.0.0.1", tmp_path)


def load(sipp: Sipp, scenario: str, users: Path, calls: int) -> None:
    """Make the calls; none may fail, and next to none may need a second request."""
    options = ("-inf", str(users), "-auth_uri", DOMAIN, "-l", str(AT_ONCE))
    outcome = sipp.run(scenario, SERVER, CALLERS, *options, calls=calls, rate=FASTEST, timeout_s=200)
    assert outcome.flawless, sipp.errors()
    assert outcome.done == calls
    assert outcome.repeated <= REPEATED * calls


def test_twenty_thousand_users_register_and_refresh(crowd: Crowd, sipp: Sipp, tmp_path: Path) -> None:
    """DNT-15: each by digest; refreshes take next to no further memory, and all bindings are told."""
    process = crowd.processes[HOST]
    users = users_file(tmp_path / "users", [credentials(name) for name in names()])
    before = memory_kib(process.pid)
    load(sipp, "register.xml", users, USERS)
    after = memory_kib(process.pid)
    assert after - before < EACH_KIB * USERS
    load(sipp, "register.xml", users, REFRESHES)
    assert memory_kib(process.pid) - after < EACH_KIB * REFRESHES / 2
    assert len(crowd.rows(HOST, "bindings")) == USERS


def test_their_callers_are_redirected(crowd: Crowd, sipp: Sipp, tmp_path: Path) -> None:
    users = users_file(tmp_path / "users", names())
    load(sipp, "redirected.xml", users, CALLS)


@pytest.mark.parametrize(
    ("scenario", "lines"),
    [
        ("refused.xml", [credentials(name, "wrong") for name in names()[:1000]]),
        ("refused.xml", [credentials(f"nobody{number}") for number in range(1000)]),
        ("nobody.xml", [f"nobody{number}" for number in range(1000)]),
    ],
    ids=["wrong passwords", "unknown users", "unknown callees"],
)
def test_what_is_refused_is_refused_at_any_rate(crowd: Crowd, sipp: Sipp, tmp_path: Path, scenario: str, lines: list[str]) -> None:
    load(sipp, scenario, users_file(tmp_path / "users", lines), CALLS)
    assert len(crowd.rows(HOST, "bindings")) == USERS
