"""DHCP messages to and from octets (RFC 2131 section 2; option overload RFC 2132 section 9.3; long options RFC 3396)."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from struct import Struct
from typing import NamedTuple

from voxpath.core.errors import LocalError, RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.message import ANY, BOOTREPLY, BOOTREQUEST, ETHERNET, Message, MessageType
from voxpath.model.address import MAC_LENGTH, Mac

MAGIC_COOKIE = b"\x63\x82\x53\x63"
MAX_MESSAGE = 4096
"""The longest message that is read or written, in octets."""
MIN_MESSAGE = 300
"""Shorter ones are padded: BOOTP relays and old clients drop them (RFC 1542 section 2.1)."""
DEFAULT_MESSAGE = 548
"""What every client takes without announcing more in option 57: 576 less the IP and UDP headers (RFC 2132 section 9.10)."""
LONGEST_PIECE = 255
MAX_HARDWARE = 16

_HEADER = Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_OPTIONS_AT = _HEADER.size
AROUND_OPTIONS = _OPTIONS_AT + 1
"""Octets of a message beside its options: the header, the cookie and the end option."""
_ETHERNET_REQUEST = bytes((BOOTREQUEST, ETHERNET, MAC_LENGTH))
"""How a request of an Ethernet client begins: op, htype, hlen."""
CHADDR_AT = 28
"""Where a message has the client's hardware address."""
SNAME_OCTETS = 64
FILE_OCTETS = 128
OVERLOAD_OCTETS = 3
_SNAME_AT = 44
_FILE_AT = 108
_COOKIE_AT = 236
_FORMAT = "RFC 2131 section 2"
_NOWHERE = _NO_COOKIE = bytes(4)
"""No address; and the vendor area of a BOOTP client that knows no options (RFC 951 section 3)."""

_END = bytes((code.END,))
_UNMOVED = frozenset((code.MESSAGE_TYPE, code.SERVER_ID, code.RELAY_AGENT))
_OVERLOAD_FILE = 1
_OVERLOAD_SNAME = 2
_OVERLOAD_BOTH = 3


def decode(payload: bytes) -> Message:
    """Read a message.

    A missing end option is accepted, as every server in use does: the end of the field ends the options.

    :raises RemoteError: it is too short or too long, has a cookie of another kind, or an option runs over the end of its field.
    """
    size = len(payload)
    if size < _OPTIONS_AT:
        raise RemoteError(f"the message is cut off: it has {size} octets, and options begin after {_OPTIONS_AT}", section=_FORMAT)
    if size > MAX_MESSAGE:
        raise RemoteError(f"the message has {size} octets, more than the {MAX_MESSAGE} that are read")
    (op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file, cookie) = _HEADER.unpack_from(
        payload
    )
    if op not in (BOOTREQUEST, BOOTREPLY):
        raise RemoteError(f"op {op} is neither request nor reply", offset=0, section=_FORMAT)
    if hlen > MAX_HARDWARE:
        raise RemoteError(f"a hardware address of {hlen} octets", offset=2, section=_FORMAT)
    options: dict[int, bytes] = {}
    if cookie == MAGIC_COOKIE:
        _collect(payload, _OPTIONS_AT, size, options)
    elif cookie != _NO_COOKIE:
        raise RemoteError("no magic cookie", offset=_COOKIE_AT, section="RFC 2131 section 3")
    if code.OVERLOAD in options:
        overload = _overload(options.pop(code.OVERLOAD))
        if overload & _OVERLOAD_FILE:
            _collect(payload, _FILE_AT, _COOKIE_AT, options)
            file = b""
        if overload & _OVERLOAD_SNAME:
            _collect(payload, _SNAME_AT, _FILE_AT, options)
            sname = b""
        options.pop(code.OVERLOAD, None)
    return Message(
        op, xid, chaddr[:hlen], options, htype, hops, secs, flags,
        _address(ciaddr), _address(yiaddr), _address(siaddr), _address(giaddr),
        sname.partition(b"\0")[0], file.partition(b"\0")[0],
    )  # fmt: skip


