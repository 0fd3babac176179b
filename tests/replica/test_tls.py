"""The pair over real, mutually authenticated TLS on loopback, with SQLite on both sides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, SSL4ServerEndpoint, TCP4ServerEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from tests.io.test_feed import identity, until
from tests.replica.pair import rows_of
from tests.replica.values import binding, contact, lease
from voxpath.core.effects import Put
from voxpath.io.clock import ServerClock
from voxpath.model.event import Event
from voxpath.replica.active import Active, State
from voxpath.replica.connection import Connection
from voxpath.replica.link import MAX_OF_HOST, StandbyFactory
from voxpath.replica.standby import Standby
from voxpath.replica.target import FileTarget
from voxpath.store.copy import SqliteCopy
from voxpath.store.sqlite import SqliteStore

CLOCK = ServerClock(reactor)

PATIENT_S = 60.0
"""So long an acknowledgement waits here: a busy disk is no reason to fail."""


def in_thread(step: Any) -> Deferred[Any]:
    return deferToThreadPool(reactor, reactor.getThreadPool(), step)


class Hosts:
    """An active server and a standby, each with files of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = trustme.CA()
        self.events: list[Event] = []
        self.standby_events: list[Event] = []
        self.number = 0
        self.port: Any = None
        self.active: Active | None = None

    async def listen(self, name: str = "sg-b", trusts: trustme.CA | None = None) -> None:
        self.copy = SqliteCopy(self.directory / "standby.db", in_thread)
        self.standby = Standby("sg-a", self.copy, CLOCK, self.standby_events.append)
        self.factory = StandbyFactory("sg-a", self.standby, FileTarget({}, in_thread), CLOCK, self.standby_events.append)
        known = identity(self.directory, self.authority, name)
        if trusts is not None:
            trusts.cert_pem.write_to_path(str(known.ca))
        options = known.server_options()
        self.port = await SSL4ServerEndpoint(reactor, self.number, options, interface="127.0.0.1").listen(self.factory)
        self.number = self.port.getHost().port

    async def unlisten(self) -> None:
        await self.port.stopListening()
        self.factory.close()
        await self.standby.quiet()
        await deferLater(reactor, 0.01)
        await self.copy.close()

    def connect(self, epoch: str, *, authority: trustme.CA | None = None, name: str = "sg-a", speaks_as: str = "sg-a") -> None:
        self.store = SqliteStore(self.directory / "active.db", reactor, epoch=epoch)
        self.active = self.store.gate = Active(speaks_as, "sg-b", self.store, CLOCK, self.events.append, PATIENT_S)
        options = identity(self.directory, authority or self.authority, name).client_options("sg-b")
        endpoint = wrapClientTLS(options, HostnameEndpoint(reactor, "127.0.0.1", self.number))
        self.connection = Connection(self.active, endpoint, CLOCK)
        self.connection.begin()

    async def disconnect(self) -> None:
        assert self.active is not None
        self.active.stop()
        await self.connection.end()
        await self.store.close()

    async def commit(self, *values: object) -> None:
        outcome: Deferred[str | None] = Deferred()
        self.store.commit(tuple(map(Put, values)), outcome.callback)
        assert await outcome is None

    @property
    def following(self) -> bool:
        return self.active is not None and self.active.state is State.FOLLOWING

    @property
    def equal(self) -> bool:
        return self.copy.position == self.store.position and rows_of(self.copy) == rows_of(self.store)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    return Hosts(tmp_path)


async def test_what_was_told_is_in_both_files(hosts: Hosts) -> None:
    """DHC-19: no wait of the test's own: at the moment of the acknowledgement the standby's file has it."""
    await hosts.listen()
    hosts.connect("e1")
    await until(lambda: hosts.following)
    for number in range(30):
        await hosts.commit(lease(number), binding(number), contact(number))
        assert hosts.equal
    await hosts.disconnect()
    await hosts.unlisten()


