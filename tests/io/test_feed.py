"""The ledger's feed over real, mutually authenticated TLS on loopback: the copy equals the ledger, and tells when it is stale."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import trustme
from twisted.application.internet import ClientService
from twisted.internet import reactor
from twisted.internet.address import IPv4Address as Address
from twisted.internet.endpoints import HostnameEndpoint, SSL4ServerEndpoint, wrapClientTLS
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport

from voxpath.core.errors import LocalError
from voxpath.io.clock import ServerClock
from voxpath.io.feed import Feed
from voxpath.io.subscription import MAX_OF_HOST, SILENCE_S, Receiver, SubscriptionFactory
from voxpath.io.tls import Identity
from voxpath.ports.copy import LedgerCopy
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import Pool
from voxpath.testing.clock import VirtualClock

PUBLIC = IPv4Address("203.0.113.1")
CLOCK = ServerClock(reactor)


def identity(directory: Path, authority: trustme.CA, name: str) -> Identity:
    made = authority.issue_cert(name, common_name=name)
    files = Identity(directory / f"{name}.ca", directory / f"{name}.pem", directory / f"{name}.key")
    authority.cert_pem.write_to_path(str(files.ca))
    made.cert_chain_pems[0].write_to_path(str(files.certificate))
    made.private_key_pem.write_to_path(str(files.key))
    return files


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the network; the test's own time limit ends a wait in vain."""
    while not condition():
        await deferLater(reactor, 0.005)


