"""Session descriptions to and from text.

Lenient in: any line end, white space round values, missing ``v= o= s= t=``, and all lines folded into one with spaces, as RFC 3525
Appendix I prints them.
Strict out: lines in the order of RFC 4566 section 5, each ended by CR LF or by what the caller asks for.
"""

import re
from collections.abc import Iterable, Iterator

from voxpath.core.errors import LocalError, RemoteError
from voxpath.sdp.message import CHOOSE, Attribute, Connection, Line, MediaDescription, Origin, SessionDescription

LARGEST_TEXT = 65_531
"""In characters: no description is larger than the message that carries it."""
MOST_LINES = 1000
LARGEST_PORT = 0xFFFF

_SECTION = "RFC 4566 section 5"
_LINE = re.compile(r"[ \t]*([^\r\n]*)")
_TYPED = re.compile(r"[a-z]=")
# A value of v= or c= never holds " x=", so that betrays folding; in other lines it may be text.
_FOLDED = re.compile(r"[vc]=.*\s[a-z]=")
# It begins where the white space does: from each place of a long run of it the search would take its square.
_FOLD = re.compile(r"(?<!\s)\s+(?=[a-z]=)")
# RFC 4566 section 5; t= and r= belong together, so they share a rank.
_RANK = {
    type_: rank for rank, types in enumerate(("v", "o", "s", "i", "u", "e", "p", "c", "b", "tr", "z", "k", "a")) for type_ in types
}


def parse(text: str) -> tuple[SessionDescription, ...]:
    """Read the alternatives of a Local or Remote descriptor: each begins with ``v=``; empty text has none.

    :raises RemoteError: it is malformed; the offset is in characters, of the text without folding.
    """
    if len(text) > LARGEST_TEXT:
        raise RemoteError(f"a session description of more than {LARGEST_TEXT} characters", section=_SECTION)
    groups: list[list[tuple[int, Line]]] = []
    for number, (offset, line) in enumerate(_lines(text)):
        if number == MOST_LINES:
            raise RemoteError(f"a session description of more than {MOST_LINES} lines", offset=offset, section=_SECTION)
        if line.type == "v" or not groups:
            groups.append([])
        groups[-1].append((offset, line))
    return tuple(_session(group) for group in groups)


def _lines(text: str) -> Iterator[tuple[int, Line]]:
    """Split text into lines with their offsets, folded ones too."""
    found = [(match.start(1), match[1].rstrip(" \t")) for match in _LINE.finditer(text) if match[1]]
    if any(_TYPED.match(line) is None or _FOLDED.match(line) is not None for _, line in found):
        found = [(0, " ".join(line.split())) for line in _FOLD.split(text.strip())]
    for offset, line in found:
        if _TYPED.match(line) is None:
            raise RemoteError("a line such as v=0 is wanted", offset=offset, section=_SECTION)
        yield offset, Line(line[0], line[2:].strip(" \t"))


def _session(lines: list[tuple[int, Line]]) -> SessionDescription:
    """Read one description."""
    version, origin, name = "0", None, None
    first_media = next((number for number, (_, line) in enumerate(lines) if line.type == "m"), len(lines))
    others = []
    for offset, line in lines[:first_media]:
        if line.type == "v":
            version = line.value
        elif line.type == "o":
            origin = _origin(line.value, offset)
        elif line.type == "s":
            name = line.value
        else:
            others.append((offset, line))
    connection, attributes, kept = _common(others)
    media = []
    while first_media < len(lines):
        end = next((n for n in range(first_media + 1, len(lines)) if lines[n][1].type == "m"), len(lines))
        media.append(_media(lines[first_media], lines[first_media + 1 : end]))
        first_media = end
    return SessionDescription(tuple(media), connection, origin, name, attributes, kept, version)


