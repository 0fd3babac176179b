"""The last time that is known to have passed."""

from typing import NamedTuple


class ClockMark(NamedTuple):
    """What the server's clock said when that was stored last; a store has one.

    :ivar name: the key.
    :ivar at: seconds of the server's clock.
    """

    name: str
    at: float
