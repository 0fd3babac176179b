"""SIP messages to and from octets (RFC 3261 section 7), one datagram each.

Lenient in, strict out: line ends without CR, empty lines before a message, several spaces in the start line and angle brackets
round the Request-URI are read (RFC 4475 allows it); what is printed follows the grammar.
Text is UTF-8; octets that are not survive as surrogates, so what came can be sent on unchanged.
"""

import re
from typing import Final

from voxpath.core.errors import LocalError, RemoteError
from voxpath.sip.header import number
from voxpath.sip.message import Headers, Message, Request, Response
from voxpath.sip.name import KEYS, WORD, spelled
from voxpath.sip.status import BAD_REQUEST, MESSAGE_TOO_LARGE, VERSION_NOT_SUPPORTED

LARGEST_MESSAGE: Final = 0xFFFF
"""In octets: no datagram is larger."""
MOST_HEADERS: Final = 256
"""Header fields of one message."""
LARGEST_STATUS: Final = 699

_KEEPALIVE = b"\r\n\0"
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(r"\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]++")
_VERSION = re.compile(r"SIP/[0-9]++\.[0-9]++")
_STATUS = re.compile(r"SIP/2\.0 ++([0-9]{3})(?: (.*))?", re.IGNORECASE)
_NO_URI = ("", "<")
_METHOD = re.compile(rf"{WORD}++")


class SipError(RemoteError):
    """A message is malformed.

    :ivar code: the status code for the answer.
    :ivar request: what could be read of a request that can be answered; ``None``: a response, or nothing to answer to.
    """

    code: int

    def __init__(self, reason: str, *, code: int = BAD_REQUEST, section: str = "", request: Request | None = None) -> None:
        super().__init__(reason, code=code, section=section)
        self.request = request


def is_keepalive(payload: bytes) -> bool:
    """Whether a datagram only keeps a NAT binding open: it has nothing but line ends or NULs."""
    return not payload.strip(_KEEPALIVE)


def parse(payload: bytes) -> Request | Response:
    """Read the message of a datagram; octets beyond its Content-Length are ignored (RFC 3261 section 18.3).

    :raises SipError: it is malformed.
    """
    if len(payload) > LARGEST_MESSAGE:
        raise SipError(f"a message of more than {LARGEST_MESSAGE} octets", code=MESSAGE_TOO_LARGE)
    head, _, body = payload.partition(b"\r\n\r\n")
    text = head.decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    headers: Headers = {}
    ends = len(lines) - 1
    # Anything unusual is read a second time, by slower rules.
    if not (lines[0] and text.count("\n") == text.count("\r") == ends and _read_headers(lines, headers)):
        return _unusual(payload)
    return _message(lines[0], headers, body, "")


def _read_headers(lines: list[str], headers: Headers) -> bool:
    """Put the header fields behind the start line into a table; false: there is one that is folded or malformed, or too many."""
    if len(lines) > MOST_HEADERS + 1:
        return False
    keys = KEYS
    try:
        for line in lines[1:]:
            raw, value = line.split(":", 1)
            name = keys[raw]
            if name in headers:
                headers[name].append(value.strip(" \t"))
            else:
                headers[name] = [value.strip(" \t")]
    except (KeyError, ValueError):
        return False
    return True


def _unusual(payload: bytes) -> Request | Response:
    """Read a message with something other than CR LF at the ends of its lines, with folding, or with a defect."""
    payload = payload.lstrip(b"\r\n")
    match = _EMPTY_LINE.search(payload)
    head, body = (payload.rstrip(b"\r\n"), b"") if match is None else (payload[: match.start()], payload[match.end() :])
    start, *lines = _LINE_END.split(_FOLD.sub(" ", head.decode("utf-8", "surrogateescape")))
    defect = ""
    if "\r" in start or any("\r" in line for line in lines):
        start, *lines = [line.replace("\r", " ") for line in (start, *lines)]
        defect = "a CR without LF"
    if len(lines) > MOST_HEADERS:
        del lines[MOST_HEADERS:]
        defect = f"more than {MOST_HEADERS} header fields"
    headers: Headers = {}
    # Each line by itself: what can be read is wanted for the answer.
    good = [_read_headers([start, line], headers) for line in lines]
    if not all(good):
        defect = "a line that is no header field"
    return _message(start, headers, body, defect)


