"""The phone's boot, after figures 5A and 5B of the source document; each state carries its step number (PHN-1 to PHN-19).

    502 BOOT -> 504 STATIC? -> 506 DISCOVER -> 516 WAIT_OFFER -> 518 CHECK -> 522 REQUEST -> 568 WAIT_ACK
        -> 570 STORE -> 572 ENABLE -> 542 IMAGE? -> 546 TFTP -> 590 RUN

A phone that was told its address and no more goes another way: 504 -> 505 INFORM -> 570, with 606 FAILED while nobody tells it
the rest (PHN-18).
A failure before 570 leads to 538 WAIT and back to 506; more than four failures at 546 lead to 502.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from voxpath.core.effects import Ask, Close, Datagram, Done, Effect, Effects, Emit, Failed, Open, Outcome
from voxpath.core.retransmit import Entropy
from voxpath.core.timers import TimerHeap, earliest
from voxpath.dhcp.client import DhcpClient
from voxpath.dhcp.message import CLIENT_PORT
from voxpath.model.address import ANY_HOST, Endpoint
from voxpath.model.event import printable
from voxpath.model.phone import BootLease, OwnAddress
from voxpath.phone.event import PhoneBooted, PhoneReboots, PhoneState
from voxpath.phone.host import Disable, Enable, StoredImage
from voxpath.phone.informing import Informing, Reminding
from voxpath.phone.leasing import Leasing
from voxpath.phone.loading import Loading
from voxpath.phone.renewal import DHCP_PORT, Renewal
from voxpath.phone.state import BootSettings, State

AGAIN_S = 4.0
"""Longest pause before the phone boots again, if its address could not be brought up."""
AGAIN_SPREAD = 0.25
"""The random share of it."""
REOPEN_S = 5.0
"""Pause before the DHCP port is opened again, if that failed."""

AGAIN, REOPEN = "again", "reopen"
ENABLE, DISABLE = "enable", "disable"


@dataclass(frozen=True, slots=True)
class Booted:
    """The end of a boot.

    :ivar image: the boot image that runs; ``None``: the lease names none.
    :ivar configuration: the text of the phone's configuration file; empty: none was fetched.
    :ivar application: what the configuration names to be loaded after it; ``None``: it names nothing.
    """

    lease: BootLease
    image: bytes | None
    configuration: str
    application: bytes | None = None


class BootMachine:
    """The core.

    :ivar state: the state it is in.
    :ivar lease: the stored lease, from step 570 on.
    :ivar booted: what the boot ended with; ``None`` while it has not, and again after the lease is lost.
    :ivar stored: the image in the phone's own memory.
    """

    def __init__(self, settings: BootSettings, client: DhcpClient, entropy: Entropy, stored: StoredImage | None = None) -> None:
        self._settings = settings
        self._phone = str(settings.mac)
        self._client = client
        self._entropy = entropy
        self._timers: TimerHeap[str] = TimerHeap()
        self._asking: Leasing | Informing | None = None
        self._up: Disable | None = None
        self._wants_configuration = False
        self._loading: Loading | None = None
        self._renewal: Renewal | Reminding | None = None
        self.state = State.OFF
        self.lease: BootLease | None = None
        self.booted: Booted | None = None
        self.stored = stored

    # The core's inputs.

    def start(self, now: float) -> Effects:
        """Power on."""
        opened = [Open(DHCP_PORT, Endpoint(ANY_HOST, CLIENT_PORT))] if self._uses_dhcp else []
        return [*opened, *self._boot(now)]

    def stop(self) -> Effects:
        """Power off: every port and timer is closed, the address goes, the lease stays with the server."""
        opened = self.state is not State.OFF and self._uses_dhcp
        effects = [*self._reset(), *self._take_down(), *([Close(DHCP_PORT)] if opened else [])]
        self.state = State.OFF
        return effects

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take a DHCP or TFTP message.

        :raises RemoteError: it is malformed.
        """
        if datagram.port == DHCP_PORT:
            return self._hear(datagram, now)
        if self._loading is None:
            return []
        return [*self._loading.receive(datagram, now), *self._loaded(now)]

    def tick(self, now: float) -> Effects:
        """Run what is due."""
        effects: list[Effect] = []
        for timer in self._timers.due(now):
            effects += self.start(now) if timer == REOPEN else self._boot(now)
        if self._asking is not None:
            effects += [*self._asking.tick(now), *self._told()]
        if self._loading is not None:
            effects += [*self._loading.tick(now), *self._loaded(now)]
        if self._renewal is not None:
            effects += [*self._renewal.tick(now), *self._kept(now)]
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        loading = self._loading.next_due() if self._loading is not None else None
        dhcp = (part.due for part in (self._asking, self._renewal) if part is not None)
        return earliest(self._timers.next_due(), loading, *dhcp)

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the news that the address is up (or not), or that a port could not be opened."""
        if token == ENABLE and self.state in (State.STATIC, State.ENABLE):
            return self._enabled(now) if isinstance(outcome, Done) else self._not_enabled(outcome.reason, now)
        if not isinstance(outcome, Failed):
            return []
        if token == DHCP_PORT:
            self._asking = None
            self._timers.arm(REOPEN, now + REOPEN_S)
            told = Emit(PhoneReboots(phone=self._phone, reason=f"no DHCP: {printable(outcome.reason)}"))
            return [told, *self._enter(State.WAIT)]
        if self._loading is not None:
            return [*self._loading.port_failed(str(token), outcome.reason, now), *self._loaded(now)]
        return []

    # Figure 5A: the lease.

    def _boot(self, now: float) -> Effects:
        """Step 502: begin from local memory (PHN-1)."""
        return [*self._reset(), *self._enter(State.BOOT), *self._static(now)]

    def _static(self, now: float) -> Effects:
        """Step 504: a phone that is configured by hand needs no lease (PHN-2), and asks for what it was not told (PHN-18)."""
        entered, settings = self._enter(State.STATIC), self._settings
        match settings.static:
            case BootLease() as lease:
                return [*entered, *self._store(lease)]
            case OwnAddress() as own:
                return [*entered, *self._enable(own)]
        self._asking = Leasing(settings, self._client, self._entropy, self._enter, now)
        return [*entered, *self._asking.start(now)]

    def _inform(self, own: OwnAddress, now: float) -> Effects:
        """Step 505: the phone's own address is up, so that it can be answered there."""
        self._asking = Informing(own, self._settings, self._client, self._entropy, self._enter)
        return self._asking.start(now)

    def _told(self) -> Effects:
        """Is there a lease? Then it is stored; from here on no further ACK counts (574, PHN-8)."""
        asking = self._asking
        if asking is None or asking.lease is None:
            return []
        self._asking = None
        self._wants_configuration = asking.configuration
        return self._store(asking.lease)

    def _store(self, lease: BootLease) -> Effects:
        """Step 570: keep the lease."""
        self.lease = lease
        return [*self._enter(State.STORE), *self._enter(State.ENABLE), *self._enable(lease)]

    def _enable(self, wanted: BootLease | OwnAddress) -> Effects:
        """Step 572: bring the address up on the interface."""
        self._up = Disable(wanted.mac, wanted.address, wanted.prefix_length)
        return [Ask(Enable(*self._up, wanted.router), ENABLE)]

    def _take_down(self) -> Effects:
        up, self._up = self._up, None
        return [Ask(up, DISABLE)] if up is not None else []

    def _enabled(self, now: float) -> Effects:
        """The address is up: of the lease, or the one that the phone asks from."""
        static = self._settings.static
        if isinstance(static, OwnAddress) and self.state is State.STATIC:
            return self._inform(static, now)
        return self._image(now)

    def _not_enabled(self, reason: str, now: float) -> Effects:
        """Without its address the phone begins anew; waiting first (538) keeps it from asking in a tight circle."""
        told = Emit(PhoneReboots(phone=self._phone, reason=f"no address: {printable(reason)}"))
        effects = [told, *self._reset(), *self._enter(State.WAIT)]
        self._timers.arm(AGAIN, now + AGAIN_S * (1 - AGAIN_SPREAD * self._entropy.random()))
        return effects

    def _hear(self, datagram: Datagram, now: float) -> Effects:
        """Take what a DHCP server says, if the phone waits for it."""
        if self._renewal is not None:
            return [*self._renewal.receive(datagram, now), *self._kept(now)]
        if self._asking is None:
            return []
        return [*self._asking.receive(datagram, now), *self._told()]

    # Figure 5B: the software.

    def _image(self, now: float) -> Effects:
        """Step 542: is all that the lease indicates in local memory (PHN-10)? If not, step 546: load it (PHN-11)."""
        assert self.lease is not None, "there is a lease from step 570 on"
        entered = self._enter(State.IMAGE)
        loading = Loading(self.lease, self.stored, self._wants_configuration, self._settings.tftp_port, self._entropy)
        self._loading = loading
        if not loading.missing:
            return [*entered, *self._run(loading, now)]
        return [*entered, *self._enter(State.TFTP), *loading.request(now)]

    def _loaded(self, now: float) -> Effects:
        """Step 556: finished? Or step 584: failed too often, so boot again (PHN-15)?"""
        loading = self._loading
        if loading is None or self.state is not State.TFTP:
            return []
        self.stored = loading.stored
        if loading.given_up:
            return self._reboot("the software cannot be loaded", now)
        return self._run(loading, now) if not loading.missing else []

    def _run(self, loading: Loading, now: float) -> Effects:
        """Step 590: execute."""
        lease = self.lease
        assert lease is not None, "a phone runs with a lease"
        image = loading.image
        self.booted = Booted(lease, image.content if image else None, loading.configuration or "", loading.application)
        match self._settings.static:
            case None:
                self._renewal = Renewal(lease, self._client, self._settings.interface, now)
            case OwnAddress() as own:
                self._renewal = Reminding(own, self._client, self._settings.interface, now)
        told = PhoneBooted(
            phone=self._phone,
            address=str(lease.address),
            block=str(lease.block),
            image=printable(lease.boot_file),
            mgcs=", ".join(map(str, lease.mgcs)),
        )
        return [*self._enter(State.RUN), Emit(told)]

    def _kept(self, now: float) -> Effects:
        """A lost lease ends the run: what the phone was told no longer holds."""
        lost = self._renewal.lost if self._renewal is not None else ""
        return self._reboot(lost, now) if lost else []

    def _reboot(self, reason: str, now: float) -> Effects:
        return [Emit(PhoneReboots(phone=self._phone, reason=printable(reason))), *self._boot(now)]

    # What all states share.

    @property
    def _uses_dhcp(self) -> bool:
        return not isinstance(self._settings.static, BootLease)

    def _reset(self) -> Effects:
        """Forget the run, but not the image; an address that a person gave stays, a leased one goes."""
        effects: list[Effect] = list(self._loading.stop()) if self._loading is not None else []
        if self._settings.static is None:
            effects += self._take_down()
        for timer in (AGAIN, REOPEN):
            self._timers.disarm(timer)
        self._asking = self._loading = self._renewal = None
        self._wants_configuration = False
        self.lease = self.booted = None
        return effects

    def _enter(self, state: State) -> Effects:
        self.state = state
        return [Emit(PhoneState(phone=self._phone, state=state.name, step=state.value))]
