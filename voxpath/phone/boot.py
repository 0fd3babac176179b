"""The phone's boot, after figures 5A and 5B of the source document; each state carries its step number (PHN-1 to PHN-17, PHN-19).

    502 BOOT -> 504 STATIC? -> 506 DISCOVER -> 516 WAIT_OFFER -> 518 CHECK -> 522 REQUEST -> 568 WAIT_ACK
        -> 570 STORE -> 572 ENABLE -> 542 IMAGE? -> 546 TFTP -> 590 RUN

A failure before 572 leads to 538 WAIT and back to 506; more than four failures at 546 lead to 502.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from voxpath.core.effects import Ask, Close, Datagram, Done, Effect, Effects, Emit, Failed, Open, Outcome, Send
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.core.timers import TimerHeap, earliest
from voxpath.dhcp.client import Acknowledged, DhcpClient, Incomplete, Offered, Refused
from voxpath.dhcp.message import CLIENT_PORT, MessageType
from voxpath.dhcp.wire import decode
from voxpath.model.address import ANY_HOST, Endpoint, Mac
from voxpath.model.event import printable
from voxpath.model.phone import BootLease
from voxpath.phone.event import OfferIgnored, PhoneBooted, PhoneReboots, PhoneState
from voxpath.phone.host import Disable, Enable, StoredImage
from voxpath.phone.loading import Loading, server_address
from voxpath.phone.renewal import BROADCAST, DHCP_PORT, Renewal, arrow

TFTP_PORT = 69
DISCOVER_AGAIN = Backoff(first_s=4.0, cap_s=64.0, give_up_s=float("inf"), spread=0.25)
"""Waits between DISCOVERs, for ever (PHN-4; RFC 2131 section 4.1)."""
REQUEST_SENDINGS = 3
"""REQUESTs without an answer before the phone goes back to DISCOVER (PHN-9)."""
REOPEN_S = 5.0
"""Pause before the DHCP port is opened again, if that failed."""

WAIT, REOPEN = "wait", "reopen"
ENABLE, DISABLE = "enable", "disable"


class State(Enum):
    """Where the boot is; the value is the figure's step."""

    OFF = 0
    BOOT = 502
    STATIC = 504
    DISCOVER = 506
    WAIT_OFFER = 516
    CHECK = 518
    REQUEST = 522
    WAIT = 538
    IMAGE = 542
    TFTP = 546
    WAIT_ACK = 568
    STORE = 570
    ENABLE = 572
    RUN = 590


