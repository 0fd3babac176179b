"""DHCP options in the configuration: those with a key of their own, and any other one by number and type."""

from ipaddress import IPv4Address
from typing import Annotated, Literal

from msgspec import Meta

from voxpath.app.section import Section, doc

LISTED = 16
"""Servers of one kind that are told."""
OPTIONS_LIMIT = 64
"""Entries of `scope.option` or `class.option`."""
MAX_ENTERPRISE = 0xFFFFFFFF

KindName = Literal["address", "addresses", "text", "hex", "u8", "u16", "u32", "i32", "bool", "names"]
"""The kinds of :data:`voxpath.dhcp.value.KINDS`."""
Scalar = str | int | bool

LayoutName = Literal["none", "voxpath", "cisco", "poly", "yealink", "grandstream", "snom", "mitel", "aastra", "avaya", "fanvil"]
"""The layouts of :data:`voxpath.dhcp.layout.LAYOUTS`."""

Url = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{0,255}\Z", extra={"words": "up to 255 characters without blanks"})]
Parameter = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_]{1,64}=[\x21-\x3a\x3c-\x7e]{1,200}\Z", extra={"words": "NAME=VALUE without blanks and semicolons"}),
]

TimeServers = Annotated[
    tuple[IPv4Address, ...], doc("Time servers of RFC 868 told to phones (option 4).", ["10.0.0.1"], max_length=LISTED)
]
NtpServers = Annotated[tuple[IPv4Address, ...], doc("NTP servers told to phones (option 42).", ["10.0.0.1"], max_length=LISTED)]
TftpServers = Annotated[
    tuple[IPv4Address, ...],
    doc("TFTP servers told to phones (siaddr, options 66 and 150); empty: `server`.", ["10.0.0.1", "10.0.0.2"], max_length=LISTED),
]
SipServers = Annotated[
    tuple[str, ...],
    doc("SIP servers told to phones (option 120): addresses, or names, not both.", ["192.0.2.12", "192.0.2.13"], max_length=LISTED),
]


class Option(Section, frozen=True):
    """A DHCP option by its number; that of a class replaces that of its scope, and both are sent whether asked for or not."""

    code: Annotated[int, doc("Its number; 43 and 125 are divided by `sub` and `enterprise`.", 125, ge=1, le=254)]
    type: Annotated[
        KindName,
        doc(
            "What `value` is: `address`, `addresses`, `text`, `hex`, the numbers `u8`, `u16`, `u32` and `i32` (signed), `bool`, "
            "or domain `names`.",
            "text",
        ),
    ]
    value: Annotated[
        Scalar | tuple[Scalar, ...],
        doc("The value; a list for `addresses`, `names` and several numbers.", "http://acs.example/phones"),
    ]
    sub: Annotated[int, doc("Number of a sub-option of option 43 or 125; 0: the whole value.", 1, ge=0, le=254)] = 0
    enterprise: Annotated[
        int, doc("With option 125: the enterprise number that its data is for; 0: none.", 3561, ge=0, le=MAX_ENTERPRISE)
    ] = 0
