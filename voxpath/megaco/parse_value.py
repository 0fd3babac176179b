"""From items to values: numbers, keywords, mIds, properties (RFC 3525 Annex B.2)."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from voxpath.megaco.code import SYNTAX_IN_COMMAND, UNKNOWN_VALUE
from voxpath.megaco.descriptor import Property, Quoted, Raw, Relation
from voxpath.megaco.lexis import Fault, Node, source
from voxpath.megaco.mid import MId
from voxpath.megaco.tokens import keyed

LARGEST_UINT16 = 0xFFFF
LARGEST_UINT32 = 0xFFFFFFFF
ALL_REQUESTS = LARGEST_UINT32
"""The RequestID ``*`` of an audit reply, by its number in the binary encoding."""
MIDS_REMEMBERED = 4096

_LISTED = re.compile(r'"[^"]*"|;[^\r\n]*|[^ \t\r\n,:";]+|[,:]')
_RELATIONS = {relation.value: relation for relation in (Relation.EQUAL, Relation.GREATER, Relation.LESS, Relation.UNEQUAL)}

E = TypeVar("E", bound=StrEnum)


def bad(node: Node, reason: str, code: int = SYNTAX_IN_COMMAND) -> Fault:
    """Make the error for an item."""
    return Fault(code, reason, node.index)


def number(node: Node, text: str, largest: int, code: int = SYNTAX_IN_COMMAND) -> int:
    """Read an unsigned number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or (value := int(text)) > largest:
        raise bad(node, f"a number from 0 to {largest} is wanted", code)
    return value


def assigned(node: Node, largest: int, code: int = SYNTAX_IN_COMMAND) -> int:
    """Read the number after an equals sign."""
    if node.relation != "=":
        raise bad(node, "an equals sign is wanted", code)
    return number(node, node.value, largest, code)


@lru_cache(MIDS_REMEMBERED)
def mid_of(text: str) -> MId:
    """Read an mId; a gateway sends the same one in each message."""
    return MId.parse(text)


def children_of(node: Node) -> list[Node]:
    """The items in braces, of which there has to be one at least."""
    if not node.children:
        raise bad(node, "braces with at least one item are wanted")
    return node.children


def unquoted(text: str) -> str:
    """Take the quotes off a value, and remember that it had some."""
    return Quoted(text[1:-1]) if text[:1] == '"' else text


def keyword(node: Node, table: dict[str, E]) -> E:
    """Read a value that is one of a few tokens."""
    found = table.get(node.value.lower())
    if found is None or node.relation != "=":
        raise bad(node, "the value is not known here", UNKNOWN_VALUE)
    return found


def values_of(kind: type[E]) -> dict[str, E]:
    """The look-up of an enumeration's tokens."""
    return keyed({each.value: each for each in kind})


def property_of(node: Node) -> Property:
    """Read a property, parameter or statistic (``propertyParm``)."""
    value, children, name = node.value, node.children, node.word
    if children is None:
        if value[:1] == "[":
            return _bracketed(node)
        if value and name[0] != '"':
            return Property(name, (unquoted(value),), _RELATIONS[node.relation])
    elif not value and node.relation == "=" and children and all(is_bare(child) for child in children):
        return Property(name, tuple([unquoted(child.word) for child in children]), Relation.ONE_OF)
    raise bad(node, "a value is wanted")


def is_bare(node: Node) -> bool:
    """Whether an item is a single word."""
    return not node.relation and not node.value and node.children is None and node.octets is None


def _bracketed(node: Node) -> Property:
    """Read ``[a, b]`` or ``[a:b]``."""
    inside, bracket, rest = node.value[1:].rpartition("]")
    parts = [part for part in _LISTED.findall(inside) if part[0] != ";"]
    values = tuple([unquoted(part) for part in parts[::2]])
    marks = set(parts[1::2])
    if rest or not bracket or not len(parts) % 2 or any(part in (",", ":") for part in parts[::2]):
        raise bad(node, "the list is malformed")
    if marks <= {","}:
        return Property(node.word, values, Relation.ALL_OF)
    if marks == {":"} and len(values) == 2:
        return Property(node.word, values, Relation.RANGE)
    raise bad(node, "the list is malformed")


def raw_of(node: Node) -> Raw:
    """Keep an item as it is."""
    return Raw(node.word, source(node))


_BOOLEANS = {"on": True, "off": False}


def boolean(node: Node) -> bool:
    """Read ``ON`` or ``OFF``."""
    found = _BOOLEANS.get(node.value.lower())
    if found is None:
        raise bad(node, "ON or OFF is wanted", UNKNOWN_VALUE)
    return found
