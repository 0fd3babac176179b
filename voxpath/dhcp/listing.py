"""Addresses on probation, listed for an operator."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

MAX_LISTED = 32
"""Addresses of one kind that are listed one by one; of the others it is told how many there are."""


def probations(kind: str, standing: Sequence[tuple[IPv4Address, str, float]], now: float) -> Iterator[tuple[str, str]]:
    """Named facts about addresses that nobody gets for a while.

    :param kind: what they have in common.
    :param standing: each with the reason, and with the end of its probation in seconds of the server's clock.
    """
    for address, reason, until in standing[:MAX_LISTED]:
        yield f"probation of {address}", f"{reason}; {until - now:.0f} s left"
    if len(standing) > MAX_LISTED:
        yield "further probations", f"{len(standing) - MAX_LISTED} addresses {kind}"
