"""ICMP echo, for addresses beyond a relay, which ARP does not reach (RFC 792)."""

from struct import Struct

from voxpath.core.errors import RemoteError
from voxpath.nappt.checksum import total

ECHO_REPLY, ECHO = 0, 8

_HEADER = Struct("!BBHHH")


def request(identifier: int, number: int) -> bytes:
    """An echo message; its answer repeats the two numbers."""
    checksum = total(_HEADER.pack(ECHO, 0, 0, identifier, number)) ^ 0xFFFF
    return _HEADER.pack(ECHO, 0, checksum, identifier, number)


def is_reply(octets: bytes, identifier: int) -> bool:
    """Whether this is the answer to one of our messages.

    :raises RemoteError: it is cut off.
    """
    if len(octets) < _HEADER.size:
        raise RemoteError(f"an ICMP message of {len(octets)} octets", offset=len(octets), section="RFC 792")
    kind, code, _, about, _ = _HEADER.unpack_from(octets)
    return (kind, code, about) == (ECHO_REPLY, 0, identifier)
