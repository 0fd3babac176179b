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
_COMMON: Final = (
    *_COMPACT.values(),
    *("max-forwards", "cseq", "expires", "user-agent", "server", "allow", "authorization", "require", "proxy-require"),
    *("route", "record-route", "accept", "date"),
)
_TOKEN = re.compile(rf"{WORD}++")


class _Keys(dict[str, str]):
    """Keys by the usual spellings of common names; others are worked out each time, so that strangers cannot make it grow."""

    def __missing__(self, raw: str) -> str:
        name = raw.rstrip(" \t")
        if len(raw) > LONGEST_NAME or _TOKEN.fullmatch(name) is None:
            raise KeyError
        name = name.lower()
        return _COMPACT.get(name, name)


@lru_cache(maxsize=REMEMBERED)
def spelled(name: str) -> str:
    """A header's name as it is printed."""
    return _UNUSUAL.get(name) or "-".join([part.capitalize() for part in name.split("-")])


KEYS: Final = _Keys()
"""The key of a header by its name as it was written, with spaces before the colon; KeyError: that is no name."""
KEYS.update({raw: name for short, name in _COMPACT.items() for raw in (short, short.upper())})
KEYS.update({raw: name for name in _COMMON for raw in (name, spelled(name))})
