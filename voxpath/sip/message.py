"""SIP messages as they were received: text whose parts are read when somebody asks for them (RFC 3261 section 7).

Header fields keep their raw values; typed values come from :mod:`voxpath.sip.header` and :mod:`voxpath.sip.uri`.
Octets that are no UTF-8 survive as lone surrogates, so a message that is passed on is the same as the one that came.
"""

from typing import NamedTuple, TypeAlias

Params: TypeAlias = dict[str, str | None]
"""Parameters in order, names in lower case; ``None``: the parameter stands without a value. Values are raw, quotes included."""

Headers: TypeAlias = dict[str, list[str]]
"""Values by the full header name in lower case (compact forms are written out), each field's value unfolded and stripped."""


class Via(NamedTuple):
    """One Via value (RFC 3261 section 20.42); ``port`` is ``None`` when it names none."""

    transport: str
    host: str
    port: int | None
    params: Params


class Address(NamedTuple):
    """A From, To or Contact value: display name, URI, header parameters (RFC 3261 section 20.10).

    :ivar uri: the URI as it was written, without angle brackets.
    """

    display: str
    uri: str
    params: Params

    @property
    def tag(self) -> str:
        """The dialog tag; empty when there is none."""
        return self.params.get("tag") or ""


class CSeq(NamedTuple):
    """Number and method."""

    number: int
    method: str


class Message:
    """The common part of requests and responses."""

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        self.headers = headers
        self.body = body

    def value(self, name: str) -> str:
        """The first value of a header, by its full name in lower case; empty when it is absent."""
        found = self.headers.get(name)
        return found[0] if found else ""

    def values(self, name: str) -> list[str]:
        """All fields of a header, not split at commas."""
        return self.headers.get(name, [])


class Request(Message):
    """A request; ``uri`` is the Request-URI as it was written."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"") -> None:
        # Written out: one is made for each packet.
        self.headers = headers
        self.body = body
        self.method = method
        self.uri = uri


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason
