"""The phone carries out a controller's commands (RFC 3525 sections 7.2 and 8.2.1)."""

from collections.abc import Callable, Iterable

from voxpath.core.effects import Effect
from voxpath.core.errors import RemoteError
from voxpath.megaco.code import (
    ALREADY_IN_CONTEXT,
    ILLEGAL_ACTION,
    INTERNAL_FAILURE,
    NO_CONTEXT_LEFT,
    NO_DIGIT_MAP_SPACE,
    NO_MATCH,
    NO_RESOURCES,
    NOT_IN_CONTEXT,
    TOO_MANY_IN_CONTEXT,
    UNKNOWN_COMMAND,
    UNKNOWN_CONTEXT,
    UNKNOWN_TERMINATION,
)
from voxpath.megaco.digitmap import DigitMap
from voxpath.megaco.message import (
    ALL,
    ALL_CONTEXTS,
    CHOOSE,
    CHOOSE_CONTEXT,
    NULL_CONTEXT,
    ROOT,
    Action,
    ActionReply,
    Audit,
    Command,
    CommandKind,
    CommandReply,
    Descriptor,
    DigitMapDescriptor,
    Events,
    LocalControl,
    Media,
    Package,
    Packages,
    Signals,
    Stream,
    StreamMode,
    refusal,
)
from voxpath.megaco.package import ANALOGUE_LINE, EPHEMERAL
from voxpath.model.address import Endpoint
from voxpath.model.ports import PortBlock
from voxpath.phone.line import PhoneLine, sound_of, wanted_of
from voxpath.phone.media import Media as PhoneMedia
from voxpath.phone.stream import EphemeralStream, Wish

MOST_CONTEXTS = 256
MOST_IN_CONTEXT = 8
MOST_DIGIT_MAPS = 8


Termination = PhoneLine | EphemeralStream


