"""The side that sends a file, in windows of one block or more (RFC 1350, RFC 7440).

**Nothing is sent twice because something arrived twice.**
With a window of one block only a timeout repeats DATA, never a duplicate ACK: the cure of the Sorcerer's Apprentice Syndrome
(RFC 1123 section 4.2.3.1).
With a larger one an ACK of the block before the window may mean that the window's first block was lost.
It is believed once in a window, and each time halves what is sent at once.
So a line that doubles everything ends at one block, where it is not believed any more.

**After a loss less is sent at once.**
The receiver counts to the agreed window size before it sends an ACK, so a smaller window would leave both sides waiting.
Instead the window goes out in bursts of half the size, with a pause between them; clean windows let the bursts grow again.
"""

from collections.abc import Sequence
from typing import Final

from voxpath.core.retransmit import Entropy
from voxpath.tftp.content import PIECE_OCTETS, Content, ContentLost
from voxpath.tftp.machine import BLOCK_MODULUS, FIRST_SENDINGS, Ending, Transfer
from voxpath.tftp.message import Ack, Data, Error, ErrorCode, Message, OptionAck
from voxpath.tftp.options import Agreed

PAUSE_S: Final = 0.005
"""Between two bursts of a window, after a loss."""
CLEAN_WINDOWS: Final = 16
"""After so many windows without a loss a burst is twice as large."""


class Sending(Transfer):
    """The server's side of a read.

    :ivar acked: blocks that have arrived, not reduced; -1: not even the OACK.
    :ivar sent: the block that was sent last; 0: the OACK.
    :ivar burst: blocks that are sent at once, at most the agreed window.
    """

    def __init__(self, content: Content, agreed: Agreed, entropy: Entropy) -> None:
        super().__init__(entropy)
        self._content = content
        self._agreed = agreed
        self._keep_to(agreed)
        self.acked = -1 if agreed.answer else 0
        self.sent = 0
        self.burst = agreed.window
        self._newest = 0
        self._final: int | None = None
        self._believed = False
        self._clean = 0
        self._piece = memoryview(b"")
        self._piece_at = 0
        self._piece_ends = False

    @property
    def blocks(self) -> int:
        """How many DATA blocks the file takes, in netascii at least; the last one is short, if need be empty."""
        return self._final or self._content.size // self._agreed.block_size + 1

    def start(self, now: float) -> Sequence[Message]:
        """Send the OACK, or DATA 1 if no option was accepted."""
        if self._agreed.answer:
            return self._say(OptionAck(self._agreed.answer), now)
        self._await(now)
        return self._window(now)

    def take(self, message: Message, now: float) -> Sequence[Message]:
        """Take an ACK or an ERROR of the client."""
        if isinstance(message, Ack):
            ahead = (message.block - self.acked) % BLOCK_MODULUS
            if 0 < ahead <= self._newest - self.acked:
                return self._advance(ahead, now)
            return self._duplicate(now) if not ahead else ()
        if isinstance(message, Error):
            return self._fail(f"the client says: {message.text}", message.code)
        return self._refuse(ErrorCode.ILLEGAL_OPERATION, "only ACK and ERROR belong here")

    def tick(self, now: float) -> Sequence[Message]:
        """Send the next burst of a window if it is time to; or repeat what was not answered, or give up."""
        if self.due is not None and now >= self.due and self._pausing:
            return self._burst(now)
        return super().tick(now)

    # Windows.

    def _advance(self, blocks: int, now: float) -> Sequence[Message]:
        """Blocks have arrived: the next window begins behind them (RFC 7440 section 4)."""
        self.acked += blocks
        if self.acked == self._final:
            self.due = None
            self.ending = Ending()
            return ()
        if self.acked < self.sent:
            # An ACK inside a window: the block after it was lost.
            self._lost()
        elif self.burst < self._agreed.window:
            self._grow()
        self._await(now)
        return self._window(now)

    def _duplicate(self, now: float) -> Sequence[Message]:
        """The ACK of the block before this window came again: its first block may be lost."""
        if self.burst == 1 or self._believed or self.acked < 0:
            return ()
        self._lost()
        messages = self._window(now)
        self._believed = True
        return messages

    def _again(self, now: float) -> Sequence[Message]:
        """After a timeout the window begins anew."""
        if self.acked < 0:
            return super()._again(now)
        self._lost()
        return self._window(now)

    def _lost(self) -> None:
        self.burst = max(1, self.burst // 2)
        self._clean = 0

    def _grow(self) -> None:
        self._clean += 1
        if self._clean == CLEAN_WINDOWS:
            self._clean = 0
            self.burst = min(self._agreed.window, 2 * self.burst)

    def _window(self, now: float) -> Sequence[Message]:
        self.sent = self.acked
        self._believed = False
        return self._burst(now)

    @property
    def _pausing(self) -> bool:
        """Whether a part of the window has not been sent yet."""
        return self.acked >= 0 and self.sent < self.acked + self._agreed.window and self.sent != self._final

    def _burst(self, now: float) -> Sequence[Message]:
        """The next blocks of the window."""
        agreed, first = self._agreed, self.sent
        size = agreed.block_size
        count = 1 if agreed.window == 1 else min(self.burst, self.acked + agreed.window - first)
        begin = first * size - self._piece_at
        if begin + count * size > len(self._piece) and not self._piece_ends:
            try:
                self._read_on()
            except ContentLost as lost:
                self._fail(f"the file cannot be read: {lost.reason}", ErrorCode.NOT_DEFINED)
                return (Error(ErrorCode.NOT_DEFINED, "the file cannot be read"),)
            begin = first * size - self._piece_at
        messages = self._data(first, count, begin)
        self.sent = newest = first + len(messages)
        if len(messages[-1].payload) < size:
            self._final = newest
        if newest > self._newest:
            self.repeated += self._newest - first
            self._newest = newest
        else:
            self.repeated += len(messages)
        self.due = now + (PAUSE_S if count < agreed.window and self._pausing else self._wait_s)
        return messages

    def _data(self, first: int, count: int, begin: int) -> list[Data]:
        """So many blocks behind the first ones, from a place in the piece on; the last block of a file is the last of them."""
        piece, size = self._piece, self._agreed.block_size
        if count == 1:
            return [Data((first + 1) % BLOCK_MODULUS, piece[begin : begin + size])]
        numbers, places = range(first + 1, first + count + 1), range(begin, min(begin + count * size, len(piece) + 1), size)
        return [Data(number % BLOCK_MODULUS, piece[at : at + size]) for number, at in zip(numbers, places, strict=False)]

    def _read_on(self) -> None:
        """Read the next piece, from the first block on that may have to be sent again; raise :class:`ContentLost`."""
        size = self._agreed.block_size
        wanted = max(PIECE_OCTETS, self._agreed.window * size)
        self._piece_at = self.acked * size
        self._piece = memoryview(self._content.read(self._piece_at, wanted))
        self._piece_ends = len(self._piece) < wanted

    def _exhausted(self) -> bool:
        first = -1 if self._agreed.answer else 0
        return self.acked == first and self._sendings >= FIRST_SENDINGS
