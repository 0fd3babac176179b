"""The role ``manhole``: Python inside the process over SSH, and over telnet on loopback (MGT-2); off unless it is configured."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThreadPool

from voxpath.app import values
from voxpath.app.kinds import EndpointText
from voxpath.app.role import Role
from voxpath.core.errors import LocalError
from voxpath.manage.commands import Console
from voxpath.manage.event import ManholeOpened
from voxpath.manage.manhole import ssh, telnet
from voxpath.manage.manhole.gate import Gate
from voxpath.manage.manhole.keys import host_key
from voxpath.manage.manhole.names import names_of
from voxpath.model.event import Event

if TYPE_CHECKING:
    from voxpath.app.assembly import Process

BACKLOG = 8
"""Connections that the kernel keeps until they are accepted."""

WORDS = {
    "process": "the process: process.node is what its roles share (config, clock, bus, store)",
    "services": "its roles by name: services['dhcp'].server",
    "ledger": "the port ledger of the gateway: ledger.usage(process.node.clock.now())",
}
"""What the live objects are."""


class Absent:
    """Stands for a part that this process does not run at the moment."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise LocalError(self._reason)

    def __repr__(self) -> str:
        return self._reason


class ManholeRole(Role):
    """Lets visitors in, and shows them the process."""

    def __init__(self, process: "Process", console: Console) -> None:
        super().__init__("manhole", process.node.clock, process.node.bus)
        self._process = process
        self._console = console
        self._gate = Gate(self.clock, self._tell)
        self._ports: list[IListeningPort] = []

    async def begin(self) -> None:
        """Read the own key, or make it, then listen."""
        config = self._process.node.config
        options = config.manhole
        reactor: Any = self._process.node.reactor

        def in_thread(function: Callable[[], None]) -> "Deferred[None]":
            return deferToThreadPool(reactor, reactor.getThreadPool(), function)

        if options.ssh:
            key = host_key(values.in_state(config, options.host_key))
            authorized = values.in_state(config, options.authorized_keys)
            self._listen(ssh.WAY, options.ssh, ssh.Factory(reactor, self._gate, key, authorized, self.names))
        if options.telnet:
            passwords = values.in_state(config, options.passwords)
            self._listen(telnet.WAY, options.telnet, telnet.Factory(self._gate, in_thread, passwords, self.names))

    async def end(self) -> None:
        """Send everybody away and close the ports."""
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        self._ports = []
        self._gate.close()

    def silent(self) -> Mapping[str, int]:
        """Connections that were turned away, by reason."""
        return self._gate.refused

    def names(self) -> Mapping[str, object]:
        """What visitors find now: a role that was restarted has other objects than before."""
        process = self._process
        gateway = process.gateway
        ledger = gateway.ledger if gateway is not None and gateway.ready else Absent("the service gateway does not run here now")
        live = {"process": process, "services": {role.role: role for role in process.roles}, "ledger": ledger}
        return names_of(self._console, live, WORDS)

    def _listen(self, way: str, where: tuple[EndpointText, ...], factory: Any) -> None:
        for text in where:
            host, port = text.endpoint
            self._ports.append(self._process.node.reactor.listenTCP(port, factory, BACKLOG, host))
            self._tell(ManholeOpened(way=way, where=str(text)))

    def _tell(self, event: Event) -> None:
        self.bus.publish(self.role, event)
