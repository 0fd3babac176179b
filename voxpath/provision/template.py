"""Templates: a sandboxed Jinja with strict names, which writes each value as the format of the file wants it.

A template whose text begins with ``<``, or with another one that makes XML, makes XML, and its values are escaped.
All others make lines.
Values are texts of one line already (:mod:`voxpath.provision.record`).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jinja2 import DictLoader, StrictUndefined, Template, TemplateError, TemplateNotFound, TemplateSyntaxError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from voxpath.core.errors import LocalError
from voxpath.model.event import printable
from voxpath.provision.record import PhoneRecord

LARGEST_OCTETS = 1 << 18
"""Octets of a rendered file; phones' files have some thousand."""
SEPARATORS = frozenset(' \t;,"<>\\')
"""What would end a word in lines that have several."""

DEEPEST = 10
"""Templates that each begin with the next one."""
_HEAD = re.compile(
    r"""(?:\s|\{#.*?#\}|\{%(?![-+]?\s*(?:include|extends)\b).*?%\})*"""
    r"""(?:\{%[-+]?\s*(?:include|extends)\s+["'](?P<other>[^"']*)["'].*?%\})?\s*(?P<rest>.?)""",
    re.DOTALL,
)
"""The tags and comments that a template begins with, the other one that it begins with, and the first sign of its own text."""

SHIPPED = "shipped/"
"""By this in front of its name a template reaches the shipped one, also if it replaces it."""


class TemplateFault(LocalError):
    """A template cannot be read, or makes no file.

    :ivar template: its name.
    :ivar line: which line of it; 0: not known.
    :ivar what: what is wrong, in one line.
    """

    def __init__(self, template: str, line: int, what: str) -> None:
        super().__init__(f"{template}{f' line {line}' if line else ''}: {what}")
        self.template = template
        self.line = line
        self.what = what


class Templates:
    """All templates by name.

    :param texts: the operator's, which replace shipped ones of the same name.
    :param unreadable: those of the operator that are there, and cannot be read: they hide shipped ones, and make no file.
    :ivar own: the names of the operator's.
    """

    def __init__(
        self,
        shipped: Mapping[str, str],
        texts: Mapping[str, str] = MappingProxyType({}),
        unreadable: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.own = frozenset(texts)
        self.unreadable = unreadable
        known = {**shipped, **texts, **{f"{SHIPPED}{name}": text for name, text in shipped.items()}}
        self._texts = {name: text for name, text in known.items() if name not in unreadable}
        loader = DictLoader(self._texts)
        self._lines = _environment(loader, _line)
        self._xml = _environment(loader, _xml)

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    def check(self, name: str) -> None:
        """Read a template; raise :class:`TemplateFault`."""
        self._template(name)

    def render(self, name: str, record: PhoneRecord, parts: Mapping[str, str]) -> bytes:
        """Make a file.

        :param parts: the parts of the name that was asked for.
        :raises TemplateFault: the template is wrong, or its file too large.
        """
        template = self._template(name)
        made, length = [], 0
        try:
            for piece in template.generate(record.names, parts=parts):
                made.append(piece)
                length += len(piece)
                if length > LARGEST_OCTETS:
                    break
        # A template is a program of somebody else: whatever it raises is its fault, and told as such.
        except Exception as error:
            raise _fault(name, error) from error
        octets = "".join(made).encode("utf-8", "replace")
        if len(octets) > LARGEST_OCTETS:
            raise TemplateFault(name, 0, f"makes more than {LARGEST_OCTETS} octets")
        return octets

    def makes_xml(self, name: str) -> bool:
        """Whether the file begins as XML does; a template that begins with another one is of its kind."""
        for _ in range(DEEPEST):
            head = _HEAD.match(self._texts.get(name, ""))
            assert head is not None, "it matches everything"
            if head["other"] is None:
                return head["rest"] == "<"
            name = head["other"]
        return False

    def _template(self, name: str) -> Template:
        if name in self.unreadable:
            raise TemplateFault(printable(name, 100), 0, self.unreadable[name])
        try:
            return (self._xml if self.makes_xml(name) else self._lines).get_template(name)
        except TemplateError as error:
            raise _fault(name, error) from error


def _environment(loader: DictLoader, write: Any) -> ImmutableSandboxedEnvironment:
    # Every value becomes Markup when it is written, so nothing is escaped twice.
    made = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=True,
        finalize=write,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    # It makes text by chance; the same record always makes the same file.
    del made.globals["lipsum"]
    made.filters["word"] = _word
    return made


def _line(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(_text(value))  # noqa: S704 - lines have nothing to escape


def _xml(value: object) -> Markup:
    return value if isinstance(value, Markup) else escape(_text(value))


def _text(value: object) -> str:
    """A name that nobody knows raises here; a part of a name that was asked for may hold anything."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else printable(text, len(text))


def _word(value: object) -> str:
    """A value that has to be one word: blanks and separators in it would become something else for the phone."""
    if isinstance(value, Undefined):
        return str(value)
    text = str(value)
    if SEPARATORS.intersection(text):
        raise ValueError("a value has a blank or a separator, which this file has no way to write")
    return text


def _fault(name: str, error: Exception) -> TemplateFault:
    line = error.lineno if isinstance(error, TemplateSyntaxError) else _line_of(error)
    at = (error.name or name) if isinstance(error, TemplateSyntaxError) else name
    what = f"there is no template {error.name}" if isinstance(error, TemplateNotFound) else str(error) or repr(error)
    return TemplateFault(printable(at, 100), line, printable(what))


def _line_of(error: Exception) -> int:
    """The line of the template in which it was raised: Jinja gives tracebacks the template's lines."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
