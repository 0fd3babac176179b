"""Figure 5A of the source document: the phone gets a lease (steps 506 to 568; PHN-3 to PHN-9)."""

from collections.abc import Callable

from voxpath.core.effects import Datagram, Effects, Emit
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.dhcp.client import Acknowledged, DhcpClient, Incomplete, Offered, Refused
from voxpath.dhcp.message import MessageType
from voxpath.model.address import ANY_HOST
from voxpath.model.phone import BootLease
from voxpath.phone.event import OfferIgnored
from voxpath.phone.loading import lacks_server
from voxpath.phone.renewal import arrow, say
from voxpath.phone.state import BootSettings, State

DISCOVER_AGAIN = Backoff(first_s=4.0, cap_s=64.0, give_up_s=float("inf"), spread=0.25)
"""Waits between DISCOVERs, for ever (PHN-4; RFC 2131 section 4.1)."""
REQUEST_SENDINGS = 3
"""REQUESTs without an answer before the phone goes back to DISCOVER (PHN-9)."""


class Leasing:
    """DISCOVER until an OFFER is complete, then REQUEST until it is acknowledged.

    :param enter: makes the boot machine enter a state.
    :ivar due: when :meth:`tick` has to be called.
    :ivar lease: the lease that was acknowledged; ``None`` so far.
    """

    def __init__(
        self, settings: BootSettings, client: DhcpClient, entropy: Entropy, enter: Callable[[State], Effects], now: float
    ) -> None:
        self._settings = settings
        self._phone = str(settings.mac)
        self._client = client
        self._entropy = entropy
        self._enter = enter
        self._begun = now
        self._offered: BootLease | None = None
        self._listening = False
        self._attempts = 0
        self.due: float | None = None
        self.lease: BootLease | None = None

    @property
    def configuration(self) -> bool:
        """Whether the phone fetches its configuration from the file server of the lease, which knows it by that."""
        return self._settings.configuration

    def start(self, now: float) -> Effects:
        """Step 506: ask for a lease (PHN-3)."""
        effects = [*self._enter(State.DISCOVER), *self._say(self._client.discover(now - self._begun))]
        self._offered = None
        self._listening = True
        self._arm(now)
        return [*effects, *self._enter(State.WAIT_OFFER)]

    def tick(self, now: float) -> Effects:
        """The wait is over: REQUEST again while it makes sense (PHN-9), else DISCOVER again, for ever (PHN-4)."""
        if self.due is None or now < self.due:
            return []
        if self._offered is not None:
            if self._attempts < REQUEST_SENDINGS:
                return self._request(self._offered, now)
            self._attempts = 0
        return self.start(now)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take what a DHCP server says, if the phone waits for it.

        :raises RemoteError: it is malformed.
        """
        if not self._listening:
            return []
        answer = self._client.read(datagram.payload)
        if self._offered is None:
            match answer:
                case Offered(lease):
                    return [self._heard(f"OFFER {lease.address}"), *self._check(answer, datagram.source.host, now)]
                case Incomplete(MessageType.OFFER):
                    return [self._heard("OFFER"), *self._check(answer, datagram.source.host, now)]
            return []
        match answer:
            case Acknowledged(lease):
                self.lease = lease
                return [self._heard(f"ACK {lease.address}")]
            case Refused():
                return [self._heard("NAK"), *self._pause(now)]
        return []

    def _check(self, answer: Offered | Incomplete, server: str, now: float) -> Effects:
        """Step 518: an OFFER that lacks something is ignored (520), another one may still come before the wait ends (PHN-6)."""
        missing = answer.missing if isinstance(answer, Incomplete) else lacks_server(answer.lease, self.configuration)
        if missing or isinstance(answer, Incomplete):
            return [Emit(OfferIgnored(phone=self._phone, server=server, missing=", ".join(missing)))]
        self._offered = answer.lease
        self._attempts = 0
        return [*self._enter(State.CHECK), *self._enter(State.REQUEST), *self._request(answer.lease, now)]

    def _request(self, offered: BootLease, now: float) -> Effects:
        """Step 522: take the offer (PHN-7)."""
        said = self._say(self._client.request(offered, now - self._begun))
        self._arm(now)
        return [*said, *(self._enter(State.WAIT_ACK) if self._attempts == 1 else [])]

    def _pause(self, now: float) -> Effects:
        """Step 538: wait, then DISCOVER."""
        self._offered = None
        self._listening = False
        self._attempts = 0
        self.due = now + (DISCOVER_AGAIN.wait_s(0, 0.0, self._entropy) or 0.0)
        return self._enter(State.WAIT)

    def _arm(self, now: float) -> None:
        self.due = now + (DISCOVER_AGAIN.wait_s(self._attempts, 0.0, self._entropy) or 0.0)
        self._attempts += 1

    def _say(self, octets: bytes) -> Effects:
        return say(self._phone, octets, ANY_HOST, self._settings.interface)

    def _heard(self, summary: str) -> Emit:
        return arrow(self._phone, summary, received=True)
