"""What must be well-formed in every request before anybody acts on it (RFC 3261 sections 8.1.1 and 8.2)."""

from collections.abc import Callable
from typing import Final

from voxpath.core.errors import RemoteError
from voxpath.sip.header import number, parse_address, parse_cseq, vias
from voxpath.sip.message import Request
from voxpath.sip.status import BAD_REQUEST, NOT_IMPLEMENTED
from voxpath.sip.uri import SipUri
from voxpath.sip.wire import SipError

LARGEST_MAX_FORWARDS: Final = 255
KNOWN_METHODS: Final = frozenset(
    {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY"}
    | {"PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE"}
)
"""All methods that IANA lists; the server does not serve all of them."""
MANDATORY: Final = ("via", "from", "to", "call-id", "cseq")
"""Without these nothing can be answered properly; Max-Forwards is missed in old phones (RFC 2543) and not asked for."""
SINGLE: Final = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires")
"""Headers that hold one value and stand once."""

_PRINTED: Final = {"call-id": "Call-ID", "cseq": "CSeq"}


def check(request: Request) -> None:
    """Refuse a request that is malformed in what every server reads.

    :raises SipError: code 400; 416: its Request-URI has another scheme; 501: its method is unknown, and CSeq names another one.
    """
    headers = request.headers
    for name in MANDATORY:
        if not headers.get(name, ("",))[0]:
            raise _refusal(request, name, "is missing", section="RFC 3261 section 8.1.1")
    if sum(map(len, headers.values())) != len(headers):
        for name in SINGLE:
            if len(headers.get(name, ())) > 1:
                raise _refusal(request, name, "stands more than once", section="RFC 3261 section 7.3.1")
    _well_formed(request, "via", lambda _: vias(request))
    _well_formed(request, "from", _address)
    _well_formed(request, "to", _address)
    _well_formed(request, "cseq", lambda text: _cseq(request, text))
    if "max-forwards" in headers:
        _well_formed(request, "max-forwards", lambda text: number(text, LARGEST_MAX_FORWARDS))
    _well_formed(request, "", lambda _: SipUri.parse(request.uri))


def _well_formed(request: Request, name: str, read: Callable[[str], object]) -> None:
    """Read a header's first value, and tell whose it is when it is malformed; an empty name is the Request-URI."""
    try:
        read(request.value(name))
    except RemoteError as error:
        raise _refusal(request, name, error.reason, error.code or BAD_REQUEST, error.section) from None


def _address(text: str) -> None:
    """Read a From or a To; URIs of other schemes are none of our business here."""
    uri = parse_address(text).uri
    if uri[:4].lower() in ("sip:", "sips"):
        SipUri.parse(uri)


def _cseq(request: Request, text: str) -> None:
    """The method of a CSeq is that of the request."""
    if parse_cseq(text).method != request.method:
        code = BAD_REQUEST if request.method in KNOWN_METHODS else NOT_IMPLEMENTED
        raise RemoteError("another method than the request's", code=code, section="RFC 3261 section 8.1.1.5")


def _refusal(request: Request, name: str, reason: str, code: int = BAD_REQUEST, section: str = "") -> SipError:
    where = (_PRINTED.get(name) or name.title()) if name else "Request-URI"
    return SipError(f"{where}: {reason}", code=code, section=section, request=request if "via" in request.headers else None)
