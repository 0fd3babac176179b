"""Replies: the options that a phone gets (RFC 2131 section 4.3, DHC-8 to DHC-12)."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address
from re import compile as pattern
from types import MappingProxyType
from typing import NamedTuple

from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import Part, known_parts, named_by, pack_sub_options, write_parts
from voxpath.dhcp.fit import fit, room_of
from voxpath.dhcp.form import Form
from voxpath.dhcp.layout import LAYOUTS, OWN_LAYOUT, Told
from voxpath.dhcp.message import ANY, BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, INFINITE_S, Message, MessageType
from voxpath.dhcp.options import MAX_LISTS, Assignment, flat_options, pack_vendor
from voxpath.dhcp.port_parameters import encode_port_set, port_set_of
from voxpath.dhcp.relay import echo
from voxpath.dhcp.shared import takes_port_set
from voxpath.dhcp.value import decode_sip_servers, decode_value, encode_addresses
from voxpath.dhcp.wire import AROUND_OPTIONS, encode, encode_reply
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import MEGACO_PORT, PhoneClass, Scope
from voxpath.model.ports import LARGEST_BLOCK, PortBlock

BOOT_FILE_BLOCK = 512
"""Option 13 counts in these octets (RFC 2132 3.15); beyond 65 535 of them, 32 MiB, it cannot say the size and is left out."""

LONGEST_FILE = 127

MAX_FORMS = 1024
"""Forms that are kept: there is one for each kind of reply, scope, class and way of asking."""

BLANKS = (
    *(code.HOST_NAME, code.VENDOR, code.CLIENT_ID, code.RELAY_AGENT, code.AUTHENTICATION, code.SUBNET_SELECTION, code.ENTERPRISE),
    *(code.PORT_PARAMETERS, *code.FLAT_CODES),
)
"""Options whose values differ from phone to phone."""

NOTHING_MORE: Mapping[int, bytes] = MappingProxyType({})

_LABEL = pattern(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def host_name(message: Message, mac: Mac) -> str:
    """The name that the phone sent if it is a valid label (RFC 1123 section 2.1), else one made from its address (DHC-11)."""
    label = message.text(code.HOST_NAME).partition(".")[0] if code.HOST_NAME in message.options else ""
    return label if label and _LABEL.fullmatch(label) else f"phone-{mac.hex()}"


def renewal_s(lease_s: int) -> int:
    """When a phone renews: T1 (RFC 2131 section 4.4.5)."""
    return lease_s if lease_s == INFINITE_S else lease_s // 2


def rebinding_s(lease_s: int) -> int:
    """When a phone asks any server: T2."""
    return lease_s if lease_s == INFINITE_S else lease_s * 7 // 8


class Answer(NamedTuple):
    """A reply.

    :ivar left_out: options for which the client's longest message has no room.
    """

    payload: bytes
    left_out: tuple[int, ...] = ()

    @property
    def note(self) -> str:
        """What an operator has to know of it, to be put behind its name; mostly nothing."""
        return f", without room for options {', '.join(map(str, self.left_out))}" if self.left_out else ""


class Common(NamedTuple):
    """What all phones of a class in a scope are told alike.

    :ivar asked: options for those only who list them.
    :ivar parts: what option 125 says, by enterprise number.
    :ivar siaddr: the first TFTP server; ``sname`` is its text.
    :ivar subs: sub-options of option 43 beyond those of the layout.
    :ivar mgcs: the controllers.
    """

    options: Mapping[int, bytes]
    asked: Mapping[int, bytes]
    parts: tuple[Part, ...]
    siaddr: IPv4Address
    sname: bytes
    file: bytes
    subs: bytes
    mgcs: tuple[Endpoint, ...]


class Replies:
    """Makes replies; what is the same for all phones of a class in a scope is made once.

    :param enterprise: the number under which option 125 tells our own fields; 0: under none.
    """

    def __init__(self, enterprise: int = 0) -> None:
        self._enterprise = enterprise
        self._common: dict[tuple[str, str], Common] = {}
        self._forms: dict[tuple[object, ...], Form] = {}

    def answer(
        self,
        kind: MessageType | None,
        request: Message,
        scope: Scope,
        phone_class: PhoneClass,
        name: str,
        block: PortBlock | None,
        address: IPv4Address | None,
        more: Mapping[int, bytes] = NOTHING_MORE,
    ) -> Answer:
        """An OFFER or an ACK.

        :param kind: ``None``: the answer to a BOOTP request, which has no message type and no lease (RFC 1534 section 2).
        :param block: the phone's ports; ``None``: it has none, which only an INFORM's answer admits.
        :param address: the address given; ``None``: none is given, so no lease time is told either (RFC 2131 section 4.3.5).
        :param more: further options, of this phone alone.
        """
        common = self._common_of(scope, phone_class)
        own = {code.HOST_NAME: name.encode("ascii"), **self._own(request, scope, phone_class, block, common), **more}
        echo(request, own, scope.server)
        ciaddr, yiaddr = ANY if kind is MessageType.OFFER else request.ciaddr, address or ANY
        form = self._form_of(kind, request, scope, phone_class, common, leased=address is not None)
        written = form.filled(own, room_of(request) - AROUND_OPTIONS)
        if written is not None:
            return Answer(encode_reply(request, ciaddr, yiaddr, common.siaddr, common.sname, common.file, written))
        fitted = fit(request, {**form.constant, **own})
        reply = Message(
            BOOTREPLY,
            request.xid,
            request.chaddr,
            fitted.options,
            htype=request.htype,
            flags=request.flags,
            ciaddr=ciaddr,
            yiaddr=yiaddr,
            siaddr=common.siaddr,
            giaddr=request.giaddr,
            sname=common.sname,
            file=common.file,
        )
        return Answer(encode(reply, spread=fitted.spread), fitted.left_out)

    def refusal(self, request: Message, scope: Scope, reason: str) -> bytes:
        """A NAK (RFC 2131 table 3); a relay is told to broadcast it, since the phone's address may be wrong on its link."""
        options = {
            code.MESSAGE_TYPE: bytes((MessageType.NAK,)),
            code.SERVER_ID: scope.server.packed,
            code.MESSAGE: reason.encode("ascii", "replace"),
        }
        echo(request, options, scope.server)
        flags = request.flags if request.giaddr == ANY else request.flags | BROADCAST_FLAG
        return encode(
            Message(BOOTREPLY, request.xid, request.chaddr, options, htype=request.htype, flags=flags, giaddr=request.giaddr)
        )

    def _form_of(
        self, kind: MessageType | None, request: Message, scope: Scope, phone_class: PhoneClass, common: Common, *, leased: bool
    ) -> Form:
        """What a reply to a client that asks like this one has in common with others."""
        options = request.options
        asks = (options.get(code.PARAMETER_REQUEST_LIST), options.get(code.ENTERPRISE_CLASS), options.get(code.ENTERPRISE))
        key = (kind, leased, scope.name, phone_class.name, asks)
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= MAX_FORMS:
                # Clients that ask in ever new ways; those that are there ask again.
                self._forms.clear()
            constant = self._constant(kind, request, scope, phone_class, common, leased=leased)
            form = self._forms[key] = Form(constant, BLANKS)
        return form

    def _constant(
        self, kind: MessageType | None, request: Message, scope: Scope, phone_class: PhoneClass, common: Common, *, leased: bool
    ) -> dict[int, bytes]:
        options = dict(common.options)
        if kind is not None:
            options |= {code.MESSAGE_TYPE: bytes((kind,)), code.SERVER_ID: scope.server.packed}
            if leased:
                options.update(_times(phone_class.lease_s))
        options.update((option, value) for option, value in common.asked.items() if request.lists(option))
        return options

    def _own(
        self, request: Message, scope: Scope, phone_class: PhoneClass, block: PortBlock | None, common: Common
    ) -> dict[int, bytes]:
        """Port range, MGC list and NAT address: in option 43 for our own classes, and otherwise to whoever asks for them (D1)."""
        flat = flat_options(Assignment(block, common.mgcs, block.public if block is not None else None))
        wanted = request.options.get(code.PARAMETER_REQUEST_LIST)
        options = dict(flat) if wanted is None else {option: value for option, value in flat.items() if option in wanted}
        if phone_class.layout == OWN_LAYOUT:
            options[code.VENDOR] = pack_vendor(flat) + common.subs
        if self._enterprise or common.parts:
            parts = self._parts(request, flat, common)
            if parts:
                options[code.ENTERPRISE] = write_parts(parts)
        if scope.shared and block is not None and takes_port_set(request, phone_class):
            options[code.PORT_PARAMETERS] = encode_port_set(port_set_of(block))
        return options

    def _parts(self, request: Message, flat: Mapping[int, bytes], common: Common) -> tuple[Part, ...]:
        """What option 125 says: of the enterprises that the client names in 124 or 125, or of all if it only lists 125."""
        parts = common.parts
        if self._enterprise:
            parts = ((self._enterprise, pack_vendor(flat)), *parts)
        named = named_by((request.options.get(code.ENTERPRISE_CLASS), request.options.get(code.ENTERPRISE)))
        if named:
            return tuple(part for part in parts if part[0] in named)
        return parts if request.lists(code.ENTERPRISE) else ()

    def _common_of(self, scope: Scope, phone_class: PhoneClass) -> Common:
        key = (scope.name, phone_class.name)
        common = self._common.get(key)
        if common is None:
            common = self._common[key] = common_of(scope, phone_class)
        return common