def _message(start: str, headers: Headers, body: bytes, defect: str) -> Request | Response:
    """Make the message whose start line this is."""
    parts = start.split(" ")
    if len(parts) == 3 and parts[2] == "SIP/2.0" and _is_plain(parts[0]) and parts[1][:1] not in _NO_URI:
        return _checked_request(Request(parts[0], parts[1], headers, body), defect)
    if start[:4].upper() == "SIP/":
        return _response(start, headers, body, defect)
    return _checked_request(_unusual_request(start, headers, body), defect)


def _response(start: str, headers: Headers, body: bytes, defect: str) -> Response:
    """Make the response; a malformed one is answered by nobody."""
    match = _STATUS.fullmatch(start)
    if match is None or not 100 <= int(match[1]) <= LARGEST_STATUS:
        raise SipError("a malformed status line", section="RFC 3261 section 7.2")
    response = Response(int(match[1]), match[2] or "", headers, body)
    defect = _cut(response) or defect
    if defect:
        raise SipError(defect, section="RFC 3261 section 7.3")
    return response


def _checked_request(request: Request, defect: str) -> Request:
    """Cut the body to its length, and refuse what has a defect."""
    defect = _cut(request) or defect
    if defect:
        raise _refusal(request, defect, "RFC 3261 section 7.3")
    return request


def _is_plain(method: str) -> bool:
    """Whether a method has letters and digits only, as almost all have."""
    return method.isascii() and method.isalnum()


def _unusual_request(start: str, headers: Headers, body: bytes) -> Request:
    """Make a request whose start line is not exactly by the grammar."""
    section = "RFC 3261 section 7.1"
    method, *words = start.split() or [""]
    version = words.pop().upper() if words else ""
    uri = " ".join(words)
    if uri.startswith("<") and uri.endswith(">"):
        uri = uri[1:-1].strip(" ")
    request = Request(method if _METHOD.fullmatch(method) else "", uri, headers, body)
    if not request.method or not uri or _VERSION.fullmatch(version) is None:
        raise _refusal(request, "a request line that is not made of method, URI and version", section)
    if version != "SIP/2.0":
        raise _refusal(request, "a version other than SIP/2.0", section, VERSION_NOT_SUPPORTED)
    if " " in uri:
        raise _refusal(request, "white space within the Request-URI", section)
    return request


def _refusal(request: Request, reason: str, section: str, code: int = BAD_REQUEST) -> SipError:
    """An error that carries the request if it can be answered: it has a method, and says where answers go."""
    answerable = request.method and "via" in request.headers
    return SipError(reason, code=code, section=section, request=request if answerable else None)


def _cut(message: Message) -> str:
    """Cut the body to its Content-Length; the defect, if there is one (RFC 3261 section 20.14)."""
    fields = message.headers.get("content-length")
    if fields is None:
        return ""
    if fields == ["0"]:
        message.body = b""
        return ""
    if len(set(fields)) > 1:
        return "Content-Length stands twice, with different values"
    try:
        length = number(fields[0], LARGEST_MESSAGE)
    except RemoteError as error:
        return f"Content-Length: {error.reason}"
    if length > len(message.body):
        return "Content-Length is larger than the body"
    message.body = message.body[:length]
    return ""


def print_request(request: Request) -> bytes:
    """Write a request; its Content-Length is that of the body.

    :raises LocalError: a value has a line end in it.
    """
    return _printed(f"{request.method} {request.uri} SIP/2.0", request)


def print_response(response: Response) -> bytes:
    """Write a response; its Content-Length is that of the body.

    :raises LocalError: a value has a line end in it.
    """
    return _printed(f"SIP/2.0 {response.status} {response.reason}", response)


def _printed(start: str, message: Message) -> bytes:
    """Write the lines of a message in the order of its headers, Content-Length last."""
    lines = [start]
    for name, values in message.headers.items():
        if name != "content-length":
            title = spelled(name)
            lines += [f"{title}: {value}" for value in values]
    lines.append(f"Content-Length: {len(message.body)}\r\n\r\n")
    text = "\r\n".join(lines)
    if text.count("\n") + text.count("\r") != 2 * len(lines) + 2:
        raise LocalError("a header value with a line end within it would be printed")
    return text.encode("utf-8", "surrogateescape") + message.body
