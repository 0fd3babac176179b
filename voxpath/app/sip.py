"""The role ``sip``: registrar and redirect server."""

from collections.abc import Iterator, Mapping

from voxpath.app import values_sip
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.flow.triangle import select
from voxpath.io.driver import Driver
from voxpath.io.ports import UdpPorts
from voxpath.model.contact import Contact
from voxpath.ports.directory import Directory
from voxpath.sip.server import SipServer
from voxpath.sip.settings import PORT, SipSettings

SECRET_OCTETS = 32
"""Of the key that nonces are made with."""


class SipRole(Role):
    """Registers users and redirects their callers.

    :param directory: the ledger, or the copy of gateways' ledgers.
    :ivar settings: what the configuration says.
    :ivar directory: as above.
    :ivar core: the server; ``None`` while the role does not run.
    """

    def __init__(self, node: Node, directory: Directory) -> None:
        super().__init__("sip", node.clock, node.bus)
        self.settings: SipSettings = values_sip.sip_settings(node.config)
        self.directory = directory
        self.core: SipServer | None = None
        self._node = node

    async def begin(self) -> None:
        """Load the bindings and listen."""
        node = self._node
        # A new secret only means that each phone is asked for its credentials once more.
        self.core = SipServer(self.settings, select, node.entropy.randbytes(SECRET_OCTETS), self.directory)
        self.core.load(node.store.load(Contact), self.clock.now())
        ports = UdpPorts(node.reactor, self.restart)
        driver = Driver(self.role, self.core, node.clock, node.bus, ports=ports, store=node.store, on_fault=self.fault)
        node.own(self.role, driver)
        for text in node.config.sip.listen:
            ports.open(PORT, text.endpoint, driver.feed)

    async def end(self) -> None:
        """Finish the commits and close every port."""
        await self._node.stop_drivers(self.role)
        self.core = None

    def silent(self) -> Mapping[str, int]:
        """How many messages were not answered, and how many were refused, by reason."""
        return dict(self._counted()) if self.core is not None else {}

    def _counted(self) -> Iterator[tuple[str, int]]:
        assert self.core is not None
        yield from self.core.tally.silent.items()
        for reason, count in self.core.tally.refused.items():
            yield f"refused: {reason}", count
        yield "refused and not told, since too many were", self.core.tally.untold
