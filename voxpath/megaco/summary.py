"""Messages in a few words, for ladders."""

from voxpath.megaco.message import (
    Action,
    ActionReply,
    Command,
    CommandReply,
    ErrorDescriptor,
    Events,
    Media,
    Message,
    ObservedEvents,
    Services,
    Signal,
    Signals,
    Transaction,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
    TransactionResponseAck,
)
from voxpath.megaco.package import DD_DIGITS
from voxpath.model.event import printable

MOST_WORDS = 160
"""Characters of a summary."""


def of_message(message: Message) -> str:
    """Summarise a message."""
    if message.error is not None:
        return printable(f"Error {_error(message.error)}", MOST_WORDS)
    return printable(" ".join(of_transaction(each) for each in message.transactions), MOST_WORDS)


def of_transaction(transaction: Transaction) -> str:
    """Summarise one transaction, such as ``Modify line/1 cg/dt (T 12)``."""
    match transaction:
        case TransactionRequest(id=number, actions=actions):
            return f"{'; '.join(_action(each) for each in actions)} (T {number})"
        case TransactionReply(id=number, error=ErrorDescriptor() as error):
            return f"Reply error {_error(error)} (T {number})"
        case TransactionReply(id=number, actions=replies):
            return f"Reply {'; '.join(_action_reply(each) for each in replies)} (T {number})"
        case TransactionPending(id=number):
            return f"Pending (T {number})"
        case TransactionResponseAck(ranges=ranges):
            return "Ack " + ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges[:4])


def _action(action: Action) -> str:
    return ", ".join(_command(each) for each in action.commands)


def _action_reply(action: ActionReply) -> str:
    words = [f"{each.kind.value} {each.termination}{_failure(each)}" for each in action.replies]
    if action.error is not None:
        words.append(f"error {_error(action.error)}")
    return ", ".join(words)


def _failure(reply: CommandReply) -> str:
    return f" error {_error(reply.error)}" if reply.error is not None else ""


def _command(command: Command) -> str:
    words = [command.kind.value, command.termination]
    for descriptor in command.descriptors:
        match descriptor:
            case ObservedEvents(events=observed):
                words += [f"{each.name}{_digits(each.parameter(DD_DIGITS))}" for each in observed]
            case Signals(signals=signals):
                words += [each.name for each in signals if isinstance(each, Signal)] or ["silence"]
            case Events(events=events):
                words += [f"?{each.name}" for each in events]
            case Media():
                stream = descriptor.stream()
                if stream is not None and stream.control is not None and stream.control.mode is not None:
                    words.append(stream.control.mode.value)
            case Services(method=method, reason=reason):
                words.append(f"{method} {reason}")
    return " ".join(words)


def _digits(text: str) -> str:
    return f" {text}" if text else ""


def _error(error: ErrorDescriptor) -> str:
    return f"{error.code} {error.text}".strip()
