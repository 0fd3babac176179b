"""What the translation says of a packet: the translated packet, or the reason why it goes no further."""

from enum import Enum
from typing import NamedTuple, TypeAlias


class Reason(Enum):
    """Why a packet was dropped; the values are stable: they name counters, the kernel's own too."""

    UNKNOWN_PHONE = "unknown_phone"
    """Outbound: no mapping has the inside address."""
    SPOOFED_PORT = "spoofed_port"
    """Outbound: the phone is known and the source port is not in its block (NAP-5)."""
    UNLEASED_PORT = "unleased_port"
    """Inbound: nobody holds this port of the public address (NAP-6)."""
    STRANGER = "stranger"
    """Inbound in the call-aware mode: the port is leased, and no call lets this peer send to it (FWL-4)."""
    NOT_OURS = "not_ours"
    """Inbound: the destination is none of the public addresses."""
    BOGON = "bogon"
    """An address that cannot be on that side: an inside or own public source from outside, a foreign source from inside."""
    UNKNOWN_PROTOCOL = "unknown_protocol"
    """Neither UDP nor TCP nor SCTP nor ICMP."""
    ICMP = "icmp"
    """Neither an echo that a phone asked for, nor an error about a packet of a phone."""
    FRAGMENT = "fragment"
    """Only the first fragment has ports, so none may pass untreated."""
    TTL_EXPIRED = "ttl_expired"
    TRUNCATED = "truncated"
    """Octets that a length announces are missing, or the UDP or TCP header is incomplete."""
    BAD_HEADER = "bad_header"
    """The IP version, a length or the IP header checksum is wrong."""
    POOL_EXHAUSTED = "pool_exhausted"
    """Outbound from outside the block: the ordinary NAPT has no port left, for this phone or at all (NAP-15)."""
    BAD_OPTIONS = "bad_options"
    """An IP option is malformed, or is a source route: that would lead a packet round the translation."""


class Translated(NamedTuple):
    """The packet as it goes on: one hop further, with one address exchanged."""

    packet: bytes


class Drop(NamedTuple):
    """The packet ends here, and is counted."""

    reason: Reason


class Local(NamedTuple):
    """The packet is for a service of the gateway itself: it stays as it is and goes no further.

    :ivar packet: a fragment that has waited; empty: the packet that was given.
    """

    packet: bytes = b""


class Held(NamedTuple):
    """The packet is a fragment that came before the first one, and waits for that."""


Verdict: TypeAlias = Translated | Local | Drop | Held