class Site:
    """A gateway with a ledger that feeds one subscriber."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = trustme.CA()
        self.ledger = Ledger([Pool(PUBLIC, 2048, 65535, "site-a")])
        self.copy = LedgerCopy()
        self.gateway_links: list[tuple[str, bool]] = []
        self.subscriber_links: list[tuple[str, bool]] = []
        self.feed = Feed("sg-a", self.ledger, CLOCK, lambda name, up: self.gateway_links.append((name, up)))
        self.ledger.watch(self.feed.changed)
        self.port: Any = None
        self.number = 0
        self.factory: SubscriptionFactory | None = None
        self.service: ClientService | None = None

    async def listen(self, name: str = "mgc-1") -> None:
        options = identity(self.directory, self.authority, name).server_options()
        self.factory = SubscriptionFactory(self.copy, CLOCK, lambda who, up: self.subscriber_links.append((who, up)))
        self.port = await SSL4ServerEndpoint(reactor, self.number, options, interface="127.0.0.1").listen(self.factory)
        self.number = self.port.getHost().port

    def connect(self, authority: trustme.CA | None = None, own_name: str = "sg-a", peer: str = "mgc-1") -> None:
        options = identity(self.directory, authority or self.authority, own_name).client_options(peer)
        endpoint = wrapClientTLS(options, HostnameEndpoint(reactor, "127.0.0.1", self.number))
        self.service = self.feed.service("mgc-1", endpoint)
        self.service.startService()

    def grant(self, number: int) -> None:
        change = self.ledger.grant(f"02:00:00:00:00:{number:02x}", 64, IPv4Address(f"10.0.0.{number}"), "site-a", 0.0)
        self.ledger.settle(change)

    @property
    def equal(self) -> bool:
        return self.copy.fresh("sg-a") and set(self.copy.bindings("sg-a")) == set(self.ledger.bindings())

    async def unlisten(self) -> None:
        assert self.factory is not None
        await self.port.stopListening()
        self.factory.close()

    async def end(self) -> None:
        self.feed.stop()
        if self.service is not None:
            await self.service.stopService()
        await self.unlisten()
        # The last connection's end is told in a later turn.
        await deferLater(reactor, 0.01)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    return Site(tmp_path)


async def test_a_copy_begins_with_a_snapshot_and_follows_every_change(site: Site) -> None:
    for number in range(1, 251):
        site.grant(number)
    await site.listen()
    site.connect()
    await until(lambda: site.equal)
    assert site.subscriber_links == [("sg-a", True)]
    site.grant(251)
    site.ledger.settle(site.ledger.release("02:00:00:00:00:01", 1.0))
    await until(lambda: site.equal)
    row = site.copy.holder_of(PUBLIC, site.ledger.binding_of("02:00:00:00:00:fb").block.first)
    assert row is not None
    assert row.private == IPv4Address("10.0.0.251")
    await site.end()


async def test_a_lost_link_makes_the_copy_stale_and_the_next_one_begins_anew(site: Site) -> None:
    site.grant(1)
    await site.listen()
    site.connect()
    await until(lambda: site.equal)
    await site.unlisten()
    await until(lambda: not site.copy.fresh("sg-a"))
    assert site.copy.holder_of(PUBLIC, 2048) is None
    site.grant(2)
    await site.listen()
    # The gateway hears of it only by the answer.
    await until(lambda: site.equal and len(site.gateway_links) == 3)
    assert [up for _, up in site.subscriber_links] == [True, False, True]
    assert [up for _, up in site.gateway_links] == [True, False, True]
    await site.end()


async def test_a_gateway_cannot_speak_for_another_one(site: Site) -> None:
    await site.listen()
    site.connect(own_name="sg-b")
    await deferLater(reactor, 0.3)
    assert (site.gateway_links, site.subscriber_links) == ([], [])
    assert not site.copy.fresh("sg-a")
    await site.end()


@pytest.mark.parametrize("fault", ["stranger's authority", "wrong subscriber"])
async def test_a_certificate_of_another_authority_or_name_gets_no_link(site: Site, fault: str) -> None:
    site.grant(1)
    await site.listen()
    if fault == "wrong subscriber":
        site.connect(peer="mgc-2")
    else:
        site.connect(authority=trustme.CA())
    await deferLater(reactor, 0.3)
    assert not site.copy.fresh("sg-a")
    assert site.subscriber_links == []
    await site.end()


def test_missing_tls_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"none\.pem"):
        Identity(tmp_path / "none.ca", tmp_path / "none.pem", tmp_path / "none.key").server_options()


def connected(factory: SubscriptionFactory, host: str = "198.51.100.1") -> tuple[Receiver, StringTransport]:
    """A connection that was taken, before anything was heard on it."""
    receiver = factory.buildProtocol(Address("TCP", host, 40000))
    transport = StringTransport()
    receiver.makeConnection(transport)
    return receiver, transport


def test_a_connection_that_says_nothing_is_cut() -> None:
    """Whoever connects and never even shows a certificate must not keep a place for ever."""
    clock = Clock()
    factory = SubscriptionFactory(LedgerCopy(), VirtualClock(clock), lambda who, up: None)
    _, transport = connected(factory)
    clock.advance(SILENCE_S)
    assert transport.disconnected


def test_one_host_cannot_take_all_connections() -> None:
    """A further connection is cut at once, and makes no error; other hosts find room."""
    factory = SubscriptionFactory(LedgerCopy(), VirtualClock(Clock()), lambda who, up: None)
    taken = [connected(factory)[1] for _ in range(MAX_OF_HOST)]
    receiver, transport = connected(factory)
    assert transport.disconnected
    assert not any(each.disconnected for each in taken)
    assert not connected(factory, "198.51.100.2")[1].disconnected
    receiver.connectionLost()
    assert connected(factory)[1].disconnected


def test_the_late_end_of_a_replaced_connection_leaves_the_copy_fresh() -> None:
    """After a power cut the gateway connects anew, long before its old connection is found dead."""
    copy, links = LedgerCopy(), []
    factory = SubscriptionFactory(
        copy, VirtualClock(Clock()), lambda who, up: links.append(up), lambda receiver: frozenset({"sg-a"})
    )
    old, transport = connected(factory)
    for receiver in (old, connected(factory)[0]):
        receiver.begin("sg-a")
        receiver.ready(1)
    assert transport.disconnected
    old.connectionLost()
    assert copy.fresh("sg-a")
    assert links == [True, True]
