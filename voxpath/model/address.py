"""Addresses: Ethernet, and UDP or TCP endpoints."""

import re
from functools import lru_cache
from ipaddress import IPv4Address
from typing import NamedTuple, Self

MAC_LENGTH = 6
ANY_HOST = "0.0.0.0"  # noqa: S104 - what is bound to it is bound to an interface or asked for by the configuration
"""Any address of this host, and the address of a client that has none yet."""
BROADCAST_HOST = "255.255.255.255"
"""Everybody on the link, whatever the prefix."""
RECENT_TEXTS = 4096
"""Texts of addresses that are kept: those of phones that are being served."""
_GROUP_BIT = 1
_MAC_FORMS = re.compile(r"(?:[0-9A-Fa-f]{2}[:.-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12}")
_SEPARATORS = str.maketrans("", "", ":.-")
_PAIRS = re.compile(r"[0-9a-f]{1,2}")


class Mac(bytes):
    """An Ethernet address, six octets; the identity of a phone throughout voxpath (DHC-2)."""

    __slots__ = ()

    def __new__(cls, octets: bytes) -> Self:
        """Take six octets; anything else raises :class:`ValueError`."""
        if len(octets) != MAC_LENGTH:
            raise ValueError(f"an Ethernet address has {MAC_LENGTH} octets, not {len(octets)}")
        return super().__new__(cls, octets)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it with colons, hyphens or dots between pairs, as ``0200.0000.0001``, or without any of them.

        :raises ValueError: it is none.
        """
        if _MAC_FORMS.fullmatch(text) is None:
            raise ValueError(f"{text!r} is not an Ethernet address such as 02:00:00:00:00:01")
        return cls(bytes.fromhex(text.translate(_SEPARATORS)))

    @property
    def is_group(self) -> bool:
        """Whether it is the address of several hosts, and so of no phone."""
        return bool(self[0] & _GROUP_BIT)

    def __str__(self) -> str:
        return self.hex(":")

    def __repr__(self) -> str:
        return f"Mac({self.hex(':')})"


def is_mac(text: str) -> bool:
    """Whether a text is an Ethernet address, as the identity of everyone who holds a lease is."""
    return _MAC_FORMS.fullmatch(text) is not None


def mac_beginning(text: str) -> str:
    """The beginning of an Ethernet address as it is printed, from any of the forms that are read; any other text as it is."""
    digits = text.translate(_SEPARATORS).lower()
    return ":".join(_PAIRS.findall(digits)) if re.fullmatch(r"[0-9a-f]{1,12}", digits) else text


def text_of(address: IPv4Address) -> str:
    """An address as text: what ``str`` gives, for a fraction of the cost, where every packet needs the same some times."""
    return _dotted(int(address))


@lru_cache(RECENT_TEXTS)
def _dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Endpoint(NamedTuple):
    """An IP address (text form, as the socket module speaks it) and a UDP or TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> Self:
        """Read ``192.0.2.1:2944`` or, given a default port, ``192.0.2.1``; raise :class:`ValueError`."""
        host, colon, port = text.rpartition(":")
        if not colon:
            if default_port is None:
                raise ValueError(f"{text!r} names no port: write ADDRESS:PORT")
            host, port = text, str(default_port)
        IPv4Address(host)
        number = int(port)
        if not 0 <= number <= 0xFFFF:
            raise ValueError(f"{number} is not a port: 0 to 65535")
        return cls(host, number)
