"""Values of options for a person: addresses, numbers and texts where the type is known, else text or hexadecimal pairs.

What was written on the wire may be anything; a value that is not of its type is shown as it is, and nothing raises.
"""

from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv4Address

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.enterprise import read_parts, sub_options
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.options import decode_mgcs, decode_port_range
from voxpath.dhcp.port_parameters import decode_port_set
from voxpath.dhcp.relay import CIRCUIT_ID, LINK_SELECTION, REMOTE_ID, SERVER_ID_OVERRIDE
from voxpath.dhcp.value import decode_sip_servers, decode_value
from voxpath.model.address import MAC_LENGTH, Mac
from voxpath.model.event import printable
from voxpath.model.octets import write_octets

TYPES: Mapping[int, str] = {
    **dict.fromkeys((2,), "i32"),
    **dict.fromkeys((3, 5, 6, 7, 8, 9, 10, 11, 33, 41, 44, 45, 48, 49, 65, 69, 70, 71, 72, 73, 74, 75, 76), "addresses"),
    **dict.fromkeys((16, 28, 32), "address"),
    **dict.fromkeys((14, 15, 18, 40, 47, 60, 62, 64, 67, 100, 101, 114), "text"),
    **dict.fromkeys((19, 20, 27, 29, 30, 31, 34, 36, 39), "bool"),
    **dict.fromkeys((23, 37, 46, 116), "u8"),
    **dict.fromkeys((22, 25, 26), "u16"),
    **dict.fromkeys((24, 35, 38, 108), "u32"),
    119: "names",
}
"""Types of standard options (RFC 2132, RFC 3397, RFC 4833, RFC 8910, RFC 8925)."""

_OURS: Mapping[int, str] = {
    **dict.fromkeys((code.SUBNET_MASK, code.REQUESTED_ADDRESS, code.SERVER_ID, code.SUBNET_SELECTION, code.NAT_ADDRESS), "address"),
    **dict.fromkeys((code.TIME_SERVER, code.NTP_SERVER, code.TFTP_SERVERS), "addresses"),
    **dict.fromkeys((code.HOST_NAME, code.ROOT_PATH, code.MESSAGE, code.TFTP_SERVER, code.URL_160, code.AVAYA), "text"),
    **dict.fromkeys((code.BOOT_FILE_SIZE, code.MAX_MESSAGE_SIZE), "u16"),
    **dict.fromkeys((code.LEASE_TIME, code.RENEWAL_TIME, code.REBINDING_TIME), "u32"),
}
"""Types of those that the server writes itself, or that have keys of their own in the configuration."""

LONGEST = 400
"""Characters that are shown of a value."""

ETHERNET, NAMED = 1, 0
"""Types of a client identifier: hardware of that kind (RFC 2132 section 9.14), and any other name."""


def shown(option: int, value: bytes, *, own: bool = False, enterprise: int = 0) -> str:
    """An option's value, safe for a terminal.

    :param own: whether option 43 is in our layout, and not in a maker's.
    :param enterprise: the number under which option 125 is.
    """
    try:
        if option == code.ENTERPRISE:
            text = _enterprises(value, enterprise)
        elif option == code.VENDOR:
            text = _vendor(value, own)
        elif option in _WAYS:
            text = _WAYS[option](value)
        else:
            text = _typed(TYPES.get(option) or _OURS[option], value)
    except (KeyError, RemoteError, ValueError):
        text = write_octets(value)
    return printable(text, LONGEST)


def _typed(kind: str, value: bytes) -> str:
    if kind == "text":
        # Some clients end a text with NULs (RFC 2132 section 2).
        value = value.rstrip(b"\0")
    return " ".join(str(each).lower() if isinstance(each, bool) else str(each) for each in decode_value(kind, value))


def _message_type(value: bytes) -> str:
    (number,) = value
    return MessageType(number).name


def _codes(value: bytes) -> str:
    return ",".join(map(str, value))


def _client_id(value: bytes) -> str:
    """The identifier as the configuration and ``client=`` take it, and what it is."""
    if value[:1] == bytes((ETHERNET,)) and len(value) == 1 + MAC_LENGTH:
        return f"{value.hex(':')} (type 1, Ethernet address {Mac(value[1:])})"
    if value[:1] == bytes((NAMED,)) and value[1:].isascii() and value[1:].decode("ascii").isprintable() and value[1:]:
        return f"{value[1:].decode('ascii')} (type 0)"
    return write_octets(value)


def _port_set(value: bytes) -> str:
    ports = decode_port_set(value)
    return f"offset {ports.offset}, PSID {ports.psid} of {ports.length} bits"


def _subs(ways: Mapping[int, Callable[[bytes], str]], value: bytes) -> str:
    """Sub-options, each by its number.

    :raises RemoteError: they are none.
    """
    return ", ".join(f"{sub}={_sub(ways.get(sub, write_octets), data)}" for sub, data in sub_options(value).items())


def _sub(way: Callable[[bytes], str], data: bytes) -> str:
    try:
        return way(data)
    except (RemoteError, ValueError):
        return write_octets(data)


def _vendor(value: bytes, own: bool) -> str:
    """Our own fields, or whatever a maker wrote: text as it is, anything else as sub-options if it can be."""
    text = write_octets(value)
    return text if not own and text != value.hex(":") else _subs(_FIELDS if own else {}, value)


def _enterprises(value: bytes, enterprise: int) -> str:
    parts = read_parts(value)
    return "; ".join(f"{number}: {_sub(partial(_vendor, own=number == enterprise), data)}" for number, data in parts)


def _enterprise_classes(value: bytes) -> str:
    return "; ".join(f"{number}: {write_octets(data)}" for number, data in read_parts(value))


def _address(value: bytes) -> str:
    return str(IPv4Address(value))


def _port_range(value: bytes) -> str:
    return str(decode_port_range(value))


def _mgcs(value: bytes) -> str:
    return " ".join(map(str, decode_mgcs(value)))


_FIELDS: Mapping[int, Callable[[bytes], str]] = {
    code.SUB_PORT_RANGE: _port_range,
    code.SUB_MGC_LIST: _mgcs,
    code.SUB_NAT_ADDRESS: _address,
}
"""Our own sub-options."""

_WAYS: Mapping[int, Callable[[bytes], str]] = {
    code.MESSAGE_TYPE: _message_type,
    code.PARAMETER_REQUEST_LIST: _codes,
    code.CLIENT_ID: _client_id,
    code.RELAY_AGENT: partial(
        _subs, {CIRCUIT_ID: write_octets, REMOTE_ID: write_octets, LINK_SELECTION: _address, SERVER_ID_OVERRIDE: _address}
    ),
    code.SIP_SERVERS: lambda value: " ".join(decode_sip_servers(value)),
    code.ENTERPRISE_CLASS: _enterprise_classes,
    code.FORCERENEW_NONCE_CAPABLE: _codes,
    code.PORT_PARAMETERS: _port_set,
    code.PORT_RANGE: _port_range,
    code.MGC_LIST: _mgcs,
}
"""Options that have a form of their own."""