class Terminations:
    """The lines, streams and contexts of a phone.

    :param private: the phone's own address, at which it receives.
    :param block: its ports: streams take the even ones (decision D15); its public address may be shown to others.
    :param signalling: the port that MEGACO uses.
    """

    def __init__(self, private: str, block: PortBlock, signalling: int, lines: int, make_media: Callable[[], PhoneMedia]) -> None:
        self.lines = {f"line/{number}": PhoneLine(number) for number in range(1, lines + 1)}
        self.streams: dict[str, EphemeralStream] = {}
        self.orphans: set[int] = set()
        """Contexts of a controller that is gone: they end when their line hangs up."""
        self.touched: list[PhoneLine] = []
        """Lines that were asked for events; the owner looks at those after the reply has left."""
        self.signalling = signalling
        self._own = (private, str(block.public))
        self._block = block
        self._make_media = make_media
        self._spare: list[PhoneMedia] = []
        self._bad_ports: set[int] = set()
        self._contexts: dict[int, dict[str, Termination]] = {}
        self._last_context = 0
        self._last_stream = 0
        self._digit_maps: dict[str, DigitMap] = {}

    # What the phone does of itself.

    def stream_of(self, line: PhoneLine) -> EphemeralStream | None:
        """The stream that a line talks by."""
        members = self._contexts.get(line.context, {}) if line.context is not None else {}
        return next((each for each in members.values() if isinstance(each, EphemeralStream)), None)

    def orphan_all(self) -> None:
        """The controller is gone: calls go on until their lines hang up, and nobody is told of events."""
        self.orphans = set(self._contexts)
        for line in self.lines.values():
            line.reset()

    def drop_context(self, number: int) -> list[Effect]:
        """End a context without being told to."""
        effects: list[Effect] = []
        for termination in list(self._contexts.get(number, {}).values()):
            effects += self._take_out(number, termination)
        return effects

    def port_failed(self, name: str) -> None:
        """A stream's port cannot be opened: it is not tried again."""
        stream = self.streams.get(name)
        if stream is not None:
            self._bad_ports.add(stream.local.port)

    # What the controller orders.

    def execute(self, actions: Iterable[Action], now: float) -> tuple[tuple[ActionReply, ...], list[Effect]]:
        """Carry out the actions, up to the first command that fails."""
        replies: list[ActionReply] = []
        effects: list[Effect] = []
        for action in actions:
            reply, failed = self._action(action, now, effects)
            replies.append(reply)
            if failed:
                break
        return tuple(replies), effects

    def _action(self, action: Action, now: float, effects: list[Effect]) -> tuple[ActionReply, bool]:
        done: list[CommandReply] = []
        context = action.context
        try:
            context = self._context(action)
        except RemoteError as error:
            return ActionReply(context, (), refusal(error, INTERNAL_FAILURE)), True
        failed = False
        for command in action.commands:
            try:
                done += self._command(context, command, now, effects)
            except RemoteError as error:
                done.append(CommandReply(command.kind, command.termination, (refusal(error, INTERNAL_FAILURE),)))
                failed = not command.optional
            if failed:
                break
        if not self._contexts.get(context, True):
            del self._contexts[context]
            self.orphans.discard(context)
        return ActionReply(context, tuple(done)), failed

    def _context(self, action: Action) -> int:
        context = action.context
        if context in {NULL_CONTEXT, ALL_CONTEXTS} or context in self._contexts:
            return context
        if context != CHOOSE_CONTEXT:
            raise RemoteError("there is no such context", code=UNKNOWN_CONTEXT)
        if not action.commands or action.commands[0].kind not in {CommandKind.ADD, CommandKind.MOVE}:
            raise RemoteError("a new context begins with Add", code=ILLEGAL_ACTION)
        if len(self._contexts) >= MOST_CONTEXTS:
            raise RemoteError("no context is left", code=NO_CONTEXT_LEFT)
        self._last_context += 1
        self._contexts[self._last_context] = {}
        return self._last_context

    def _command(self, context: int, command: Command, now: float, effects: list[Effect]) -> list[CommandReply]:
        match command.kind:
            case CommandKind.ADD if command.termination == CHOOSE or command.termination.lower() == "rtp/$":
                return [self._add_stream(context, command, now, effects)]
            case CommandKind.ADD:
                return [self._add_line(context, command)]
            case CommandKind.MODIFY:
                return [self._modify(each, command) for each in self._named(context, command)]
            case CommandKind.MOVE:
                return [self._move(context, command)]
            case CommandKind.SUBTRACT:
                return [self._subtract(each, command, now, effects) for each in self._named(context, command)]
            case CommandKind.AUDIT_VALUE | CommandKind.AUDIT_CAPABILITY:
                return self._audit(context, command, now)
            case _:
                raise RemoteError("a phone does not take this command", code=UNKNOWN_COMMAND)

    # Commands.

    def _add_stream(self, context: int, command: Command, now: float, effects: list[Effect]) -> CommandReply:
        members = self._members(context)
        port = self._free_port()
        wish = Wish(command.find(Media), self._own, port)
        self._last_stream += 1
        media = self._spare.pop() if self._spare else self._make_media()
        stream = EphemeralStream(self._last_stream, context, Endpoint(self._own[0], port), media, now)
        members[stream.termination] = self.streams[stream.termination] = stream
        effects += media.start(stream.termination, stream.local, now)
        wish.apply(stream)
        return CommandReply(command.kind, stream.termination, (stream.describe(),))

    def _add_line(self, context: int, command: Command) -> CommandReply:
        line = self.lines.get(command.termination.lower())
        if line is None:
            raise RemoteError("there is no such termination", code=UNKNOWN_TERMINATION)
        if line.context is not None:
            raise RemoteError("the line is in a context", code=ALREADY_IN_CONTEXT)
        members = self._members(context)
        reply = self._modify(line, command)
        members[line.termination] = line
        line.context = context
        return reply

    def _members(self, context: int) -> dict[str, Termination]:
        members = self._contexts.get(context)
        if members is None:
            raise RemoteError("nothing is added to this context", code=ILLEGAL_ACTION)
        if len(members) >= MOST_IN_CONTEXT:
            raise RemoteError("the context is full", code=TOO_MANY_IN_CONTEXT)
        return members

    def _modify(self, termination: Termination, command: Command) -> CommandReply:
        if isinstance(termination, EphemeralStream):
            Wish(command.find(Media), self._own, termination.local.port).apply(termination)
            return CommandReply(command.kind, termination.termination, (termination.describe(),))
        given = command.find(DigitMapDescriptor)
        if given is not None and given.body is not None:
            name = given.name.lower()
            if name not in self._digit_maps and len(self._digit_maps) >= MOST_DIGIT_MAPS:
                raise RemoteError("no room for another digit map", code=NO_DIGIT_MAP_SPACE)
            self._digit_maps[name] = DigitMap.parse(given.body)
        events, signals = command.find(Events), command.find(Signals)
        wanted = wanted_of(events, self._digit_maps) if events is not None else None
        sound = sound_of(signals) if signals is not None else termination.sound
        termination.sound = sound
        if events is not None:
            termination.want(wanted)
            self.touched.append(termination)
        return CommandReply(command.kind, termination.termination)

    def _move(self, context: int, command: Command) -> CommandReply:
        name = command.termination.lower()
        termination = self.lines.get(name) or self.streams.get(name)
        if termination is None:
            raise RemoteError("there is no such termination", code=UNKNOWN_TERMINATION)
        former = termination.context
        if former is None or former == context:
            raise RemoteError("it is not in another context", code=NOT_IN_CONTEXT)
        members = self._members(context)
        reply = self._modify(termination, command)
        members[name] = self._contexts[former].pop(name)
        termination.context = context
        if not self._contexts[former]:
            del self._contexts[former]
        return reply

    def _subtract(self, termination: Termination, command: Command, now: float, effects: list[Effect]) -> CommandReply:
        audit = command.find(Audit)
        wanted = audit is None or "Statistics" in audit.items
        statistics: tuple[Descriptor, ...] = ()
        if isinstance(termination, EphemeralStream) and wanted:
            statistics = (termination.statistics(now),)
        if termination.context is None:
            raise RemoteError("it is in no context", code=NOT_IN_CONTEXT)
        effects += self._take_out(termination.context, termination)
        return CommandReply(command.kind, termination.termination, statistics)

    def _take_out(self, context: int, termination: Termination) -> list[Effect]:
        members = self._contexts.get(context, {})
        members.pop(termination.termination, None)
        if not members:
            self._contexts.pop(context, None)
            self.orphans.discard(context)
        if isinstance(termination, PhoneLine):
            termination.context = None
            termination.reset()
            return []
        del self.streams[termination.termination]
        self._spare.append(termination.media)
        return list(termination.media.stop())

    def _audit(self, context: int, command: Command, now: float) -> list[CommandReply]:
        audit = command.find(Audit)
        items = audit.items if audit is not None else ()
        if command.termination.upper() == ROOT:
            packages = (Packages(tuple(Package(*each) for each in ANALOGUE_LINE + EPHEMERAL)),)
            return [CommandReply(command.kind, ROOT, packages if "Packages" in items else ())]
        return [CommandReply(command.kind, each.termination, _audited(each, items, now)) for each in self._named(context, command)]

    # Names.

    def _named(self, context: int, command: Command) -> list[Termination]:
        """The terminations that a command means, in its context; a name may end in ``*``."""
        name = command.termination.lower()
        known: dict[str, Termination] = {**self.lines, **self.streams}
        if name.endswith(ALL):
            found = [each for key, each in known.items() if key.startswith(name[:-1]) and _within(each, context)]
            if not found:
                raise RemoteError("no termination matches", code=NO_MATCH)
            return found
        termination = known.get(name)
        if termination is None:
            raise RemoteError("there is no such termination", code=UNKNOWN_TERMINATION)
        if not _within(termination, context):
            raise RemoteError("the termination is not in this context", code=NOT_IN_CONTEXT)
        return [termination]

    def _free_port(self) -> int:
        """An even port of the block whose pair is not in use (decision D15)."""
        used = {stream.local.port for stream in self.streams.values()} | self._bad_ports
        for port in range(self._block.first + self._block.first % 2, self._block.last + 1, 2):
            if port not in used and self.signalling not in {port, port + 1}:
                return port
        raise RemoteError("no port is free", code=NO_RESOURCES)


def _within(termination: Termination, context: int) -> bool:
    if context == ALL_CONTEXTS:
        return termination.context is not None
    return termination.context == (None if context == NULL_CONTEXT else context)


def _audited(termination: Termination, items: tuple[object, ...], now: float) -> tuple[Descriptor, ...]:
    found: list[Descriptor] = []
    is_line = isinstance(termination, PhoneLine)
    if "Packages" in items:
        found.append(Packages(tuple(Package(*each) for each in (ANALOGUE_LINE if is_line else EPHEMERAL))))
    if isinstance(termination, EphemeralStream):
        if "Media" in items:
            found.append(termination.describe())
        if "Statistics" in items:
            found.append(termination.statistics(now))
    elif "Media" in items:
        found.append(Media((Stream(1, LocalControl(StreamMode.SEND_RECEIVE)),)))
    return tuple(found)
