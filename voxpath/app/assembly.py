"""Puts the roles of one process together (GEN-2): from the options of a ``twistd`` command to its service."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TypeVar, cast

from msgspec import structs
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred

from voxpath.app import values
from voxpath.app.check import check, load, machine_for, notes, off
from voxpath.app.controller import ControllerRole, SubscriptionRole
from voxpath.app.decode import LINE_LIMIT, Decoded
from voxpath.app.event import PartOff, Started
from voxpath.app.facts import ProcessFacts
from voxpath.app.files import FileRole
from voxpath.app.gateway import GatewayRole
from voxpath.app.manhole import ManholeRole
from voxpath.app.node import Node, Reactor
from voxpath.app.options import Options
from voxpath.app.parts import Part
from voxpath.app.phones import PhonesRole
from voxpath.app.redundancy import ActiveRole, NoLeases, Redundancy, StandbyRole
from voxpath.app.role import Role, RoleState
from voxpath.app.schema import Config
from voxpath.app.sip import SipRole
from voxpath.app.values_nat import CALL_AWARE
from voxpath.core.errors import LocalError
from voxpath.io.driver import Sessions
from voxpath.manage.commands import Console
from voxpath.manage.control import ControlService, is_stale
from voxpath.model.event import printable
from voxpath.ports.directory import Directory, NoDirectory

NO_CALLS = (
    'media: off, since nat.mode is "call-aware" and this process has neither controller nor SIP server to tell of calls: '
    'start the command that runs both, name the controller in [[subscriber]], or write mode = "open"'
)

SomeRole = TypeVar("SomeRole", bound=Role)


class Process(MultiService):
    """All roles of one process; they start in order, and stop in the opposite one.

    :param parts: the parts that this command starts; of them, those run that the configuration has.
    """

    def __init__(self, node: Node, parts: Sequence[Part]) -> None:
        super().__init__()
        self.node = node
        self.roles: list[Role] = []
        self.gateway: GatewayRole | None = None
        self.files: FileRole | None = None
        self.controller: ControllerRole | None = None
        self.sip: SipRole | None = None
        self.phones: PhonesRole | None = None
        self.redundancy: Redundancy | None = None
        config = node.config
        if config.redundancy.role == "standby" and Part.PHONES not in parts:
            # Whatever else would write to the store has to wait until this host is the active one.
            parts = ()
            self._add_standby(config)
        elif config.redundancy.role == "active" and Part.PHONES not in parts:
            # First, so that the others' first commits find it, and last at the end.
            self.redundancy = self._add(ActiveRole(node))
        if Part.GATEWAY in parts:
            self._add_gateway(config)
        calls = {part for part, role in ((Part.CONTROLLER, config.mgc), (Part.SIP, config.sip)) if part in parts and role.enabled}
        if calls:
            directory, sessions = self._gateways(config)
        if Part.CONTROLLER in calls:
            self.controller = self._add(ControllerRole(node, directory, sessions))
        if Part.SIP in calls:
            self.sip = self._add(SipRole(node, directory, sessions))
        if Part.PHONES in parts:
            self.phones = self._add(PhonesRole(node))
        node.on_reopened = self._read_anew
        console = Console(ProcessFacts(self), node.memory)
        if config.manhole.ssh or config.manhole.telnet:
            self._add(ManholeRole(self, console))
        if config.control.enabled:
            socket = values.in_state(config, config.control.socket)
            ControlService(node.reactor, socket, console, config.control.mode).setServiceParent(self)

    def startService(self) -> None:
        """Start all roles, and state what is off."""
        config = self.node.config
        if self.phones is None:
            for what in off(config, machine_for(config)):
                self.node.bus.publish("voxpath", PartOff(what=what))
        knows = self.controller or self.sip or config.subscribers
        if self.gateway is not None and config.nat.mode == CALL_AWARE and not knows:
            self.node.bus.publish("voxpath", PartOff(what=NO_CALLS))
        super().startService()
        begun = (role for role in self.roles if role.state is not RoleState.PAUSED)
        roles = (f"{role.role} ({role.detail})" if role.detail else role.role for role in begun)
        self.node.bus.publish("voxpath", Started(name=config.name, roles=", ".join(roles)))

    def stopService(self) -> Deferred[None]:
        """Stop all roles, each after what it had begun is finished; then close the store."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await super().stopService()
        await self.node.close()

    def _read_anew(self, failure: str) -> None:
        """After a failure of the disk nobody knows which of the refused changes are in the file: the roles load it again."""
        for role in (self.gateway, self.controller, self.sip):
            if role is not None and role.state is RoleState.RUNNING:
                role.reload(f"{printable(failure)}; it is good again and read anew, but look at the disk: room, health")

    def _add_gateway(self, config: Config) -> None:
        self.gateway = self._add(GatewayRole(self.node))
        if config.tftp.enabled:
            self.files = self._add(FileRole(self.node, self.gateway))

    def _add_standby(self, config: Config) -> None:
        self.redundancy = self._add(StandbyRole(self.node))
        if config.tftp.enabled:
            self.files = self._add(FileRole(self.node, NoLeases()))

    def _gateways(self, config: Config) -> tuple[Directory, Sessions | None]:
        """Who knows phones' ports, and who has to know of calls.

        The own ledger knows best; a role without a gateway beside it may have copies of gateways' ledgers.
        """
        subscription = self._add(SubscriptionRole(self.node)) if config.subscription.enabled else None
        if self.gateway is not None:
            return self.gateway, self.gateway.sessions
        return (subscription.copy, subscription.sessions) if subscription is not None else (NoDirectory(), None)

    def _add(self, role: SomeRole) -> SomeRole:
        role.setServiceParent(self)
        self.roles.append(role)
        return role


def make_service(parts: Sequence[Part], options: Options) -> IService:
    """What ``twistd`` calls: read and check the configuration, and make the process.

    :raises SystemExit: the configuration is wrong, with a line for every problem; ``twistd`` shows them without a traceback.
    """
    config = _configuration(options)
    if Part.PHONES in parts and config.phone.dhcp and not config.phone.interface:
        raise SystemExit("phone.interface: not set; name the interface that DHCP runs on, or write dhcp = false and [phone.static]")
    if options["check"]:
        parts_off = off(config, machine_for(config)) if Part.PHONES not in parts else ()
        for line in (*parts_off, *notes(config, Path(options["config"]) if options["config"] else None)):
            print(f"note: {line}")
        print("the configuration can be started here")
        raise SystemExit(0)
    reactor = cast("Reactor", import_module("twisted.internet.reactor"))
    try:
        if config.control.enabled:
            is_stale(values.in_state(config, config.control.socket))
        node = Node.make(config, reactor)
    except (LocalError, OSError) as error:
        raise SystemExit(printable(str(error), LINE_LIMIT)) from error
    return Process(node, parts)


def _configuration(options: Options) -> Config:
    config, problems = load(Path(options["config"])) if options["config"] else Decoded(Config(), ())
    if config is not None and options.get("shim"):
        config = structs.replace(config, phone=structs.replace(config.phone, shim=True))
        problems = check(config, machine_for(config))
    if config is None or problems:
        source = printable(options["config"] or "the loopback set", LINE_LIMIT)
        raise SystemExit("\n".join(f"{source}: {problem}" for problem in problems))
    return config
