"""From items to descriptors, by one keyword table for each position (RFC 3525 Annex B.2 and section 7.1)."""

import re
from collections.abc import Callable

from voxpath.megaco.code import DESCRIPTOR_TWICE, UNKNOWN_DESCRIPTOR, UNKNOWN_VALUE
from voxpath.megaco.descriptor import (
    Audit,
    CompletionReason,
    Descriptor,
    DigitMapDescriptor,
    ErrorDescriptor,
    EventBuffer,
    Events,
    ObservedEvent,
    ObservedEvents,
    Package,
    Packages,
    Property,
    Raw,
    RequestedEvent,
    ServiceChangeMethod,
    Services,
    Signal,
    SignalList,
    Signals,
    SignalType,
    Statistics,
)
from voxpath.megaco.lexis import LWSP, WORD, Node, source
from voxpath.megaco.mid import LARGEST_PORT
from voxpath.megaco.parse_media import media_of
from voxpath.megaco.parse_value import (
    ALL_REQUESTS,
    LARGEST_UINT16,
    LARGEST_UINT32,
    assigned,
    bad,
    children_of,
    is_bare,
    keyword,
    mid_of,
    number,
    property_of,
    raw_of,
    values_of,
)
from voxpath.megaco.tokens import keyed

_COMMENT = re.compile(r";[^\r\n]*")
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{8}", re.IGNORECASE)
_SIGNAL_TYPES = values_of(SignalType)
_COMPLETIONS = values_of(CompletionReason)
_METHODS = values_of(ServiceChangeMethod)


def _digit_map(node: Node) -> DigitMapDescriptor:
    """Read ``DigitMap=Name{...}`` in any of its forms."""
    if node.octets is None:
        if node.children is not None or node.value[:1] in ('"', "["):
            raise bad(node, "a digit map's name or body is wanted")
        return DigitMapDescriptor(node.value)
    body = "".join(_COMMENT.sub("", node.octets).split())
    return DigitMapDescriptor(node.value, body)


def _request_id(node: Node) -> int:
    """Read the RequestID of Events and ObservedEvents."""
    if node.relation != "=" or not node.value:
        raise bad(node, "a RequestID is wanted")
    return ALL_REQUESTS if node.value == "*" else assigned(node, LARGEST_UINT32)


_EVENT_PARAMETERS = keyed({"KeepActive": "keep", "DigitMap": "map", "Embed": "embed", "Stream": "stream"})
_EMBEDDED = keyed({"Signals": "signals", "Events": "events"})


def _requested_event(node: Node) -> RequestedEvent:
    """Read one event of an Events descriptor."""
    name = _item_name(node)
    if node.children is None:
        return RequestedEvent(name)
    properties = []
    extras = []
    known: dict[str, object] = {}
    for child in node.children:
        which = _EVENT_PARAMETERS.get(child.word.lower())
        if which is None:
            if child.relation:
                properties.append(property_of(child))
            else:
                extras.append(raw_of(child))
        elif which == "keep":
            known["keep_active"] = True
        elif which == "map":
            known["digit_map"] = _digit_map(child)
        elif which == "stream":
            known["stream"] = assigned(child, LARGEST_UINT16)
        else:
            known |= _embedded(child)
    return RequestedEvent(name, tuple(properties), extras=tuple(extras), **known)  # type: ignore[arg-type]  # by the table


def _embedded(node: Node) -> dict[str, Signals | Events]:
    """Read ``Embed{...}``."""
    found: dict[str, Signals | Events] = {}
    for child in children_of(node):
        which = _EMBEDDED.get(child.word.lower())
        if which is None or which in found:
            raise bad(child, "Signals and Events can be embedded, once each", UNKNOWN_DESCRIPTOR)
        found[which] = _signals(child) if which == "signals" else _events(child)
    return found


def _item_name(node: Node) -> str:
    """Read the ``package/item`` name of an event or signal."""
    if "/" not in node.word or node.relation or node.value or node.octets is not None:
        raise bad(node, "a name such as al/of is wanted")
    return node.word


