"""What a redirect server knows of a call's media: who sends to whom, and of the caller's side the ports that it offers (RFC 3264).

The callee's answer and the end of the call pass it by.
So of the callee's side all ports of its block may be used, which holds for the signalling port, too, since the caller goes on
straight to it; and the session is over when a call of usual length would be.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final

from voxpath.core.errors import RemoteError
from voxpath.model.media import MediaEnd, MediaSession, pair
from voxpath.model.place import Place
from voxpath.sdp.wire import parse

REDIRECTED_S: Final = 4 * 3600.0
"""How long a redirected call is taken to last."""

MOST_STREAMS: Final = 8
"""Streams of an offer that are looked at."""


def sessions(caller: Place, called: Iterable[tuple[str, Place]], offer: bytes) -> Iterator[MediaSession]:
    """The sessions that a redirect may lead to, one for each contact that is given; none where no ledger knows either side.

    The same caller's next call to the same phone is the same session again: who calls a thousand times opens no more than once.

    :param called: each contact's phone, and its place.
    :param offer: the body of the INVITE.
    """
    first = _end(caller, _offered(caller, offer))
    for phone, place in called:
        second = _end(place, _whole(place))._replace(phone=phone)
        if first.ports or second.ports:
            key = f"{first.address} {first.private} {second.address} {second.private} {second.ports[:1]}"
            yield MediaSession(key, first, second, talking=False, limit_s=REDIRECTED_S)


def _end(place: Place, ports: tuple[int, ...]) -> MediaEnd:
    return MediaEnd(place.phone, IPv4Address(place.public.host), ports, place.private)


def _whole(place: Place) -> tuple[int, ...]:
    return tuple(range(place.block.first, place.block.last + 1)) if place.block is not None else ()


def _offered(place: Place, offer: bytes) -> tuple[int, ...]:
    """The port that signalling comes from, and those of the offered streams; all of the block where none can be read.

    An address in the offer is not looked at: inside or outside, the port is the same.
    """
    if place.block is None:
        return ()
    try:
        descriptions = parse(offer.decode("utf-8", "replace"))
    except RemoteError:
        return _whole(place)
    streams = [media.port for each in descriptions[:1] for media in each.media[:MOST_STREAMS] if media.port]
    ports = dict.fromkeys(port for stream in streams for port in pair(stream) if port in place.block)
    return (place.public.port, *(port for port in ports if port != place.public.port)) if ports else _whole(place)
