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

**A client has shown that it is there when it acknowledges DATA.**
An ACK of the OACK can be forged together with the request, wherever the port is known or guessed.
So the first window is sent once, as the client counts to it before it answers; its first block alone is repeated.
That happens once by itself, and behind that only as the answer to a repetition:
the block for an ACK of the OACK, the OACK for a request.
A client that lost some of the window acknowledges what it has when it finds the gap, or after its own timeout, and has shown
itself by that.

**Most of a transfer is one step, again and again**: all that was sent has arrived, so the next window is sent.
:meth:`Sending.reply` takes this step from octets to octets; :meth:`Sending.take` would do the same, and does all the rest.
"""

from collections.abc import Sequence
from typing import Final

from voxpath.core.effects import Train
from voxpath.core.retransmit import Entropy
from voxpath.tftp.content import PIECE_OCTETS, Content, ContentLost
from voxpath.tftp.machine import BLOCK_MODULUS, FIRST_DATA_SENDINGS, FIRST_PATIENCE_S, Ending, Transfer
from voxpath.tftp.message import Ack, Data, Error, ErrorCode, Message, OptionAck
from voxpath.tftp.options import Agreed
from voxpath.tftp.wire import HEADER_LENGTH, write_ack, write_blocks

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
        if not agreed.answer:
            self._first_sendings = FIRST_DATA_SENDINGS
        self.sent = 0
        self.burst = agreed.window
        self._newest = 0
        self._final: int | None = None
        self._believed = False
        self._clean = 0
        self._piece = memoryview(b"")
        self._piece_first = 0
        self._at_hand = 0
        self._awaited = b""

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

    def asked_again(self, now: float) -> Sequence[Message]:
        """The request comes again: the answer to it is the OACK, also where an ACK of that came, of the client or in its name."""
        if self.acked or not self._agreed.answer:
            return super().asked_again(now)
        if not self._silent(now):
            return ()
        # The ACK of this may come, and be answered, at once: no time of repetition is noted.
        return self._once_more(self._last, now)

    def reply(self, octets: bytes, now: float) -> Train | None:
        """Answer the ACK of all that was sent by the next window; ``None``: this is another message, or the file is lost.

        The timer of :attr:`due` need not be moved for it: it fires early, and then finds that nothing is due.
        """
        if not octets or octets != self._awaited:
            return None
        first = self.sent
        newest = first + self._agreed.window
        if newest > self._at_hand:
            try:
                newest = self._reach(first, newest)
            except ContentLost:
                return None
        self.acked = first
        self.sent = self._newest = newest
        self.went_on = now
        self.due = now + self._wait_s
        self._awaited = write_ack(newest % BLOCK_MODULUS) if newest != self._final else b""
        length = HEADER_LENGTH + self._agreed.block_size
        at = (first - self._piece_first) * length
        return Train(self._piece[at : at + (newest - first) * length], length)

    def tick(self, now: float) -> Sequence[Message]:
        """Send the next burst of a window if it is time to; or repeat what was not answered, or give up."""
        if self.due is not None and now >= self.due and self._pausing:
            return self._burst(now)
        return super().tick(now)

    # Windows.

    def _advance(self, blocks: int, now: float) -> Sequence[Message]:
        """Blocks have arrived: the next window begins behind them (RFC 7440 section 4)."""
        if self.acked < 0:
            self._first_sendings = FIRST_DATA_SENDINGS
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
        messages = self._window(now)
        if self.burst == self._agreed.window and self.sent != self._final and self.ending is None:
            self._awaited = write_ack(self.sent % BLOCK_MODULUS)
            # Who answers on the short way has shown itself, and may be waited for as long as was agreed.
            self._wait_s = self._first_wait_s
        return messages

    def _duplicate(self, now: float) -> Sequence[Message]:
        """The ACK of the block before this window came again: its first block may be lost."""
        if not self.proven:
            return self._duplicate_of_nobody(now)
        if self.burst == 1 or self._believed:
            return ()
        self._lost()
        messages = self._window(now)
        self._believed = True
        return messages

    def _duplicate_of_nobody(self, now: float) -> Sequence[Message]:
        """The ACK of the OACK came again from where nobody has shown himself: whoever forges it gains one block by it."""
        if self.acked < 0:
            return ()
        if self._silent(now):
            self._repeated_at = now
            return self._once_more((self._first_block(),), now)
        if self._agreed.window == 1 or self._sendings >= FIRST_DATA_SENDINGS:
            return ()
        # It counts as the sending that would go by itself.
        return self._repeat(FIRST_PATIENCE_S, now)

    def _once_more(self, messages: Sequence[Message], now: float) -> Sequence[Message]:
        """Answer a repetition of a client that has not shown itself, and wait for it anew."""
        self._sendings += 1
        self.repeated += len(messages)
        self.due = now + FIRST_PATIENCE_S
        return messages

    def _again(self, now: float) -> Sequence[Message]:
        """After a timeout the window begins anew."""
        if self.acked < 0:
            return super()._again(now)
        self._lost()
        if not self.proven:
            self.repeated += 1
            return (self._first_block(),)
        return self._window(now)

    def _lost(self) -> None:
        self.burst = max(1, self.burst // 2)
        self._clean = 0
        self._awaited = b""

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
        first = self.sent
        count = min(self.burst, self.acked + self._agreed.window - first)
        try:
            self.sent = newest = self._reach(self.acked, first + count)
        except ContentLost as lost:
            self._fail(f"the file cannot be read: {lost.reason}", ErrorCode.NOT_DEFINED)
            return (Error(ErrorCode.NOT_DEFINED, "the file cannot be read"),)
        self.repeated += min(newest, self._newest) - first
        self._newest = max(newest, self._newest)
        self.due = now + (PAUSE_S if count < self._agreed.window and self._pausing else self._wait_s)
        blocks = enumerate(self._cut(first, newest), first + 1)
        return [Data(number % BLOCK_MODULUS, block[HEADER_LENGTH:]) for number, block in blocks]

    # The file.

    def _first_block(self) -> Data:
        return Data(1, self._cut(0, 1)[0][HEADER_LENGTH:])

    def _reach(self, first: int, newest: int) -> int:
        """Have the blocks at hand up to the newest, or up to the file's last one, which is told then; raise :class:`ContentLost`.

        :param first: blocks that have arrived, and are never needed again.
        """
        if self._final is None and newest > self._at_hand:
            size = self._agreed.block_size
            window = self._agreed.window * size
            # Whole windows: a part of one would be read again with the rest of it.
            wanted = -(-PIECE_OCTETS // window) * window
            octets = self._content.read(first * size, wanted)
            self._piece, self._piece_first = memoryview(write_blocks(first + 1, octets, size)), first
            self._at_hand = first + len(octets) // size
            if len(octets) < wanted:
                self._final = self._at_hand + 1
        return newest if self._final is None else min(newest, self._final)

    def _cut(self, first: int, newest: int) -> list[memoryview]:
        """The blocks from behind the first ones to the newest, as they are sent."""
        piece, length = self._piece, HEADER_LENGTH + self._agreed.block_size
        at = (first - self._piece_first) * length
        return [piece[place : place + length] for place in range(at, at + (newest - first) * length, length)]

    @property
    def proven(self) -> bool:
        """Whether the client has acknowledged a block of DATA."""
        return self.acked > 0
