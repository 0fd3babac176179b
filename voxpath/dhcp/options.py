"""DHCP option codes, and the layouts of voxpath's own data: port range, MGC list and NAT address (DHC-7 to DHC-10, decision D1).

The same three data fields travel in three ways:

=============  ==========================  ===============  ======================================================
field          sub-option of 43 and 125    option           octets
=============  ==========================  ===============  ======================================================
port range     1                           224              public address (4), first port (2), last port (2)
MGC list       2                           225              1 to 4 times: address (4), port (2); primary first
NAT address    3                           226              public address (4)
=============  ==========================  ===============  ======================================================

All numbers are in network byte order.
Sub-options in option 43 are encoded as RFC 2132 section 8.4 says: code (1), length (1), data; so are those in option 125, below
the enterprise number that the operator has configured (RFC 3925 section 4).
No end sub-option (255) is written; a reader stops at one, and steps over pad (0) and over codes that it does not know.
First and last port are given, not the size, so that a stock client's hook can write them into ``ip_local_port_range`` as they are.
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address
from struct import Struct
from typing import NamedTuple

from voxpath.core.cursor import Reader
from voxpath.core.errors import RemoteError
from voxpath.dhcp.enterprise import read_parts
from voxpath.model.address import Endpoint
from voxpath.model.ports import PortBlock

PAD = 0
SUBNET_MASK = 1
ROUTER = 3
TIME_SERVER = 4
DNS_SERVER = 6
HOST_NAME = 12
BOOT_FILE_SIZE = 13
DOMAIN = 15
ROOT_PATH = 17
NTP_SERVER = 42
VENDOR = 43
REQUESTED_ADDRESS = 50
LEASE_TIME = 51
OVERLOAD = 52
MESSAGE_TYPE = 53
SERVER_ID = 54
PARAMETER_REQUEST_LIST = 55
MESSAGE = 56
MAX_MESSAGE_SIZE = 57
RENEWAL_TIME = 58
REBINDING_TIME = 59
VENDOR_CLASS = 60
CLIENT_ID = 61
TFTP_SERVER = 66
BOOT_FILE = 67
RELAY_AGENT = 82
AUTHENTICATION = 90
SUBNET_SELECTION = 118
SIP_SERVERS = 120
ENTERPRISE_CLASS = 124
ENTERPRISE = 125
FORCERENEW_NONCE_CAPABLE = 145
TFTP_SERVERS = 150
PORT_PARAMETERS = 159
URL_160 = 160
PORT_RANGE = 224
MGC_LIST = 225
NAT_ADDRESS = 226
AVAYA = 242
END = 255

SUB_PORT_RANGE = 1
SUB_MGC_LIST = 2
SUB_NAT_ADDRESS = 3

MAX_MGCS = 4
"""A phone is told of at most that many media gateway controllers."""

MAX_LISTS = 256
"""Encoded MGC lists that are kept: there is one per phone class."""

FLAT_CODES = (PORT_RANGE, MGC_LIST, NAT_ADDRESS)
OWN_SUBS = (SUB_PORT_RANGE, SUB_MGC_LIST, SUB_NAT_ADDRESS)
_PORT_RANGE = Struct("!IHH")
_FLAT_OF_SUB = {SUB_PORT_RANGE: PORT_RANGE, SUB_MGC_LIST: MGC_LIST, SUB_NAT_ADDRESS: NAT_ADDRESS}


class Assignment(NamedTuple):
    """What voxpath tells a phone beyond plain DHCP; a part that was not told is ``None`` or empty."""

    block: PortBlock | None = None
    mgcs: tuple[Endpoint, ...] = ()
    nat: IPv4Address | None = None


def flat_options(given: Assignment) -> dict[int, bytes]:
    """Write an assignment as the separate options 224 to 226."""
    written: dict[int, bytes] = {}
    if given.block is not None:
        written[PORT_RANGE] = encode_port_range(given.block)
    if given.mgcs:
        written[MGC_LIST] = encode_mgcs(given.mgcs)
    if given.nat is not None:
        written[NAT_ADDRESS] = given.nat.packed
    return written


def pack_vendor(flat: Mapping[int, bytes]) -> bytes:
    """The content of option 43, and of our part of option 125, made from what :func:`flat_options` wrote."""
    written: list[bytes] = []
    for sub, option in _FLAT_OF_SUB.items():
        value = flat.get(option)
        if value is not None:
            written += (bytes((sub, len(value))), value)
    return b"".join(written)


def read_assignment(options: Mapping[int, bytes], enterprise: int = 0) -> Assignment:
    """Read what a server assigned, field by field: from option 43, else from option 125, else from 224 to 226.

    An option 43 of somebody else's layout is not an error: its owner is the vendor class.

    :param enterprise: the number that our part of option 125 stands under; 0: it is not looked at.
    :raises RemoteError: option 125 is looked at and malformed, or one of the options 224 to 226 is.
    """
    parts = read_parts(options.get(ENTERPRISE, b"")) if enterprise else ()
    found = [_read_vendor(options.get(VENDOR, b"")), *(_read_vendor(data) for number, data in parts if number == enterprise)]
    found.append(_read_fields({option: options[option] for option in FLAT_CODES if option in options}))
    return Assignment(
        next((given.block for given in found if given.block), None),
        next((given.mgcs for given in found if given.mgcs), ()),
        next((given.nat for given in found if given.nat), None),
    )


def encode_port_range(block: PortBlock) -> bytes:
    """Write a block as public address, first port, last port."""
    return _PORT_RANGE.pack(int(block.public), block.first, block.last)


def decode_port_range(data: bytes) -> PortBlock:
    """Read a block.

    :raises RemoteError: its length is not 8 octets, or the ports are no aligned power-of-two block.
    """
    with Reader(data).within(len(data)) as fields:
        public, first, last = IPv4Address(fields.take(4)), fields.u16(), fields.u16()
    try:
        return PortBlock(public, first, last - first + 1)
    except ValueError as error:
        raise RemoteError(f"port range {first} to {last}: {error}", offset=4) from None


@lru_cache(MAX_LISTS)
def encode_mgcs(mgcs: tuple[Endpoint, ...]) -> bytes:
    """Write the first four controllers."""
    return b"".join(IPv4Address(mgc.host).packed + mgc.port.to_bytes(2, "big") for mgc in mgcs[:MAX_MGCS])


def decode_mgcs(data: bytes) -> tuple[Endpoint, ...]:
    """Read the list of controllers.

    :raises RemoteError: it is empty, too long, or not a multiple of 6 octets.
    """
    if not 0 < len(data) <= 6 * MAX_MGCS:
        raise RemoteError(f"an MGC list of {len(data)} octets", offset=0)
    fields = Reader(data)
    mgcs = []
    while fields.remaining:
        mgcs.append(Endpoint(str(IPv4Address(fields.take(4))), fields.u16()))
    return tuple(mgcs)


def _read_vendor(data: bytes) -> Assignment:
    try:
        return _read_fields({_FLAT_OF_SUB[sub]: value for sub, value in _sub_options(data).items() if sub in _FLAT_OF_SUB})
    except RemoteError:
        return Assignment()


def _sub_options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    fields = Reader(data)
    while fields.remaining:
        sub = fields.u8()
        if sub == END:
            break
        if sub != PAD:
            found[sub] = fields.take(fields.u8())
    return found


def _read_fields(fields: Mapping[int, bytes]) -> Assignment:
    nat = fields.get(NAT_ADDRESS)
    if nat is not None and len(nat) != 4:
        raise RemoteError(f"a NAT address of {len(nat)} octets", offset=0)
    return Assignment(
        decode_port_range(fields[PORT_RANGE]) if PORT_RANGE in fields else None,
        decode_mgcs(fields[MGC_LIST]) if MGC_LIST in fields else (),
        IPv4Address(nat) if nat is not None else None,
    )
