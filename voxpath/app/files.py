"""The role ``tftp``: images from a directory, a configuration file for each phone, rendered from its lease, and drop boxes."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from voxpath.app import values, values_sip
from voxpath.app.node import Node
from voxpath.app.role import Role
from voxpath.app.schema import Config
from voxpath.flow.files import FilePolicy
from voxpath.flow.uploads import UploadPolicy
from voxpath.io.driver import Driver
from voxpath.io.files import FileSource
from voxpath.io.gathered import Gathered
from voxpath.io.ports import UdpPorts
from voxpath.io.uploads import BoxLimits, Uploads
from voxpath.model.phone import Provision
from voxpath.tftp.question import Admit, Keep
from voxpath.tftp.server import TftpServer
from voxpath.tftp.session import PORT


class Leases(Protocol):
    """What the file server needs to know of leases."""

    def phone_at(self, address: str) -> str:
        """The identity of the phone that holds this address; empty: nobody known."""

    def provision_of(self, phone: str) -> Provision | None:
        """What this phone holds now."""


class FileRole(Role):
    """Serves files, and keeps what phones write.

    :ivar uploads: the phones' drop boxes; ``None``: nobody may write, or the role does not run.
    """

    def __init__(self, node: Node, leases: Leases) -> None:
        super().__init__("tftp", node.clock, node.bus)
        self._node = node
        self._leases = leases
        self.uploads: Uploads | None = None

    async def begin(self) -> None:
        """Listen on every configured address."""
        node, config = self._node, self._node.config
        reactor: Any = node.reactor
        source = FileSource(
            FilePolicy(self._leases, values_sip.accounts(config), images=[entry.image for entry in config.classes]),
            str(values.in_state(config, config.tftp.root)),
            self._in_thread,
        )
        self.uploads = self._boxes(config)
        core = TftpServer(self._leases, node.entropy, values.tftp_settings(config))
        ports = UdpPorts(Gathered(reactor), self.restart)
        answer = answerer(source, self.uploads)
        driver = Driver(self.role, core, node.clock, node.bus, ports=ports, answer=answer, on_fault=self.fault)
        node.own(self.role, driver)
        for text in config.tftp.listen:
            ports.open(PORT, text.endpoint, driver.feed)

    async def end(self) -> None:
        """Finish the commits and close every port; transfers under way end."""
        await self._node.stop_drivers(self.role)
        self.uploads = None

    def _boxes(self, config: Config) -> Uploads | None:
        options = config.tftp
        if not options.uploads:
            return None
        root, images = (str(values.in_state(config, path)) for path in (options.uploads, options.root))
        limits = BoxLimits(options.upload_octets, options.upload_quota)
        return Uploads(UploadPolicy(self._leases), root, images, limits, self._in_thread)

    def _in_thread(self, work: Callable[[], Any]) -> "Deferred[Any]":
        reactor: Any = self._node.reactor
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)


def answerer(source: FileSource, uploads: Uploads | None) -> Callable[[object], "Deferred[object]"]:
    """Who answers which question of the file server."""

    def answer(question: object) -> "Deferred[object]":
        if isinstance(question, Admit | Keep):
            assert uploads is not None, "the core refuses every write"
            return uploads.answer(question)
        return source.answer(question)

    return answer
