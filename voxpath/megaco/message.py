"""MEGACO messages, transactions, actions and commands as values (RFC 3525 sections 6 to 8).

All of :mod:`voxpath.megaco.descriptor` and :mod:`voxpath.megaco.mid` can be had from here.
The constructor functions at the end make what the call agent and the gateway send most often.
"""

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias, TypeVar

from msgspec import Struct

from voxpath.core.errors import RemoteError
from voxpath.megaco.descriptor import (
    Audit,
    CompletionReason,
    Descriptor,
    DigitMapDescriptor,
    ErrorDescriptor,
    EventBuffer,
    EventBufferControl,
    Events,
    LocalControl,
    Media,
    ObservedEvent,
    ObservedEvents,
    Package,
    Packages,
    Property,
    Quoted,
    Raw,
    Relation,
    RequestedEvent,
    ServiceChangeMethod,
    Services,
    ServiceState,
    Signal,
    SignalList,
    Signals,
    SignalType,
    Statistics,
    Stream,
    StreamMode,
    TerminationState,
    parameter,
)
from voxpath.megaco.mid import MId, MIdForm

__all__ = [
    "ALL",
    "ALL_CONTEXTS",
    "CHOOSE",
    "CHOOSE_CONTEXT",
    "NULL_CONTEXT",
    "NULL_TRANSACTION",
    "ROOT",
    "Action",
    "ActionReply",
    "Audit",
    "Command",
    "CommandKind",
    "CommandReply",
    "CompletionReason",
    "Descriptor",
    "DigitMapDescriptor",
    "ErrorDescriptor",
    "EventBuffer",
    "EventBufferControl",
    "Events",
    "LocalControl",
    "MId",
    "MIdForm",
    "Media",
    "Message",
    "ObservedEvent",
    "ObservedEvents",
    "Package",
    "Packages",
    "Property",
    "Quoted",
    "Raw",
    "Relation",
    "RequestedEvent",
    "ServiceChangeMethod",
    "ServiceState",
    "Services",
    "Signal",
    "SignalList",
    "SignalType",
    "Signals",
    "Statistics",
    "Stream",
    "StreamMode",
    "TerminationState",
    "Transaction",
    "TransactionPending",
    "TransactionReply",
    "TransactionRequest",
    "TransactionResponseAck",
    "error_reply",
    "find",
    "message",
    "parameter",
    "refusal",
    "reply",
    "request",
]

VERSION = 1

ROOT = "ROOT"
CHOOSE = "$"
ALL = "*"

NULL_CONTEXT = 0
CHOOSE_CONTEXT = 0xFFFFFFFE
ALL_CONTEXTS = 0xFFFFFFFF
"""The numbers of the binary encoding; in text they are ``-``, ``$`` and ``*`` (RFC 3525 section 8.1.2)."""

LONGEST_ERROR_TEXT = 80
"""Characters of an error descriptor's text."""

NULL_TRANSACTION = 0
"""The transaction id of a reply to a request whose own id could not be read (RFC 3525 section 8.1.1)."""

T = TypeVar("T")


def find(items: Iterable[object], kind: type[T]) -> T | None:
    """The first item of a type; ``None`` when there is none."""
    for item in items:
        if isinstance(item, kind):
            return item
    return None


class CommandKind(Enum):
    """The eight commands (RFC 3525 section 7.2), by the long form of their tokens."""

    ADD = "Add"
    MOVE = "Move"
    MODIFY = "Modify"
    SUBTRACT = "Subtract"
    AUDIT_VALUE = "AuditValue"
    AUDIT_CAPABILITY = "AuditCapability"
    NOTIFY = "Notify"
    SERVICE_CHANGE = "ServiceChange"


class Command(Struct, frozen=True):
    """One command of a request.

    :ivar termination: ``ROOT``, ``$``, ``*``, or a name with wildcards, in the letter case of the wire.
    :ivar optional: ``O-``: if it fails, the transaction goes on (RFC 3525 section 8).
    :ivar wildcard: ``W-``: one reply for all matches is wanted (RFC 3525 section 6.2.2).
    """

    kind: CommandKind
    termination: str
    descriptors: tuple[Descriptor, ...] = ()
    optional: bool = False
    wildcard: bool = False

    def find(self, kind: type[T]) -> T | None:
        """The first descriptor of a type; ``None`` when there is none."""
        return find(self.descriptors, kind)


