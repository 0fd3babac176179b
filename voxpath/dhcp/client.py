"""The phone's side: builds requests and reads answers (RFC 2131 section 4.4); when to send what is the boot machine's matter.

A phone takes an OFFER only when everything that it needs is in it, so another server's OFFER never wins (PHN-6, decision D16).
"""

from ipaddress import IPv4Address
from typing import NamedTuple, TypeAlias

from voxpath.core.errors import RemoteError
from voxpath.core.retransmit import Entropy
from voxpath.dhcp import options as code
from voxpath.dhcp.forcerenew import HMAC_MD5, counter_of, nonce_in
from voxpath.dhcp.message import ANY, BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, Message, MessageType
from voxpath.dhcp.options import read_assignment
from voxpath.dhcp.wire import decode, encode
from voxpath.model.address import Mac
from voxpath.model.event import printable
from voxpath.model.phone import BootLease

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
        """An INFORM of a phone whose address is configured by hand (PHN-18)."""
        self._begin()
        return self._write(MessageType.INFORM, {}, ciaddr=address)

    def read(self, payload: bytes) -> Answer | None:
        """Read an answer; ``None``: it is not for this exchange.

        :raises RemoteError: it is malformed.
        """
        message = decode(payload)
        if message.op != BOOTREPLY or message.xid != self.xid or message.chaddr != self._mac:
            return None
        kind = message.type
        if kind is MessageType.NAK:
            return Refused(printable(message.text(code.MESSAGE)))
        if kind not in (MessageType.OFFER, MessageType.ACK):
            return None
        if kind is MessageType.ACK:
            self._nonce = nonce_in(message)
        lease = _lease(self._mac, message, self._registers)
        if isinstance(lease, tuple):
            return Incomplete(kind, lease)
        return Offered(lease) if kind is MessageType.OFFER else Acknowledged(lease)

    def is_forced(self, payload: bytes) -> bool:
        """Whether a message is a FORCERENEW of our server, proven by the nonce of the last ACK, and no repetition of an old one."""
        counter = counter_of(payload, self._mac, self._nonce)
        if counter is None or counter <= self._counter:
            return False
        self._counter = counter
        return True

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
        if kind not in (MessageType.RELEASE, MessageType.DECLINE):
            options[code.PARAMETER_REQUEST_LIST] = bytes(WANTED)
            options[code.FORCERENEW_NONCE_CAPABLE] = bytes((HMAC_MD5,))
        secs = min(int(elapsed_s), MAX_SECS)
        return encode(Message(BOOTREQUEST, self.xid, self._mac, options, secs=secs, flags=flags, ciaddr=ciaddr))


def _lease(mac: Mac, message: Message, registers: bool) -> BootLease | tuple[str, ...]:
    """The lease that a message gives, or the names of what it lacks."""
    mask = message.address(code.SUBNET_MASK)
    server = message.address(code.SERVER_ID)
    lease_s = message.number(code.LEASE_TIME, 4)
    tftp = _tftp(message)
    given = read_assignment(message.options)
    necessary = {
        "address": message.yiaddr != ANY,
        "subnet mask (1)": mask is not None,
        "lease time (51)": lease_s is not None,
        "server identifier (54)": server is not None,
        "TFTP server (66)": bool(tftp) or not registers,
        "port range (43.1 or 224)": given.block is not None,
        "MGC list (43.2 or 225)": bool(given.mgcs) or not registers,
    }
    if mask is None or lease_s is None or server is None or given.block is None or not all(necessary.values()):
        return tuple(name for name, there in necessary.items() if not there)
    routers = message.addresses(code.ROUTER)
    return BootLease(
        mac=mac,
        address=message.yiaddr,
        prefix_length=_prefix_length(mask),
        router=routers[0] if routers else None,
        server=server,
        lease_s=lease_s,
        tftp=tftp,
        boot_file=printable(message.text(code.BOOT_FILE) or message.file.decode("ascii", "replace")),
        block=given.block,
        mgcs=given.mgcs,
        dns=message.addresses(code.DNS_SERVER),
        domain=printable(message.text(code.DOMAIN)),
        host_name=printable(message.text(code.HOST_NAME)),
    )


def _tftp(message: Message) -> str:
    """Option 66, else the server's name, else siaddr: different servers use different ones."""
    name = message.text(code.TFTP_SERVER) or message.sname.decode("ascii", "replace")
    if name:
        return printable(name)
    return str(message.siaddr) if message.siaddr != ANY else ""


def _prefix_length(mask: IPv4Address) -> int:
    inverse = int(mask) ^ 0xFFFFFFFF
    if inverse & (inverse + 1):
        raise RemoteError(f"{mask} is no subnet mask", section="RFC 2132 section 3.3")
    return 32 - inverse.bit_length()
