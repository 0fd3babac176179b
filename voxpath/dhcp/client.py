"""The phone's side: builds requests and reads answers (RFC 2131 section 4.4); when to send what is the boot machine's matter.

A phone takes an OFFER only when everything that it needs is in it, so another server's OFFER never wins (PHN-6, decision D16).
"""

from ipaddress import IPv4Address
from typing import NamedTuple, TypeAlias

from voxpath.core.retransmit import Entropy
from voxpath.dhcp import options as code
from voxpath.dhcp.forcerenew import HMAC_MD5, counter_of, nonce_in
from voxpath.dhcp.message import ANY, BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, Message, MessageType
from voxpath.dhcp.read import lease_of, told_of
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import BootLease, OwnAddress

WANTED = (
    code.SUBNET_MASK,
    code.ROUTER,
    code.DNS_SERVER,
    code.HOST_NAME,
    code.DOMAIN,
    code.VENDOR,
    code.LEASE_TIME,
    code.RENEWAL_TIME,
    code.REBINDING_TIME,
    code.TFTP_SERVER,
    code.BOOT_FILE,
    *code.FLAT_CODES,
)
"""The parameter request list (option 55)."""
TIMES = frozenset({code.LEASE_TIME, code.RENEWAL_TIME, code.REBINDING_TIME})
"""Not asked for by INFORM (RFC 2131 section 4.4.3)."""
MAX_SECS = 0xFFFF


class Offered(NamedTuple):
    """A complete OFFER."""

    lease: BootLease


class Acknowledged(NamedTuple):
    """A complete ACK."""

    lease: BootLease


class Refused(NamedTuple):
    """A NAK, with the server's reason made safe for a terminal."""

    reason: str


class Incomplete(NamedTuple):
    """An OFFER or ACK that lacks something necessary; ``missing`` names it (PHN-6)."""

    kind: MessageType
    missing: tuple[str, ...]


Answer: TypeAlias = Offered | Acknowledged | Refused | Incomplete


class DhcpClient:
    """Messages of one phone.

    :param vendor_class: text of option 60, by which the server chooses the phone's class.
    :param broadcast: ask for broadcast answers; false for a phone that takes a unicast to an address it has not set yet.
    :param registers: whether it needs a file server and controllers; false for a phone that only holds a lease for other programs.
    :ivar xid: number of the exchange under way.
    """

    def __init__(
        self,
        mac: Mac,
        vendor_class: str,
        entropy: Entropy,
        *,
        host_name: str = "",
        broadcast: bool = True,
        registers: bool = True,
    ) -> None:
        self.xid = 0
        self._mac = mac
        self._entropy = entropy
        self._registers = registers
        self._flags = BROADCAST_FLAG if broadcast else 0
        self._nonce = b""
        self._counter = 0
        self._own = {
            code.VENDOR_CLASS: vendor_class.encode("ascii"),
            code.CLIENT_ID: b"\x01" + mac,
        }
        if host_name:
            self._own[code.HOST_NAME] = host_name.encode("ascii")

    def discover(self, elapsed_s: float = 0.0) -> bytes:
        """A DISCOVER; it begins a new exchange."""
        self._begin()
        return self._write(MessageType.DISCOVER, {}, elapsed_s=elapsed_s, flags=self._flags)

    def request(self, lease: BootLease, elapsed_s: float = 0.0) -> bytes:
        """The REQUEST that selects an offer; it goes on with the exchange."""
        wanted = {code.REQUESTED_ADDRESS: lease.address.packed, code.SERVER_ID: lease.server.packed}
        return self._write(MessageType.REQUEST, wanted, elapsed_s=elapsed_s, flags=self._flags)

    def reboot(self, lease: BootLease) -> bytes:
        """The REQUEST of a phone that remembers its address (init-reboot)."""
        self._begin()
        return self._write(MessageType.REQUEST, {code.REQUESTED_ADDRESS: lease.address.packed}, flags=self._flags)

    def renew(self, lease: BootLease) -> bytes:
        """The REQUEST that renews, sent to the server, or rebinds, broadcast: the message is the same."""
        self._begin()
        return self._write(MessageType.REQUEST, {}, ciaddr=lease.address)

    def release(self, lease: BootLease) -> bytes:
        """A RELEASE; it is not answered."""
        self._begin()
        return self._write(MessageType.RELEASE, {code.SERVER_ID: lease.server.packed}, ciaddr=lease.address)

    def decline(self, lease: BootLease) -> bytes:
        """A DECLINE: somebody else uses the address; it is not answered."""
        self._begin()
        wanted = {code.REQUESTED_ADDRESS: lease.address.packed, code.SERVER_ID: lease.server.packed}
        return self._write(MessageType.DECLINE, wanted)

    def inform(self, address: IPv4Address) -> bytes:
        """An INFORM of a phone whose address is configured by hand (PHN-18); :meth:`read_told` reads its answer."""
        self._begin()
        return self._write(MessageType.INFORM, {}, ciaddr=address)

    def read(self, payload: bytes) -> Answer | None:
        """Read an answer; ``None``: it is not for this exchange.

        :raises RemoteError: it is malformed.
        """
        message = self._mine(payload)
        if message is None:
            return None
        kind = message.type
        if kind is MessageType.NAK:
            return Refused(printable(message.text(code.MESSAGE)))
        if kind not in (MessageType.OFFER, MessageType.ACK):
            return None
        if kind is MessageType.ACK:
            self._nonce = nonce_in(message)
        lease = lease_of(self._mac, message, self._registers)
        if isinstance(lease, tuple):
            return Incomplete(kind, lease)
        return Offered(lease) if kind is MessageType.OFFER else Acknowledged(lease)

    def read_told(self, payload: bytes, own: OwnAddress) -> Acknowledged | Incomplete | None:
        """Read the answer to an INFORM, beside what a person told the phone; ``None``: it is not for this exchange.

        :raises RemoteError: it is malformed.
        """
        message = self._mine(payload)
        if message is None or message.type is not MessageType.ACK:
            return None
        told = told_of(own, message, self._registers)
        return Incomplete(MessageType.ACK, told) if isinstance(told, tuple) else Acknowledged(told)

    def is_forced(self, payload: bytes) -> bool:
        """Whether a message is a FORCERENEW of our server, proven by the nonce of the last ACK, and no repetition of an old one."""
        counter = counter_of(payload, self._mac, self._nonce)
        if counter is None or counter <= self._counter:
            return False
        self._counter = counter
        return True

    def _mine(self, payload: bytes) -> Message | None:
        message = decode(payload)
        return message if message.op == BOOTREPLY and message.xid == self.xid and message.chaddr == self._mac else None

    def _begin(self) -> None:
        self.xid = self._entropy.getrandbits(32)

    def _write(
        self,
        kind: MessageType,
        extra: dict[int, bytes],
        *,
        ciaddr: IPv4Address = ANY,
        elapsed_s: float = 0.0,
        flags: int = 0,
    ) -> bytes:
        options = {code.MESSAGE_TYPE: bytes((kind,)), **extra, **self._own}
        if kind is MessageType.INFORM:
            options[code.PARAMETER_REQUEST_LIST] = bytes(option for option in WANTED if option not in TIMES)
        elif kind not in (MessageType.RELEASE, MessageType.DECLINE):
            options[code.PARAMETER_REQUEST_LIST] = bytes(WANTED)
            options[code.FORCERENEW_NONCE_CAPABLE] = bytes((HMAC_MD5,))
        secs = min(int(elapsed_s), MAX_SECS)
        return encode(Message(BOOTREQUEST, self.xid, self._mac, options, secs=secs, flags=flags, ciaddr=ciaddr))