class CommandReply(Struct, frozen=True):
    """The reply to one command; an error is an :class:`ErrorDescriptor` among the descriptors."""

    kind: CommandKind
    termination: str
    descriptors: tuple[Descriptor, ...] = ()

    def find(self, kind: type[T]) -> T | None:
        """The first descriptor of a type; ``None`` when there is none."""
        return find(self.descriptors, kind)

    @property
    def error(self) -> ErrorDescriptor | None:
        """Why the command failed; ``None``: it did not."""
        return find(self.descriptors, ErrorDescriptor)


class Action(Struct, frozen=True):
    """Commands on one context (RFC 3525 section 8.1.1).

    :ivar context: a number, or one of ``NULL_CONTEXT``, ``CHOOSE_CONTEXT``, ``ALL_CONTEXTS``.
    :ivar extras: Topology, ContextAudit and what later versions add.
    """

    context: int
    commands: tuple[Command, ...] = ()
    priority: int | None = None
    emergency: bool = False
    extras: tuple[Raw, ...] = ()


class ActionReply(Struct, frozen=True):
    """The replies to the commands of one action; an error of the whole action, or of what followed the last reply."""

    context: int
    replies: tuple[CommandReply, ...] = ()
    error: ErrorDescriptor | None = None
    priority: int | None = None
    emergency: bool = False
    extras: tuple[Raw, ...] = ()


class TransactionRequest(Struct, frozen=True):
    """A request; its actions are executed in their order (RFC 3525 section 8.2.1)."""

    id: int
    actions: tuple[Action, ...] = ()


class TransactionReply(Struct, frozen=True):
    """The reply to a request (RFC 3525 section 8.2.2).

    :ivar error: of the transaction as a whole; then there are no actions.
    :ivar immediate_ack: the receiver has to acknowledge at once, since a Pending was sent before (section 8.2.3).
    """

    id: int
    actions: tuple[ActionReply, ...] = ()
    error: ErrorDescriptor | None = None
    immediate_ack: bool = False


class TransactionPending(Struct, frozen=True):
    """The request is still being executed (RFC 3525 section 8.2.3)."""

    id: int


class TransactionResponseAck(Struct, frozen=True):
    """The replies that arrived, as ranges from the first to the last transaction id (RFC 3525 Annex D.1.2.2)."""

    ranges: tuple[tuple[int, int], ...]


Transaction: TypeAlias = TransactionRequest | TransactionReply | TransactionPending | TransactionResponseAck


class Message(Struct, frozen=True):
    """A MEGACO message (RFC 3525 section 8.3): transactions, or an error of the message as a whole.

    :ivar authentication: the interim authentication header's value, uninterpreted; empty: absent (RFC 3525 section 10.2).
    """

    mid: MId
    transactions: tuple[Transaction, ...] = ()
    error: ErrorDescriptor | None = None
    version: int = VERSION
    authentication: str = ""


def message(mid: MId, *transactions: Transaction) -> Message:
    """Make a message of version 1."""
    return Message(mid, transactions)


def request(number: int, context: int, *commands: Command) -> TransactionRequest:
    """Make a request with one action."""
    return TransactionRequest(number, (Action(context, commands),))


def reply(number: int, context: int, *replies: CommandReply, immediate_ack: bool = False) -> TransactionReply:
    """Make a reply with one action."""
    return TransactionReply(number, (ActionReply(context, replies),), immediate_ack=immediate_ack)


def error_reply(number: int, code: int, text: str = "") -> TransactionReply:
    """Make a reply that refuses a transaction as a whole."""
    return TransactionReply(number, error=ErrorDescriptor(code, text))


def refusal(error: RemoteError, otherwise: int) -> ErrorDescriptor:
    """Tell a peer what was wrong; ``otherwise`` is the code where the error has none."""
    return ErrorDescriptor(error.code or otherwise, error.reason.replace('"', "'")[:LONGEST_ERROR_TEXT])
