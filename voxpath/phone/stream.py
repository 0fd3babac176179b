"""An ephemeral termination of the phone: one RTP stream, its descriptions and its media (RFC 3525 section 7.1.8)."""

from ipaddress import IPv4Address

from voxpath.core.errors import RemoteError
from voxpath.megaco.code import ILLEGAL_DESCRIPTOR, UNKNOWN_VALUE, UNSUPPORTED_MEDIA
from voxpath.megaco.message import LocalControl, Media, Property, Statistics, Stream, StreamMode
from voxpath.megaco.package import (
    NT_DURATION,
    NT_OCTETS_RECEIVED,
    NT_OCTETS_SENT,
    RTP_JITTER,
    RTP_PACKET_LOSS,
    RTP_PACKETS_RECEIVED,
    RTP_PACKETS_SENT,
)
from voxpath.model.address import Endpoint
from voxpath.phone import media as phone_media
from voxpath.rtp.g711 import PCMU, SAMPLE_RATE_HZ
from voxpath.sdp.message import CHOOSE, Connection, SessionDescription
from voxpath.sdp.wire import parse, render

SENDING = frozenset({StreamMode.SEND_ONLY, StreamMode.SEND_RECEIVE})
RECEIVING = frozenset({StreamMode.RECEIVE_ONLY, StreamMode.SEND_RECEIVE})


class EphemeralStream:
    """One RTP stream.

    :ivar number: its termination is ``rtp/NUMBER``, and so is its local port's name.
    :ivar local: where it receives.
    :ivar shown: the address that its Local descriptor shows: the private or the public one of the phone, as the controller says.
    """

    __slots__ = ("began", "context", "local", "media", "mode", "number", "remote", "shown")

    def __init__(self, number: int, context: int, local: Endpoint, media: "phone_media.Media", now: float) -> None:
        self.number = number
        self.context = context
        self.local = local
        self.shown = local.host
        self.media = media
        self.mode = StreamMode.INACTIVE
        self.remote: Endpoint | None = None
        self.began = now

    @property
    def termination(self) -> str:
        """Its name, and that of its port."""
        return f"rtp/{self.number}"

    @property
    def connected(self) -> bool:
        """Whether it talks in both directions."""
        return self.mode is StreamMode.SEND_RECEIVE and self.remote is not None

    def describe(self) -> Media:
        """Its Local descriptor, fully specified."""
        return Media((Stream(1, local=render(SessionDescription.of_audio(self.shown, self.local.port))),))

    def statistics(self, now: float) -> Statistics:
        """What it did, by the names of the packages (RFC 3525 E.11 and E.12)."""
        found = self.media.statistics()
        expected = found.packets_received + found.lost
        loss = 100 * found.lost / expected if expected else 0.0
        values = (
            (NT_DURATION, str(round((now - self.began) * 1000))),
            (NT_OCTETS_SENT, str(found.octets_sent)),
            (NT_OCTETS_RECEIVED, str(found.octets_received)),
            (RTP_PACKETS_SENT, str(found.packets_sent)),
            (RTP_PACKETS_RECEIVED, str(found.packets_received)),
            (RTP_PACKET_LOSS, f"{loss:.2f}"),
            (RTP_JITTER, str(round(found.jitter * 1000 / SAMPLE_RATE_HZ))),
        )
        return Statistics(tuple(Property(name, (value,)) for name, value in values))


class Wish:
    """What a Media descriptor asks of a stream, checked; nothing is changed before all of it is.

    :raises RemoteError: an address that is not the phone's, a codec that it does not have, or text that cannot be read.
    """

    __slots__ = ("_local", "_mode", "_remote", "_remote_given")

    def __init__(self, media: Media | None, own: tuple[str, ...], port: int) -> None:
        stream = media.stream() if media is not None else None
        if media is not None and any((each.number or 1) != 1 for each in media.streams):
            raise RemoteError("there is one stream", code=ILLEGAL_DESCRIPTOR)
        self._local: str | None = None
        self._remote: Endpoint | None = None
        self._remote_given = stream is not None and stream.remote is not None
        self._mode: StreamMode | None = None
        if stream is None:
            return
        control = stream.control or LocalControl()
        self._mode = control.mode
        if stream.local:
            self._local = _own_address(_description(stream.local), own, port)
        if stream.remote:
            self._remote = _description(stream.remote).rtp_endpoint()
            if self._remote is None:
                raise RemoteError("the remote side is not fully specified", code=UNKNOWN_VALUE)

    def apply(self, stream: EphemeralStream) -> None:
        """Change a stream."""
        if self._local is not None:
            stream.shown = self._local
        if self._remote_given:
            stream.remote = self._remote
        if self._mode is not None:
            stream.mode = self._mode
        stream.media.direct(stream.remote, stream.mode in SENDING, stream.mode in RECEIVING)


def _description(text: str) -> SessionDescription:
    descriptions = parse(text)
    if not descriptions or not descriptions[0].media:
        raise RemoteError("a description without m=", code=UNKNOWN_VALUE)
    # Of several alternatives the first one that the phone can do is taken; it can do G.711 mu-law.
    for description in descriptions:
        media = description.media[0] if description.media else None
        if media is not None and media.kind == "audio" and {str(PCMU), CHOOSE} & set(media.formats):
            return description
    raise RemoteError("only audio in G.711 mu-law", code=UNSUPPORTED_MEDIA)


def _own_address(description: SessionDescription, own: tuple[str, ...], port: int) -> str:
    """The address to show: one of the phone's own, private first where it may choose."""
    media = description.media[0]
    connection = media.connection or description.connection or Connection(CHOOSE)
    if media.port not in {None, port}:
        raise RemoteError("the port is the phone's to choose", code=UNKNOWN_VALUE)
    if connection.address == CHOOSE:
        return own[0]
    try:
        address = str(IPv4Address(connection.address))
    except ValueError:
        address = ""
    if address not in own:
        raise RemoteError("the address is not this phone's", code=UNKNOWN_VALUE)
    return address
