"""From text to a tree of items: the part of the MEGACO grammar that does not depend on the meaning of tokens.

All of RFC 3525 Annex B, but for the head of a message, is built from one shape: ``word [= value] [{ item, item ... }]``.
One compiled regular expression takes a whole such item at a time.
Character classes have possessive quantifiers, so nothing is read a second time; groups have not, since Python before 3.11.5 loses
its place in them.
Two shapes need their own alternative: SDP in a Local or Remote descriptor, and digit maps.
``Local`` can also be a termination's name, but then ``=`` stands before it and the ordinary alternative has already taken it.

Lenient: a comma before a closing brace and parentheses for braces, both of which RFC 3525 Appendix I prints.
"""

import re
from typing import TypeAlias

from msgspec import Struct

from voxpath.megaco.code import SYNTAX_IN_MESSAGE

LARGEST_MESSAGE = 65_531
"""In octets: the largest payload of a TPKT (RFC 1006), which no UDP datagram exceeds."""
DEEPEST_NESTING = 16
"""Of braces; the deepest message of the grammar, an embedded signal list, needs 12."""


_LWSP = r"[ \t\r\n]*+(?:;[^\r\n]*+[ \t\r\n]*+)*"
_WORD_CHARACTER = r"[^\x00-\x20\x7f{}=,;\"<>#\[\]()]"
_QUOTED = r'"[^"\x00]*+"'
# Parentheses are allowed in a value (SafeChar), but a lone closing one ends an event parameter as Appendix I prints it.
_PLAIN = rf"(?:{_WORD_CHARACTER}++|\({_WORD_CHARACTER}*+\))+"
_BRACKETED = r'\[(?:[^\[\]"{}]++|"[^"\x00]*+")*\](?::[0-9]{1,5})?'
_DOMAIN = r"<[A-Za-z0-9.-]{1,64}>(?::[0-9]{1,5})?"
_POINT_CODE = r"[Mm][Tt][Pp][ \t\r\n]*+\{[ \t\r\n]*+[0-9A-Fa-f]{4,8}[ \t\r\n]*+\}"
# An unterminated octet string runs to the end of the text: were it no match, each "L{" would be scanned to the end again.
_OCTETS = r"\{([^\\}\x00]*+(?:\\\}?+[^\\}\x00]*+)*)\}?+"

ITEM = re.compile(
    rf"{_LWSP}(?:"
    rf"(?i:(Local|Remote|L|R){_LWSP}{_OCTETS})"
    rf"|(?i:(DigitMap|DM){_LWSP}={_LWSP}({_WORD_CHARACTER}*+){_LWSP}\{{([^}}\x00]*+)\}}?+)"
    rf"|((?:[0-9]{{8}}[Tt][0-9]{{8}}{_LWSP}:{_LWSP})?(?:{_WORD_CHARACTER}++|{_QUOTED}))"
    rf"(?:{_LWSP}([=<>#]|(?=\[)){_LWSP}({_POINT_CODE}|{_QUOTED}|{_PLAIN}|{_BRACKETED}|{_DOMAIN})?)?"
    rf")?{_LWSP}((?!{_WORD_CHARACTER}|{_QUOTED})[\s\S])?"
)
"""Groups: word and octets of SDP; word, name and body of a digit map; word, relation and value of any other; delimiter.

Any character that fits nowhere is a delimiter, so all groups are empty at the end of the text only.
"""

HEAD = re.compile(
    rf"{_LWSP}(?:(?i:Authentication|AU){_LWSP}={_LWSP}(0x[0-9A-Fa-f]{{8}}:0x[0-9A-Fa-f]{{8}}:0x[0-9A-Fa-f]{{24,64}}){_LWSP})?"
    rf"(?:(?i:MEGACO)|!)/([0-9]{{1,2}})(?![0-9])(?=[ \t\r\n;]){_LWSP}"
    rf"({_POINT_CODE}|\[[^\[\]{{}}]{{1,64}}\](?::[0-9]{{1,5}})?|{_DOMAIN}|{_WORD_CHARACTER}{{1,130}})(?=[ \t\r\n;]|\Z)"
)
"""Groups: authentication, version, mId."""

LWSP = re.compile(_LWSP)
WORD = re.compile(rf"{_WORD_CHARACTER}+")
SAFE = re.compile(r"[A-Za-z0-9+\-&!_/'?@^`~*$\\%|.\x80-\U0010ffff]+")
"""A VALUE that needs no quotes; parentheses are legal too, but quotes are safer for them."""