@dataclass(frozen=True, slots=True)
class BootSettings:
    """What the phone knows before it boots.

    :ivar static: its lease if it is configured by hand; then DHCP is left out (PHN-2).
    :ivar interface: where broadcasts leave; empty: the port knows.
    :ivar configuration: whether it fetches ``<mac>.cfg``; a static phone never does, since no lease proves who it is.
    :ivar tftp_port: the file server's port, for servers without the right to 69.
    """

    mac: Mac
    static: BootLease | None = None
    interface: str = ""
    configuration: bool = True
    tftp_port: int = TFTP_PORT


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
        self._loading: Loading | None = None
        self._renewal: Renewal | None = None
        self._offered: BootLease | None = None
        self._attempts = 0
        self._begun = 0.0
        self.state = State.OFF
        self.lease: BootLease | None = None
        self.booted: Booted | None = None
        self.stored = stored

    # The core's inputs.

    def start(self, now: float) -> Effects:
        """Power on."""
        opened = [] if self._settings.static else [Open(DHCP_PORT, Endpoint(ANY_HOST, CLIENT_PORT))]
        return [*opened, *self._boot(now)]

    def stop(self) -> Effects:
        """Power off: every port and timer is closed, the address goes, the lease stays with the server."""
        opened = self.state is not State.OFF and not self._settings.static
        effects = [*self._reset(), *([Close(DHCP_PORT)] if opened else [])]
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
            effects += self.start(now) if timer == REOPEN else self._waited(now)
        if self._loading is not None:
            effects += [*self._loading.tick(now), *self._loaded(now)]
        if self._renewal is not None:
            effects += [*self._renewal.tick(now), *self._kept(now)]
        return effects

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        loading = self._loading.next_due() if self._loading is not None else None
        return earliest(self._timers.next_due(), loading, self._renewal.due if self._renewal is not None else None)

    def resolve(self, token: Hashable, outcome: Outcome, now: float) -> Effects:
        """Take the news that the address is up (or not), or that a port could not be opened."""
        if token == ENABLE and self.state is State.ENABLE:
            return self._image(now) if isinstance(outcome, Done) else self._not_enabled(outcome.reason, now)
        if not isinstance(outcome, Failed):
            return []
        if token == DHCP_PORT:
            self._timers.disarm(WAIT)
            self._timers.arm(REOPEN, now + REOPEN_S)
            return [Emit(PhoneReboots(phone=self._phone, reason=f"no DHCP: {printable(outcome.reason)}"))]
        if self._loading is not None:
            return [*self._loading.port_failed(str(token), outcome.reason, now), *self._loaded(now)]
        return []

    # Figure 5A: the lease.

    def _boot(self, now: float) -> Effects:
        """Step 502: begin from local memory (PHN-1)."""
        effects = [*self._reset(), *self._enter(State.BOOT)]
        self._begun = now
        return [*effects, *self._static(now)]

    def _static(self, now: float) -> Effects:
        """Step 504: a phone that is configured by hand needs no DHCP (PHN-2)."""
        entered = self._enter(State.STATIC)
        if self._settings.static is not None:
            return [*entered, *self._store(self._settings.static)]
        return [*entered, *self._discover(now)]

    def _discover(self, now: float) -> Effects:
        """Step 506: ask for a lease (PHN-3)."""
        effects = [*self._enter(State.DISCOVER), *self._say(self._client.discover(now - self._begun))]
        self._offered = None
        wait = DISCOVER_AGAIN.wait_s(self._attempts, 0.0, self._entropy)
        self._attempts += 1
        self._timers.arm(WAIT, now + (wait or 0.0))
        return [*effects, *self._enter(State.WAIT_OFFER)]

    def _check(self, answer: Offered | Incomplete, server: str, now: float) -> Effects:
        """Step 518: an OFFER that lacks something is ignored (520), another one may still come before the wait ends (PHN-6)."""
        missing = answer.missing if isinstance(answer, Incomplete) else self._lacks(answer.lease)
        if missing or isinstance(answer, Incomplete):
            return [Emit(OfferIgnored(phone=self._phone, server=server, missing=", ".join(missing)))]
        self._offered = answer.lease
        self._attempts = 0
        return [*self._enter(State.CHECK), *self._request(answer.lease, now)]

    def _request(self, offered: BootLease, now: float) -> Effects:
        """Step 522: take the offer (PHN-7)."""
        entered = self._enter(State.REQUEST) if self._attempts == 0 else []
        said = self._say(self._client.request(offered, now - self._begun))
        wait = DISCOVER_AGAIN.wait_s(self._attempts, 0.0, self._entropy)
        self._attempts += 1
        self._timers.arm(WAIT, now + (wait or 0.0))
        return [*entered, *said, *(self._enter(State.WAIT_ACK) if self._attempts == 1 else [])]

    def _waited(self, now: float) -> Effects:
        """The wait is over: REQUEST again while it makes sense (PHN-9), else DISCOVER again, for ever (PHN-4)."""
        if self.state is State.WAIT_ACK and self._offered is not None:
            if self._attempts < REQUEST_SENDINGS:
                return self._request(self._offered, now)
            self._attempts = 0
        return self._boot(now) if self._settings.static is not None else self._discover(now)

    def _wait(self, now: float) -> Effects:
        """Step 538: wait, then DISCOVER."""
        self._offered = None
        self._attempts = 0
        self._timers.arm(WAIT, now + (DISCOVER_AGAIN.wait_s(0, 0.0, self._entropy) or 0.0))
        return self._enter(State.WAIT)

    def _store(self, lease: BootLease) -> Effects:
        """Step 570: keep the lease; from here on no further ACK counts (574, PHN-8)."""
        self._timers.disarm(WAIT)
        self.lease = lease
        return [*self._enter(State.STORE), *self._enable(lease)]

    def _enable(self, lease: BootLease) -> Effects:
        """Step 572: bring the address up on the interface."""
        question = Enable(lease.mac, lease.address, lease.prefix_length, lease.router)
        return [*self._enter(State.ENABLE), Ask(question, ENABLE)]

    def _not_enabled(self, reason: str, now: float) -> Effects:
        """Without its address the phone is where it was before; waiting first keeps it from asking in a tight circle."""
        told = Emit(PhoneReboots(phone=self._phone, reason=f"no address: {printable(reason)}"))
        return [told, *self._reset(), *self._wait(now)]

    def _hear(self, datagram: Datagram, now: float) -> Effects:
        """Take what a DHCP server says, if the state waits for it."""
        if self._renewal is not None:
            return [*self._renewal.receive(datagram, now), *self._kept(now)]
        if self.state not in (State.WAIT_OFFER, State.WAIT_ACK):
            return []
        answer = self._client.read(datagram.payload)
        server = datagram.source.host
        if self.state is State.WAIT_OFFER:
            match answer:
                case Offered(lease):
                    return [self._heard(f"OFFER {lease.address}"), *self._check(answer, server, now)]
                case Incomplete(MessageType.OFFER):
                    return [self._heard("OFFER"), *self._check(answer, server, now)]
            return []
        match answer:
            case Acknowledged(lease):
                return [self._heard(f"ACK {lease.address}"), *self._store(lease)]
            case Refused():
                return [self._heard("NAK"), *self._wait(now)]
        return []

    def _heard(self, summary: str) -> Emit:
        return arrow(self._phone, summary, received=True)

    def _lacks(self, lease: BootLease) -> tuple[str, ...]:
        """The file server has to be an address when there is something to load: a phone that boots has no names yet."""
        loads = bool(lease.boot_file) or (bool(lease.tftp) and self._wants_configuration)
        return ("a TFTP server address",) if loads and not server_address(lease.tftp) else ()

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
        if self._settings.static is None:
            self._renewal = Renewal(lease, self._client, self._settings.interface, now)
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
    def _wants_configuration(self) -> bool:
        return self._settings.configuration and self._settings.static is None

    def _reset(self) -> Effects:
        """Forget the run, but not the image."""
        effects: list[Effect] = list(self._loading.stop()) if self._loading is not None else []
        if self.lease is not None:
            effects.append(Ask(Disable(self.lease.mac, self.lease.address, self.lease.prefix_length), DISABLE))
        for timer in (WAIT, REOPEN):
            self._timers.disarm(timer)
        self._loading = self._renewal = self._offered = None
        self.lease = self.booted = None
        self._attempts = 0
        return effects

    def _enter(self, state: State) -> Effects:
        self.state = state
        return [Emit(PhoneState(phone=self._phone, state=state.name, step=state.value))]

    def _say(self, octets: bytes) -> Effects:
        send = Send(octets, BROADCAST, DHCP_PORT, ANY_HOST, self._settings.interface)
        return [send, arrow(self._phone, decode(octets).summary, received=False)]
