"""Has a phone boot anew on an operator's word (GEN-12): FORCERENEW now, and a NAK to its next renewal, which sends it to INIT.

Lease and block stay the phone's, so it gets the same ones again.
"""

from voxpath.core.effects import Effect, Emit, Send
from voxpath.core.errors import LocalError
from voxpath.dhcp import options as code
from voxpath.dhcp.event import DhcpRecalled
from voxpath.dhcp.forcerenew import force_renew, nonce_for, nonce_option, understands
from voxpath.dhcp.machine import Book
from voxpath.dhcp.message import Message
from voxpath.dhcp.policy import Policy
from voxpath.dhcp.record import Client, Timer, is_shared
from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import MessageEvent

SENDINGS = 3
AGAIN_S = 2.0
"""A FORCERENEW is repeated after so many seconds while the phone has not renewed."""
PORT = "dhcp"


class Recall:
    """Phones that are to boot anew; that is remembered only as long as the process runs.

    :param secret: what nonces are made from; it stays the same over restarts, as phones keep their nonces. Empty: none are given.
    """

    def __init__(self, book: Book, policy: Policy, secret: bytes, client_port: int) -> None:
        self._book = book
        self._policy = policy
        self._secret = secret
        self._client_port = client_port

    def options(self, request: Message, mac: Mac) -> dict[int, bytes]:
        """What an ACK carries beside everything else."""
        if not self._secret or not understands(request):
            return {}
        return {code.AUTHENTICATION: nonce_option(nonce_for(self._secret, mac))}

    def ask(self, mac: Mac, now: float) -> list[Effect]:
        """Have a phone boot anew.

        :raises LocalError: it holds no lease, it shares its address, or its class does not say that it takes a FORCERENEW.
        """
        client = self._book.known(mac)
        if client is None or not client.bound or client.lease is None:
            raise LocalError(f"{mac} holds no lease")
        if is_shared(client.lease):
            raise LocalError(f"{mac} shares its address with other phones, so that it cannot be spoken to first")
        phone_class = self._policy.phone_class(client.lease.phone_class)
        if phone_class is None or not phone_class.forcerenew:
            raise LocalError(f"phones of class {client.lease.phone_class} take no FORCERENEW, the configuration says")
        client.recalled = True
        told = DhcpRecalled(phone=client.phone, address=str(client.lease.address))
        return [Emit(told), *self._send(client, 1, now)]

    def again(self, timer: Timer, now: float) -> list[Effect]:
        """Repeat a FORCERENEW that had no effect yet."""
        client = self._book.known(timer.mac) if timer.mac is not None else None
        if client is None or not client.recalled or not client.bound:
            return []
        return self._send(client, timer.number + 1, now)

    def refuses(self, client: Client | None, request: Message) -> bool:
        """Whether this REQUEST is the renewal that has to be refused; whoever boots by itself is served at once."""
        if client is None or not client.recalled:
            return False
        client.recalled = False
        return request.renews

    def _send(self, client: Client, sending: int, now: float) -> list[Effect]:
        lease = client.lease
        assert lease is not None  # a bound client has one
        scope = self._book.scopes[lease.scope]
        if sending < SENDINGS:
            self._book.timers.arm(Timer("recall", client.mac, number=sending), now + AGAIN_S * sending)
        payload = force_renew(client.mac, scope.server.packed, nonce_for(self._secret, client.mac), int(now * 1000))
        told = MessageEvent(phone=client.phone, protocol="DHCP", sender="dhcp", receiver=client.phone, summary="FORCERENEW")
        return [
            Emit(told),
            Send(payload, Endpoint(str(lease.address), self._client_port), PORT, str(scope.server), scope.interface),
        ]
