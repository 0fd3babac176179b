"""From descriptors to text (RFC 3525 Annex B.2 and section 7.1), strictly by the grammar.

Text that would not be read back as the same value is refused as our own error, so nothing that came from one peer can be
smuggled as syntax to another.
"""

from collections.abc import Callable, Iterable
from typing import Any

from voxpath.core.errors import LocalError
from voxpath.megaco.descriptor import (
    Audit,
    DigitMapDescriptor,
    ErrorDescriptor,
    EventBuffer,
    Events,
    LocalControl,
    Media,
    ObservedEvent,
    ObservedEvents,
    Packages,
    Property,
    Quoted,
    Raw,
    Relation,
    RequestedEvent,
    Services,
    Signal,
    SignalList,
    Signals,
    Statistics,
    Stream,
    TerminationState,
)
from voxpath.megaco.lexis import SAFE, WORD
from voxpath.megaco.parse_value import ALL_REQUESTS
from voxpath.megaco.tokens import LONG, SHORT

_safe = SAFE.fullmatch
_word = WORD.fullmatch


def word(text: str) -> str:
    """Check a name; raise :class:`LocalError` if it would not be read back as one."""
    if _word(text) is None:
        raise LocalError("a name has characters that MEGACO does not allow there")
    return text


def quoted(text: str) -> str:
    """Put text in quotes, which it must not contain itself."""
    if '"' in text or "\x00" in text:
        raise LocalError("a quoted string cannot contain a double quote or a NUL")
    return f'"{text}"'


def value(text: str) -> str:
    """Write a value: in quotes if it had some, or if it needs them."""
    if type(text) is not Quoted and _safe(text) is not None:
        return text
    return quoted(text)


class Style:
    """How a message looks: its tokens, and its white space.

    :ivar token: the form of each token by its long form.
    """

    __slots__ = ("after_comma", "before_brace", "equal", "step", "token")

    def __init__(self, compact: bool) -> None:
        self.token = SHORT if compact else LONG
        self.equal = "=" if compact else " = "
        self.before_brace = "{" if compact else " {"
        self.step = "" if compact else "\t"

    def block(self, head: str, items: Iterable[str], line: str) -> str:
        """Write ``head { item, item }``; ``line`` begins a new line at the depth of the head, or is empty."""
        inner = line + self.step
        return f"{head}{self.before_brace}{inner}{f',{inner}'.join(items)}{line}}}"


PRETTY = Style(compact=False)
COMPACT = Style(compact=True)


def _property(item: Property) -> str:
    """Write a property, parameter or statistic."""
    values = item.values
    name = word(item.name)
    relation = item.relation
    if relation is Relation.EQUAL and len(values) == 1:
        return f"{name}={value(values[0])}"
    if relation is Relation.ALL_OF and values:
        return f"{name}=[{','.join([value(each) for each in values])}]"
    if relation is Relation.ONE_OF and values:
        return f"{name}={{{','.join([value(each) for each in values])}}}"
    if relation is Relation.RANGE and len(values) == 2:
        return f"{name}=[{value(values[0])}:{value(values[1])}]"
    if len(values) != 1:
        raise LocalError("a property has a wrong number of values")
    return f"{name}{relation.value}{value(values[0])}"


def raw(item: Raw, style: Style, line: str) -> str:
    """Write what was kept uninterpreted."""
    return item.name + item.text


def _flag(flag: bool) -> str:
    """Write a boolean."""
    return "ON" if flag else "OFF"


def _local_control(item: LocalControl, style: Style, line: str) -> str:
    token, equal = style.token, style.equal
    parts = []
    if item.mode is not None:
        parts.append(f"{token['Mode']}{equal}{token[item.mode]}")
    if item.reserved_value is not None:
        parts.append(f"{token['ReservedValue']}{equal}{_flag(item.reserved_value)}")
    if item.reserved_group is not None:
        parts.append(f"{token['ReservedGroup']}{equal}{_flag(item.reserved_group)}")
    parts += [_property(each) for each in item.properties]
    if not parts:
        raise LocalError("LocalControl needs a parameter")
    return style.block(token["LocalControl"], parts, line)


