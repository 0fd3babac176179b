"""DHCP messages: what the octets mean (RFC 2131 section 2, RFC 2132)."""

from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.model.address import MAC_LENGTH, Mac, text_of
from voxpath.model.event import printable

BOOTREQUEST = 1
BOOTREPLY = 2
ETHERNET = 1
BROADCAST_FLAG = 0x8000
SERVER_PORT = 67
CLIENT_PORT = 68
INFINITE_S = 0xFFFFFFFF
"""A lease time that never ends (RFC 2131 section 3.3)."""
ANY = IPv4Address(0)
MAX_SHOWN = 256
"""Vendor classes of which the text for events is kept; phones send few, and strangers any."""


class MessageType(IntEnum):
    """Option 53 (RFC 2132 section 9.6); a code without a name here is kept as ``UNKNOWN_n``."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8
    FORCERENEW = 9

    @classmethod
    def _missing_(cls, value: object) -> "MessageType | None":
        if not isinstance(value, int) or not 0 <= value <= 0xFF:
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"UNKNOWN_{value}"
        unknown._value_ = value
        return unknown


class Message(NamedTuple):
    """A DHCP message; options stay octets by code, and the accessors read them when they are wanted.

    :ivar chaddr: the client's hardware address, without padding.
    :ivar options: all options but pad, end and overload, in their order; the pieces of a split option are joined (RFC 3396).
    :ivar sname: the server's name, without NULs; empty when the field carried options.
    :ivar file: the boot file's name, without NULs; empty when the field carried options.
    """

    op: int
    xid: int
    chaddr: bytes
    options: Mapping[int, bytes]
    htype: int = ETHERNET
    hops: int = 0
    secs: int = 0
    flags: int = 0
    ciaddr: IPv4Address = ANY
    yiaddr: IPv4Address = ANY
    siaddr: IPv4Address = ANY
    giaddr: IPv4Address = ANY
    sname: bytes = b""
    file: bytes = b""

    @property
    def type(self) -> MessageType | None:
        """The message type; ``None`` for plain BOOTP (RFC 2132 section 9.6)."""
        value = self.options.get(code.MESSAGE_TYPE)
        if value is None:
            return None
        if len(value) != 1:
            raise _wrong_length(code.MESSAGE_TYPE, value)
        return _TYPES[value[0]]

    @property
    def mac(self) -> Mac | None:
        """The client's Ethernet address; ``None`` when the hardware is something else."""
        if self.htype != ETHERNET or len(self.chaddr) != MAC_LENGTH:
            return None
        return Mac(self.chaddr)

    @property
    def broadcast(self) -> bool:
        """Whether the client cannot take a unicast before it has its address (RFC 2131 section 4.1)."""
        return bool(self.flags & BROADCAST_FLAG)

    @property
    def vendor_class(self) -> bytes | None:
        """Option 60 without trailing NULs, which some phones append; ``None`` when absent."""
        value = self.options.get(code.VENDOR_CLASS)
        return None if value is None else value.rstrip(b"\0")

    @property
    def renews(self) -> bool:
        """Whether a REQUEST is that of a RENEWING or REBINDING client: it has an address, and names no server."""
        return self.ciaddr != ANY and code.SERVER_ID not in self.options

    def address(self, option: int) -> IPv4Address | None:
        """An option that is one address; ``None`` when absent.

        :raises RemoteError: its length is not four octets.
        """
        value = self.options.get(option)
        if value is None:
            return None
        if len(value) != 4:
            raise _wrong_length(option, value)
        return IPv4Address(value)

    def addresses(self, option: int) -> tuple[IPv4Address, ...]:
        """An option that is a list of addresses; empty when absent.

        :raises RemoteError: its length is no multiple of four octets.
        """
        value = self.options.get(option, b"")
        if len(value) % 4:
            raise _wrong_length(option, value)
        return tuple(IPv4Address(value[at : at + 4]) for at in range(0, len(value), 4))

    def number(self, option: int, octets: int) -> int | None:
        """An option that is an unsigned number of that many octets; ``None`` when absent.

        :raises RemoteError: its length differs.
        """
        value = self.options.get(option)
        if value is None:
            return None
        if len(value) != octets:
            raise _wrong_length(option, value)
        return int.from_bytes(value, "big")

    def text(self, option: int) -> str:
        """An option that is text, without trailing NULs; empty when absent; octets beyond ASCII become U+FFFD."""
        return self.options.get(option, b"").rstrip(b"\0").decode("ascii", "replace")

    def wants(self, option: int) -> bool:
        """Whether the client asks for an option by name (option 55), or sends no list at all."""
        wanted = self.options.get(code.PARAMETER_REQUEST_LIST)
        return wanted is None or option in wanted

    def lists(self, option: int) -> bool:
        """Whether the client asks for an option by name (option 55)."""
        return option in self.options.get(code.PARAMETER_REQUEST_LIST, b"")

    @property
    def summary(self) -> str:
        """The message in a few words, safe for a terminal."""
        kind, options = self.type, self.options
        told = kind.name if kind is not None else "BOOTP"
        if self.yiaddr != ANY:
            told += f" {text_of(self.yiaddr)}"
        elif self.ciaddr != ANY:
            told += f" from {text_of(self.ciaddr)}"
        wanted = options.get(code.REQUESTED_ADDRESS)
        if wanted is not None:
            told += f" wants {text_of(IPv4Address(wanted)) if len(wanted) == 4 else 'no address'}"
        if code.VENDOR_CLASS in options:
            told += f" class {_shown(options[code.VENDOR_CLASS])}"
        return told


_TYPES = tuple(MessageType(value) for value in range(0x100))


@lru_cache(MAX_SHOWN)
def _shown(vendor_class: bytes) -> str:
    return printable(vendor_class.rstrip(b"\0").decode("ascii", "replace"), 40)


def _wrong_length(option: int, value: bytes) -> RemoteError:
    return RemoteError(f"option {option} has {len(value)} octets", section="RFC 2132")
