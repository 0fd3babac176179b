"""One transfer over time: what the sending and the receiving side share (RFC 1350 sections 2, 4 and 6, RFC 7440).

Both are without I/O: messages, ticks and now in, messages out.
:mod:`voxpath.tftp.sending` and :mod:`voxpath.tftp.receiving` are the two sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from voxpath.core.retransmit import Backoff, Entropy
from voxpath.tftp.message import Error, Message
from voxpath.tftp.options import Agreed

BLOCK_MODULUS = 1 << 16
"""Block numbers have 16 bits and roll over to 0."""
OWN_CHOICE = Backoff(first_s=1.0, cap_s=8.0, give_up_s=30.0)
"""Retransmission where no timeout was agreed."""
AGREED_SENDINGS = 6
AGREED_WAITS_LEAST = 2
AGREED_SILENCE_S = 60.0
"""How often a message is sent before the other side is given up, where a timeout was agreed, and how long that may take in all.

A slow client that agreed on a longer one, since it writes to a slow memory, gets what it lost twice all the same.
"""
FIRST_SENDINGS = 3
FIRST_DATA_SENDINGS = 2
"""How often the first message goes to a client that has not shown that it is there, as its address may be forged.

An OACK or an ACK is about as long as the request; DATA is longer, so it is sent less often, and of a window its first block alone.
"""
FIRST_WAIT_MOST_S = 4.0
"""Longest wait for its answer, whatever interval was agreed: some forged requests must not hold all transfers for minutes."""
FIRST_PATIENCE_S = 6.0
"""So long an answer to the last of them is waited for in silence: stock clients repeat what they sent after 5 s."""
ASKED_AGAIN = 5
"""How often the first message goes, besides, to a client that repeats its request: once for each, and once a second at the most."""
DALLY_S = 5.0
"""How long the receiving side repeats its last ACK if the last DATA comes again (RFC 1350 section 6)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a transfer ended.

    :ivar reason: why it failed, in one line, not yet escaped; empty: it is complete.
    :ivar code: the TFTP error code that was sent or received; ``None``: there was none.
    """

    reason: str = ""
    code: int | None = None


class Transfer:
    """What both sides share: what waits for an answer, its retransmission, and the end.

    :ivar due: when :meth:`tick` has to be called; ``None``: never.
    :ivar ending: how it ended; ``None``: it goes on.
    :ivar repeated: messages that were sent again.
    :ivar went_on: when the other side last brought it on, or it began: what waits for an answer was first sent then.
    """

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._backoff = OWN_CHOICE
        self._first_wait_s = self._wait_s = OWN_CHOICE.first_s
        self._last: tuple[Message, ...] = ()
        self._sendings = 0
        self._first_sendings = FIRST_SENDINGS
        self.went_on = self._repeated_at = 0.0
        self.due: float | None = None
        self.ending: Ending | None = None
        self.repeated = 0

    def start(self, now: float) -> Sequence[Message]:
        """Say the first message."""
        raise NotImplementedError

    def take(self, message: Message, now: float) -> Sequence[Message]:
        """Take a message of the other side; it has been checked where it came from."""
        raise NotImplementedError

    def tick(self, now: float) -> Sequence[Message]:
        """Repeat what was not answered if it is time to, or give up."""
        if self.due is None or now < self.due:
            return ()
        wait = self._own_wait(now) if self.proven else self._first_wait(now)
        if wait is None:
            return self._fail(f"no answer after {self._sendings} messages")
        return self._repeat(wait, now)

    def _own_wait(self, now: float) -> float | None:
        return self._backoff.wait_s(self._sendings, now - self.went_on, self._entropy)

    def _first_wait(self, now: float) -> float | None:
        """For how long to wait for the answer to the next repetition of the first message; ``None``: there is none."""
        left = self._first_sendings - self._sendings
        if left <= 0:
            return None
        return FIRST_PATIENCE_S if left == 1 else min(self._own_wait(now) or FIRST_WAIT_MOST_S, FIRST_WAIT_MOST_S)

    def asked_again(self, now: float) -> Sequence[Message]:
        """The other side repeats its request: it gets the first message once more, if it would not get that by itself.

        Nobody can be made to get more messages than somebody sent in his name, and one and its repetition besides.
        """
        return self._repeat(FIRST_PATIENCE_S, now) if self._silent(now) else ()

    def _silent(self, now: float) -> bool:
        """Whether a client that has not shown itself got all that goes by itself, and one repetition may still be answered."""
        spent = 0 <= self._sendings - self._first_sendings < ASKED_AGAIN
        return spent and not self.proven and self.ending is None and now - self._repeated_at >= OWN_CHOICE.first_s

    def _repeat(self, wait: float, now: float) -> Sequence[Message]:
        self._sendings += 1
        self._repeated_at = now
        self._wait_s = wait
        self.due = now + wait
        return self._again(now)

    def _again(self, now: float) -> Sequence[Message]:
        """What is sent after a timeout."""
        self.repeated += len(self._last)
        return self._last

    def _say(self, message: Message, now: float) -> Sequence[Message]:
        self._last = (message,)
        self._await(now)
        return self._last

    def _await(self, now: float) -> None:
        """Something new is sent: wait for its answer."""
        self._sendings = 1
        self.went_on = now
        self._wait_s = self._first_wait_s if self.proven else min(self._first_wait_s, FIRST_WAIT_MOST_S)
        self.due = now + self._wait_s

    def _keep_to(self, agreed: Agreed) -> None:
        """Repeat at the agreed interval; at the first message no less often than :data:`FIRST_WAIT_MOST_S` says."""
        if agreed.timeout_s is not None:
            self._first_wait_s = seconds = float(agreed.timeout_s)
            in_all = max(AGREED_WAITS_LEAST * seconds, min(AGREED_SENDINGS * seconds, AGREED_SILENCE_S))
            self._backoff = Backoff(seconds, seconds, in_all, factor=1.0)

    @property
    def proven(self) -> bool:
        """Whether the other side has shown that it is there: until then its address may be forged."""
        return True

    def _fail(self, reason: str, code: int | None = None) -> Sequence[Message]:
        self.due = None
        self.ending = Ending(reason, code)
        return ()

    def _refuse(self, code: int, reason: str, detail: str = "") -> Sequence[Message]:
        """Fail, and tell the other side; ``detail`` is for the operator only."""
        self._fail(f"{reason}: {detail}" if detail else reason, code)
        return (Error(code, reason),)
