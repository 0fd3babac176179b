"""Keeping a lease while the phone runs: RENEWING at T1, REBINDING at T2, the end at its expiry (RFC 2131 section 4.4.5)."""

from voxpath.core.effects import Datagram, Effects, Emit, Send
from voxpath.dhcp.client import Acknowledged, DhcpClient, Refused
from voxpath.dhcp.message import INFINITE_S, SERVER_PORT
from voxpath.dhcp.wire import decode
from voxpath.model.address import BROADCAST_HOST, Endpoint
from voxpath.model.event import MessageEvent
from voxpath.model.phone import BootLease
from voxpath.phone.event import LeaseRenewed

DHCP_PORT = "dhcp"
BROADCAST = Endpoint(BROADCAST_HOST, SERVER_PORT)
T1_SHARE = 0.5
T2_SHARE = 0.875
SHORTEST_RETRY_S = 60.0
"""A REQUEST is repeated after half of the time that is left, but no sooner than this."""
ADVANCE_S = 1.0
"""Shortest wait of all, for leases of a few seconds in tests."""


class Renewal:
    """Extends one lease.

    :ivar due: when :meth:`tick` has to be called; ``None``: never, the lease does not end.
    :ivar lost: why the lease is over; empty while it holds.
    """

    def __init__(self, lease: BootLease, client: DhcpClient, interface: str, now: float) -> None:
        self._lease = lease
        self._client = client
        self._interface = interface
        self._asking = False
        self.lost = ""
        self.due: float | None = None
        self._begin(now)

    def tick(self, now: float) -> Effects:
        """Ask for more time, first the server, then anybody; or find the lease over."""
        if self.due is None or now < self.due:
            return []
        if now >= self._expires:
            self._lose("the lease has expired")
            return []
        limit = self._rebind if now < self._rebind else self._expires
        self.due = min(limit, now + max(ADVANCE_S, min(SHORTEST_RETRY_S, limit - now), (limit - now) / 2))
        self._asking = True
        return self._ask(broadcast=now >= self._rebind)

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Take an answer of a server; without a question there is none (574, PHN-8), but a FORCERENEW may have us ask now.

        :raises RemoteError: it is malformed.
        """
        if not self._asking and now < self._expires and self._client.is_forced(datagram.payload):
            # RFC 3203 section 2: as if T1 had come.
            self.due = now
            return [arrow(str(self._lease.mac), "FORCERENEW", received=True), *self.tick(now)]
        answer = self._client.read(datagram.payload) if self._asking else None
        phone = str(self._lease.mac)
        if isinstance(answer, Refused):
            self._lose("the server took the lease back")
            return [arrow(phone, f"NAK {answer.reason}", received=True)]
        if isinstance(answer, Acknowledged):
            return [arrow(phone, f"ACK {answer.lease.address}", received=True), *self._extend(answer.lease, now)]
        return []

    def _extend(self, lease: BootLease, now: float) -> Effects:
        if (lease.address, lease.block) != (self._lease.address, self._lease.block):
            self._lose(f"{lease.server} gave another address or block")
            return []
        self._lease = lease
        self._begin(now)
        phone = str(lease.mac)
        return [Emit(LeaseRenewed(phone=phone, address=str(lease.address), lease_s=lease.lease_s))]

    def _begin(self, now: float) -> None:
        self._asking = False
        seconds = self._lease.lease_s
        self._rebind = now + seconds * T2_SHARE
        self._expires = now + seconds
        self.due = None if seconds >= INFINITE_S else now + seconds * T1_SHARE

    def _lose(self, reason: str) -> None:
        self.due = None
        self.lost = reason

    def _ask(self, broadcast: bool) -> Effects:
        destination = BROADCAST if broadcast else Endpoint(str(self._lease.server), SERVER_PORT)
        source = str(self._lease.address)
        octets = self._client.renew(self._lease)
        return say(str(self._lease.mac), octets, source, self._interface if broadcast else "", destination)


def say(phone: str, octets: bytes, source: str, interface: str, destination: Endpoint = BROADCAST) -> Effects:
    """Send a DHCP message, and show it in the ladder."""
    return [Send(octets, destination, DHCP_PORT, source, interface), arrow(phone, decode(octets).summary, received=False)]


def arrow(phone: str, summary: str, received: bool) -> Emit:
    """The ladder's view of a message between this phone and a DHCP server."""
    sender, receiver = ("dhcp", phone) if received else (phone, "dhcp")
    return Emit(MessageEvent(phone=phone, protocol="DHCP", sender=sender, receiver=receiver, summary=summary))