def _sdp(name: str, text: str, style: Style) -> str:
    """Write an octet string at the start of a line, since white space at its ends would become part of SDP."""
    if "\x00" in text:
        raise LocalError("an octet string cannot contain a NUL")
    escaped = text.replace("}", "\\}")
    if not escaped:
        return f"{style.token[name]}{style.before_brace}}}"
    return f"{style.token[name]}{style.before_brace}\n{escaped}\n}}"


def _stream_parts(item: Stream, style: Style, line: str) -> list[str]:
    parts = []
    if item.control is not None:
        parts.append(_local_control(item.control, style, line))
    if item.local is not None:
        parts.append(_sdp("Local", item.local, style))
    if item.remote is not None:
        parts.append(_sdp("Remote", item.remote, style))
    if item.extras:
        parts += [raw(each, style, line) for each in item.extras]
    if not parts:
        raise LocalError("a stream needs a parameter")
    return parts


def _termination_state(item: TerminationState, style: Style, line: str) -> str:
    token, equal = style.token, style.equal
    parts = [_property(each) for each in item.properties]
    if item.service is not None:
        parts.append(f"{token['ServiceStates']}{equal}{token[item.service]}")
    if item.buffer is not None:
        parts.append(f"{token['Buffer']}{equal}{token[item.buffer]}")
    if not parts:
        raise LocalError("TerminationState needs a parameter")
    return style.block(token["TerminationState"], parts, line)


def _media(item: Media, style: Style, line: str) -> str:
    token = style.token
    inner = line + style.step
    parts = [] if item.state is None else [_termination_state(item.state, style, inner)]
    for stream in item.streams:
        if stream.number is not None:
            head = f"{token['Stream']}{style.equal}{stream.number}"
            parts.append(style.block(head, _stream_parts(stream, style, inner + style.step), inner))
        elif len(item.streams) == 1:
            parts += _stream_parts(stream, style, inner)
        else:
            raise LocalError("a stream without a number stands beside others")
    return style.block(token["Media"], parts, line) if parts else token["Media"]


def _digit_map(item: DigitMapDescriptor, style: Style, line: str) -> str:
    token = style.token["DigitMap"]
    if not item.name and item.body is None:
        return token
    name = word(item.name) if item.name else ""
    if item.body is None:
        return f"{token}={name}"
    if "}" in item.body or ";" in item.body or "\x00" in item.body:
        raise LocalError("a digit map has characters that MEGACO does not allow there")
    return f"{token}={name}{{{item.body}}}"


def _requested_event(item: RequestedEvent, style: Style, line: str) -> str:
    token = style.token
    inner = line + style.step
    parts = []
    if item.keep_active:
        parts.append(token["KeepActive"])
    if item.digit_map is not None:
        parts.append(_digit_map(item.digit_map, style, inner))
    if item.stream is not None:
        parts.append(f"{token['Stream']}={item.stream}")
    parts += [_property(each) for each in item.parameters]
    parts += [raw(each, style, inner) for each in item.extras]
    if item.signals is not None or item.events is not None:
        deeper = inner + style.step
        embedded = [] if item.signals is None else [_signals(item.signals, style, deeper)]
        if item.events is not None:
            embedded.append(_events(item.events, style, deeper))
        parts.append(style.block(token["Embed"], embedded, inner))
    name = word(item.name)
    return style.block(name, parts, line) if parts else name


def _request_id(number: int | None, style: Style) -> str:
    if number is None:
        raise LocalError("a RequestID is missing")
    return style.equal + ("*" if number == ALL_REQUESTS else str(number))


def _events(item: Events, style: Style, line: str) -> str:
    token = style.token["Events"]
    if not item.events:
        return token
    inner = line + style.step
    events = [_requested_event(each, style, inner) for each in item.events]
    return style.block(token + _request_id(item.request_id, style), events, line)


def _signal(item: Signal, style: Style, line: str) -> str:
    token = style.token
    parts = []
    if item.stream is not None:
        parts.append(f"{token['Stream']}={item.stream}")
    if item.type is not None:
        parts.append(f"{token['SignalType']}={token[item.type]}")
    if item.duration is not None:
        parts.append(f"{token['Duration']}={item.duration}")
    if item.notify_completion:
        parts.append(f"{token['NotifyCompletion']}={{{','.join([token[each] for each in item.notify_completion])}}}")
    if item.keep_active:
        parts.append(token["KeepActive"])
    parts += [_property(each) for each in item.parameters]
    name = word(item.name)
    return style.block(name, parts, line) if parts else name