def _common(lines: Iterable[tuple[int, Line]]) -> tuple[Connection | None, tuple[Attribute, ...], tuple[Line, ...]]:
    """Read the lines that a session and a media description share."""
    connection = None
    attributes = []
    others = []
    for offset, line in lines:
        if line.type == "c" and connection is None:
            parts = line.value.split()
            if len(parts) != 3:
                raise RemoteError("c= has three fields", offset=offset, section="RFC 4566 section 5.7")
            connection = Connection(parts[2], parts[1], parts[0])
        elif line.type == "a":
            name, colon, value = line.value.partition(":")
            attributes.append(Attribute(name, value if colon else None))
        elif line.type in "vos":
            raise RemoteError("a session line stands below m=", offset=offset, section=_SECTION)
        else:
            others.append(line)
    others.sort(key=_rank)
    return connection, tuple(attributes), tuple(others)


def _rank(line: Line) -> int:
    """The place of a line in the order of RFC 4566; unknown types come last but for attributes."""
    return _RANK.get(line.type, _RANK["k"])


def _origin(value: str, offset: int) -> Origin:
    """Read ``o=``."""
    parts = value.split()
    if len(parts) != 6:
        raise RemoteError("o= has six fields", offset=offset, section="RFC 4566 section 5.2")
    return Origin(*parts)


def _media(head: tuple[int, Line], lines: list[tuple[int, Line]]) -> MediaDescription:
    """Read ``m=`` and what stands below it."""
    offset, line = head
    parts = line.value.split()
    if len(parts) < 4:
        raise RemoteError("m= has at least four fields", offset=offset, section="RFC 4566 section 5.14")
    port, slash, count = parts[1].partition("/")
    numbers = [_number(each, offset) for each in ((port, count) if slash else (port,)) if each != CHOOSE]
    if slash and len(numbers) != 2:
        raise RemoteError("a number of ports beside $", offset=offset, section="RFC 4566 section 5.14")
    connection, attributes, others = _common(lines)
    return MediaDescription(
        parts[0],
        numbers[0] if numbers else None,
        parts[2],
        tuple(parts[3:]),
        numbers[1] if slash else None,
        connection,
        attributes,
        others,
    )


def _number(text: str, offset: int) -> int:
    """Read a port or a number of ports."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > LARGEST_PORT:
        raise RemoteError(f"a port is a number up to {LARGEST_PORT}", offset=offset, section="RFC 4566 section 5.14")
    return int(text)


def render(descriptions: SessionDescription | Iterable[SessionDescription], end: str = "\r\n") -> str:
    """Write one description, or alternatives one after the other.

    :raises LocalError: a value has a line end in it.
    """
    if isinstance(descriptions, SessionDescription):
        descriptions = (descriptions,)
    lines = [line for each in descriptions for line in _session_lines(each)]
    for line in lines:
        if "\r" in line.value or "\n" in line.value:
            raise LocalError("a session description has a line end within a line")
    return "".join([f"{line.type}={line.value}{end}" for line in lines])


def _session_lines(session: SessionDescription) -> Iterator[Line]:
    """The lines of one description in their order."""
    yield Line("v", session.version)
    if session.origin is not None:
        yield Line("o", " ".join(session.origin))
    if session.name is not None:
        yield Line("s", session.name)
    yield from _common_lines(session)
    for media in session.media:
        port = CHOOSE if media.port is None else str(media.port)
        if media.count is not None:
            port += f"/{media.count}"
        yield Line("m", " ".join((media.kind, port, media.protocol, *media.formats)))
        yield from _common_lines(media)


def _common_lines(part: SessionDescription | MediaDescription) -> Iterator[Line]:
    """The lines that a session and a media description share."""
    lines = list(part.others)
    if part.connection is not None:
        # First of all c= lines: a second one, for another multicast layer, is among the others.
        lines.insert(0, Line("c", f"{part.connection.network} {part.connection.type} {part.connection.address}"))
    yield from sorted(lines, key=_rank)
    for attribute in part.attributes:
        yield Line("a", attribute.name if attribute.value is None else f"{attribute.name}:{attribute.value}")
