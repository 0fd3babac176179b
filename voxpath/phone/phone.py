"""One phone: first it boots, then its MEGACO gateway runs with what the boot brought; a lost lease ends that again.

Many phones in one process are many of these cores.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from voxpath.core.effects import Core, Datagram, Effect, Effects, Emit, Outcome
from voxpath.core.retransmit import Entropy
from voxpath.core.timers import earliest
from voxpath.dhcp.client import DhcpClient
from voxpath.model.phone import BootLease
from voxpath.phone.boot import DISABLE, ENABLE, Booted, BootMachine
from voxpath.phone.event import PhoneNotReady
from voxpath.phone.host import StoredImage
from voxpath.phone.loading import KEEP
from voxpath.phone.renewal import DHCP_PORT
from voxpath.phone.state import BootSettings, State

TFTP_PORTS = "tftp/"
BOOT_TOKENS = frozenset({ENABLE, DISABLE, KEEP, DHCP_PORT})


class LineGateway(Core, Protocol):
    """What a phone needs of its signalling: a core with lines (:class:`voxpath.phone.gateway.Gateway`)."""

    def start(self, now: float) -> Effects:
        """Open the ports and register."""

    def stop(self, now: float) -> Effects:
        """Close every port; nothing more is sent from an address that is gone."""

    def off_hook(self, line: int, now: float) -> Effects:
        """The user lifts the handset."""

    def dial(self, line: int, digits: str, now: float) -> Effects:
        """The user presses keys."""

    def on_hook(self, line: int, now: float) -> Effects:
        """The user puts the handset back."""

    def state(self, line: int) -> object:
        """What the line does, for display."""


@dataclass(frozen=True, slots=True)
class PhoneView:
    """A phone for display (PHN-17).

    :ivar lines: what each line does; empty while the phone boots.
    """

    phone: str
    boot: State
    lease: BootLease | None
    image: str
    lines: tuple[object, ...]


class Phone:
    """The core: the boot machine's ports and the gateway's ports, all by name.

    :param gateway_of: makes the gateway for a lease.
    :param lines: how many lines the gateway has.
    """

    def __init__(
        self,
        settings: BootSettings,
        client: DhcpClient,
        entropy: Entropy,
        gateway_of: Callable[[BootLease], LineGateway],
        lines: int = 1,
        stored: StoredImage | None = None,
    ) -> None:
        self.phone = str(settings.mac)
        self.boot = BootMachine(settings, client, entropy, stored)
        self.gateway: LineGateway | None = None
        self._gateway_of = gateway_of
        self._lines = lines
        self._running: Booted | None = None

    def start(self, now: float) -> Effects:
        """Power on."""
        return self._followed(self.boot.start(now), now)

    def stop(self, now: float) -> Effects:
        """Power off."""
        return [*self._end(now), *self.boot.stop()]

    def off_hook(self, line: int, now: float) -> Effects:
        """The user lifts the handset."""
        return self.gateway.off_hook(line, now) if self.gateway is not None else self._not_ready("off hook")

    def dial(self, line: int, digits: str, now: float) -> Effects:
        """The user presses keys."""
        return self.gateway.dial(line, digits, now) if self.gateway is not None else self._not_ready("dial")

    def on_hook(self, line: int, now: float) -> Effects:
        """The user puts the handset back."""
        return self.gateway.on_hook(line, now) if self.gateway is not None else self._not_ready("on hook")

    def view(self) -> PhoneView:
        """The phone as it is now."""
        gateway = self.gateway
        lines = tuple(gateway.state(line) for line in range(1, self._lines + 1)) if gateway is not None else ()
        stored = self.boot.stored
        return PhoneView(self.phone, self.boot.state, self.boot.lease, stored.name if stored else "", lines)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Give a datagram to the part whose port it came to.

        :raises RemoteError: it is malformed.
        """
        if datagram.port == DHCP_PORT or datagram.port.startswith(TFTP_PORTS):
            return self._followed(self.boot.receive(datagram, now), now)
        return self.gateway.receive(datagram, now) if self.gateway is not None else []

    def tick(self, now: float) -> Effects:
        """Run what is due in either part."""
        effects: list[Effect] = []
        due = self.boot.next_due()
        if due is not None and due <= now:
            effects += self._followed(self.boot.tick(now), now)
        if self.gateway is not None:
            effects += self.gateway.tick(now)
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return earliest(self.boot.next_due(), self.gateway.next_due() if self.gateway is not None else None)

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Give an outcome to the part that asked."""
        if token in BOOT_TOKENS or (isinstance(token, str) and token.startswith(TFTP_PORTS)):
            return self._followed(self.boot.resolve(token, outcome, now), now)
        return self.gateway.resolve(token, outcome, now) if self.gateway is not None else []

    def _followed(self, effects: Effects, now: float) -> Effects:
        """Start the gateway when the boot is through; end it when the boot begins again, before the address goes."""
        booted = self.boot.booted
        if booted is self._running:
            return effects
        ended = self._end(now)
        if booted is None:
            return [*ended, *effects]
        self._running = booted
        self.gateway = self._gateway_of(booted.lease)
        return [*ended, *effects, *self.gateway.start(now)]

    def _end(self, now: float) -> Effects:
        gateway, self.gateway, self._running = self.gateway, None, None
        return gateway.stop(now) if gateway is not None else []

    def _not_ready(self, action: str) -> Effects:
        return [Emit(PhoneNotReady(phone=self.phone, action=action, state=self.boot.state.name))]
