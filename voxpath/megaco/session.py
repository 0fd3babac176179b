"""The session descriptions of Local and Remote, as the analogue-line call flow needs them: one audio stream of G.711 mu-law."""

from ipaddress import IPv4Address

from voxpath.core.errors import RemoteError
from voxpath.sdp.message import SessionDescription
from voxpath.sdp.wire import parse, render


def describe(address: IPv4Address, port: int | None) -> str:
    """Write a description; without a port the gateway chooses one."""
    return render(SessionDescription.of_audio(str(address), port))


def port_of(text: str) -> int:
    """Read the port that a gateway chose; 0: it refused the stream, or its description cannot be read.

    Its address is not looked at: which one counts was selected by the controller (TRI-4), and the port is the same on both sides
    of the NAPPT (NAP-1).
    """
    try:
        descriptions = parse(text)
    except RemoteError:
        return 0
    media = descriptions[0].media if descriptions else ()
    return (media[0].port or 0) if media else 0
