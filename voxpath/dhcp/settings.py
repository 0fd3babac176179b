"""Times and choices of the DHCP server."""

from dataclasses import dataclass

from voxpath.dhcp.message import CLIENT_PORT
from voxpath.dhcp.pressure import WARN_AT

MAX_OFFERS = 20_000
"""Offers that are open at once; more DISCOVERs get no answer, and their clients repeat them."""


@dataclass(frozen=True, slots=True)
class DhcpSettings:
    """Times and choices.

    :ivar offer_s: how long an offer is kept, in seconds.
    :ivar probation_s: how long a declined address is given to nobody.
    :ivar retry_s: pause before a failed release, or a failed undo, is tried again.
    :ivar authoritative: whether an admitted phone that asks for a wrong address gets a NAK (decision D22).
    :ivar client_port: the clients' UDP port.
    :ivar max_offers: offers that are open at once, beyond which only phones get one for which an address is remembered.
    :ivar enterprise: the number under which option 125 tells our own fields; 0: under none.
    :ivar warn_at: shares of a scope's addresses and of a pool's ports, in percent, from which on an event warns.
    :ivar secret: what the nonces for FORCERENEW are made from; empty: none are given.
    """

    offer_s: float = 60.0
    probation_s: float = 3600.0
    retry_s: float = 5.0
    authoritative: bool = True
    client_port: int = CLIENT_PORT
    max_offers: int = MAX_OFFERS
    enterprise: int = 0
    warn_at: tuple[int, ...] = WARN_AT
    secret: bytes = b""


DEFAULTS = DhcpSettings()
"""What is not set otherwise."""
