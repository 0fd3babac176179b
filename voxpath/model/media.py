"""Media sessions: which two ends signalling has connected, whoever carries the media or watches it."""

from ipaddress import IPv4Address
from typing import NamedTuple

from msgspec import Struct


class MediaEnd(NamedTuple):
    """One side of a session.

    :ivar phone: its identity; empty: it is not known.
    :ivar address: by which the other side reaches it, and from which its media reaches the other side.
    :ivar ports: where it receives: of each RTP stream the port of RTP and that of RTCP (RFC 3550 section 11); all of its block
        where signalling does not tell which ones.
    :ivar private: its inside address; ``None``: it has none, or none is known.
    """

    phone: str
    address: IPv4Address
    ports: tuple[int, ...]
    private: IPv4Address | None = None


class MediaSession(Struct, frozen=True, gc=False):
    """Two ends that are to exchange media.

    :ivar key: tells it from the other sessions of the role that connects it.
    :ivar inside: whether both use inside addresses, so that no gateway sees their media.
    :ivar talking: whether media is to flow in both directions by now; before, one side at the most sends, such as a ringing tone.
    :ivar limit_s: it is over after so many seconds, since its end is not signalled here; 0: its end will be told.
    """

    key: str
    first: MediaEnd
    second: MediaEnd
    inside: bool = False
    talking: bool = True
    limit_s: float = 0.0

    @property
    def ends(self) -> tuple[MediaEnd, MediaEnd]:
        """Both sides."""
        return self.first, self.second


def pair(rtp: int) -> tuple[int, ...]:
    """The ports of one RTP stream: its own, and the next one for RTCP."""
    return (rtp, rtp + 1) if rtp < 0xFFFF else (rtp,)
