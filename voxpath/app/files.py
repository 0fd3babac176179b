"""The role ``tftp``: images from a directory, and a configuration file for each phone, rendered from its lease."""

from typing import Any, Protocol

from twisted.internet.threads import deferToThreadPool

from voxpath.app import values, values_sip
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.flow.files import FilePolicy
from voxpath.io.driver import Driver
from voxpath.io.files import FileSource
from voxpath.io.ports import UdpPorts
from voxpath.model.phone import Provision
from voxpath.tftp.server import PORT, TftpServer, TftpSettings


class Leases(Protocol):
    """What the file server needs to know of leases."""

    def phone_at(self, address: str) -> str:
        """The identity of the phone that holds this address; empty: nobody known."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now."""


class FileRole(Role):
    """Serves files."""

    def __init__(self, node: Node, leases: Leases) -> None:
        super().__init__("tftp", node.clock, node.bus)
        self._node = node
        self._leases = leases

    async def begin(self) -> None:
        """Listen on every configured address."""
        node, options = self._node, self._node.config.tftp
        reactor: Any = node.reactor
        source = FileSource(
            FilePolicy(self._leases, values_sip.accounts(node.config)),
            str(values.in_state(node.config, options.root)),
            lambda read: deferToThreadPool(reactor, reactor.getThreadPool(), read),
        )
        core = TftpServer(self._leases, node.entropy, TftpSettings(largest_block=options.blksize_max))
        ports = UdpPorts(reactor, self.restart)
        driver = Driver(self.role, core, node.clock, node.bus, ports=ports, answer=source.answer, on_fault=self.fault)
        node.own(self.role, driver)
        for text in options.listen:
            ports.open(PORT, text.endpoint, driver.feed)

    async def end(self) -> None:
        """Finish the commits and close every port; transfers under way end."""
        await self._node.stop_drivers(self.role)
