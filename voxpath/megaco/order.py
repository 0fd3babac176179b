"""What the controller orders its gateways to do: the actions of the analogue-line call flow (RFC 3525 Appendix I)."""

from ipaddress import IPv4Address

from voxpath.megaco.message import (
    ALL,
    CHOOSE,
    CHOOSE_CONTEXT,
    NULL_CONTEXT,
    ROOT,
    Action,
    Audit,
    Command,
    CommandKind,
    DigitMapDescriptor,
    Events,
    LocalControl,
    Media,
    RequestedEvent,
    Signal,
    Signals,
    Stream,
    StreamMode,
    parameter,
)
from voxpath.megaco.package import AL_OFF_HOOK, AL_ON_HOOK, AL_RING, AL_STATE, AL_STRICT, CG_DIAL, CG_RINGING, DD_COMPLETION
from voxpath.megaco.session import describe

DIGIT_MAP = "dialplan"
"""The name under which a gateway keeps the digit map."""

STATE = (parameter(AL_STRICT, AL_STATE),)
"""A hook event is also recognised when the line is in that state already (RFC 3525 E.9.2): a late order loses nothing."""

OFF_HOOK = RequestedEvent(AL_OFF_HOOK, STATE)
ON_HOOK = RequestedEvent(AL_ON_HOOK, STATE)
SILENCE = Signals()


def _modify(context: int, *commands: Command) -> tuple[Action, ...]:
    return (Action(context, commands),)


def audit() -> tuple[Action, ...]:
    """Ask for all terminations and for what the gateway can do (REG-20); one may fail without the other."""
    return (
        Action(
            NULL_CONTEXT,
            (
                Command(CommandKind.AUDIT_VALUE, ALL, (Audit(),), optional=True),
                Command(CommandKind.AUDIT_CAPABILITY, ROOT, (Audit(("Packages",)),), optional=True),
            ),
        ),
    )


def arm(line: str, request_id: int) -> tuple[Action, ...]:
    """Silence, and tell when the line goes off-hook."""
    return _modify(NULL_CONTEXT, Command(CommandKind.MODIFY, line, (Events(request_id, (OFF_HOOK,)), SILENCE)))


def dial(line: str, request_id: int, digit_map: str) -> tuple[Action, ...]:
    """Dial tone, and collect a number."""
    complete = RequestedEvent(DD_COMPLETION, digit_map=DigitMapDescriptor(DIGIT_MAP))
    descriptors = (
        DigitMapDescriptor(DIGIT_MAP, digit_map),
        Events(request_id, (ON_HOOK, complete)),
        Signals((Signal(CG_DIAL),)),
    )
    return _modify(NULL_CONTEXT, Command(CommandKind.MODIFY, line, descriptors))


def tone(line: str, request_id: int, name: str) -> tuple[Action, ...]:
    """A tone, until the line goes on-hook."""
    descriptors = (Events(request_id, (ON_HOOK,)), Signals((Signal(name),)))
    return _modify(NULL_CONTEXT, Command(CommandKind.MODIFY, line, descriptors))


def add_caller(line: str, request_id: int, address: IPv4Address) -> tuple[Action, ...]:
    """A context with the line and a stream that listens at the selected address (TRI-4)."""
    descriptors = (_line_media(), Events(request_id, (ON_HOOK,)), SILENCE)
    return _add(line, descriptors, Stream(1, LocalControl(StreamMode.RECEIVE_ONLY), describe(address, None)))


def add_callee(line: str, request_id: int, address: IPv4Address, remote: IPv4Address, remote_port: int) -> tuple[Action, ...]:
    """A context with the ringing line and a stream from the caller's address."""
    descriptors = (_line_media(), Events(request_id, (OFF_HOOK,)), Signals((Signal(AL_RING),)))
    control = LocalControl(StreamMode.RECEIVE_ONLY)
    return _add(line, descriptors, Stream(1, control, describe(address, None), describe(remote, remote_port)))


def ringback(context: int, line: str, stream: str, remote: IPv4Address, remote_port: int) -> tuple[Action, ...]:
    """The caller hears that the callee rings, and learns where it is."""
    return _modify(
        context,
        Command(CommandKind.MODIFY, line, (Signals((Signal(CG_RINGING),)),)),
        Command(CommandKind.MODIFY, stream, (Media((Stream(1, remote=describe(remote, remote_port)),)),)),
    )


def connect(context: int, line: str, request_id: int, stream: str) -> tuple[Action, ...]:
    """Both directions are open, signals end."""
    both = Media((Stream(1, LocalControl(StreamMode.SEND_RECEIVE)),))
    return _modify(
        context,
        Command(CommandKind.MODIFY, line, (Events(request_id, (ON_HOOK,)), SILENCE)),
        Command(CommandKind.MODIFY, stream, (both,)),
    )


def release(context: int, line: str, stream: str) -> tuple[Action, ...]:
    """Take line and stream out of the context, which ends it; tell statistics.

    :param stream: empty: only part of the context came to be, so everything in it is taken out.
    """
    audit_statistics = (Audit(("Statistics",)),)
    if not stream:
        return _modify(context, Command(CommandKind.SUBTRACT, ALL, audit_statistics))
    return _modify(
        context,
        Command(CommandKind.SUBTRACT, line, audit_statistics),
        Command(CommandKind.SUBTRACT, stream, audit_statistics),
    )


def _add(line: str, descriptors: tuple[Media | Events | Signals, ...], stream: Stream) -> tuple[Action, ...]:
    return _modify(
        CHOOSE_CONTEXT,
        Command(CommandKind.ADD, line, descriptors),
        Command(CommandKind.ADD, CHOOSE, (Media((stream,)),)),
    )


def _line_media() -> Media:
    return Media((Stream(1, LocalControl(StreamMode.SEND_RECEIVE)),))