def _events(node: Node) -> Events:
    """Read ``Events=1{...}``."""
    if not node.children:
        return Events()
    return Events(_request_id(node), tuple([_requested_event(child) for child in node.children]))


_SIGNAL_PARAMETERS = keyed(
    {"Stream": "stream", "SignalType": "type", "Duration": "duration", "NotifyCompletion": "completion", "KeepActive": "keep"}
)


def _signal(node: Node) -> Signal:
    """Read one signal with its parameters."""
    name = _item_name(node)
    if node.children is None:
        return Signal(name)
    properties = []
    known: dict[str, object] = {}
    for child in node.children:
        which = _SIGNAL_PARAMETERS.get(child.word.lower())
        if which is None:
            properties.append(property_of(child))
        elif which == "type":
            known["type"] = keyword(child, _SIGNAL_TYPES)
        elif which == "completion":
            known["notify_completion"] = tuple([_completion(each) for each in children_of(child)])
        elif which == "keep":
            known["keep_active"] = True
        else:
            known[which] = assigned(child, LARGEST_UINT16)
    return Signal(name, tuple(properties), **known)  # type: ignore[arg-type]  # by the table


def _completion(node: Node) -> CompletionReason:
    """Read one reason of NotifyCompletion."""
    found = _COMPLETIONS.get(node.word.lower())
    if found is None:
        raise bad(node, "the value is not known here", UNKNOWN_VALUE)
    return found


def _signals(node: Node) -> Signals:
    """Read ``Signals{...}``; without braces or with empty ones it means silence."""
    return Signals(
        tuple([_signal_list(child) if child.relation else _signal(child) for child in node.children]) if node.children else ()
    )


def _signal_list(node: Node) -> SignalList:
    """Read ``SignalList=1{...}``."""
    if node.word.lower() not in ("signallist", "sl"):
        raise bad(node, "a signal or a signal list is wanted")
    return SignalList(assigned(node, LARGEST_UINT16), tuple([_signal(child) for child in children_of(node)]))


def _observed_event(node: Node) -> ObservedEvent:
    """Read ``19990729T22000000:al/of{...}``; the time may be missing."""
    time, colon, name = node.word.partition(":")
    if colon:
        time = LWSP.sub("", time)
        name = LWSP.sub("", name)
        if not _TIMESTAMP.fullmatch(time):
            raise bad(node, "a time stamp such as 19990729T22000000 is wanted")
    else:
        time, name = "", node.word
    if "/" not in name or node.relation or not WORD.fullmatch(name):
        raise bad(node, "a name such as al/of is wanted")
    stream = None
    properties = []
    for child in node.children or ():
        if child.word.lower() in ("stream", "st"):
            stream = assigned(child, LARGEST_UINT16)
        else:
            properties.append(property_of(child))
    return ObservedEvent(name, tuple(properties), time.upper(), stream)


def _observed_events(node: Node) -> ObservedEvents:
    """Read ``ObservedEvents=1{...}``, or the bare token of an audit."""
    if not node.children:
        return ObservedEvents()
    return ObservedEvents(_request_id(node), tuple([_observed_event(child) for child in node.children]))


def _event_buffer(node: Node) -> EventBuffer:
    """Read ``EventBuffer{...}``."""
    return EventBuffer(tuple([_observed_event(child) for child in node.children or ()]))


_AUDITED = keyed(
    {
        name: name
        for name in (
            "Media",
            "Modem",
            "Mux",
            "Events",
            "Signals",
            "DigitMap",
            "Statistics",
            "ObservedEvents",
            "Packages",
            "EventBuffer",
        )
    }
)


def _audit(node: Node) -> Audit:
    """Read ``Audit{...}``: bare tokens, or the individual items of later versions."""
    items: list[str | Raw] = []
    for child in node.children or ():
        name = _AUDITED.get(child.word.lower())
        if name is None:
            raise bad(child, "the descriptor is not known", UNKNOWN_DESCRIPTOR)
        items.append(name if is_bare(child) else Raw(name, source(child)))
    return Audit(tuple(items))


