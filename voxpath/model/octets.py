"""Octets as a person writes them: text, or hexadecimal pairs with colons between."""

import re

HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+")
LONGEST = 255
"""Octets that one DHCP option has."""


def read_octets(text: str) -> bytes:
    """Read ``01:02:00:00:00:0a:01`` or ``desk-7``.

    :raises ValueError: it is empty, longer than an option, or text beyond ASCII.
    """
    octets = bytes.fromhex(text.replace(":", "")) if HEXADECIMAL.fullmatch(text) else text.encode("ascii")
    if not 0 < len(octets) <= LONGEST:
        raise ValueError(f"1 to {LONGEST} octets are wanted")
    return octets


def write_octets(octets: bytes) -> str:
    """Write octets so that a person can read them: printable ASCII as text, all others in hexadecimal."""
    text = octets.decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text else octets.hex(":")
