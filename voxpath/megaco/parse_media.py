"""From items to the Media descriptor (RFC 3525 Annex B.2 ``mediaDescriptor`` and section 7.1.4)."""

from voxpath.megaco.code import DESCRIPTOR_TWICE, UNKNOWN_DESCRIPTOR
from voxpath.megaco.descriptor import (
    EventBufferControl,
    LocalControl,
    Media,
    ServiceState,
    Stream,
    StreamMode,
    TerminationState,
)
from voxpath.megaco.lexis import Node
from voxpath.megaco.parse_value import LARGEST_UINT16, assigned, bad, boolean, children_of, keyword, property_of, raw_of, values_of
from voxpath.megaco.tokens import keyed

_MODES = values_of(StreamMode)
_STATES = values_of(ServiceState)
_BUFFERS = values_of(EventBufferControl)

_LOCAL_CONTROL = keyed({"Mode": "mode", "ReservedValue": "value", "ReservedGroup": "group"})


def _local_control(node: Node) -> LocalControl:
    """Read ``LocalControl{...}``."""
    mode = value = group = None
    properties = []
    for child in children_of(node):
        which = _LOCAL_CONTROL.get(child.word.lower())
        if which is None:
            properties.append(property_of(child))
        elif which == "mode":
            mode = keyword(child, _MODES)
        elif which == "value":
            value = boolean(child)
        else:
            group = boolean(child)
    return LocalControl(mode, value, group, tuple(properties))


_STREAM = keyed({"Local": "local", "Remote": "remote", "LocalControl": "control", "Statistics": "extra"})


def _stream(number_: int | None, parts: list[Node]) -> Stream:
    """Read the parameters of a stream, each of which stands once at the most."""
    control = local = remote = None
    extras = []
    for part in parts:
        which = _STREAM.get(part.word.lower())
        if which == "control" and control is None:
            control = _local_control(part)
        elif which == "local" and local is None:
            local = _sdp(part)
        elif which == "remote" and remote is None:
            remote = _sdp(part)
        elif which == "extra":
            extras.append(raw_of(part))
        else:
            raise bad(part, "not a stream parameter, or there twice", DESCRIPTOR_TWICE if which else UNKNOWN_DESCRIPTOR)
    return Stream(number_, control, local, remote, tuple(extras))


def _sdp(node: Node) -> str:
    """Read the octet string of a Local or Remote descriptor."""
    if node.octets is None:
        raise bad(node, "an octet string in braces is wanted")
    return node.octets.strip(" \t\r\n").replace("\\}", "}")


_TERMINATION_STATE = keyed({"ServiceStates": "service", "Buffer": "buffer"})


def _termination_state(node: Node) -> TerminationState:
    """Read ``TerminationState{...}``."""
    service = buffer = None
    properties = []
    for child in children_of(node):
        which = _TERMINATION_STATE.get(child.word.lower())
        if which is None:
            properties.append(property_of(child))
        elif which == "service":
            service = keyword(child, _STATES)
        else:
            buffer = keyword(child, _BUFFERS)
    return TerminationState(service, buffer, tuple(properties))


_MEDIA = keyed({"Stream": "stream", "TerminationState": "state"})


def media_of(node: Node) -> Media:
    """Read ``Media{...}``: streams, or the parameters of stream 1 alone."""
    streams = []
    state = None
    implied = []
    for child in node.children or ():
        which = _MEDIA.get(child.word.lower())
        if which == "stream":
            streams.append(_stream(assigned(child, LARGEST_UINT16), children_of(child)))
        elif which == "state":
            if state is not None:
                raise bad(child, "there twice", DESCRIPTOR_TWICE)
            state = _termination_state(child)
        else:
            implied.append(child)
    if implied:
        if streams:
            raise bad(implied[0], "stream parameters stand beside Stream descriptors")
        streams.append(_stream(None, implied))
    return Media(tuple(streams), state)
