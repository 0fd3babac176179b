"""ARP packets for IPv4 on Ethernet, as far as finding out who uses an address needs them (RFC 826)."""

from ipaddress import IPv4Address
from struct import Struct
from typing import NamedTuple

from voxpath.core.errors import RemoteError
from voxpath.dhcp.message import ANY
from voxpath.model.address import Mac

REQUEST = 1
SENDER_AT = 8
"""Where the sender's Ethernet address stands; the port that sends a packet writes its own there."""

_ETHERNET, _IPV4 = 1, 0x0800
_PACKET = Struct("!HHBBH6s4s6s4s")


class Claim(NamedTuple):
    """Somebody uses an address, or is about to (RFC 5227 section 2.1.1)."""

    address: IPv4Address
    mac: Mac


def request(address: IPv4Address, own: IPv4Address) -> bytes:
    """Ask who has an address.

    The server asks by its own address, which is no ARP Probe in the sense of RFC 5227: a host that is just probing the same
    address for itself would take a probe for a claim, and stay without an address.
    """
    return _PACKET.pack(_ETHERNET, _IPV4, 6, 4, REQUEST, bytes(6), own.packed, bytes(6), address.packed)


def read_claim(octets: bytes) -> Claim | None:
    """What address the sender of a packet claims; ``None``: none, or another kind of network.

    Requests claim as well as replies do; one without a sender's address is a probe and claims what it asks for.

    :raises RemoteError: it is cut off.
    """
    if len(octets) < _PACKET.size:
        raise RemoteError(f"an ARP packet of {len(octets)} octets", offset=len(octets), section="RFC 826")
    hardware, protocol, hardware_length, protocol_length, _, mac, sender, _, target = _PACKET.unpack_from(octets)
    if (hardware, protocol, hardware_length, protocol_length) != (_ETHERNET, _IPV4, 6, 4):
        return None
    address = IPv4Address(sender)
    return Claim(IPv4Address(target) if address == ANY else address, Mac(mac))
