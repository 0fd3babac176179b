"""Names of header fields: one key for every way to write a name, and one way to print it (RFC 3261 section 7.3)."""

import re
from functools import lru_cache
from typing import Final

LONGEST_NAME: Final = 256
REMEMBERED: Final = 512
WORD: Final = r"[A-Za-z0-9\-.!%*_+`'~]"
"""A character of a token, as a regular expression (RFC 3261 section 25.1)."""

_COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""The compact forms that IANA lists (RFC 3261, 3515, 3841, 3892, 4028, 4474, 6665)."""
_UNUSUAL: Final = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "www-authenticate": "WWW-Authenticate",
    "mime-version": "MIME-Version",
    "sip-etag": "SIP-ETag",
    "sip-if-match": "SIP-If-Match",
    "rack": "RAck",
    "rseq": "RSeq",
}
_TOKEN = re.compile(rf"{WORD}++")


@lru_cache(maxsize=REMEMBERED)
def full_name(raw: str) -> str:
    """The key of a header from its name as it was written, with spaces before the colon; empty: it is no name."""
    name = raw.rstrip(" \t")
    if len(raw) > LONGEST_NAME or _TOKEN.fullmatch(name) is None:
        return ""
    name = name.lower()
    return _COMPACT.get(name, name)


@lru_cache(maxsize=REMEMBERED)
def spelled(name: str) -> str:
    """A header's name as it is printed."""
    return _UNUSUAL.get(name) or "-".join(part.capitalize() for part in name.split("-"))
