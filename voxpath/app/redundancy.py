"""The role ``redundancy``: this host's half of a pair of an active server and its standby."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint, SSL4ServerEndpoint, wrapClientTLS
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThreadPool

from voxpath.app import values
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.io.bus import Record
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import when
from voxpath.model.event import Event
from voxpath.model.phone import Provision
from voxpath.natreactor.event import TableLeft
from voxpath.natreactor.leftover import table_left
from voxpath.replica.active import Active
from voxpath.replica.connection import CONNECT_S, Connection
from voxpath.replica.filesync import FileSync
from voxpath.replica.link import StandbyFactory
from voxpath.replica.standby import Standby
from voxpath.replica.target import FileTarget
from voxpath.store.copy import SqliteCopy
from voxpath.store.interface import OpenGate
from voxpath.store.sqlite import SqliteStore
from voxpath.tftp.event import TftpStored


class Redundancy(Role):
    """What both halves have in common."""

    def __init__(self, node: Node) -> None:
        super().__init__("redundancy", node.clock, node.bus)
        self._node = node

    def facts(self) -> Iterator[tuple[str, str]]:
        """What an operator should know of the pair."""
        yield from ()

    def sync(self) -> "Deferred[None]":
        """Compare and copy all files now; raise :class:`CommandError` where that is not done."""
        raise NotImplementedError

    @property
    def in_thread(self) -> Callable[[Callable[[], Any]], "Deferred[Any]"]:
        """What runs a function in a thread of the reactor's pool."""
        reactor: Any = self._node.reactor
        return lambda step: deferToThreadPool(reactor, reactor.getThreadPool(), step)

    def tell(self, event: Event) -> None:
        """Publish an event."""
        self.bus.publish(self.role, event)


class ActiveRole(Redundancy):
    """Sends every change to the standby, and lets acknowledgements wait for it."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._active: Active | None = None
        self._files: FileSync | None = None
        self._link: Connection | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def begin(self) -> None:
        """Connect; until the standby follows nothing waits for it."""
        node, options = self._node, self._node.config.redundancy
        host, port = options.address.endpoint
        tcp = HostnameEndpoint(cast("Any", node.reactor), host, port, timeout=CONNECT_S)
        endpoint = wrapClientTLS(values.identity(node.config).client_options(options.peer), tcp)
        store = cast("SqliteStore", node.store)
        self._files = FileSync(values.replicated(node.config), node.clock, self.in_thread, self.tell)
        self._active = Active(node.config.name, options.peer, store, node.clock, self.tell, options.wait_s, self._files.use)
        store.gate = self._active
        self._link = Connection(self._active, endpoint, node.clock)
        self._link.begin()
        self._unsubscribe = self.bus.subscribe(self._heard)

    async def end(self) -> None:
        """Let everything that waits be told, then disconnect."""
        self._unsubscribe()
        if self._active is not None:
            cast("SqliteStore", self._node.store).gate = OpenGate()
            self._active.stop()
        if self._link is not None:
            await self._link.end()
        if self._files is not None:
            self._files.use(None)
        self._active = self._files = self._link = None

    def facts(self) -> Iterator[tuple[str, str]]:
        """What an operator should know of the standby."""
        if self._active is None or self._files is None:
            return
        yield from self._active.facts()
        yield "since", when(self._active.since)
        yield "last snapshot", when(self._active.last_snapshot)
        for name, state in self._files.facts().items():
            yield f"files {name}", state

    def _heard(self, record: Record) -> None:
        """A phone has written a file: it must not wait for the next look at the directories."""
        if isinstance(record.event, TftpStored) and self._files is not None:
            self._files.soon()

    def sync(self) -> "Deferred[None]":
        """Compare and copy all files now."""
        if self._files is None or self._active is None or not self._active.connected_now:
            raise CommandError("standby", "the standby is not connected", "see standby and events for the reason")
        return self._files.sync(whole=True)


class StandbyRole(Redundancy):
    """Keeps the copy of the active's state."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._standby: Standby | None = None
        self._factory: StandbyFactory | None = None
        self._port: IListeningPort | None = None

    async def begin(self) -> None:
        """Listen for the active."""
        node, options = self._node, self._node.config.redundancy
        host, port = options.address.endpoint
        tls = values.identity(node.config).server_options()
        self._standby = Standby(options.peer, cast("SqliteCopy", node.store), node.clock, self.tell)
        files = FileTarget(values.replicated(node.config), self.in_thread)
        self._factory = StandbyFactory(options.peer, self._standby, files, node.clock, self.tell)
        reactor: Any = node.reactor
        self._port = await SSL4ServerEndpoint(reactor, port, tls, interface=host).listen(self._factory)
        left = self._table_left()
        if left is not None:
            self.tell(left)

    async def end(self) -> None:
        """End the connection, after what the disk has begun."""
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        if self._factory is not None:
            self._factory.close()
        if self._standby is not None:
            await self._standby.quiet()
        self._port = self._factory = self._standby = None

    def facts(self) -> Iterator[tuple[str, str]]:
        """What an operator should know of the active."""
        if self._standby is None:
            return
        yield from self._standby.facts()
        yield "since", when(self._standby.since)
        yield "last snapshot", when(self._standby.last_snapshot)
        left = self._table_left()
        if left is not None:
            yield "NAT", left.text

    def _table_left(self) -> TableLeft | None:
        """What is left in the kernel of this host's time as the active one: nothing here changes it, nor removes it."""
        nat = self._node.config.nat
        return table_left(nat.table, nat.inside) if nat.backend != "memory" else None

    def sync(self) -> "Deferred[None]":
        """The active sends; it has to be asked."""
        raise CommandError("standby", "this is the standby", "ask the active server to send its files")


class NoLeases:
    """A standby serves images only: whose a phone's own file is, the active decides."""

    def phone_at(self, address: str, port: int) -> str:
        """Nobody is known."""
        return ""

    def provision_of(self, phone: str) -> Provision | None:
        """Nobody holds anything here."""
        return None