def common_of(scope: Scope, phone_class: PhoneClass) -> Common:
    """What all phones of a class in a scope are told alike (DHC-11 to DHC-13, DHC-25).

    What the class says replaces what its layout does, and that what the scope says.
    """
    of_scope, of_class = dict(scope.options), dict(phone_class.options)
    configured = {**of_scope, **of_class}
    tftp = tuple(IPv4Address(text) for text in decode_value("addresses", configured.get(code.TFTP_SERVERS, scope.server.packed)))
    sip = decode_sip_servers(configured[code.SIP_SERVERS]) if code.SIP_SERVERS in configured else ()
    mgcs = tuple(mgc.host for mgc in _endpoints(phone_class.mgcs))
    written = LAYOUTS[phone_class.layout].write(Told(tftp, phone_class.url, mgcs, sip, phone_class.parameters))
    sources = (of_scope, written, of_class)
    parts = {number: data for each in sources for number, data in known_parts(each.get(code.ENTERPRISE, b""))}
    options = _standard_options(scope, phone_class, str(tftp[0]))
    for each in sources:
        options.update(each)
    options.pop(code.ENTERPRISE, None)
    subs = pack_sub_options(dict(phone_class.sub_options))
    if subs:
        options[code.VENDOR] = written.get(code.VENDOR, b"") + subs
    asked = {code.TFTP_SERVERS: encode_addresses(tftp)}
    sname = str(tftp[0]).encode("ascii")
    return Common(options, asked, tuple(parts.items()), tftp[0], sname, _file(phone_class), subs, _endpoints(phone_class.mgcs))


def longest_reply(scope: Scope, phone_class: PhoneClass) -> int:
    """Octets of a reply to a phone that sends an ordinary client identifier and no list of what it wants."""
    request = Message(BOOTREQUEST, 0, bytes(6), {code.CLIENT_ID: bytes(7), code.MAX_MESSAGE_SIZE: b"\xff\xff"})
    block = PortBlock(scope.server, LARGEST_BLOCK, LARGEST_BLOCK)
    return len(Replies().answer(MessageType.OFFER, request, scope, phone_class, "x" * 18, block, scope.server).payload)


def _standard_options(scope: Scope, phone_class: PhoneClass, tftp: str) -> dict[int, bytes]:
    options = {
        code.SUBNET_MASK: scope.subnet.netmask.packed,
        code.ROUTER: (scope.router or scope.server).packed,
        code.TFTP_SERVER: (phone_class.url or tftp).encode("utf-8"),
    }
    if scope.dns:
        options[code.DNS_SERVER] = encode_addresses(scope.dns)
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


@lru_cache(MAX_LISTS)
def _endpoints(mgcs: tuple[str, ...]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint.parse(text, MEGACO_PORT) for text in mgcs)
