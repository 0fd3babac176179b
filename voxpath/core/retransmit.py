"""When to send again, and when to give up."""

from dataclasses import dataclass
from typing import Final, Protocol

LEAST_WAIT_S: Final = 0.001
"""A wait this short is not worth a message, and far below it, time plus the wait is the same time."""


class Entropy(Protocol):
    """Randomness as an argument: :class:`random.Random` satisfies it."""

    def random(self) -> float:
        """A number from 0 up to but not including 1."""

    def getrandbits(self, k: int, /) -> int:
        """An integer of ``k`` random bits."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential retransmission with a cap, a random part and an end.

    :ivar first_s: the first wait, in seconds.
    :ivar factor: how much longer each further wait is.
    :ivar cap_s: the longest wait.
    :ivar give_up_s: no retransmission begins later than this after the first sending.
    :ivar spread: the random share of each wait: 0.5 draws from half the wait to the whole of it (RFC 3525 D.1.2).
    """

    first_s: float
    cap_s: float
    give_up_s: float
    factor: float = 2.0
    spread: float = 0.0

    def wait_s(self, attempt: int, elapsed_s: float, entropy: Entropy) -> float | None:
        """How long to wait after sending number ``attempt`` (from 0); ``None``: give up now."""
        left = self.give_up_s - elapsed_s
        # The last wait ends at the limit but for rounding: what is left then is no reason to send once more.
        if left < LEAST_WAIT_S:
            return None
        # The exponent is bounded so that a long-lived attempt count cannot overflow a float.
        wait = min(self.cap_s, self.first_s * self.factor ** min(attempt, 64))
        if self.spread:
            # The system's randomness costs a system call.
            wait *= 1 - self.spread * entropy.random()
        return min(wait, left)
