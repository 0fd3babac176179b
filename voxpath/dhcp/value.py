"""Values of options by their type: what an operator writes, and its octets (RFC 2132, RFC 3397, RFC 3361).

Reading is the inverse of writing for every kind, so what a check has accepted is what a phone reads.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import NamedTuple, TypeAlias

from voxpath.core.cursor import Reader
from voxpath.core.errors import RemoteError
from voxpath.model.event import printable

Scalar: TypeAlias = str | int | bool
Value: TypeAlias = Scalar | Sequence[Scalar]

MAX_VALUE = 1024
"""Octets of one option's value that are written; those beyond 255 go into several pieces (RFC 3396)."""
MAX_NAME = 255
MAX_LABEL = 63

SIP_NAMES = 0
SIP_ADDRESSES = 1


class Kind(NamedTuple):
    """A type of value.

    :ivar words: what is wanted, for a person.
    :ivar write: octets of one value; raises :class:`ValueError` with what is wrong.
    :ivar read: the inverse, from a cursor that has at least one octet left; raises :class:`RemoteError`.
    :ivar several: whether a list may be written.
    """

    words: str
    write: Callable[[Scalar], bytes]
    read: Callable[[Reader], Scalar]
    several: bool = False


def encode_value(kind: str, value: Value) -> bytes:
    """Write a value of that kind, or several one after the other.

    :raises ValueError: the value is not of the kind, is empty, or is too long; the text says what is wanted.
    """
    spec = KINDS[kind]
    values = [value] if isinstance(value, str | int) else list(value)
    if not values or (len(values) > 1 and not spec.several):
        raise ValueError(f"{spec.words} is wanted" + (", one or more" if spec.several else ""))
    data = b"".join(map(spec.write, values))
    if not 0 < len(data) <= MAX_VALUE:
        raise ValueError(f"its value has {len(data)} octets, 1 to {MAX_VALUE} are possible")
    return data


def decode_value(kind: str, data: bytes) -> tuple[Scalar, ...]:
    """Read the values of that kind.

    :raises RemoteError: they are malformed.
    """
    spec, fields = KINDS[kind], Reader(data)
    if not data:
        raise RemoteError("an option without a value", offset=0)
    found = [spec.read(fields)]
    while spec.several and fields.remaining:
        found.append(spec.read(fields))
    if fields.remaining:
        raise RemoteError(f"{fields.remaining} octets too many", offset=fields.offset)
    return tuple(found)


def encode_addresses(addresses: Iterable[IPv4Address]) -> bytes:
    """Write addresses one after the other."""
    return b"".join(address.packed for address in addresses)


def encode_name(name: str) -> bytes:
    """Write a domain name as labels with their lengths, without compression (RFC 1035 section 3.1).

    :raises ValueError: it is no domain name.
    """
    labels = name.removesuffix(".").split(".")
    try:
        octets = [label.encode("ascii") if label.isascii() else label.encode("idna") for label in labels]
    except UnicodeError:
        raise ValueError(f"{_said(name)} is no domain name") from None
    data = b"".join(bytes((len(label),)) + label for label in octets if 0 < len(label) <= MAX_LABEL) + b"\0"
    if len(data) != sum(len(label) + 1 for label in octets) + 1 or len(data) > MAX_NAME or not _is_host(octets):
        raise ValueError(f"{_said(name)} is no domain name")
    return data


def decode_name(fields: Reader) -> str:
    """Read a domain name; compression (RFC 3397 section 2) is not read, since nothing that is read here may use it.

    :raises RemoteError: a label is too long or no ASCII, or the name is not ended.
    """
    labels: list[str] = []
    start = fields.offset
    while length := fields.u8():
        if length > MAX_LABEL:
            raise RemoteError(f"a label of {length} octets", offset=fields.offset - 1, section="RFC 1035 section 3.1")
        label = fields.take(length)
        if not label.isascii() or b"." in label:
            raise RemoteError("a label that is no text", offset=fields.offset - length, section="RFC 1035 section 2.3.1")
        labels.append(label.decode("ascii"))
        if fields.offset - start >= MAX_NAME:
            raise RemoteError(f"a name of more than {MAX_NAME} octets", offset=start, section="RFC 1035 section 2.3.4")
    return ".".join(labels)


