"""SIP URIs (RFC 3261 section 19.1): read once, compared by their parts, printed with the escapes that each part needs.

Escapes are undone once, when a URI is read; an escaped ``%`` stays a ``%`` and ``%00`` a NUL within the user.
Lenient in: any character but white space, brackets and quotes may stand in a user without an escape, as ``#`` often does.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from voxpath.core.errors import RemoteError
from voxpath.sip.memo import MOST_PARAMETERS, remembered, too_many_parameters
from voxpath.sip.message import Params
from voxpath.sip.status import BAD_REQUEST, UNSUPPORTED_URI_SCHEME

LARGEST_PORT: Final = 0xFFFF
LONGEST_URI: Final = 4096
"""In characters."""

_SECTION = "RFC 3261 section 19.1.1"
_USER_SAFE = "-_.!~*'()&=+$,;?/"
_SAFE_BEHIND_COLON = "-_.!~*'()&=+$,"
_PARAM_SAFE = "-_.!~*'()[]/:&+$"
_MISLEADING = frozenset(("maddr", "received"))
"""Parameters that name a second address."""
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z][a-z0-9_-]{0,62}\.?")
"""A domain name whose last label begins with a letter (RFC 1123 section 2.1, RFC 3261 section 25.1: toplabel)."""
_LOCAL_NAMES = frozenset(("localhost", "local"))
"""Last labels of names that mean something else on each host or link (RFC 6761 section 6.3, RFC 6762)."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):")
# What is excluded in each part: white space, control characters, delimiters, and octets that are no UTF-8.
_NEVER = r'\x00-\x20\x7f<>"@\udc80-\udcff'
_URI = re.compile(
    rf"([Ss][Ii][Pp][Ss]?):(?:([^:{_NEVER}]++)(?::([^{_NEVER}]*+))?@)?"
    r"(\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9._-]++)(?::([0-9]{1,9}))?"
    rf"((?:;[^;?{_NEVER}]++)*)(?:\?([^{_NEVER}]*+))?"
)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class SipUri(NamedTuple):
    """A SIP or SIPS URI; its parameters are shared by all who read the same text, so nobody changes them.

    :ivar scheme: ``sip`` or ``sips``.
    :ivar user: without escapes, with the parameters of a telephone subscriber if there are any; empty: none.
    :ivar password: without escapes; empty: none.
    :ivar host: in lower case; an IPv6 address stands in brackets.
    :ivar port: ``None``: not named.
    :ivar params: names in lower case; names and values without escapes.
    :ivar headers: what follows ``?``, as it was written.
    """

    scheme: str
    user: str
    password: str
    host: str
    port: int | None
    params: Params
    headers: str = ""

    @staticmethod
    @remembered()
    def parse(text: str) -> "SipUri":
        """Read a URI.

        :raises RemoteError: code 416: another scheme; code 400: it is malformed.
        """
        if len(text) > LONGEST_URI:
            raise _malformed(f"a URI of more than {LONGEST_URI} characters")
        match = _URI.fullmatch(text)
        if match is None:
            raise _refusal(text)
        scheme, user, password, host, port, params, headers = match.groups("")
        return SipUri(
            scheme.lower(),
            _unescaped(user),
            _unescaped(password),
            _host(host),
            _port(port) if port else None,
            _params(params) if params else {},
            headers,
        )

    def __str__(self) -> str:
        parts = [self.scheme, ":"]
        if self.user:
            parts.append(quote(self.user, _USER_SAFE))
            if self.password:
                parts.append(":" + quote(self.password, _SAFE_BEHIND_COLON))
            parts.append("@")
        parts.append(self.host)
        if self.port is not None:
            parts.append(f":{self.port}")
        for name, value in self.params.items():
            parts.append(";" + quote(name, _PARAM_SAFE))
            if value is not None:
                parts.append("=" + quote(value, _PARAM_SAFE))
        if self.headers:
            parts.append("?" + self.headers)
        return "".join(parts)

    @property
    def aor(self) -> str:
        """The canonical address-of-record: user and host in lower case, without port and parameters; the host if it has no user."""
        return f"{self.user.lower()}@{self.host}" if self.user else self.host

    @property
    def canonical(self) -> str:
        """What identifies a contact: two URIs with the same text are one (RFC 3261 section 19.1.4, without rare parameters)."""
        user = quote(self.user, _USER_SAFE) + "@" if self.user else ""
        port = f":{self.port}" if self.port is not None else ""
        transport = (self.params.get("transport") or "").lower()
        named = f";transport={quote(transport, _PARAM_SAFE)}" if transport else ""
        return f"{self.scheme}:{user}{self.host}{port}{named}"

    @property
    def bare(self) -> "SipUri":
        """The same URI without what may lead elsewhere: parameters that name an address, and headers; itself if it has none."""
        if not self.headers and _MISLEADING.isdisjoint(self.params):
            return self
        params = {name: value for name, value in self.params.items() if name not in _MISLEADING}
        return self._replace(params=params, headers="")

    def at(self, host: str, port: int | None) -> "SipUri":
        """The same URI at another address, :attr:`bare`."""
        return self.bare._replace(host=host.lower(), port=port)


def is_public_name(host: str) -> bool:
    """Whether a host is a domain name that means the same everywhere, and not one of the many ways to write an address."""
    return _NAME.fullmatch(host) is not None and host.rstrip(".").rpartition(".")[2] not in _LOCAL_NAMES


def _malformed(reason: str) -> RemoteError:
    return RemoteError(reason, code=BAD_REQUEST, section=_SECTION)


def _refusal(text: str) -> RemoteError:
    """What to say about text that is no SIP URI."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _malformed("a URI without a scheme")
    if scheme[1].lower() not in ("sip", "sips"):
        return RemoteError("a URI whose scheme is not sip or sips", code=UNSUPPORTED_URI_SCHEME, section="RFC 3261 section 8.2.2.1")
    return _malformed("a SIP URI with a character that must be escaped, or without a host")


def _unescaped(text: str) -> str:
    """Undo escapes, once."""
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise _malformed("a URI with % and no two hexadecimal digits after it")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a URI whose escapes are no UTF-8") from None


def _host(text: str) -> str:
    """A host in the one form that is compared."""
    if not text.startswith("["):
        return text.lower()
    try:
        return f"[{IPv6Address(text[1:-1])}]"
    except AddressValueError:
        raise _malformed("brackets that hold no IPv6 address") from None


def _port(digits: str) -> int:
    """A port that can be used."""
    port = int(digits)
    if not 0 < port <= LARGEST_PORT:
        raise _malformed(f"a port is a number from 1 to {LARGEST_PORT}")
    return port


def _params(text: str) -> Params:
    """The parameters of a URI, from text that begins with a semicolon."""
    params: Params = {}
    if text.count(";") > MOST_PARAMETERS:
        raise too_many_parameters(_SECTION)
    for each in text[1:].split(";"):
        name, equals, value = each.partition("=")
        name = _unescaped(name).lower()
        if not name or name in params:
            raise _malformed("a URI parameter without a name, or one that stands twice")
        params[name] = _unescaped(value) if equals else None
    return params