def _signals(item: Signals, style: Style, line: str) -> str:
    token = style.token
    inner = line + style.step
    parts = []
    for each in item.signals:
        if isinstance(each, SignalList):
            head = f"{token['SignalList']}{style.equal}{each.number}"
            parts.append(style.block(head, [_signal(one, style, inner + style.step) for one in each.signals], inner))
        else:
            parts.append(_signal(each, style, inner))
    # Without braces: Appendix I prints "Signals { }" as well, but Erlang/OTP reads only this form, which version 3 has, too.
    return style.block(token["Signals"], parts, line) if parts else token["Signals"]


def _observed_event(item: ObservedEvent, style: Style, line: str) -> str:
    parts = [] if item.stream is None else [f"{style.token['Stream']}={item.stream}"]
    parts += [_property(each) for each in item.parameters]
    name = word(item.name)
    head = f"{item.time}:{name}" if item.time else name
    return style.block(head, parts, line) if parts else head


def _observed_events(item: ObservedEvents, style: Style, line: str) -> str:
    token = style.token["ObservedEvents"]
    if not item.events:
        return token
    inner = line + style.step
    events = [_observed_event(each, style, inner) for each in item.events]
    return style.block(token + _request_id(item.request_id, style), events, line)


def _event_buffer(item: EventBuffer, style: Style, line: str) -> str:
    token = style.token["EventBuffer"]
    inner = line + style.step
    events = [_observed_event(each, style, inner) for each in item.events]
    return style.block(token, events, line) if events else token


def _audit(item: Audit, style: Style, line: str) -> str:
    token = style.token
    inner = line + style.step
    parts = [raw(each, style, inner) if isinstance(each, Raw) else token[each] for each in item.items]
    return style.block(token["Audit"], parts, line) if parts else token["Audit"] + style.before_brace + "}"


def _statistics(item: Statistics, style: Style, line: str) -> str:
    token = style.token["Statistics"]
    parts = [_property(each) if each.values else word(each.name) for each in item.values]
    return style.block(token, parts, line) if parts else token


def _packages(item: Packages, style: Style, line: str) -> str:
    token = style.token["Packages"]
    parts = [f"{word(each.name)}-{each.version}" for each in item.packages]
    return style.block(token, parts, line) if parts else token


def error(item: ErrorDescriptor, style: Style, line: str) -> str:
    """Write an error descriptor."""
    text = quoted(item.text) if item.text else ""
    return f"{style.token['Error']}{style.equal}{item.code}{style.before_brace}{text}}}"


def _services(item: Services, style: Style, line: str) -> str:
    token, equal = style.token, style.equal
    parts = []
    if item.method:
        parts.append(f"{token['Method']}{equal}{token.get(item.method) or word(item.method)}")
    if item.address is not None:
        parts.append(f"{token['ServiceChangeAddress']}{equal}{item.address}")
    if item.mgc_id is not None:
        parts.append(f"{token['MgcIdToTry']}{equal}{item.mgc_id}")
    if item.profile:
        parts.append(f"{token['Profile']}{equal}{word(item.profile)}")
    if item.reason:
        parts.append(f"{token['Reason']}{equal}{quoted(item.reason)}")
    if item.delay is not None:
        parts.append(f"{token['Delay']}{equal}{item.delay}")
    if item.version is not None:
        parts.append(f"{token['Version']}{equal}{item.version}")
    if item.timestamp:
        parts.append(word(item.timestamp))
    parts += [_property(each) for each in item.extensions]
    parts += [raw(each, style, line) for each in item.extras]
    if not parts:
        raise LocalError("Services needs a parameter")
    return style.block(token["Services"], parts, line)


_RENDERERS: dict[type, Callable[[Any, Style, str], str]] = {
    Media: _media,
    Events: _events,
    Signals: _signals,
    DigitMapDescriptor: _digit_map,
    EventBuffer: _event_buffer,
    Audit: _audit,
    ObservedEvents: _observed_events,
    Statistics: _statistics,
    Packages: _packages,
    ErrorDescriptor: error,
    Services: _services,
    Raw: raw,
}


def descriptor(item: object, style: Style, line: str) -> str:
    """Write any descriptor."""
    return _RENDERERS[type(item)](item, style, line)
