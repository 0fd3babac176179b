"""The layout of the program's maps; ``maps.h`` has the same numbers, and a test holds the two against each other."""

from struct import Struct
from typing import Final

from voxpath.nappt.verdict import Reason

LAYOUT: Final = 2
"""The version of the maps' shapes and meanings; the maps of another version are not taken over."""

SIDES: Final = 2
"""Every cell has two sides: packets read the live one, changes are written to the other, and then it becomes the live one."""
PORTS: Final = 65536

MOST_PREFIXES: Final = 64
MOST_LINKS: Final = 32
MOST_PUBLICS_OF_A_PHONE: Final = 8

# Of the map `state`: a head, the prefixes, the links.
STATE = Struct("=IIQQIIIIIIIIII")
LIVE_AT: Final = 4
GENERATION_AT: Final = 8
PUNT_AT: Final = 24
PUNT = Struct("=II")
"""The packet marks of what the slow path gets from inside and from outside; 0: there is none."""
AWARE_AT: Final = 32
COUNTS = Struct("=III")
"""Whether the mode is call-aware, and the numbers of prefixes and links."""
CLAMPED_AT: Final = 44
"""Whether what announces TCP segments goes to the slow path."""
POOL_AT: Final = 48
POOL = Struct("=4sII")
"""Address, first and last port of the ordinary NAPT; zeros: there is none."""
PREFIX = Struct("!II")
PREFIXES_AT: Final = STATE.size
LINK = Struct("=IH6s")
LINKS_AT: Final = PREFIXES_AT + MOST_PREFIXES * PREFIX.size
STATE_OCTETS: Final = LINKS_AT + MOST_LINKS * LINK.size
IS_OUTSIDE, NATIVE = 1, 2
"""What is said of a link: its side, and whether it sends what an XDP program redirects to it."""

# Of the map `publics`: an address and its cells, a number for each port and side.
PUBLIC_HEAD: Final = 8
CELL: Final = 4
PUBLIC_OCTETS: Final = PUBLIC_HEAD + SIDES * PORTS * CELL
NOBODY: Final = 0
SERVICE: Final = 0xF0000000
SIZE_SHIFT: Final = 28
"""A cell is the index of a phone, and above that the binary logarithm of the size of the block that the port is of."""
PHONE_BITS: Final = (1 << SIZE_SHIFT) - 1

# Of the map `phones`: an address, and on each side where its blocks are: indices of `publics`, each one more than it is.
PHONE = Struct("!I4x")
PHONE_OCTETS: Final = PHONE.size + SIDES * MOST_PUBLICS_OF_A_PHONE * 2
FIRST_PHONE: Final = 1

ADDRESS = Struct("!I")
INDEX = Struct("=I")
PINHOLE = Struct("=4s4sI")
PINHOLE_SIDES = INDEX
BOTH_SIDES: Final = 3
OFFENDER = Struct("=4sI")
COUNT = Struct("=Q")
TRAFFIC = Struct("=QQQQQQ")
"""Packets and octets each way, packets from spoofed ports, packets of strangers."""

REASONS: Final = (
    Reason.UNKNOWN_PHONE, Reason.SPOOFED_PORT, Reason.UNLEASED_PORT, Reason.BOGON, Reason.UNKNOWN_PROTOCOL,
    Reason.ICMP, Reason.FRAGMENT, Reason.TTL_EXPIRED, Reason.TRUNCATED, Reason.STRANGER, Reason.BAD_OPTIONS,
)  # fmt: skip
"""What the program counts, by their indices; the kernel drops wrong headers itself."""

VALUE_OCTETS: Final = {
    "state": STATE_OCTETS,
    "publics": PUBLIC_OCTETS,
    "public_of": INDEX.size,
    "phones": PHONE_OCTETS,
    "phone_of": INDEX.size,
    "pinholes": PINHOLE_SIDES.size,
    "traffic": TRAFFIC.size,
    "drops": COUNT.size,
    "offenders": COUNT.size,
}
"""All maps, each with the length of its values."""
