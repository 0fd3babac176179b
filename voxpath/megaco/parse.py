"""From items to transactions, actions and commands (RFC 3525 Annex B.2 and section 8)."""

from collections.abc import Callable

from voxpath.megaco.code import BAD_IDENTIFIER, SYNTAX_IN_ACTION, SYNTAX_IN_MESSAGE, SYNTAX_IN_TRANSACTION, UNKNOWN_COMMAND
from voxpath.megaco.lexis import Fault, Node
from voxpath.megaco.message import (
    ALL_CONTEXTS,
    CHOOSE_CONTEXT,
    NULL_CONTEXT,
    ROOT,
    Action,
    ActionReply,
    Command,
    CommandKind,
    CommandReply,
    ErrorDescriptor,
    Raw,
    Transaction,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
    TransactionResponseAck,
)
from voxpath.megaco.parse_descriptor import descriptor_of, error_of
from voxpath.megaco.parse_value import LARGEST_UINT16, LARGEST_UINT32, assigned, bad, number, raw_of
from voxpath.megaco.tokens import keyed

LONGEST_TERMINATION = 64
"""In characters, without the domain part (RFC 3525 Annex B ``pathNAME``)."""

_CONTEXTS = {"-": NULL_CONTEXT, "$": CHOOSE_CONTEXT, "*": ALL_CONTEXTS}
_COMMANDS = keyed({kind.value: kind for kind in CommandKind})
_PROPERTIES = keyed({"Priority": "priority", "Emergency": "emergency"})
_KEPT = frozenset(
    (
        "topology",
        "tp",
        "contextaudit",
        "ca",
        "emergencyoff",
        "ego",
        "emergencyofftoken",
        "eot",
        "iepscall",
        "ieps",
        "contextattr",
        "ct",
    )  # H.248.1 v2 and v3
)


def _context(node: Node) -> int:
    """Read ``Context = id``."""
    if node.word.lower() not in ("context", "c"):
        raise bad(node, "Context is wanted", SYNTAX_IN_TRANSACTION)
    found = _CONTEXTS.get(node.value) if node.relation == "=" else None
    return assigned(node, LARGEST_UINT32, SYNTAX_IN_ACTION) if found is None else found


def _termination(node: Node) -> str:
    """Read the termination id after a command's token."""
    text = node.value
    if node.relation != "=" or not text or text[0] in '"[<' or len(text.partition("@")[0]) > LONGEST_TERMINATION:
        raise bad(node, "a termination id is wanted", BAD_IDENTIFIER)
    return ROOT if text.lower() == "root" else text


def _command(node: Node, kind: CommandKind, optional: bool, wildcard: bool) -> Command:
    """Read a command of a request."""
    termination = _termination(node)
    parts = node.children
    return Command(kind, termination, tuple([descriptor_of(part) for part in parts]) if parts else (), optional, wildcard)


class _ContextParts:
    """What stands in an action beside commands."""

    __slots__ = ("emergency", "extras", "priority")

    def __init__(self) -> None:
        self.priority: int | None = None
        self.emergency = False
        self.extras: list[Raw] = []

    def take(self, node: Node) -> None:
        """Take a context property; raise :class:`Fault` for anything else."""
        word = node.word.lower()
        which = _PROPERTIES.get(word)
        if which == "priority":
            self.priority = assigned(node, LARGEST_UINT16, SYNTAX_IN_ACTION)
        elif which == "emergency":
            self.emergency = True
        elif word in _KEPT:
            self.extras.append(raw_of(node))
        else:
            raise bad(node, "the command is not known", UNKNOWN_COMMAND)


def _action(node: Node) -> Action:
    """Read one action of a request."""
    context = _context(node)
    if not node.children:
        raise bad(node, "an action without commands", SYNTAX_IN_ACTION)
    commands = []
    parts = _ContextParts()
    for child in node.children:
        word = child.word.lower()
        kind = _COMMANDS.get(word)
        optional = wildcard = False
        if kind is None and word[1:2] == "-":
            if optional := word.startswith("o-"):
                word = word[2:]
            if wildcard := word.startswith("w-"):
                word = word[2:]
            kind = _COMMANDS.get(word)
        if kind is None:
            parts.take(child)
        else:
            commands.append(_command(child, kind, optional, wildcard))
    return Action(context, tuple(commands), parts.priority, parts.emergency, tuple(parts.extras))


