"""Calls on their way from a controller to the gateways of their phones."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import fail, succeed

from tests.io.test_feed import CLOCK, PUBLIC, Site, until
from voxpath.core.errors import RemoteError
from voxpath.io import feed
from voxpath.io.calls import CallBegins, CallEnds, RemoteSessions, decode, encode
from voxpath.io.feed import Feed
from voxpath.model.media import MediaEnd, MediaSession

HERE = MediaEnd("02:00:00:00:00:01", PUBLIC, (2050, 2051), IPv4Address("10.0.0.1"))
THERE = MediaEnd("gateway_ut", IPv4Address("198.51.100.2"), (4000, 4001))
CALL = MediaSession("1", HERE, THERE)


@pytest.mark.parametrize("session", [CALL, MediaSession("a b", HERE, THERE._replace(ports=()), talking=False, limit_s=9.5)])
def test_a_session_is_read_as_it_was_written(session: MediaSession) -> None:
    assert decode(encode(session)) == session


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"\xff",
        encode(CALL).replace(b"203.0.113.1", b"203.0.113.999"),
        encode(CALL).replace(b"2050", b"0"),
        encode(CALL).replace(b"2050", b"65536"),
        encode(CALL).replace(b"2050", b'"x"'),
    ],
)
def test_what_is_no_session_is_refused(octets: bytes) -> None:
    with pytest.raises(RemoteError, match="a session cannot be read"):
        decode(octets)


def test_a_phone_s_name_is_made_safe() -> None:
    """It goes into events."""
    named = MediaSession("1", HERE._replace(phone="evil\x1b[2J" + 100 * "x"), THERE)
    phone = decode(encode(named)).first.phone
    assert phone.isprintable()
    assert len(phone) < 100


class Link:
    """A connection to a gateway.

    :ivar told: the commands that it was sent, by name, with their arguments.
    """

    def __init__(self, refuses: bool = False) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._refuses = refuses

    def callRemote(self, command: type[Any], **arguments: Any) -> Any:
        self.told.append((command.__name__, arguments))
        return fail(RemoteError("of another version")) if self._refuses else succeed({})


def two_sites(**links: Link) -> RemoteSessions:
    """Gateway ``a`` has our public address, gateway ``b`` the other one."""
    sessions = RemoteSessions(lambda public, port: {PUBLIC: "a", THERE.address: "b"}.get(public, ""))
    for gateway, link in links.items():
        sessions.linked(gateway, link)
    return sessions


def test_both_gateways_of_a_call_are_told_and_no_other_one() -> None:
    a, b, c = Link(), Link(), Link()
    sessions = two_sites(a=a, b=b, c=c)
    sessions.connect("mgc", CALL)
    sessions.disconnect("mgc", "1")
    sessions.disconnect("mgc", "1")
    begun = (CallBegins.__name__, {"role": "mgc", "session": encode(CALL)})
    assert a.told == b.told == [begun, (CallEnds.__name__, {"role": "mgc", "key": "1"})]
    assert c.told == []


@pytest.mark.parametrize("moved", [MediaSession("1", HERE, HERE), MediaSession("1", HERE, THERE, inside=True)])
def test_a_call_that_leaves_a_gateway_is_over_there(moved: MediaSession) -> None:
    """It was transferred, or goes by inside addresses now: what was open for it would stay so for ever."""
    b = Link()
    sessions = two_sites(b=b)
    sessions.connect("mgc", CALL)
    sessions.connect("mgc", moved)
    sessions.disconnect("mgc", "1")
    assert [name for name, _ in b.told] == ["CallBegins", "CallEnds"]


def test_a_call_is_over_where_it_was_told_whoever_has_its_ports_by_then() -> None:
    """The lease ended first, and nobody can tell any more which gateway it was."""
    gateways, a = {PUBLIC: "a"}, Link()
    sessions = RemoteSessions(lambda public, port: gateways.get(public, ""))
    sessions.linked("a", a)
    sessions.connect("mgc", CALL)
    gateways.clear()
    sessions.disconnect("mgc", "1")
    assert [name for name, _ in a.told] == ["CallBegins", "CallEnds"]


def test_calls_within_a_site_and_ends_without_ports_concern_nobody() -> None:
    a, b = Link(), Link()
    sessions = two_sites(a=a, b=b)
    sessions.connect("mgc", MediaSession("1", HERE, HERE, inside=True))
    sessions.connect("sip", MediaSession("2", HERE, THERE._replace(ports=()), limit_s=1.0))
    assert [name for name, _ in a.told] == ["CallBegins"]
    assert b.told == []


def test_a_gateway_that_connects_later_is_told_of_the_calls_that_go_on() -> None:
    """Of those with a signalled end: the others it has kept by itself."""
    sessions = two_sites()
    sessions.connect("mgc", CALL)
    sessions.connect("mgc", MediaSession("over", HERE, THERE))
    sessions.disconnect("mgc", "over")
    sessions.connect("sip", MediaSession("2", HERE, THERE, limit_s=1.0))
    sessions.connect("old", MediaSession("3", HERE, THERE))
    early = Link()
    sessions.linked("b", early)
    sessions.abandon("old")
    assert early.told[-1] == ("CallsForgotten", {"role": "old"})
    late = Link()
    sessions.linked("a", late)
    assert late.told == [("CallBegins", {"role": "mgc", "session": encode(CALL)})]


def test_the_end_of_an_older_connection_says_nothing_of_the_newer_one() -> None:
    old, new = Link(), Link()
    sessions = two_sites(a=old)
    sessions.linked("a", new)
    sessions.unlinked("a", old)
    sessions.connect("mgc", CALL)
    assert (len(old.told), len(new.told)) == (0, 1)
    sessions.unlinked("a", new)
    sessions.disconnect("mgc", "1")
    assert len(new.told) == 1


def test_a_gateway_of_another_version_is_left_alone() -> None:
    sessions = two_sites(a=Link(refuses=True))
    sessions.connect("mgc", CALL)
    sessions.disconnect("mgc", "1")


class Heard:
    """What a gateway is told of calls."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], MediaSession] = {}
        self.abandoned: list[str] = []

    def connect(self, role: str, session: MediaSession) -> None:
        self.calls[role, session.key] = session

    def disconnect(self, role: str, key: str) -> None:
        self.calls.pop((role, key), None)

    def abandon(self, role: str) -> None:
        self.abandoned.append(role)


