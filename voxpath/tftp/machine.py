"""One transfer over time: the side that sends a file, and the side that reads it (RFC 1350 sections 2, 4 and 6).

Both are lock step and without I/O: messages, ticks and now in, messages out.
Only a timeout repeats DATA, never a duplicate ACK: the cure of the Sorcerer's Apprentice Syndrome (RFC 1123 section 4.2.3.1).
Block numbers roll over to 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from voxpath.core.errors import RemoteError
from voxpath.core.retransmit import Backoff, Entropy
from voxpath.tftp.message import Ack, Data, Error, ErrorCode, Message, OptionAck, ReadRequest
from voxpath.tftp.options import Agreed, accept_options

BLOCK_MODULUS = 1 << 16
OWN_CHOICE = Backoff(first_s=1.0, cap_s=8.0, give_up_s=30.0)
"""Retransmission where no timeout was agreed."""
AGREED_SENDINGS = 6
"""How often a message is sent before the other side is given up, where a timeout was agreed."""
FIRST_SENDINGS = 3
"""How often the first message goes to a client that has not shown that it is there: its address may be forged."""
DALLY_S = 5.0
"""How long the reading side repeats its last ACK if the last DATA comes again (RFC 1350 section 6)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a transfer ended.

    :ivar reason: why it failed, in one line, not yet escaped; empty: it is complete.
    :ivar code: the TFTP error code that was sent or received; ``None``: there was none.
    """

    reason: str = ""
    code: int | None = None


class Transfer:
    """What both sides share: the last message, its retransmission, and the end.

    :ivar due: when :meth:`tick` has to be called; ``None``: never.
    :ivar ending: how it ended; ``None``: it goes on.
    :ivar repeated: messages that were sent again.
    """

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._backoff = OWN_CHOICE
        self._last: Message | None = None
        self._sendings = 0
        self._first_sent = 0.0
        self.due: float | None = None
        self.ending: Ending | None = None
        self.repeated = 0

    def tick(self, now: float) -> Iterable[Message]:
        """Repeat the last message if it is time to, or give up."""
        if self.due is None or now < self.due or self._last is None:
            return ()
        wait = self._backoff.wait_s(self._sendings, now - self._first_sent, self._entropy)
        if wait is None or self._exhausted():
            return self._fail(f"no answer after {self._sendings} messages")
        self._sendings += 1
        self.repeated += 1
        self.due = now + wait
        return (self._last,)

    def _exhausted(self) -> bool:
        """Whether this message was sent often enough for other reasons than time."""
        return False

    def _say(self, message: Message, now: float) -> Iterable[Message]:
        self._last = message
        self._sendings = 1
        self._first_sent = now
        self.due = now + (self._backoff.wait_s(0, 0.0, self._entropy) or 0.0)
        return (message,)

    def _keep_to(self, agreed: Agreed) -> None:
        if agreed.timeout_s is not None:
            seconds = float(agreed.timeout_s)
            self._backoff = Backoff(seconds, seconds, seconds * AGREED_SENDINGS, factor=1.0)

    def _fail(self, reason: str, code: int | None = None) -> Iterable[Message]:
        self.due = None
        self.ending = Ending(reason, code)
        return ()

    def _refuse(self, code: int, reason: str) -> Iterable[Message]:
        self._fail(reason, code)
        return (Error(code, reason),)


class Sending(Transfer):
    """The server's side of a read.

    :ivar block: number of the block that waits for its ACK, not reduced; 0: the OACK.
    """

    def __init__(self, content: bytes, agreed: Agreed, entropy: Entropy) -> None:
        super().__init__(entropy)
        self._content = memoryview(content)
        self._agreed = agreed
        self._keep_to(agreed)
        self.block = 0

    @property
    def blocks(self) -> int:
        """How many DATA blocks the file takes; the last one is short, if need be empty."""
        return len(self._content) // self._agreed.block_size + 1

    def start(self, now: float) -> Iterable[Message]:
        """Send the OACK, or DATA 1 if no option was accepted."""
        return self._say(OptionAck(self._agreed.answer), now) if self._agreed.answer else self._next(now)

    def take(self, message: Message, now: float) -> Iterable[Message]:
        """Take a message of the client; it has been checked where it came from."""
        match message:
            case Ack(block) if block == self.block % BLOCK_MODULUS:
                if self.block < self.blocks:
                    return self._next(now)
                self.due = None
                self.ending = Ending()
                return ()
            case Ack():
                return ()
            case Error(code, text):
                return self._fail(f"the client says: {text}", code)
        return self._refuse(ErrorCode.ILLEGAL_OPERATION, "only ACK and ERROR belong here")

    def _next(self, now: float) -> Iterable[Message]:
        size = self._agreed.block_size
        start = self.block * size
        self.block += 1
        return self._say(Data(self.block % BLOCK_MODULUS, bytes(self._content[start : start + size])), now)

    def _exhausted(self) -> bool:
        first = 0 if self._agreed.answer else 1
        return self.block == first and self._sendings >= FIRST_SENDINGS


class Reading(Transfer):
    """The client's side of a read.

    :param largest: octets that are taken at the most; a larger file is refused with error 3.
    """

    def __init__(self, request: ReadRequest, largest: int, entropy: Entropy) -> None:
        super().__init__(entropy)
        self._request = request
        self._largest = largest
        self._agreed: Agreed | None = None
        self._content = bytearray()
        self._blocks = 0

    @property
    def content(self) -> bytes:
        """What was received so far."""
        return bytes(self._content)

    @property
    def begun(self) -> bool:
        """Whether the server has answered."""
        return self._agreed is not None

    def start(self, now: float) -> Iterable[Message]:
        """Send the request."""
        return self._say(self._request, now)

    def take(self, message: Message, now: float) -> Iterable[Message]:
        """Take a message of the server; it has been checked where it came from."""
        if self.ending is not None:
            return self._dally(message)
        match message:
            case Data(block, payload):
                return self._data(block, payload, now)
            case OptionAck(options):
                return self._options(OptionAck(options), now)
            case Error(code, text):
                return self._fail(f"the server says: {text}", code)
        return self._refuse(ErrorCode.ILLEGAL_OPERATION, "only DATA, OACK and ERROR belong here")

    def tick(self, now: float) -> Iterable[Message]:
        """Repeat the request or the last ACK; or end the dally."""
        if self.ending is None:
            return super().tick(now)
        if self.due is not None and now >= self.due:
            self.due = None
        return ()

    def _options(self, message: OptionAck, now: float) -> Iterable[Message]:
        """RFC 2347: the OACK is acknowledged with block 0."""
        if self._agreed is not None:
            return (Ack(0),) if self._blocks == 0 and self._agreed.answer else ()
        try:
            agreed = accept_options(self._request, message.options)
        except RemoteError as error:
            return self._refuse(ErrorCode.OPTION_NEGOTIATION, error.reason)
        if agreed.size is not None and agreed.size > self._largest:
            return self._refuse(ErrorCode.DISK_FULL, f"{agreed.size} octets do not fit into {self._largest}")
        self._agreed = agreed
        self._keep_to(agreed)
        return self._say(Ack(0), now)

    def _data(self, block: int, payload: bytes, now: float) -> Iterable[Message]:
        """RFC 1350 section 2: the block that is due is kept, the one before is acknowledged again."""
        agreed = self._agreed = self._agreed or Agreed()
        if block != (self._blocks + 1) % BLOCK_MODULUS:
            return (Ack(block),) if self._blocks and block == self._blocks % BLOCK_MODULUS else ()
        if len(payload) > agreed.block_size:
            return self._refuse(ErrorCode.ILLEGAL_OPERATION, f"a block of {len(payload)} octets: {agreed.block_size} was agreed")
        if len(self._content) + len(payload) > self._largest:
            return self._refuse(ErrorCode.DISK_FULL, f"more than {self._largest} octets")
        self._content += payload
        self._blocks += 1
        answer = self._say(Ack(block), now)
        if len(payload) < agreed.block_size:
            self._end(agreed, now)
        return answer

    def _end(self, agreed: Agreed, now: float) -> None:
        """RFC 1350 section 6; a file that is not of the announced size is incomplete (PHN-14)."""
        self.due = now + DALLY_S
        size = len(self._content)
        complete = agreed.size is None or agreed.size == size
        self.ending = Ending() if complete else Ending(f"{size} octets came where {agreed.size} were announced")

    def _dally(self, message: Message) -> Iterable[Message]:
        last = self._last
        if self.due is not None and isinstance(message, Data) and isinstance(last, Ack) and message.block == last.block:
            return (last,)
        return ()