def _statistics(node: Node) -> Statistics:
    """Read ``Statistics{...}``; a value may be missing."""
    return Statistics(tuple([Property(each.word, ()) if is_bare(each) else property_of(each) for each in node.children or ()]))


def _packages(node: Node) -> Packages:
    """Read ``Packages{name-version, ...}``."""
    packages = []
    for child in node.children or ():
        name, dash, version = child.word.rpartition("-")
        if not dash or not name or not is_bare(child):
            raise bad(child, "a package such as al-1 is wanted")
        packages.append(Package(name, number(child, version, LARGEST_UINT16)))
    return Packages(tuple(packages))


def error_of(node: Node) -> ErrorDescriptor:
    """Read ``Error=400{"text"}``; quotes and braces may be missing."""
    children = node.children or ()
    text = children[0].word if children else ""
    if len(children) > 1 or (children and not is_bare(children[0])):
        raise bad(node, "one quoted string is wanted")
    return ErrorDescriptor(assigned(node, 9999), text[1:-1] if text[:1] == '"' else text)


_SERVICES = keyed(
    {
        "Method": "method",
        "Reason": "reason",
        "Delay": "delay",
        "ServiceChangeAddress": "address",
        "MgcIdToTry": "mgc_id",
        "Profile": "profile",
        "Version": "version",
    }
)


def services_of(node: Node) -> Services:
    """Read ``Services{...}`` of a ServiceChange or of its reply; nothing is mandatory here, since real gateways omit much."""
    known: dict[str, object] = {}
    extensions = []
    extras = []
    for child in children_of(node):
        word = child.word.lower()
        which = _SERVICES.get(word)
        if which is not None:
            if which in known:
                raise bad(child, "there twice", DESCRIPTOR_TWICE)
            known[which] = _services_value(which, child)
        elif child.relation and word[:2] in ("x-", "x+"):
            extensions.append(property_of(child))
        elif _TIMESTAMP.fullmatch(word) and is_bare(child):
            known["timestamp"] = word.upper()
        else:
            extras.append(raw_of(child))
    if "address" in known and "mgc_id" in known:
        raise bad(node, "ServiceChangeAddress and MgcIdToTry exclude each other")
    return Services(extensions=tuple(extensions), extras=tuple(extras), **known)  # type: ignore[arg-type]  # by the table


def _services_value(which: str, node: Node) -> object:
    """Read the value of a service change parameter."""
    value = node.value
    if node.relation != "=" or not value or node.children is not None:
        raise bad(node, "a value is wanted")
    if which == "method":
        return _METHODS.get(value.lower()) or value
    if which == "reason":
        return value.strip('"')
    if which == "delay":
        return number(node, value, LARGEST_UINT32)
    if which == "version":
        return number(node, value, 99)
    if which == "profile":
        return value
    if which == "address" and value.isdigit():
        return number(node, value, LARGEST_PORT)
    try:
        return mid_of(value)
    except ValueError as error:
        raise bad(node, str(error)) from None


DESCRIPTORS: dict[str, Callable[[Node], Descriptor]] = keyed(
    {
        "Media": media_of,
        "Events": _events,
        "Signals": _signals,
        "DigitMap": _digit_map,
        "EventBuffer": _event_buffer,
        "Audit": _audit,
        "ObservedEvents": _observed_events,
        "Statistics": _statistics,
        "Packages": _packages,
        "Error": error_of,
        "Services": services_of,
        "Modem": raw_of,
        "Mux": raw_of,
        "Topology": raw_of,
    }
)


def descriptor_of(node: Node) -> Descriptor:
    """Read any descriptor."""
    read = DESCRIPTORS.get(node.word.lower())
    if read is None:
        raise bad(node, "the descriptor is not known", UNKNOWN_DESCRIPTOR)
    return read(node)
