"""Replies: the options that a phone gets, and where the message goes (RFC 2131 sections 4.1 and 4.3, DHC-8 to DHC-12)."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address
from re import compile as pattern

from voxpath.core.effects import Send
from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, BOOTREPLY, INFINITE_S, Message, MessageType
from voxpath.dhcp.options import MAX_LISTS, Assignment, flat_options, pack_vendor
from voxpath.dhcp.wire import DEFAULT_MESSAGE, MAX_MESSAGE, encode
from voxpath.model.address import BROADCAST_HOST, Endpoint, Mac
from voxpath.model.phone import MEGACO_PORT, PhoneClass, Scope
from voxpath.model.ports import PortBlock

BOOT_FILE_BLOCK = 512
"""Option 13 counts in these octets (RFC 2132 3.15); beyond 65 535 of them, 32 MiB, it cannot say the size and is left out."""

LONGEST_FILE = 127
HEADER_OCTETS = 28
"""IP and UDP headers, which option 57 counts in (RFC 2132 section 9.10)."""
FRAME_OCTETS = 241
"""A message without options: header, magic cookie and end option."""

DISPENSABLE = (code.BOOT_FILE_SIZE, code.ROOT_PATH, code.DOMAIN, code.HOST_NAME, code.BOOT_FILE, code.TFTP_SERVER, code.DNS_SERVER)
"""Left out, in this order, when a reply is longer than the client takes; boot file and TFTP server stay in the header fields."""

_LABEL = pattern(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def host_name(message: Message, mac: Mac) -> str:
    """The name that the phone sent if it is a valid label (RFC 1123 section 2.1), else one made from its address (DHC-11)."""
    label = message.text(code.HOST_NAME).partition(".")[0]
    return label if _LABEL.fullmatch(label) else f"phone-{mac.hex()}"


def renewal_s(lease_s: int) -> int:
    """When a phone renews: T1 (RFC 2131 section 4.4.5)."""
    return lease_s if lease_s == INFINITE_S else lease_s // 2


def rebinding_s(lease_s: int) -> int:
    """When a phone asks any server: T2."""
    return lease_s if lease_s == INFINITE_S else lease_s * 7 // 8


class Replies:
    """Makes replies; what is the same for all phones of a class in a scope is made once."""

    def __init__(self, client_port: int) -> None:
        self._client_port = client_port
        self._common: dict[tuple[str, str], dict[int, bytes]] = {}

    def answer(
        self,
        kind: MessageType,
        request: Message,
        scope: Scope,
        phone_class: PhoneClass,
        name: str,
        block: PortBlock | None,
        address: IPv4Address | None,
        more: Mapping[int, bytes],
    ) -> bytes:
        """An OFFER or an ACK.

        :param block: the phone's ports; ``None``: it has none, which only an INFORM's answer admits.
        :param address: the address given; ``None``: none is given, so no lease time is told either (RFC 2131 section 4.3.5).
        :param more: further options.
        """
        options: dict[int, bytes] = {code.MESSAGE_TYPE: bytes((kind,)), code.SERVER_ID: scope.server.packed}
        if address is not None:
            options.update(_times(phone_class.lease_s))
        options.update(self._common_of(scope, phone_class))
        options[code.HOST_NAME] = name.encode("ascii")
        options.update(_own(request, phone_class, block))
        options.update(more)
        _echo(request, options)
        _fit(request, options)
        return encode(
            Message(
                BOOTREPLY,
                request.xid,
                request.chaddr,
                options,
                htype=request.htype,
                flags=request.flags,
                ciaddr=ANY if kind is MessageType.OFFER else request.ciaddr,
                yiaddr=address or ANY,
                siaddr=scope.server,
                giaddr=request.giaddr,
                sname=str(scope.server).encode("ascii"),
                file=_file(phone_class),
            ),
            MAX_MESSAGE,
        )

    def refusal(self, request: Message, scope: Scope, reason: str) -> bytes:
        """A NAK (RFC 2131 table 3)."""
        options = {
            code.MESSAGE_TYPE: bytes((MessageType.NAK,)),
            code.SERVER_ID: scope.server.packed,
            code.MESSAGE: reason.encode("ascii", "replace"),
        }
        _echo(request, options)
        return encode(Message(BOOTREPLY, request.xid, request.chaddr, options, htype=request.htype, flags=request.flags))

    def address(self, payload: bytes, request: Message, scope: Scope, port: str, given: IPv4Address | None) -> Send:
        """Where a reply goes (RFC 2131 section 4.1); without an address given it is a NAK and is broadcast."""
        link = b""
        if given is None or (request.ciaddr == ANY and request.broadcast):
            host = BROADCAST_HOST
        elif request.ciaddr != ANY:
            host = str(request.ciaddr)
        else:
            # The client cannot answer ARP for an address that it does not have yet.
            host, link = str(given), request.chaddr
        return Send(payload, Endpoint(host, self._client_port), port, str(scope.server), scope.interface, link)

    def _common_of(self, scope: Scope, phone_class: PhoneClass) -> Mapping[int, bytes]:
        key = (scope.name, phone_class.name)
        common = self._common.get(key)
        if common is None:
            common = self._common[key] = common_options(scope, phone_class)
        return common


def common_options(scope: Scope, phone_class: PhoneClass) -> dict[int, bytes]:
    """The options that all phones of a class in a scope are told alike (DHC-11, DHC-12)."""
    options = {
        code.SUBNET_MASK: scope.subnet.netmask.packed,
        code.ROUTER: (scope.router or scope.server).packed,
        code.TFTP_SERVER: str(scope.server).encode("ascii"),
    }
    if scope.dns:
        options[code.DNS_SERVER] = b"".join(address.packed for address in scope.dns)
    if scope.domain:
        options[code.DOMAIN] = scope.domain.encode("idna")
    if phone_class.image:
        options[code.BOOT_FILE] = phone_class.image.encode("utf-8")
        blocks = -(-phone_class.image_octets // BOOT_FILE_BLOCK)
        if 0 < blocks <= 0xFFFF:
            options[code.BOOT_FILE_SIZE] = blocks.to_bytes(2, "big")
    if phone_class.root_path:
        options[code.ROOT_PATH] = phone_class.root_path.encode("utf-8")
    return options


def _file(phone_class: PhoneClass) -> bytes:
    name = phone_class.image.encode("utf-8")
    return name if len(name) <= LONGEST_FILE else b""


def _times(lease_s: int) -> dict[int, bytes]:
    return {
        code.LEASE_TIME: lease_s.to_bytes(4, "big"),
        code.RENEWAL_TIME: renewal_s(lease_s).to_bytes(4, "big"),
        code.REBINDING_TIME: rebinding_s(lease_s).to_bytes(4, "big"),
    }


def _own(request: Message, phone_class: PhoneClass, block: PortBlock | None) -> dict[int, bytes]:
    """Port range, MGC list and NAT address: in option 43 for our own classes, and one by one to whoever lists them (D1)."""
    flat = flat_options(Assignment(block, _endpoints(phone_class.mgcs), block.public if block is not None else None))
    options = {option: value for option, value in flat.items() if request.wants(option)}
    if phone_class.own_options:
        options[code.VENDOR] = pack_vendor(flat)
    return options


@lru_cache(MAX_LISTS)
def _endpoints(mgcs: tuple[str, ...]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint.parse(text, MEGACO_PORT) for text in mgcs)


def _echo(request: Message, options: dict[int, bytes]) -> None:
    client_id = request.options.get(code.CLIENT_ID)
    if client_id is not None:
        options[code.CLIENT_ID] = client_id  # RFC 6842 section 3


def _fit(request: Message, options: dict[int, bytes]) -> None:
    try:
        room = max(DEFAULT_MESSAGE, (request.number(code.MAX_MESSAGE_SIZE, 2) or 0) - HEADER_OCTETS)
    except RemoteError:
        room = DEFAULT_MESSAGE
    length = FRAME_OCTETS + sum(2 + len(value) for value in options.values())
    for option in DISPENSABLE:
        if length <= room:
            return
        if option in options:
            length -= 2 + len(options.pop(option))
