"""The message identifier: who speaks in a MEGACO association (RFC 3525 section 8.2 and Annex B, ``mId``)."""

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from msgspec import Struct

LONGEST_MID = 64
"""The longest domain or device name, in characters (RFC 3525 Annex B)."""
LARGEST_PORT = 0xFFFF

_MID = re.compile(
    r"(?:\[(?P<address>[0-9A-Fa-f.:]{2,45})\]|<(?P<domain>[A-Za-z0-9][A-Za-z0-9.-]{0,63})>)(?::(?P<port>[0-9]{1,5}))?"
    r"|[Mm][Tt][Pp]\s*\{\s*(?P<point>[0-9A-Fa-f]{4,8})\s*\}"
    r"|(?P<device>\*?[A-Za-z0-9][A-Za-z0-9_/$*]{0,63}(?:@[A-Za-z0-9*][A-Za-z0-9*.-]{0,63})?)"
)


class MIdForm(Enum):
    """The forms that an mId may take."""

    ADDRESS = "address"
    DOMAIN = "domain"
    MTP = "mtp"
    DEVICE = "device"


class MId(Struct, frozen=True, eq=False):
    """A message identifier; two that differ only in letter case are equal.

    ``[192.0.2.1]`` and ``[192.0.2.1]:2944`` are different identifiers: the RFC gives the port no default here.

    :ivar host: address, domain name, MTP point code in hexadecimal, or device name, as the peer wrote it.
    :ivar port: only for addresses and domain names; ``None``: not given.
    """

    form: MIdForm
    host: str
    port: int | None = None

    @classmethod
    def of_address(cls, address: str | IPv4Address | IPv6Address, port: int | None = None) -> Self:
        """Make ``[address]:port``; raise :class:`ValueError` if it is no address or port."""
        return cls.parse(f"[{ip_address(str(address))}]" + ("" if port is None else f":{port}"))

    @classmethod
    def of_domain(cls, name: str, port: int | None = None) -> Self:
        """Make ``<name>:port``; raise :class:`ValueError` if it is no domain name or port."""
        return cls.parse(f"<{name}>" + ("" if port is None else f":{port}"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form of any mId; raise :class:`ValueError` for anything else."""
        match = _MID.fullmatch(text)
        if match is None:
            raise ValueError("not an mId")
        if (point := match["point"]) is not None:
            return cls(MIdForm.MTP, point)
        if (device := match["device"]) is not None:
            if len(device) > LONGEST_MID:
                raise ValueError(f"a device name of more than {LONGEST_MID} characters")
            return cls(MIdForm.DEVICE, device)
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > LARGEST_PORT:
            raise ValueError(f"an mId's port is at most {LARGEST_PORT}")
        if (domain := match["domain"]) is not None:
            return cls(MIdForm.DOMAIN, domain, port)
        ip_address(match["address"])
        return cls(MIdForm.ADDRESS, match["address"], port)

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The IP address, if the identifier holds one; used for the triangle decision (TRI-1)."""
        return ip_address(self.host) if self.form is MIdForm.ADDRESS else None

    @property
    def key(self) -> str:
        """The text that stands for this identifier in tables: its form in lower case."""
        return str(self).lower()

    def __str__(self) -> str:
        form = self.form
        if form is MIdForm.DEVICE:
            return self.host
        if form is MIdForm.MTP:
            return f"MTP{{{self.host}}}"
        text = f"[{self.host}]" if form is MIdForm.ADDRESS else f"<{self.host}>"
        return text if self.port is None else f"{text}:{self.port}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)
