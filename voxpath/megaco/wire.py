"""MEGACO messages to and from octets, text encoding (RFC 3525 Annex B), pretty or compact.

Lenient in, strict out: what is accepted beyond the grammar is told by :mod:`voxpath.megaco.lexis` and in the tests.
Text is UTF-8; octets that are not survive as surrogates, so what came can be sent on unchanged.
"""

from typing import Final

from voxpath.core.errors import LocalError, RemoteError
from voxpath.megaco.code import SYNTAX_IN_MESSAGE, VERSION_NOT_SUPPORTED
from voxpath.megaco.lexis import HEAD, LARGEST_MESSAGE, Fault, Node, offset_of, tree
from voxpath.megaco.message import NULL_TRANSACTION, Message, MId, Transaction
from voxpath.megaco.parse import is_request, request_id, transaction_of
from voxpath.megaco.parse_descriptor import error_of
from voxpath.megaco.parse_value import mid_of
from voxpath.megaco.render import render

__all__ = ["LARGEST_MESSAGE", "NEWEST_VERSION", "DecodeError", "decode", "encode"]

NEWEST_VERSION: Final = 3
"""The newest version whose text is accepted; what is beyond version 1 in it is kept uninterpreted."""
_SECTION = "RFC 3525 Annex B"


class DecodeError(RemoteError):
    """A message, or one of its transactions, is malformed; all that a reply needs is here.

    :ivar mid: who sent it; ``None``: the head itself is malformed.
    :ivar version: the version that its head names; 0 when the head is malformed.
    :ivar transaction: the id to answer with: of the malformed request; ``NULL_TRANSACTION`` when its id is malformed, too;
        ``None``: no request is at fault, so that at the most an error descriptor for the whole message is due.
    :ivar rest: the transactions of the same message that are well-formed and stand outside the malformed one.
    """

    def __init__(
        self,
        reason: str,
        *,
        offset: int = -1,
        code: int = SYNTAX_IN_MESSAGE,
        mid: MId | None = None,
        version: int = 0,
        transaction: int | None = None,
        rest: tuple[Transaction, ...] = (),
    ) -> None:
        super().__init__(reason, offset=offset, code=code, section=_SECTION)
        self.mid = mid
        self.version = version
        self.transaction = transaction
        self.rest = rest


def decode(octets: bytes) -> Message:
    """Read a message.

    :raises DecodeError: it is malformed; ``code`` is the error code of H.248.8 and ``offset`` is in characters.
    """
    if len(octets) > LARGEST_MESSAGE:
        raise DecodeError(f"a message of more than {LARGEST_MESSAGE} octets")
    text = octets.decode("utf-8", "surrogateescape")
    head = HEAD.match(text)
    if head is None:
        raise DecodeError("no MEGACO message head", offset=0)
    authentication, digits, name = head.groups("")
    version = int(digits)
    try:
        mid = mid_of(name)
    except ValueError as error:
        raise DecodeError(f"the mId is malformed: {error}", offset=head.start(3), version=version) from None
    if not 1 <= version <= NEWEST_VERSION:
        raise DecodeError(
            "the version is not supported", offset=head.start(2), code=VERSION_NOT_SUPPORTED, mid=mid, version=version
        )
    roots: list[Node] = []
    start = head.end()
    try:
        tree(text, start, roots)
        if not roots:
            raise Fault(SYNTAX_IN_MESSAGE, "a message without transactions", 0)
        if len(roots) == 1 and roots[0].word.lower() in ("error", "er"):
            return Message(mid, (), error_of(roots[0]), version, authentication)
        return Message(mid, tuple([transaction_of(root) for root in roots]), None, version, authentication)
    except Fault as fault:
        raise _refusal(fault, text, start, mid, version, roots) from None


def _refusal(fault: Fault, text: str, start: int, mid: MId, version: int, roots: list[Node]) -> DecodeError:
    """Turn a fault into the error for the caller: find the request that it is in, and read the others."""
    at_fault: Node | None = None
    for root in roots:
        if root.index <= fault.index:
            at_fault = root
    rest: list[Transaction] = []
    for root in roots:
        try:
            if root is not at_fault:
                rest.append(transaction_of(root))
        except Fault:
            # One refusal is enough: the sender repeats the others, and each is answered in its turn.
            continue
    transaction = None
    if at_fault is not None and is_request(at_fault):
        identifier = request_id(at_fault)
        transaction = NULL_TRANSACTION if identifier is None else identifier
    return DecodeError(
        fault.reason,
        offset=offset_of(text, start, fault.index),
        code=fault.code,
        mid=mid,
        version=version,
        transaction=transaction,
        rest=tuple(rest),
    )


def encode(message: Message, compact: bool = False) -> bytes:
    """Write a message, with long tokens and indentation or with short tokens and no white space that is not needed.

    :raises LocalError: a value cannot be written, or the message is too large.
    """
    try:
        octets = render(message, compact).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise LocalError(f"a message has text that is no UTF-8: {error.reason}") from None
    if len(octets) > LARGEST_MESSAGE:
        raise LocalError(f"a message of more than {LARGEST_MESSAGE} octets")
    return octets
