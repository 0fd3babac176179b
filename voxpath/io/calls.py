"""Calls on their way from a controller to the gateways whose phones they concern, back over the connection of the ledger's feed.

A gateway gets the calls that have an end at its ports: all that go on when it connects, then each as it begins and ends.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace
from twisted.protocols import amp

from voxpath.core.errors import RemoteError
from voxpath.model.event import printable
from voxpath.model.media import MediaEnd, MediaSession

Arguments = list[tuple[bytes, amp.Argument]]

LONGEST_PHONE = 64
"""Characters of a phone's identity."""


class _Told(amp.Command):
    """The gateway may refuse what it cannot read."""

    errors: ClassVar[dict[type[Exception], bytes]] = {RemoteError: b"REFUSED"}


class CallBegins(_Told):
    """A session begins, or has changed."""

    arguments: ClassVar[Arguments] = [(b"role", amp.Unicode()), (b"session", amp.String())]


class CallEnds(_Told):
    """A session is over."""

    arguments: ClassVar[Arguments] = [(b"role", amp.Unicode()), (b"key", amp.Unicode())]


class CallsForgotten(_Told):
    """A role begins anew and knows none of its sessions any more; their calls may go on."""

    arguments: ClassVar[Arguments] = [(b"role", amp.Unicode())]


def encode(session: MediaSession) -> bytes:
    """Write a session down."""
    return msgspec.json.encode(session, enc_hook=str)


def decode(octets: bytes) -> MediaSession:
    """Read a session; raise :class:`RemoteError` when it is none."""
    try:
        session = msgspec.json.decode(octets, type=MediaSession, dec_hook=_address)
    except (ValueError, msgspec.DecodeError) as error:
        raise RemoteError(f"a session cannot be read: {error}") from error
    return replace(session, first=_safe(session.first), second=_safe(session.second))


def _address(kind: type[Any], text: Any) -> Any:
    return kind(text)


def _safe(end: MediaEnd) -> MediaEnd:
    if not all(0 < port <= 0xFFFF for port in end.ports):
        raise RemoteError("a session cannot be read: a port is none")
    return end._replace(phone=printable(end.phone, LONGEST_PHONE))


class RemoteSessions:
    """Tells gateways of the sessions of this process.

    What has no signalled end is not kept: a gateway that connects anew knows for itself how long it keeps that.

    :param gateway_of: which gateway has a public port; empty: none that is heard.
    """

    def __init__(self, gateway_of: Callable[[IPv4Address, int], str]) -> None:
        self._gateway_of = gateway_of
        self._links: dict[str, amp.AMP] = {}
        self._sessions: dict[tuple[str, str], MediaSession] = {}
        self._knowing: dict[tuple[str, str], set[str]] = {}

    def linked(self, gateway: str, link: amp.AMP) -> None:
        """A gateway's ledger is known from now on: it gets the calls that go on."""
        self._links[gateway] = link
        for key, session in self._sessions.items():
            # What it knew of calls ended with its former connection.
            self._knowing[key].discard(gateway)
            if gateway in self._gateways(session):
                self._begin(key, session, {gateway})

    def unlinked(self, gateway: str, link: amp.AMP) -> None:
        """A connection is lost; a newer one of that gateway stays."""
        if self._links.get(gateway) is link:
            del self._links[gateway]

    def connect(self, role: str, session: MediaSession) -> None:
        """A session of a role begins, or has changed: for a gateway that it has left it is over."""
        gateways, key = self._gateways(session), (role, session.key)
        if session.limit_s:
            self._tell(gateways, CallBegins, role=role, session=encode(session))
            return
        self._sessions[key] = session
        self._end(key, self._knowing.setdefault(key, set()) - gateways)
        self._begin(key, session, gateways)

    def disconnect(self, role: str, key: str) -> None:
        """A session of a role is over: all hear it that heard of it, whoever has its ports by now."""
        if self._sessions.pop((role, key), None) is not None:
            self._end((role, key), self._knowing.pop((role, key)))

    def abandon(self, role: str) -> None:
        """A role forgets its sessions."""
        for known in [known for known in self._sessions if known[0] == role]:
            del self._sessions[known], self._knowing[known]
        self._tell(self._links, CallsForgotten, role=role)

    def _begin(self, key: tuple[str, str], session: MediaSession, gateways: set[str]) -> None:
        self._knowing[key] |= gateways & self._links.keys()
        self._tell(gateways, CallBegins, role=key[0], session=encode(session))

    def _end(self, key: tuple[str, str], gateways: set[str]) -> None:
        self._knowing.get(key, set()).difference_update(gateways)
        self._tell(gateways, CallEnds, role=key[0], key=key[1])

    def _gateways(self, session: MediaSession) -> set[str]:
        if session.inside:
            return set()
        return {self._gateway_of(end.address, end.ports[0]) for end in session.ends if end.ports} - {""}

    def _tell(self, gateways: Iterable[str], command: type[amp.Command], **arguments: object) -> None:
        for gateway in gateways:
            if (link := self._links.get(gateway)) is not None:
                # A gateway that refuses is of another version: calls are none of its business.
                link.callRemote(command, **arguments).addErrback(lambda failure: None)
