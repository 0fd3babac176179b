"""A phone whose address was configured by hand asks by INFORM for what it was not told (PHN-18, RFC 2131 section 4.4.3)."""

from collections.abc import Callable

from voxpath.core.effects import Datagram, Effects, Emit
from voxpath.core.retransmit import Entropy
from voxpath.dhcp.client import Acknowledged, DhcpClient, Incomplete
from voxpath.model.phone import BootLease, OwnAddress
from voxpath.phone.attach import RETRY
from voxpath.phone.event import OfferIgnored, PhoneNotRegistered
from voxpath.phone.leasing import DISCOVER_AGAIN
from voxpath.phone.loading import lacks_server
from voxpath.phone.renewal import arrow, say
from voxpath.phone.state import BootSettings, State

INFORM_SENDINGS = 3
"""INFORMs without a complete answer before the phone is FAILED."""
REMIND_S = 86400.0
"""A phone that runs says once a day that it is still there: a gateway may release the block of one that it never hears of again."""


class Informing:
    """Rounds of INFORMs, for ever: after each the phone is FAILED (606) until a random time is over (REG-24).

    :param own: what a person told the phone; its address is up.
    :param enter: makes the boot machine enter a state.
    :ivar due: when :meth:`tick` has to be called.
    :ivar lease: all that the phone needs; ``None`` so far.
    """

    def __init__(
        self, own: OwnAddress, settings: BootSettings, client: DhcpClient, entropy: Entropy, enter: Callable[[State], Effects]
    ) -> None:
        self._own = own
        self._settings = settings
        self._phone = str(own.mac)
        self._client = client
        self._entropy = entropy
        self._enter = enter
        self._missing = ""
        self._sent = self._rounds = 0
        self.due: float | None = None
        self.lease: BootLease | None = None

    @property
    def configuration(self) -> bool:
        """Whether the file server knows the phone: it is the gateway that holds its block, and so gives it ``<mac>.cfg``."""
        return self._settings.configuration and not self._own.tftp and self._own.block is None

    def start(self, now: float) -> Effects:
        """Begin a round."""
        self._sent = 0
        return [*self._enter(State.INFORM), *self._ask(now)]

    def tick(self, now: float) -> Effects:
        """The wait is over: ask again, or give up for a while."""
        if self.due is None or now < self.due:
            return []
        if self._sent == 0:
            return self.start(now)
        return self._ask(now) if self._sent < INFORM_SENDINGS else self._fail(now)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take what a DHCP server says; an ACK that lacks something is ignored, another one may still come.

        :raises RemoteError: it is malformed.
        """
        answer = self._client.read_told(datagram.payload, self._own)
        if answer is None:
            return []
        missing = answer.missing if isinstance(answer, Incomplete) else lacks_server(answer.lease, self.configuration)
        heard = arrow(self._phone, "ACK", received=True)
        if isinstance(answer, Acknowledged) and not missing:
            self.lease = answer.lease
            return [heard]
        self._missing = ", ".join(missing)
        return [heard, Emit(OfferIgnored(phone=self._phone, server=datagram.source.host, missing=self._missing))]

    def _ask(self, now: float) -> Effects:
        octets = self._client.inform(self._own.address)
        self.due = now + (DISCOVER_AGAIN.wait_s(self._sent, 0.0, self._entropy) or 0.0)
        self._sent += 1
        return say(self._phone, octets, str(self._own.address), self._settings.interface)

    def _fail(self, now: float) -> Effects:
        """Step 606: neither its configuration nor a server tells the phone what it needs to register."""
        wait_s = RETRY.wait_s(self._rounds, 0.0, self._entropy) or 0.0
        reason = f"INFORM was answered without {self._missing}" if self._missing else "INFORM was not answered"
        self._missing = ""
        self._sent = 0
        self._rounds += 1
        self.due = now + wait_s
        return [*self._enter(State.FAILED), Emit(PhoneNotRegistered(phone=self._phone, reason=reason, again_s=wait_s))]


class Reminding:
    """Says by INFORM from time to time that the phone still has its address; what is answered is told by its next boot.

    :ivar due: when :meth:`tick` has to be called.
    :ivar lost: empty: an address that a person gave is never lost.
    """

    lost = ""

    def __init__(self, own: OwnAddress, client: DhcpClient, interface: str, now: float) -> None:
        self._own = own
        self._client = client
        self._interface = interface
        self.due = now + REMIND_S

    def tick(self, now: float) -> Effects:
        """Send the next one if it is time."""
        if now < self.due:
            return []
        self.due = now + REMIND_S
        return say(str(self._own.mac), self._client.inform(self._own.address), str(self._own.address), self._interface)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take no answer: what the phone was told at its boot holds (574, PHN-8)."""
        return []