def client_of(payload: bytes) -> Mac | None:
    """The Ethernet client that a request names, also when it cannot be read otherwise; ``None``: none, or not to be told."""
    if not payload.startswith(_ETHERNET_REQUEST) or len(payload) < CHADDR_AT + MAC_LENGTH:
        return None
    return Mac(payload[CHADDR_AT : CHADDR_AT + MAC_LENGTH])


def is_discover(payload: bytes) -> bool:
    """Whether a message is a DISCOVER, told at a glance: its sender repeats it, so it may be dropped when there are too many.

    Most clients write the message type first; of the others each option is passed over, and what is malformed is none.
    """
    position, size = _OPTIONS_AT, len(payload)
    while position + 2 < size:
        option = payload[position]
        if option == code.MESSAGE_TYPE:
            return payload[position + 2] == MessageType.DISCOVER
        if option == code.END:
            return False
        position += 1 if option == code.PAD else 2 + payload[position + 1]
    return False


class Spread(NamedTuple):
    """Options by the field that they go into (RFC 2132 section 9.3)."""

    options: Mapping[int, bytes]
    file: Mapping[int, bytes]
    sname: Mapping[int, bytes]


def encode(message: Message, limit: int = MAX_MESSAGE, spread: Spread | None = None) -> bytes:
    """Write a message; options keep their order, and one of more than 255 octets becomes several (RFC 3396).

    :param spread: the message's options by field, when ``sname`` and ``file`` carry some of them in the place of what they say.
    :raises LocalError: a field does not fit, or the message is longer than the limit.
    """
    if spread is None:
        return _encode_with(message, encode_options(message.options), limit)
    used = _OVERLOAD_FILE * bool(spread.file) + _OVERLOAD_SNAME * bool(spread.sname)
    # The relay's own option stays the last one (RFC 3046 section 2.1).
    relays = {option: value for option, value in spread.options.items() if option == code.RELAY_AGENT}
    others = {option: value for option, value in spread.options.items() if option != code.RELAY_AGENT}
    options = encode_options(others) + bytes((code.OVERLOAD, 1, used)) + encode_options(relays)
    sname = encode_options(spread.sname) + _END if spread.sname else message.sname
    file = encode_options(spread.file) + _END if spread.file else message.file
    return _encode_with(message._replace(sname=sname, file=file), options, limit)


def encode_reply(
    request: Message, ciaddr: IPv4Address, yiaddr: IPv4Address, siaddr: IPv4Address, sname: bytes, file: bytes, options: bytes
) -> bytes:
    """Write the reply to a message that was read, with fields that fit and encoded options, of which none is too long."""
    chaddr = request.chaddr
    header = _HEADER.pack(
        BOOTREPLY, request.htype, len(chaddr), 0, request.xid, 0, request.flags,
        _octets(ciaddr), _octets(yiaddr), _octets(siaddr), _octets(request.giaddr),
        chaddr, sname, file, MAGIC_COOKIE,
    )  # fmt: skip
    return (header + options + _END).ljust(MIN_MESSAGE, b"\0")


def _encode_with(message: Message, options: bytes, limit: int) -> bytes:
    chaddr, sname, file = message.chaddr, message.sname, message.file
    if len(chaddr) > MAX_HARDWARE or len(sname) > SNAME_OCTETS or len(file) > FILE_OCTETS:
        raise LocalError("a DHCP header field does not fit: chaddr 16, sname 64, file 128 octets")
    header = _HEADER.pack(
        message.op, message.htype, len(chaddr), message.hops, message.xid, message.secs, message.flags,
        _octets(message.ciaddr), _octets(message.yiaddr), _octets(message.siaddr), _octets(message.giaddr),
        chaddr, sname, file, MAGIC_COOKIE,
    )  # fmt: skip
    data = header + options + _END
    if len(data) > limit:
        raise LocalError(f"a DHCP message of {len(data)} octets, {limit} are allowed")
    return data.ljust(MIN_MESSAGE, b"\0")


