"""The role ``phone``: software IP phones on this machine's interface, as many as the configuration says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.internet.utils import getProcessOutputAndValue

from voxpath.app import values
from voxpath.app.node import Node
from voxpath.app.phone_ports import DhcpPort, PhonePorts
from voxpath.app.role import Role
from voxpath.core.effects import Effects
from voxpath.core.errors import LocalError
from voxpath.dhcp.client import DhcpClient
from voxpath.io.driver import Driver
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import PhoneRow
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import BootLease
from voxpath.phone.boot import BootSettings
from voxpath.phone.gateway import Gateway, LineState
from voxpath.phone.host import Disable, Enable, KeepImage, StoredImage
from voxpath.phone.media import Media
from voxpath.phone.phone import Phone
from voxpath.phone.user import User

NEXT_STEP = {"off-hook": "on-hook first", "on-hook": "nothing is left to do", "dial": "off-hook first"}
"""What to do when a line is not in the state that a command needs."""


class PhonesRole(Role):
    """Boots all phones, and lets commands use them."""

    def __init__(self, node: Node) -> None:
        super().__init__("phone", node.clock, node.bus)
        self._node = node
        self._phones: dict[str, tuple[User, Driver]] = {}
        self._dhcp: DhcpPort | None = None

    async def begin(self) -> None:
        """Power all phones on."""
        node, options = self._node, self._node.config.phone
        if options.dhcp:
            if not options.interface:
                raise LocalError('phone.interface names no interface for DHCP; write for example interface = "eth0"')
            self._dhcp = DhcpPort(node.reactor, options.interface, self.restart)
        for mac in values.phone_macs(node.config):
            user = self._make(mac)
            ports = PhonePorts(node.reactor, mac, self._dhcp)
            driver = Driver(self.role, user, node.clock, node.bus, ports=ports, answer=self._answer, on_fault=self.fault)
            node.own(self.role, driver)
            self._phones[str(mac)] = user, driver
            driver.act(user.start)

    async def end(self) -> None:
        """Power all phones off; their leases stay with the server."""
        for user, driver in self._phones.values():
            driver.act(user.stop)
        self._phones = {}
        await self._node.stop_drivers(self.role)
        if self._dhcp is not None:
            self._dhcp.close()
            self._dhcp = None

    # Commands.

    def rows(self) -> list[PhoneRow]:
        """All lines of all phones."""
        return [row for user, _ in self._phones.values() for row in _rows(user.phone)]

    def act(self, phone: str, verb: str, line: int, action: Callable[[User, float], Effects]) -> None:
        """Do something with a line of a phone.

        :raises CommandError: the phone or the line is not here, or is in no state for it.
        """
        if phone not in self._phones:
            raise CommandError(verb, f"there is no phone {printable(phone, 40)} in this process", "see phones")
        user, driver = self._phones[phone]
        gateway, lines = user.phone.gateway, self._node.config.phone.lines
        if not 1 <= line <= lines:
            raise CommandError(verb, f"{phone} has no line {line}", f"its lines are 1 to {lines}")
        if not isinstance(gateway, Gateway):
            raise CommandError(verb, f"{phone} is still booting, in state {user.phone.boot.state.name}", "wait, or see why")
        off_hook = gateway.state(line).off_hook
        if off_hook is (verb == "off-hook"):
            raise CommandError(verb, f"line {line} of {phone} is {'off' if off_hook else 'on'}-hook", NEXT_STEP[verb])
        driver.act(lambda now: action(user, now))

    # Making a phone.

    def _make(self, mac: Mac) -> User:
        config, entropy = self._node.config, self._node.entropy
        options = config.phone
        settings = BootSettings(mac, static=values.static_lease(config, mac), interface=options.interface)

        def gateway_of(lease: BootLease) -> Gateway:
            def media() -> Media:
                return Media(options.tone_hz, entropy, str(mac))

            return Gateway(lease, options.lines, entropy, media, values.gateway_settings(config))

        client = DhcpClient(mac, options.vendor_class, entropy)
        phone = Phone(settings, client, entropy, gateway_of, options.lines, self._stored(mac))
        return User(phone, values.habits(config, mac))

    def _memory_of(self, mac: Mac) -> Path:
        return values.in_state(self._node.config, self._node.config.phone.images) / mac.hex("-")

    def _stored(self, mac: Mac) -> StoredImage | None:
        """The image that the phone kept when it ran last (PHN-19)."""
        directory = self._memory_of(mac)
        found = sorted(directory.iterdir()) if directory.is_dir() else []
        return StoredImage(found[0].name, found[0].read_bytes()) if found else None

    # What phones ask of the machine.

    def _answer(self, question: object) -> "Deferred[object]":
        match question:
            case Enable():
                return Deferred.fromCoroutine(self._enable(question))
            case Disable(_, address, prefix_length):
                return Deferred.fromCoroutine(self._ip("addr", "del", f"{address}/{prefix_length}", "dev", self._interface))
            case KeepImage(mac, image):
                reactor: Any = self._node.reactor
                return deferToThreadPool(reactor, reactor.getThreadPool(), _keep, self._memory_of(mac), image)
        raise LocalError(f"phones do not ask {question!r}")

    @property
    def _interface(self) -> str:
        return self._node.config.phone.interface

    async def _enable(self, wanted: Enable) -> object:
        if not self._interface:
            # A static phone on loopback has its address already.
            return None
        await self._ip("addr", "replace", f"{wanted.address}/{wanted.prefix_length}", "dev", self._interface)
        if wanted.router is not None:
            await self._ip("route", "replace", "default", "via", str(wanted.router), "dev", self._interface)
        return None

    async def _ip(self, *arguments: str) -> object:
        _output, error, code = await getProcessOutputAndValue("ip", ("-4", *arguments), env=None)
        if code:
            raise LocalError(f"ip {' '.join(arguments)}: {printable(error.decode(errors='replace').strip())}")
        return None


def _keep(directory: Path, image: StoredImage) -> None:
    """Exchange the stored image; a phone has memory for one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = list(directory.iterdir())
    # Names come from the lease; only their last part can name a file here.
    place = directory / Path(image.name).name
    fresh = directory / f".{place.name}.new"
    fresh.write_bytes(image.content)
    fresh.replace(place)
    for path in old:
        if path != place:
            path.unlink()


def _rows(phone: Phone) -> list[PhoneRow]:
    view = phone.view()
    gateway = phone.gateway
    state = view.boot.name.lower()
    if isinstance(gateway, Gateway):
        state = f"{gateway.stage.value} at {gateway.controller}" if gateway.controller else gateway.stage.value
    address = str(view.lease.address) if view.lease is not None else ""
    if not view.lines:
        return [PhoneRow(view.phone, 1, state, "", address, 0.0, 0.0, 0, 0, 0)]
    return [
        _row(view.phone, number, state, address, line) for number, line in enumerate(view.lines, 1) if isinstance(line, LineState)
    ]


def _row(phone: str, number: int, state: str, address: str, line: LineState) -> PhoneRow:
    media = line.media
    if media is None:
        return PhoneRow(phone, number, state, line.sound.value, address, 0.0, 0.0, 0, 0, 0)
    counted = (media.packets_sent, media.packets_received, media.lost)
    return PhoneRow(phone, number, state, line.sound.value, address, media.tone_hz, round(media.level_dbm0, 1), *counted)
