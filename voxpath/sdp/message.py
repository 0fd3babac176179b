"""Session descriptions as values (RFC 4566, as RFC 3525 section 7.1.8 uses them).

In MEGACO ``o=``, ``s=`` and ``t=`` may be missing, and ``$`` asks the gateway to choose.
A description is changed only by making a new value from the parsed one, never by editing text.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, Self

from voxpath.model.address import Endpoint

CHOOSE = "$"


class Line(NamedTuple):
    """A line that is kept uninterpreted, such as ``b=AS:64`` or ``t=0 0``."""

    type: str
    value: str


class Attribute(NamedTuple):
    """``a=name`` or ``a=name:value``.

    :ivar value: ``None``: the attribute has none, which differs from an empty one.
    """

    name: str
    value: str | None = None


class Connection(NamedTuple):
    """``c=IN IP4 192.0.2.1``; the address may be ``$`` or carry a multicast suffix."""

    address: str
    type: str = "IP4"
    network: str = "IN"

    @classmethod
    def to(cls, address: IPv4Address | IPv6Address) -> Self:
        """Make the connection of an address."""
        return cls(str(address), f"IP{address.version}")


class Origin(NamedTuple):
    """``o=user session version IN IP4 address``."""

    user: str
    session: str
    version: str
    network: str
    type: str
    address: str


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """``m=audio 2222 RTP/AVP 0`` and the lines below it.

    :ivar port: ``None``: ``$``.
    :ivar count: the number of port pairs, if given (``m=audio 2222/2``).
    :ivar formats: payload types; may hold ``$``.
    :ivar others: lines other than ``c=`` and ``a=``, in their order.
    """

    kind: str
    port: int | None
    protocol: str
    formats: tuple[str, ...]
    count: int | None = None
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    others: tuple[Line, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """The first attribute of that name; ``None`` when there is none."""
        return next((each for each in self.attributes if each.name == name), None)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """One session description.

    :ivar name: ``s=``; ``None``: absent.
    :ivar others: session lines other than ``v= o= s= c= a=``, in their order.
    :ivar media: one for a MEGACO stream; more are kept.
    """

    media: tuple[MediaDescription, ...] = ()
    connection: Connection | None = None
    origin: Origin | None = None
    name: str | None = None
    attributes: tuple[Attribute, ...] = ()
    others: tuple[Line, ...] = ()
    version: str = "0"

    @classmethod
    def of_audio(
        cls, address: str = CHOOSE, port: int | None = None, formats: Iterable[str] = ("0",), *attributes: Attribute
    ) -> Self:
        """Make what a call agent or gateway says of one audio stream; without address or port they are left to choose."""
        connection = Connection(CHOOSE) if address == CHOOSE else Connection.to(ip_address(address))
        return cls((MediaDescription("audio", port, "RTP/AVP", tuple(formats), attributes=attributes),), connection)

    def rtp_endpoint(self) -> Endpoint | None:
        """Where the first stream receives; ``None``: it is not specified yet, refused (port 0), or is no IP address."""
        if not self.media or not self.media[0].port:
            return None
        connection = self.media[0].connection or self.connection
        try:
            return Endpoint(str(ip_address(connection.address)), self.media[0].port) if connection else None
        except ValueError:
            return None

    def with_address(self, address: str | IPv4Address | IPv6Address) -> Self:
        """The same description at another address: in each ``c=``, and in ``o=`` where it named the old one.

        Ports stay: a port is the same on both sides of the NAPPT (NAP-1).
        """
        connection = Connection.to(ip_address(str(address)))
        old = {each.address for each in (self.connection, *(part.connection for part in self.media)) if each is not None}
        origin = self.origin
        if origin is not None and origin.address in old:
            origin = origin._replace(address=connection.address, type=connection.type)
        media = tuple(part if part.connection is None else replace(part, connection=connection) for part in self.media)
        at_session = connection if self.connection is not None or any(part.connection is None for part in media) else None
        return replace(self, connection=at_session, origin=origin, media=media)

    def with_port(self, port: int) -> Self:
        """The same description with another port for its first stream."""
        return replace(self, media=tuple(replace(part, port=port) if not n else part for n, part in enumerate(self.media)))