def encode_sip_servers(servers: Sequence[str]) -> bytes:
    """Write option 120: all addresses, or all names (RFC 3361 section 3).

    :raises ValueError: there is none, they are mixed, or one is neither.
    """
    if not servers:
        raise ValueError("a SIP server is wanted")
    numeric = [server.replace(".", "").isdigit() for server in servers]
    if all(numeric):
        return bytes((SIP_ADDRESSES,)) + b"".join(map(_write_address, servers))
    if any(numeric):
        raise ValueError("addresses and names cannot be mixed in one option (RFC 3361)")
    return bytes((SIP_NAMES,)) + b"".join(map(encode_name, servers))


def decode_sip_servers(data: bytes) -> tuple[str, ...]:
    """Read option 120.

    :raises RemoteError: it is empty, its encoding is unknown, or a part is malformed.
    """
    fields = Reader(data)
    encoding = fields.u8()
    if encoding not in (SIP_NAMES, SIP_ADDRESSES) or not fields.remaining:
        raise RemoteError(f"SIP servers in encoding {encoding}", offset=0, section="RFC 3361 section 3")
    found = []
    while fields.remaining:
        found.append(str(IPv4Address(fields.take(4))) if encoding == SIP_ADDRESSES else decode_name(fields))
    return tuple(found)


def _is_host(labels: list[bytes]) -> bool:
    """Letters, digits, hyphens and underscores; underscores stand in names of services (RFC 2782)."""
    allowed = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    return all(not label.translate(None, allowed) for label in labels)


def _write_address(value: Scalar) -> bytes:
    try:
        return IPv4Address(_text(value)).packed
    except ValueError:
        raise ValueError(f"{_said(value)} is not an IPv4 address") from None


def _write_text(value: Scalar) -> bytes:
    return _text(value).encode("utf-8")


def _read_text(fields: Reader) -> str:
    data = fields.rest()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RemoteError("a text that is no UTF-8", offset=error.start) from None


def _write_hex(value: Scalar) -> bytes:
    try:
        return bytes.fromhex(_text(value).replace(":", ""))
    except ValueError:
        raise ValueError(f"{_said(value)} is not hexadecimal") from None


def _write_number(low: int, high: int, octets: int, value: Scalar) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{_said(value)} is not a whole number from {low} to {high}")
    return value.to_bytes(octets, "big", signed=low < 0)


def _read_number(octets: int, signed: bool, fields: Reader) -> int:
    return int.from_bytes(fields.take(octets), "big", signed=signed)


def _number(octets: int, signed: bool = False) -> Kind:
    low, high = (-(1 << 8 * octets - 1), (1 << 8 * octets - 1) - 1) if signed else (0, (1 << 8 * octets) - 1)
    words = f"a whole number from {low} to {high}"
    return Kind(words, partial(_write_number, low, high, octets), partial(_read_number, octets, signed), several=True)


def _write_bool(value: Scalar) -> bytes:
    if not isinstance(value, bool):
        raise ValueError(f"{_said(value)} is neither true nor false")
    return bytes((value,))


def _read_bool(fields: Reader) -> bool:
    octet = fields.u8()
    if octet > 1:
        raise RemoteError(f"a truth value of {octet}", offset=0, section="RFC 2132 section 2")
    return bool(octet)


def _said(value: Scalar) -> str:
    return printable(repr(value), 60)


def _text(value: Scalar) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_said(value)} is not a text")
    return value


def _read_address(fields: Reader) -> str:
    return str(IPv4Address(fields.take(4)))


KINDS = {
    "address": Kind("an IPv4 address", _write_address, _read_address),
    "addresses": Kind("a list of IPv4 addresses", _write_address, _read_address, several=True),
    "text": Kind("a text", _write_text, _read_text),
    "hex": Kind("a text of hexadecimal digits", _write_hex, lambda fields: fields.rest().hex()),
    "u8": _number(1),
    "u16": _number(2),
    "u32": _number(4),
    "i32": _number(4, signed=True),
    "bool": Kind("true or false", _write_bool, _read_bool),
    "names": Kind("a list of domain names", lambda value: encode_name(_text(value)), decode_name, several=True),
}
"""All kinds, by the name that the configuration has for them."""