class Told(Site):
    """The same as for the ledger, with calls the other way."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.feed.stop()
        self.heard = Heard()
        self.feed = Feed("sg-a", self.ledger, CLOCK, lambda name, up: self.gateway_links.append((name, up)), self.heard)
        self.ledger.watch(self.feed.changed)
        self.sessions = RemoteSessions(self.copy.gateway_of)

    async def listen(self, name: str = "mgc-1") -> None:
        await super().listen(name)
        assert self.factory is not None
        self.factory._sessions = self.sessions


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    return Told(tmp_path)


async def test_calls_go_back_over_the_ledgers_connection(told: Told) -> None:
    """With TLS in between: begun before the connection, during it, and over."""
    told.grant(1)
    block = told.ledger.bindings()[0].block
    call = MediaSession("1", HERE._replace(ports=(block.first,)), THERE)
    told.sessions.connect("mgc", call)
    await told.listen()
    told.connect()
    await until(lambda: told.heard.calls == {("mgc of mgc-1", "1"): call})
    told.sessions.disconnect("mgc", "1")
    await until(lambda: not told.heard.calls)
    told.sessions.connect("mgc", call)
    await until(lambda: bool(told.heard.calls))
    told.sessions.abandon("sip")
    await until(lambda: told.heard.abandoned == ["sip of mgc-1"])
    told.heard.abandoned.clear()
    await told.unlisten()
    await until(lambda: "mgc of mgc-1" in told.heard.abandoned)
    await told.listen()
    told.heard.calls.clear()
    await until(lambda: told.heard.calls == {("mgc of mgc-1", "1"): call})
    await told.end()


def test_a_subscriber_has_few_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names are kept."""
    monkeypatch.setattr(feed, "MOST_ROLES", 2)
    heard = Heard()
    made = Feed("sg-a", Any, CLOCK, lambda name, up: None, heard)
    for role in ("mgc", "sip", "mgc"):
        made.call_begins("mgc-1", role, CALL)
    with pytest.raises(RemoteError, match="no more than 2 roles"):
        made.call_begins("mgc-1", "third", CALL)
    made.call_begins("mgc-2", "third", CALL)
    assert {role for role, _ in heard.calls} == {"mgc of mgc-1", "sip of mgc-1", "third of mgc-2"}
    made.stop()
