"""The role ``mgc``: the media gateway controller, and its copy of the gateways' ledgers."""

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.interfaces import IListeningPort

from voxpath.app import values
from voxpath.app.event import FeedLink
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.flow.route import NumberPlan
from voxpath.flow.triangle import select
from voxpath.io.calls import RemoteSessions
from voxpath.io.driver import Driver, Sessions
from voxpath.io.ports import UdpPorts
from voxpath.io.subscription import SubscriptionFactory
from voxpath.megaco.mgc import Controller
from voxpath.model.registration import Registration
from voxpath.ports.copy import LedgerCopy
from voxpath.ports.directory import Directory

PORT = "megaco"


class ControllerRole(Role):
    """Registers gateways and connects calls.

    :param directory: the ledger, or the copy of gateways' ledgers.
    :param sessions: who is told of calls: the gateway beside it, or those on other hosts; ``None``: nobody.
    :ivar core: the controller; ``None`` while the role does not run.
    """

    def __init__(self, node: Node, directory: Directory, sessions: Sessions | None = None) -> None:
        super().__init__("mgc", node.clock, node.bus)
        self.core: Controller | None = None
        self._node = node
        self._directory = directory
        self._sessions = sessions

    async def begin(self) -> None:
        """Load the registrations and listen."""
        node, options = self._node, self._node.config.mgc
        plan = NumberPlan(values.lines(node.config), options.dial_plan)
        self.core = Controller(values.controller_settings(node.config), plan, select, node.entropy, self._directory)
        self.core.load(node.store.load(Registration))
        ports = UdpPorts(node.reactor, self.restart)
        driver = Driver(
            self.role,
            self.core,
            node.clock,
            node.bus,
            ports=ports,
            store=node.store,
            sessions=self._sessions,
            on_fault=self.fault,
        )
        node.own(self.role, driver)
        for text in options.listen:
            ports.open(PORT, text.endpoint, driver.feed)

    async def end(self) -> None:
        """Finish what was begun and close."""
        await self._node.stop_drivers(self.role)
        self.core = None
        if self._sessions is not None:
            self._sessions.abandon(self.role)


class SubscriptionRole(Role):
    """Keeps copies of the port ledgers of gateways on other hosts."""

    def __init__(self, node: Node) -> None:
        super().__init__("subscription", node.clock, node.bus)
        self.copy = LedgerCopy()
        self.sessions = RemoteSessions(self.copy.gateway_of)
        self._node = node
        self._factory: SubscriptionFactory | None = None
        self._port: IListeningPort | None = None

    async def begin(self) -> None:
        """Listen for gateways."""
        config = self._node.config
        host, port = config.subscription.listen.endpoint
        options = values.identity(config).server_options()
        self._factory = SubscriptionFactory(self.copy, self.clock, self._link, sessions=self.sessions)
        reactor: Any = self._node.reactor
        self._port = await SSL4ServerEndpoint(reactor, port, options, interface=host).listen(self._factory)

    async def end(self) -> None:
        """End all connections; the copies are stale then."""
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
            self._port = None
        if self._factory is not None:
            self._factory.close()
            self._factory = None

    def _link(self, gateway: str, fresh: bool) -> None:
        self.bus.publish(self.role, FeedLink(name=gateway, state="up" if fresh else "down: its copy is stale and not used"))