async def test_both_sides_end_and_begin_again_and_are_equal(hosts: Hosts) -> None:
    await hosts.listen()
    hosts.connect("e1")
    await until(lambda: hosts.following)
    await hosts.commit(lease(1))
    await hosts.unlisten()
    for number in range(2, 400):
        hosts.store.commit((Put(lease(number)),), lambda reason: None)
    await hosts.commit(lease(400))
    await hosts.listen()
    await until(lambda: hosts.following)
    assert hosts.equal
    await hosts.disconnect()
    hosts.connect("e2")
    await hosts.commit(lease(401))
    await until(lambda: hosts.following)
    assert hosts.equal
    assert [event.ID for event in hosts.events].count("STANDBY_SNAPSHOT") == 1
    await hosts.disconnect()
    await hosts.unlisten()


@pytest.mark.parametrize(
    ("fault", "told", "told_there"),
    [
        ({"authority": trustme.CA()}, "certificate is not of the authority in tls.ca", "does not take this host's certificate"),
        ({"name": "sg-x"}, "this is no certificate of sg-a", "this is no certificate of sg-a"),
        ({"speaks_as": "sg-x"}, "this is no certificate of sg-a", "this is no certificate of sg-a"),
    ],
    ids=["stranger's authority", "another host's certificate", "another host's name"],
)
async def test_nobody_else_writes_to_a_standby(hosts: Hosts, fault: dict[str, Any], told: str, told_there: str) -> None:
    """Both sides say why, in words, and nothing waits."""
    await hosts.listen()
    hosts.connect("e1", **fault)
    await hosts.commit(lease(1))
    await until(lambda: told in refusals(hosts.events) and told_there in refusals(hosts.standby_events))
    assert "[(" not in refusals(hosts.events) + refusals(hosts.standby_events), "no list of Python's"
    assert rows_of(hosts.copy)["lease"] == []
    assert not hosts.following
    await hosts.disconnect()
    await hosts.unlisten()


def refusals(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if event.ID == "STANDBY_REFUSED")


async def test_an_active_writes_to_its_own_standby_only(hosts: Hosts) -> None:
    await hosts.listen("sg-x")
    hosts.connect("e1")
    await until(lambda: "for another name than redundancy.peer" in refusals(hosts.events))
    assert not hosts.following
    await hosts.disconnect()
    await hosts.unlisten()


async def test_a_standby_that_does_not_take_our_certificate_is_told_of_in_words(hosts: Hosts) -> None:
    """Its authority is another one, while ours has signed its certificate."""
    both = trustme.CA()
    await hosts.listen(trusts=both)
    hosts.connect("e1")
    await until(lambda: "does not take this host's certificate" in refusals(hosts.events))
    await until(lambda: "certificate is not of the authority in tls.ca" in refusals(hosts.standby_events))
    await hosts.disconnect()
    await hosts.unlisten()


async def test_what_speaks_no_tls_is_told_of_in_words(hosts: Hosts) -> None:
    class Talker(Protocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            self.transport.write(b"SSH-2.0-nobody\r\n")

    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Talker))
    hosts.number = port.getHost().port
    hosts.connect("e1")
    await until(lambda: "no TLS could be agreed on" in refusals(hosts.events))
    await hosts.disconnect()
    await port.stopListening()


async def test_a_standby_that_is_down_is_unreachable_and_not_refused(hosts: Hosts) -> None:
    await hosts.listen()
    await hosts.unlisten()
    hosts.connect("e1")
    await until(lambda: "STANDBY_UNREACHABLE" in [event.ID for event in hosts.events])
    assert not refusals(hosts.events)
    event = next(event for event in hosts.events if event.ID == "STANDBY_UNREACHABLE")
    assert event.text == (
        "the standby sg-b cannot be reached: its host answers, but nothing listens there; "
        "start voxpath on it, or correct redundancy.address"
    )
    await hosts.listen()
    await until(lambda: hosts.following)
    await hosts.disconnect()
    await hosts.unlisten()


async def test_one_host_cannot_take_all_connections(hosts: Hosts) -> None:
    await hosts.listen()
    address = hosts.port.getHost()
    links = [hosts.factory.buildProtocol(address) for _ in range(MAX_OF_HOST + 1)]
    assert [link._refused for link in links] == [False] * MAX_OF_HOST + [True]
    await hosts.unlisten()
