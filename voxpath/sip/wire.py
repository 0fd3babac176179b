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
from voxpath.sip.name import WORD, full_name, spelled
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
_START = re.compile(rf"({WORD}++)[ \t]++(.*?)[ \t]++([A-Za-z]++/[0-9]++\.[0-9]++)[ \t]*+")
_STATUS = re.compile(r"SIP/2\.0 ++([0-9]{3})(?: (.*))?", re.IGNORECASE)
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
    if payload[:1] in (b"\r", b"\n"):
        payload = payload.lstrip(b"\r\n")
    end = payload.find(b"\r\n\r\n")
    head, body = (payload[:end], payload[end + 4 :]) if end >= 0 else _divided(payload)
    text = head.decode("utf-8", "surrogateescape")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    defect = ""
    if text.count("\n") + text.count("\r") != 2 * len(lines) - 2:
        lines, defect = _repaired(text)
    headers: Headers = {}
    defect = _read_headers(lines, headers) or defect
    if lines[0][:4].upper() == "SIP/":
        return _response(lines[0], headers, body, defect)
    return _request(lines[0], headers, body, defect)


def _divided(payload: bytes) -> tuple[bytes, bytes]:
    """Head and body of a message with line ends other than CR LF, or without the empty line that ends the head."""
    match = _EMPTY_LINE.search(payload)
    return (payload.rstrip(b"\r\n"), b"") if match is None else (payload[: match.start()], payload[match.end() :])


def _repaired(text: str) -> tuple[list[str], str]:
    """The lines of a head with line ends other than CR LF: LF alone is one, CR alone is none."""
    lines = _LINE_END.split(text)
    if any("\r" in line for line in lines):
        return [line.replace("\r", " ") for line in lines], "a CR without LF"
    return lines, ""


def _read_headers(lines: list[str], headers: Headers) -> str:
    """Put the header fields behind the start line into a table; the first defect, if there is one."""
    defect = ""
    if len(lines) > MOST_HEADERS + 1:
        lines, defect = lines[: MOST_HEADERS + 1], f"more than {MOST_HEADERS} header fields"
    for line in lines[1:]:
        raw, colon, value = line.partition(":")
        name = full_name(raw)
        if not name or not colon:
            defect = defect or "a line that is no header field"
        elif name in headers:
            headers[name].append(value.strip(" \t"))
        else:
            headers[name] = [value.strip(" \t")]
    return defect


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


def _request(start: str, headers: Headers, body: bytes, defect: str) -> Request:
    """Make the request."""
    parts = start.split(" ")
    if len(parts) == 3 and parts[2] == "SIP/2.0" and _METHOD.fullmatch(parts[0]) and not parts[1].startswith("<"):
        request = Request(parts[0], parts[1], headers, body)
    else:
        request = _unusual_request(start, headers, body)
    defect = _cut(request) or defect
    if defect:
        raise _refusal(request, defect, "RFC 3261 section 7.3")
    return request


def _unusual_request(start: str, headers: Headers, body: bytes) -> Request:
    """Make a request whose start line is not exactly by the grammar."""
    section = "RFC 3261 section 7.1"
    match = _START.fullmatch(start)
    if match is None:
        method = _METHOD.match(start)
        request = Request(method[0] if method else "", "", headers, body)
        raise _refusal(request, "a malformed request line", section)
    method_name, uri, version = match.groups()
    if uri.startswith("<") and uri.endswith(">"):
        uri = uri[1:-1].strip(" \t")
    request = Request(method_name, uri, headers, body)
    if version.upper() != "SIP/2.0":
        raise _refusal(request, "a version other than SIP/2.0", section, VERSION_NOT_SUPPORTED)
    if not uri or " " in uri or "\t" in uri:
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
    if len(fields) > 1 and len(set(fields)) > 1:
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
