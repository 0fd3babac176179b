"""Texts of the configuration that mean more than text: each keeps its spelling and knows its value."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Self

from voxpath.model.address import Endpoint, Mac
from voxpath.model.event import printable
from voxpath.model.octets import read_octets
from voxpath.natreactor.firewall import OTHERS, TCP, UDP, Opening
from voxpath.provision.name import NamePattern

LAST_PORT = 0xFFFF


class EndpointText(str):
    """``ADDRESS:PORT``; :ivar endpoint: its value."""

    __slots__ = ("endpoint",)
    endpoint: Endpoint

    def __new__(cls, text: str) -> Self:
        """Read it; raise :class:`ValueError` for anything else, and for port 0."""
        made = super().__new__(cls, text)
        made.endpoint = Endpoint.parse(text)
        if not made.endpoint.port:
            raise ValueError("port 0 cannot be reached by anyone")
        return made


class MacRange(str):
    """One Ethernet address, or ``FIRST-LAST`` with both ends colon-separated.

    :ivar first: the lowest address of the range.
    :ivar last: the highest one, itself included.
    """

    __slots__ = ("first", "last")
    first: Mac
    last: Mac

    def __new__(cls, text: str) -> Self:
        """Read it; raise :class:`ValueError` for anything else, and for a range that runs backwards."""
        made = super().__new__(cls, text)
        first, dash, last = text.partition("-")
        made.first = Mac.parse(first.strip())
        made.last = Mac.parse(last.strip()) if dash else made.first
        if made.last < made.first:
            raise ValueError(f"{made.last} comes before {made.first}")
        return made


class OctetsText(str):
    """Octets that a person writes as text, or as hexadecimal pairs with colons between; :ivar octets: their value."""

    __slots__ = ("octets",)
    octets: bytes

    def __new__(cls, text: str) -> Self:
        """Read it; raise :class:`ValueError` for none, for more than an option has room for, and for text beyond ASCII."""
        made = super().__new__(cls, text)
        made.octets = read_octets(text)
        return made


class PatternText(str):
    """A pattern for names of files; :ivar pattern: its value."""

    __slots__ = ("pattern",)
    pattern: NamePattern

    def __new__(cls, text: str) -> Self:
        """Read it; raise :class:`ValueError` with the reason."""
        made = super().__new__(cls, text)
        made.pattern = NamePattern(text)
        return made


class OpeningText(str):
    """What may be reached from outside: ``tcp/22``, ``udp/4500-4510``, ``esp``; :ivar value: its value."""

    __slots__ = ("value",)
    value: Opening

    def __new__(cls, text: str) -> Self:
        """Read it; raise :class:`ValueError` for anything else."""
        made = super().__new__(cls, text)
        protocol, _, ports = text.partition("/")
        if protocol in OTHERS and not ports:
            made.value = Opening(protocol)
            return made
        if protocol not in (TCP, UDP):
            raise ValueError(f"it begins with none of {TCP}/, {UDP}/ and {', '.join(OTHERS)}")
        first, _, last = ports.partition("-")
        numbers = [int(each) for each in (first, last or first) if each.isdecimal() and each.isascii()]
        if len(numbers) < 2 or not 0 < numbers[0] <= numbers[1] <= LAST_PORT:
            raise ValueError(f"{ports!r} is no port from 1 to {LAST_PORT}, nor FIRST-LAST")
        made.value = Opening(protocol, numbers[0], numbers[1])
        return made


KINDS: dict[type[Any], tuple[str, str]] = {
    IPv4Address: ("an IPv4 address", "192.0.2.1"),
    IPv4Network: ("an IPv4 prefix with no host bits set", "10.0.0.0/24"),
    IPv4Interface: ("an IPv4 address with its prefix length", "10.0.0.11/24"),
    EndpointText: ("an address and a port", "192.0.2.1:2944"),
    MacRange: ("an Ethernet address or a range of them", "02:00:00:00:00:00-02:00:00:ff:ff:ff"),
    Mac: ("an Ethernet address", "02:00:00:00:0a:01"),
    PatternText: ("a name of a file with parts in braces", "SEP{mac}.cnf.xml"),
    OpeningText: ("a protocol and its ports", "udp/4500"),
    OctetsText: ("ASCII text, or hexadecimal pairs with colons", "01:02:00:00:00:0a:01"),
}
"""What each kind is called, and an example of it."""


def read_kind(kind: type[Any], value: Any) -> Any:
    """Read a text as a kind; raise :class:`ValueError` with what is wanted instead.

    It has the form of msgspec's ``dec_hook``.
    """
    wanted, example = KINDS[kind]
    if not isinstance(value, str):
        raise ValueError(f'{wanted} is wanted, as text such as "{example}"')
    try:
        return Mac.parse(value) if kind is Mac else kind(value)
    except ValueError as error:
        raise ValueError(f"{printable(value, 60)!r} is not {wanted} ({printable(str(error))})") from None
