"""Typed values of header fields (RFC 3261 sections 20 and 25): read when somebody asks, remembered where they repeat.

A refresh repeats the From, To and Contact of the registration before, so those are read from a cache by their text.
All readers raise RemoteError with code 400 and say which rule was broken.
"""

import re
from typing import Final

from voxpath.core.errors import RemoteError
from voxpath.sip.memo import MOST_PARAMETERS, remembered, too_many_parameters
from voxpath.sip.message import Address, CSeq, Message, Params, Via
from voxpath.sip.name import WORD
from voxpath.sip.status import BAD_REQUEST
from voxpath.sip.uri import LARGEST_PORT

LONGEST_VALUE: Final = 4096
"""In characters, of a value with a typed form."""
MOST_VALUES: Final = 100
"""Of one header, over all its fields."""
MOST_DIGITS: Final = 20
"""Of any number that means something."""
LARGEST_CSEQ: Final = 0xFFFFFFFF
LARGEST_Q: Final = 1000
REMEMBERED_VIAS: Final = 256
"""A branch never comes again, but for retransmissions; the same message is asked for its Via several times."""

STAR: Final = Address("", "*", {})
"""The Contact ``*``: all bindings of an address-of-record (RFC 3261 section 10.2.2)."""

_TOKEN = WORD + "++"
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*"'
_NO_TEXT = r"\udc80-\udcff"
"""Octets that are no UTF-8: in display names only, so that whoever keeps URIs and parameters can write them anywhere."""
_QUOTED_TEXT = _QUOTED.replace("[^", f"[^{_NO_TEXT}").replace("\\.", f"\\[^{_NO_TEXT}]")
_LWS = r"[ \t]*+"
_PARAM = re.compile(rf'{_LWS};{_LWS}({_TOKEN})(?:{_LWS}={_LWS}({_QUOTED_TEXT}|[^ \t;,"<>{_NO_TEXT}]*+))?{_LWS}', re.DOTALL)
_ITEM = re.compile(rf'(?:[^,"<]++|{_QUOTED}|<[^>]*+>)*', re.DOTALL)
_VIA = re.compile(
    rf"{_TOKEN}{_LWS}/{_LWS}{_TOKEN}{_LWS}/{_LWS}({_TOKEN})[ \t]++"
    rf"(\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9._-]++){_LWS}(?::{_LWS}([0-9]{{1,9}}))?"
)
_NAME_ADDR = re.compile(rf'{_LWS}(?:({_QUOTED}){_LWS}|([^<"]*+))<{_LWS}([^<> \t{_NO_TEXT}]++){_LWS}>', re.DOTALL)
_ADDR_SPEC = re.compile(rf'([^;<>" \t{_NO_TEXT}]++)')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:.", re.DOTALL)
_CREDENTIAL = re.compile(rf'{_LWS}({_TOKEN}){_LWS}={_LWS}(?:({_QUOTED})|([^ \t,"]++)){_LWS}(?:,(?!$)|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_Q = re.compile(r"0(?:\.([0-9]{0,3}))?|1(?:\.0{0,3})?")


def _malformed(reason: str, section: str = "RFC 3261 section 25.1") -> RemoteError:
    return RemoteError(reason, code=BAD_REQUEST, section=section)


def _bounded(text: str) -> None:
    if len(text) > LONGEST_VALUE:
        raise _malformed(f"a value of more than {LONGEST_VALUE} characters")


def vias(message: Message) -> tuple[Via, ...]:
    """All Via values, the top one first; there is at least one."""
    fields = message.headers.get("via", [])
    if len(fields) == 1 and "," not in fields[0]:
        return (parse_via(fields[0]),)
    values = _values(message, "via")
    if not values:
        raise _malformed("no value", "RFC 3261 section 8.1.1.7")
    return tuple([parse_via(each) for each in values])


def contacts(message: Message) -> tuple[Address, ...]:
    """All Contact values; ``(STAR,)`` for the star, which stands alone."""
    fields = message.headers.get("contact", [])
    values = fields if len(fields) == 1 and "," not in fields[0] else _values(message, "contact")
    if "*" not in values:
        return tuple([parse_address(each) for each in values])
    if len(values) > 1:
        raise _malformed("a Contact * beside others", "RFC 3261 section 10.3")
    return (STAR,)


def is_star(message: Message) -> bool:
    """Whether the message means all bindings."""
    return message.values("contact") == ["*"]


def _values(message: Message, name: str) -> list[str]:
    """The values of a header, over all fields and commas."""
    found = [each for field in message.values(name) for each in split_list(field)]
    if len(found) > MOST_VALUES:
        raise _malformed(f"more than {MOST_VALUES} values of one header")
    return found


def split_list(text: str) -> tuple[str, ...]:
    """The elements of a list: separated by commas, but for those in quotes and in angle brackets; an empty text has none."""
    if "," not in text:
        return (text,) if text else ()
    plain = '"' not in text and "<" not in text
    items = [each.strip(" \t") for each in text.split(",", MOST_VALUES)] if plain else _split(text)
    if len(items) > MOST_VALUES:
        raise _malformed(f"more than {MOST_VALUES} elements in a list")
    if "" in items:
        raise _malformed("an empty element in a list")
    return tuple(items)


def _split(text: str) -> list[str]:
    """Split a list that has quotes or brackets; the end of one that is too long is left out."""
    items: list[str] = []
    position = 0
    while len(items) <= MOST_VALUES:
        match = _ITEM.match(text, position)
        assert match is not None
        items.append(match[0].strip(" \t"))
        position = match.end()
        if position == len(text):
            break
        if text[position] != ",":
            raise _malformed("a quote or an angle bracket that is not closed")
        position += 1
    return items


@remembered(REMEMBERED_VIAS)
def parse_via(text: str) -> Via:
    """Read one Via value (RFC 3261 section 20.42).

    Transport and host are kept as they were written: the sender gets them back.
    """
    _bounded(text)
    match = _VIA.match(text)
    if match is None:
        raise _malformed("no protocol, transport and sent-by", "RFC 3261 section 20.42")
    transport, host, digits = match.groups()
    port = number(digits, LARGEST_PORT) if digits else None
    return Via(transport, host, port, _params(text, match.end()))


@remembered()
def parse_address(text: str) -> Address:
    """Read one From, To or Contact value, with or without angle brackets (RFC 3261 section 20.10).

    Lenient in: a comma in a display name without quotes, spaces within the brackets.
    """
    _bounded(text)
    match = _NAME_ADDR.match(text)
    if match is not None:
        literal, words, uri = match.groups()
        display = unquoted(literal) if literal else words.strip(" \t")
    else:
        match = _ADDR_SPEC.match(text)
        if match is None:
            raise _malformed("neither a URI nor a display name with a URI in angle brackets")
        display, uri = "", match[1]
    if _SCHEME.match(uri) is None:
        raise _malformed("no URI with a scheme")
    return Address(display, uri, _params(text, match.end()))


def _params(text: str, position: int) -> Params:
    """The parameters of a header from a position to the end."""
    params: Params = {}
    end = len(text)
    while position < end:
        match = _PARAM.match(text, position)
        if match is None:
            if not text[position:].strip(" \t"):
                break
            raise _malformed("something other than ;name=value where parameters belong")
        name, value = match.groups()
        name = name.lower()
        if name in params:
            raise _malformed("a parameter that stands twice", "RFC 3261 section 7.3.1")
        if len(params) == MOST_PARAMETERS:
            raise too_many_parameters("RFC 3261 section 7.3.1")
        params[name] = value
        position = match.end()
    return params


@remembered(REMEMBERED_VIAS)
def parse_cseq(text: str) -> CSeq:
    """Read a CSeq (RFC 3261 section 20.16)."""
    _bounded(text)
    parts = text.split()
    if len(parts) != 2:
        raise _malformed("something other than a number and a method", "RFC 3261 section 20.16")
    return CSeq(number(parts[0], LARGEST_CSEQ), parts[1])


def number(text: str, largest: int) -> int:
    """Read a decimal number without a sign."""
    if not (text.isdigit() and text.isascii()):
        raise _malformed("no decimal number")
    # Python refuses to read numbers of thousands of digits.
    if len(text) > MOST_DIGITS:
        text = text.lstrip("0") or "0"
    if len(text) > MOST_DIGITS or (value := int(text)) > largest:
        raise _malformed(f"a number larger than {largest}")
    return value


def q_of(address: Address) -> int:
    """The preference of a contact in thousandths; 1000 if it names none (RFC 3261 section 20.10)."""
    text = address.params.get("q")
    if text is None:
        return LARGEST_Q
    match = _Q.fullmatch(text)
    if match is None:
        raise _malformed("a q that is no number from 0 to 1 with at most three decimals")
    return LARGEST_Q if text[0] == "1" else int((match[1] or "").ljust(3, "0"))


def credentials(value: str) -> tuple[str, dict[str, str]]:
    """Scheme in lower case and parameters, without their quotes, of an Authorization or a challenge (RFC 3261 section 20.7).

    The parameters of a scheme other than Digest may be anything: they are left out.
    """
    scheme, _, rest = value.partition(" ")
    scheme = scheme.lower()
    if scheme != "digest":
        return scheme, {}
    if len(rest) > LONGEST_VALUE:
        raise _malformed(f"credentials of more than {LONGEST_VALUE} characters")
    params: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _CREDENTIAL.match(rest, position)
        if match is None:
            raise _malformed("credentials with a malformed parameter")
        name, literal, word = match.groups()
        name = name.lower()
        if name in params:
            raise _malformed("credentials with a parameter that stands twice")
        params[name] = word or unquoted(literal)
        position = match.end()
    return scheme, params


def quoted(text: str) -> str:
    """A quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(literal: str) -> str:
    """The text of a quoted string, which is given with its quotes."""
    return _ESCAPED.sub(r"\1", literal[1:-1]) if "\\" in literal else literal[1:-1]


def print_params(params: Params) -> str:
    """Header parameters, each with its semicolon."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params.items()])


def print_via(via: Via) -> str:
    """One Via value."""
    sent_by = via.host if via.port is None else f"{via.host}:{via.port}"
    return f"SIP/2.0/{via.transport} {sent_by}{print_params(via.params)}"


def print_address(address: Address) -> str:
    """A From, To or Contact value, always with angle brackets."""
    display = quoted(address.display) + " " if address.display else ""
    return f"{display}<{address.uri}>{print_params(address.params)}"
