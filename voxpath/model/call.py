"""What call set-up speaks of: the parties' addresses, the lines that numbers lead to, and media statistics."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import NamedTuple, TypeAlias

KEYS = frozenset("0123456789*#")
"""What a number consists of."""
LONGEST_NUMBER = 32
"""Keys of one number."""


class Party(NamedTuple):
    """The addresses of one side of a call.

    :ivar public: the address by which the outside reaches it.
    :ivar private: its inside address; ``None`` for a gateway that has only a public one.
    :ivar realm: the configured realm of the pair; ``None`` when none is known.
    """

    public: IPv4Address
    private: IPv4Address | None = None
    realm: str | None = None


class Selection(NamedTuple):
    """The outcome of the triangle decision for two parties.

    :ivar first: the address under which the first party is reached by the second one.
    :ivar second: the address under which the second party is reached by the first one.
    :ivar private: whether these are the inside addresses.
    :ivar reason: why, in one line for the operator.
    """

    first: IPv4Address
    second: IPv4Address
    private: bool
    reason: str


class Line(NamedTuple):
    """Where a number leads.

    :ivar phone: the identity of the phone, or the message identifier of a gateway that the ledger does not know.
    :ivar termination: the name of its line, such as ``line/1``.
    """

    phone: str
    termination: str


Triangle: TypeAlias = Callable[[Party, Party], Selection]
"""Selects the addresses that two parties are given (TRI-1): :func:`voxpath.flow.triangle.select`."""