def octets_of(value: bytes) -> int:
    """How many octets an option with this value takes, in one piece or in several."""
    return len(value) + 2 * max(1, -(-len(value) // LONGEST_PIECE))


def message_octets(options: Mapping[int, bytes]) -> int:
    """How long a message with these options is, without overload."""
    return AROUND_OPTIONS + sum(map(octets_of, options.values()))


def spread_options(options: Mapping[int, bytes], limit: int) -> Spread | None:
    """Put the last options into ``sname``, ``file`` or both, as few as are necessary.

    ``None``: all of them fit as they are, or not even so.
    An option stays in one field, since not every client joins pieces over fields; the relay's own option stays where relays look.
    """
    octets = message_octets(options)
    if octets <= limit:
        return None
    stay = dict(options)
    excess = octets + OVERLOAD_OCTETS - limit
    moved: list[int] = []
    for option in reversed(list(options)):
        if excess <= 0:
            break
        size = octets_of(options[option])
        if size < FILE_OCTETS and option not in _UNMOVED:
            moved.insert(0, option)
            excess -= size
            del stay[option]
    if excess > 0:
        return None
    for places in ((SNAME_OCTETS,), (FILE_OCTETS,), (FILE_OCTETS, SNAME_OCTETS)):
        filled = _fill(options, moved, places)
        if filled is not None:
            file = filled[places.index(FILE_OCTETS)] if FILE_OCTETS in places else {}
            return Spread(stay, file, filled[-1] if SNAME_OCTETS in places else {})
    return None


def _fill(options: Mapping[int, bytes], moved: list[int], places: tuple[int, ...]) -> list[dict[int, bytes]] | None:
    """Put each option into the first field that has room for it and for the end option."""
    filled: list[dict[int, bytes]] = [{} for _ in places]
    free = [octets - len(_END) for octets in places]
    for option in moved:
        size = octets_of(options[option])
        place = next((place for place, room in enumerate(free) if size <= room), None)
        if place is None:
            return None
        free[place] -= size
        filled[place][option] = options[option]
    return filled


def encode_options(options: Mapping[int, bytes]) -> bytes:
    """Write options, without the end option.

    :raises LocalError: pad, end or overload is among them; the writer alone sets these.
    """
    data = bytearray()
    for option, value in options.items():
        if option in (code.PAD, code.OVERLOAD, code.END):
            raise LocalError(f"option {option} is set by the writer alone")
        if len(value) <= LONGEST_PIECE:
            data.append(option)
            data.append(len(value))
            data += value
        else:
            for at in range(0, len(value), LONGEST_PIECE):
                piece = value[at : at + LONGEST_PIECE]
                data += bytes((option, len(piece))) + piece
    return bytes(data)


def _collect(data: bytes, position: int, end: int, options: dict[int, bytes]) -> None:
    """Add the options of one field; a code seen before continues that option (RFC 3396 section 5)."""
    while position < end:
        option = data[position]
        if option == code.PAD:
            position += 1
            continue
        if option == code.END:
            return
        start = position + 2
        if start > end:
            raise RemoteError(f"option {option} has no length", offset=position, section="RFC 2132 section 2")
        stop = start + data[position + 1]
        if stop > end:
            raise RemoteError(f"option {option} runs over the end", offset=position, section="RFC 2132 section 2")
        known = options.get(option)
        options[option] = data[start:stop] if known is None else known + data[start:stop]
        position = stop


def _overload(value: bytes) -> int:
    if len(value) != 1 or not _OVERLOAD_FILE <= value[0] <= _OVERLOAD_BOTH:
        raise RemoteError("option 52 is none of 1, 2 and 3", section="RFC 2132 section 9.3")
    return value[0]


def _address(octets: bytes) -> IPv4Address:
    return ANY if octets == _NOWHERE else IPv4Address(octets)


def _octets(address: IPv4Address) -> bytes:
    return _NOWHERE if address is ANY else address.packed
