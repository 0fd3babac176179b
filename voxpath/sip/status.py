"""Status codes that this server sends, and their reason phrases (RFC 3261 section 21)."""

from typing import Final

OK: Final = 200
MOVED_TEMPORARILY: Final = 302
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
TOO_LARGE: Final = 413
UNSUPPORTED_URI_SCHEME: Final = 416
BAD_EXTENSION: Final = 420
INTERVAL_TOO_BRIEF: Final = 423
TEMPORARILY_UNAVAILABLE: Final = 480
NO_SUCH_CALL: Final = 481
TOO_MANY_HOPS: Final = 483
BUSY_HERE: Final = 486
SERVER_ERROR: Final = 500
NOT_IMPLEMENTED: Final = 501
UNAVAILABLE: Final = 503
VERSION_NOT_SUPPORTED: Final = 505
MESSAGE_TOO_LARGE: Final = 513

PHRASES: Final = {
    OK: "OK",
    MOVED_TEMPORARILY: "Moved Temporarily",
    BAD_REQUEST: "Bad Request",
    UNAUTHORIZED: "Unauthorized",
    FORBIDDEN: "Forbidden",
    NOT_FOUND: "Not Found",
    METHOD_NOT_ALLOWED: "Method Not Allowed",
    TOO_LARGE: "Request Entity Too Large",
    UNSUPPORTED_URI_SCHEME: "Unsupported URI Scheme",
    BAD_EXTENSION: "Bad Extension",
    INTERVAL_TOO_BRIEF: "Interval Too Brief",
    TEMPORARILY_UNAVAILABLE: "Temporarily Unavailable",
    NO_SUCH_CALL: "Call/Transaction Does Not Exist",
    TOO_MANY_HOPS: "Too Many Hops",
    BUSY_HERE: "Busy Here",
    SERVER_ERROR: "Server Internal Error",
    NOT_IMPLEMENTED: "Not Implemented",
    UNAVAILABLE: "Service Unavailable",
    VERSION_NOT_SUPPORTED: "Version Not Supported",
    MESSAGE_TOO_LARGE: "Message Too Large",
}


def phrase(status: int) -> str:
    """The reason phrase of a status code; that of its class for one that is not listed."""
    return PHRASES.get(status) or PHRASES.get(status // 100 * 100, "Unknown")
