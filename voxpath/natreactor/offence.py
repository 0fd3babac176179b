"""What dropped packets are told apart by, so that an operator hears who sent them."""

from typing import NamedTuple

from voxpath.nappt.packet import (
    ECHO_IDENTIFIER_AT,
    ECHO_REQUEST,
    FRAGMENT_OFFSET,
    ICMP,
    PORTS,
    WORD,
    header_of,
)
from voxpath.nappt.verdict import Drop, Reason

MOST_SUBJECTS = 1024
"""How many different offenders are told apart within one interval; further ones are counted by reason alone."""

BY_SENDER = frozenset({Reason.SPOOFED_PORT, Reason.UNKNOWN_PHONE})
"""Reasons that say something of the sender."""


class Subject(NamedTuple):
    """What drops are told apart by; address and port are 0 where the sender does not matter."""

    reason: Reason
    address: int = 0
    port: int = 0


def subject_of(packet: bytes, reason: Reason) -> Subject:
    """Who sent a packet that was dropped: his address, and his port or the identifier of his echo; 0 where it shows none."""
    if reason not in BY_SENDER:
        return Subject(reason)
    header = header_of(packet)
    if isinstance(header, Drop):
        return Subject(reason)
    at, port = header.length, 0
    if header.fragment & FRAGMENT_OFFSET:
        pass
    elif header.protocol != ICMP:
        port, _ = PORTS.unpack_from(packet, at)
    elif packet[at] == ECHO_REQUEST:
        (port,) = WORD.unpack_from(packet, at + ECHO_IDENTIFIER_AT)
    return Subject(reason, header.source, port)
