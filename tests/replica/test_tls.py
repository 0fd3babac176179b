"""The pair over real, mutually authenticated TLS on loopback, with SQLite on both sides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from twisted.application.internet import ClientService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, SSL4ServerEndpoint, wrapClientTLS
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from tests.io.test_feed import identity, until
from tests.replica.pair import rows_of
from tests.replica.values import binding, contact, lease
from voxpath.core.effects import Put
from voxpath.io.clock import ServerClock
from voxpath.model.event import Event
from voxpath.replica.active import Active, State
from voxpath.replica.link import MAX_OF_HOST, StandbyFactory, active_service
from voxpath.replica.standby import Standby
from voxpath.replica.target import FileTarget
from voxpath.store.copy import SqliteCopy
from voxpath.store.sqlite import SqliteStore

CLOCK = ServerClock(reactor)


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
        self.service: ClientService | None = None
        self.active: Active | None = None

    async def listen(self, name: str = "sg-b") -> None:
        self.copy = SqliteCopy(self.directory / "standby.db", in_thread)
        self.standby = Standby("sg-a", self.copy, CLOCK, self.standby_events.append)
        self.factory = StandbyFactory("sg-a", self.standby, FileTarget({}, in_thread), CLOCK, self.standby_events.append)
        options = identity(self.directory, self.authority, name).server_options()
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
        self.active = self.store.gate = Active(speaks_as, "sg-b", self.store, CLOCK, self.events.append)
        options = identity(self.directory, authority or self.authority, name).client_options("sg-b")
        endpoint = wrapClientTLS(options, HostnameEndpoint(reactor, "127.0.0.1", self.number))
        self.service = active_service(self.active, endpoint, reactor)
        self.service.startService()

    async def disconnect(self) -> None:
        assert self.service is not None
        assert self.active is not None
        self.active.stop()
        await self.service.stopService()
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
    ("fault", "told"),
    [
        ({"authority": trustme.CA()}, "the connection ended before"),
        ({"name": "sg-x"}, "this is no certificate of sg-a"),
        ({"speaks_as": "sg-x"}, "this is no certificate of sg-a"),
    ],
    ids=["stranger's authority", "another host's certificate", "another host's name"],
)
async def test_nobody_else_writes_to_a_standby(hosts: Hosts, fault: dict[str, Any], told: str) -> None:
    """Both sides say why, and nothing waits."""
    await hosts.listen()
    hosts.connect("e1", **fault)
    await hosts.commit(lease(1))
    await until(lambda: told in str(hosts.events) and "STANDBY_REFUSED" in [event.ID for event in hosts.standby_events])
    assert rows_of(hosts.copy)["lease"] == []
    assert not hosts.following
    await hosts.disconnect()
    await hosts.unlisten()


async def test_an_active_writes_to_its_own_standby_only(hosts: Hosts) -> None:
    await hosts.listen("sg-x")
    hosts.connect("e1")
    await until(lambda: "STANDBY_REFUSED" in [event.ID for event in hosts.events])
    assert not hosts.following
    await hosts.disconnect()
    await hosts.unlisten()


async def test_one_host_cannot_take_all_connections(hosts: Hosts) -> None:
    await hosts.listen()
    address = hosts.port.getHost()
    links = [hosts.factory.buildProtocol(address) for _ in range(MAX_OF_HOST + 1)]
    assert [link._refused for link in links] == [False] * MAX_OF_HOST + [True]
    await hosts.unlisten()
