"""What must be well-formed in every request before anybody acts on it (RFC 3261 sections 8.1.1 and 8.2)."""

from collections.abc import Callable
from typing import Final

from voxpath.core.errors import RemoteError
from voxpath.sip.header import LONGEST_VALUE, number, parse_address, parse_cseq, vias
from voxpath.sip.memo import remembered
from voxpath.sip.message import Request
from voxpath.sip.name import spelled
from voxpath.sip.status import BAD_REQUEST, NOT_IMPLEMENTED
from voxpath.sip.uri import SipUri
from voxpath.sip.wire import SipError

LARGEST_MAX_FORWARDS: Final = 255
KNOWN_METHODS: Final = frozenset(
    {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY"}
    | {"PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE"}
)
"""All methods that IANA lists; the server does not serve all of them."""
SINGLE: Final = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires")
"""Headers that stand once (RFC 3261 section 7.3.1)."""


def check(request: Request) -> None:
    """Refuse a request that is malformed in what every server reads.

    :raises SipError: code 400; 416: its Request-URI has another scheme; 501: its method is unknown, and CSeq names another one.
    """
    headers = request.headers
    if sum(map(len, headers.values())) != len(headers):
        for name in SINGLE:
            if len(request.values(name)) > 1:
                raise _refusal(request, name, "stands more than once", "RFC 3261 section 7.3.1")
    for name, read in _READERS:
        try:
            read(request)
        except RemoteError as error:
            reason = error.reason if not name or request.value(name) else "is missing"
            raise _refusal(request, name, reason, error.section, error.code or BAD_REQUEST) from None


def _refusal(request: Request, name: str, reason: str, section: str, code: int = BAD_REQUEST) -> SipError:
    """An error that names the header; an empty name is the Request-URI."""
    where = spelled(name) if name else "Request-URI"
    return SipError(f"{where}: {reason}", code=code, section=section, request=request if "via" in request.headers else None)


def _via(request: Request) -> None:
    vias(request)


def _from(request: Request) -> None:
    _address(request.value("from"))


def _to(request: Request) -> None:
    _address(request.value("to"))


@remembered()
def _address(text: str) -> None:
    """Read a From or a To; URIs of other schemes are none of our business here."""
    uri = parse_address(text).uri
    if uri.lower().startswith(("sip:", "sips:")):
        SipUri.parse(uri)


def _call_id(request: Request) -> None:
    """A Call-ID is kept with a binding, so nothing odd gets in there; it is an opaque text otherwise."""
    text = request.value("call-id")
    if not (text and text.isascii() and text.isprintable() and len(text) <= LONGEST_VALUE):
        raise RemoteError(f"something other than 1 to {LONGEST_VALUE} printable characters", section="RFC 3261 section 20.8")


def _cseq(request: Request) -> None:
    if parse_cseq(request.value("cseq")).method != request.method:
        code = BAD_REQUEST if request.method in KNOWN_METHODS else NOT_IMPLEMENTED
        raise RemoteError("another method than the request's", code=code, section="RFC 3261 section 8.1.1.5")


def _max_forwards(request: Request) -> None:
    """Old phones send none (RFC 2543)."""
    found = request.headers.get("max-forwards")
    if found is not None:
        number(found[0], LARGEST_MAX_FORWARDS)


def _request_uri(request: Request) -> None:
    SipUri.parse(request.uri)


_READERS: tuple[tuple[str, Callable[[Request], None]], ...] = (
    ("via", _via),
    ("from", _from),
    ("to", _to),
    ("call-id", _call_id),
    ("cseq", _cseq),
    ("max-forwards", _max_forwards),
    ("", _request_uri),
)
"""In the order in which they are complained about."""
