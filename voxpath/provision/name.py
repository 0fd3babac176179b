"""File names as data: ``SEP{mac}.cnf.xml``, ``snom{model}.htm``, ``*.loads``."""

import re
from collections.abc import Mapping

from voxpath.model.address import Mac

MAC = "mac"
"""The part of a name that is an Ethernet address: twelve digits in any case, with ``-``, ``:`` or dots or without them."""
MAX_PARTS = 4
"""Named parts and stars of one pattern: a name is tried at most so many times its length to that power."""
LONGEST_NAME = 128
"""Characters of a name that can match."""

_MAC = r"(?P<mac>[0-9a-f]{12}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})"
_PART = r"(?P<{}>[A-Za-z0-9._-]{{1,64}})"
_STAR = r"[^/]{0,128}"
_PIECES = re.compile(r"\{([a-z_]+)\}|(\*)")
_SEPARATORS = str.maketrans("", "", "-:.")


class NamePattern:
    """A pattern for names of files; letter case does not count.

    :ivar text: as it was written.
    :ivar parts: the names of its parts.
    :raises ValueError: it is no pattern, with the reason.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts = tuple(found[1] for found in _PIECES.finditer(text) if found[1])
        pieces = _PIECES.findall(text)
        if len(pieces) > MAX_PARTS:
            raise ValueError(f"has {len(pieces)} parts and stars, {MAX_PARTS} at the most")
        if len(set(self.parts)) < len(self.parts):
            raise ValueError("names a part twice")
        if not text or re.search(r"[{}]", _PIECES.sub("", text)):
            raise ValueError("has a brace that is none of {mac} or {name}")
        self._matches = re.compile(_expression(text), re.IGNORECASE).fullmatch

    def match(self, name: str) -> dict[str, str] | None:
        """The parts of a name; the address as twelve digits. ``None``: the name is another one."""
        found = self._matches(name) if len(name) <= LONGEST_NAME else None
        if found is None:
            return None
        parts = found.groupdict()
        if MAC in parts:
            parts[MAC] = parts[MAC].translate(_SEPARATORS).lower()
        return parts

    def shown(self, mac: Mac) -> str:
        """The names that this phone may ask by; what else is open stays as it was written."""
        return fill(self.text, {MAC: mac.hex()})

    def example(self, mac: Mac, other: str = "x") -> str:
        """A name that it matches."""
        return _PIECES.sub(lambda found: mac.hex() if found[1] == MAC else other, self.text)


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Put parts into a name; what is no part of the other name stays as it is."""
    return _PIECES.sub(lambda found: parts.get(found[1] or "", found[0]), text)


def parts_of(text: str) -> tuple[str, ...]:
    """The names in braces."""
    return tuple(found[1] for found in _PIECES.finditer(text) if found[1])


def _expression(text: str) -> str:
    made, at = "", 0
    for found in _PIECES.finditer(text):
        made += re.escape(text[at : found.start()])
        made += _STAR if found[2] else _MAC if found[1] == MAC else _PART.format(found[1])
        at = found.end()
    return made + re.escape(text[at:])
