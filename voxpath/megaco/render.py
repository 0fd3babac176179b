"""From messages to text (RFC 3525 Annex B.2), pretty or compact."""

from voxpath.core.errors import LocalError
from voxpath.megaco.message import (
    ALL_CONTEXTS,
    CHOOSE_CONTEXT,
    NULL_CONTEXT,
    Action,
    ActionReply,
    Command,
    CommandReply,
    Message,
    Transaction,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
)
from voxpath.megaco.render_descriptor import COMPACT, PRETTY, Style, descriptor, error, raw, word

_CONTEXTS = {NULL_CONTEXT: "-", CHOOSE_CONTEXT: "$", ALL_CONTEXTS: "*"}


def _command(item: Command | CommandReply, style: Style, line: str) -> str:
    """Write a command or its reply."""
    head = f"{style.token[item.kind.value]}{style.equal}{word(item.termination)}"
    if isinstance(item, Command):
        if item.wildcard:
            head = "W-" + head
        if item.optional:
            head = "O-" + head
    if not item.descriptors:
        return head
    inner = line + style.step
    return style.block(head, [descriptor(each, style, inner) for each in item.descriptors], line)


def _action(item: Action | ActionReply, style: Style, line: str) -> str:
    """Write an action or its reply."""
    inner = line + style.step
    parts: list[str] = []
    if item.priority is not None:
        parts.append(f"{style.token['Priority']}{style.equal}{item.priority}")
    if item.emergency:
        parts.append(style.token["Emergency"])
    if item.extras:
        parts += [raw(each, style, inner) for each in item.extras]
    if isinstance(item, Action):
        parts += [_command(each, style, inner) for each in item.commands]
    else:
        parts += [_command(each, style, inner) for each in item.replies]
        if item.error is not None:
            parts.append(error(item.error, style, inner))
    head = f"{style.token['Context']}{style.equal}{_CONTEXTS.get(item.context) or item.context}"
    if parts:
        return style.block(head, parts, line)
    if isinstance(item, Action):
        raise LocalError("an action needs a command")
    # H.248.1 version 3: nothing matched, and braces are left out.
    return head


def _transaction(item: Transaction, style: Style, line: str) -> str:
    """Write a transaction."""
    token, equal = style.token, style.equal
    inner = line + style.step
    if isinstance(item, TransactionRequest):
        if not item.actions:
            raise LocalError("a transaction needs an action")
        actions = [_action(each, style, inner) for each in item.actions]
        return style.block(f"{token['Transaction']}{equal}{item.id}", actions, line)
    if isinstance(item, TransactionReply):
        parts = [token["ImmAckRequired"]] if item.immediate_ack else []
        parts += [_action(each, style, inner) for each in item.actions]
        if item.error is not None:
            parts.append(error(item.error, style, inner))
        if len(parts) == item.immediate_ack or (item.actions and item.error is not None):
            raise LocalError("a reply needs either actions or an error")
        return style.block(f"{token['Reply']}{equal}{item.id}", parts, line)
    if isinstance(item, TransactionPending):
        return f"{token['Pending']}{equal}{item.id}{style.before_brace}}}"
    ranges = [str(first) if first == last else f"{first}-{last}" for first, last in item.ranges]
    if not ranges:
        raise LocalError("an acknowledgement needs a transaction id")
    return style.block(token["TransactionResponseAck"], ranges, line)


def render(message: Message, compact: bool) -> str:
    """Write a message; :func:`voxpath.megaco.wire.encode` adds the encoding and the limit of size."""
    style = COMPACT if compact else PRETTY
    line = "" if compact else "\n"
    head = f"{style.token['MEGACO']}/{message.version} {message.mid}"
    if message.authentication:
        head = f"{style.token['Authentication']}={message.authentication}\n{head}"
    if message.error is not None:
        body = [error(message.error, style, line)]
    else:
        body = [_transaction(each, style, line) for each in message.transactions]
    if not body or (message.error is not None and message.transactions):
        raise LocalError("a message needs either transactions or an error")
    return f"{head}\n{line.join(body)}{line}"