Token: TypeAlias = tuple[str, str, str, str, str, str, str, str, str]


class Node(Struct):
    """One item of a message.

    :ivar word: what stands first: a token, a name, or a quoted string with its quotes.
    :ivar relation: ``=``, ``<``, ``>``, ``#`` or empty.
    :ivar value: what follows the relation, with its quotes or brackets; empty when a brace follows, or nothing.
    :ivar children: the items in braces; ``None``: no braces.
    :ivar octets: SDP or a digit map's body, as it came; ``None``: neither.
    :ivar index: which match of :data:`ITEM` it was, for the offset of an error.
    """

    word: str
    relation: str
    value: str
    index: int
    children: "list[Node] | None" = None
    octets: str | None = None


class Fault(Exception):
    """What is wrong and at which item; :mod:`voxpath.megaco.wire` turns it into an error for the peer."""

    def __init__(self, code: int, reason: str, index: int) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.index = index


def offset_of(text: str, start: int, index: int) -> int:
    """Find where an item begins, by scanning again: an error may cost more than a good message."""
    position = start
    for number, match in enumerate(ITEM.finditer(text, start)):
        position = LWSP.match(text, match.start()).end()  # type: ignore[union-attr]  # it matches the empty string
        if number == index:
            break
    return position


class _Builder:
    """Puts items into a tree; braces, commas and depth are checked here, once for the whole grammar."""

    __slots__ = ("children", "closers", "comma_due", "open", "roots")

    def __init__(self) -> None:
        self.roots: list[Node] = []
        self.children = self.roots
        self.open: list[list[Node]] = []
        self.closers: list[str] = []
        self.comma_due = False

    def add(self, node: Node, delimiter: str) -> None:
        """Take an item and what follows it."""
        if self.comma_due and self.open:
            raise Fault(SYNTAX_IN_MESSAGE, "a comma or a closing brace is missing", node.index)
        self.children.append(node)
        self.comma_due = True
        if delimiter == ",":
            self.comma_due = False
        elif delimiter in ("{", "("):
            self.descend(node, "}" if delimiter == "{" else ")")
        elif delimiter:
            self.ascend(delimiter, node.index)

    def descend(self, node: Node, closer: str) -> None:
        """Open a brace."""
        if len(self.open) == DEEPEST_NESTING:
            raise Fault(SYNTAX_IN_MESSAGE, f"braces are nested more than {DEEPEST_NESTING} deep", node.index)
        if node.octets is not None:
            raise Fault(SYNTAX_IN_MESSAGE, "a comma or a closing brace is missing", node.index)
        self.open.append(self.children)
        self.closers.append(closer)
        node.children = self.children = []
        self.comma_due = False

    def ascend(self, delimiter: str, index: int) -> None:
        """Close a brace."""
        if not self.open or delimiter != self.closers.pop():
            raise Fault(SYNTAX_IN_MESSAGE, "a character does not belong here", index)
        self.children = self.open.pop()
        self.comma_due = True

    def punctuate(self, delimiter: str, index: int) -> None:
        """Take a delimiter that follows no item."""
        if delimiter == ",":
            if not self.comma_due:
                raise Fault(SYNTAX_IN_MESSAGE, "a comma follows nothing", index)
            self.comma_due = False
        else:
            self.ascend(delimiter, index)


def tree(text: str, start: int, roots: list[Node]) -> None:
    """Read all items from ``start`` on into ``roots``; on a :class:`Fault` those before it are there."""
    builder = _Builder()
    builder.roots = builder.children = roots
    add, punctuate = builder.add, builder.punctuate
    tokens: list[Token] = ITEM.findall(text, start)
    for index, (media, sdp, digit_map, name, body, word, relation, value, delimiter) in enumerate(tokens):
        if word:
            add(Node(word, relation, value, index), delimiter)
        elif media:
            add(Node(media, "", "", index, None, sdp), delimiter)
        elif digit_map:
            add(Node(digit_map, "=", name, index, None, body), delimiter)
        elif delimiter:
            punctuate(delimiter, index)
    if builder.open:
        raise Fault(SYNTAX_IN_MESSAGE, "a brace is left open", len(tokens) - 1)


def source(node: Node) -> str:
    """Write what follows the word of an item, in the most compact form: the inverse of :func:`tree`."""
    text = node.relation + node.value
    if node.octets is not None:
        return f"{text}{{{node.octets}}}"
    if node.children is None:
        return text
    return text + "{" + ",".join([child.word + source(child) for child in node.children]) + "}"
