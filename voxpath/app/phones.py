"""The role ``phone``: software IP phones on this machine's interface, as many as the configuration says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.internet.utils import getProcessOutputAndValue

from voxpath.app import values, values_phone
from voxpath.app.node import Node
from voxpath.app.phone_ports import DhcpPort, PhonePorts, deaf
from voxpath.app.role import Role
from voxpath.app.shim import ShimHost
from voxpath.core.effects import Effects
from voxpath.core.errors import LocalError
from voxpath.dhcp.client import DhcpClient
from voxpath.io.driver import Driver
from voxpath.manage.facts import CommandError
from voxpath.manage.rows import PhoneRow
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import BootLease
from voxpath.phone.gateway import Gateway, LineState
from voxpath.phone.host import Disable, Enable, KeepImage, ShimDown, ShimLook, ShimUp, StoredImage
from voxpath.phone.media import Media
from voxpath.phone.phone import LineGateway, Phone
from voxpath.phone.shim import Shim
from voxpath.phone.state import BootSettings
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
        self._shim: ShimHost | None = None

    async def begin(self) -> None:
        """Power all phones on."""
        node, options = self._node, self._node.config.phone
        if options.shim:
            self._shim = ShimHost(lambda event: self.bus.publish(self.role, event))
        if values_phone.asks_dhcp(node.config):
            self._dhcp = self._listen()
        for mac in values_phone.phone_macs(node.config):
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
        if self._shim is not None:
            await self._shim.close()
            self._shim = None

    def _listen(self) -> DhcpPort:
        """Open the DHCP port.

        :raises LocalError: nothing would be heard there.
        """
        options = self._node.config.phone
        if not options.interface:
            raise LocalError('phone.interface names no interface for DHCP; write for example interface = "eth0"')
        # A static phone's address is up before it asks.
        reason = deaf(options.interface) if options.dhcp else ""
        if reason:
            raise LocalError(reason)
        return DhcpPort(self._node.reactor, options.interface, self.restart)

    # Commands.

    def rows(self) -> list[PhoneRow]:
        """All lines of all phones."""
        return [row for user, _ in self._phones.values() for row in rows_of(user.phone)]

    def act(self, phone: str, verb: str, line: int, action: Callable[[User, float], Effects]) -> None:
        """Do something with a line of a phone.

        :raises CommandError: the phone or the line is not here, or is in no state for it.
        """
        if phone not in self._phones:
            raise CommandError(verb, f"there is no phone {printable(phone, 40)} in this process", "see phones")
        if self._node.config.phone.shim:
            raise CommandError(verb, f"{phone} has no line: it is a shim for other programs", "use the program beside it")
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
        settings = BootSettings(mac, static=values_phone.static_phone(config, mac), interface=options.interface)

        def gateway_of(lease: BootLease) -> LineGateway:
            if options.shim:
                return Shim(lease, options.interface, entropy)

            def media() -> Media:
                return Media(options.tone_hz, entropy, str(mac))

            return Gateway(lease, options.lines, entropy, media, values_phone.gateway_settings(config))

        client = DhcpClient(mac, options.vendor_class, entropy, registers=not options.shim)
        phone = Phone(settings, client, entropy, gateway_of, 0 if options.shim else options.lines, self._stored(mac))
        return User(phone, values_phone.habits(config, mac))

    def _memory_of(self, mac: Mac) -> Path:
        return values.in_state(self._node.config, self._node.config.phone.images) / mac.hex("-")

    def _stored(self, mac: Mac) -> StoredImage | None:
        """The image that the phone kept when it ran last (PHN-19)."""
        directory = self._memory_of(mac)
        found = sorted(directory.iterdir()) if directory.is_dir() else []
        return StoredImage(found[0].name, found[0].read_bytes()) if found else None

    # What phones ask of the machine.

    def _answer(self, question: object) -> "Deferred[object]":
        if self._shim is None:
            return self._carry_out(question)
        return self._shim.turn(lambda: self._carry_out(question))

    def _carry_out(self, question: object) -> "Deferred[object]":
        match question:
            case ShimUp() | ShimLook() | ShimDown() if self._shim is not None:
                return Deferred.fromCoroutine(self._shim.answer(question))
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
            await self._default_route(str(wanted.router))
        return None

    async def _default_route(self, router: str) -> None:
        try:
            await self._ip("route", "replace", "default", "via", router, "dev", self._interface)
        except LocalError as error:
            # A shim of an earlier run has its route in front of this one: nothing is to be replaced.
            if self._shim is None or "File exists" not in str(error):
                raise

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


def rows_of(phone: Phone) -> list[PhoneRow]:
    """All lines of a phone; one row while it has none."""
    view = phone.view()
    gateway = phone.gateway
    state = view.boot.name.lower()
    if isinstance(gateway, Gateway):
        state = f"{gateway.stage.value} at {gateway.controller}" if gateway.controller else gateway.stage.value
    if isinstance(gateway, Shim):
        dropped = sum(gateway.dropped)
        state = f"{gateway.stage.value}, {dropped} packets dropped" if dropped else gateway.stage.value
    address, combination = (str(view.lease.address), str(view.lease.block)) if view.lease is not None else ("", "")
    row = PhoneRow(view.phone, 1, state, "", address, combination, 0.0, 0.0, 0, 0, 0)
    if not view.lines:
        return [row]
    return [_row(replace(row, line=number), line) for number, line in enumerate(view.lines, 1) if isinstance(line, LineState)]


def _row(row: PhoneRow, line: LineState) -> PhoneRow:
    media = line.media
    if media is None:
        return replace(row, signal=line.sound.value)
    return replace(
        row,
        signal=line.sound.value,
        hears_hz=media.tone_hz,
        level_dbm0=round(media.level_dbm0, 1),
        sent=media.packets_sent,
        received=media.packets_received,
        lost=media.lost,
    )