def _action_reply(node: Node) -> ActionReply:
    """Read one action of a reply."""
    context = _context(node)
    replies = []
    error = None
    parts = _ContextParts()
    for child in node.children or ():
        kind = _COMMANDS.get(child.word.lower())
        if kind is not None:
            descriptors = child.children
            read = tuple([descriptor_of(each) for each in descriptors]) if descriptors else ()
            replies.append(CommandReply(kind, _termination(child), read))
        elif _is_error(child):
            error = error_of(child)
        else:
            parts.take(child)
    return ActionReply(context, tuple(replies), error, parts.priority, parts.emergency, tuple(parts.extras))


def _is_error(node: Node) -> bool:
    """Whether an item is an error descriptor."""
    return node.word.lower() in ("error", "er")


def _transaction_id(node: Node) -> int:
    """Read a transaction's id."""
    return assigned(node, LARGEST_UINT32, SYNTAX_IN_TRANSACTION)


def _request(node: Node) -> TransactionRequest:
    """Read ``Transaction = id {...}``."""
    identifier = _transaction_id(node)
    if not node.children:
        raise bad(node, "a transaction without actions", SYNTAX_IN_TRANSACTION)
    return TransactionRequest(identifier, tuple([_action(child) for child in node.children]))


def _reply(node: Node) -> TransactionReply:
    """Read ``Reply = id {...}``."""
    identifier = _transaction_id(node)
    actions: list[ActionReply] = []
    error: ErrorDescriptor | None = None
    acknowledge = False
    for child in node.children or ():
        if _is_error(child):
            error = error_of(child)
        elif child.word.lower() in ("immackrequired", "ia") and not actions:
            acknowledge = True
        else:
            actions.append(_action_reply(child))
    if not actions and error is None:
        raise bad(node, "a reply without actions or error", SYNTAX_IN_TRANSACTION)
    return TransactionReply(identifier, tuple(actions), error, acknowledge)


def _pending(node: Node) -> TransactionPending:
    """Read ``Pending = id {}``."""
    if node.children:
        raise bad(node, "empty braces are wanted", SYNTAX_IN_TRANSACTION)
    return TransactionPending(_transaction_id(node))


def _acknowledgement(node: Node) -> TransactionResponseAck:
    """Read ``TransactionResponseAck {1, 3-5}``."""
    ranges = []
    for child in node.children or ():
        first, dash, last = child.word.partition("-")
        low = number(child, first, LARGEST_UINT32, SYNTAX_IN_TRANSACTION)
        high = number(child, last, LARGEST_UINT32, SYNTAX_IN_TRANSACTION) if dash else low
        if high < low:
            raise bad(child, "a range that ends before it begins", SYNTAX_IN_TRANSACTION)
        ranges.append((low, high))
    if not ranges:
        raise bad(node, "transaction ids are wanted", SYNTAX_IN_TRANSACTION)
    return TransactionResponseAck(tuple(ranges))


_TRANSACTIONS: dict[str, Callable[[Node], Transaction]] = keyed(
    {"Transaction": _request, "Reply": _reply, "Pending": _pending, "TransactionResponseAck": _acknowledgement}
)


def transaction_of(node: Node) -> Transaction:
    """Read a transaction."""
    read = _TRANSACTIONS.get(node.word.lower())
    if read is None:
        raise Fault(SYNTAX_IN_MESSAGE, "a transaction is wanted", node.index)
    return read(node)


def request_id(node: Node) -> int | None:
    """Find the id of a transaction request that may be malformed, for the reply that refuses it."""
    if node.word.lower() not in ("transaction", "t"):
        return None
    try:
        return _transaction_id(node)
    except Fault:
        return None


def is_request(node: Node) -> bool:
    """Whether an item is a transaction request, which has to be answered even when it is malformed."""
    return node.word.lower() in ("transaction", "t")
